/* Chains: certificates in order. Declared in cert.h. */
#include "x509/cert.h"

#include "crypto/pem.h"

#include <stdlib.h>

void chain_done(struct chain *c)
{
	for (size_t i = 0; i < c->n; i++)
		cert_unref(c->v[i]);
	free(c->v);
	*c = (struct chain){ 0 };
}

enum status chain_add(struct chain *c, struct cert *cert, struct error *e)
{
	if (c->n >= CERT_CHAIN_MAX)
		return error_set(e, ST_LIMIT, "more than %d certificates", CERT_CHAIN_MAX);
	if (!c->n || (c->n >= 4 && !(c->n & (c->n - 1)))) { /* capacity is 4, then the next power of two */
		struct cert **v = realloc(c->v, (c->n ? 2 * c->n : 4) * sizeof(struct cert *));
		if (!v)
			return error_nomem(e);
		c->v = v;
	}
	c->v[c->n++] = cert_ref(cert);
	return ST_OK;
}

static enum status add_der(struct chain *c, struct slice der, struct error *e)
{
	AUTO(cert_unref_p) struct cert *cert = NULL;
	if (cert_parse(der, &cert, e))
		return e->status;
	return chain_add(c, cert, e);
}

static enum status add_pem(struct chain *c, struct slice in, struct error *e)
{
	AUTO(pem_block_done) struct pem_block block = { 0 };
	enum status st;
	while ((st = pem_next(&in, &block, e)) == ST_OK)
		if (!strcmp(block.label, "CERTIFICATE") && add_der(c, buf_slice(&block.der), e))
			return e->status;
	if (st != ST_MISSING)
		return st;
	return c->n ? ST_OK : error_set(e, ST_INVALID, "does not contain a valid PEM encoded certificate");
}

enum status chain_parse(struct slice in, struct chain *ret, struct error *e)
{
	AUTO(chain_done) struct chain c = { 0 };
	if (in.n > CERT_BUNDLE_MAX)
		return error_set(e, ST_LIMIT, "larger than %d bytes", CERT_BUNDLE_MAX);
	/* A certificate has more than 127 bytes: its second octet is no text. */
	bool der = in.n >= 2 && in.p[0] == DER_SEQUENCE && in.p[1] >= 0x80;
	if (der ? add_der(&c, in, e) : add_pem(&c, in, e))
		return e->status;
	*ret = c;
	c = (struct chain){ 0 };
	return ST_OK;
}

void chain_format_pem(const struct chain *c, struct buf *out)
{
	for (size_t i = 0; i < c->n; i++)
		cert_format_pem(c->v[i], out);
}
