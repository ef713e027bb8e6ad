#include "cli/local_ca.h"
#include "cli/certfile.h"
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "crypto/random.h"
#include "crypto/sign.h"
#include "x509/certwriter.h"

enum { SERIAL_BYTES = 16 };

void local_ca_done(struct local_ca *c)
{
	chain_done(&c->chain);
	EVP_PKEY_free(c->key);
	c->key = NULL;
}

static enum status check_issuer(const struct local_ca *c, const char *cert_path, const char *key_path, struct error *e)
{
	const struct cert_facts *f = cert_facts(c->chain.v[0]);
	if (!f->is_ca)
		return error_set(e, ST_INVALID, "the certificate in %s is not an authority's", cert_path);
	if (f->has_key_usage && !(f->key_usage & KU_KEY_CERT_SIGN))
		return error_set(e, ST_INVALID, "the authority in %s may not sign certificates (its key usage)",
		                 cert_path);
	if (!key_equal(c->key, cert_key(c->chain.v[0])))
		return error_set(e, ST_INVALID, "the private key in %s does not belong to the certificate in %s",
		                 key_path, cert_path);
	return ST_OK;
}

enum status local_ca_load(struct invocation *inv, const char *cert_path, const char *key_path, struct ask_password *ask,
                          struct local_ca *ret, struct error *e)
{
	AUTO(local_ca_done) struct local_ca c = { 0 };
	enum status st = cert_chain_read(inv, cert_path, &(struct cert_server){ 0 }, true, &c.chain, e);
	if (!st)
		st = read_key(key_path, ask, &c.key, e);
	if (!st)
		st = check_issuer(&c, cert_path, key_path, e);
	if (st)
		return st;
	*ret = c;
	c = (struct local_ca){ 0 };
	return ST_OK;
}

enum status local_ca_check_path_len(const struct local_ca *c, int path_len, struct error *e)
{
	int limit = cert_facts(c->chain.v[0])->path_len;
	if (limit < 0 || (path_len >= 0 && path_len < limit))
		return ST_OK;
	return limit == 0 ? error_set(e, ST_INVALID, "the issuer may not sign authorities (its path length is 0)")
	                  : error_set(e, ST_INVALID, "the issuer's path length is %d: the new authority's must be less",
	                              limit);
}

struct slice local_ca_key_id(const struct local_ca *c)
{
	return c ? cert_facts(c->chain.v[0])->subject_key_id : SLICE_NONE;
}

enum status local_life_make(struct invocation *inv, const char *not_before, const char *not_after, int64_t span_s,
                            struct local_life *ret, struct error *e)
{
	struct local_life life = { .not_before = inv_now(inv) };
	if (opt_is_set(not_before) && inv_time(inv, "not-before", not_before, &life.not_before, e))
		return e->status;
	life.not_after.s = life.not_before.s + span_s;
	if (opt_is_set(not_after) && inv_time(inv, "not-after", not_after, &life.not_after, e))
		return e->status;
	if (life.not_after.s <= life.not_before.s)
		return error_set(e, ST_INVALID,
		                 "the certificate would end before it begins: '--not-after' must be later");
	if (life.not_before.s < WALL_MIN_S || life.not_after.s > WALL_MAX_S)
		return error_set(e, ST_INVALID, "the certificate's time must lie within the years 1 to 9999");
	*ret = life;
	return ST_OK;
}

/* 1 .. 2^128-1: RFC 5280 §4.1.2.2 wants a positive number. */
static enum status new_serial(uint8_t out[SERIAL_BYTES], struct error *e)
{
	enum status st = random_bytes(out, SERIAL_BYTES, e);
	if (!st && !out[SERIAL_BYTES - 1])
		out[SERIAL_BYTES - 1] = 1;
	return st;
}

enum status local_sign(struct invocation *inv, const struct local_draft *d, struct cert **ret, struct error *e)
{
	AUTO(signer_free_p) struct signer *signer = NULL;
	AUTO(buf_done) struct buf der = BUF_INIT(CERT_MAX);
	uint8_t serial[SERIAL_BYTES];
	enum sign_alg alg;
	EVP_PKEY *key = d->ca ? d->ca->key : d->key;
	const struct cert_facts *issuer = d->ca ? cert_facts(d->ca->chain.v[0]) : NULL;

	enum status st = sign_alg_for_key(key, &alg, e);
	if (!st)
		st = signer_new(key, alg, &signer, e);
	if (!st)
		st = new_serial(serial, e);
	const struct cert_draft draft = {
		.serial = slice_of(serial, sizeof serial),
		.issuer = issuer ? issuer->subject : d->subject,
		.subject = d->subject,
		.spki = d->spki,
		.not_before = d->life.not_before,
		.not_after = d->life.not_after,
		.extensions = d->extensions,
	};
	if (!st)
		st = cert_write(&draft, signer, &der, e);
	if (!st)
		st = cert_parse(buf_slice(&der), ret, e);
	char text[WALL_TEXT];
	if (!st && issuer && d->life.not_after.s > issuer->not_after.s)
		inv_say(inv, "Note: the certificate outlives its issuer, which ends at %s.",
		        wall_rfc3339(issuer->not_after, text));
	return st;
}
