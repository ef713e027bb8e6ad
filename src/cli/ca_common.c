#include "cli/ca_common.h"
#include "cli/certfile.h"

#include "crypto/auto.h"
#include "crypto/keys.h"
#include "os/file.h"
#include "renewal/answer.h"

#include <stdlib.h>

/* ---- the CA ---- */

static enum status set_timeout(const struct opt_duration *d, struct ca *c, struct error *e)
{
	char text[DURATION_TEXT];
	if (!d->set)
		return ST_OK;
	if (d->ns < DURATION_MS)
		return error_set(e, ST_INVALID,
		                 "invalid value '%s' for flag '--timeout'; the CA needs some time to answer",
		                 duration_format(d->ns, text));
	c->timeout_ms = d->ns / DURATION_MS;
	return ST_OK;
}

enum status ca_set_url(struct invocation *inv, const struct ca_flags *f, struct ca *c, struct error *e)
{
	if (!opt_is_set(f->url))
		return usage_required(inv, "ca-url", e);
	if (ca_set_urls(c, f->url, e) || set_timeout(&f->timeout, c, e))
		return e->status;
	const char *proxy = getenv("HTTPS_PROXY"), *no_proxy = getenv("NO_PROXY");
	c->proxy_env = opt_is_set(proxy) ? proxy : getenv("https_proxy");
	c->no_proxy_env = opt_is_set(no_proxy) ? no_proxy : getenv("no_proxy");
	return ST_OK;
}

enum status ca_set_roots(struct invocation *inv, const struct ca_flags *f, struct ca *c, struct error *e)
{
	AUTO(buf_done) struct buf path = BUF_INIT(1 << 16);
	enum status st = ST_OK;
	if (c->roots.n) /* the caller has them */
		return ST_OK;
	if (opt_is_set(f->root)) {
		st = cert_roots_read(f->root, &c->roots, e);
	} else if (!(st = inv_file(inv, "certs/root_ca.crt", &path, e))) {
		if (!file_exists(buf_cstr(&path)))
			return usage_required(inv, "root", e);
		st = cert_roots_add(buf_cstr(&path), &c->roots, e);
	}
	return st ? error_wrap(e, "error reading cert pool") : ST_OK;
}

enum status ca_open(struct invocation *inv, const struct ca_flags *f, struct ca *c, struct error *e)
{
	enum status st = ca_set_url(inv, f, c, e);
	return st ? st : ca_set_roots(inv, f, c, e);
}

enum status ca_fail(const struct invocation *inv, const struct ca *c, const char *doing, struct error *e)
{
	size_t n = strlen(e->text);
	if (!c->answer.from_ca)
		return doing ? error_wrap(e, "%s", doing) : e->status;
	if (!inv->debug)
		snprintf(e->text + n, sizeof e->text - n, "\nRe-run with STEPDEBUG=1 for more info.");
	return e->status;
}

/* ---- tokens ---- */

static void told(void *ctx, const char *label)
{
	(void)ctx;
	term_tick("Provisioner", "%s", label);
}

static enum status choose(void *ctx, const char *const *labels, size_t n, size_t *ret, struct error *e)
{
	(void)ctx;
	enum status st = term_choose("What provisioner key do you want to use?", labels, n, ret, e);
	if (st == ST_MISSING)
		return error_set(e, ST_MISSING,
		                 "the CA has %zu provisioners and there is no terminal to ask which: use "
		                 "'--provisioner'",
		                 n);
	return st;
}

static enum status offline_open(struct invocation *inv, const struct token_flags *f, struct offline *ret,
                                char sha[FINGERPRINT_TEXT], struct error *e)
{
	AUTO(buf_done) struct buf path = BUF_INIT(1 << 16);
	AUTO(chain_done) struct chain root = { 0 };
	if (opt_is_set(f->ca_config))
		buf_adds(&path, f->ca_config);
	else if (inv_file(inv, "config/ca.json", &path, e))
		return e->status;
	enum status st = offline_load(buf_cstr(&path), ret, e);
	if (!st && ret->root)
		st = load_chain(ret->root, &root, e);
	return st || !root.n ? st : cert_fingerprint(root.v[0], sha, e);
}

/* --x5c-cert, --x5c-key and --x5c-chain. */
static enum status x5c_load(const struct token_flags *f, struct chain *certs, EVP_PKEY **key, struct error *e)
{
	char label[256];
	struct ask_password asking = { .file = f->password_file, .flag = "--password-file", .label = label };
	AUTO(chain_done) struct chain more = { 0 };
	if (!opt_is_set(f->x5c_key))
		return usage_requires("x5c-cert", "x5c-key", e);
	if (opt_is_set(f->key))
		return usage_incompatible("x5c-cert", "key", e);
	snprintf(label, sizeof label, "Please enter the password to decrypt %s", f->x5c_key);
	if (load_chain(f->x5c_cert, certs, e) || (opt_is_set(f->x5c_chain) && load_chain(f->x5c_chain, &more, e)) ||
	    read_key(f->x5c_key, &asking, key, e))
		return e->status;
	for (size_t i = 0; i < more.n; i++)
		if (chain_add(certs, more.v[i], e))
			return e->status;
	return ST_OK;
}

enum status ca_token(struct invocation *inv, struct ca *c, const struct token_flags *f, struct token_ask *ask,
                     struct buf *out, struct error *e)
{
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	AUTO(offline_done) struct offline off = { 0 };
	AUTO(chain_done) struct chain x5c = { 0 };
	char sha[FINGERPRINT_TEXT] = "";
	struct ask_password asking = {
		.file = opt_is_set(f->provisioner_password_file) ? f->provisioner_password_file : f->password_file,
		.flag = "--provisioner-password-file",
		.label = "Please enter the password to decrypt the provisioner key",
	};
	struct password_source source = ask_password_source(&asking);
	enum status st = ST_OK;

	if (opt_is_set(f->x5c_cert))
		st = x5c_load(f, &x5c, &key, e);
	else if (opt_is_set(f->x5c_key) || opt_is_set(f->x5c_chain))
		st = usage_requires(opt_is_set(f->x5c_key) ? "x5c-key" : "x5c-chain", "x5c-cert", e);
	else if (opt_is_set(f->key))
		st = read_key(f->key, &asking, &key, e);
	if (!st && f->offline)
		st = offline_open(inv, f, &off, sha, e);
	else if (!st && c->roots.n)
		st = cert_fingerprint(c->roots.v[0], sha, e);
	if (st)
		return st;
	ask->filter = (struct provisioner_filter){ .name = opt_is_set(f->provisioner) ? f->provisioner : NULL,
		                                   .kid = opt_is_set(f->kid) ? f->kid : NULL };
	ask->password = &source;
	ask->key = key;
	ask->x5c = x5c.n ? &x5c : NULL;
	ask->sha = sha[0] ? sha : NULL;
	ask->choose = choose;
	ask->chosen = told;
	ask->now = inv_now(inv);
	st = token_get(f->offline ? NULL : c, f->offline ? &off : NULL, ask, out, e);
	return st ? ca_fail(inv, c, NULL, e) : ST_OK;
}

const char *line_scope(const struct line_flags *f)
{
	return f->lineage ? "lineage" : f->descendants ? "descendants" : NULL;
}

enum status line_check(const struct line_flags *f, struct error *e)
{
	return f->lineage && f->descendants ? usage_exclusive("lineage", "descendants", e) : ST_OK;
}

enum status ca_trust_token(struct invocation *inv, const struct ca_flags *f, const char *token, struct ca *c,
                           struct error *e)
{
	AUTO(token_hint_done) struct token_hint hint = { 0 };
	enum status st = token_hint_read(slice_cstr(token), &hint, e);
	if (st)
		return st;
	if (opt_is_set(f->url) || !hint.url.n)
		st = ca_set_url(inv, f, c, e);
	if (st)
		return st;
	if (!hint.fingerprint[0])
		return ca_set_roots(inv, f, c, e);
	return bootstrap_by_hint(c, &hint, e) ? ca_fail(inv, c, NULL, e) : ST_OK;
}

/* ---- certificates ---- */

enum status load_chain(const char *path, struct chain *ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(CERT_BUNDLE_MAX);
	enum status st = file_read(path, &text, e);
	if (st)
		return st;
	return chain_parse(buf_slice(&text), ret, e) ? error_wrap(e, "%s", path) : ST_OK;
}

enum status key_from_flags(const struct key_flags *f, EVP_PKEY **ret, struct error *e)
{
	struct key_spec spec;
	if (key_spec_make(opt_is_set(f->kty) ? f->kty : NULL, opt_is_set(f->curve) ? f->curve : NULL,
	                  f->size.set ? f->size.v : 0, f->insecure, &spec, e))
		return e->status = ST_INVALID; /* a wrong value, not wrong syntax */
	return key_generate(&spec, ret, e);
}

enum status check_answer(struct invocation *inv, const struct ca *c, const struct chain *got, const struct cert *old,
                         const EVP_PKEY *key, struct error *e)
{
	AUTO(trust_free_p) struct trust *trust = NULL;
	struct answer_notes notes = { 0 };
	char a[DURATION_TEXT], b[DURATION_TEXT], t[WALL_TEXT];
	enum status st = trust_new(&c->roots, false, &trust, e);
	if (st)
		return st;
	struct answer_terms terms = { .old = old, .key = key, .trust = trust, .now = inv_now(inv) };
	if (answer_check(got, &terms, &notes, e))
		return error_wrap(e, "the CA's answer is not used");
	if (notes.shorter)
		inv_say(inv,
		        "Note: the new certificate lives %s, the old one lived %s: the CA's own certificate may be "
		        "near its end.",
		        duration_format_s(duration_of_s(notes.new_life_s), a),
		        duration_format_s(duration_of_s(notes.old_life_s), b));
	if (notes.not_yet_valid)
		inv_say(inv, "Note: the certificate is valid from %s, which lies ahead of this machine's clock.",
		        wall_rfc3339(cert_facts(got->v[0])->not_before, t));
	return ST_OK;
}

/* ---- files ---- */

enum status open_files(struct invocation *inv, const struct filetx_file *files, size_t n, struct filetx **ret,
                       struct error *e)
{
	AUTO(buf_done) struct buf state = BUF_INIT(1 << 14);
	bool recovered = false;
	inv_state_dir(inv, &state);
	enum status st = filetx_open(files, n, state.n ? buf_cstr(&state) : NULL, true, ret, &recovered, e);
	if (st)
		return st;
	if (recovered)
		inv_say(inv, "An interrupted run for %s was completed first.", files[0].path);
	if (filetx_note(*ret))
		inv_say(inv, "Note: %s", filetx_note(*ret));
	return ST_OK;
}

enum status finish_interrupted(struct invocation *inv, const struct filetx_file *files, size_t n, struct error *e)
{
	AUTO(buf_done) struct buf state = BUF_INIT(1 << 14);
	AUTO(filetx_close_p) struct filetx *tx = NULL;
	inv_state_dir(inv, &state);
	if (!filetx_pending(files[0].path, state.n ? buf_cstr(&state) : NULL))
		return ST_OK;
	return open_files(inv, files, n, &tx, e);
}

enum status ask_and_open_files(struct invocation *inv, const struct filetx_file *files, size_t n, bool force,
                               struct filetx **ret, struct error *e)
{
	if (finish_interrupted(inv, files, n, e))
		return e->status;
	for (size_t i = 0; i < n; i++)
		if (ask_overwrite(files[i].path, force, e))
			return e->status;
	return open_files(inv, files, n, ret, e);
}

enum status stage_chain(struct filetx *tx, size_t index, const struct chain *c, struct error *e)
{
	AUTO(buf_done) struct buf pem = BUF_INIT(CERT_BUNDLE_MAX);
	chain_format_pem(c, &pem);
	enum status st = buf_check(&pem, e);
	return st ? st : filetx_stage(tx, index, buf_slice(&pem), e);
}

enum status stage_key(struct filetx *tx, size_t index, EVP_PKEY *key, struct error *e)
{
	AUTO(buf_done) struct buf pem = BUF_SECRET(KEYFILE_MAX);
	enum status st = keyfile_format(key, KEYFILE_NATIVE, SLICE_NONE, &pem, e);
	return st ? st : filetx_stage(tx, index, buf_slice(&pem), e);
}

enum status save_or_print(struct invocation *inv, const char *file, const struct chain *c, bool force, struct error *e)
{
	AUTO(filetx_close_p) struct filetx *tx = NULL;
	if (!file) {
		chain_format_pem(c, &inv->out);
		return buf_check(&inv->out, e);
	}
	struct filetx_file one = { .path = file, .mode = 0600 };
	enum status st = ask_and_open_files(inv, &one, 1, force, &tx, e);
	if (!st)
		st = stage_chain(tx, 0, c, e);
	return st ? st : filetx_commit(tx, e);
}
