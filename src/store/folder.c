#include "store/folder.h"

#include "base/buf.h"
#include "base/num.h"
#include "os/auto.h"
#include "os/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME "perennial.lock"

enum { PID_TEXT = 24 };

void folder_done(struct folder *f)
{
	if (f->lock >= 0)
		close(f->lock);
	free(f->path);
	free(f->database);
	*f = FOLDER_NONE;
}

enum status folder_give(int folder, int file, struct error *e)
{
	struct stat st;
	if (geteuid() != 0)
		return ST_OK;
	/* A root without that right keeps what it made, as any other user does. */
	if (fstat(folder, &st) < 0 || (fchown(file, st.st_uid, st.st_gid) < 0 && errno != EPERM))
		return error_os(e, errno, "give it to the folder's owner");
	return ST_OK;
}

/* Opens or creates a file of ours. SQLite gives its log the mode of the database file, so 0600 here is 0600 there. */
static enum status private_file(int dir, const char *name, int *ret_fd, struct error *e)
{
	AUTO(fd_close_p) int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd >= 0 && fchmod(fd, 0600) < 0)
			return error_os(e, errno, "set the mode of %s", name);
		if (fd >= 0 && folder_give(dir, fd, e))
			return error_wrap(e, "%s", name);
	}
	if (fd < 0)
		return error_os(e, errno, "open %s", name);
	*ret_fd = FD_TAKE(fd);
	return ST_OK;
}

/* The lock is on the open file description: a second store in this very process is kept out too. */
static enum status lock_take(int fd, const char *folder, struct error *e)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (fcntl(fd, F_OFD_SETLK, &whole) < 0) {
		if (errno != EAGAIN && errno != EACCES)
			return error_os(e, errno, "lock %s", LOCK_NAME);
		char text[PID_TEXT] = "";
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
		int64_t pid;
		struct error unreadable;
		if (n <= 0 || num_parse(slice_trim(slice_of(text, (size_t)n)), 1, INT32_MAX, &pid, &unreadable))
			return error_set(e, ST_CONFLICT, "the database in %s is held by another process; stop it first",
			                 folder);
		return error_set(e, ST_CONFLICT, "the database in %s is held by process %d; stop it first", folder,
		                 (int)pid);
	}
	char text[PID_TEXT];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (pwrite(fd, text, (size_t)n, 0) != n || ftruncate(fd, n) < 0) /* in this order: it needs no room */
		return error_os(e, errno, "write %s", LOCK_NAME);
	return ST_OK;
}

/* The entries of the folder's files, and of the folder itself, must outlive a power cut. */
static enum status sync_entries(int dir, struct error *e)
{
	if (fsync(dir) < 0)
		return error_os(e, errno, "fsync the folder");
	AUTO(fd_close_p) int parent = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return errno == EACCES ? ST_OK /* then it was not made by us either */ : error_os(e, errno, "open ..");
	return fsync(parent) < 0 ? error_os(e, errno, "fsync the folder above") : ST_OK;
}

static enum status folder_fill(struct folder *f, struct error *e)
{
	AUTO(fd_close_p) int dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOTDIR ? error_set(e, ST_INVALID, "is not a folder") : error_os(e, errno, "open");
	AUTO(fd_close_p) int database = -1;
	if (private_file(dir, LOCK_NAME, &f->lock, e) || lock_take(f->lock, f->path, e) ||
	    private_file(dir, FOLDER_DATABASE, &database, e))
		return e->status;
	return sync_entries(dir, e);
}

enum status folder_take(const char *path, struct folder *ret, struct error *e)
{
	AUTO(folder_done) struct folder f = FOLDER_NONE;
	struct stat known;
	if (stat(path, &known) == 0 && !S_ISDIR(known.st_mode))
		return error_set(e, ST_INVALID, "database folder %s: it is a file; give db.dataSource a folder", path);
	if (file_mkdirs(path, 0700, e))
		return error_wrap(e, "database folder %s", path);
	/* The operator may reach the folder through links; SQLite, told to follow none, gets the path without them. */
	f.path = realpath(path, NULL);
	if (!f.path)
		return error_os(e, errno, "database folder %s", path);
	AUTO(buf_done) struct buf database = BUF_INIT(8192);
	buf_addf(&database, "%s/" FOLDER_DATABASE, f.path);
	if (buf_check(&database, e))
		return e->status;
	f.database = buf_take(&database);
	if (folder_fill(&f, e))
		return e->status == ST_CONFLICT ? e->status : error_wrap(e, "database folder %s", path);
	*ret = f;
	f = FOLDER_NONE;
	return ST_OK;
}
