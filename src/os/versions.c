#include "os/versions.h"

#include "base/num.h"
#include "os/auto.h"
#include "os/entropy.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { RANDOM_BYTES = 6, DIGITS_MAX = 15 };

static const char folder_name[] = "versions", link_name[] = "current", first_name[] = "000000";

/* --- names -------------------------------------------------------------------------------------------------------- */

static bool is_number(const char *name, int64_t *ret)
{
	struct error ignored = ERROR_INIT;
	size_t n = strlen(name);
	return n && n <= DIGITS_MAX && strspn(name, "0123456789") == n &&
	       num_parse(slice_cstr(name), 0, INT64_MAX, ret, &ignored) == ST_OK;
}

/* The name of the version that is current: the link holds "versions/000007" and nothing else. */
static bool read_link(int base, char out[32])
{
	char to[64];
	int64_t number;
	ssize_t n = readlinkat(base, link_name, to, sizeof to - 1);
	size_t skip = strlen(folder_name);
	if (n <= (ssize_t)skip || n - (ssize_t)skip > 31)
		return false;
	to[n] = '\0';
	if (memcmp(to, folder_name, skip) != 0 || to[skip] != '/' || !is_number(to + skip + 1, &number))
		return false;
	snprintf(out, 32, "%s", to + skip + 1);
	return true;
}

static enum status make_temp_name(const char *prefix, const char *suffix, char out[32], struct error *e)
{
	uint8_t chance[RANDOM_BYTES];
	char random[2 * RANDOM_BYTES + 1];
	enum status st = entropy_fill(&entropy_system, chance, sizeof chance, e);
	for (size_t i = 0; !st && i < RANDOM_BYTES; i++)
		snprintf(random + 2 * i, 3, "%02x", chance[i]);
	if (!st)
		snprintf(out, 32, ".%s%s.%s", prefix, random, suffix);
	return st;
}

/* ".PREFIX0123456789ab.SUFFIX" */
static bool is_temp(const char *name, const char *prefix, const char *suffix)
{
	size_t head = 1 + strlen(prefix), n = strlen(name);
	return n == head + 2 * RANDOM_BYTES + 1 + strlen(suffix) && name[0] == '.' &&
	       !memcmp(name + 1, prefix, head - 1) && strspn(name + head, "0123456789abcdef") == 2 * RANDOM_BYTES &&
	       name[head + 2 * RANDOM_BYTES] == '.' && !strcmp(name + head + 2 * RANDOM_BYTES + 1, suffix);
}

bool versions_lead(const struct place *file, char *ret_dir)
{
	char path[PATH_MAX], now[32];
	int64_t number;
	if (snprintf(path, sizeof path, "%s", file->path) >= (int)sizeof path)
		return false;
	char *parts[3]; /* file, version, "versions" */
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		char *slash = strrchr(path, '/');
		if (!slash)
			return false;
		*slash = '\0';
		parts[i] = slash + 1;
	}
	if (!is_number(parts[1], &number) || strcmp(parts[2], folder_name) != 0)
		return false;
	AUTO(fd_close_p) int base = openat(file->dir, "../..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (base < 0 || !read_link(base, now))
		return false;
	snprintf(ret_dir, PATH_MAX, "%s", path);
	return true;
}

/* --- removing ----------------------------------------------------------------------------------------------------- */

static DIR *list(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	if (!d)
		fd_close_p(&fd);
	return d;
}

/* A folder of files; what cannot be removed now is found again the next time. */
static void remove_flat(int dir, const char *name)
{
	AUTO(closedir_p) DIR *d = list(dir, name);
	for (struct dirent *f; d && (f = readdir(d));)
		if (strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0)
			unlinkat(dirfd(d), f->d_name, 0);
	unlinkat(dir, name, AT_REMOVEDIR);
}

static void sweep(const struct versions *v)
{
	AUTO(closedir_p) DIR *all = list(v->all, ".");
	AUTO(closedir_p) DIR *base = list(v->base, ".");
	for (struct dirent *f; all && (f = readdir(all));)
		if (is_temp(f->d_name, "", "new") || is_temp(f->d_name, "", "old"))
			remove_flat(v->all, f->d_name);
	for (struct dirent *f; base && (f = readdir(base));)
		if (is_temp(f->d_name, "current.", "new"))
			unlinkat(v->base, f->d_name, 0);
}

static int newer_first(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? 1 : x > y ? -1 : 0;
}

/* The name that a number was found under may have any zeroes in front: "7", "000007". */
static void remove_version(const struct versions *v, int64_t number)
{
	char temp[32];
	struct error ignored = ERROR_INIT;
	AUTO(closedir_p) DIR *all = list(v->all, ".");
	int64_t n;
	for (struct dirent *f; all && (f = readdir(all));) {
		if (!is_number(f->d_name, &n) || n != number || !strcmp(f->d_name, v->next_name) ||
		    !strcmp(f->d_name, v->now_name) || make_temp_name("", "old", temp, &ignored))
			continue;
		/* No half of a version is ever seen under its number. */
		if (renameat(v->all, f->d_name, v->all, temp) == 0)
			remove_flat(v->all, temp);
		return;
	}
}

/* All but the current version, the one it has replaced, and the newest of the others. */
static void prune(const struct versions *v, size_t keep)
{
	int64_t numbers[VERSIONS_KEEP_MAX + 64], n, replaced;
	size_t count = 0;
	AUTO(closedir_p) DIR *all = list(v->all, ".");
	if (!is_number(v->now_name, &replaced))
		return;
	for (struct dirent *f; all && count < COUNT_OF(numbers) && (f = readdir(all));)
		if (is_number(f->d_name, &n) && n != replaced && strcmp(f->d_name, v->next_name) != 0)
			numbers[count++] = n;
	qsort(numbers, count, sizeof numbers[0], newer_first);
	for (size_t i = keep > 0 ? keep - 1 : 0; i < count; i++)
		remove_version(v, numbers[i]);
}

/* --- making ------------------------------------------------------------------------------------------------------- */

static enum status failed(const char *what, const char *dir, struct error *e)
{
	return error_os(e, errno, "%s in %s failed", what, dir);
}

static mode_t folder_mode(const struct target_dress *d)
{
	mode_t mode = 0700;
	if (d->has_mode)
		mode |= (d->mode & 0040 ? 0050 : 0) | (d->mode & 0004 ? 0005 : 0);
	return d->has_owner ? mode | 0011 : mode; /* who owns a file must get to it */
}

static enum status make_folder(int dir, const char *name, const struct target_dress *d, const char *where,
                               struct error *e)
{
	if (mkdirat(dir, name, 0700) && errno != EEXIST)
		return failed("mkdir", where, e);
	if (d->has_group && fchownat(dir, name, (uid_t)-1, d->group, AT_SYMLINK_NOFOLLOW))
		return failed("chown of a folder", where, e);
	return fchmodat(dir, name, folder_mode(d), 0) ? failed("chmod of a folder", where, e) : ST_OK;
}

/* The link comes last: with it the directory is one. */
static enum status make_first(const char *dir, int base, const struct target_dress *d, struct error *e)
{
	char target[64];
	enum status st = make_folder(base, folder_name, d, dir, e);
	AUTO(fd_close_p) int all = st ? -1 : openat(base, folder_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (st)
		return st;
	if (all < 0)
		return failed("open versions", dir, e);
	if (make_folder(all, first_name, d, dir, e))
		return e->status;
	snprintf(target, sizeof target, "%s/%s", folder_name, first_name);
	if (folder_sync(all) || (symlinkat(target, base, link_name) && errno != EEXIST) || folder_sync(base))
		return failed("symlink current", dir, e);
	return ST_OK;
}

static enum status shared(const char *dir, const char *below, struct error *e)
{
	return error_set(e, ST_DENIED,
	                 "the versioned directory %s%s is not used, because it belongs to another user or others may "
	                 "write in it; make it your own, with mode 0700 or 0755",
	                 dir, below);
}

static enum status check_base(const char *dir, int base, struct error *e)
{
	struct stat st;
	if (fstat(base, &st))
		return error_os(e, errno, "open %s failed", dir);
	return folder_is_shared(&st) ? shared(dir, "", e) : ST_OK;
}

/* Who writes in there puts a version of his own in the place of the current one. */
static enum status check_all(const struct versions *v, struct error *e)
{
	struct stat st;
	if (fstat(v->all, &st))
		return error_os(e, errno, "open %s/%s failed", v->path, folder_name);
	return folder_is_shared(&st) ? shared(v->path, "/versions", e) : ST_OK;
}

enum status versions_make(const char *dir, const struct target_dress *dress, struct error *e)
{
	AUTO(fd_close_p) int base = -1;
	char now[32];
	struct stat link;
	enum status st = file_mkdirs(dir, 0700, e);
	if (!st)
		st = place_folder(dir, &base, e);
	if (!st)
		st = check_base(dir, base, e);
	if (st || read_link(base, now))
		return st;
	if (fstatat(base, link_name, &link, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(e, ST_CONFLICT,
		                 "%s/%s exists and is no link to a folder in %s/%s; choose another directory", dir,
		                 link_name, dir, folder_name);
	struct versions v = VERSIONS_NONE;
	v.base = base;
	versions_admit(&v, dress);
	return make_first(dir, base, dress, e);
}

void versions_admit(const struct versions *v, const struct target_dress *d)
{
	const int folders[] = { v->base, v->all, v->next };
	mode_t more = folder_mode(d);
	if (!d->has_owner && !d->has_group && !d->has_mode)
		return;
	for (size_t i = 0; i < COUNT_OF(folders); i++) {
		struct stat st;
		AUTO(fd_close_p)
		int fd = folders[i] < 0 ? -1 : openat(folders[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st))
			continue;
		/* A group that cannot be given gets nothing, and no other group in its place. */
		if (d->has_group && st.st_gid != d->group && fchown(fd, (uid_t)-1, d->group))
			more &= ~(mode_t)0070;
		if ((st.st_mode & more) != more)
			(void)!fchmod(fd, (st.st_mode & 0777) | more);
	}
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static enum status check_content(const struct versions *v, struct error *e)
{
	AUTO(closedir_p) DIR *d = list(v->now, ".");
	size_t n = 0;
	if (!d)
		return error_os(e, errno, "open %s/%s failed", v->path, link_name);
	for (struct dirent *f; (f = readdir(d));) {
		struct stat st;
		if (f->d_name[0] == '.')
			continue;
		if (fstatat(v->now, f->d_name, &st, AT_SYMLINK_NOFOLLOW))
			return error_os(e, errno, "open %s/%s/%s failed", v->path, link_name, f->d_name);
		if (S_ISDIR(st.st_mode))
			return error_set(e, ST_INVALID, "%s/%s/%s is a folder, which no version can hold; move it",
			                 v->path, link_name, f->d_name);
		if (++n > VERSIONS_FILES)
			return error_set(e, ST_LIMIT, "%s/%s holds more than %d files", v->path, link_name,
			                 VERSIONS_FILES);
	}
	return ST_OK;
}

/* Group and mode are the current version's; who made it said so, or chmod did since. Nobody but us writes in it. */
static enum status make_next(struct versions *v, struct error *e)
{
	struct stat now;
	if (make_temp_name("", "new", v->next_name, e))
		return e->status;
	if (mkdirat(v->all, v->next_name, 0700))
		return failed("mkdir", v->path, e);
	v->next = openat(v->all, v->next_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (v->next < 0 || fstat(v->now, &now))
		return failed("mkdir", v->path, e);
	mode_t mode = now.st_mode & 0755;
	if (now.st_gid != getegid() && fchown(v->next, (uid_t)-1, now.st_gid))
		mode = mode & ~(mode_t)0070; /* another group is not let in */
	return fchmod(v->next, mode | 0700) ? failed("chmod", v->path, e) : ST_OK;
}

enum status versions_open(const char *dir, int base, struct versions *v, struct error *e)
{
	*v = VERSIONS_NONE;
	v->base = base;
	snprintf(v->path, sizeof v->path, "%s", dir);
	if (check_base(dir, base, e))
		return e->status;
	v->all = openat(base, folder_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (v->all < 0 || !read_link(base, v->now_name))
		return error_set(e, ST_MISSING, "%s is no versioned directory", dir);
	if (check_all(v, e))
		return e->status;
	v->now = openat(v->all, v->now_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (v->now < 0)
		return error_os(e, errno, "open %s/%s failed", dir, link_name);
	if (!folder_writable(base) || !folder_writable(v->all))
		return error_set(e, ST_IO,
		                 "open %s/%s failed: permission denied; it takes the right to write in %s and in its "
		                 "folder %s",
		                 dir, link_name, dir, folder_name);
	sweep(v);
	enum status st = check_content(v, e);
	return st ? st : make_next(v, e);
}

bool versions_hold(const struct versions *v, const struct place *file)
{
	struct stat now;
	return fstat(v->now, &now) == 0 && now.st_dev == file->folder.st_dev && now.st_ino == file->folder.st_ino;
}

/* --- the switch --------------------------------------------------------------------------------------------------- */

/* For a file that cannot be linked: another user's, say, which the kernel protects. */
static enum status copy(const struct versions *v, const char *name, struct error *e)
{
	AUTO(target_done) struct target t = TARGET_NONE;
	AUTO(buf_done) struct buf content = BUF_SECRET(1 << 20);
	struct target_owner nobody = { "", "" };
	char path[PATH_MAX];
	bool readable = false;
	if (snprintf(path, sizeof path, "%s/%s/%s/%s", v->path, folder_name, v->now_name, name) >= (int)sizeof path)
		return error_set(e, ST_LIMIT, "%s/%s: the path is too long", v->path, name);
	enum status st = target_find(&t, path, PLACE_NO_LINKS, 0600, e);
	t.staging = v->next;
	if (!st)
		st = target_prepare(&t, &nobody, e);
	if (!st)
		st = target_read(&t, &content, &readable, e);
	if (!st && !readable)
		st = error_set(e, ST_IO, "open %s failed: permission denied", path);
	if (!st)
		st = target_stage(&t, &nobody, -1, buf_slice(&content), e);
	if (!st)
		target_keep(&t);
	return st;
}

static enum status carry(const struct versions *v, struct error *e)
{
	AUTO(closedir_p) DIR *d = list(v->now, ".");
	if (!d)
		return error_os(e, errno, "open %s/%s failed", v->path, link_name);
	for (struct dirent *f; (f = readdir(d));) {
		struct stat st;
		if (f->d_name[0] == '.' || fstatat(v->next, f->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		if (linkat(v->now, f->d_name, v->next, f->d_name, 0) && copy(v, f->d_name, e))
			return e->status;
	}
	return ST_OK;
}

/* A number that nothing has yet. */
static enum status number_it(struct versions *v, struct error *e)
{
	AUTO(closedir_p) DIR *d = list(v->all, ".");
	int64_t n, most = 0;
	char name[32];
	if (!d)
		return failed("open versions", v->path, e);
	for (struct dirent *f; (f = readdir(d));)
		if (is_number(f->d_name, &n) && n > most)
			most = n;
	snprintf(name, sizeof name, "%06lld", (long long)most + 1);
	if (!is_number(name, &n))
		return error_set(e, ST_LIMIT,
		                 "%s/%s/%lld leaves no number for another version; rename it, as its name is no "
		                 "version's",
		                 v->path, folder_name, (long long)most);
	if (renameat(v->all, v->next_name, v->all, name))
		return failed("rename of the new version", v->path, e);
	memcpy(v->next_name, name, sizeof name);
	return folder_sync(v->all) ? failed("fsync versions", v->path, e) : ST_OK;
}

static enum status point(struct versions *v, struct error *e)
{
	char temp[32], target[64];
	if (make_temp_name("current.", "new", temp, e))
		return e->status;
	snprintf(target, sizeof target, "%s/%s", folder_name, v->next_name);
	if (symlinkat(target, v->base, temp))
		return failed("symlink", v->path, e);
	if (renameat(v->base, temp, v->base, link_name)) {
		failed("rename to current", v->path, e);
		unlinkat(v->base, temp, 0);
		return e->status;
	}
	v->switched = true;
	return folder_sync(v->base) ? failed("fsync", v->path, e) : ST_OK;
}

enum status versions_switch(struct versions *v, size_t keep, struct error *e)
{
	if (carry(v, e))
		return e->status;
	if (folder_sync(v->next))
		return failed("fsync of the new version", v->path, e);
	if (number_it(v, e) || point(v, e))
		return e->status;
	prune(v, keep);
	return ST_OK;
}

void versions_close(struct versions *v)
{
	if (v->next_name[0] && !v->switched && v->all >= 0)
		remove_flat(v->all, v->next_name);
	fd_close_p(&v->all);
	fd_close_p(&v->now);
	fd_close_p(&v->next);
	*v = VERSIONS_NONE;
}
