#include "cli/ca_provisioner.h"

#include "jose/auto.h"
#include "os/file.h"

enum { TEXT_MAX = 4 << 20, PATH_TEXT = 1 << 14 };

void ca_edit_done(struct ca_edit *c)
{
	buf_done(&c->path);
	buf_done(&c->old);
	json_decref(c->file);
	filetx_close(c->tx);
}

/* Where templates shape certificates, or a remote CA is administered, leaving a flag out would change what is meant. */
static enum status refuse_unbuilt(struct invocation *inv, struct error *e)
{
	static const char *const flags[] = { "x509-template",     "x509-template-data",  "ssh-template",
		                             "ssh-template-data", "attestation-format",  "attestation-roots",
		                             "admin-cert",        "admin-key",           "admin-subject",
		                             "admin-provisioner", "admin-password-file", NULL };
	return usage_not_built(inv, flags, e);
}

static enum status find_file(struct invocation *inv, const char *ca_config, struct buf *ret, struct error *e)
{
	if (!opt_is_set(ca_config))
		return inv_file(inv, "config/ca.json", ret, e);
	buf_adds(ret, ca_config);
	return buf_check(ret, e);
}

enum status ca_edit_open(struct invocation *inv, const char *ca_config, struct ca_edit *ret, struct error *e)
{
	AUTO(buf_done) struct buf probe = BUF_SECRET(TEXT_MAX);
	ret->path = BUF_INIT(PATH_TEXT);
	ret->old = BUF_SECRET(TEXT_MAX);
	if (refuse_unbuilt(inv, e) || find_file(inv, ca_config, &ret->path, e))
		return e->status;
	const char *path = buf_cstr(&ret->path);
	const struct filetx_file file = { .path = path, .mode = 0600 };
	/* Once before the lock, which would be made beside a file that is not there. */
	if (file_read(path, &probe, e) || open_files(inv, &file, 1, &ret->tx, e) || file_read(path, &ret->old, e))
		return e->status;
	if (caedit_parse(buf_slice(&ret->old), &ret->file, e))
		return error_wrap(e, "%s", path);
	if (caedit_is_remote(ret->file))
		return error_set(
			e, ST_INVALID,
			"%s: this CA keeps its provisioners in its database (authority.enableAdmin), and remote "
			"administration is not built yet",
			path);
	return ST_OK;
}

enum status ca_edit_save(struct invocation *inv, struct ca_edit *c, const char *name, struct error *e)
{
	AUTO(buf_done) struct buf new = BUF_SECRET(TEXT_MAX), notes = BUF_INIT(1 << 16);
	if (caedit_format(c->file, &new, e) ||
	    caedit_check(buf_slice(&c->old), buf_slice(&new), buf_cstr(&c->path), name, &notes, e) ||
	    filetx_stage(c->tx, 0, buf_slice(&new), e) || filetx_commit(c->tx, e))
		return e->status;
	term_tick("CA Configuration", "%s", buf_cstr(&c->path));
	if (notes.n)
		inv_say(inv, "\n%.*s", (int)notes.n - 1, buf_cstr(&notes));
	inv_say(inv,
	        "\nSuccess! Your `step-ca` config has been updated. To pick up the new configuration SIGHUP (kill -1 "
	        "<pid>) or restart the step-ca process.");
	return ST_OK;
}
