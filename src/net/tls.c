#include "net/tls.h"

#include "crypto/auto.h"
#include "crypto/ossl.h"
#include "net/listener.h"
#include "net/slim.h"
#include "net/suites.h"
#include "x509/auto.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/x509v3.h>

enum status tls_context(OSSL_LIB_CTX *libctx, const SSL_METHOD *method, int min_version, int max_version, SSL_CTX **ret,
                        struct error *e)
{
	ossl_start();
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	AUTO(SSL_CTX_free_p) SSL_CTX *ctx = SSL_CTX_new_ex(libctx, NULL, method);
	if (!ctx)
		return error_ossl(e, ST_CRYPTO, "TLS context");
	if (!SSL_CTX_set_min_proto_version(ctx, min_version) || !SSL_CTX_set_max_proto_version(ctx, max_version))
		return error_ossl(e, ST_INVALID, "TLS versions");
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	*ret = TAKE(ctx);
	return ST_OK;
}

/* A certificate whose key belongs to another library context works, but the key is carried over for every use of it. */
static X509 *x509_within(OSSL_LIB_CTX *libctx, const struct cert *c)
{
	X509 *x = cert_x509(c);
	if (!libctx)
		return x && X509_up_ref(x) ? x : NULL;
	const uint8_t *p = cert_facts(c)->der.p;
	x = X509_new_ex(libctx, NULL);
	if (x && !d2i_X509(&x, &p, (long)cert_facts(c)->der.n))
		x = NULL; /* d2i has freed it */
	return x;
}

static void params_wipe_free(OSSL_PARAM *params)
{
	for (OSSL_PARAM *p = params; p && p->key; p++)
		OPENSSL_cleanse(p->data, p->data_size);
	OSSL_PARAM_free(params);
}

static EVP_PKEY *key_within(OSSL_LIB_CTX *libctx, EVP_PKEY *key)
{
	EVP_PKEY *moved = NULL;
	OSSL_PARAM *params = NULL;
	if (!libctx)
		return EVP_PKEY_up_ref(key) ? key : NULL;
	AUTO(EVP_PKEY_CTX_free_p)
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(libctx, EVP_PKEY_get0_type_name(key), NULL);
	if (ctx && EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params) == 1 && EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &moved, EVP_PKEY_KEYPAIR, params) != 1)
		moved = NULL;
	params_wipe_free(params);
	return moved;
}

enum status tls_use_pair(OSSL_LIB_CTX *libctx, SSL_CTX *ctx, const struct chain *chain, EVP_PKEY *key, struct error *e)
{
	if (!chain->n)
		return error_set(e, ST_INVALID, "certificate chain is empty");
	for (size_t i = 0; i < chain->n; i++) {
		AUTO(X509_free_p) X509 *x = x509_within(libctx, chain->v[i]);
		int ok = !x ? 0 : i ? (int)SSL_CTX_add1_chain_cert(ctx, x) : SSL_CTX_use_certificate(ctx, x);
		if (ok != 1)
			return error_ossl(e, ST_CRYPTO, i ? "certificate chain" : "certificate");
	}
	AUTO(EVP_PKEY_free_p) EVP_PKEY *within = key_within(libctx, key);
	if (!within || SSL_CTX_use_PrivateKey(ctx, within) != 1 || SSL_CTX_check_private_key(ctx) != 1)
		return error_ossl(e, ST_INVALID, "certificate and private key do not belong together");
	return ST_OK;
}

enum status tls_add_anchors(OSSL_LIB_CTX *libctx, SSL_CTX *ctx, const struct chain *anchors, struct error *e)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	for (size_t i = 0; i < anchors->n; i++) {
		AUTO(X509_free_p) X509 *x = x509_within(libctx, anchors->v[i]);
		if (!x || X509_STORE_add_cert(store, x) != 1)
			return error_ossl(e, ST_CRYPTO, "trust anchor");
	}
	return ST_OK;
}

int tls_verify(int ok, X509_STORE_CTX *store)
{
	if (ok || X509_STORE_CTX_get_error(store) != X509_V_ERR_INVALID_PURPOSE ||
	    X509_STORE_CTX_get_error_depth(store) != 0)
		return ok;
	X509 *leaf = X509_STORE_CTX_get_current_cert(store);
	bool any =
		(X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) && (X509_get_extended_key_usage(leaf) & XKU_ANYEKU);
	if (!any || !(X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE))
		return 0;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

/* After the handshake a client has no reason to go on with it: renegotiation is refused (TLS 1.2), and keys that last
 * for 2^24 records need no update in a connection of ours (RFC 8446 §5.5). OpenSSL would answer each try, for ever. */
static void count_restless(const SSL *ssl, int where, int ret)
{
	bool refused = (where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT && (ret & 0xff) == SSL_AD_NO_RENEGOTIATION;
	bool update = (where & SSL_CB_ACCEPT_LOOP) == SSL_CB_ACCEPT_LOOP && SSL_get_state(ssl) == TLS_ST_SR_KEY_UPDATE;
	int *restless = SSL_get_app_data(ssl);
	if (restless && (refused || update) && (*restless += refused ? RESTLESS_CUT : 1) >= RESTLESS_CUT)
		shutdown(SSL_get_fd(ssl), SHUT_RD); /* which its connection meets as the end */
}

/* Without tickets the server has nothing to send when the handshake ends, and a client with Nagle's algorithm on would
 * wait for the delayed acknowledgement of its Finished: 40 ms on every renewal. */
static void on_info(const SSL *ssl, int where, int ret)
{
	count_restless(ssl, where, ret);
	if (where & SSL_CB_HANDSHAKE_DONE)
		setsockopt(SSL_get_fd(ssl), IPPROTO_TCP, TCP_QUICKACK, &(int){ 1 }, sizeof(int));
}

/* A client that offers only what we do not speak goes on without ALPN, as it would with a server that has none. */
static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                           unsigned in_n, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *picked;
	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&picked, out_n, ours, sizeof ours - 1, in, in_n) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = picked;
	return SSL_TLSEXT_ERR_OK;
}

/* The issuers named to clients, so that one with several certificates can choose. */
static enum status name_issuers(SSL_CTX *ctx, const struct chain *roots, struct error *e)
{
	for (size_t i = 0; i < roots->n; i++)
		if (SSL_CTX_add_client_CA(ctx, cert_x509(roots->v[i])) != 1)
			return error_ossl(e, ST_CRYPTO, "client authorities");
	return ST_OK;
}

static enum status ask_for_client_certificate(OSSL_LIB_CTX *libctx, SSL_CTX *ctx, const struct chain *roots,
                                              struct error *e)
{
	if (tls_add_anchors(libctx, ctx, roots, e) || name_issuers(ctx, roots, e))
		return e->status;
	/* The intermediate is an anchor too: one signature less to check on every renewal. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, tls_verify);
	return ST_OK;
}

static enum status set_suites(SSL_CTX *ctx, const struct listener_tls_conf *conf, struct error *e)
{
	struct suites suites;
	if (suites_map(conf->suites, conf->suites_n, &suites, e))
		return e->status;
	if (!SSL_CTX_set_ciphersuites(ctx,
	                              "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"))
		return error_ossl(e, ST_CRYPTO, "TLS 1.3 cipher suites");
	if (suites.tls12[0])
		return SSL_CTX_set_cipher_list(ctx, suites.tls12)
		               ? ST_OK
		               : error_ossl(e, ST_INVALID, "none of the cipher suites is available (%s)", suites.tls12);
	/* Only TLS 1.3 suites are named: nothing is left to speak TLS 1.2 with. */
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) || SSL_CTX_get_max_proto_version(ctx) < TLS1_3_VERSION)
		return error_set(e, ST_INVALID, "the cipher suites are of TLS 1.3, which maxVersion forbids");
	return ST_OK;
}

enum { CLIENT_CHAIN_MAX = 32 << 10 /* bytes of certificates that we read */, CLIENT_DEPTH_MAX = 8 };

enum status listener_tls_new(const struct listener_tls_conf *conf, SSL_CTX **ret, struct error *e)
{
	int min = conf->min_version ? conf->min_version : TLS1_2_VERSION;
	int max = conf->max_version ? conf->max_version : TLS1_3_VERSION;
	OSSL_LIB_CTX *libctx = conf->slim ? slim_context() : NULL;
	AUTO(SSL_CTX_free_p) SSL_CTX *ctx = NULL;

	if (min > max)
		return error_set(e, ST_INVALID, "TLS minVersion is above maxVersion");
	if (tls_context(libctx, TLS_server_method(), min, max, &ctx, e) || set_suites(ctx, conf, e) ||
	    tls_use_pair(libctx, ctx, conf->chain, conf->key, e) ||
	    ask_for_client_certificate(libctx, ctx, conf->client_roots, e))
		return e->status;
	if (!SSL_CTX_set_num_tickets(ctx, 0) || !SSL_CTX_set_session_id_context(ctx, (const uint8_t *)"ca", 2))
		return error_ossl(e, ST_CRYPTO, "TLS sessions");
	/* A request carries its own length, so a client that ends without close_notify can hide nothing from us. */
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_alpn_select_cb(ctx, select_protocol, NULL);
	SSL_CTX_set_info_callback(ctx, on_info);
	SSL_CTX_set_max_cert_list(ctx, CLIENT_CHAIN_MAX);
	SSL_CTX_set_verify_depth(ctx, CLIENT_DEPTH_MAX);
	*ret = TAKE(ctx);
	return ST_OK;
}

static const struct {
	int alert;
	const char *text;
} alerts[] = {
	{ 10, "unexpected message" },
	{ 20, "bad record MAC" },
	{ 22, "record overflow" },
	{ 40, "handshake failure" },
	{ 42, "bad certificate" },
	{ 43, "unsupported certificate" },
	{ 44, "revoked certificate" },
	{ 45, "expired certificate" },
	{ 46, "unknown certificate" },
	{ 47, "illegal parameter" },
	{ 48, "unknown certificate authority" },
	{ 49, "access denied" },
	{ 50, "error decoding message" },
	{ 51, "error decrypting message" },
	{ 70, "protocol version not supported" },
	{ 71, "insufficient security level" },
	{ 80, "internal error" },
	{ 86, "inappropriate fallback" },
	{ 90, "user canceled" },
	{ 100, "no renegotiation" },
	{ 109, "missing extension" },
	{ 110, "unsupported extension" },
	{ 112, "unrecognized name" },
	{ 113, "bad certificate status response" },
	{ 116, "certificate required" },
	{ 120, "no application protocol" },
};

const char *tls_alert_text(int alert, char out[32])
{
	for (size_t i = 0; i < COUNT_OF(alerts); i++)
		if (alerts[i].alert == alert)
			return alerts[i].text;
	snprintf(out, 32, "alert(%d)", alert);
	return out;
}
