#include "server/dbimport.h"

#include "base/num.h"
#include "crypto/ossl.h"
#include "crypto/pem.h"

#include <openssl/x509.h>
#include <stdlib.h>

struct list {
	struct store_revocation *v;
	size_t n, cap;
};

static enum status list_add(struct list *l, const struct store_revocation *r, struct error *e)
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

static void list_done(struct list *l)
{
	free(l->v);
}

static struct wall wall_of_asn1(const ASN1_TIME *t, struct wall otherwise)
{
	struct tm tm;
	struct wall w;
	if (!t || !ASN1_TIME_to_tm(t, &tm))
		return otherwise;
	struct civil c = { .year = tm.tm_year + 1900, .month = tm.tm_mon + 1, .day = tm.tm_mday,
		           .hour = tm.tm_hour, .minute = tm.tm_min, .second = tm.tm_sec };
	return wall_of_civil(&c, &w) ? w : otherwise;
}

static enum status read_crl(X509_CRL *crl, struct wall now, struct list *ret, struct error *e)
{
	STACK_OF(X509_REVOKED) *revoked = X509_CRL_get_REVOKED(crl);
	for (int i = 0; i < sk_X509_REVOKED_num(revoked); i++) {
		X509_REVOKED *entry = sk_X509_REVOKED_value(revoked, i);
		const ASN1_INTEGER *serial = X509_REVOKED_get0_serialNumber(entry);
		struct store_revocation r = { .reason = "imported",
			                      .at = wall_of_asn1(X509_REVOKED_get0_revocationDate(entry), now) };
		ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
		if (reason)
			r.reason_code = (int)ASN1_ENUMERATED_get(reason);
		ASN1_ENUMERATED_free(reason);
		struct slice bytes = slice_of(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));
		if (serial_format(bytes, r.serial, e) || list_add(ret, &r, e))
			return error_wrap(e, "CRL entry %d", i + 1);
	}
	return ST_OK;
}

static enum status read_lines(struct slice in, struct wall now, struct list *ret, struct error *e)
{
	for (int number = 1; in.n; number++) {
		size_t len = slice_find(in, '\n');
		struct slice line = slice_of(in.p, len);
		in.p += len + (len < in.n);
		in.n -= len + (len < in.n);
		line = slice_trim(slice_of(line.p, slice_find(line, '#')));
		if (!line.n)
			continue;
		size_t gap = 0;
		while (gap < line.n && line.p[gap] != ' ' && line.p[gap] != '\t')
			gap++;
		struct slice code = slice_trim(slice_of(line.p + gap, line.n - gap));
		struct store_revocation r = { .reason = "imported", .at = now };
		int64_t reason = 0;
		if (serial_normalize(slice_of(line.p, gap), r.serial, e) ||
		    (code.n && num_parse(code, 0, 10, &reason, e)))
			return error_wrap(e, "line %d", number);
		r.reason_code = (int)reason;
		if (list_add(ret, &r, e))
			return e->status;
	}
	return ST_OK;
}

static enum status read_any(struct slice in, struct wall now, struct list *ret, struct error *e)
{
	struct pem_block block = { 0 };
	struct slice rest = in, der = in;
	if (!pem_next(&rest, &block, e))
		der = buf_slice(&block.der);
	const unsigned char *p = der.p;
	X509_CRL *crl = der.n ? d2i_X509_CRL(NULL, &p, (long)der.n) : NULL;
	enum status st;
	if (crl) {
		st = read_crl(crl, now, ret, e);
	} else {
		/* Drains OpenSSL's queue; whether these are lines is said by the next reader. */
		st_ignore(error_ossl(e, ST_INVALID, "not a CRL"), "tried as text instead");
		st = read_lines(in, now, ret, e);
	}
	X509_CRL_free(crl);
	pem_block_done(&block);
	return st;
}

enum status dbimport_run(const struct caconf *conf, const struct clock *clock, struct slice in, size_t *ret_read,
                         size_t *ret_new, struct error *e)
{
	AUTO(list_done) struct list list = { 0 };
	struct store *store = NULL;
	struct store_conf sc = conf->store;
	sc.clock = clock;

	if (sc.kind == STORE_MEMORY)
		return error_set(e, ST_INVALID, "%s: db: no database is configured, so nothing can be imported; add a "
		                                "\"db\" stanza of type \"sqlite\"", conf->path);
	if (read_any(in, clock_wall(clock), &list, e) || store_open(&sc, &store, e))
		return e->status;
	enum status st = store_import_revocations(store, list.v, list.n, ret_new, e);
	store_close(store);
	if (!st)
		*ret_read = list.n;
	return st;
}
