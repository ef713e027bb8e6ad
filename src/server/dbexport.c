#include "server/dbexport.h"

#include "base/b64.h"
#include "server/state.h"
#include "store/upkeep.h"

#include <inttypes.h>
#include <stdio.h>

enum { LINE_MAX_BYTES = 1 << 20 };

struct export
{
	dbexport_line_fn *line;
	void *ctx;
	struct buf text;
};

static void add_text(struct buf *out, const char *name, const char *text)
{
	buf_addf(out, ",\"%s\":", name);
	body_add_text(out, slice_cstr(text));
}

static void add_time(struct buf *out, const char *name, struct wall at)
{
	char text[WALL_TEXT];
	buf_addf(out, ",\"%s\":\"%s\"", name, wall_rfc3339(at, text));
}

static void add_key(struct buf *out, const uint8_t key[KEY_FINGERPRINT])
{
	buf_adds(out, ",\"keyFingerprint\":\"");
	hex_encode(out, slice_of(key, KEY_FINGERPRINT));
	buf_addc(out, '"');
}

static void add_names(struct buf *out, const char *lines)
{
	buf_adds(out, ",\"sans\":[");
	for (const char *p = lines; *p;) {
		size_t n = strcspn(p, "\n");
		if (p != lines)
			buf_addc(out, ',');
		body_add_text(out, slice_of(p, n));
		p += n + (p[n] == '\n');
	}
	buf_addc(out, ']');
}

static enum status end(struct export *x, struct error *e)
{
	buf_adds(&x->text, "}\n");
	if (buf_check(&x->text, e))
		return e->status;
	enum status st = x->line(x->ctx, &x->text, e);
	buf_reset(&x->text);
	return st;
}

static enum status export_cert(void *ctx, const struct cert_row *r, struct error *e)
{
	struct export *x = ctx;
	struct buf *out = &x->text;
	buf_adds(out, "{\"type\":\"certificate\"");
	add_text(out, "serial", r->serial);
	add_text(out, "subject", r->subject);
	add_names(out, r->sans);
	add_text(out, "provisioner", r->provisioner_name);
	add_text(out, "provisionerID", r->provisioner_id);
	add_time(out, "notBefore", r->not_before);
	add_time(out, "notAfter", r->not_after);
	add_time(out, "created", r->created);
	if (*r->parent)
		add_text(out, "parent", r->parent);
	add_text(out, "line", r->line);
	buf_addf(out, ",\"generation\":%" PRId64, r->generation);
	add_key(out, r->key_fingerprint);
	buf_adds(out, ",\"der\":\"");
	b64_encode(out, buf_slice(&r->der), B64_STD);
	buf_addc(out, '"');
	return end(x, e);
}

static enum status export_revocation(void *ctx, const struct upkeep_revocation *r, struct error *e)
{
	struct export *x = ctx;
	buf_adds(&x->text, "{\"type\":\"revocation\"");
	add_text(&x->text, "serial", r->serial);
	buf_addf(&x->text, ",\"reasonCode\":%d", r->reason_code);
	add_text(&x->text, "reason", r->reason);
	add_text(&x->text, "provisioner", r->provisioner);
	add_time(&x->text, "revokedAt", r->at);
	return end(x, e);
}

static enum status export_closed(void *ctx, const struct upkeep_closed *c, struct error *e)
{
	struct export *x = ctx;
	if (c->serial) {
		buf_adds(&x->text, "{\"type\":\"closedLine\"");
		add_text(&x->text, "serial", c->serial);
		add_text(&x->text, "closedBy", c->by);
		add_time(&x->text, "closedAt", c->at);
	} else {
		buf_adds(&x->text, "{\"type\":\"blockedKey\"");
		add_key(&x->text, c->key);
		add_text(&x->text, "reason", c->by);
		add_time(&x->text, "blockedAt", c->at);
	}
	return end(x, e);
}

enum status dbexport_run(const struct caconf *conf, dbexport_line_fn *line, void *ctx, struct error *e)
{
	struct export x = { .line = line, .ctx = ctx, .text = BUF_INIT(LINE_MAX_BYTES) };
	const struct upkeep_reader r = { export_cert, export_revocation, export_closed, &x };
	enum status st = upkeep_export(&conf->store, &r, e);
	buf_done(&x.text);
	return st;
}
