#include "crypto/ossl.h"
#include "x509/inspect.h"
#include "x509/profile.h"
#include "x509/trust.h"

#include <assert.h>

static void printable(const struct buf *b)
{
	for (size_t i = 0; i < b->n; i++)
		assert((b->p[i] >= 0x20 || b->p[i] == '\n') && b->p[i] != 0x7f);
}

static void use(const struct cert *c)
{
	struct error e = ERROR_INIT;
	const struct cert_facts *f = cert_facts(c);
	char serial[SERIAL_TEXT];
	AUTO(buf_done) struct buf out = BUF_INIT(8 << 20);
	assert(!serial_normalize(slice_cstr(f->serial_text), serial, &e) && !strcmp(serial, f->serial_text));
	assert(cert_key(c) && cert_x509(c));
	assert(!inspect_short(c, &out, &e) && !inspect_text(c, &out, &e) && !inspect_json(c, &out, &e));
	printable(&out);

	/* whatever it carries, a renewal can copy it */
	AUTO(buf_done) struct buf renewed = BUF_INIT(1 << 20);
	assert(!profile_renewed(c, SLICE_LIT("id"), SLICE_NONE, NULL, &renewed, &e));
	struct ext x;
	for (struct slice rest = f->extensions; rest.n;) {
		struct slice points = SLICE_NONE, url;
		assert(!ext_next(&rest, &x, &e));
		if (!strcmp(x.oid, OID_CRL_POINTS) && !ext_crl_points(x.value, &points, &e))
			while (points.n && !ext_next_crl_point(&points, &url, &e))
				assert(!url.n || (url.p >= x.value.p && url.p + url.n <= x.value.p + x.value.n));
	}
	buf_reset(&renewed);
	assert(!profile_renewed(c, SLICE_NONE, SLICE_NONE, "http://ca/crl", &renewed, &e));
	st_ignore(cert_matches_host(c, "a.local", &e), "survival only");
	st_ignore(cert_signed_by(c, c, &e), "survival only");
	enum sign_alg alg;
	st_ignore(cert_sign_alg(c, &alg, &e), "survival only");

	/* as PEM and back: the same bytes */
	AUTO(buf_done) struct buf pem = BUF_INIT(1 << 20);
	AUTO(chain_done) struct chain chain = { 0 };
	cert_format_pem(c, &pem);
	assert(!chain_parse(buf_slice(&pem), &chain, &e) && chain.n == 1);
	assert(slice_eq(cert_facts(chain.v[0])->der, f->der));

	/* verified against itself, it may be anything but a crash */
	AUTO(trust_free_p) struct trust *t = NULL;
	if (!trust_new(&chain, true, &t, &e))
		st_ignore(trust_verify(t, c, &chain, f->not_before, TRUST_CLIENT, &e), "survival only");
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	AUTO(cert_unref_p) struct cert *c = NULL;
	AUTO(chain_done) struct chain chain = { 0 };
	ossl_start();
	if (!cert_parse(slice_of(p, n), &c, &e))
		use(c);
	if (!chain_parse(slice_of(p, n), &chain, &e))
		assert(chain.n > 0);
	return 0;
}
