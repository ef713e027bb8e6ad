#include "server/dbimport.h"

#include "base/num.h"
#include "crypto/pem.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "store/crl.h"
#include "x509/crl.h"

#include <stdio.h>
#include <stdlib.h>

static enum status list_add(struct dbimport_list *l, const struct store_revocation *r, struct error *e)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct store_revocation *v = reallocarray(l->v, cap, sizeof *v);
		if (!v)
			return error_nomem(e);
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = *r;
	return ST_OK;
}

void dbimport_list_done(struct dbimport_list *l)
{
	free(l->v);
	*l = (struct dbimport_list){ 0 };
}

/* Numbers beyond 2^56 are nobody's who counts lists. */
static int64_t number_of(struct slice magnitude)
{
	int64_t n = 0;
	for (size_t i = 0; i < magnitude.n && magnitude.n <= 7; i++)
		n = n << 8 | magnitude.p[i];
	return n;
}

static enum status read_crl(struct slice der, struct dbimport_list *ret, struct error *e)
{
	struct crl_facts f;
	struct crl_entry entry;
	if (crl_parse(der, &f, e))
		return e->status;
	for (struct slice rest = f.entries; rest.n;) {
		if (crl_next(&rest, &entry, e))
			return e->status;
		struct store_revocation r = { .reason = "imported", .at = entry.revoked_at };
		r.reason_code = crl_reason_name(entry.reason) ? entry.reason : 0;
		snprintf(r.serial, sizeof r.serial, "%s", entry.serial);
		if (list_add(ret, &r, e))
			return e->status;
	}
	ret->crl_number = number_of(f.number);
	return ST_OK;
}

/* One line of `step-ca db export`. *ret_is: it is a revocation. */
static enum status read_object(struct slice line, struct wall now, struct store_revocation *ret, bool *ret_is,
                               struct error *e)
{
	AUTO(json_decref_p) json_t *o = NULL;
	if (jsonio_parse(line, JSONIO_STRICT, &o, e))
		return e->status;
	*ret_is = slice_eq(jsonio_text(json_object_get(o, "type")), SLICE_LIT("revocation"));
	if (!*ret_is)
		return ST_OK;
	json_int_t code = json_integer_value(json_object_get(o, "reasonCode"));
	struct slice at = jsonio_text(json_object_get(o, "revokedAt"));
	struct store_revocation r = { .reason = "imported", .at = now, .reason_code = (int)code };
	if (code < 0 || code > 10)
		return error_set(e, ST_INVALID, "no such reasonCode");
	if (serial_normalize(jsonio_text(json_object_get(o, "serial")), r.serial, e) ||
	    (at.n && wall_parse_rfc3339(at, &r.at, e)))
		return e->status;
	*ret = r;
	return ST_OK;
}

static enum status read_text(struct slice line, struct wall now, struct store_revocation *ret, bool *ret_is,
                             struct error *e)
{
	line = slice_trim(slice_of(line.p, slice_find(line, '#')));
	*ret_is = line.n > 0;
	if (!line.n)
		return ST_OK;
	size_t gap = 0;
	while (gap < line.n && line.p[gap] != ' ' && line.p[gap] != '\t')
		gap++;
	struct slice code = slice_trim(slice_of(line.p + gap, line.n - gap));
	struct store_revocation r = { .reason = "imported", .at = now };
	int64_t reason = 0;
	if (serial_normalize(slice_of(line.p, gap), r.serial, e) || (code.n && num_parse(code, 0, 10, &reason, e)))
		return e->status;
	r.reason_code = (int)reason;
	*ret = r;
	return ST_OK;
}

static enum status read_lines(struct slice in, struct wall now, struct dbimport_list *ret, struct error *e)
{
	for (int number = 1; in.n; number++) {
		size_t len = slice_find(in, '\n');
		struct slice line = slice_of(in.p, len);
		in.p += len + (len < in.n);
		in.n -= len + (len < in.n);
		line = slice_trim(line);
		bool is;
		struct store_revocation r;
		if (line.n && *line.p == '{' ? read_object(line, now, &r, &is, e) : read_text(line, now, &r, &is, e))
			return error_wrap(e, "line %d", number);
		if (is && list_add(ret, &r, e))
			return e->status;
	}
	return ST_OK;
}

enum status dbimport_read(struct slice in, struct wall now, struct dbimport_list *ret, struct error *e)
{
	AUTO(pem_block_done) struct pem_block block = { 0 };
	struct slice rest = in;
	if (in.n > 1 && in.p[0] == DER_SEQUENCE && in.p[1] >= 0x80) /* no text: "0" and then no ASCII */
		return read_crl(in, ret, e);
	if (!pem_next(&rest, &block, e))
		return read_crl(buf_slice(&block.der), ret, e);
	return read_lines(in, now, ret, e);
}

enum status dbimport_run(const struct caconf *conf, const struct clock *clock, struct slice in, size_t *ret_read,
                         size_t *ret_new, struct error *e)
{
	AUTO(dbimport_list_done) struct dbimport_list list = { 0 };
	struct store *store = NULL;
	struct store_conf sc = conf->store;
	sc.clock = clock;

	if (sc.kind == STORE_MEMORY)
		return error_set(e, ST_INVALID,
		                 "%s: db: no database is configured, so nothing can be imported; add a "
		                 "\"db\" stanza of type \"sqlite\"",
		                 conf->path);
	if (dbimport_read(in, clock_wall(clock), &list, e) || store_open(&sc, &store, e))
		return e->status;
	enum status st = store_import_revocations(store, list.v, list.n, ret_new, e);
	/* RFC 5280 §5.2.3: numbers of an issuer go up, whichever program makes its lists. */
	if (!st && list.crl_number)
		st = store_raise_crl_number(store, list.crl_number + 1, e);
	store_close(store);
	if (!st)
		*ret_read = list.n;
	return st;
}
