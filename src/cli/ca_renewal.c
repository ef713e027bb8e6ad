#include "cli/ca_renewal.h"

#include "crypto/keys.h"
#include "os/entropy.h"
#include "renewal/due.h"

void pair_done(struct pair *p)
{
	chain_done(&p->chain);
	EVP_PKEY_free(p->key);
	*p = (struct pair){ 0 };
}

enum status pair_load(const char *crt, const char *key, const char *password_file, struct pair *ret, struct error *e)
{
	AUTO(pair_done) struct pair p = { 0 };
	AUTO(buf_done) struct buf label = BUF_INIT(8192);
	buf_addf(&label, "Please enter the password to decrypt %s", key);
	struct ask_password asking = { .file = password_file, .flag = "--password-file", .label = buf_cstr(&label) };

	if (load_chain(crt, &p.chain, e))
		return error_wrap(e, "error reading certificate chain");
	if (read_key(key, &asking, &p.key, e))
		return error_wrap(e, "error loading private key");
	if (!key_equal(cert_key(p.chain.v[0]), p.key))
		return error_set(e, ST_INVALID, "the private key in %s does not belong to the certificate in %s", key,
		                 crt);
	*ret = p;
	p = (struct pair){ 0 };
	return ST_OK;
}

enum status check_within_validity(const char *flag, const struct opt_duration *d, const struct cert *leaf,
                                  struct error *e)
{
	const struct cert_facts *f = cert_facts(leaf);
	int64_t validity_s = f->not_after.s - f->not_before.s;
	char a[DURATION_TEXT], b[DURATION_TEXT];
	if (!d->set || d->ns / DURATION_S < validity_s || (d->ns / DURATION_S == validity_s && d->ns % DURATION_S == 0))
		return ST_OK;
	return error_set(e, ST_INVALID,
	                 "flag '--%s' must be within (lower than) the certificate validity period; %s=%s, "
	                 "cert-validity-period=%s",
	                 flag, flag, duration_format_s(d->ns, a), duration_format_s(validity_s * DURATION_S, b));
}

enum status is_due(struct invocation *inv, const struct opt_duration *expires_in, const struct cert *leaf,
                   const char *verb, bool *ret, struct error *e)
{
	uint64_t chance;
	char left[DURATION_TEXT];
	struct wall end = cert_facts(leaf)->not_after;
	*ret = true;
	if (!expires_in->set || expires_in->ns <= 0)
		return ST_OK;
	if (entropy_fill(&entropy_system, (uint8_t *)&chance, sizeof chance, e))
		return e->status;
	*ret = due_expires_in(expires_in->ns, chance, end, inv_now(inv));
	if (!*ret)
		inv_say(inv, "certificate not %s: expires in %s", verb,
		        duration_format_s((end.s - inv_now(inv).s) * DURATION_S, left));
	return ST_OK;
}
