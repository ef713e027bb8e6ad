/* `step ca init`: everything is asked and checked first, made in memory, and written as one transaction. */
#include "cli/ca_common.h"
#include "cli/local_ca.h"
#include "config/cainit.h"
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "jose/auto.h"
#include "jose/jwe.h"
#include "os/file.h"
#include "x509/name.h"
#include "x509/profile.h"

struct ca_init_args {
	const char *name, *address, *provisioner, *password_file, *provisioner_password_file, *with_ca_url, *root, *key,
		*key_password_file, *deployment_type;
	struct text_list dns;
	bool no_db, pki;
	const char *ra, *kms, *context, *profile, *authority, *admin_subject, *issuer;
	bool ssh, acme, remote_management, helm;
};

/* What was given or asked. */
struct answers {
	struct buf name, address, provisioner;
	struct text_list dns; /* borrowed from dns_text and argv */
	struct buf dns_text;
	struct buf password, provisioner_password; /* secret; provisioner_password empty: the same */
};

static struct answers answers_new(void)
{
	return (struct answers){
		.name = BUF_INIT(512),
		.address = BUF_INIT(512),
		.provisioner = BUF_INIT(256),
		.dns_text = BUF_INIT(1 << 16),
		.password = BUF_SECRET(PASSWORD_MAX),
		.provisioner_password = BUF_SECRET(PASSWORD_MAX),
	};
}

static void answers_done(struct answers *a)
{
	buf_done(&a->name);
	buf_done(&a->address);
	buf_done(&a->provisioner);
	buf_done(&a->dns_text);
	text_list_done(&a->dns);
	buf_done(&a->password);
	buf_done(&a->provisioner_password);
}

/* ---- questions ---- */

/* The flag's value, else a person's answer. */
static enum status ask(const char *given, const char *flag, const char *label, struct buf *ret, struct error *e)
{
	if (opt_is_set(given)) {
		buf_adds(ret, given);
		return buf_check(ret, e);
	}
	if (!term_interactive())
		return error_set(e, ST_MISSING, "there is no terminal to ask: use '--%s'", flag);
	enum status st = term_line(label, ret, e);
	if (!st && !ret->n)
		return error_set(e, ST_INVALID, "the answer is empty: use '--%s'", flag);
	return st;
}

/* host:port; the host may be empty (all interfaces). */
static enum status check_address(const char *address, struct error *e)
{
	const char *colon = strrchr(address, ':'), *bracket = strrchr(address, ']');
	bool ok = colon && (!bracket || bracket < colon) && colon[1] && strlen(colon + 1) <= 5 &&
	          strspn(colon + 1, "0123456789") == strlen(colon + 1);
	return ok ? ST_OK : error_set(e, ST_INVALID, "%s is not an TCP address", address);
}

/* Names may stand in one value, with commas or spaces; [::1] loses its brackets. */
static enum status split_dns(struct answers *a, struct error *e)
{
	char *p = buf_take(&a->dns_text);
	if (!p)
		return error_nomem(e);
	buf_adds(&a->dns_text, p);
	free(p);
	size_t most = 1;
	for (size_t i = 0; i < a->dns_text.n; i++)
		most += a->dns_text.p[i] == ',' || a->dns_text.p[i] == ' ';
	a->dns.v = calloc(most, sizeof *a->dns.v);
	if (!a->dns.v || a->dns_text.failed)
		return error_nomem(e);
	char *rest = (char *)a->dns_text.p, *word;
	while ((word = strsep(&rest, ", "))) {
		size_t n = strlen(word);
		if (n > 2 && word[0] == '[' && word[n - 1] == ']') {
			word[n - 1] = '\0';
			word++;
		}
		if (*word)
			a->dns.v[a->dns.n++] = word;
	}
	return a->dns.n ? ST_OK : error_set(e, ST_INVALID, "no DNS name or IP address is given: use '--dns'");
}

static enum status ask_dns(const struct ca_init_args *o, struct answers *a, struct error *e)
{
	for (size_t i = 0; i < o->dns.n; i++)
		buf_addf(&a->dns_text, "%s%s", i ? "," : "", o->dns.v[i]);
	if (!o->dns.n && ask(NULL, "dns",
	                     "What DNS names or IP addresses will clients use to reach your CA? (e.g. "
	                     "ca.example.com[,10.1.2.3,etc.])",
	                     &a->dns_text, e))
		return e->status;
	return buf_check(&a->dns_text, e) ? e->status : split_dns(a, e);
}

static enum status password_from(const char *path, struct buf *ret, struct error *e)
{
	if (file_read_password(path, ret, e))
		return e->status;
	return ret->n ? ST_OK : error_set(e, ST_INVALID, "the password in %s is empty", path);
}

static enum status ask_passwords(struct invocation *inv, const struct ca_init_args *o, struct answers *a,
                                 struct error *e)
{
	if (opt_is_set(o->provisioner_password_file) &&
	    password_from(o->provisioner_password_file, &a->provisioner_password, e))
		return e->status;
	if (opt_is_set(o->password_file))
		return password_from(o->password_file, &a->password, e);
	if (!term_interactive())
		return error_set(e, ST_MISSING, "there is no terminal to ask for a password: use '--password-file'");
	if (term_password(
		    "Choose a password for your CA keys and first provisioner [leave empty and we'll generate one]",
		    &a->password, e))
		return e->status;
	return a->password.n ? ST_OK : make_password(inv, &a->password, e);
}

static enum status ask_all(struct invocation *inv, const struct ca_init_args *o, struct answers *a, struct error *e)
{
	if (ask(o->name, "name", "What would you like to name your new PKI? (e.g. Smallstep)", &a->name, e))
		return e->status;
	if (!o->pki &&
	    (ask_dns(o, a, e) ||
	     ask(o->address, "address", "What IP and port will your new CA bind to? (e.g. :443 or 127.0.0.1:443)",
	         &a->address, e) ||
	     check_address(buf_cstr(&a->address), e) ||
	     ask(o->provisioner, "provisioner",
	         "What would you like to name the CA's first provisioner? (e.g. "
	         "you@example.com)",
	         &a->provisioner, e)))
		return e->status;
	return ask_passwords(inv, o, a, e);
}

/* ---- certificates ---- */

enum { CA_LIFE_S = 87600 * 3600 };

/* A CA certificate in the peer's form (spec/server.md §3.6); issuer NULL: self-signed. */
static enum status make_ca(struct invocation *inv, const char *org, const char *suffix, int path_len,
                           const struct local_ca *issuer, struct local_ca *ret, struct error *e)
{
	AUTO(buf_done) struct buf cn = BUF_INIT(1024), name = BUF_INIT(4096), spki = BUF_INIT(4096);
	AUTO(buf_done) struct buf exts = BUF_INIT(4096);
	AUTO(local_ca_done) struct local_ca made = { 0 };
	AUTO(cert_unref_p) struct cert *cert = NULL;
	struct wall now = inv_now(inv), end = { now.s + CA_LIFE_S };

	buf_addf(&cn, "%s %s", org, suffix);
	struct name_attrs attrs = { .organization = org, .common_name = buf_cstr(&cn) };
	if (buf_check(&cn, e) || key_generate(&KEY_SPEC_DEFAULT, &made.key, e) || name_encode(&attrs, &name, e) ||
	    key_spki(made.key, &spki, e) || profile_ca(buf_slice(&spki), path_len, local_ca_key_id(issuer), &exts, e))
		return e->status;
	if (issuer && end.s > cert_facts(issuer->chain.v[0])->not_after.s) /* an imported root may end sooner */
		end = cert_facts(issuer->chain.v[0])->not_after;
	const struct local_draft draft = {
		.ca = issuer,
		.key = made.key,
		.subject = buf_slice(&name),
		.spki = buf_slice(&spki),
		.extensions = buf_slice(&exts),
		.life = { now, end },
	};
	if (local_sign(inv, &draft, &cert, e) || chain_add(&made.chain, cert, e))
		return error_wrap(e, "%s", buf_cstr(&cn));
	*ret = made;
	made = (struct local_ca){ 0 };
	return ST_OK;
}

static enum status import_root(struct invocation *inv, const struct ca_init_args *o, struct local_ca *ret,
                               struct error *e)
{
	AUTO(local_ca_done) struct local_ca got = { 0 };
	struct ask_password asking = { .file = o->key_password_file,
		                       .flag = "--key-password-file",
		                       .label = "Please enter the password to decrypt the root key" };
	if (local_ca_load(inv, o->root, o->key, &asking, &got, e))
		return e->status;
	const struct cert_facts *f = cert_facts(got.chain.v[0]);
	if (f->path_len == 0)
		return error_set(e, ST_INVALID, "%s: its path length allows no intermediate below it", o->root);
	if (inv_now(inv).s >= f->not_after.s)
		return error_set(e, ST_EXPIRED, "%s: the certificate has expired", o->root);
	*ret = got;
	got = (struct local_ca){ 0 };
	return ST_OK;
}

/* ---- files ---- */

enum { ROOT_CRT, INT_CRT, INT_KEY, ROOT_KEY, CA_JSON, DEFAULTS_JSON, FILES };

static const struct {
	const char *path;
	mode_t mode;
} layout[FILES] = {
	[ROOT_CRT] = { "certs/root_ca.crt", 0600 },
	[INT_CRT] = { "certs/intermediate_ca.crt", 0600 },
	[INT_KEY] = { "secrets/intermediate_ca_key", 0600 },
	[ROOT_KEY] = { "secrets/root_ca_key", 0600 },
	[CA_JSON] = { "config/ca.json", 0644 },
	[DEFAULTS_JSON] = { "config/defaults.json", 0644 },
};

struct site {
	struct buf path[FILES], db;
	bool wanted[FILES];
};

static void site_done(struct site *s)
{
	for (size_t i = 0; i < FILES; i++)
		buf_done(&s->path[i]);
	buf_done(&s->db);
}

/* The tree below the step path, and the files that will be written. */
static enum status prepare(struct invocation *inv, const struct ca_init_args *o, struct site *s, struct filetx **ret,
                           struct error *e)
{
	static const char *const folders[] = { "certs", "config", "secrets", "templates", "db" };
	struct filetx_file files[FILES];
	size_t n = 0;
	bool imported = opt_is_set(o->root);

	s->db = BUF_INIT(1 << 14);
	for (size_t i = 0; i < FILES; i++) {
		s->path[i] = BUF_INIT(1 << 14);
		s->wanted[i] = (i != ROOT_KEY || !imported) && (i < CA_JSON || !o->pki);
		if (inv_file(inv, layout[i].path, &s->path[i], e))
			return e->status;
		if (s->wanted[i])
			files[n++] = (struct filetx_file){ .path = buf_cstr(&s->path[i]), .mode = layout[i].mode };
	}
	if (finish_interrupted(inv, files, n, e))
		return e->status;
	for (size_t i = 0; i < n; i++)
		if (ask_overwrite(files[i].path, false, e))
			return e->status == ST_MISSING
			               ? error_set(e, ST_CONFLICT,
			                           "%s exists already, and nothing of an existing CA is replaced "
			                           "without a person's word: remove it, or set STEPPATH to "
			                           "another folder",
			                           files[i].path)
			               : e->status;
	for (size_t i = 0; i < COUNT_OF(folders); i++) {
		AUTO(buf_done) struct buf folder = BUF_INIT(1 << 14);
		if (!strcmp(folders[i], "db") && (o->no_db || o->pki))
			continue;
		if (inv_file(inv, folders[i], &folder, e) || file_mkdirs(buf_cstr(&folder), 0700, e))
			return e->status;
	}
	return inv_file(inv, "db", &s->db, e) ? e->status : open_files(inv, files, n, ret, e);
}

/* Index in the transaction of a file of the layout. */
static size_t slot(const struct site *s, size_t file)
{
	size_t n = 0;
	for (size_t i = 0; i < file; i++)
		n += s->wanted[i];
	return n;
}

static enum status stage_ca(struct filetx *tx, const struct site *s, size_t crt, size_t key, const struct local_ca *ca,
                            struct slice password, struct error *e)
{
	AUTO(buf_done) struct buf pem = BUF_INIT(CERT_MAX * 2), secret = BUF_SECRET(KEYFILE_MAX);
	cert_format_pem(ca->chain.v[0], &pem);
	if (buf_check(&pem, e) || filetx_stage(tx, slot(s, crt), buf_slice(&pem), e))
		return e->status;
	if (!s->wanted[key])
		return ST_OK;
	return keyfile_format(ca->key, KEYFILE_NATIVE, password, &secret, e)
	               ? e->status
	               : filetx_stage(tx, slot(s, key), buf_slice(&secret), e);
}

/* https://<first name>[:port]; 443 is not written. */
static void ca_url(const struct answers *a, struct buf *out)
{
	const char *host = a->dns.v[0], *port = strrchr(buf_cstr(&a->address), ':') + 1;
	bool v6 = strchr(host, ':') != NULL;
	buf_addf(out, "https://%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "");
	if (strcmp(port, "443") != 0)
		buf_addf(out, ":%s", port);
}

static enum status stage_config(struct filetx *tx, const struct site *s, const struct ca_init_args *o,
                                const struct answers *a, const struct cert *root, struct error *e)
{
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	AUTO(json_decref_p) json_t *provisioner = NULL;
	AUTO(buf_done) struct buf conf = BUF_INIT(1 << 20), defaults = BUF_INIT(1 << 16), url = BUF_INIT(4096);
	char fingerprint[FINGERPRINT_TEXT];
	const struct buf *password = a->provisioner_password.n ? &a->provisioner_password : &a->password;

	if (key_generate(&KEY_SPEC_DEFAULT, &key, e) ||
	    provisioner_new_json(buf_cstr(&a->provisioner), key, buf_slice(password), JWE_P2C_WRITE, &provisioner, e) ||
	    cert_fingerprint(root, fingerprint, e))
		return e->status;
	if (opt_is_set(o->with_ca_url)) {
		if (ca_url_clean(o->with_ca_url, &url, e))
			return e->status;
	} else {
		ca_url(a, &url);
	}
	struct caconf_draft draft = {
		.root = buf_cstr(&s->path[ROOT_CRT]),
		.crt = buf_cstr(&s->path[INT_CRT]),
		.key = buf_cstr(&s->path[INT_KEY]),
		.address = buf_cstr(&a->address),
		.dns_names = a->dns.v,
		.dns_n = a->dns.n,
		.db_folder = o->no_db ? NULL : buf_cstr(&s->db),
		.provisioners = &provisioner,
		.provisioners_n = 1,
	};
	struct defaults_draft d = { .ca_url = buf_cstr(&url),
		                    .ca_config = buf_cstr(&s->path[CA_JSON]),
		                    .fingerprint = fingerprint,
		                    .root = buf_cstr(&s->path[ROOT_CRT]) };
	if (buf_check(&url, e) || caconf_new_text(&draft, &conf, e) ||
	    defaults_new_text(&d, DEFAULTS_INIT, &defaults, e) ||
	    filetx_stage(tx, slot(s, CA_JSON), buf_slice(&conf), e))
		return e->status;
	return filetx_stage(tx, slot(s, DEFAULTS_JSON), buf_slice(&defaults), e);
}

static enum status report(struct invocation *inv, const struct site *s, const struct ca_init_args *o,
                          const struct cert *root, struct error *e)
{
	char fingerprint[FINGERPRINT_TEXT];
	if (cert_fingerprint(root, fingerprint, e))
		return e->status;
	inv_say(inv, "%s", "");
	term_tick("Root certificate", "%s", buf_cstr(&s->path[ROOT_CRT]));
	term_tick("Root private key", "%s", s->wanted[ROOT_KEY] ? buf_cstr(&s->path[ROOT_KEY]) : o->key);
	term_tick("Root fingerprint", "%s", fingerprint);
	term_tick("Intermediate certificate", "%s", buf_cstr(&s->path[INT_CRT]));
	term_tick("Intermediate private key", "%s", buf_cstr(&s->path[INT_KEY]));
	if (!o->pki) {
		if (!o->no_db)
			term_tick("Database folder", "%s", buf_cstr(&s->db));
		term_tick("Default configuration", "%s", buf_cstr(&s->path[DEFAULTS_JSON]));
		term_tick("Certificate Authority configuration", "%s", buf_cstr(&s->path[CA_JSON]));
	}
	inv_say(inv, "\nYour PKI is ready to go. To generate certificates for individual services see 'step help ca'.");
	return ST_OK;
}

static enum status make(struct invocation *inv, const struct ca_init_args *o, struct error *e)
{
	AUTO(answers_done) struct answers a = answers_new();
	AUTO(site_done) struct site s = { 0 };
	AUTO(filetx_close_p) struct filetx *tx = NULL;
	AUTO(local_ca_done) struct local_ca root = { 0 }, intermediate = { 0 };
	bool imported = opt_is_set(o->root);

	if (ask_all(inv, o, &a, e) || (imported && import_root(inv, o, &root, e)) || prepare(inv, o, &s, &tx, e))
		return e->status;
	if (!imported && make_ca(inv, buf_cstr(&a.name), "Root CA", 1, NULL, &root, e))
		return e->status;
	inv_say(inv, "\n%s root certificate... done!", imported ? "Copying" : "Generating");
	if (make_ca(inv, buf_cstr(&a.name), "Intermediate CA", 0, &root, &intermediate, e))
		return e->status;
	inv_say(inv, "Generating intermediate certificate... done!");
	if (stage_ca(tx, &s, ROOT_CRT, ROOT_KEY, &root, buf_slice(&a.password), e) ||
	    stage_ca(tx, &s, INT_CRT, INT_KEY, &intermediate, buf_slice(&a.password), e) ||
	    (!o->pki && stage_config(tx, &s, o, &a, root.chain.v[0], e)) || filetx_commit(tx, e))
		return e->status;
	return report(inv, &s, o, root.chain.v[0], e);
}

static enum status check_flags(struct invocation *inv, const struct ca_init_args *o, struct error *e)
{
	static const char *const not_built[] = { "ssh",    "acme",    "remote-management", "helm",      "ra",
		                                 "kms",    "context", "profile",           "authority", "admin-subject",
		                                 "issuer", NULL };
	if (usage_not_built(inv, not_built, e))
		return e->status;
	if (opt_is_set(o->deployment_type) && strcmp(o->deployment_type, "standalone") != 0)
		return error_set(e, ST_INVALID,
		                 "invalid value '%s' for flag '--deployment-type'; options are standalone",
		                 o->deployment_type);
	if (opt_is_set(o->root) && !opt_is_set(o->key))
		return usage_requires("root", "key", e);
	if (opt_is_set(o->key) && !opt_is_set(o->root))
		return usage_requires("key", "root", e);
	if (o->pki && o->no_db)
		return usage_incompatible("pki", "no-db", e);
	return ST_OK;
}

static enum status run(struct invocation *inv, struct error *e)
{
	const struct ca_init_args *o = INV_ARGS(inv, ca_init_args);
	inv_crypto(inv);
	return check_flags(inv, o, e) ? e->status : make(inv, o, e);
}

#define NOT_BUILT_STR(field, flag)                                                                                     \
	OPT_STR(struct ca_init_args, field, .name = flag, .flags = OPT_HIDDEN | OPT_NO_ENV, .help = "Not built")
#define NOT_BUILT_FLAG(field, flag)                                                                                    \
	OPT_FLAG(struct ca_init_args, field, .name = flag, .flags = OPT_HIDDEN | OPT_NO_ENV, .help = "Not built")

static const struct opt opts[] = {
	OPT_STR(struct ca_init_args, name, .name = "name", .arg = "<name>", .help = "Name of the PKI"),
	OPT_LIST(struct ca_init_args, dns, .name = "dns", .arg = "<name>", .help = "DNS name or IP address of the CA"),
	OPT_STR(struct ca_init_args, address, .name = "address", .arg = "<host:port>",
	        .help = "Where the CA listens, such as `:443`"),
	OPT_STR(struct ca_init_args, provisioner, .name = "provisioner", .arg = "<name>",
	        .help = "Name of the first provisioner"),
	OPT_STR(struct ca_init_args, password_file, .name = "password-file", .arg = "<file>", .flags = OPT_FILE,
	        .help = "File with the password for the keys"),
	OPT_STR(struct ca_init_args, provisioner_password_file, .name = "provisioner-password-file", .arg = "<file>",
	        .flags = OPT_FILE, .help = "File with a password of its own for the provisioner's key"),
	OPT_STR(struct ca_init_args, with_ca_url, .name = "with-ca-url", .arg = "<uri>",
	        .help = "The CA's address to write into defaults.json"),
	OPT_STR(struct ca_init_args, root, .name = "root", .arg = "<file>", .flags = OPT_FILE | OPT_NO_ENV,
	        .help = "Use this root certificate; its key is used once and not copied"),
	OPT_STR(struct ca_init_args, key, .name = "key", .arg = "<file>", .flags = OPT_FILE | OPT_NO_ENV,
	        .help = "Private key of `--root`"),
	OPT_STR(struct ca_init_args, key_password_file, .name = "key-password-file", .arg = "<file>", .flags = OPT_FILE,
	        .help = "File with the password of `--key`"),
	OPT_FLAG(struct ca_init_args, pki, .name = "pki", .help = "Make certificates and keys only, no configuration"),
	OPT_FLAG(struct ca_init_args, no_db, .name = "no-db",
	         .help = "A CA without database: nothing can be revoked, and used tokens are forgotten at its end"),
	OPT_STR(struct ca_init_args, deployment_type, .name = "deployment-type", .arg = "<type>",
	        .choices = "standalone", .help = "Only `standalone`"),
	NOT_BUILT_FLAG(ssh, "ssh"),
	NOT_BUILT_FLAG(acme, "acme"),
	NOT_BUILT_FLAG(remote_management, "remote-management"),
	NOT_BUILT_FLAG(helm, "helm"),
	NOT_BUILT_STR(ra, "ra"),
	NOT_BUILT_STR(kms, "kms"),
	NOT_BUILT_STR(context, "context"),
	NOT_BUILT_STR(profile, "profile"),
	NOT_BUILT_STR(authority, "authority"),
	NOT_BUILT_STR(admin_subject, "admin-subject"),
	NOT_BUILT_STR(issuer, "issuer"),
	OPT_END,
};

const struct command cmd_ca_init = {
	.path = "ca init",
	.summary = "make a new PKI and the configuration of its CA",
	.description = "Makes a root and an intermediate certificate with their keys, a first provisioner, ca.json and "
		       "defaults.json below "
		       "$(step path). What is not given by a flag is asked for on a terminal. All files are written as "
		       "one transaction; "
		       "files that exist are replaced only when a person says so.",
	.opts = opts,
	.args_size = sizeof(struct ca_init_args),
	.examples = (const struct example[]){ { "Without a question",
	                                        "step ca init --name Speedy --provisioner admin --dns localhost "
	                                        "--address :443 --password-file password.txt" },
	                                      { 0 } },
	.run = run,
};
