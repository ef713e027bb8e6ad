#include "faultvfs.h"

#include "fixture.h"

#include "base/macros.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct file {
	sqlite3_file base;
	char *path; /* NULL: a temporary file, which nobody misses */
	sqlite3_file *real;
};

/* One write or truncation, in the order of time. */
struct entry {
	char *path;
	bool truncate;
	enum { UNSYNCED, SYNCED, GHOST } state;
	sqlite3_int64 at, old_size;
	int n, old_n;
	uint8_t *data, *old;
	struct entry *next, *prev;
};

static struct {
	pthread_mutex_t lock;
	sqlite3_vfs vfs, *real;
	unsigned kinds, left, times, struck;
	enum fault how;
	bool dead, recording;
	struct entry *first, *last;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER };

static sqlite3_file *real_of(sqlite3_file *f)
{
	return ((struct file *)f)->real;
}

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

/* True where this call is to fail. */
static bool strike(unsigned kind)
{
	if (disk.dead)
		return true;
	if (!(disk.kinds & kind) || !disk.times)
		return false;
	if (disk.left > 1) {
		disk.left--;
		return false;
	}
	disk.times--;
	disk.struck++;
	disk.dead = disk.how == FAULT_CUT;
	return true;
}

static void entry_free(struct entry *en)
{
	*(en->prev ? &en->prev->next : &disk.first) = en->next;
	*(en->next ? &en->next->prev : &disk.last) = en->prev;
	free(en->path);
	free(en->data);
	free(en->old);
	free(en);
}

static void record(struct file *f, bool truncate, const void *p, int n, sqlite3_int64 at)
{
	if (!disk.recording || !f->path)
		return;
	struct entry *en = must(calloc(1, sizeof(*en)));
	en->path = must(strdup(f->path));
	en->truncate = truncate;
	en->at = at;
	f->real->pMethods->xFileSize(f->real, &en->old_size);
	if (truncate)
		en->old_n = en->old_size > at ? (int)(en->old_size - at) : 0;
	else
		en->old_n = en->old_size <= at ? 0 : en->old_size - at < n ? (int)(en->old_size - at) : n;
	en->old = must(malloc((size_t)en->old_n + 1));
	if (en->old_n)
		f->real->pMethods->xRead(f->real, en->old, en->old_n, at);
	en->n = n;
	en->data = must(malloc((size_t)n + 1));
	if (n)
		memcpy(en->data, p, (size_t)n);
	en->prev = disk.last;
	*(disk.last ? &disk.last->next : &disk.first) = en;
	disk.last = en;
}

static void mark(const char *path, bool saved)
{
	for (struct entry *en = disk.first; en; en = en->next)
		if (path && en->state == UNSYNCED && strcmp(en->path, path) == 0)
			en->state = saved ? SYNCED : GHOST;
}

static int write_faulty(struct file *f, const void *p, int n, sqlite3_int64 at)
{
	if (disk.how == FAULT_SHORT) {
		record(f, false, p, n / 2, at);
		f->real->pMethods->xWrite(f->real, p, n / 2, at);
	}
	return disk.how == FAULT_EIO || disk.dead ? SQLITE_IOERR_WRITE : SQLITE_FULL;
}

static int f_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
	struct file *f = (struct file *)file;
	pthread_mutex_lock(&disk.lock);
	int rc;
	if (strike(FAULT_WRITE)) {
		rc = write_faulty(f, p, n, at);
	} else {
		record(f, false, p, n, at);
		rc = f->real->pMethods->xWrite(f->real, p, n, at);
	}
	pthread_mutex_unlock(&disk.lock);
	return rc;
}

static int f_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct file *f = (struct file *)file;
	pthread_mutex_lock(&disk.lock);
	int rc = SQLITE_IOERR_TRUNCATE;
	if (!strike(FAULT_TRUNCATE)) {
		record(f, true, NULL, 0, size);
		rc = f->real->pMethods->xTruncate(f->real, size);
	}
	pthread_mutex_unlock(&disk.lock);
	return rc;
}

/* The process is killed by no test of this disk, so that the real sync would only cost time. */
static int f_sync(sqlite3_file *file, int flags)
{
	struct file *f = (struct file *)file;
	(void)flags;
	pthread_mutex_lock(&disk.lock);
	bool bad = strike(FAULT_SYNC);
	if (!disk.dead)
		mark(f->path, !bad);
	pthread_mutex_unlock(&disk.lock);
	return bad ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int f_close(sqlite3_file *f)
{
	int rc = real_of(f)->pMethods->xClose(real_of(f));
	free(((struct file *)f)->path);
	return rc;
}

static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

static int f_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int f_lock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int f_unlock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int f_reserved(sqlite3_file *f, int *out)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int f_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int f_traits(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int f_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

static int f_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void f_shm_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int f_shm_unmap(sqlite3_file *f, int remove)
{
	return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = f_close,
	.xRead = f_read,
	.xWrite = f_write,
	.xTruncate = f_truncate,
	.xSync = f_sync,
	.xFileSize = f_size,
	.xLock = f_lock,
	.xUnlock = f_unlock,
	.xCheckReservedLock = f_reserved,
	.xFileControl = f_control,
	.xSectorSize = f_sector,
	.xDeviceCharacteristics = f_traits,
	.xShmMap = f_shm_map,
	.xShmLock = f_shm_lock,
	.xShmBarrier = f_shm_barrier,
	.xShmUnmap = f_shm_unmap,
};

static int v_open(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
	(void)v;
	struct file *f = (struct file *)file;
	*f = (struct file){ .real = (sqlite3_file *)(f + 1) };
	int rc = disk.real->xOpen(disk.real, name, f->real, flags, out_flags);
	if (rc)
		return rc;
	f->path = name ? must(strdup(name)) : NULL;
	f->base.pMethods = &methods;
	return SQLITE_OK;
}

static int v_delete(sqlite3_vfs *v, const char *name, int sync_dir)
{
	(void)v;
	pthread_mutex_lock(&disk.lock);
	int rc = disk.dead ? SQLITE_IOERR_DELETE : disk.real->xDelete(disk.real, name, sync_dir);
	if (!disk.dead)
		for (struct entry *en = disk.first, *next; en; en = next) {
			next = en->next;
			if (strcmp(en->path, name) == 0)
				entry_free(en);
		}
	pthread_mutex_unlock(&disk.lock);
	return rc;
}

void faultvfs_install(void)
{
	if (disk.real)
		return;
	disk.real = must(sqlite3_vfs_find(NULL));
	disk.vfs = *disk.real;
	disk.vfs.pNext = NULL;
	disk.vfs.zName = "fault";
	disk.vfs.szOsFile += (int)sizeof(struct file);
	disk.vfs.xOpen = v_open;
	disk.vfs.xDelete = v_delete;
	sqlite3_vfs_register(&disk.vfs, 1);
}

void faultvfs_arm(unsigned kinds, unsigned n, unsigned times, enum fault how)
{
	pthread_mutex_lock(&disk.lock);
	disk.kinds = kinds;
	disk.left = n;
	disk.times = times;
	disk.how = how;
	disk.struck = 0;
	pthread_mutex_unlock(&disk.lock);
}

unsigned faultvfs_disarm(void)
{
	pthread_mutex_lock(&disk.lock);
	unsigned struck = disk.struck;
	disk.kinds = 0;
	disk.times = 0;
	pthread_mutex_unlock(&disk.lock);
	return struck;
}

void faultvfs_record(void)
{
	pthread_mutex_lock(&disk.lock);
	disk.recording = true;
	pthread_mutex_unlock(&disk.lock);
}

static void put(const char *path, const void *p, size_t n, sqlite3_int64 at)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, p, n, at), n);
	close(fd);
}

static void entry_undo(const struct entry *en)
{
	if (en->old_n)
		put(en->path, en->old, (size_t)en->old_n, en->at);
	assert_int_equal(truncate(en->path, en->old_size), 0);
}

static void entry_redo(const struct entry *en, uint64_t *seed)
{
	size_t n = (size_t)en->n;
	if (en->state == GHOST)
		return;
	if (en->state == UNSYNCED) {
		uint64_t luck = seed_next(seed) % 4;
		if (luck < 2)
			return; /* never reached the disk */
		if (luck == 2 && !en->truncate)
			n = seed_next(seed) % (n / 512 + 1) * 512; /* torn at a sector */
	}
	if (en->truncate)
		assert_int_equal(truncate(en->path, en->at), 0);
	else
		put(en->path, en->data, n, en->at);
}

void faultvfs_power_back(uint64_t *seed)
{
	for (struct entry *en = disk.last; en; en = en->prev)
		if (access(en->path, F_OK) == 0)
			entry_undo(en);
	for (struct entry *en = disk.first; en; en = en->next)
		if (access(en->path, F_OK) == 0)
			entry_redo(en, seed);
	while (disk.first)
		entry_free(disk.first);
	disk.recording = disk.dead = false;
}
