/* scratch.h - a temporary folder and small helpers for the tests of os/. They use libc directly, and may not be armed.
 */
#pragma once
#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOBODY = 65534, FILE_BYTES = 8192 };

static char scratch_dir[PATH_MAX / 2];

/* "DIR/name"; sixteen results stay valid at a time. */
__attribute__((unused)) static const char *in_scratch(const char *name)
{
	static char paths[16][PATH_MAX];
	static unsigned next;
	char *p = paths[next++ % 16];
	snprintf(p, PATH_MAX, "%s/%s", scratch_dir, name);
	return p;
}

static int scratch_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int scratch_make_in(const char *folder)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(scratch_dir, sizeof scratch_dir, "%s/perennial-os-XXXXXX", tmp ? tmp : folder);
	char *made = mkdtemp(scratch_dir), real[PATH_MAX];
	assert_non_null(made);
	assert_non_null(realpath(scratch_dir, real));
	assert_true(strlen(real) < sizeof scratch_dir);
	memcpy(scratch_dir, real, strlen(real) + 1);
	return 0;
}

__attribute__((unused)) static int scratch_make(void **state)
{
	(void)state;
	return scratch_make_in("/tmp");
}

/* Where thousands of fsyncs cost nothing. */
__attribute__((unused)) static int scratch_make_in_memory(void **state)
{
	(void)state;
	return scratch_make_in(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
}

static int scratch_open_up(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	return type == FTW_D || type == FTW_DNR ? chmod(path, st->st_mode | 0700) : 0;
}

__attribute__((unused)) static int scratch_drop(void **state)
{
	(void)state;
	/* A test that failed may have left us somebody else. */
	if (getuid() == 0 && seteuid(0))
		return -1;
	nftw(scratch_dir, scratch_open_up, 16, FTW_PHYS);
	nftw(scratch_dir, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

__attribute__((unused)) static void put_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* "" where there is none. */
__attribute__((unused)) static const char *get_file(const char *path)
{
	static char text[FILE_BYTES];
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
	text[n] = '\0';
	if (f)
		fclose(f);
	return text;
}

__attribute__((unused)) static bool is_file(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

__attribute__((unused)) static unsigned mode_of(const char *path)
{
	struct stat st;
	assert_int_equal(lstat(path, &st), 0);
	return (unsigned)st.st_mode & 07777;
}

/* Entries of a folder, but for "." and "..". */
__attribute__((unused)) static unsigned count_entries(const char *dir)
{
	unsigned n = 0;
	DIR *d = opendir(dir);
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

__attribute__((unused)) static unsigned open_fds(void)
{
	return count_entries("/proc/self/fd");
}

#define NEEDS_ROOT()                                                                                                   \
	do {                                                                                                           \
		if (geteuid() != 0) {                                                                                  \
			print_message("# skipped: %s needs root\n", __func__);                                         \
			skip();                                                                                        \
		}                                                                                                      \
	} while (0)
