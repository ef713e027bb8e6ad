#include "os/filetx.h"

#include "fail.h"
#include "os/file.h"
#include "os/journal.h"
#include "scratch.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <sys/xattr.h>

enum { FILES = 3 };

static const struct {
	const char *name, *old, *new;
	mode_t mode;
} rows[FILES] = {
	{ "site.crt", "the old certificate, which is longer than the new one\n", "the new certificate\n", 0644 },
	{ "site.key", "old key\n", "the new key is longer\n", 0600 },
	{ "all.pem", "old all\n", "new all\n", 0640 },
};

/* Where a scenario takes place. In the locked folder nothing can be renamed: there it is the state folder's turn. */
static struct {
	char dir[PATH_MAX], state[PATH_MAX];
	bool in_place;
} stage;

static const char *path_of(size_t i)
{
	static char paths[FILES][PATH_MAX + 16];
	snprintf(paths[i], sizeof paths[i], "%s/%s", stage.dir, rows[i].name);
	return paths[i];
}

/* Permissions do not bind root, so scenarios in place run as nobody where we are root. */
static void become(uid_t uid)
{
	if (getuid() == 0)
		assert_int_equal(seteuid(uid), 0);
}

static void set_stage(bool in_place)
{
	snprintf(stage.dir, sizeof stage.dir, "%s", in_scratch("dir"));
	snprintf(stage.state, sizeof stage.state, "%s", in_scratch("state"));
	stage.in_place = in_place;
	mkdir(stage.dir, 0755);
	mkdir(stage.state, 0700);
	uid_t owner = in_place && getuid() == 0 ? NOBODY : getuid();
	assert_int_equal(chown(scratch_dir, owner, (gid_t)-1), 0);
	assert_int_equal(chown(stage.dir, owner, (gid_t)-1), 0);
	assert_int_equal(chown(stage.state, owner, (gid_t)-1), 0);
	if (in_place)
		become(NOBODY);
}

static void leave_stage(void)
{
	become(0);
	chmod(stage.dir, 0755);
	chmod(stage.state, 0700);
	for (size_t i = 0; i < FILES; i++)
		unlink(path_of(i));
}

static void put_old(size_t n)
{
	chmod(stage.dir, 0755);
	for (size_t i = 0; i < n; i++)
		put_file(path_of(i), rows[i].old, rows[i].mode);
	if (stage.in_place)
		chmod(stage.dir, 0555);
}

static enum status open_files(size_t n, bool wait, struct filetx **ret, bool *recovered, struct error *e)
{
	struct filetx_file files[FILES];
	for (size_t i = 0; i < n; i++)
		files[i] = (struct filetx_file){ .path = path_of(i), .mode = rows[i].mode };
	return filetx_open(files, n, stage.state, wait, ret, recovered, e);
}

static enum status replace(size_t n, struct error *e)
{
	AUTO(filetx_close_p) struct filetx *t = NULL;
	bool recovered;
	enum status st = open_files(n, false, &t, &recovered, e);
	for (size_t i = 0; i < n && !st; i++)
		st = filetx_stage(t, i, slice_cstr(rows[i].new), e);
	return st ? st : filetx_commit(t, e);
}

static bool all_are(size_t n, bool new)
{
	bool all = true;
	for (size_t i = 0; i < n; i++)
		all &= strcmp(get_file(path_of(i)), new ? rows[i].new : rows[i].old) == 0;
	return all;
}

static void assert_clean(size_t n)
{
	assert_int_equal(count_entries(stage.dir), n);
	assert_int_equal(count_entries(stage.state), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(mode_of(path_of(i)), rows[i].mode);
}

/* The next run: afterwards the files are of one kind, and nothing else is left. */
static bool assert_next_open_heals(size_t n)
{
	struct error e = ERROR_INIT;
	AUTO(filetx_close_p) struct filetx *t = NULL;
	bool recovered = false, pending = filetx_pending(path_of(0), stage.state);
	enum status st = open_files(n, false, &t, &recovered, &e);
	if (st)
		fail_msg("%s", e.text);
	assert_int_equal(recovered, pending);
	assert_null(filetx_note(t));
	filetx_close(TAKE(t));
	assert_false(filetx_pending(path_of(0), stage.state));
	assert_clean(n);
	bool new = all_are(n, true);
	assert_true(new || all_are(n, false));
	assert_true(new || !pending);
	return new;
}

/* --- every call fails once ---------------------------------------------------------------------------------------- */

static unsigned fail_every(unsigned kinds, int os, size_t n)
{
	for (unsigned at = 1;; at++) {
		put_old(n);
		struct error e = ERROR_INIT;
		unsigned fds = open_fds();
		fail_arm(kinds, at, os);
		enum status st = replace(n, &e);
		bool hit = fail_disarm();
		assert_int_equal(open_fds(), fds);
		if (!hit) {
			assert_int_equal(st, ST_OK);
			assert_true(all_are(n, true));
			assert_clean(n);
			return at;
		}
		bool pending = filetx_pending(path_of(0), stage.state);
		if (st) {
			assert_true(e.text[0]);
			assert_true(pending || all_are(n, false) || all_are(n, true));
		} else {
			assert_true(all_are(n, true));
		}
		if (pending && st && !all_are(n, false))
			assert_non_null(strstr(e.text, "the next run puts them in place"));
		assert_next_open_heals(n);
	}
}

static void fail_all_kinds(bool in_place)
{
	static const struct {
		unsigned kinds;
		int os;
	} faults[] = { { FAIL_ALLOC, ENOMEM }, { FAIL_WRITE, ENOSPC }, { FAIL_SYNC, EIO },    { FAIL_RENAME, EIO },
		       { FAIL_RENAME, EBUSY }, { FAIL_OPEN, EMFILE },  { FAIL_OPEN, EACCES }, { FAIL_ATTR, EPERM } };
	set_stage(in_place);
	for (size_t n = 1; n <= FILES; n++) {
		for (size_t f = 0; f < COUNT_OF(faults); f++) {
			unsigned calls = fail_every(faults[f].kinds, faults[f].os, n);
			/* A loop that met no call proves nothing. In place nothing is created that needs an owner or
			 * mode when the lone file's journal is the only new one. */
			if (calls < 2)
				fail_msg("no call of kind %u", faults[f].kinds);
		}
	}
	leave_stage();
}

/* No test can cut the power, so the fsyncs are counted: each new content, the journal and its folder, each file written
 * in place, the files' folder, and the journal's folder once it is gone. */
static void every_fsync_is_there(void **state)
{
	(void)state;
	for (int in_place = 0; in_place < 2; in_place++) {
		set_stage(in_place);
		for (unsigned n = 1; n <= FILES; n++) {
			unsigned want = in_place ? 2 * n + 4 : n == 1 ? 2 : n + 4;
			assert_int_equal(fail_every(FAIL_SYNC, EIO, n) - 1, want);
		}
		leave_stage();
	}
}

/* Old files but for one that is changed already, and the journal. */
static void interrupt(size_t n)
{
	struct error e = ERROR_INIT;
	enum status st = ST_OK;
	for (unsigned at = 1; !st || !filetx_pending(path_of(0), stage.state); at++) {
		put_old(n);
		fail_arm(stage.in_place ? FAIL_WRITE : FAIL_RENAME, at, EIO);
		st = replace(n, &e);
		assert_true(fail_disarm());
	}
}

/* Of a recovery too, before the journal goes: each content, the folder, and the journal's folder. */
static void every_fsync_of_a_recovery_is_there(void **state)
{
	(void)state;
	for (int in_place = 0; in_place < 2; in_place++) {
		set_stage(in_place);
		unsigned want = in_place ? FILES + 2 : FILES - 1 + 2, at = 1;
		for (bool hit = true; hit; at++) {
			struct filetx *t = NULL;
			struct error e = ERROR_INIT;
			bool recovered;
			interrupt(FILES);
			fail_arm(FAIL_SYNC, at, EIO);
			enum status st = open_files(FILES, false, &t, &recovered, &e);
			hit = fail_disarm();
			filetx_close(t);
			/* Unless it is only the journal's going that may be lost, the journal is there for the next. */
			assert_int_equal(st, hit && at < want ? ST_IO : ST_OK);
			assert_int_equal(filetx_pending(path_of(0), stage.state), st != ST_OK);
			assert_true(assert_next_open_heals(FILES));
		}
		assert_int_equal(at - 2, want);
		leave_stage();
	}
}

/* The first rename fails, nothing has changed: then nothing is pending either. (The journal's own is the one before.)
 */
static void a_commit_that_changed_nothing_leaves_no_journal(void **state)
{
	(void)state;
	set_stage(false);
	put_old(2);
	struct error e = ERROR_INIT;
	fail_arm(FAIL_RENAME, 2, EIO);
	assert_int_equal(replace(2, &e), ST_IO);
	assert_true(fail_disarm());
	assert_non_null(strstr(e.text, "rename to"));
	assert_false(filetx_pending(path_of(0), stage.state));
	assert_true(all_are(2, false));
	assert_clean(2);
	fail_arm(FAIL_RENAME, 3, EIO);
	assert_int_equal(replace(2, &e), ST_IO);
	assert_true(fail_disarm());
	assert_non_null(strstr(e.text, "the next run puts them in place"));
	assert_true(filetx_pending(path_of(0), stage.state));
	assert_true(assert_next_open_heals(2));
}

static void a_failed_call_leaves_old_or_new(void **state)
{
	(void)state;
	fail_all_kinds(false);
}

static void a_failed_call_leaves_old_or_new_in_place(void **state)
{
	(void)state;
	fail_all_kinds(true);
}

/* --- killed at every call ----------------------------------------------------------------------------------------- */

/* True where the child was killed at the n-th call. */
static bool killed_at(unsigned at, size_t n, bool recovery)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct error e = ERROR_INIT;
		struct filetx *t = NULL;
		bool recovered;
		fail_arm_kill(FAIL_FILE, at);
		enum status st = recovery ? open_files(n, false, &t, &recovered, &e) : replace(n, &e);
		filetx_close(t);
		_exit(st ? 1 : 0);
	}
	int how;
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFEXITED(how));
	assert_true(WEXITSTATUS(how) == 137 || WEXITSTATUS(how) == 0);
	return WEXITSTATUS(how) == 137;
}

/* A process a point is dear: of many points one in a few is tried, by a seed that is printed; PERENNIAL_TORTURE tries
 * all. */
static uint64_t seed;

static void seed_start(void)
{
	const char *given = getenv("PERENNIAL_SEED");
	seed = given ? strtoull(given, NULL, 10) : (uint64_t)getpid() * 1000003;
	print_message("# PERENNIAL_SEED=%llu\n", (unsigned long long)seed);
	if (getenv("PERENNIAL_TORTURE"))
		seed = 0;
}

static bool is_chosen(unsigned one_in)
{
	if (!seed)
		return true;
	/* splitmix64 */
	uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % one_in == 0;
}

static void kill_everywhere(bool in_place)
{
	seed_start();
	set_stage(in_place);
	for (size_t n = 1; n <= FILES; n++) {
		bool was_new = false;
		unsigned at = 1;
		for (;; at++) {
			if (n > 1 && !is_chosen(3))
				continue;
			put_old(n);
			bool hit = killed_at(at, n, false);
			bool new = assert_next_open_heals(n);
			/* Once the new files are certain, a later death does not bring the old ones back. */
			assert_true(new || !was_new);
			was_new = new;
			if (!hit)
				break;
		}
		assert_true(at > 5);
		assert_true(was_new);
	}
	leave_stage();
}

static void killed_anywhere_the_next_open_heals(void **state)
{
	(void)state;
	kill_everywhere(false);
}

static void killed_anywhere_the_next_open_heals_in_place(void **state)
{
	(void)state;
	kill_everywhere(true);
}

/* New content in a temporary file that no journal leads to. */
static unsigned temps_with_content(const char *dir)
{
	unsigned found = 0;
	DIR *d = opendir(dir);
	assert_non_null(d);
	for (struct dirent *f; (f = readdir(d));) {
		char text[FILE_BYTES];
		size_t len = strlen(f->d_name);
		int fd = len > 4 && !strcmp(f->d_name + len - 4, ".new")
		                 ? openat(dirfd(d), f->d_name, O_RDONLY | O_CLOEXEC)
		                 : -1;
		ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : 0;
		if (fd >= 0)
			close(fd);
		found += n > 0 && text[0] != '\0';
	}
	closedir(d);
	return found;
}

/* For every instant that leaves a journal: recovery is killed at each of its calls, and begun again. */
static void kill_recovery(bool in_place)
{
	enum { N = 2 };
	unsigned journals = 0;
	seed_start();
	set_stage(in_place);
	for (unsigned at = 1;; at++) {
		put_old(N);
		bool hit = killed_at(at, N, false), pending = filetx_pending(path_of(0), stage.state);
		journals += pending;
		assert_next_open_heals(N);
		for (unsigned second = 1; pending; second++) {
			if (!is_chosen(6))
				continue;
			put_old(N);
			assert_true(killed_at(at, N, false));
			assert_true(filetx_pending(path_of(0), stage.state));
			bool again = killed_at(second, N, true);
			if (!filetx_pending(path_of(0), stage.state))
				assert_int_equal(temps_with_content(stage.dir) + temps_with_content(stage.state), 0);
			assert_true(assert_next_open_heals(N));
			if (!again)
				break;
		}
		if (!hit)
			break;
	}
	assert_true(journals >= 2);
	leave_stage();
}

static void recovery_may_be_killed_too(void **state)
{
	(void)state;
	kill_recovery(false);
}

static void recovery_may_be_killed_too_in_place(void **state)
{
	(void)state;
	kill_recovery(true);
}

/* --- what is kept ------------------------------------------------------------------------------------------------- */

static void new_files_get_their_mode_whatever_the_umask(void **state)
{
	(void)state;
	static const mode_t masks[] = { 0, 022, 077, 0777 };
	set_stage(false);
	for (size_t m = 0; m < COUNT_OF(masks); m++) {
		struct error e = ERROR_INIT;
		for (size_t i = 0; i < FILES; i++)
			unlink(path_of(i));
		mode_t was = umask(masks[m]);
		enum status st = replace(FILES, &e);
		umask(was);
		assert_int_equal(st, ST_OK);
		assert_true(all_are(FILES, true));
		assert_clean(FILES);
	}
}

static void owner_and_mode_stay_but_not_set_id_bits(void **state)
{
	(void)state;
	NEEDS_ROOT();
	set_stage(false);
	put_old(2);
	assert_int_equal(chown(path_of(0), NOBODY, 12345), 0);
	assert_int_equal(chmod(path_of(0), 06751), 0);
	struct error e = ERROR_INIT;
	assert_int_equal(replace(2, &e), ST_OK);
	struct stat st;
	assert_int_equal(stat(path_of(0), &st), 0);
	assert_int_equal(st.st_uid, NOBODY);
	assert_int_equal(st.st_gid, 12345);
	assert_int_equal(st.st_mode & 07777, 0751);
	assert_true(all_are(2, true));
}

static void owner_that_rename_cannot_keep_is_kept_in_place(void **state)
{
	(void)state;
	NEEDS_ROOT();
	set_stage(false);
	put_old(2);
	assert_int_equal(chown(path_of(1), NOBODY, NOBODY), 0);
	struct stat was, now;
	assert_int_equal(stat(path_of(1), &was), 0);
	struct error e = ERROR_INIT;
	fail_arm(FAIL_ATTR, 2, EPERM); /* the first is the mode of the certificate's temporary file */
	assert_int_equal(replace(2, &e), ST_OK);
	assert_true(fail_disarm());
	assert_int_equal(stat(path_of(1), &now), 0);
	assert_int_equal(now.st_ino, was.st_ino);
	assert_int_equal(now.st_uid, NOBODY);
	assert_int_equal(now.st_mode, was.st_mode);
	assert_true(all_are(2, true));
	assert_clean(2);
}

/* A user in a folder of his own, with a file of root's in it that he may not write: the renewal is not lost, and the
 * group class, now another group, may not read what only the old group could. */
static void a_lost_owner_never_widens_the_mode(void **state)
{
	(void)state;
	NEEDS_ROOT();
	static const struct {
		mode_t mode, want;
	} cases[] = { { 0640, 0600 }, { 0644, 0644 }, { 0664, 0644 }, { 0600, 0600 }, { 0660, 0600 } };
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		set_stage(false);
		put_old(1);
		assert_int_equal(chown(scratch_dir, NOBODY, (gid_t)-1), 0);
		assert_int_equal(chown(stage.dir, NOBODY, (gid_t)-1), 0);
		assert_int_equal(chown(path_of(0), 0, 12345), 0);
		assert_int_equal(chmod(path_of(0), cases[i].mode), 0);
		struct error e = ERROR_INIT;
		assert_int_equal(setegid(NOBODY), 0);
		become(NOBODY);
		enum status st = replace(1, &e);
		become(0);
		assert_int_equal(setegid(0), 0);
		assert_int_equal(st, ST_OK);
		assert_int_equal(mode_of(path_of(0)), cases[i].want);
		assert_true(all_are(1, true));
	}
}

/* What is asked for is given; where that is no right of ours, nobody gets more by it and the note says so. */
static void owner_group_and_mode_can_be_asked_for(void **state)
{
	(void)state;
	NEEDS_ROOT();
	static const struct {
		struct target_dress dress;
		uid_t as, owner;
		gid_t group;
		mode_t mode;
		bool noted;
	} cases[] = {
		{ .dress = { 0 }, .mode = 0644 },
		{ .dress = { .has_mode = true, .mode = 0640 }, .mode = 0640 },
		{ .dress = { .has_mode = true, .mode = 06755 }, .mode = 0755 },
		{ .dress = { .has_owner = true, .owner = 77 }, .owner = 77, .mode = 0644 },
		{ .dress = { .has_group = true, .group = 78, .has_mode = true, .mode = 0640 },
		  .group = 78,
		  .mode = 0640 },
		{ .dress = { .has_group = true, .group = 78, .has_mode = true, .mode = 0640 },
		  .as = NOBODY,
		  .owner = NOBODY,
		  .mode = 0600,
		  .noted = true },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		set_stage(false);
		put_old(1);
		uid_t as = cases[i].as;
		assert_int_equal(chown(scratch_dir, as, (gid_t)-1) | chown(stage.dir, as, (gid_t)-1) |
		                         chown(path_of(0), as, 0),
		                 0);
		struct filetx_file f = { .path = path_of(0), .mode = 0600, .dress = cases[i].dress };
		struct error e = ERROR_INIT;
		struct filetx *t;
		bool recovered;
		become(as);
		enum status st = filetx_open(&f, 1, NULL, false, &t, &recovered, &e);
		if (!st)
			st = filetx_stage(t, 0, SLICE_LIT("new"), &e);
		bool noted = !st && filetx_note(t);
		if (!st)
			st = filetx_commit(t, &e);
		become(0);
		assert_int_equal(st, ST_OK);
		filetx_close(t);
		struct stat now;
		assert_int_equal(stat(path_of(0), &now), 0);
		assert_int_equal(now.st_uid, cases[i].owner);
		assert_int_equal(now.st_gid, cases[i].group);
		assert_int_equal(now.st_mode & 07777, cases[i].mode);
		assert_int_equal(noted, cases[i].noted);
	}
}

static const unsigned char
	acl[] = {
		2, 0,  0,    0,    1,    0,    6,  0, 0xff, 0xff, 0xff, 0xff, 2,    0,    4,
		0, 12, 0,    0,    0,    4,    0,  0, 0,    0xff, 0xff, 0xff, 0xff, 16,   0,
		4, 0,  0xff, 0xff, 0xff, 0xff, 32, 0, 0,    0,    0xff, 0xff, 0xff, 0xff, /* u:12:r--, g::---, m::r-- */
	};

static void acl_and_notes_stay(void **state)
{
	(void)state;
	set_stage(false);
	put_old(1);
	const char *file = path_of(0);
	if (setxattr(file, "system.posix_acl_access", acl, sizeof acl, 0) ||
	    setxattr(file, "user.note", "hello", 5, 0)) {
		print_message("# skipped: %s: no such attributes here\n", __func__);
		skip();
	}
	unsigned mode = mode_of(file);
	struct error e = ERROR_INIT;
	assert_int_equal(replace(1, &e), ST_OK);
	char got[256];
	assert_int_equal(getxattr(file, "system.posix_acl_access", got, sizeof got), sizeof acl);
	assert_memory_equal(got, acl, sizeof acl);
	assert_int_equal(getxattr(file, "user.note", got, sizeof got), 5);
	assert_int_equal(mode_of(file), mode);
	assert_true(all_are(1, true));
}

static void an_inherited_acl_does_not_come_in(void **state)
{
	(void)state;
	set_stage(false);
	put_old(1);
	if (setxattr(stage.dir, "system.posix_acl_default", acl, sizeof acl, 0)) {
		print_message("# skipped: %s: no such attributes here\n", __func__);
		skip();
	}
	struct error e = ERROR_INIT;
	assert_int_equal(replace(1, &e), ST_OK);
	char got[256];
	assert_int_equal(getxattr(path_of(0), "system.posix_acl_access", got, sizeof got), -1);
	assert_int_equal(mode_of(path_of(0)), 0644);
}

static void hard_links_break_by_rename_and_stay_in_place(void **state)
{
	(void)state;
	for (int in_place = 0; in_place < 2; in_place++) {
		set_stage(in_place);
		chmod(stage.dir, 0755);
		unlink(in_scratch("other"));
		put_old(1);
		chmod(stage.dir, 0755);
		assert_int_equal(link(path_of(0), in_scratch("other")), 0);
		if (in_place)
			chmod(stage.dir, 0555);
		struct error e = ERROR_INIT;
		assert_int_equal(replace(1, &e), ST_OK);
		assert_string_equal(get_file(in_scratch("other")), in_place ? rows[0].new : rows[0].old);
		leave_stage();
	}
}

static void what_is_not_staged_stays(void **state)
{
	(void)state;
	set_stage(false);
	put_old(2);
	struct error e = ERROR_INIT;
	struct filetx *t;
	bool recovered;
	assert_int_equal(open_files(2, false, &t, &recovered, &e), ST_OK);
	assert_int_equal(filetx_stage(t, 1, SLICE_LIT("first try"), &e), ST_OK);
	assert_int_equal(filetx_stage(t, 1, slice_cstr(rows[1].new), &e), ST_OK);
	assert_int_equal(filetx_commit(t, &e), ST_OK);
	filetx_close(t);
	assert_string_equal(get_file(path_of(0)), rows[0].old);
	assert_string_equal(get_file(path_of(1)), rows[1].new);
	assert_clean(2);
	/* Nothing staged, nothing done; staged but not committed likewise. */
	assert_int_equal(open_files(2, false, &t, &recovered, &e), ST_OK);
	assert_int_equal(filetx_commit(t, &e), ST_OK);
	assert_int_equal(filetx_stage(t, 0, SLICE_LIT("never"), &e), ST_OK);
	filetx_close(t);
	assert_string_equal(get_file(path_of(0)), rows[0].old);
	assert_clean(2);
}

/* --- what is refused ---------------------------------------------------------------------------------------------- */

static void refused(const char *first, const char *second, bool must_be_new, enum status want, const char *text)
{
	const struct filetx_file files[] = { { .path = first, .mode = 0600, .must_be_new = must_be_new },
		                             { .path = second, .mode = 0600 } };
	struct error e = ERROR_INIT;
	struct filetx *t = NULL;
	bool recovered;
	unsigned fds = open_fds();
	enum status st = filetx_open(files, second ? 2 : 1, NULL, false, &t, &recovered, &e);
	if (st != want || !strstr(e.text, text))
		fail_msg("%s: %s: %s, wanted %s", first, status_name(st), e.text, text);
	assert_null(t);
	assert_int_equal(open_fds(), fds);
}

static void bad_targets_are_refused(void **state)
{
	(void)state;
	set_stage(false);
	put_old(2);
	assert_int_equal(link(path_of(0), in_scratch("dir/hard")), 0);
	assert_int_equal(mkfifo(in_scratch("dir/fifo"), 0600), 0);
	const struct {
		const char *first, *second;
		bool must_be_new;
		enum status st;
		const char *text;
	} cases[] = {
		{ "dir", NULL, false, ST_INVALID, "is a directory" },
		{ "dir/", NULL, false, ST_INVALID, "is a directory" },
		{ "dir/.", NULL, false, ST_INVALID, "is a directory" },
		{ "dir/..", NULL, false, ST_INVALID, "is a directory" },
		{ "dir/fifo", NULL, false, ST_INVALID, "not a regular file" },
		{ "dir/site.crt", "dir/fifo", false, ST_INVALID, "not a regular file" },
		{ "none/site.crt", NULL, false, ST_MISSING, "no such file or directory" },
		{ "dir/site.crt/x", NULL, false, ST_MISSING, "not a directory" },
		{ "dir/site.crt", "none/site.key", false, ST_MISSING, "no such file or directory" },
		{ "dir/site.crt", "dir/site.crt", false, ST_INVALID, "are the same file" },
		{ "dir/site.crt", "dir/../dir/./site.crt", false, ST_INVALID, "are the same file" },
		{ "dir/site.crt", "dir/hard", false, ST_INVALID, "are the same file" },
		{ "dir/new", "dir/new", false, ST_INVALID, "are the same file" },
		{ "dir/site.crt", NULL, true, ST_CONFLICT, "file exists" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		refused(in_scratch(cases[i].first), cases[i].second ? in_scratch(cases[i].second) : NULL,
		        cases[i].must_be_new, cases[i].st, cases[i].text);
	refused("", NULL, false, ST_MISSING, "no such file or directory");
	refused("/dev/null", NULL, false, ST_INVALID, "not a regular file");
	assert_true(all_are(2, false));
	assert_int_equal(count_entries(stage.dir), 4);
}

static void too_many_and_too_much_are_refused(void **state)
{
	(void)state;
	set_stage(false);
	put_old(1);
	struct error e = ERROR_INIT;
	struct filetx *t = NULL;
	bool recovered;
	const struct filetx_file many[FILETX_FILES + 1] = { { .path = path_of(0) } };
	assert_int_equal(filetx_open(many, COUNT_OF(many), NULL, false, &t, &recovered, &e), ST_BUG);
	assert_int_equal(filetx_open(many, 0, NULL, false, &t, &recovered, &e), ST_BUG);
	assert_int_equal(open_files(1, false, &t, &recovered, &e), ST_OK);
	char *big = calloc(1, FILETX_BYTES + 1);
	assert_non_null(big);
	assert_int_equal(filetx_stage(t, 0, slice_of(big, FILETX_BYTES + 1), &e), ST_LIMIT);
	assert_int_equal(filetx_stage(t, 1, SLICE_LIT("x"), &e), ST_BUG);
	assert_int_equal(filetx_commit(t, &e), ST_OK);
	free(big);
	filetx_close(t);
	assert_true(all_are(1, false));
}

/* Somebody makes the file while the CA is being asked. */
static void a_file_that_must_be_new_is_looked_for_again(void **state)
{
	(void)state;
	set_stage(false);
	struct error e = ERROR_INIT;
	struct filetx *t;
	bool recovered;
	const struct filetx_file f = { .path = path_of(0), .mode = 0600, .must_be_new = true };
	assert_int_equal(filetx_open(&f, 1, NULL, false, &t, &recovered, &e), ST_OK);
	assert_int_equal(filetx_stage(t, 0, slice_cstr(rows[0].new), &e), ST_OK);
	put_old(1);
	assert_int_equal(filetx_commit(t, &e), ST_CONFLICT);
	filetx_close(t);
	assert_true(all_are(1, false));
	assert_clean(1);
}

static void a_folder_without_right_names_the_remedy(void **state)
{
	(void)state;
	set_stage(true);
	put_old(1);
	refused(path_of(0), NULL, false, ST_IO, "STATE_DIRECTORY");
	struct error e = ERROR_INIT;
	struct filetx *t = NULL;
	bool recovered;
	/* A new file cannot come to be there at all, nor can a read-only one be written. */
	const struct filetx_file new = { .path = in_scratch("dir/new"), .mode = 0600 };
	assert_int_equal(filetx_open(&new, 1, stage.state, false, &t, &recovered, &e), ST_IO);
	assert_non_null(strstr(e.text, "right to write in its folder"));
	assert_int_equal(chmod(path_of(0), 0444), 0);
	assert_int_equal(open_files(1, false, &t, &recovered, &e), ST_IO);
	assert_non_null(strstr(e.text, "permission denied"));
	assert_non_null(strstr(e.text, "or to the file"));
	/* A state folder that others may write in is none. */
	assert_int_equal(chmod(path_of(0), 0644), 0);
	assert_int_equal(chmod(stage.state, 0777), 0);
	assert_int_equal(open_files(1, false, &t, &recovered, &e), ST_DENIED);
	assert_non_null(strstr(e.text, "others may write in it"));
	assert_null(t);
	leave_stage();
}

static void a_state_folder_is_made(void **state)
{
	(void)state;
	set_stage(true);
	put_old(2);
	assert_int_equal(rmdir(stage.state), 0);
	snprintf(stage.state + strlen(stage.state), 16, "/renew");
	struct error e = ERROR_INIT;
	assert_int_equal(replace(2, &e), ST_OK);
	assert_int_equal(mode_of(stage.state), 0700);
	assert_true(all_are(2, true));
	assert_clean(2);
	leave_stage();
}

/* --- planted files ------------------------------------------------------------------------------------------------ */

static void a_file_planted_in_a_shared_folder_is_refused(void **state)
{
	(void)state;
	NEEDS_ROOT();
	set_stage(false);
	put_old(1);
	assert_int_equal(chmod(stage.dir, 01777), 0);
	assert_int_equal(chown(path_of(0), NOBODY, NOBODY), 0);
	refused(path_of(0), NULL, false, ST_DENIED, "belongs to another user");
	assert_int_equal(chown(path_of(0), 0, 0), 0);
	/* A lock that another user made, and one that is a second name of something. */
	put_file(in_scratch("dir/.site.crt.lock"), "1\n", 0600);
	assert_int_equal(chown(in_scratch("dir/.site.crt.lock"), NOBODY, NOBODY), 0);
	refused(path_of(0), NULL, false, ST_DENIED, "locking");
	assert_int_equal(unlink(in_scratch("dir/.site.crt.lock")), 0);
	put_file(in_scratch("victim"), "precious", 0600);
	assert_int_equal(link(in_scratch("victim"), in_scratch("dir/.site.crt.lock")), 0);
	refused(path_of(0), NULL, false, ST_DENIED, "locking");
	assert_int_equal(unlink(in_scratch("dir/.site.crt.lock")), 0);
	assert_int_equal(symlink(in_scratch("victim"), in_scratch("dir/.site.crt.lock")), 0);
	refused(path_of(0), NULL, false, ST_IO, "locking");
	assert_string_equal(get_file(in_scratch("victim")), "precious");
}

static void write_journal(const char *path, const char *target, const char *old, const char *new, mode_t mode)
{
	struct buf text = BUF_INIT(JOURNAL_MAX);
	struct journal j = { .n = 1 };
	j.entry[0] = (struct journal_entry){ .path = slice_cstr(target),
		                             .mode = mode,
		                             .was = old ? JOURNAL_KNOWN : JOURNAL_ABSENT,
		                             .old = slice_cstr(old),
		                             .new = slice_cstr(new) };
	journal_format(&text, &j);
	put_file(path, buf_cstr(&text), 0600);
	buf_done(&text);
}

static void a_foreign_journal_is_never_applied(void **state)
{
	(void)state;
	NEEDS_ROOT();
	set_stage(false);
	put_old(1);
	char journal[PATH_MAX];
	snprintf(journal, sizeof journal, "%s", in_scratch("dir/.site.crt.journal"));
	put_file(in_scratch("shadow"), "root:x", 0600);
	const struct {
		uid_t cert, author;
		mode_t mode;
		const char *target, *old;
		const char *text; /* NULL: it is applied */
	} cases[] = {
		{ 0, NOBODY, 0600, "dir/site.crt", rows[0].old, "belongs to another user" },
		{ 0, 0, 0622, "dir/site.crt", rows[0].old, "others may have written it" },
		{ 0, 0, 0620, "dir/site.crt", rows[0].old, "others may have written it" },
		{ NOBODY, 12345, 0600, "dir/site.crt", rows[0].old, "belongs to another user" },
		{ NOBODY, NOBODY, 0600, "shadow", "root:x", "belongs to user 0" },
		{ NOBODY, NOBODY, 0600, "passwd", NULL, "belongs to user 0" },
		{ NOBODY, NOBODY, 0600, "dir/site.crt", rows[0].old, NULL },
		{ NOBODY, 0, 0600, "dir/site.crt", rows[0].old, NULL },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		put_old(1);
		assert_int_equal(chown(path_of(0), cases[i].cert, (gid_t)-1), 0);
		write_journal(journal, in_scratch(cases[i].target), cases[i].old, rows[0].new, 0644);
		assert_int_equal(chown(journal, cases[i].author, (gid_t)-1), 0);
		assert_int_equal(chmod(journal, cases[i].mode), 0);
		assert_true(filetx_pending(path_of(0), NULL));
		if (cases[i].text) {
			refused(path_of(0), NULL, false, ST_DENIED, cases[i].text);
			assert_true(all_are(1, false));
			assert_true(is_file(journal));
		} else {
			assert_true(assert_next_open_heals(1));
		}
		assert_string_equal(get_file(in_scratch("shadow")), "root:x");
		assert_false(is_file(in_scratch("passwd")));
		unlink(journal);
	}
	/* A link where the journal should be. */
	write_journal(in_scratch("elsewhere"), path_of(0), rows[0].old, rows[0].new, 0644);
	assert_int_equal(symlink(in_scratch("elsewhere"), journal), 0);
	refused(path_of(0), NULL, false, ST_IO, "cannot be read");
}

/* Its second name may be anybody's way to write into it. */
static void a_journal_with_two_names_is_not_applied(void **state)
{
	(void)state;
	set_stage(false);
	put_old(1);
	write_journal(in_scratch("dir/.site.crt.journal"), path_of(0), rows[0].old, rows[0].new, 0644);
	assert_int_equal(link(in_scratch("dir/.site.crt.journal"), in_scratch("second")), 0);
	refused(path_of(0), NULL, false, ST_DENIED, "others may have written it");
	assert_true(all_are(1, false));
}

/* In a folder of many users a second name of our file may have been made by one of them: writing through it would
 * write wherever the first one is. */
static void a_planted_hard_link_is_not_written_through(void **state)
{
	(void)state;
	NEEDS_ROOT();
	set_stage(true);
	put_old(1);
	become(0);
	assert_int_equal(chown(stage.dir, 0, 12345), 0);
	assert_int_equal(link(path_of(0), in_scratch("victim")), 0);
	static const struct {
		mode_t folder;
		bool fine;
	} cases[] = { { 0555, true }, { 0575, false } };
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error e = ERROR_INIT;
		assert_int_equal(chmod(stage.dir, cases[i].folder), 0);
		become(NOBODY);
		enum status st = replace(1, &e);
		become(0);
		assert_int_equal(st == ST_OK, cases[i].fine);
		if (st)
			assert_non_null(strstr(e.text, "permission denied"));
	}
	leave_stage();
}

/* Sticky, and the file is somebody else's whose group we share: a rename would be refused, at commit, too late. */
static void a_sticky_folder_is_known_before_the_ca_is_asked(void **state)
{
	(void)state;
	NEEDS_ROOT();
	set_stage(false);
	put_old(2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(chown(path_of(i), 4242, NOBODY), 0);
		assert_int_equal(chmod(path_of(i), i ? 0640 : 0660), 0);
	}
	assert_int_equal(chown(scratch_dir, 0, NOBODY), 0);
	assert_int_equal(chmod(scratch_dir, 0755), 0);
	assert_int_equal(chown(stage.dir, 0, NOBODY), 0);
	assert_int_equal(chmod(stage.dir, 01770), 0);
	struct error e = ERROR_INIT;
	struct filetx *t = NULL;
	bool recovered;
	assert_int_equal(setegid(NOBODY), 0);
	become(NOBODY);
	enum status one = replace(1, &e);
	/* The key cannot be written in place: nothing is asked of the CA. */
	enum status two = open_files(2, false, &t, &recovered, &e);
	become(0);
	assert_int_equal(setegid(0), 0);
	assert_int_equal(one, ST_OK);
	assert_string_equal(get_file(path_of(0)), rows[0].new);
	assert_int_equal(two, ST_IO);
	assert_null(t);
}

/* The path in a journal was canonical: a link that stands in it now was put there since. */
static void a_journal_follows_no_link(void **state)
{
	(void)state;
	set_stage(false);
	put_old(1);
	put_file(in_scratch("victim"), rows[0].old, 0644);
	assert_int_equal(symlink(in_scratch("victim"), in_scratch("dir/link")), 0);
	write_journal(in_scratch("dir/.site.crt.journal"), in_scratch("dir/link"), rows[0].old, "evil", 0644);
	refused(path_of(0), NULL, false, ST_DENIED, "is not followed");
	assert_string_equal(get_file(in_scratch("victim")), rows[0].old);
}

/* --- torn and void journals --------------------------------------------------------------------------------------- */

static void assert_put_aside(const char *why)
{
	struct error e = ERROR_INIT;
	struct filetx *t = NULL;
	bool recovered = true;
	assert_int_equal(open_files(1, false, &t, &recovered, &e), ST_OK);
	assert_false(recovered);
	assert_non_null(filetx_note(t));
	assert_non_null(strstr(filetx_note(t), why));
	filetx_close(t);
	assert_false(filetx_pending(path_of(0), stage.state));
	assert_int_equal(unlink(in_scratch("dir/.site.crt.journal.bad")), 0);
	assert_clean(1);
}

static void a_torn_journal_is_put_aside(void **state)
{
	(void)state;
	set_stage(false);
	char journal[PATH_MAX];
	snprintf(journal, sizeof journal, "%s", in_scratch("dir/.site.crt.journal"));
	char whole[FILE_BYTES];
	put_old(1);
	write_journal(journal, path_of(0), rows[0].old, rows[0].new, 0644);
	snprintf(whole, sizeof whole, "%s", get_file(journal));
	for (size_t cut = 0; cut < strlen(whole); cut += 7) {
		char torn[FILE_BYTES];
		snprintf(torn, cut + 1, "%s", whole);
		put_file(journal, torn, 0600);
		assert_put_aside("damaged");
		assert_true(all_are(1, false));
	}
	put_file(journal, "perennial-journal 2\n", 0600);
	refused(path_of(0), NULL, false, ST_CONFLICT, "another version");
}

static void a_journal_that_was_overtaken_is_void(void **state)
{
	(void)state;
	set_stage(false);
	char journal[PATH_MAX];
	snprintf(journal, sizeof journal, "%s", in_scratch("dir/.site.crt.journal"));
	put_file(path_of(0), "a third certificate", 0644);
	write_journal(journal, path_of(0), rows[0].old, rows[0].new, 0644);
	assert_put_aside("somebody else");
	assert_string_equal(get_file(path_of(0)), "a third certificate");
	write_journal(journal, path_of(0), NULL, rows[0].new, 0644);
	assert_put_aside("somebody else");
	assert_string_equal(get_file(path_of(0)), "a third certificate");
}

/* What a power cut in the middle of a write in place can leave. */
static void half_written_files_are_completed(void **state)
{
	(void)state;
	set_stage(false);
	static const char old[] = "0123456789", new[] = "abcdefghijklmno";
	static const char *const halves[] = { "",    "0123456789",     "abc3456789", "abcdefghij", "abcdefghijklmn",
		                              "012", "abcdefghijklmno" };
	for (size_t i = 0; i < COUNT_OF(halves); i++) {
		put_file(path_of(0), halves[i], 0644);
		write_journal(in_scratch("dir/.site.crt.journal"), path_of(0), old, new, 0644);
		struct error e = ERROR_INIT;
		struct filetx *t = NULL;
		bool recovered = false;
		assert_int_equal(open_files(1, false, &t, &recovered, &e), ST_OK);
		assert_true(recovered);
		filetx_close(t);
		assert_string_equal(get_file(path_of(0)), new);
		assert_clean(1);
	}
}

/* --- locks -------------------------------------------------------------------------------------------------------- */

static void one_at_a_time_and_the_other_is_named(void **state)
{
	(void)state;
	set_stage(false);
	put_old(1);
	int ready[2], done[2];
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(done, O_CLOEXEC), 0);
	struct error e = ERROR_INIT;
	struct filetx *t = NULL;
	bool recovered;
	char byte = 0;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(done[1]);
		bool ok = open_files(1, false, &t, &recovered, &e) == ST_OK && write(ready[1], "x", 1) == 1 &&
		          read(done[0], &byte, 1) == 0;
		filetx_close(t);
		_exit(ok ? 0 : 1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(open_files(1, false, &t, &recovered, &e), ST_AGAIN);
	char want[64];
	snprintf(want, sizeof want, "is being renewed by process %d", (int)pid);
	assert_non_null(strstr(e.text, want));
	assert_int_equal(mode_of(in_scratch("dir/.site.crt.lock")), 0600);
	close(done[1]);
	assert_int_equal(open_files(1, true, &t, &recovered, &e), ST_OK);
	filetx_close(t);
	int how;
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_int_equal(how, 0);
	close(done[0]), close(ready[0]), close(ready[1]);
	assert_clean(1);
}

/* The lock file comes and goes with its holders; no increment may be lost on the way. */
static void many_processes_lose_no_update(void **state)
{
	(void)state;
	enum { PROCESSES = 4, ROUNDS = 15 };
	set_stage(false);
	put_file(path_of(0), "0", 0644);
	for (int p = 0; p < PROCESSES; p++) {
		if (fork() != 0)
			continue;
		struct error e = ERROR_INIT;
		for (int i = 0; i < ROUNDS; i++) {
			struct filetx *t = NULL;
			bool recovered;
			char next[32];
			if (open_files(1, true, &t, &recovered, &e))
				_exit(1);
			snprintf(next, sizeof next, "%ld", strtol(get_file(path_of(0)), NULL, 10) + 1);
			if (filetx_stage(t, 0, slice_cstr(next), &e) || filetx_commit(t, &e))
				_exit(2);
			filetx_close(t);
		}
		_exit(0);
	}
	for (int p = 0, how; p < PROCESSES; p++) {
		assert_true(wait(&how) > 0);
		assert_int_equal(how, 0);
	}
	assert_int_equal(strtol(get_file(path_of(0)), NULL, 10), PROCESSES * ROUNDS);
	assert_clean(1);
}

/* --- other file systems ------------------------------------------------------------------------------------------- */

static bool own_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static int in_child(int (*scene)(void))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(own_mounts() ? scene() : 77);
	int how;
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFEXITED(how));
	if (WEXITSTATUS(how) == 77) {
		print_message("# skipped: no mounts of our own here\n");
		skip();
	}
	return WEXITSTATUS(how);
}

static int bound_scene(void)
{
	struct error e = ERROR_INIT;
	if (mount(in_scratch("outside"), path_of(0), NULL, MS_BIND, NULL))
		return 77;
	if (replace(2, &e)) {
		print_message("# %s\n", e.text);
		return 1;
	}
	return all_are(2, true) && count_entries(stage.dir) == 2 ? 0 : 2;
}

static void a_bind_mounted_file_is_written_in_place(void **state)
{
	(void)state;
	NEEDS_ROOT();
	set_stage(false);
	put_old(2);
	put_file(in_scratch("outside"), rows[0].old, 0644);
	assert_int_equal(in_child(bound_scene), 0);
	assert_string_equal(get_file(in_scratch("outside")), rows[0].new);
	assert_string_equal(get_file(path_of(0)), rows[0].old);
}

/* A read-only one cannot be written either: known at open, not after the CA was asked. */
static int bound_read_only_scene(void)
{
	struct error e = ERROR_INIT;
	struct filetx *t = NULL;
	bool recovered;
	if (mount(in_scratch("outside"), path_of(0), NULL, MS_BIND, NULL) ||
	    mount(NULL, path_of(0), NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL))
		return 77;
	if (open_files(2, false, &t, &recovered, &e) != ST_IO || !strstr(e.text, "read-only file system"))
		return 1;
	return all_are(2, false) ? 0 : 2;
}

static void a_read_only_bind_mount_is_known_at_open(void **state)
{
	(void)state;
	NEEDS_ROOT();
	set_stage(false);
	put_old(2);
	put_file(in_scratch("outside"), rows[0].old, 0644);
	assert_int_equal(in_child(bound_read_only_scene), 0);
	assert_clean(2);
}

static int full_scene(void)
{
	struct error e = ERROR_INIT;
	struct filetx *t = NULL;
	bool recovered;
	static char big[256 << 10];
	memset(big, 'x', sizeof big);
	if (mount("none", stage.dir, "tmpfs", 0, "size=64k"))
		return 77;
	put_old(2);
	if (open_files(2, false, &t, &recovered, &e))
		return 1;
	if (filetx_stage(t, 0, slice_of(big, sizeof big), &e) != ST_IO || !strstr(e.text, "no space left on device"))
		return 2;
	filetx_close(t);
	return all_are(2, false) && count_entries(stage.dir) == 2 ? 0 : 3;
}

static void a_full_disk_fails_the_stage_and_changes_nothing(void **state)
{
	(void)state;
	NEEDS_ROOT();
	set_stage(false);
	assert_int_equal(in_child(full_scene), 0);
}

/* In place: the room is asked for before a byte is changed. */
static int full_in_place_scene(void)
{
	struct error e = ERROR_INIT;
	struct filetx *t = NULL;
	bool recovered;
	static char big[256 << 10];
	memset(big, 'x', sizeof big);
	if (mount("none", stage.dir, "tmpfs", 0, "size=64k,mode=0555"))
		return 77;
	put_old(2);
	for (size_t i = 0; i < 2; i++)
		if (chown(path_of(i), NOBODY, (gid_t)-1))
			return 77;
	chmod(stage.dir, 0555);
	become(NOBODY);
	if (open_files(2, false, &t, &recovered, &e) || filetx_stage(t, 0, slice_cstr(rows[0].new), &e) ||
	    filetx_stage(t, 1, slice_of(big, sizeof big), &e))
		return 1;
	if (filetx_commit(t, &e) != ST_IO || !strstr(e.text, "no space left on device"))
		return 2;
	filetx_close(t);
	if (filetx_pending(path_of(0), stage.state))
		return 3;
	return all_are(2, false) && count_entries(stage.state) == 0 ? 0 : 4;
}

static void a_full_disk_changes_nothing_in_place(void **state)
{
	(void)state;
	NEEDS_ROOT();
	set_stage(true);
	become(0);
	assert_int_equal(in_child(full_in_place_scene), 0);
	leave_stage();
}

/* Too little room for two files and their journal: nothing may be begun. One small file still fits. */
static int crowded_scene(void)
{
	struct error e = ERROR_INIT;
	struct filetx *t = NULL;
	bool recovered;
	if (mount("none", stage.dir, "tmpfs", 0, "size=20k,mode=0755"))
		return 77;
	put_old(2);
	if (open_files(2, false, &t, &recovered, &e) != ST_IO || !strstr(e.text, "no space left on device"))
		return 1;
	if (t || count_entries(stage.dir) != 2 || !all_are(2, false))
		return 2;
	if (open_files(1, false, &t, &recovered, &e))
		return 3;
	struct stat st;
	/* What was claimed is given back: the new file is as long as its content. */
	if (filetx_stage(t, 0, slice_cstr(rows[0].new), &e) || filetx_commit(t, &e) || stat(path_of(0), &st) ||
	    st.st_size != (off_t)strlen(rows[0].new) || st.st_blocks * 512 > 4096)
		return 4;
	filetx_close(t);
	return 0;
}

static void an_open_claims_the_room_it_will_need(void **state)
{
	(void)state;
	NEEDS_ROOT();
	set_stage(false);
	assert_int_equal(in_child(crowded_scene), 0);
}

static void pending_reads_what_is_not_there(void **state)
{
	(void)state;
	set_stage(false);
	assert_false(filetx_pending(in_scratch("dir/site.crt"), NULL));
	assert_false(filetx_pending(in_scratch("none/site.crt"), in_scratch("none")));
	assert_false(filetx_pending("", NULL));
	assert_int_equal(count_entries(stage.dir), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)
#define LONG(f) cmocka_unit_test_setup_teardown(f, scratch_make_in_memory, scratch_drop)
int main(void)
{
	const struct CMUnitTest tests[] = {
		LONG(a_failed_call_leaves_old_or_new),
		LONG(a_failed_call_leaves_old_or_new_in_place),
		CASE(a_commit_that_changed_nothing_leaves_no_journal),
		LONG(every_fsync_is_there),
		LONG(every_fsync_of_a_recovery_is_there),
		LONG(killed_anywhere_the_next_open_heals),
		LONG(killed_anywhere_the_next_open_heals_in_place),
		LONG(recovery_may_be_killed_too),
		LONG(recovery_may_be_killed_too_in_place),
		CASE(new_files_get_their_mode_whatever_the_umask),
		CASE(owner_and_mode_stay_but_not_set_id_bits),
		CASE(owner_that_rename_cannot_keep_is_kept_in_place),
		CASE(a_lost_owner_never_widens_the_mode),
		CASE(owner_group_and_mode_can_be_asked_for),
		CASE(acl_and_notes_stay),
		CASE(an_inherited_acl_does_not_come_in),
		CASE(hard_links_break_by_rename_and_stay_in_place),
		CASE(what_is_not_staged_stays),
		CASE(bad_targets_are_refused),
		CASE(too_many_and_too_much_are_refused),
		CASE(a_file_that_must_be_new_is_looked_for_again),
		CASE(a_folder_without_right_names_the_remedy),
		CASE(a_state_folder_is_made),
		CASE(a_file_planted_in_a_shared_folder_is_refused),
		CASE(a_foreign_journal_is_never_applied),
		CASE(a_journal_with_two_names_is_not_applied),
		CASE(a_planted_hard_link_is_not_written_through),
		CASE(a_sticky_folder_is_known_before_the_ca_is_asked),
		CASE(a_journal_follows_no_link),
		CASE(a_torn_journal_is_put_aside),
		CASE(a_journal_that_was_overtaken_is_void),
		CASE(half_written_files_are_completed),
		CASE(one_at_a_time_and_the_other_is_named),
		LONG(many_processes_lose_no_update),
		CASE(a_bind_mounted_file_is_written_in_place),
		CASE(a_read_only_bind_mount_is_known_at_open),
		CASE(a_full_disk_fails_the_stage_and_changes_nothing),
		CASE(a_full_disk_changes_nothing_in_place),
		CASE(an_open_claims_the_room_it_will_need),
		CASE(pending_reads_what_is_not_there),
	};
	return cmocka_run_group_tests_name("os/filetx", tests, NULL, NULL);
}
