#include "renewal/ladder.h"

#include "renewal/words.h"

/* TLS alerts (RFC 8446 §6). */
enum {
	HANDSHAKE_FAILURE = 40,
	BAD_CERTIFICATE = 42,
	UNSUPPORTED_CERTIFICATE = 43,
	CERTIFICATE_REVOKED = 44,
	CERTIFICATE_EXPIRED = 45,
	CERTIFICATE_UNKNOWN = 46,
	UNKNOWN_CA = 48,
	ACCESS_DENIED = 49,
	DECRYPT_ERROR = 51,
	CERTIFICATE_REQUIRED = 116,
};

struct ladder_facts ladder_facts_of(const struct cert_facts *f, bool no_mtls, bool rekey, struct wall now)
{
	return (struct ladder_facts){
		.expired = now.s > f->not_after.s,
		.no_client_auth = f->has_ext_key_usage && !f->eku_client_auth && !f->eku_any,
		.no_name = !*f->common_name,
		.no_mtls = no_mtls,
		.rekey = rekey,
	};
}

static const char no_subject[] = "a renew token needs the certificate's common name, and it has none";

static struct ladder_verdict by_token(const struct ladder_facts *f, const char *why)
{
	if (f->no_name)
		return (struct ladder_verdict){ LADDER_END, no_subject };
	return (struct ladder_verdict){ LADDER_TOKEN, why };
}

struct ladder_verdict ladder_first(const struct ladder_facts *f)
{
	if (f->no_mtls)
		return by_token(f, "mTLS is switched off");
	if (f->expired)
		return by_token(f, "the certificate has expired");
	if (f->no_client_auth)
		return by_token(f, "the certificate must not be used as a TLS client's (no clientAuth)");
	return (struct ladder_verdict){ LADDER_MTLS, "the certificate is valid" };
}

enum { ANYONE = -1, ANY_CODE = 0, LAST_CODE = 999 };

/* The first row that fits decides. lo..hi: the alert, or the HTTP status. */
static const struct row {
	enum ladder_net net;
	int lo, hi;
	int from_ca; /* 0, 1, ANYONE */
	enum ladder_rung after_mtls, after_token;
	const char *why;
} rows[] = {
	{ LADDER_ALERT, CERTIFICATE_REVOKED, CERTIFICATE_REVOKED, ANYONE, LADDER_END, LADDER_LATER,
	  "the CA says that the certificate is revoked" },
	{ LADDER_ALERT, CERTIFICATE_EXPIRED, CERTIFICATE_EXPIRED, ANYONE, LADDER_TOKEN, LADDER_LATER,
	  "by the CA's clock the certificate has expired" },
	{ LADDER_ALERT, DECRYPT_ERROR, DECRYPT_ERROR, ANYONE, LADDER_END, LADDER_LATER,
	  "the CA cannot verify our key: it is not the certificate's" },
	{ LADDER_ALERT, CERTIFICATE_REQUIRED, CERTIFICATE_REQUIRED, ANYONE, LADDER_TOKEN, LADDER_END,
	  "the other side wants a TLS client certificate" },
	/* Go's server says bad_certificate to whatever it does not like; a proxy that ends TLS knows our CA or not. */
	{ LADDER_ALERT, HANDSHAKE_FAILURE, HANDSHAKE_FAILURE, ANYONE, LADDER_TOKEN, LADDER_LATER,
	  "the CA refuses the TLS handshake" },
	{ LADDER_ALERT, BAD_CERTIFICATE, CERTIFICATE_UNKNOWN, ANYONE, LADDER_TOKEN, LADDER_LATER,
	  "the CA refuses our TLS client certificate" },
	{ LADDER_ALERT, UNKNOWN_CA, ACCESS_DENIED, ANYONE, LADDER_TOKEN, LADDER_LATER,
	  "the CA refuses our TLS client certificate" },
	{ LADDER_ALERT, ANY_CODE, LAST_CODE, ANYONE, LADDER_LATER, LADDER_LATER, "the CA breaks off TLS" },

	/* server.md §1.2: without a client certificate the CA looks for a token, and says 400 where there is none. */
	{ LADDER_ANSWERED, 400, 400, ANYONE, LADDER_TOKEN, LADDER_END,
	  "the certificate did not reach the CA, as where a proxy ends TLS" },
	{ LADDER_ANSWERED, 401, 403, 0, LADDER_TOKEN, LADDER_END, "a proxy refuses" },
	{ LADDER_ANSWERED, 408, 408, ANYONE, LADDER_LATER, LADDER_LATER, "the CA is busy" },
	{ LADDER_ANSWERED, 429, 429, ANYONE, LADDER_LATER, LADDER_LATER, "the CA is busy" },
	{ LADDER_ANSWERED, 400, 499, 1, LADDER_END, LADDER_END, "the CA refuses" },
	{ LADDER_ANSWERED, 500, 599, ANYONE, LADDER_LATER, LADDER_LATER, "the CA has failed" },
	{ LADDER_ANSWERED, ANY_CODE, LAST_CODE, ANYONE, LADDER_LATER, LADDER_LATER, "what answers is not a CA" },

	{ LADDER_UNREACHABLE, ANY_CODE, LAST_CODE, ANYONE, LADDER_LATER, LADDER_LATER, "the CA cannot be reached" },
	{ LADDER_UNTRUSTED, ANY_CODE, LAST_CODE, ANYONE, LADDER_LATER, LADDER_LATER,
	  "the CA cannot be trusted: look at the root and at the clock" },
	{ LADDER_BAD_ANSWER, ANY_CODE, LAST_CODE, ANYONE, LADDER_END, LADDER_END,
	  "the CA's certificate must not replace ours" },
};

static const char not_after_end[] =
	"the CA does not renew a certificate after its end (claim allowRenewalAfterExpiry), or not this one";

struct ladder_verdict ladder_next(const struct ladder_facts *f, enum ladder_rung tried, const struct ladder_answer *a)
{
	int code = a->net == LADDER_ALERT ? a->alert : a->net == LADDER_ANSWERED ? a->http : 0;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct row *w = &rows[i];
		if (w->net != a->net || code < w->lo || code > w->hi ||
		    (w->from_ca != ANYONE && w->from_ca != a->from_ca))
			continue;
		enum ladder_rung rung = tried == LADDER_TOKEN ? w->after_token : w->after_mtls;
		if (rung == LADDER_TOKEN)
			return by_token(f, w->why);
		if (rung == LADDER_END && f->expired && a->net == LADDER_ANSWERED && a->from_ca)
			return (struct ladder_verdict){ rung, not_after_end };
		return (struct ladder_verdict){ rung, w->why };
	}
	return (struct ladder_verdict){ LADDER_LATER, "it has failed on this side" };
}

/* --- the command that helps --- */

/* Names come from a certificate, and go to a terminal. */
static bool is_printable(const char *s)
{
	for (; *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			return false;
	return true;
}

static void add_names(const struct cert_facts *f, const char *name, struct buf *out)
{
	const struct san_list *l = f->sans;
	if (!l || (l->n == 1 && !strcmp(l->v[0].text, name)))
		return;
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].type == SAN_OTHER || !is_printable(l->v[i].text))
			continue;
		buf_adds(out, " --san ");
		words_quote(out, slice_cstr(l->v[i].text));
	}
}

void ladder_help(const struct cert_facts *cert, const char *cert_file, const char *key_file, struct buf *out)
{
	const char *name = "NAME";
	if (cert && *cert->common_name && is_printable(cert->common_name))
		name = cert->common_name;
	buf_adds(out, "step ca certificate --force");
	if (cert)
		add_names(cert, name, out);
	const char *const last[] = { name, cert_file, key_file };
	bool dashed = false;
	for (size_t i = 0; i < COUNT_OF(last); i++)
		dashed |= *last[i] == '-';
	buf_adds(out, dashed ? " --" : "");
	for (size_t i = 0; i < COUNT_OF(last); i++) {
		buf_addc(out, ' ');
		words_quote(out, slice_cstr(last[i]));
	}
}
