#include "os/unixsocket.h"

#include "os/auto.h"
#include "scratch.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static struct unix_socket listening(const char *path)
{
	struct unix_socket s = UNIX_SOCKET_NONE;
	struct error e = ERROR_INIT;
	if (unix_socket_listen(path, &s, &e))
		fail_msg("%s", e.text);
	return s;
}

/* Connects, is accepted, and a byte comes through. */
static void assert_connects(const char *path, const struct unix_socket *s)
{
	AUTO(fd_close_p) int fd = -1;
	struct error e = ERROR_INIT;
	char byte = 0;
	if (unix_socket_connect(path, &fd, &e))
		fail_msg("%s", e.text);
	AUTO(fd_close_p) int other = accept(s->fd, NULL, NULL);
	assert_true(other >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(other, &byte, 1), 1);
	assert_int_equal(byte, 'x');
}

static void assert_refused(const char *path, enum status st, const char *text)
{
	struct unix_socket s = UNIX_SOCKET_NONE;
	struct error e = ERROR_INIT;
	assert_int_equal(unix_socket_listen(path, &s, &e), st);
	if (!strstr(e.text, text))
		fail_msg("'%s' is not in: %s", text, e.text);
}

static void it_is_private_and_goes_with_its_maker(void **state)
{
	(void)state;
	const char *path = in_scratch("admin.sock");
	unsigned before = open_fds();
	struct unix_socket s = listening(path);
	assert_int_equal(mode_of(path), 0600);
	assert_connects(path, &s);
	assert_refused(path, ST_CONFLICT, "another program listens there");
	assert_connects(path, &s);
	unix_socket_done(&s);
	assert_int_equal(count_entries(scratch_dir), 0);
	assert_int_equal(open_fds(), before);
}

static void a_path_longer_than_sun_path(void **state)
{
	(void)state;
	char name[128], below[256];
	snprintf(name, sizeof name, "%0100d", 0);
	snprintf(below, sizeof below, "%s/admin.sock", name);
	assert_int_equal(mkdir(in_scratch(name), 0700), 0);
	const char *path = in_scratch(below);
	assert_true(strlen(path) > sizeof(((struct sockaddr_un *)NULL)->sun_path));
	struct unix_socket s = listening(path);
	assert_int_equal(mode_of(path), 0600);
	assert_connects(path, &s);
	unix_socket_done(&s);
	assert_false(is_file(path));
	snprintf(name, sizeof name, "%065d", 0);
	assert_refused(in_scratch(name), ST_INVALID, "longer than 64 bytes");
}

/* As a killed process leaves it: the files are there, nobody listens, nobody holds the lock. */
static void what_a_killed_one_left_is_replaced(void **state)
{
	(void)state;
	const char *path = in_scratch("left.sock");
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct unix_socket s = UNIX_SOCKET_NONE;
		struct error e = ERROR_INIT;
		_exit(unix_socket_listen(path, &s, &e) ? 1 : 0);
	}
	int how;
	assert_int_equal(waitpid(child, &how, 0), child);
	assert_int_equal(how, 0);
	assert_true(is_file(path) && is_file(in_scratch("left.sock.lock")));

	AUTO(fd_close_p) int fd = -1;
	struct error e = ERROR_INIT;
	assert_int_equal(unix_socket_connect(path, &fd, &e), ST_MISSING);
	struct unix_socket s = listening(path);
	assert_connects(path, &s);
	unix_socket_done(&s);
	assert_false(is_file(path));
}

static void what_is_not_ours_stays(void **state)
{
	(void)state;
	put_file(in_scratch("file"), "precious", 0600);
	assert_refused(in_scratch("file"), ST_CONFLICT, "a file that is no socket stands there");
	assert_string_equal(get_file(in_scratch("file")), "precious");

	/* somebody who does not know the lock */
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	snprintf(a.sun_path, sizeof a.sun_path, "%s", in_scratch("theirs"));
	AUTO(fd_close_p) int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_refused(in_scratch("theirs"), ST_CONFLICT, "another program listens there");
	assert_true(is_file(in_scratch("theirs")));
	assert_false(is_file(in_scratch("theirs.lock")));

	/* a socket that replaced ours is not ours to remove */
	struct unix_socket s = listening(in_scratch("mine"));
	assert_int_equal(rename(in_scratch("theirs"), in_scratch("mine")), 0);
	unix_socket_done(&s);
	assert_true(is_file(in_scratch("mine")));
}

static void folders_that_will_not_do(void **state)
{
	(void)state;
	assert_refused(in_scratch("none/admin.sock"), ST_MISSING, "no such file or directory");
	assert_refused(scratch_dir, ST_INVALID, "is a directory");
	assert_int_equal(mkdir(in_scratch("open"), 0700), 0);
	assert_int_equal(chmod(in_scratch("open"), 01777), 0);
	assert_refused(in_scratch("open/admin.sock"), ST_DENIED, "others may write in its folder");
	assert_int_equal(count_entries(in_scratch("open")), 0);
	/* takes no new files, not even the lock: said, not tried for ever */
	assert_refused("/proc/self/a.sock", ST_IO, "no such file or directory");
}

static void another_user_has_no_right(void **state)
{
	(void)state;
	NEEDS_ROOT();
	const char *path = in_scratch("admin.sock");
	AUTO(fd_close_p) int fd = -1;
	struct error e = ERROR_INIT;
	struct unix_socket s = listening(path);
	for (mode_t folder = 0700; folder <= 0755; folder += 055) {
		assert_int_equal(chmod(scratch_dir, folder), 0);
		assert_int_equal(seteuid(NOBODY), 0);
		enum status st = unix_socket_connect(path, &fd, &e);
		assert_int_equal(seteuid(0), 0);
		assert_int_equal(st, ST_DENIED);
	}
	assert_connects(path, &s);
	unix_socket_done(&s);
}

static void connecting_to_nothing(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum status st;
	} rows[] = { { "none", ST_MISSING }, { "none/none", ST_MISSING }, { "file", ST_MISSING }, { ".", ST_INVALID } };
	put_file(in_scratch("file"), "", 0600);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(fd_close_p) int fd = -1;
		struct error e = ERROR_INIT;
		if (unix_socket_connect(in_scratch(rows[i].name), &fd, &e) != rows[i].st)
			fail_msg("%s: %s", rows[i].name, e.text);
	}
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_drop)
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(it_is_private_and_goes_with_its_maker),
		IN_SCRATCH(a_path_longer_than_sun_path),
		IN_SCRATCH(what_a_killed_one_left_is_replaced),
		IN_SCRATCH(what_is_not_ours_stays),
		IN_SCRATCH(folders_that_will_not_do),
		IN_SCRATCH(another_user_has_no_right),
		IN_SCRATCH(connecting_to_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
