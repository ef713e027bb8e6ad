/* What everybody may ask: health, version, roots, intermediates, federation (spec/server.md §1). */
#include "crypto/digest.h"
#include "server/state.h"

void resource_health(struct exchange *x, const char *arg)
{
	(void)arg;
	exchange_json(x, 200, SLICE_LIT("{\"status\":\"ok\"}\n"));
}

void resource_version(struct exchange *x, const char *arg)
{
	(void)arg;
	exchange_json(x, 200, SLICE_LIT("{\"version\":\"" PERENNIAL_VERSION "\"}\n"));
}

/* /roots, /intermediates and /federation really answer 201. */
void resource_roots(struct exchange *x, const char *arg)
{
	(void)arg;
	exchange_json(x, 201, buf_slice(&x->snap->roots_json));
}

void resource_intermediates(struct exchange *x, const char *arg)
{
	(void)arg;
	exchange_json(x, 201, buf_slice(&x->snap->intermediates_json));
}

void resource_federation(struct exchange *x, const char *arg)
{
	(void)arg;
	exchange_json(x, 201, buf_slice(&x->snap->federation_json));
}

void resource_roots_pem(struct exchange *x, const char *arg)
{
	(void)arg;
	exchange_text(x, 200, "application/x-pem-file", buf_slice(&x->snap->roots_pem));
}

void resource_intermediates_pem(struct exchange *x, const char *arg)
{
	(void)arg;
	exchange_text(x, 200, "application/x-pem-file", buf_slice(&x->snap->intermediates_pem));
}

/* Lower case, without dashes. False where it cannot be a SHA-256. */
static bool clean_fingerprint(const char *in, char out[SHA256_HEX])
{
	size_t n = 0;
	for (; *in; in++) {
		if (*in == '-')
			continue;
		if (n == SHA256_HEX - 1)
			return false;
		out[n++] = *in >= 'A' && *in <= 'Z' ? (char)(*in + 32) : *in;
	}
	out[n] = '\0';
	return n == SHA256_HEX - 1;
}

static const struct cert *find_root(const struct chain *c, const char *fingerprint, struct error *e)
{
	char have[SHA256_HEX];
	for (size_t i = 0; i < c->n; i++)
		if (!cert_fingerprint(c->v[i], have, e) && !strcmp(have, fingerprint))
			return c->v[i];
	return NULL;
}

void resource_root(struct exchange *x, const char *fingerprint)
{
	char want[SHA256_HEX];
	const struct cert *root = NULL;
	if (clean_fingerprint(fingerprint, want)) {
		root = find_root(&x->snap->auth->roots, want, &x->error);
		if (!root)
			root = find_root(&x->snap->auth->federated, want, &x->error);
	}
	if (!root) {
		verdict_refuse(&x->verdict, REFUSAL_MISSING, "no root with fingerprint \"%s\"", fingerprint);
		verdict_tell(&x->verdict, "root certificate with fingerprint \"%s\" was not found", fingerprint);
		exchange_refuse(x);
		return;
	}
	buf_adds(&x->body, "{\"ca\":");
	body_add_cert(&x->body, root);
	buf_adds(&x->body, "}\n");
	if (buf_check(&x->body, &x->error))
		exchange_fail(x);
	else
		exchange_json(x, 200, buf_slice(&x->body));
}
