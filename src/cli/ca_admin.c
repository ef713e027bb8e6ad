#include "cli/ca_admin.h"

#include "jose/auto.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

enum { JSON_CERT_MAX = 8 << 20 };

enum status admin_open(struct invocation *inv, const struct admin_flags *f, char ret[ADMIN_PATH], struct error *e)
{
	AUTO(buf_done) struct buf config = BUF_INIT(ADMIN_PATH);
	if (opt_is_set(f->ca_config) && !opt_is_set(f->socket) && !file_exists(f->ca_config))
		return error_set(e, ST_MISSING, "open %s failed: no such file or directory", f->ca_config);
	if (opt_is_set(f->ca_config))
		buf_adds(&config, f->ca_config);
	else if (inv_file(inv, "config/ca.json", &config, e))
		return e->status;
	return buf_check(&config, e) ? e->status : admin_find(f->socket, buf_cstr(&config), ret, e);
}

enum status admin_pages(const char *socket, struct admin_query *q, admin_each_page *each, void *ctx, struct error *e)
{
	char cursor[ADMIN_CURSOR] = "";
	for (bool stop = false; !stop;) {
		AUTO(admin_page_done) struct admin_page p = { 0 };
		if (admin_certificates(socket, q, cursor, &p, e) || each(ctx, &p, &stop, e))
			return e->status;
		if (!*p.next)
			return ST_OK;
		if (!strcmp(p.next, cursor))
			return error_set(e, ST_PEER, "the CA's answers lead in a circle");
		memcpy(cursor, p.next, sizeof cursor);
	}
	return ST_OK;
}

const char *admin_span(int64_t s, char out[ADMIN_SPAN])
{
	long long d = s / 86400, h = s / 3600 % 24, m = s / 60 % 60;
	if (d)
		snprintf(out, ADMIN_SPAN, h ? "%lldd%lldh" : "%lldd", d, h);
	else if (h)
		snprintf(out, ADMIN_SPAN, m ? "%lldh%lldm" : "%lldh", h, m);
	else
		snprintf(out, ADMIN_SPAN, m ? "%lldm" : "%llds", m ? m : (long long)s);
	return out;
}

const char *admin_left(struct wall not_after, struct wall now, char out[ADMIN_SPAN])
{
	char span[ADMIN_SPAN];
	if (not_after.s >= now.s)
		return admin_span(not_after.s - now.s, out);
	snprintf(out, ADMIN_SPAN, "-%.40s", admin_span(now.s - not_after.s, span));
	return out;
}

enum status admin_add_json(struct buf *out, const struct admin_cert *c, struct error *e)
{
	AUTO(text_free_p) char *text = json_dumps(c->json, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (!text)
		return error_nomem(e);
	buf_adds(out, text);
	return buf_check(out, e);
}

void admin_add_name(struct buf *out, const struct admin_cert *c, size_t max)
{
	struct slice name = c->subject.n ? c->subject : jsonio_text(json_array_get(c->sans, 0));
	text_escape(out, name.n ? name : SLICE_LIT("-"), max);
}

void admin_add_cell(struct buf *out, const char *text, size_t width)
{
	size_t chars = 0;
	for (const char *p = text; *p; p++)
		chars += (*p & 0xc0) != 0x80; /* UTF-8: all but the bytes behind a first one */
	buf_addf(out, "%s%*s", text, (int)(chars < width ? width - chars : 0) + 2, "");
}
