#include "store/inventory.h"

#include "fixture.h"

#include "base/macros.h"
#include <stdlib.h>

/* --- patterns ----------------------------------------------------------------------------------------------------- */

static void patterns(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *text;
		bool want;
	} rows[] = {
		{ "db", "db1.example", true },
		{ "EXAMPLE", "db1.example", true },
		{ "db2", "db1.example", false },
		{ "example.", "db1.example", false },
		{ "", "anything", true },
		{ "", "", true },
		{ "x", "", false },
		{ "*", "", true },
		{ "?", "", false },
		{ "*.example", "db1.example", true },
		{ "*.example", "db1.example.org", false },
		{ "*.example", ".example", true },
		{ "db?.example", "DB1.EXAMPLE", true },
		{ "db?.example", "db12.example", false },
		{ "db?.example", "db.example", false },
		{ "*a*b*c", "xxaxxbxxc", true },
		{ "*a*b*c", "xxaxxcxxb", false },
		{ "*a*b*c", "abcabcab", false },
		{ "**", "x", true },
		{ "a*", "ba", false },
		{ "db1.example*", "db1.example", true },
		{ "*?", "x", true },
		{ "?*?", "x", false },
		{ "a?", "a*", true },
		{ "[ab]", "a", false }, /* no classes */
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (inventory_matches(rows[i].pattern, slice_cstr(rows[i].text)) != rows[i].want)
			fail_msg("'%s' and '%s'", rows[i].pattern, rows[i].text);
}

/* A hundred stars against a long text: without a bound on going back this would not end. */
static void a_pattern_made_to_cost(void **state)
{
	(void)state;
	char pattern[256], text[4096];
	for (size_t i = 0; i + 2 < sizeof pattern; i += 2) {
		pattern[i] = '*';
		pattern[i + 1] = 'a';
	}
	pattern[sizeof pattern - 2] = 'b';
	pattern[sizeof pattern - 1] = '\0';
	memset(text, 'a', sizeof text);
	assert_false(inventory_matches(pattern, slice_of(text, sizeof text)));
}

/* --- what is found ------------------------------------------------------------------------------------------------ */

enum { HOUR = 3600 };

/* Certificates as they were made, one after another. All live for three hours from `at` on: due two hours on. */
static const struct made {
	const char *serial, *parent, *name, *sans, *provisioner;
	int64_t at; /* hours from NOW_S */
	char key;
	enum change_kind kind;
	int64_t life; /* 0: 3 */
	char parent_key;
} made[] = {
	{ "10", NULL, "web.example", "web.example\nwww.example", "acme", -1, 'A' },
	{ "11", "10", "web.example", "web.example\nwww.example", "acme", 0, 'A', CHANGE_RENEW, .parent_key = 'A' },
	{ "20", NULL, "db.example", "db.example", "jwk", -2, 'B' },    /* due this very second */
	{ "30", NULL, "old.example", "old.example", "jwk", -5, 'C' },  /* expired */
	{ "40", NULL, "gone.example", "10.0.0.1", "jwk", 0, 'D' },     /* revoked */
	{ "50", NULL, "shut.example", "shut.example", "jwk", 0, 'E' }, /* line closed */
	{ "51", "50", "shut.example", "shut.example", "jwk", 0, 'F', CHANGE_REKEY,
	  .parent_key = 'E' },                                              /* and so this */
	{ "60", NULL, "", "", "", 0, 'G' },                                 /* no name at all */
	{ "71", "70", "import.example", "", "x5c", -2, 'H', CHANGE_RENEW }, /* from elsewhere */
	{ "80", NULL, "web.example", "", "jwk", 0, 'A' },                   /* the key of line 10 */
	{ "90", NULL, "long.example", "", "jwk", -2, 'I', CHANGE_ISSUE, 4 },
};

static void put(char **to, const char *s)
{
	free(*to);
	*to = text_dup(slice_cstr(s));
	assert_non_null(*to);
}

static struct change *change_of(const struct made *m)
{
	struct change *c = m->parent ? change_renew(NULL, m->parent, m->serial) : change_issue(NULL, m->serial);
	if (m->parent)
		c->kind = m->kind;
	put(&c->cert.subject, m->name);
	put(&c->cert.sans, m->sans);
	put(&c->cert.provisioner_name, m->provisioner);
	memset(c->cert.key_fingerprint, m->key, KEY_FINGERPRINT);
	memset(c->parent_key, m->parent_key, KEY_FINGERPRINT);
	c->cert.not_before.s = NOW_S + m->at * HOUR;
	c->cert.not_after.s = NOW_S + (m->at + (m->life ? m->life : 3)) * HOUR;
	return c;
}

static struct world *world_full(void)
{
	struct world *w = world_begin(STORE_SQLITE);
	world_open(w);
	for (size_t i = 0; i < COUNT_OF(made); i++)
		assert_true(outcome_granted(world_apply(w, change_of(&made[i]))));
	world_apply(w, change_revoke("r1", "40"));
	struct change *close = change_revoke("r2", "50");
	close->kind = CHANGE_REVOKE_LINE;
	close->scope = SCOPE_LINEAGE;
	assert_int_equal(world_apply(w, close), OUTCOME_DONE);
	/* closed, and not yet revoked itself: as if it were issued a moment before (PostgreSQL), or imported */
	world_exec(w, "DELETE FROM revocations WHERE serial = '51'");
	return w;
}

static struct inventory_filter everything(void)
{
	return (struct inventory_filter){ .from = INVENTORY_EVER_FROM,
		                          .before = INVENTORY_EVER_BEFORE,
		                          .now = { NOW_S } };
}

/* All pages of at most `max` rows: the serials, each with a comma behind it. */
static void collect(struct world *w, const struct inventory_filter *f, size_t max, char *out, size_t n)
{
	struct inventory_cursor at = INVENTORY_START;
	size_t used = 0;
	bool more = true;
	for (int pages = 0; more; pages++) {
		AUTO(inventory_page_done) struct inventory_page p = { 0 };
		struct error e = ERROR_INIT;
		assert_true(pages < 100);
		if (store_inventory(w->store, f, at, max, &p, &e))
			fail_msg("%s", e.text);
		assert_true(p.n <= max);
		for (size_t i = 0; i < p.n; i++)
			used += (size_t)snprintf(out + used, n - used, "%s,", p.v[i].serial);
		more = p.more;
		at = p.next;
	}
	out[used] = '\0';
}

static void filters(void **state)
{
	(void)state;
	static const uint8_t a[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", z[] = "ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ";
	static const struct {
		struct inventory_filter f;
		const uint8_t *key;
		int64_t from, before; /* hours from NOW_S; both 0: ever */
		const char *want;
	} rows[] = {
		/* by their end, then as they came */
		{ .want = "30,20,71,10,90,11,40,50,51,60,80," },
		{ { .skip = INVENTORY_RENEWED | INVENTORY_EXPIRED }, .want = "20,71,90,11,40,51,60,80," },
		{ { .only = INVENTORY_REVOKED }, .want = "40,50," },
		{ { .only = INVENTORY_CLOSED }, .want = "50,51," },
		{ { .only = INVENTORY_CLOSED, .skip = INVENTORY_REVOKED }, .want = "51," },
		{ { .only = INVENTORY_CLOSED | INVENTORY_RENEWED }, .want = "50," },
		{ { .only = INVENTORY_EXPIRED }, .want = "30," },
		{ { .only = INVENTORY_DUE }, .want = "20,71," },
		{ { .only = INVENTORY_RENEWED }, .want = "10,50," },
		{ { .only = INVENTORY_DUE | INVENTORY_RENEWED }, .want = "" },
		{ { .skip = ~0U }, .want = "90,11,60,80," },
		{ { .name = "web.example" }, .want = "10,11,80," },
		{ { .name = "www" }, .want = "10,11," },
		{ { .name = "*.0.1" }, .want = "40," },
		{ { .name = "?eb.example" }, .want = "10,11,80," },
		{ { .name = "nothing" }, .want = "" },
		{ { .name = "example\nwww" }, .want = "" }, /* no name spans two */
		{ { .provisioner = "acme" }, .want = "10,11," },
		{ { .provisioner = "j*k", .name = "web*" }, .want = "80," },
		{ { .serial = "11" }, .want = "11," },
		{ { .serial = "70" }, .want = "" }, /* known as a line only */
		{ { .serial = "999" }, .want = "" },
		{ { .line = "10" }, .want = "10,11," },
		{ { .line = "11" }, .want = "10,11," },
		{ { .line = "70" }, .want = "71," },
		{ { .line = "999" }, .want = "" },
		{ { .line = "10", .only = INVENTORY_RENEWED }, .want = "10," },
		{ { .line = "10", .name = "db" }, .want = "" },
		{ { .parent = "10" }, .want = "11," },
		{ { .parent = "70" }, .want = "71," },
		{ { .parent = "11" }, .want = "" },
		{ { .parent = "10", .serial = "80" }, .want = "" },
		{ { .has_key = true }, .key = a, .want = "10,11,80," },
		{ { .has_key = true }, .key = z, .want = "" },
		{ { .has_key = true, .line = "80" }, .key = a, .want = "80," },
		{ .from = 1, .before = 2, .want = "20,71," },
		{ .from = 1, .before = 3, .want = "20,71,10,90," },
		{ .from = -9, .before = 0, .want = "30," },
		{ .from = 4, .before = 9, .want = "" },
		{ .from = 3, .before = 1, .want = "" },
		{ { .line = "10" }, .from = 3, .before = 9, .want = "11," },
	};
	struct world *w = world_full();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct inventory_filter f = rows[i].f, all = everything();
		f.now = all.now;
		bool ever = !rows[i].from && !rows[i].before;
		f.from.s = ever ? all.from.s : NOW_S + rows[i].from * HOUR;
		f.before.s = ever ? all.before.s : NOW_S + rows[i].before * HOUR;
		if (rows[i].key)
			memcpy(f.key, rows[i].key, sizeof f.key);
		for (size_t max = 1; max <= 16; max *= 2) {
			char got[512];
			collect(w, &f, max, got, sizeof got);
			if (strcmp(got, rows[i].want) != 0)
				fail_msg("row %zu, pages of %zu: \"%s\", not \"%s\"", i, max, got, rows[i].want);
		}
	}
	world_end(w);
}

static const struct inventory_cert *cert_of(const struct inventory_page *p, const char *serial)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->v[i].serial, serial))
			return &p->v[i];
	fail_msg("no %s", serial);
	return NULL;
}

static void what_is_told(void **state)
{
	(void)state;
	AUTO(inventory_page_done) struct inventory_page p = { 0 };
	struct world *w = world_full();
	struct inventory_filter f = everything();
	struct error e = ERROR_INIT;
	assert_int_equal(store_inventory(w->store, &f, INVENTORY_START, 0, &p, &e), ST_OK);
	assert_int_equal(p.n, COUNT_OF(made));
	assert_false(p.more);
	const struct inventory_cert *c = cert_of(&p, "11");
	assert_string_equal(c->parent, "10");
	assert_string_equal(c->line, "10");
	assert_string_equal(c->subject, "web.example");
	assert_string_equal(c->sans, "web.example\nwww.example");
	assert_string_equal(c->provisioner, "acme");
	assert_int_equal(c->generation, 1);
	assert_int_equal(c->not_after.s, NOW_S + 3 * HOUR);
	assert_int_equal(c->key[31], 'A');
	assert_int_equal(c->is, 0);
	assert_string_equal(cert_of(&p, "10")->parent, "");
	assert_int_equal(cert_of(&p, "10")->is, INVENTORY_RENEWED);
	assert_string_equal(cert_of(&p, "71")->line, "70");
	c = cert_of(&p, "40");
	assert_int_equal(c->is, INVENTORY_REVOKED);
	assert_int_equal(c->reason_code, 4);
	assert_int_equal(c->revoked_at.s, NOW_S);
	assert_int_equal(cert_of(&p, "30")->is, INVENTORY_EXPIRED);
	world_end(w);
}

/* The second of its life's last third, and the second before. */
static void when_it_is_due(void **state)
{
	(void)state;
	static const struct {
		int64_t now;
		unsigned is;
	} rows[] = { { NOW_S + 2 * HOUR - 1, 0 },
		     { NOW_S + 2 * HOUR, INVENTORY_DUE },
		     { NOW_S + 3 * HOUR, INVENTORY_DUE },
		     { NOW_S + 3 * HOUR + 1, INVENTORY_EXPIRED } };
	struct world *w = world_full();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(inventory_page_done) struct inventory_page p = { 0 };
		struct inventory_filter f = everything();
		struct error e = ERROR_INIT;
		f.serial = "11";
		f.now.s = rows[i].now;
		assert_int_equal(store_inventory(w->store, &f, INVENTORY_START, 1, &p, &e), ST_OK);
		assert_int_equal(p.n, 1);
		assert_int_equal(p.v[0].is, rows[i].is);
	}
	world_end(w);
}

/* --- many --------------------------------------------------------------------------------------------------------- */

/* More than one page looks at, all of which end at the same second, as an issuer near its end makes them. */
static void many_that_end_at_once(void **state)
{
	(void)state;
	enum { MANY = 2 * INVENTORY_LOOK + 7 };
	struct world *w = world_begin(STORE_SQLITE);
	world_open(w);
	world_exec(
		w,
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8007)"
		" INSERT INTO lines (id, serial) SELECT i, i FROM n;"
		"INSERT INTO certs (serial, subject, sans, provisioner_id, provisioner_name, provisioner_type, key_fp,"
		" new_key, not_before, not_after, granted_s, parent, line, generation, created, der)"
		" SELECT serial, 'host' || id, '', '', '', 0, x'00', 1, 0, 1800003600, 0, NULL, id, 0, 0, x'00'"
		" FROM lines ORDER BY id");
	struct inventory_filter f = everything();
	struct inventory_cursor at = INVENTORY_START;
	size_t rows = 0, empty = 0;
	for (bool more = true; more;) { /* each once, in order */
		AUTO(inventory_page_done) struct inventory_page p = { 0 };
		struct error e = ERROR_INIT;
		assert_int_equal(store_inventory(w->store, &f, at, 0, &p, &e), ST_OK);
		for (size_t i = 0; i < p.n; i++)
			assert_int_equal(p.v[i].at.id, (int64_t)++rows);
		more = p.more;
		at = p.next;
	}
	assert_int_equal(rows, MANY);
	f.name = "host8007";
	at = INVENTORY_START;
	rows = 0;
	for (bool more = true; more;) { /* no page looks at more than its share, even where it finds nothing */
		AUTO(inventory_page_done) struct inventory_page p = { 0 };
		struct error e = ERROR_INIT;
		assert_int_equal(store_inventory(w->store, &f, at, 0, &p, &e), ST_OK);
		empty += p.n == 0 && p.more;
		rows += p.n;
		more = p.more;
		if (more)
			assert_int_equal(p.next.id, (int64_t)(empty * INVENTORY_LOOK));
		at = p.next;
	}
	assert_int_equal(empty, 2);
	assert_int_equal(rows, 1);
	world_end(w);
}

/* Who asks for one goes on behind hundreds that are not asked for, and not behind each. */
static void few_of_many(void **state)
{
	(void)state;
	enum { MANY = 3000, BAD = 1200 };
	struct world *w = world_begin(STORE_SQLITE);
	world_open(w);
	world_exec(
		w,
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
		" INSERT INTO lines (id, serial) SELECT i, i FROM n;"
		"INSERT INTO certs (serial, subject, sans, provisioner_id, provisioner_name, provisioner_type, key_fp,"
		" new_key, not_before, not_after, granted_s, parent, line, generation, created, der)"
		" SELECT serial, 'host' || id, '', '', '', 0, x'00', 1, 0, 1800003600 + id / 2, 0, NULL, id, 0, 0, "
	        "x'00'"
		" FROM lines ORDER BY id;"
		"INSERT INTO revocations (serial, reason_code, reason, provisioner, mtls, revoked_at)"
		" SELECT serial, 0, '', '', 0, 0 FROM lines WHERE id <= 1200 OR id % 3 = 0");
	struct inventory_filter f = everything();
	f.skip = INVENTORY_REVOKED;
	for (size_t max = 1; max <= INVENTORY_ROWS; max = max * 7 + 1) {
		struct inventory_cursor at = INVENTORY_START;
		int64_t next = BAD + 1;
		size_t pages = 0, full = 0, rows = 0;
		for (bool more = true; more; pages++) {
			AUTO(inventory_page_done) struct inventory_page p = { 0 };
			struct error e = ERROR_INIT;
			assert_int_equal(store_inventory(w->store, &f, at, max, &p, &e), ST_OK);
			assert_true(p.n <= max);
			for (size_t i = 0; i < p.n; i++, next++) { /* each once, in order */
				next += next % 3 == 0;
				assert_int_equal(p.v[i].at.id, next);
			}
			rows += p.n;
			full += p.n == max;
			more = p.more;
			at = p.next;
		}
		assert_int_equal(rows, (MANY - BAD) * 2 / 3);
		if (max < 100)
			assert_in_range(pages, full, full + BAD / INVENTORY_ROWS + 2);
	}
	world_end(w);
}

static void a_store_in_memory(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_MEMORY);
	char got[64];
	world_open(w);
	world_apply(w, change_issue(NULL, "1"));
	struct inventory_filter f = everything();
	collect(w, &f, 16, got, sizeof got);
	assert_string_equal(got, "1,");
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns),       cmocka_unit_test(a_pattern_made_to_cost),
		cmocka_unit_test(filters),        cmocka_unit_test(what_is_told),
		cmocka_unit_test(when_it_is_due), cmocka_unit_test(many_that_end_at_once),
		cmocka_unit_test(few_of_many),    cmocka_unit_test(a_store_in_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
