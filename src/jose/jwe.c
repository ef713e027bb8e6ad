#include "jose/jwe.h"
#include "jose/auto.h"
#include "jose/jsonio.h"

#include "base/b64.h"
#include "crypto/auto.h"
#include "crypto/ossl.h"
#include "crypto/pbkdf2.h"
#include "crypto/random.h"
#include <openssl/evp.h>

DEFINE_AUTO(EVP_CIPHER *, EVP_CIPHER_free);

_Static_assert((int)JWE_P2C_MAX <= (int)PBKDF2_ITERATIONS_MAX, "an accepted p2c must be computable");

enum {
	KEK_BYTES = 16, /* A128KW */
	WRAP_BYTES = 8, /* that key wrapping adds (RFC 3394) */
	CEK_MAX = 32,
	IV_BYTES = 12, /* RFC 7518 §5.3 */
	TAG_BYTES = 16,
	SALT_MIN = 8, /* RFC 7518 §4.8.1.1: "A Salt Input value containing 8 or more octets MUST be used" */
	SALT_MAX = 1024,
	SALT_WRITE = 16,
};

#define ALG "PBES2-HS256+A128KW"

static const struct enc {
	const char *name, *cipher;
	size_t key_bytes;
} encs[] = {
	{ "A256GCM", "AES-256-GCM", 32 },
	{ "A128GCM", "AES-128-GCM", 16 },
};

struct jwe {
	const struct enc *enc;
	int p2c;
	struct buf salt, wrapped, iv, ciphertext, tag;
	struct slice protected; /* as it stands in the text: what the tag also covers */
};

static void jwe_done(struct jwe *j)
{
	struct buf *all[] = { &j->salt, &j->wrapped, &j->iv, &j->ciphertext, &j->tag };
	for (size_t i = 0; i < COUNT_OF(all); i++)
		buf_done(all[i]);
}

/* --- reading --- */

static enum status parse_members(const json_t *header, struct jwe *j, struct error *e)
{
	const json_t *p2c = json_object_get(header, "p2c"), *p2s = json_object_get(header, "p2s");
	struct slice enc = jsonio_text(json_object_get(header, "enc"));
	if (!slice_is(jsonio_text(json_object_get(header, "alg")), ALG))
		return error_set(e, ST_INVALID, "JWE: alg is not " ALG);
	for (size_t i = 0; i < COUNT_OF(encs); i++)
		if (slice_is(enc, encs[i].name))
			j->enc = &encs[i];
	if (!j->enc)
		return error_set(e, ST_INVALID, "JWE: enc is neither A256GCM nor A128GCM");
	if (json_object_get(header, "crit") || json_object_get(header, "zip"))
		return error_set(e, ST_INVALID, "JWE: crit and zip are not supported");
	if (!json_is_integer(p2c))
		return error_set(e, ST_INVALID, "JWE: p2c is missing or not a whole number");
	if (json_integer_value(p2c) < JWE_P2C_MIN || json_integer_value(p2c) > JWE_P2C_MAX)
		return error_set(e, ST_INVALID, "JWE: p2c must be from %d to %d", JWE_P2C_MIN, JWE_P2C_MAX);
	j->p2c = (int)json_integer_value(p2c);
	if (b64_decode(&j->salt, jsonio_text(p2s), B64_URL_RAW, e))
		return error_wrap(e, "JWE: p2s");
	if (j->salt.n < SALT_MIN)
		return error_set(e, ST_INVALID, "JWE: p2s is missing or shorter than %d bytes", SALT_MIN);
	return ST_OK;
}

static enum status parse_header(struct jwe *j, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(JWE_MAX);
	AUTO(json_decref_p) json_t *header = NULL;
	if (b64_decode(&text, j->protected, B64_URL_RAW, e) ||
	    jsonio_parse(buf_slice(&text), JSONIO_STRICT, &header, e))
		return error_wrap(e, "JWE header");
	return parse_members(header, j, e);
}

static enum status parse(struct slice in, struct jwe *j, struct error *e)
{
	struct buf *into[] = { &j->wrapped, &j->iv, &j->ciphertext, &j->tag };
	in = slice_trim(in);
	if (in.n > JWE_MAX)
		return error_set(e, ST_LIMIT, "JWE: longer than %d bytes", JWE_MAX);
	size_t dot = slice_find(in, '.');
	j->protected = slice_of(in.p, dot);
	for (size_t i = 0; i < COUNT_OF(into); i++) {
		if (dot == in.n)
			return error_set(e, ST_INVALID, "not a JWE: it has not five parts");
		in = slice_of(in.p + dot + 1, in.n - dot - 1);
		dot = slice_find(in, '.');
		if (b64_decode(into[i], slice_of(in.p, dot), B64_URL_RAW, e))
			return error_wrap(e, "JWE");
	}
	if (dot != in.n)
		return error_set(e, ST_INVALID, "not a JWE: it has not five parts");
	if (parse_header(j, e))
		return e->status;
	if (j->wrapped.n != j->enc->key_bytes + WRAP_BYTES || j->iv.n != IV_BYTES || j->tag.n != TAG_BYTES)
		return error_set(e, ST_INVALID, "JWE: encrypted key, iv or tag is not as long as enc asks for");
	return ST_OK;
}

/* --- cryptography --- */

/* RFC 7518 §4.8.1.1: "The salt value used is (UTF8(Alg) || 0x00 || Salt Input)" */
static enum status derive(struct slice password, struct slice salt_input, int p2c, uint8_t kek[KEK_BYTES],
                          struct error *e)
{
	AUTO(buf_done) struct buf salt = BUF_INIT(sizeof ALG + SALT_MAX);
	buf_add(&salt, ALG, sizeof ALG); /* with its NUL */
	buf_add_slice(&salt, salt_input);
	if (buf_check(&salt, e))
		return e->status;
	return pbkdf2_sha256(password, buf_slice(&salt), p2c, kek, KEK_BYTES, e);
}

/* AES key wrapping (RFC 3394) of in to out, or back. ST_DENIED where unwrapping shows another key. */
static enum status wrap(bool encrypt, const uint8_t kek[KEK_BYTES], struct slice in, uint8_t *out, struct error *e)
{
	AUTO(EVP_CIPHER_free_p) EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-128-WRAP", NULL);
	AUTO(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;
	if (!cipher || !ctx)
		return error_ossl(e, ST_CRYPTO, "JWE");
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_CipherInit_ex2(ctx, cipher, kek, NULL, encrypt, NULL) != 1)
		return error_ossl(e, ST_CRYPTO, "JWE");
	if (EVP_CipherUpdate(ctx, out, &n, in.p, (int)in.n) != 1) {
		ossl_forget_errors();
		return error_set(e, ST_DENIED, "wrong password: the JWE could not be decrypted");
	}
	return ST_OK;
}

/* tag is written when encrypting and checked when decrypting. */
static enum status gcm(bool encrypt, const struct enc *enc, const uint8_t *cek, const uint8_t iv[IV_BYTES],
                       struct slice aad, struct slice in, struct buf *out, uint8_t tag[TAG_BYTES], struct error *e)
{
	AUTO(EVP_CIPHER_free_p) EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, enc->cipher, NULL);
	AUTO(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, last = 0;
	uint8_t *at = buf_reserve(out, in.n);
	if (!at)
		return buf_check(out, e);
	if (!cipher || !ctx || EVP_CipherInit_ex2(ctx, cipher, cek, iv, encrypt, NULL) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &n, aad.p, (int)aad.n) != 1 ||
	    (in.n && EVP_CipherUpdate(ctx, at, &n, in.p, (int)in.n) != 1))
		return error_ossl(e, ST_CRYPTO, "JWE");
	if (!in.n)
		n = 0;
	if (!encrypt && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) != 1)
		return error_ossl(e, ST_CRYPTO, "JWE");
	if (EVP_CipherFinal_ex(ctx, at + n, &last) != 1) {
		OPENSSL_cleanse(at, in.n);
		ossl_forget_errors();
		return error_set(e, ST_INVALID, "JWE: it was altered after it was made");
	}
	if (encrypt && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) != 1)
		return error_ossl(e, ST_CRYPTO, "JWE");
	out->n += (size_t)n;
	out->p[out->n] = '\0';
	return ST_OK;
}

enum status jwe_open(struct slice compact, struct slice password, struct buf *out, struct error *e)
{
	AUTO(jwe_done)
	struct jwe j = {
		.salt = BUF_INIT(SALT_MAX),
		.wrapped = BUF_INIT(CEK_MAX + WRAP_BYTES),
		.iv = BUF_INIT(IV_BYTES + 2),
		.ciphertext = BUF_INIT(JWE_MAX),
		.tag = BUF_INIT(TAG_BYTES + 2),
	};
	uint8_t kek[KEK_BYTES], cek[CEK_MAX + WRAP_BYTES];
	if (parse(compact, &j, e) || derive(password, buf_slice(&j.salt), j.p2c, kek, e))
		return e->status;
	enum status st = wrap(false, kek, buf_slice(&j.wrapped), cek, e);
	if (!st)
		st = gcm(false, j.enc, cek, j.iv.p, j.protected, buf_slice(&j.ciphertext), out, j.tag.p, e);
	OPENSSL_cleanse(kek, sizeof kek);
	OPENSSL_cleanse(cek, sizeof cek);
	return st;
}

/* --- writing --- */

static enum status format_header(struct slice salt, int p2c, struct buf *out, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(JWE_MAX);
	buf_addf(&text, "{\"alg\":\"" ALG "\",\"cty\":\"jwk+json\",\"enc\":\"%s\",\"p2c\":%d,\"p2s\":\"", encs[0].name,
	         p2c);
	b64_encode(&text, salt, B64_URL_RAW);
	buf_adds(&text, "\"}");
	if (buf_check(&text, e))
		return e->status;
	b64_encode(out, buf_slice(&text), B64_URL_RAW);
	return buf_check(out, e);
}

/* Everything that is drawn by chance, in one piece. */
struct draw {
	uint8_t salt[SALT_WRITE], cek[CEK_MAX], iv[IV_BYTES];
};

static enum status seal(const struct draw *d, struct slice plaintext, struct slice password, int p2c, struct buf *out,
                        struct error *e)
{
	const struct enc *enc = &encs[0];
	AUTO(buf_done) struct buf ciphertext = BUF_INIT(JWE_MAX);
	uint8_t kek[KEK_BYTES], wrapped[CEK_MAX + 2 * WRAP_BYTES], tag[TAG_BYTES];
	struct slice salt = slice_of(d->salt, sizeof d->salt);
	if (format_header(salt, p2c, out, e) || derive(password, salt, p2c, kek, e))
		return e->status;
	enum status st = wrap(true, kek, slice_of(d->cek, enc->key_bytes), wrapped, e);
	OPENSSL_cleanse(kek, sizeof kek);
	if (!st)
		st = gcm(true, enc, d->cek, d->iv, buf_slice(out), plaintext, &ciphertext, tag, e);
	if (st)
		return st;
	const struct slice rest[] = { slice_of(wrapped, enc->key_bytes + WRAP_BYTES), slice_of(d->iv, IV_BYTES),
		                      buf_slice(&ciphertext), slice_of(tag, TAG_BYTES) };
	for (size_t i = 0; i < COUNT_OF(rest); i++) {
		buf_addc(out, '.');
		b64_encode(out, rest[i], B64_URL_RAW);
	}
	return buf_check(out, e);
}

enum status jwe_seal(struct slice plaintext, struct slice password, int p2c, struct buf *out, struct error *e)
{
	struct draw d;
	AUTO(buf_done) struct buf text = BUF_INIT(JWE_MAX);
	if (p2c < JWE_P2C_MIN || p2c > JWE_P2C_MAX)
		return error_set(e, ST_INVALID, "JWE: p2c must be from %d to %d", JWE_P2C_MIN, JWE_P2C_MAX);
	if (random_bytes((uint8_t *)&d, sizeof d, e))
		return e->status;
	enum status st = seal(&d, plaintext, password, p2c, &text, e);
	OPENSSL_cleanse(&d, sizeof d);
	if (st)
		return st;
	buf_add_slice(out, buf_slice(&text));
	return buf_check(out, e);
}
