#include "fixture.h"

#include "base/macros.h"

#include <stdlib.h>
#include <time.h>

enum { WINDOW_S = 600 };

/* A story: changes one after another, in one store. */
struct event {
	enum change_kind kind;
	const char *serial, *parent;
	enum outcome want;
	char key;        /* of the new certificate; 0: 'K' */
	char parent_key; /* 0: 'K' */
	int64_t after_s; /* NOW_S plus this is when it happens */
	bool after_expiry;
	enum line_scope scope;
	const char *credential; /* NULL: none; "": another CA's */
	char credential_key;    /* 0: 'C' */
	const char *own_only;   /* the provisioner that may revoke nothing else */
	const char *token;
};

static void fill_key(uint8_t key[KEY_FINGERPRINT], char c, char otherwise)
{
	memset(key, c ? c : otherwise, KEY_FINGERPRINT);
}

static char *copy(const char *s)
{
	char *p = text_dup(slice_cstr(s));
	assert_non_null(p);
	return p;
}

static void put(char **to, const char *s)
{
	free(*to);
	*to = copy(s);
}

static struct change *change_of(const struct event *v)
{
	bool revokes = v->kind == CHANGE_REVOKE || v->kind == CHANGE_REVOKE_LINE;
	struct change *c = revokes                   ? change_revoke(v->token, v->serial)
	                   : v->kind == CHANGE_ISSUE ? change_issue(v->token, v->serial)
	                                             : change_renew(v->token, v->parent, v->serial);
	c->kind = v->kind;
	c->scope = v->scope;
	c->at.s = NOW_S + v->after_s;
	c->cert.created = c->at;
	c->cert.not_before.s = c->at.s - 60;
	c->cert.not_after.s = c->at.s + 3600;
	c->after_expiry = v->after_expiry;
	c->window_s = WINDOW_S;
	fill_key(c->cert.key_fingerprint, v->key, 'K');
	fill_key(c->parent_key, v->parent_key, 'K');
	if (v->credential) {
		c->has_credential = true;
		snprintf(c->credential, sizeof(c->credential), "%s", v->credential);
		fill_key(c->credential_key, v->credential_key, 'C');
	}
	if (v->own_only) {
		c->own_only = true;
		put(&c->provisioner_id, v->own_only);
	}
	return c;
}

static struct world *tell(const struct event *v, size_t n)
{
	struct world *w = world_begin(STORE_SQLITE);
	world_open(w);
	for (size_t i = 0; i < n; i++) {
		enum outcome o = world_apply(w, change_of(&v[i]));
		if (o != v[i].want)
			fail_msg("event %zu (%s): %s, not %s", i, v[i].serial, outcome_name(o),
			         outcome_name(v[i].want));
	}
	return w;
}

static void expect(struct world *w, const char *sql, const char *want)
{
	char text[512];
	world_text(w, sql, text, sizeof(text));
	if (strcmp(text, want) != 0)
		fail_msg("%s: \"%s\", not \"%s\"", sql, text, want);
}

static void renewals_again(void **state)
{
	(void)state;
	static const struct event story[] = {
		{ CHANGE_ISSUE, "1", NULL, OUTCOME_DONE },
		{ CHANGE_RENEW, "2", "1", OUTCOME_DONE, .after_s = 100 },
		{ CHANGE_RENEW, "2", "1", OUTCOME_DONE, .after_s = 100 }, /* the same change, tried again */
		{ CHANGE_RENEW, "3", "1", OUTCOME_DONE_AGAIN, .after_s = 100 + WINDOW_S },
		{ CHANGE_RENEW, "4", "1", OUTCOME_DONE_SECOND, .after_s = 101 + WINDOW_S },  /* from the first one */
		{ CHANGE_REKEY, "5", "1", OUTCOME_DONE_SECOND, .key = 'N', .after_s = 110 }, /* another key */
		{ CHANGE_RENEW, "6", "1", OUTCOME_DONE_AGAIN, .after_s = 50 },               /* the clock went back */
		{ CHANGE_RENEW, "7", "3", OUTCOME_DONE, .after_s = 200 }, /* a sibling is a parent like any */
		{ CHANGE_REKEY, "8", "7", OUTCOME_DONE, .key = 'N', .after_s = 300 },
		{ CHANGE_REKEY, "9", "7", OUTCOME_DONE_AGAIN, .key = 'N', .after_s = 310 },
		{ CHANGE_REKEY, "10", "7", OUTCOME_DONE_SECOND, .key = 'O', .after_s = 310 },
		/* a parent that only the change knows */
		{ CHANGE_RENEW, "21", "900", OUTCOME_DONE },
		{ CHANGE_RENEW, "22", "900", OUTCOME_DONE_AGAIN },
		{ CHANGE_RENEW, "23", "21", OUTCOME_DONE },
		{ CHANGE_RENEW, "24", "900", OUTCOME_DONE_SECOND, .after_s = WINDOW_S + 1 },
	};
	struct world *w = tell(story, COUNT_OF(story));
	expect(w, "SELECT group_concat(serial) FROM (SELECT serial FROM certs WHERE again = 1 ORDER BY id) o",
	       "3,6,9,22");
	expect(w, "SELECT group_concat(serial) FROM (SELECT serial FROM certs WHERE again = 2 ORDER BY id) o",
	       "4,5,10,24");
	/* accounted for: each has its row, its parent and its line */
	expect(w,
	       "SELECT count(*) FROM certs c JOIN lines l ON l.id = c.line WHERE l.serial = '1' AND c.parent IS NOT "
	       "NULL",
	       "9");
	world_end(w);
}

/* After its end a certificate is renewed only as long as nobody has gone on from what was renewed from it. */
static void after_expiry(void **state)
{
	(void)state;
	static const struct event story[] = {
		{ CHANGE_ISSUE, "1", NULL, OUTCOME_DONE },
		{ CHANGE_RENEW, "2", "1", OUTCOME_DONE, .after_s = 5000, .after_expiry = true },
		/* a child is no reason: its answer may have been lost */
		{ CHANGE_RENEW, "3", "1", OUTCOME_DONE_AGAIN, .after_s = 5100, .after_expiry = true },
		{ CHANGE_RENEW, "4", "2", OUTCOME_DONE, .after_s = 6000 },
		/* a grandchild is */
		{ CHANGE_RENEW, "5", "1", OUTCOME_PARENT_SUPERSEDED, .after_s = 6001, .after_expiry = true },
		{ CHANGE_REKEY, "5", "1", OUTCOME_PARENT_SUPERSEDED, .key = 'N', .after_s = 6001,
		  .after_expiry = true },
		{ CHANGE_RENEW, "5", "1", OUTCOME_PARENT_SUPERSEDED, .after_expiry = true, .token = "t" },
		{ CHANGE_RENEW, "5", "2", OUTCOME_TOKEN_USED, .after_expiry = true, .token = "t" },
		/* before its end it is renewed as ever */
		{ CHANGE_RENEW, "5", "1", OUTCOME_DONE_SECOND, .after_s = 6002 },
		/* each branch for itself */
		{ CHANGE_RENEW, "6", "2", OUTCOME_DONE_SECOND, .after_s = 9000, .after_expiry = true },
		{ CHANGE_RENEW, "7", "3", OUTCOME_DONE, .after_s = 9100, .after_expiry = true },
		{ CHANGE_REKEY, "8", "4", OUTCOME_DONE, .key = 'N', .after_s = 9200 },
		{ CHANGE_RENEW, "9", "2", OUTCOME_PARENT_SUPERSEDED, .after_s = 9300, .after_expiry = true },
		{ CHANGE_RENEW, "9", "8", OUTCOME_DONE, .key = 'N', .parent_key = 'N', .after_s = 20000,
		  .after_expiry = true },
		/* imported: known by its children */
		{ CHANGE_RENEW, "31", "900", OUTCOME_DONE, .after_expiry = true },
		{ CHANGE_RENEW, "32", "31", OUTCOME_DONE },
		{ CHANGE_RENEW, "33", "900", OUTCOME_PARENT_SUPERSEDED, .after_expiry = true },
	};
	struct world *w = tell(story, COUNT_OF(story));
	expect(w, "SELECT count(*) FROM certs", "11");
	world_end(w);
}

/* An issuer near its end cut the children short: still superseded. */
static void after_expiry_with_shorter_children(void **state)
{
	(void)state;
	static const struct event story[] = {
		{ CHANGE_ISSUE, "1", NULL, OUTCOME_DONE },
		{ CHANGE_RENEW, "2", "1", OUTCOME_DONE, .after_s = 10 },
		{ CHANGE_RENEW, "3", "2", OUTCOME_DONE, .after_s = 20 },
	};
	struct world *w = tell(story, COUNT_OF(story));
	world_exec(w, "UPDATE certs SET not_after = not_after - 3500 WHERE serial <> '1'");
	const struct event late = { CHANGE_RENEW, "4", "1", 0, .after_s = 9000, .after_expiry = true };
	assert_int_equal(world_apply(w, change_of(&late)), OUTCOME_PARENT_SUPERSEDED);
	world_end(w);
}

/* Whoever makes a line long does not make the writer's work long: the note is missed, the condition says no. */
static void after_expiry_in_a_crowd(void **state)
{
	(void)state;
	static const struct event story[] = { { CHANGE_ISSUE, "1", NULL, OUTCOME_DONE },
		                              { CHANGE_RENEW, "2", "1", OUTCOME_DONE } };
	static const struct {
		int crowd;
		enum outcome late, early;
	} rows[] = { { 30, OUTCOME_DONE, OUTCOME_DONE_SECOND },
		     { 900, OUTCOME_DONE, OUTCOME_DONE_SECOND },
		     { 1100, OUTCOME_PARENT_SUPERSEDED, OUTCOME_DONE_SECOND } };
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char sql[512];
		struct world *w = tell(story, COUNT_OF(story));
		snprintf(sql, sizeof(sql),
		         "WITH RECURSIVE s(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM s WHERE i < %d)"
		         " INSERT INTO certs SELECT 9000 + i, CAST(9000 + i AS TEXT), '', '', '', '', 0, x'AB', 0, 0, "
		         "c.not_after, 0, "
		         "'1', "
		         "c.line, 1, 0, x'00', 1 FROM s, certs c WHERE c.serial = '2'",
		         rows[i].crowd);
		world_exec(w, sql);
		const struct event late = { CHANGE_RENEW, "3", "2", 0, .after_s = 9000, .after_expiry = true };
		const struct event early = { CHANGE_RENEW, "4", "1", 0, .after_s = WINDOW_S + 1 };
		assert_int_equal(world_apply(w, change_of(&late)), rows[i].late);
		assert_int_equal(world_apply(w, change_of(&early)), rows[i].early);
		world_end(w);
	}
}

static const struct event family[] = {
	/* 1 -> 2 -> 3 -> 5 (rekeyed), 1 -> 4; 10 has a key of its own, 11 the line's */
	{ CHANGE_ISSUE, "1", NULL, OUTCOME_DONE },
	{ CHANGE_RENEW, "2", "1", OUTCOME_DONE, .after_s = 10 },
	{ CHANGE_RENEW, "3", "2", OUTCOME_DONE, .after_s = 20 },
	{ CHANGE_RENEW, "4", "1", OUTCOME_DONE_AGAIN, .after_s = 30 },
	{ CHANGE_REKEY, "5", "3", OUTCOME_DONE, .key = 'N', .after_s = 40 },
	{ CHANGE_ISSUE, "10", NULL, OUTCOME_DONE, .key = 'O' },
	{ CHANGE_ISSUE, "11", NULL, OUTCOME_DONE },
};

static struct world *tell_family(const struct event *v, size_t n)
{
	struct world *w = tell(family, COUNT_OF(family));
	for (size_t i = 0; i < n; i++) {
		enum outcome o = world_apply(w, change_of(&v[i]));
		if (o != v[i].want)
			fail_msg("event %zu (%s): %s, not %s", i, v[i].serial, outcome_name(o),
			         outcome_name(v[i].want));
	}
	return w;
}

/* Whoever of the line is named: all of it ends, and its keys everywhere. */
static void lineage(void **state)
{
	(void)state;
	static const char *const named[] = { "1", "2", "4", "5" };
	for (size_t k = 0; k < COUNT_OF(named); k++) {
		const struct event story[] = {
			{ CHANGE_REVOKE_LINE, named[k], NULL, OUTCOME_DONE, .token = "r", .after_s = 50 },
			{ CHANGE_REVOKE_LINE, named[k], NULL, OUTCOME_TOKEN_USED, .token = "r" },
			{ CHANGE_REVOKE_LINE, named[k], NULL, OUTCOME_ALREADY_REVOKED, .token = "r2" },
			{ CHANGE_REVOKE_LINE, "3", NULL, OUTCOME_ALREADY_REVOKED, .token = "r3" },
			/* no renewal, no rekeying, not by any of them */
			{ CHANGE_RENEW, "40", "1", OUTCOME_KEY_BLOCKED },
			{ CHANGE_RENEW, "40", "3", OUTCOME_KEY_BLOCKED },
			{ CHANGE_RENEW, "40", "5", OUTCOME_KEY_BLOCKED, .key = 'N', .parent_key = 'N' },
			{ CHANGE_REKEY, "40", "4", OUTCOME_KEY_BLOCKED, .key = 'F' },
			{ CHANGE_REKEY, "40", "5", OUTCOME_KEY_BLOCKED, .key = 'F', .parent_key = 'N' },
			{ CHANGE_RENEW, "40", "2", OUTCOME_PARENT_REVOKED, .key = 'F', .parent_key = 'F' },
			{ CHANGE_RENEW, "40", "2", OUTCOME_KEY_BLOCKED, .after_s = 90000, .after_expiry = true },
			/* the keys get nothing new */
			{ CHANGE_ISSUE, "41", NULL, OUTCOME_KEY_BLOCKED },
			{ CHANGE_ISSUE, "41", NULL, OUTCOME_KEY_BLOCKED, .key = 'N' },
			/* nor another line that has one of them */
			{ CHANGE_RENEW, "42", "11", OUTCOME_KEY_BLOCKED },
			{ CHANGE_REKEY, "42", "11", OUTCOME_KEY_BLOCKED, .key = 'F' },
			/* others go on */
			{ CHANGE_RENEW, "43", "10", OUTCOME_DONE, .key = 'O', .parent_key = 'O' },
			{ CHANGE_ISSUE, "44", NULL, OUTCOME_DONE, .key = 'F' },
		};
		struct world *w = tell_family(story, COUNT_OF(story));
		expect(w, "SELECT group_concat(serial) FROM (SELECT serial FROM revocations ORDER BY serial) o",
		       "1,2,3,4,5");
		expect(w,
		       "SELECT closed_at || ' ' || closed_by FROM lines WHERE serial = '1' AND closed_at IS NOT NULL",
		       "1800000050 admin:KID");
		expect(w, "SELECT count(*) FROM lines WHERE closed_at IS NOT NULL", "1");
		expect(w, "SELECT count(*) || min(reason) || min(blocked_at) FROM blocked_keys",
		       "2superseded1800000050");
		expect(w, "SELECT reason_code || reason || provisioner || token FROM revocations WHERE serial = '4'",
		       "4supersededadmin:KIDr");
		world_check(w);
		world_end(w);
	}
}

/* Where only the line says no: a certificate whose own row and key are unknown. */
static void closed_line_alone(void **state)
{
	(void)state;
	static const struct event story[] = {
		{ CHANGE_REVOKE_LINE, "1", NULL, OUTCOME_DONE, .after_s = 9000 }, /* all have expired */
		{ CHANGE_RENEW, "40", "2", OUTCOME_LINE_CLOSED, .key = 'F', .parent_key = 'F', .after_s = 9001,
		  .after_expiry = true },
		{ CHANGE_RENEW, "40", "1", OUTCOME_PARENT_REVOKED, .key = 'F', .parent_key = 'F', .after_s = 9001 },
		/* nobody knows it: its line is made, and closed, in advance */
		{ CHANGE_REVOKE_LINE, "777", NULL, OUTCOME_DONE },
		{ CHANGE_RENEW, "50", "777", OUTCOME_PARENT_REVOKED, .key = 'F', .parent_key = 'F' },
		{ CHANGE_REVOKE_LINE, "777", NULL, OUTCOME_ALREADY_REVOKED },
	};
	struct world *w = tell_family(story, COUNT_OF(story));
	expect(w, "SELECT group_concat(serial) FROM (SELECT serial FROM revocations ORDER BY serial) o", "1,777");
	world_end(w);
}

static void descendants(void **state)
{
	(void)state;
	static const struct event story[] = {
		{ CHANGE_REVOKE_LINE, "2", NULL, OUTCOME_DONE, .scope = SCOPE_DESCENDANTS, .token = "r" },
		{ CHANGE_REVOKE_LINE, "2", NULL, OUTCOME_ALREADY_REVOKED, .scope = SCOPE_DESCENDANTS, .token = "r2" },
		{ CHANGE_RENEW, "40", "2", OUTCOME_PARENT_REVOKED },
		{ CHANGE_RENEW, "40", "3", OUTCOME_PARENT_REVOKED },
		{ CHANGE_REKEY, "40", "5", OUTCOME_PARENT_REVOKED, .key = 'F', .parent_key = 'N' },
		{ CHANGE_RENEW, "40", "4", OUTCOME_DONE },
		{ CHANGE_RENEW, "41", "1", OUTCOME_DONE_AGAIN, .after_s = 60 },
		{ CHANGE_RENEW, "42", "11", OUTCOME_DONE },
		{ CHANGE_ISSUE, "43", NULL, OUTCOME_DONE, .key = 'N' },
		/* the wider form still can */
		{ CHANGE_REVOKE_LINE, "2", NULL, OUTCOME_DONE, .token = "r3" },
		{ CHANGE_RENEW, "44", "4", OUTCOME_KEY_BLOCKED },
		/* known to nobody: the one serial */
		{ CHANGE_REVOKE_LINE, "888", NULL, OUTCOME_DONE, .scope = SCOPE_DESCENDANTS },
	};
	struct world *w = tell_family(story, COUNT_OF(story));
	expect(w,
	       "SELECT group_concat(serial) FROM (SELECT serial FROM revocations WHERE token = 'r' ORDER BY serial) o",
	       "2,3,5");
	world_end(w);
}

/* The token of a certificate's key is worth what the certificate is. */
static void credentials(void **state)
{
	(void)state;
	static const struct event story[] = {
		{ CHANGE_ISSUE, "40", NULL, OUTCOME_DONE, .key = 'F', .credential = "10", .credential_key = 'O',
		  .token = "a" },
		{ CHANGE_ISSUE, "41", NULL, OUTCOME_DONE, .key = 'F', .credential = "", .token = "b" },
		{ CHANGE_REVOKE, "10", NULL, OUTCOME_DONE },
		{ CHANGE_ISSUE, "42", NULL, OUTCOME_CREDENTIAL_REVOKED, .key = 'F', .credential = "10",
		  .credential_key = 'O', .token = "c" },
		{ CHANGE_ISSUE, "42", NULL, OUTCOME_TOKEN_USED, .key = 'F', .token = "c" },
		{ CHANGE_REVOKE, "40", NULL, OUTCOME_CREDENTIAL_REVOKED, .credential = "10", .credential_key = 'O',
		  .token = "d" },
		/* another CA's certificate of that serial is another */
		{ CHANGE_ISSUE, "43", NULL, OUTCOME_DONE, .key = 'F', .credential = "", .credential_key = 'P',
		  .token = "e" },
		/* one of a closed line, and the line's key wherever it is */
		{ CHANGE_REVOKE_LINE, "1", NULL, OUTCOME_DONE },
		{ CHANGE_ISSUE, "44", NULL, OUTCOME_CREDENTIAL_REVOKED, .key = 'F', .credential = "4",
		  .credential_key = 'Q' },
		{ CHANGE_ISSUE, "44", NULL, OUTCOME_CREDENTIAL_REVOKED, .key = 'F', .credential = "1",
		  .credential_key = 'Q' },
		{ CHANGE_ISSUE, "44", NULL, OUTCOME_CREDENTIAL_REVOKED, .key = 'F', .credential = "",
		  .credential_key = 'N' },
		{ CHANGE_ISSUE, "44", NULL, OUTCOME_DONE, .key = 'F', .credential = "", .credential_key = 'Q' },
	};
	struct world *w = tell_family(story, COUNT_OF(story));
	expect(w, "SELECT count(*) FROM revocations WHERE serial = '40'", "0");
	world_end(w);
}

/* Expired with its line: its line says no where no revocation of its own was written. */
static void credential_of_a_line_closed_late(void **state)
{
	(void)state;
	static const struct event story[] = {
		{ CHANGE_REVOKE_LINE, "1", NULL, OUTCOME_DONE, .after_s = 9000 },
		{ CHANGE_ISSUE, "44", NULL, OUTCOME_CREDENTIAL_REVOKED, .key = 'F', .credential = "4",
		  .credential_key = 'Q' },
	};
	struct world *w = tell_family(story, COUNT_OF(story));
	expect(w, "SELECT count(*) FROM revocations WHERE serial = '4'", "0");
	world_end(w);
}

/* Not known here, but for the line that was renewed from it and bears its name. */
static void credential_of_an_imported_line(void **state)
{
	(void)state;
	static const struct event story[] = {
		{ CHANGE_RENEW, "50", "950", OUTCOME_DONE },
		{ CHANGE_ISSUE, "51", NULL, OUTCOME_DONE, .key = 'F', .credential = "950", .credential_key = 'Q' },
		{ CHANGE_REVOKE_LINE, "50", NULL, OUTCOME_DONE },
		{ CHANGE_ISSUE, "52", NULL, OUTCOME_CREDENTIAL_REVOKED, .key = 'F', .credential = "950",
		  .credential_key = 'Q' },
	};
	struct world *w = tell(story, COUNT_OF(story));
	expect(w, "SELECT count(*) FROM revocations WHERE serial = '950'", "0");
	world_end(w);
}

static void own_only(void **state)
{
	(void)state;
	static const struct event story[] = {
		{ CHANGE_REVOKE, "1", NULL, OUTCOME_FOREIGN, .own_only = "x5c/people", .token = "a" },
		{ CHANGE_REVOKE, "1", NULL, OUTCOME_TOKEN_USED, .own_only = "admin:KID", .token = "a" },
		{ CHANGE_REVOKE, "999", NULL, OUTCOME_FOREIGN, .own_only = "admin:KID", .token = "b" }, /* not known */
		{ CHANGE_REVOKE, "1", NULL, OUTCOME_FOREIGN, .own_only = "", .token = "c" },
		{ CHANGE_REVOKE, "1", NULL, OUTCOME_DONE, .own_only = "admin:KID", .token = "d" },
		{ CHANGE_REVOKE, "1", NULL, OUTCOME_ALREADY_REVOKED, .own_only = "admin:KID", .token = "e" },
	};
	struct world *w = tell_family(story, COUNT_OF(story));
	expect(w, "SELECT group_concat(serial || token) FROM revocations", "1d");
	world_end(w);
}

/* --- looking --- */

static void show(struct world *w, const char *serial, enum line_scope scope, const char *want)
{
	struct error e = ERROR_INIT;
	struct store_line l;
	char text[256] = "";
	size_t n = 0;
	if (store_find_line(w->store, serial, scope, &l, &e))
		fail_msg("%s: %s", serial, e.text);
	for (size_t i = 0; i < l.n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s ", l.v[i].serial, l.v[i].revoked ? "r" : "",
		                      l.v[i].same_key_only ? "k" : "");
	snprintf(text + n, sizeof(text) - n, "+%d %d%s", (int)l.more, (int)l.expired, l.closed ? " closed" : "");
	if (strcmp(text, want) != 0)
		fail_msg("%s: \"%s\", not \"%s\"", serial, text, want);
	for (size_t i = 0; i < l.n; i++) {
		assert_string_equal(l.v[i].line, l.v[i].same_key_only ? "11" : "1");
		assert_string_equal(l.v[i].subject, "host.example");
	}
	store_line_done(&l);
}

static void dry_run(void **state)
{
	(void)state;
	static const struct event revoked[] = { { CHANGE_REVOKE, "4", NULL, OUTCOME_DONE } };
	struct world *w = tell_family(revoked, COUNT_OF(revoked));
	show(w, "3", SCOPE_LINEAGE, "1 2 4r 3 5 11k +0 0");
	show(w, "2", SCOPE_DESCENDANTS, "2 3 5 +0 0");
	show(w, "5", SCOPE_DESCENDANTS, "5 +0 0");
	show(w, "1", SCOPE_DESCENDANTS, "1 2 4r 3 5 +0 0");
	show(w, "999", SCOPE_LINEAGE, "+0 0");
	show(w, "999", SCOPE_DESCENDANTS, "+0 0");
	w->wall_s = NOW_S + 3615; /* 1 and 11 and 2 have ended */
	show(w, "3", SCOPE_LINEAGE, "4r 3 5 +0 3");
	world_exec(w, "UPDATE lines SET closed_at = 1 WHERE serial = '1'");
	show(w, "2", SCOPE_DESCENDANTS, "3 5 +0 1 closed");
	expect(w, "SELECT count(*) FROM revocations", "1"); /* it only looked */
	world_end(w);
}

/* A long line: what is not listed is counted, and all of it is taken. */
static void long_line(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	struct error e = ERROR_INIT;
	struct store_line l;
	world_open(w);
	world_exec(w, "INSERT INTO lines (id, serial) VALUES (9, '1');"
	              "WITH RECURSIVE s(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM s WHERE i < 6000)"
	              " INSERT INTO certs SELECT i, CAST(i AS TEXT), '', '', '', '', 0, x'AB', CASE i WHEN 1 THEN 1 "
	              "ELSE 0 END, 0, 1800000001, 0,"
	              " CASE WHEN i > 1 THEN CAST(i - 1 AS TEXT) END, 9, i - 1, 0, x'00', 0 FROM s");
	assert_int_equal(store_find_line(w->store, "100", SCOPE_DESCENDANTS, &l, &e), ST_OK);
	assert_int_equal(l.n, STORE_LINE_SHOWN);
	assert_int_equal(l.more, 5901 - STORE_LINE_SHOWN);
	store_line_done(&l);
	const struct event all = { CHANGE_REVOKE_LINE, "100", NULL, 0, .scope = SCOPE_DESCENDANTS };
	assert_int_equal(world_apply(w, change_of(&all)), OUTCOME_DONE);
	expect(w, "SELECT count(*) FROM revocations", "5901");
	world_end(w);
}

static void in_memory(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_MEMORY);
	w->conf.folder = NULL;
	world_open(w);
	static const struct event story[] = {
		{ CHANGE_ISSUE, "1", NULL, 0 },
		{ CHANGE_REVOKE_LINE, "1", NULL, 0, .token = "r" },
		{ CHANGE_REVOKE_LINE, "1", NULL, 0, .token = "r" },
		{ CHANGE_RENEW, "2", "1", 0 },
	};
	static const enum outcome want[] = { OUTCOME_DONE, OUTCOME_UNSUPPORTED, OUTCOME_TOKEN_USED, OUTCOME_DONE };
	for (size_t i = 0; i < COUNT_OF(story); i++)
		assert_int_equal(world_apply(w, change_of(&story[i])), want[i]);
	world_end(w);
}

static void bad_changes(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	world_open(w);
	static const char *const serials[] = { "", "0x10", "-1", "a" };
	for (size_t i = 0; i < COUNT_OF(serials); i++) {
		struct error e = ERROR_INIT;
		enum outcome o;
		const struct event v = { CHANGE_REVOKE_LINE, serials[i], NULL, 0, .token = "t" };
		assert_int_equal(store_apply(w->store, change_of(&v), &o, &e), ST_INVALID);
	}
	expect(w, "SELECT count(*) FROM tokens", "0");
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renewals_again),
		cmocka_unit_test(after_expiry),
		cmocka_unit_test(after_expiry_with_shorter_children),
		cmocka_unit_test(after_expiry_in_a_crowd),
		cmocka_unit_test(lineage),
		cmocka_unit_test(closed_line_alone),
		cmocka_unit_test(descendants),
		cmocka_unit_test(credentials),
		cmocka_unit_test(credential_of_a_line_closed_late),
		cmocka_unit_test(credential_of_an_imported_line),
		cmocka_unit_test(own_only),
		cmocka_unit_test(dry_run),
		cmocka_unit_test(long_line),
		cmocka_unit_test(in_memory),
		cmocka_unit_test(bad_changes),
	};
	return cmocka_run_group_tests_name("store/line", tests, NULL, NULL);
}
