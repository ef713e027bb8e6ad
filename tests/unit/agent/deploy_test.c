#include "agent/deploy.h"

#include "crypto/ossl.h"
#include "pki.h"
#include "scratch.h"

#include <signal.h>
#include <sys/wait.h>

static struct pki pki;

struct heard {
	struct buf text;
};

static void hear(void *ctx, enum voice_level level, const char *text)
{
	struct heard *h = ctx;
	buf_addf(&h->text, "%s%s\n", level == VOICE_ERROR ? "!" : "", text);
}

static enum status run(const struct deploy *d, size_t i, struct heard *h, struct hook_end *end, struct error *e)
{
	const struct voice voice = { hear, h };
	const struct deploy_context c = { .facts = { .event = "renewed", .attempt = 1 },
		                          .cert = pki.server.chain.v[0],
		                          .voice = &voice };
	return deploy_run(d, i, &c, end, e);
}

static void what_is_wrong_is_told_with_its_flag(void **state)
{
	(void)state;
	struct deploy d = { 0 };
	struct error e = ERROR_INIT;
	static const char *const commands[] = { "", " ", "a 'b", "a \"b", "a \\" };
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		assert_int_equal(deploy_add_exec(&d, OWED_ON_DEPLOY, "exec", commands[i], &e), ST_INVALID);
		assert_non_null(strstr(e.text, "' for flag '--exec': "));
	}
	static const char *const units[] = { "", "-H root@x", "a b", "*.service", "a/b" };
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		assert_int_equal(deploy_add_reload(&d, units[i], &e), ST_INVALID);
		assert_non_null(strstr(e.text, "' for flag '--reload-unit'; "));
	}
	assert_int_equal(deploy_add_verify(&d, "nowhere", &e), ST_INVALID);
	assert_int_equal(d.n, 0);
	deploy_done(&d);
}

static void there_is_an_end_to_them(void **state)
{
	(void)state;
	struct deploy d = { 0 };
	struct error e = ERROR_INIT;
	for (int i = 0; i < OWED_HOOKS_MAX; i++)
		assert_int_equal(deploy_add_exec(&d, OWED_ON_DEPLOY, "exec", "true", &e), ST_OK);
	assert_int_equal(deploy_add_exec(&d, OWED_ON_DEPLOY, "exec", "true", &e), ST_LIMIT);
	assert_int_equal(d.n, OWED_HOOKS_MAX);
	deploy_done(&d);
}

/* What names a step in the record: when, kind, and every word. */
static void steps_are_told_apart(void **state)
{
	(void)state;
	struct deploy d = { 0 };
	struct error e = ERROR_INIT;
	assert_int_equal(deploy_add_exec(&d, OWED_ON_DEPLOY, "exec", "a b", &e), ST_OK);
	assert_int_equal(deploy_add_exec(&d, OWED_ON_DEPLOY, "exec", "'a b'", &e), ST_OK);
	assert_int_equal(deploy_add_exec(&d, OWED_ON_FAILURE, "exec-failure", "a b", &e), ST_OK);
	assert_int_equal(deploy_add_reload(&d, "a", &e), ST_OK);
	assert_int_equal(deploy_add_signal(&d, 12, NULL, 1, &e), ST_OK);
	assert_int_equal(deploy_add_signal(&d, 12, NULL, 2, &e), ST_OK);
	assert_int_equal(deploy_add_signal(&d, 0, "12", 1, &e), ST_OK);
	assert_int_equal(deploy_add_verify(&d, "a:1", &e), ST_OK);
	for (size_t i = 0; i < d.n; i++)
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(&d.hooks[i].id, &d.hooks[k].id, sizeof d.hooks[i].id);
	assert_true(d.hooks[7].probe);
	assert_false(d.hooks[0].probe);
	deploy_done(&d);
}

static void commands_run_and_are_heard(void **state)
{
	(void)state;
	struct deploy d = { 0 };
	struct error e = ERROR_INIT;
	struct hook_end end;
	struct heard heard = { BUF_INIT(10000) };
	assert_int_equal(deploy_add_exec(&d, OWED_ON_DEPLOY, "exec",
	                                 "sh -c 'printf \"%s\\n\" \"$STEP_HOOK_EVENT\" \"\x1b[31m\"'", &e),
	                 ST_OK);
	assert_int_equal(deploy_add_exec(&d, OWED_ON_DEPLOY, "exec", "sh -c 'exit 9'", &e), ST_OK);
	assert_int_equal(deploy_add_exec(&d, OWED_ON_DEPLOY, "exec", "/none/such", &e), ST_OK);
	assert_int_equal(run(&d, 0, &heard, &end, &e), ST_OK);
	assert_string_equal(buf_cstr(&heard.text), "sh: renewed\nsh: ?[31m\n");
	assert_int_equal(run(&d, 1, &heard, &end, &e), ST_IO);
	assert_int_equal(end.how.status, 9);
	assert_string_equal(e.text, "exit status 9");
	assert_int_equal(run(&d, 2, &heard, &end, &e), ST_MISSING);
	assert_int_equal(end.how.status, 0);
	buf_done(&heard.text);
	deploy_done(&d);
}

/* A systemctl of our own in PATH. */
static void a_unit_is_reloaded_by_systemctl(void **state)
{
	(void)state;
	struct deploy d = { 0 };
	struct error e = ERROR_INIT;
	struct hook_end end;
	struct heard heard = { BUF_INIT(10000) };
	char path[PATH_MAX + 100], *was = strdup(getenv("PATH"));
	put_file(in_scratch("systemctl"), "#!/bin/sh\necho \"$@\"\n[ \"$3\" = nginx.service ]\n", 0755);
	snprintf(path, sizeof path, "%s:%s", scratch_dir, was);
	setenv("PATH", path, 1);
	assert_int_equal(deploy_add_reload(&d, "nginx.service", &e), ST_OK);
	assert_int_equal(deploy_add_reload(&d, "other@a\\x2db.service", &e), ST_OK);
	assert_int_equal(run(&d, 0, &heard, &end, &e), ST_OK);
	assert_int_equal(run(&d, 1, &heard, &end, &e), ST_IO);
	assert_string_equal(e.text, "reloading other@a\\x2db.service: exit status 1");
	assert_string_equal(buf_cstr(&heard.text),
	                    "systemctl: --no-ask-password reload-or-restart nginx.service\n"
	                    "systemctl: --no-ask-password reload-or-restart other@a\\x2db.service\n");
	setenv("PATH", was, 1);
	free(was);
	buf_done(&heard.text);
	deploy_done(&d);
}

static void a_held_process_gets_the_signal(void **state)
{
	(void)state;
	struct deploy d = { 0 };
	struct error e = ERROR_INIT;
	struct hook_end end;
	int how;
	pid_t pid = fork();
	if (pid == 0) {
		for (;;)
			pause();
	}
	assert_int_equal(deploy_add_signal(&d, pid, NULL, SIGUSR2, &e), ST_OK);
	deploy_hold(&d);
	assert_int_equal(run(&d, 0, NULL, &end, &e), ST_OK);
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_int_equal(WTERMSIG(how), SIGUSR2);
	assert_int_equal(run(&d, 0, NULL, &end, &e), ST_IO);
	deploy_done(&d);
}

static int make(void **state)
{
	ossl_start();
	pki_make(&pki);
	return scratch_make(state);
}

static int drop(void **state)
{
	pki_done(&pki);
	return scratch_drop(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_told_with_its_flag),
		cmocka_unit_test(there_is_an_end_to_them),
		cmocka_unit_test(steps_are_told_apart),
		cmocka_unit_test(commands_run_and_are_heard),
		cmocka_unit_test(a_unit_is_reloaded_by_systemctl),
		cmocka_unit_test(a_held_process_gets_the_signal),
	};
	return cmocka_run_group_tests_name("agent/deploy", tests, make, drop);
}
