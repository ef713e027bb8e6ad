#include "os/target.h"

#include "os/auto.h"
#include "os/entropy.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/xattr.h>

enum { RANDOM_BYTES = 6, XATTR_BYTES = 4096 };

static const char acl_name[] = "system.posix_acl_access";

void target_owner_init(struct target_owner *o, const char *path, const char *suffix)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (const char *p = path; *p; p++)
		h = (h ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	snprintf(o->id, sizeof o->id, "%016" PRIx64, h);
	o->suffix = suffix;
}

static enum status fail(const struct target *t, int os, struct error *e)
{
	return error_os(e, os, "open %s failed", t->place.given);
}

enum status target_find(struct target *t, const char *path, enum place_links links, mode_t mode, struct error *e)
{
	t->mode = mode & 0777;
	enum status st = place_find(path, links, &t->place, e);
	if (st || !t->place.exists)
		return st;
	const struct stat *f = &t->place.st;
	if (!S_ISREG(f->st_mode))
		return error_set(e, ST_INVALID, "open %s failed: not a regular file", path);
	bool foreign = f->st_uid != 0 && f->st_uid != geteuid();
	if (foreign && (t->place.folder.st_mode & S_IWOTH))
		return error_set(e, ST_DENIED,
		                 "open %s failed: it belongs to another user (%u) in a folder where everybody may "
		                 "write; remove it or "
		                 "choose another folder",
		                 path, (unsigned)f->st_uid);
	return ST_OK;
}

/* --- the temporary file ------------------------------------------------------------------------------------------ */

void target_drop(struct target *t)
{
	if (t->tmp >= 0)
		unlinkat(t->tmp_dir, t->tmp_name, 0);
	fd_close_p(&t->tmp);
	fd_close_p(&t->tmp_dir);
	t->tmp = t->tmp_dir = -1;
}

static enum status make_temp(struct target *t, const struct target_owner *o, int dir, struct error *e)
{
	uint8_t chance[RANDOM_BYTES];
	enum status st = entropy_fill(&entropy_system, chance, sizeof chance, e);
	if (st)
		return st;
	char random[2 * RANDOM_BYTES + 1];
	for (size_t i = 0; i < RANDOM_BYTES; i++)
		snprintf(random + 2 * i, 3, "%02x", chance[i]);
	if (t->staging >= 0)
		snprintf(t->tmp_name, sizeof t->tmp_name, "%s", t->place.name);
	else
		snprintf(t->tmp_name, sizeof t->tmp_name, ".%.*s.%s.%s.%s", TARGET_NAME_KEPT, t->place.name, o->id,
		         random, o->suffix);
	t->tmp_dir = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	if (t->tmp_dir < 0)
		return fail(t, errno, e);
	t->tmp = openat(t->tmp_dir, t->tmp_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (t->tmp >= 0)
		return ST_OK;
	st = fail(t, errno, e);
	fd_close_p(&t->tmp_dir);
	t->tmp_dir = -1;
	return st;
}

static bool is_hex(const char *s, size_t n)
{
	return strspn(s, "0123456789abcdef") >= n;
}

static bool is_ours(const char *name, const struct target_owner *o)
{
	char tail[64];
	int n = snprintf(tail, sizeof tail, ".%s.", o->id);
	size_t end = (size_t)n + 2 * RANDOM_BYTES + 1 + strlen(o->suffix), len = strlen(name);
	if (name[0] != '.' || len < end + 2)
		return false;
	const char *at = name + len - end;
	return memcmp(at, tail, (size_t)n) == 0 && is_hex(at + n, 2 * RANDOM_BYTES) &&
	       at[n + 2 * RANDOM_BYTES] == '.' && strcmp(at + n + 2 * RANDOM_BYTES + 1, o->suffix) == 0;
}

static void sweep(int dir, const struct target_owner *o, const time_t *before_s)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	AUTO(closedir_p) DIR *d = fdopendir(fd);
	if (!d) {
		fd_close_p(&fd);
		return;
	}
	for (struct dirent *f; (f = readdir(d));) {
		struct stat st;
		if (is_ours(f->d_name, o) && fstatat(fd, f->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && (st.st_uid == geteuid() || geteuid() == 0) &&
		    (!before_s || st.st_mtime < *before_s))
			unlinkat(fd, f->d_name, 0);
	}
}

void target_sweep(int dir, const struct target_owner *o)
{
	sweep(dir, o, NULL);
}

void target_sweep_before(int dir, const struct target_owner *o, time_t before_s)
{
	sweep(dir, o, &before_s);
}

/* --- keeping what the old file had ------------------------------------------------------------------------------- */

static bool is_mount_point(const struct place *p)
{
	struct statx dir, file;
	if (statx(p->dir, "", AT_EMPTY_PATH, STATX_MNT_ID, &dir) ||
	    statx(p->dir, p->name, AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &file))
		return false;
	return (dir.stx_mask & file.stx_mask & STATX_MNT_ID) && dir.stx_mnt_id != file.stx_mnt_id;
}

/* In a sticky folder only the owners of file and folder may rename over a file. */
static bool is_stuck(const struct place *p)
{
	uid_t me = geteuid();
	return (p->folder.st_mode & S_ISVTX) && me != 0 && p->st.st_uid != me && p->folder.st_uid != me;
}

static bool keep_owner(int tmp, const struct stat *old)
{
	struct stat now;
	if (fstat(tmp, &now))
		return false;
	if (now.st_uid == old->st_uid && now.st_gid == old->st_gid)
		return true;
	if (fchown(tmp, old->st_uid, old->st_gid) == 0)
		return true;
	/* The group alone is still worth having. */
	int lost = now.st_gid == old->st_gid ? 0 : fchown(tmp, (uid_t)-1, old->st_gid);
	(void)lost;
	return false;
}

/* The ACL says who may read, so losing it counts; a folder's default ACL that the new file inherited does not belong.
 */
static bool keep_acl(int tmp, int old)
{
	char acl[XATTR_BYTES];
	ssize_t n = fgetxattr(old, acl_name, acl, sizeof acl);
	if (n >= 0)
		return fsetxattr(tmp, acl_name, acl, (size_t)n, 0) == 0;
	if (errno != ENODATA && errno != ENOTSUP)
		return false;
	return fremovexattr(tmp, acl_name) == 0 || errno == ENODATA || errno == ENOTSUP;
}

/* Labels and users' notes: kept where the system lets us. Capabilities and integrity hashes belong to the old content.
 */
static void keep_labels(int tmp, int old)
{
	static const char *const kept[] = { "security.selinux", "security.SMACK64", "user." };
	char names[XATTR_BYTES], value[XATTR_BYTES];
	ssize_t n = flistxattr(old, names, sizeof names);
	for (const char *name = names; n > 0 && name < names + n; name += strlen(name) + 1) {
		bool wanted = false;
		for (size_t i = 0; i < COUNT_OF(kept); i++)
			wanted |= strncmp(name, kept[i], strlen(kept[i])) == 0;
		ssize_t got = wanted ? fgetxattr(old, name, value, sizeof value) : -1;
		int refused = got < 0 ? 0 : fsetxattr(tmp, name, value, (size_t)got, 0);
		(void)refused;
	}
}

/* Where group or ACL are lost, the group class of the new file is somebody else: it gets no more than everybody. */
static mode_t narrowed(mode_t mode)
{
	return (mode & ~(mode_t)0070) | (mode & ((mode & 0007) << 3));
}

static bool open_in_place(struct target *t)
{
	const struct place *p = &t->place;
	/* A second name could have been given to a file of ours by whoever may write in the folder. */
	if (p->st.st_nlink > 1 && folder_is_shared(&p->folder)) {
		errno = EACCES;
		return false;
	}
	AUTO(fd_close_p) int fd = openat(p->dir, p->name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat now;
	if (fd < 0 || fstat(fd, &now))
		return false;
	if (now.st_dev != p->st.st_dev || now.st_ino != p->st.st_ino) {
		errno = ESTALE;
		return false;
	}
	t->fd = FD_TAKE(fd);
	t->way = TARGET_IN_PLACE;
	return true;
}

static bool rename_cannot(int os)
{
	return os == EACCES || os == EPERM || os == EROFS || os == EBUSY || os == EXDEV;
}

bool target_falls_back(struct target *t, int os)
{
	if (t->staging >= 0 || !t->place.exists || !rename_cannot(os) || !open_in_place(t))
		return false;
	target_drop(t);
	return true;
}

static bool has_dress(const struct target_dress *d)
{
	return d->has_owner || d->has_group || d->has_mode;
}

static bool give_owner(const struct target_dress *d, int fd)
{
	if (!d->has_owner && !d->has_group)
		return true;
	return fchown(fd, d->has_owner ? d->owner : (uid_t)-1, d->has_group ? d->group : (gid_t)-1) == 0;
}

/* In place the file is dressed once it has its new content. */
static void dress_in_place(struct target *t)
{
	const struct target_dress *d = &t->dress;
	if (!has_dress(d))
		return;
	t->undressed = !give_owner(d, t->fd);
	if (d->has_mode && fchmod(t->fd, t->undressed ? narrowed(d->mode) : d->mode))
		t->undressed = true;
}

void target_redress(struct target *t)
{
	AUTO(fd_close_p)
	int fd = has_dress(&t->dress) && t->place.exists
	                 ? openat(t->place.dir, t->place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
	                 : -1;
	struct stat now;
	if (fd < 0 || fstat(fd, &now) || now.st_dev != t->place.st.st_dev || now.st_ino != t->place.st.st_ino)
		return;
	t->fd = fd;
	dress_in_place(t);
	t->fd = -1;
}

static enum status dress_temp(struct target *t, struct error *e)
{
	mode_t mode = t->mode;
	if (t->place.exists) {
		const struct stat *was = &t->place.st;
		AUTO(fd_close_p)
		int old = openat(t->place.dir, t->place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		bool kept = keep_owner(t->tmp, was) && old >= 0 && keep_acl(t->tmp, old);
		if (!kept && t->staging < 0 && !has_dress(&t->dress) && open_in_place(t)) {
			target_drop(t);
			return ST_OK;
		}
		if (old >= 0)
			keep_labels(t->tmp, old);
		mode = kept ? was->st_mode & 0777 : narrowed(was->st_mode & 0777);
	}
	if (t->dress.has_mode)
		mode = t->dress.mode & 0777;
	t->undressed = !give_owner(&t->dress, t->tmp);
	if (fchmod(t->tmp, t->undressed ? narrowed(mode) : mode))
		return error_os(e, errno, "chmod %s failed", t->place.given);
	return ST_OK;
}

enum status target_prepare(struct target *t, const struct target_owner *o, struct error *e)
{
	if (t->staging < 0 && t->place.exists && (is_mount_point(&t->place) || is_stuck(&t->place)))
		return open_in_place(t) ? ST_OK : fail(t, errno, e);
	enum status st = make_temp(t, o, t->staging >= 0 ? t->staging : t->place.dir, e);
	if (!st)
		return dress_temp(t, e);
	int os = e->os;
	if (target_falls_back(t, os)) {
		*e = ERROR_INIT; /* who keeps it must not take it for one of ours */
		return ST_OK;
	}
	if (!rename_cannot(os))
		return st;
	char why[128];
	error_set(e, ST_IO, "open %s failed: %s; it takes the right to write in its folder%s", t->place.given,
	          errno_text(os, why, sizeof why), t->place.exists ? ", or to the file" : "");
	e->os = os;
	return ST_IO;
}

/* --- content ------------------------------------------------------------------------------------------------------ */

static enum status write_at_start(int fd, struct slice s, const char *what, struct error *e)
{
	size_t size = s.n;
	for (off_t at = 0; s.n;) {
		ssize_t n = pwrite(fd, s.p, s.n, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_os(e, n < 0 ? errno : EIO, "write %s failed", what);
		s = slice_of(s.p + n, s.n - (size_t)n);
		at += n;
	}
	if (ftruncate(fd, (off_t)size))
		return error_os(e, errno, "write %s failed", what);
	if (fsync(fd))
		return error_os(e, errno, "fsync %s failed", what);
	return ST_OK;
}

enum status target_stage(struct target *t, const struct target_owner *o, int home, struct slice content,
                         struct error *e)
{
	if (t->tmp < 0 && home < 0)
		return ST_OK;
	if (t->tmp < 0) {
		enum status st = make_temp(t, o, home, e);
		if (st)
			return st;
	}
	return write_at_start(t->tmp, content, t->place.given, e);
}

/* Many file systems cannot reserve; only those that say "full" are believed. */
static enum status allocate(const struct target *t, int fd, int mode, size_t n, struct error *e)
{
	int bad;
	do
		bad = fallocate(fd, mode, 0, (off_t)n) ? errno : 0;
	while (bad == EINTR);
	if (bad == ENOSPC || bad == EDQUOT || bad == EFBIG)
		return error_os(e, bad, "write %s failed", t->place.given);
	return ST_OK;
}

enum status target_reserve(struct target *t, size_t n, struct error *e)
{
	return t->way == TARGET_IN_PLACE && n ? allocate(t, t->fd, FALLOC_FL_KEEP_SIZE, n, e) : ST_OK;
}

enum status target_claim(struct target *t, size_t n, struct error *e)
{
	return t->tmp >= 0 ? allocate(t, t->tmp, 0, n, e) : ST_OK;
}

enum status target_rename(struct target *t, struct error *e)
{
	if (renameat(t->tmp_dir, t->tmp_name, t->place.dir, t->place.name))
		return error_os(e, errno, "rename to %s failed", t->place.given);
	fd_close_p(&t->tmp);
	t->tmp = -1;
	return ST_OK;
}

enum status target_overwrite(struct target *t, struct slice content, struct error *e)
{
	enum status st = write_at_start(t->fd, content, t->place.given, e);
	if (!st)
		dress_in_place(t);
	return st;
}

enum status target_read(const struct target *t, struct buf *ret, bool *ret_readable, struct error *e)
{
	const char *what = t->place.given;
	AUTO(fd_close_p) int fd = openat(t->place.dir, t->place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	*ret_readable = fd >= 0;
	if (fd < 0)
		return errno == EACCES ? ST_OK : error_os(e, errno, "open %s failed", what);
	return fd_read_all(fd, ret, what, e);
}

void target_keep(struct target *t)
{
	fd_close_p(&t->tmp);
	fd_close_p(&t->tmp_dir);
	t->tmp = t->tmp_dir = -1;
}

void target_done(struct target *t)
{
	target_drop(t);
	fd_close_p(&t->fd);
	t->fd = -1;
	place_done(&t->place);
}
