#include "fixture.h"

#include "base/macros.h"
#include "base/num.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static unsigned mode_of(const char *folder, const char *name)
{
	char path[256];
	struct stat st;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_new_folder(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	char deep[200], text[64];
	mode_t before = umask(0);
	snprintf(deep, sizeof(deep), "%s/a/b", w->dir);
	w->conf.folder = deep;
	world_open(w);
	assert_int_equal(world_apply(w, change_burn("t")), OUTCOME_DONE);
	assert_int_equal(mode_of(deep, ""), 0700);
	static const char *const files[] = { "perennial.db", "perennial.db-wal", "perennial.db-shm", "perennial.lock" };
	for (size_t i = 0; i < COUNT_OF(files); i++)
		assert_int_equal(mode_of(deep, files[i]), 0600);
	umask(before);
	assert_int_equal(store_created(w->store).s, NOW_S);
	assert_true(store_keeps_revocations(w->store));

	/* The birth of the database, not of the process. */
	world_close(w);
	w->wall_s += 1000;
	world_open(w);
	assert_int_equal(store_created(w->store).s, NOW_S);
	snprintf(w->database, sizeof(w->database), "%s/perennial.db", deep);
	world_text(w, "SELECT instance FROM meta", text, sizeof(text));
	assert_int_equal(strlen(text), 32);
	world_text(w, "PRAGMA journal_mode", text, sizeof(text));
	assert_string_equal(text, "wal");
	assert_int_equal(world_number(w, "PRAGMA application_id"), 0x5052454e);
	world_end(w);
}

/* The operator's own links lead to the folder; SQLite follows none. */
static void test_folder_behind_link(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	char link[200];
	snprintf(link, sizeof(link), "%s/link", w->dir);
	assert_int_equal(mkdir(w->folder, 0700), 0);
	assert_int_equal(symlink(w->folder, link), 0);
	w->conf.folder = link;
	world_open(w);
	assert_int_equal(world_apply(w, change_burn("t")), OUTCOME_DONE);
	assert_int_equal(world_number(w, "SELECT count(*) FROM tokens"), 1);
	world_end(w);
}

static void test_memory(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_MEMORY);
	struct stat st;
	world_open(w);
	assert_int_equal(store_created(w->store).s, NOW_S);
	assert_false(store_keeps_revocations(w->store));
	assert_int_equal(world_apply(w, change_burn("t")), OUTCOME_DONE);
	world_close(w);
	assert_int_equal(stat(w->folder, &st), -1);
	world_open(w);
	assert_int_equal(world_apply(w, change_burn("t")), OUTCOME_DONE); /* forgotten */
	world_end(w);
}

/* --- what is refused, and left as it was -------------------------------------------------------------------------- */

static void make_garbage(struct world *w)
{
	write_file(w->database, "This is somebody's letter, and not a database at all, however long it may be. "
	                        "It goes on for a while, so that no header of any kind fits in.");
}

static void make_foreign(struct world *w)
{
	world_exec(w, "CREATE TABLE cookies (host TEXT); INSERT INTO cookies VALUES ('a')");
}

static void make_foreign_id(struct world *w)
{
	world_exec(w, "PRAGMA application_id = 5");
}

static void make_foreign_version(struct world *w)
{
	world_exec(w, "PRAGMA user_version = 3");
}

static void make_ours_without_version(struct world *w)
{
	world_exec(w, "PRAGMA application_id = 0x5052454e");
}

static void make_newer(struct world *w)
{
	world_exec(w, "PRAGMA application_id = 0x5052454e; PRAGMA user_version = 99; CREATE TABLE meta (x)");
}

static void make_negative(struct world *w)
{
	world_exec(w, "PRAGMA application_id = 0x5052454e; PRAGMA user_version = -1; CREATE TABLE meta (x)");
}

static void make_link(struct world *w)
{
	char victim[200];
	snprintf(victim, sizeof(victim), "%s/victim", w->dir);
	write_file(victim, "");
	assert_int_equal(symlink(victim, w->database), 0);
}

static void make_dangling_lock(struct world *w)
{
	char lock[200], victim[200];
	snprintf(lock, sizeof(lock), "%s/perennial.lock", w->folder);
	snprintf(victim, sizeof(victim), "%s/victim", w->dir);
	assert_int_equal(symlink(victim, lock), 0);
}

static void make_folder_of_database(struct world *w)
{
	assert_int_equal(mkdir(w->database, 0700), 0);
}

static void make_file_of_folder(struct world *w)
{
	assert_int_equal(rmdir(w->folder), 0);
	write_file(w->folder, "a bbolt file, say");
}

static const struct {
	void (*make)(struct world *w);
	enum status want;
	const char *text;
} refused[] = {
	{ make_garbage, ST_INVALID, "perennial.db: the file is not a database" },
	{ make_foreign, ST_INVALID, "belongs to another program" },
	{ make_foreign_id, ST_INVALID, "belongs to another program" },
	{ make_foreign_version, ST_INVALID, "belongs to another program" },
	{ make_ours_without_version, ST_INVALID, "belongs to another program" },
	{ make_newer, ST_INVALID, "written by a newer version (schema 99;" },
	{ make_negative, ST_INVALID, "belongs to another program" },
	{ make_link, ST_IO, "open perennial.db" },
	{ make_dangling_lock, ST_IO, "open perennial.lock" },
	{ make_folder_of_database, ST_IO, "perennial.db: is a directory" },
	{ make_file_of_folder, ST_INVALID, "it is a file; give db.dataSource a folder" },
};

static size_t read_whole(const char *path, char *out, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, max);
	if (fd >= 0)
		close(fd);
	return n < 0 ? 0 : (size_t)n;
}

static void test_refused(void **state)
{
	(void)state;
	static char was[65536], is[65536];
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		struct world *w = world_begin(STORE_SQLITE);
		struct error e = ERROR_INIT;
		assert_int_equal(mkdir(w->folder, 0700), 0);
		refused[i].make(w);
		size_t n = read_whole(w->database, was, sizeof(was));
		for (int again = 0; again < 2; again++) {
			enum status st = store_open(&w->conf, &w->store, &e);
			if (st != refused[i].want || !strstr(e.text, refused[i].text))
				fail_msg("row %zu: %s: %s", i, status_name(st), e.text);
			assert_null(w->store);
			assert_int_equal(e.status, st);
		}
		assert_int_equal(read_whole(w->database, is, sizeof(is)), n);
		assert_memory_equal(was, is, n);
		world_end(w);
	}
}

/* --- the lock ----------------------------------------------------------------------------------------------------- */

static void assert_held(struct world *w, pid_t pid)
{
	char want[64];
	struct store *second = NULL;
	struct error e = ERROR_INIT;
	assert_int_equal(store_open(&w->conf, &second, &e), ST_CONFLICT);
	assert_null(second);
	snprintf(want, sizeof(want), "is held by process %d; stop it first", (int)pid);
	if (!strstr(e.text, want))
		fail_msg("\"%s\" does not say \"%s\"", e.text, want);
}

static void test_held_by_this_process(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	world_open(w);
	assert_held(w, getpid());
	assert_int_equal(world_apply(w, change_burn("t")), OUTCOME_DONE);
	world_close(w);
	world_open(w);
	world_end(w);
}

static void test_held_by_another_process(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	int ready[2];
	char c = 0;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct error e;
		c = store_open(&w->conf, &w->store, &e) ? 'n' : 'y';
		if (write(ready[1], &c, 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	assert_held(w, pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	world_open(w); /* the lock ended with its process */
	world_end(w);
}

/* A lock file whose content says nothing useful. */
static void test_held_by_nobody_known(void **state)
{
	(void)state;
	static const char *const contents[] = { "", "\n", "none", "-4", "99999999999999999999999" };
	for (size_t i = 0; i < COUNT_OF(contents); i++) {
		struct world *w = world_begin(STORE_SQLITE);
		char lock[200];
		struct store *second = NULL;
		struct error e = ERROR_INIT;
		world_open(w);
		snprintf(lock, sizeof(lock), "%s/perennial.lock", w->folder);
		write_file(lock, contents[i]);
		assert_int_equal(store_open(&w->conf, &second, &e), ST_CONFLICT);
		assert_non_null(strstr(e.text, "is held by another process"));
		world_end(w);
	}
}

/* A database that is damaged while the CA runs: an error of the CA, and never a wrong answer. */
static void test_damaged(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	struct error e = ERROR_INIT;
	enum outcome o;
	world_open(w);
	assert_int_equal(world_apply(w, change_issue("t", "1")), OUTCOME_DONE);
	world_close(w);
	int fd = open(w->database, O_RDWR | O_CLOEXEC);
	struct stat st;
	static const char noise[4096] = { 1, 2, 3 };
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 4096; at < st.st_size; at += 4096)
		assert_int_equal(pwrite(fd, noise, sizeof(noise), at), sizeof(noise));
	close(fd);
	enum status opened = store_open(&w->conf, &w->store, &e);
	if (!opened)
		opened = store_apply(w->store, change_issue("t", "2"), &o, &e);
	assert_int_equal(opened, ST_IO);
	assert_non_null(strstr(e.text, "the database is damaged; stop the CA and restore a backup"));
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_folder),
		cmocka_unit_test(test_folder_behind_link),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_held_by_this_process),
		cmocka_unit_test(test_held_by_another_process),
		cmocka_unit_test(test_held_by_nobody_known),
		cmocka_unit_test(test_damaged),
	};
	return cmocka_run_group_tests_name("store/open", tests, NULL, NULL);
}
