#include "base/buf.h"
#include "store/look.h"
#include "store/upkeep.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 500 };

static enum status text_of(struct query *q, int column, char **ret, struct error *e)
{
	*ret = text_dup(slice_cstr(query_get_text(q, column)));
	return *ret ? ST_OK : error_nomem(e);
}

static enum status row_of(struct query *q, struct cert_row *r, struct error *e)
{
	r->der = BUF_INIT(CERT_MAX);
	buf_add_slice(&r->der, query_get_blob(q, 2));
	if (buf_check(&r->der, e) || text_of(q, 3, &r->subject, e) || text_of(q, 4, &r->sans, e) ||
	    text_of(q, 5, &r->provisioner_id, e) || text_of(q, 6, &r->provisioner_name, e))
		return e->status;
	snprintf(r->serial, SERIAL_TEXT, "%s", query_get_text(q, 1));
	r->provisioner_type = (int)query_get_int(q, 7);
	struct slice key = query_get_blob(q, 8);
	if (key.n == sizeof(r->key_fingerprint))
		memcpy(r->key_fingerprint, key.p, key.n);
	r->not_before.s = query_get_int(q, 9);
	r->not_after.s = query_get_int(q, 10);
	r->granted_s = query_get_int(q, 11);
	snprintf(r->parent, SERIAL_TEXT, "%s", query_get_text(q, 12));
	snprintf(r->line, SERIAL_TEXT, "%s", query_get_text(q, 13));
	r->generation = query_get_int(q, 14);
	r->created.s = query_get_int(q, 15);
	return ST_OK;
}

/* Where the next page begins; the field that counts depends on the statement. */
struct page_from {
	int64_t id;
	char serial[SERIAL_TEXT];
	uint8_t key[KEY_FINGERPRINT];
	size_t key_n;
};

typedef enum status give_fn(struct query *q, const struct upkeep_reader *r, struct page_from *from, struct error *e);

static enum status give_cert(struct query *q, const struct upkeep_reader *r, struct page_from *from, struct error *e)
{
	AUTO(cert_row_done) struct cert_row row = { 0 };
	from->id = query_get_int(q, 0);
	return row_of(q, &row, e) ? e->status : r->cert(r->ctx, &row, e);
}

static enum status give_revocation(struct query *q, const struct upkeep_reader *r, struct page_from *from,
                                   struct error *e)
{
	snprintf(from->serial, SERIAL_TEXT, "%s", query_get_text(q, 0));
	const struct upkeep_revocation v = { .serial = from->serial,
		                             .reason_code = (int)query_get_int(q, 1),
		                             .reason = query_get_text(q, 2),
		                             .provisioner = query_get_text(q, 3),
		                             .at = { query_get_int(q, 4) } };
	return r->revocation(r->ctx, &v, e);
}

static enum status give_line(struct query *q, const struct upkeep_reader *r, struct page_from *from, struct error *e)
{
	from->id = query_get_int(q, 0);
	const struct upkeep_closed v = { .serial = query_get_text(q, 1),
		                         .by = query_get_text(q, 2),
		                         .at = { query_get_int(q, 3) } };
	return r->closed(r->ctx, &v, e);
}

static enum status give_key(struct query *q, const struct upkeep_reader *r, struct page_from *from, struct error *e)
{
	struct slice key = query_get_blob(q, 0);
	if (key.n != sizeof(from->key))
		return error_set(e, ST_INVALID, "a blocked key is no SHA-256");
	memcpy(from->key, key.p, key.n);
	from->key_n = key.n;
	struct upkeep_closed v = { .by = query_get_text(q, 1), .at = { query_get_int(q, 2) } };
	memcpy(v.key, key.p, key.n);
	return r->closed(r->ctx, &v, e);
}

static const struct kind {
	enum sql sql;
	give_fn *give;
	enum { BY_ID, BY_SERIAL, BY_KEY } by;
	const char *name;
} kinds[] = {
	{ SQL_DUMP_CERTS, give_cert, BY_ID, "certificates" },
	{ SQL_DUMP_REVOCATIONS, give_revocation, BY_SERIAL, "revocations" },
	{ SQL_DUMP_LINES, give_line, BY_ID, "closed lines" },
	{ SQL_DUMP_KEYS, give_key, BY_KEY, "blocked keys" },
};

static enum status page(struct db *db, const struct kind *k, const struct upkeep_reader *r, struct page_from *from,
                        bool *ret_more, struct error *e)
{
	int n = 0;
	struct page_from at = *from;
	AUTO(query_done) struct query q = query_of(db, k->sql);
	if (k->by == BY_ID)
		query_int(&q, at.id);
	else if (k->by == BY_SERIAL)
		query_text(&q, at.serial);
	else
		query_blob(&q, slice_of(at.key, at.key_n));
	query_int(&q, PAGE);
	for (bool row;; n++) {
		if (query_row(&q, &row, e))
			return error_wrap(e, "%s", k->name);
		if (!row)
			break;
		if (k->give(&q, r, from, e))
			return e->status;
	}
	*ret_more = n == PAGE;
	return ST_OK;
}

static bool wanted(const struct upkeep_reader *r, const struct kind *k)
{
	return k->sql == SQL_DUMP_CERTS         ? r->cert != NULL
	       : k->sql == SQL_DUMP_REVOCATIONS ? r->revocation != NULL
	                                        : r->closed != NULL;
}

enum status upkeep_read(struct db *db, const struct upkeep_reader *r, struct error *e)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct page_from from = { .id = INT64_MIN };
		for (bool more = wanted(r, &kinds[i]); more;)
			if (page(db, &kinds[i], r, &from, &more, e))
				return e->status;
	}
	return ST_OK;
}

enum status upkeep_export(const struct store_conf *conf, const struct upkeep_reader *r, struct error *e)
{
	AUTO(look_done) struct look l = { 0 };
	return look_open(conf, &l, e) ? e->status : upkeep_read(l.db, r, e);
}
