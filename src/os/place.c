#include "os/place.h"

#include "base/buf.h"
#include "os/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { LINKS_MAX = 40, PATH_BYTES = 2 * PATH_MAX };

/* A walk in progress: where we are, and what is still to be gone. */
struct walk {
	const char *given;
	enum place_links links;
	int dir;
	struct buf path; /* canonical, of dir; "" is the root */
	struct buf rest;
	unsigned followed;
};

static void walk_done(struct walk *w)
{
	fd_close_p(&w->dir);
	buf_done(&w->path);
	buf_done(&w->rest);
}

static enum status fail(const struct walk *w, int os, struct error *e)
{
	enum status st = error_os(e, os, "open %s failed", w->given);
	if (os == ENOENT || os == ENOTDIR)
		st = ST_MISSING;
	if (os == EISDIR)
		st = ST_INVALID;
	return e->status = st;
}

bool folder_is_shared(const struct stat *folder)
{
	bool foreign = folder->st_uid != 0 && folder->st_uid != geteuid();
	bool group = (folder->st_mode & S_IWGRP) && folder->st_gid != 0 && folder->st_gid != getegid();
	return foreign || group || (folder->st_mode & S_IWOTH);
}

bool folder_writable(int dir)
{
	return faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) == 0;
}

int folder_sync(int dir)
{
	AUTO(fd_close_p) int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES ? 0 : -1;
	return fsync(fd);
}

static enum status walk_from(struct walk *w, const char *start, struct error *e)
{
	fd_close_p(&w->dir);
	w->dir = open(start, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return w->dir < 0 ? fail(w, errno, e) : ST_OK;
}

static enum status walk_begin(struct walk *w, const char *path, struct error *e)
{
	if (!path[0])
		return fail(w, ENOENT, e);
	buf_adds(&w->rest, path);
	if (path[0] == '/')
		return walk_from(w, "/", e);
	char here[PATH_MAX];
	if (!getcwd(here, sizeof here) || here[0] != '/')
		return error_set(e, ST_IO, "open %s failed: the current folder has no path any more", w->given);
	buf_adds(&w->path, here[1] ? here : "");
	return walk_from(w, ".", e);
}

static enum status check_link(const struct walk *w, const char *name, const struct stat *link, struct error *e)
{
	struct stat folder;
	if (fstat(w->dir, &folder))
		return fail(w, errno, e);
	const char *why = NULL;
	if (w->links == PLACE_NO_LINKS)
		why = "a symbolic link stands where none was";
	else if (link->st_uid != 0 && link->st_uid != geteuid())
		why = "it belongs to another user";
	else if (folder_is_shared(&folder))
		why = "others may write in its folder";
	if (!why)
		return ST_OK;
	return error_set(e, ST_DENIED,
			 "open %s failed: the symbolic link %s/%s is not followed, because %s (user %u); name the file "
			 "it points to, or "
			 "replace the link",
			 w->given, buf_cstr(&w->path), name, why, (unsigned)link->st_uid);
}

/* Puts the link's text in front of what is still to be gone. */
static enum status follow(struct walk *w, const char *name, struct error *e)
{
	char to[PATH_MAX];
	ssize_t n = readlinkat(w->dir, name, to, sizeof to - 1);
	if (n <= 0)
		return fail(w, n < 0 ? errno : ENOENT, e);
	if (++w->followed > LINKS_MAX)
		return fail(w, ELOOP, e);
	to[n] = '\0';
	AUTO(buf_done) struct buf rest = BUF_INIT(PATH_BYTES);
	buf_adds(&rest, to);
	if (w->rest.n) {
		buf_addc(&rest, '/');
		buf_add_slice(&rest, buf_slice(&w->rest));
	}
	if (rest.failed)
		return fail(w, rest.failed == ST_NOMEM ? ENOMEM : ENAMETOOLONG, e);
	buf_done(&w->rest);
	w->rest = rest;
	rest = BUF_INIT(0);
	if (to[0] != '/')
		return ST_OK;
	buf_reset(&w->path);
	return walk_from(w, "/", e);
}

static enum status enter(struct walk *w, const char *name, struct error *e)
{
	int next = openat(w->dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0)
		return fail(w, errno, e);
	fd_close_p(&w->dir);
	w->dir = next;
	if (strcmp(name, "..") != 0) {
		buf_addf(&w->path, "/%s", name);
		return ST_OK;
	}
	const char *slash = w->path.n ? strrchr(buf_cstr(&w->path), '/') : NULL;
	if (slash) {
		w->path.n = (size_t)(slash - buf_cstr(&w->path));
		w->path.p[w->path.n] = '\0';
	}
	return ST_OK;
}

/* Takes the next component out of rest into name ("" at the end); *ret_last where nothing, not even a slash, follows.
 */
static enum status next_name(struct walk *w, char name[NAME_MAX + 1], bool *ret_last, struct error *e)
{
	const char *s = buf_cstr(&w->rest);
	s += strspn(s, "/");
	size_t n = strcspn(s, "/");
	if (n > NAME_MAX)
		return fail(w, ENAMETOOLONG, e);
	memcpy(name, s, n);
	name[n] = '\0';
	*ret_last = s[n] == '\0';
	AUTO(buf_done) struct buf rest = BUF_INIT(PATH_BYTES);
	s += n + strspn(s + n, "/");
	buf_adds(&rest, s);
	enum status st = buf_check(&rest, e);
	if (st)
		return st;
	buf_done(&w->rest);
	w->rest = rest;
	rest = BUF_INIT(0);
	return ST_OK;
}

/* Goes until only a last name is left that is no link (file), or to the end (folder). */
static enum status walk_on(struct walk *w, bool to_folder, char name[NAME_MAX + 1], struct stat *ret_st,
			   bool *ret_exists, struct error *e)
{
	for (;;) {
		bool last = false;
		enum status st = next_name(w, name, &last, e);
		if (st)
			return st;
		if (!name[0])
			return to_folder ? ST_OK : fail(w, EISDIR, e);
		if (strcmp(name, ".") == 0)
			continue;
		bool file = last && !to_folder;
		*ret_exists = fstatat(w->dir, name, ret_st, AT_SYMLINK_NOFOLLOW) == 0;
		if (!*ret_exists && (errno != ENOENT || !file))
			return fail(w, errno, e);
		if (*ret_exists && S_ISLNK(ret_st->st_mode)) {
			st = check_link(w, name, ret_st, e);
			if (!st)
				st = follow(w, name, e);
		} else if (file && strcmp(name, "..") != 0) {
			return ST_OK;
		} else {
			st = enter(w, name, e);
		}
		if (!st)
			st = buf_check(&w->path, e);
		if (st)
			return st;
	}
}

static enum status walk(struct walk *w, const char *path, bool to_folder, char name[NAME_MAX + 1], struct stat *ret_st,
			bool *ret_exists, struct error *e)
{
	enum status st = walk_begin(w, path, e);
	if (!st)
		st = buf_check(&w->rest, e);
	return st ? st : walk_on(w, to_folder, name, ret_st, ret_exists, e);
}

#define WALK_INIT(path_, links_)                                                                                       \
	((struct walk){ .given = path_,                                                                                \
			.links = links_,                                                                               \
			.dir = -1,                                                                                     \
			.path = BUF_INIT(PATH_BYTES),                                                                  \
			.rest = BUF_INIT(PATH_BYTES) })

enum status place_folder(const char *path, int *ret_dir, struct error *e)
{
	AUTO(walk_done) struct walk w = WALK_INIT(path, PLACE_FOLLOW);
	char name[NAME_MAX + 1];
	struct stat st;
	bool exists;
	enum status bad = walk(&w, path, true, name, &st, &exists, e);
	if (bad)
		return bad;
	*ret_dir = FD_TAKE(w.dir);
	return ST_OK;
}

enum status place_find(const char *path, enum place_links links, struct place *ret, struct error *e)
{
	AUTO(walk_done) struct walk w = WALK_INIT(path, links);
	char name[NAME_MAX + 1];
	struct place p = { .given = path };
	enum status st = walk(&w, path, false, name, &p.st, &p.exists, e);
	if (st)
		return st;
	if (p.exists && S_ISDIR(p.st.st_mode))
		return fail(&w, EISDIR, e);
	if (fstat(w.dir, &p.folder))
		return fail(&w, errno, e);
	size_t name_at = w.path.n + 1;
	buf_addf(&w.path, "/%s", name);
	p.path = buf_take(&w.path);
	if (!p.path)
		return error_nomem(e);
	p.name = p.path + name_at;
	p.dir = FD_TAKE(w.dir);
	*ret = p;
	return ST_OK;
}

void place_done(struct place *p)
{
	fd_close_p(&p->dir);
	free(p->path);
	p->path = NULL;
	p->name = NULL;
}

bool place_same(const struct place *a, const struct place *b)
{
	bool folder = a->folder.st_dev == b->folder.st_dev && a->folder.st_ino == b->folder.st_ino;
	bool file = a->exists && b->exists && a->st.st_dev == b->st.st_dev && a->st.st_ino == b->st.st_ino;
	return file || (folder && strcmp(a->name, b->name) == 0);
}
