/* Clock, entropy and notify: the ports that are hardly more than one call. */
#include "os/clock.h"
#include "os/entropy.h"
#include "os/notify.h"

#include "base/duration.h"
#include "scratch.h"

#include <sys/socket.h>
#include <sys/un.h>

static struct wall fixed_wall(void *ctx)
{
	return *(struct wall *)ctx;
}

static void clocks_run_and_may_be_replaced(void **state)
{
	(void)state;
	int64_t ns = -1, now = time(NULL);
	struct wall w = clock_wall(&clock_system), f = clock_now(&ns);
	assert_true(w.s >= now && w.s <= now + 60);
	assert_true(f.s >= w.s && f.s <= now + 60 && ns >= 0 && ns < DURATION_S);
	struct mono a = clock_mono(&clock_system), b = clock_mono(&clock_system);
	assert_true(a.ns > 0 && b.ns >= a.ns);
	struct wall mine = { 42 };
	const struct clock fake = { .wall = fixed_wall, .ctx = &mine };
	assert_int_equal(clock_wall(&fake).s, 42);
}

static void chance_differs(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	uint8_t a[1000] = { 0 }, b[1000] = { 0 };
	assert_int_equal(entropy_fill(&entropy_system, a, sizeof a, &e), ST_OK);
	assert_int_equal(entropy_fill(&entropy_system, b, sizeof b, &e), ST_OK);
	assert_memory_not_equal(a, b, sizeof a);
	assert_memory_not_equal(a, a + 500, 500);
	uint8_t guard[2] = { 7, 7 };
	assert_int_equal(entropy_fill(&entropy_system, guard, 0, &e), ST_OK);
	assert_int_equal(guard[0], 7);
}

static void the_service_manager_is_told(void **state)
{
	(void)state;
	char name[sizeof((struct sockaddr_un *)0)->sun_path], got[64];
	for (int abstract = 0; abstract < 2; abstract++) {
		struct sockaddr_un a = { .sun_family = AF_UNIX };
		snprintf(name, sizeof name, "%s%s/notify", abstract ? "@" : "", scratch_dir);
		memcpy(a.sun_path, name, strlen(name));
		if (abstract)
			a.sun_path[0] = '\0';
		int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + !abstract);
		assert_int_equal(bind(fd, (const struct sockaddr *)&a, size), 0);
		assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
		notify_send("READY=1\nSTATUS=fine");
		ssize_t n = recv(fd, got, sizeof got, 0);
		assert_int_equal(n, 19);
		assert_memory_equal(got, "READY=1\nSTATUS=fine", 19);
		unsetenv("NOTIFY_SOCKET");
		notify_send("READY=1");
		assert_int_equal(recv(fd, got, sizeof got, 0), -1);
		close(fd);
	}
	/* Nonsense is survived in silence. */
	static char far[300];
	memset(far, '/', sizeof far - 1);
	const char *const bad[] = { "", "@", "relative", "/none/such", far };
	unsigned fds = open_fds();
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(setenv("NOTIFY_SOCKET", bad[i], 1), 0);
		notify_send("READY=1");
	}
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(open_fds(), fds);
}

static int bind_manager(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	snprintf(a.sun_path, sizeof a.sun_path, "%s/manager", scratch_dir);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", a.sun_path, 1), 0);
	return fd;
}

/* A text of foreign origin cannot speak for us. */
static void a_status_is_one_line(void **state)
{
	(void)state;
	char got[64], far[5000];
	int fd = bind_manager();
	notify_status("odd\nREADY=1\x7f");
	assert_int_equal(recv(fd, got, sizeof got, 0), 19);
	assert_memory_equal(got, "STATUS=odd READY=1 ", 19);
	notify_sendf("A=%d\nB=%s", 1, "two");
	assert_int_equal(recv(fd, got, sizeof got, 0), 9);
	assert_memory_equal(got, "A=1\nB=two", 9);
	memset(far, 'x', sizeof far - 1);
	far[sizeof far - 1] = '\0';
	notify_status(far);
	assert_int_equal(recv(fd, far, sizeof far, MSG_TRUNC), 2047);
	unsetenv("NOTIFY_SOCKET");
	close(fd);
}

static void the_watchdog_is_asked_for_by_its_variables(void **state)
{
	(void)state;
	char me[16], other[16];
	snprintf(me, sizeof me, "%d", (int)getpid());
	snprintf(other, sizeof other, "%d", (int)getppid());
	const struct {
		const char *usec, *pid;
		int64_t ns;
	} rows[] = {
		{ NULL, NULL, 0 },
		{ NULL, me, 0 },
		{ "", NULL, 0 },
		{ "0", NULL, 0 },
		{ "-1", NULL, 0 },
		{ "soon", NULL, 0 },
		{ "99999999999999999999", NULL, 0 },
		{ "20000000", other, 0 },
		{ "20000000", "me", 0 },
		{ "20000000", NULL, 10 * DURATION_S },
		{ "20000000", me, 10 * DURATION_S },
		{ "9223372036854775", me, INT64_C(9223372036854775) * DURATION_US / 2 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		rows[i].usec ? setenv("WATCHDOG_USEC", rows[i].usec, 1) : unsetenv("WATCHDOG_USEC");
		rows[i].pid ? setenv("WATCHDOG_PID", rows[i].pid, 1) : unsetenv("WATCHDOG_PID");
		if (notify_watchdog_ns() != rows[i].ns)
			fail_msg("row %zu: %lld", i, (long long)notify_watchdog_ns());
	}
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(clocks_run_and_may_be_replaced),
		CASE(chance_differs),
		CASE(the_service_manager_is_told),
		CASE(a_status_is_one_line),
		CASE(the_watchdog_is_asked_for_by_its_variables),
	};
	return cmocka_run_group_tests_name("os/ports", tests, NULL, NULL);
}
