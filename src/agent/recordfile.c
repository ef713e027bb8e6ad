#include "agent/recordfile.h"

#include "os/auto.h"
#include "os/file.h"
#include "os/target.h"
#include "os/versions.h"

#include <errno.h>
#include <fcntl.h>

static enum status name_it(const struct place *cert, const char *state_dir, struct recordfile *ret, struct error *e)
{
	struct target_owner id;
	char dir[PATH_MAX];
	int n;
	if (versions_lead(cert, dir)) {
		n = snprintf(ret->path, sizeof ret->path, "%s/.%.*s.state", dir, TARGET_NAME_KEPT, cert->name);
	} else if (folder_writable(cert->dir)) {
		n = snprintf(ret->path, sizeof ret->path, "%.*s.%.*s.state", (int)(cert->name - cert->path), cert->path,
		             TARGET_NAME_KEPT, cert->name);
	} else if (state_dir && state_dir[0]) {
		target_owner_init(&id, cert->path, "state");
		n = snprintf(ret->path, sizeof ret->path, "%s/.%.*s.%s.state", state_dir, TARGET_NAME_KEPT, cert->name,
		             id.id);
	} else {
		return error_set(e, ST_IO, "%s: nothing can be remembered beside it: no right to write in its folder",
		                 cert->given);
	}
	return n < (int)sizeof ret->path ? ST_OK : error_set(e, ST_LIMIT, "%s: the path is too long", cert->given);
}

static enum status find(const char *cert, const char *state_dir, struct recordfile *ret, uid_t *ret_owner,
                        struct error *e)
{
	AUTO(place_done) struct place p = PLACE_NONE;
	enum status st = place_find(cert, PLACE_FOLLOW, &p, e);
	if (st)
		return st;
	*ret_owner = p.exists ? p.st.st_uid : p.folder.st_uid;
	ret->exists = false;
	return name_it(&p, state_dir, ret, e);
}

enum status recordfile_find(const char *cert, const char *state_dir, struct recordfile *ret, struct error *e)
{
	struct recordfile f;
	uid_t owner;
	enum status st = find(cert, state_dir, &f, &owner, e);
	if (st)
		return st;
	f.exists = file_exists(f.path);
	*ret = f;
	return ST_OK;
}

static enum status check_author(const char *path, const struct stat *st, uid_t cert_owner, struct error *e)
{
	bool known = st->st_uid == 0 || st->st_uid == geteuid() || st->st_uid == cert_owner;
	if (known && S_ISREG(st->st_mode) && st->st_nlink == 1 && !(st->st_mode & (S_IWGRP | S_IWOTH)))
		return ST_OK;
	return error_set(e, ST_DENIED,
	                 "the renewal state %s is not used: %s (user %u, mode %04o); look at it, then remove it", path,
	                 known ? "others may have written it" : "it belongs to another user", (unsigned)st->st_uid,
	                 (unsigned)st->st_mode & 07777);
}

static enum status read_file(const struct recordfile *f, uid_t cert_owner, struct buf *ret, struct error *e)
{
	struct stat st;
	AUTO(fd_close_p) int fd = open(f->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		int os = errno;
		error_os(e, os, "open %s failed", f->path);
		return e->status = os == ENOENT ? ST_MISSING : os == ELOOP ? ST_DENIED : ST_IO;
	}
	enum status bad = check_author(f->path, &st, cert_owner, e);
	return bad ? bad : fd_read_all(fd, ret, f->path, e);
}

enum status recordfile_load(const char *cert, const char *state_dir, struct recordfile *ret_file, struct record *ret,
                            struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(RECORD_MAX);
	struct recordfile f;
	uid_t owner;
	if (find(cert, state_dir, &f, &owner, e))
		return e->status;
	enum status st = read_file(&f, owner, &text, e);
	f.exists = st != ST_MISSING;
	*ret_file = f;
	if (st == ST_MISSING) {
		*ret = RECORD_NONE;
		return ST_OK;
	}
	if (!st && record_parse(buf_slice(&text), ret, e))
		st = error_wrap(e, "%s", f.path);
	return st;
}

enum status recordfile_save(struct recordfile *f, const struct record *r, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(RECORD_MAX);
	enum status st = record_format(r, &text, e);
	if (!st)
		st = file_replace(f->path, buf_slice(&text), 0600, e);
	if (!st)
		f->exists = true;
	return st;
}

bool recordfile_owes(const char *cert, const char *state_dir)
{
	struct error e = ERROR_INIT;
	struct recordfile f;
	struct record r;
	return !recordfile_load(cert, state_dir, &f, &r, &e) && record_owes_deployment(&r);
}
