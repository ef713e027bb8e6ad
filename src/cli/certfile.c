#include "cli/certfile.h"
#include "crypto/pem.h"
#include "os/auto.h"
#include "os/file.h"

#include <errno.h>
#include <sys/stat.h>

void cert_file_done(struct cert_file *f)
{
	chain_done(&f->certs);
	csr_done(&f->csr);
	f->is_csr = false;
}

static bool is_request(const char *label)
{
	return !strcmp(label, "CERTIFICATE REQUEST") || !strcmp(label, "NEW CERTIFICATE REQUEST");
}

static enum status add_cert(struct slice der, bool facts_only, struct cert_file *f, struct error *e)
{
	AUTO(cert_unref_p) struct cert *c = NULL;
	enum status st = facts_only ? cert_parse_facts(der, &c, e) : cert_parse(der, &c, e);
	return st ? st : chain_add(&f->certs, c, e);
}

static enum status add_request(struct slice der, struct cert_file *f, struct error *e)
{
	f->is_csr = true;
	return csr_parse(der, true, &f->csr, e);
}

static enum status parse_pem(struct slice in, bool all, bool facts_only, struct cert_file *f, struct error *e)
{
	AUTO(pem_block_done) struct pem_block block = { 0 };
	while (!f->is_csr && (all || !f->certs.n)) {
		enum status st = pem_next(&in, &block, e);
		if (st)
			return st == ST_MISSING ? ST_OK : st;
		if (!strcmp(block.label, "CERTIFICATE") || !strcmp(block.label, "TRUSTED CERTIFICATE"))
			st = add_cert(buf_slice(&block.der), facts_only, f, e);
		else if (is_request(block.label) && !f->certs.n)
			st = add_request(buf_slice(&block.der), f, e);
		if (st)
			return st;
	}
	return ST_OK;
}

static enum status parse_der(struct slice in, bool facts_only, struct cert_file *f, struct error *e)
{
	enum status st = add_cert(in, facts_only, f, e);
	if (!st)
		return ST_OK;
	struct error second = ERROR_INIT;
	st = add_request(in, f, &second);
	if (st)
		f->is_csr = false;
	return st;
}

static bool looks_like_der(struct slice in)
{
	return in.n > 2 && in.p[0] == 0x30 && (in.p[1] & 0x80);
}

enum status cert_file_parse(struct slice in, const char *name, bool all, bool facts_only, struct cert_file *ret,
                            struct error *e)
{
	AUTO(cert_file_done) struct cert_file f = { 0 };
	enum status st = looks_like_der(in) ? parse_der(in, facts_only, &f, e) : parse_pem(in, all, facts_only, &f, e);
	if (st)
		return error_wrap(e, "error parsing %s", name);
	if (!f.certs.n && !f.is_csr)
		return error_set(e, ST_INVALID,
		                 "file %s does not contain any valid CERTIFICATE or CERTIFICATE REQUEST blocks", name);
	*ret = f;
	f = (struct cert_file){ 0 };
	return ST_OK;
}

enum status cert_file_read(struct invocation *inv, const char *name, const struct cert_server *how, bool all,
                           struct cert_file *ret, struct error *e)
{
	if (name && cert_is_url(name)) {
		AUTO(cert_file_done) struct cert_file f = { 0 };
		enum status st = cert_of_server(inv, name, how, &f.certs, e);
		if (st)
			return st;
		*ret = f;
		f = (struct cert_file){ 0 };
		return ST_OK;
	}
	AUTO(buf_done) struct buf text = BUF_INIT(CERT_BUNDLE_MAX);
	const char *path = name ? name : "-";
	enum status st = file_read(path, &text, e);
	return st ? st
	          : cert_file_parse(buf_slice(&text), strcmp(path, "-") ? path : "stdin", all, how->facts_only, ret, e);
}

enum status cert_chain_read(struct invocation *inv, const char *name, const struct cert_server *how, bool all,
                            struct chain *ret, struct error *e)
{
	AUTO(cert_file_done) struct cert_file f = { 0 };
	enum status st = cert_file_read(inv, name, how, all, &f, e);
	if (st)
		return st;
	if (f.is_csr)
		return error_set(e, ST_INVALID, "file %s holds a certificate request, not a certificate", name);
	*ret = f.certs;
	f.certs = (struct chain){ 0 };
	return ST_OK;
}

/* ---- roots ---- */

static enum status add_file(struct chain *all, const char *path, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(CERT_BUNDLE_MAX);
	AUTO(chain_done) struct chain some = { 0 };
	enum status st = file_read(path, &text, e);
	if (st)
		return st;
	if (chain_parse(buf_slice(&text), &some, e))
		return error_wrap(e, "%s", path);
	for (size_t i = 0; !st && i < some.n; i++)
		st = chain_add(all, some.v[i], e);
	return st;
}

/* What is no certificate there is passed over, as in the peer. */
static enum status add_folder(struct chain *all, const char *path, struct error *e)
{
	AUTO(closedir_p) DIR *d = opendir(path);
	if (!d)
		return error_os(e, errno, "open %s failed", path);
	enum status st = ST_OK;
	for (struct dirent *f; st != ST_NOMEM && (f = readdir(d));) {
		AUTO(buf_done) struct buf file = BUF_INIT(1 << 13);
		if (f->d_name[0] == '.')
			continue;
		buf_addf(&file, "%s/%s", path, f->d_name);
		st = buf_check(&file, e);
		if (!st)
			st = add_file(all, buf_cstr(&file), e);
	}
	return st == ST_NOMEM ? st : ST_OK;
}

enum status cert_roots_add(const char *path, struct chain *all, struct error *e)
{
	struct stat info;
	if (stat(path, &info))
		return error_os(e, errno, "open %s failed", path);
	return S_ISDIR(info.st_mode) ? add_folder(all, path, e) : add_file(all, path, e);
}

enum status cert_roots_read(const char *list, struct chain *all, struct error *e)
{
	enum status st = ST_OK;
	for (struct slice rest = slice_cstr(list); !st && rest.n;) {
		size_t n = slice_find(rest, ',');
		struct slice name = slice_trim(slice_of(rest.p, n));
		AUTO(text_free_p) char *path = text_dup(name);
		if (!path)
			return error_nomem(e);
		rest = slice_of(rest.p + n + (n < rest.n), rest.n - n - (n < rest.n));
		if (name.n)
			st = cert_roots_add(path, all, e);
	}
	return st || all->n ? st : error_set(e, ST_INVALID, "there are no certificates in %s", list);
}

enum status cert_roots(const char *roots, struct trust **ret, struct error *e)
{
	AUTO(chain_done) struct chain all = { 0 };
	if (!opt_is_set(roots))
		return trust_new_system(ret, e);
	if (cert_roots_read(roots, &all, e))
		return error_wrap(e, "failed to load root certificates");
	return trust_new(&all, false, ret, e);
}
