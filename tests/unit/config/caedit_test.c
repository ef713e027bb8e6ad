/* Edits of ca.json: what they change, and that they change nothing else. */
#include "sample.h"
#include "base/duration.h"
#include "config/caedit.h"
#include "crypto/auto.h"
#include "fail.h"
#include "testca.h"

#include <errno.h>

static json_t *parsed(const char *text)
{
	struct error e = ERROR_INIT;
	json_t *file = NULL;
	assert_ok(caedit_parse(slice_cstr(text), &file, &e));
	return file;
}

static char *formatted(const json_t *file)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf out = BUF_INIT(1 << 20);
	assert_ok(caedit_format(file, &out, &e));
	return buf_take(&out);
}

static void what_we_do_not_know_stays(void **state)
{
	(void)state;
	static const char text[] =
		"{\n"
		"\t\"zebra\": [\n\t\t1,\n\t\t1.2,\n\t\tnull,\n\t\t\"\\u003c\"\n\t],\n"
		"\t\"Authority\": {\n"
		"\t\t\"unknown\": {},\n"
		"\t\t\"Provisioners\": [\n"
		"\t\t\t{\n\t\t\t\t\"odd\": 1e+30,\n\t\t\t\t\"name\": \"a\",\n\t\t\t\t\"type\": \"Odd\"\n\t\t\t}\n"
		"\t\t]\n"
		"\t},\n"
		"\t\"aardvark\": true\n"
		"}\n";
	struct error e = ERROR_INIT;
	AUTO(json_decref_p) json_t *file = parsed(text);
	AUTO(json_decref_p) json_t *p = NULL;
	AUTO(text_free_p) char *same = formatted(file);
	assert_string_equal(same, text);
	assert_ok(caedit_new("ACME", "b", &p, &e));
	assert_ok(caedit_add(file, p, &e));
	assert_ok(caedit_rename(file, "b", "c", &e));
	assert_ok(caedit_remove(file, "c", &e));
	AUTO(text_free_p) char *again = formatted(file);
	assert_string_equal(again, text);
}

static void files_that_cannot_be_edited(void **state)
{
	(void)state;
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{ "", "" },
		{ "{", "" },
		{ "[]", "not a JSON object" },
		{ "{} {}", "" },
		{ "{\"a\":1,\"a\":2}", "" },
		{ "{\"authority\":[]}", "authority: not an object" },
		{ "{\"authority\":{\"provisioners\":{}}}", "authority.provisioners: not a list" },
		{ "{\"authority\":{\"provisioners\":\"x\"}}", "authority.provisioners: not a list" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		json_t *file = NULL;
		assert_int_equal(caedit_parse(slice_cstr(rows[i].text), &file, &e), ST_INVALID);
		assert_null(file);
		assert_non_null(strstr(e.text, rows[i].wanted));
	}
	/* No list yet: one is made. */
	static const char *const empty[] = { "{}", "{\"authority\":null}", "{\"authority\":{\"provisioners\":null}}" };
	for (size_t i = 0; i < COUNT_OF(empty); i++) {
		AUTO(json_decref_p) json_t *file = parsed(empty[i]);
		AUTO(text_free_p) char *text = formatted(file);
		assert_string_equal(text, "{\n\t\"authority\": {\n\t\t\"provisioners\": []\n\t}\n}\n");
	}
	static const char *const remote[] = { "{\"authority\":{\"enableAdmin\":true}}",
		                              "{\"authority\":{\"enableAdmin\":false}}", "{}" };
	for (size_t i = 0; i < COUNT_OF(remote); i++) {
		AUTO(json_decref_p) json_t *file = parsed(remote[i]);
		assert_int_equal(caedit_is_remote(file), i == 0);
	}
}

static void names_are_unique(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(json_decref_p)
	json_t *file = parsed("{\"authority\":{\"provisioners\":[{\"name\":\"a\"},{\"name\":\"twin\"},"
	                      "{\"name\":\"twin\"},{\"name\":5},{}]}}");
	AUTO(json_decref_p) json_t *a = NULL;
	AUTO(json_decref_p) json_t *nobody = NULL;
	json_t *found = NULL;
	assert_ok(caedit_find(file, "a", &found, &e));
	assert_int_equal(caedit_find(file, "A", &found, &e), ST_MISSING);
	assert_string_equal(e.text, "no provisioner is called \"A\"");
	assert_int_equal(caedit_find(file, "twin", &found, &e), ST_CONFLICT);
	assert_int_equal(caedit_remove(file, "twin", &e), ST_CONFLICT);
	assert_int_equal(caedit_remove(file, "5", &e), ST_MISSING);
	assert_ok(caedit_new("JWK", "a", &a, &e));
	assert_int_equal(caedit_add(file, a, &e), ST_CONFLICT);
	assert_string_equal(e.text, "a provisioner is called \"a\" already");
	assert_int_equal(caedit_rename(file, "a", "twin", &e), ST_CONFLICT);
	assert_int_equal(caedit_rename(file, "a", "", &e), ST_INVALID);
	assert_ok(caedit_rename(file, "a", "a", &e));

	char far[2048];
	memset(far, 'n', sizeof far - 1);
	far[sizeof far - 1] = '\0';
	const char *const bad[] = { "", "\xff", far };
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(caedit_new("JWK", bad[i], &nobody, &e), ST_INVALID);
		assert_null(nobody);
	}
}

static void members_keep_their_spelling(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(json_decref_p) json_t *o = json_pack("{s:i, s:i, s:i}", "Name", 1, "other", 2, "OTHER", 3);
	assert_ok(caedit_set(o, "name", json_string("n"), &e));
	assert_ok(caedit_set(o, "other", json_string("o"), &e));
	assert_ok(caedit_set(o, "new", json_true(), &e));
	AUTO(text_free_p) char *text = formatted(o);
	assert_string_equal(text, "{\n\t\"Name\": \"n\",\n\t\"other\": \"o\",\n\t\"OTHER\": 3,\n\t\"new\": true\n}\n");
	caedit_unset(o, "Other");
	caedit_unset(o, "NEW");
	caedit_unset(o, "absent");
	AUTO(text_free_p) char *less = formatted(o);
	assert_string_equal(less, "{\n\t\"Name\": \"n\"\n}\n");
	assert_int_equal(caedit_set(o, "x", NULL, &e), ST_NOMEM);
	assert_int_equal(json_object_size(o), 1);
}

static void lists_of_texts(void **state)
{
	(void)state;
	static const struct {
		const char *before, *add[3], *remove[3], *after;
	} rows[] = {
		{ "{}", { "a" }, { 0 }, "{\"l\":[\"a\"]}" },
		{ "{}", { "a", "b", "a" }, { 0 }, "{\"l\":[\"a\",\"b\"]}" },
		{ "{}", { 0 }, { "a" }, "{}" },
		{ "{\"l\":null}", { "a" }, { 0 }, "{\"l\":[\"a\"]}" },
		{ "{\"L\":[\"a\"]}", { "b" }, { 0 }, "{\"L\":[\"a\",\"b\"]}" },
		{ "{\"l\":[\"a\",\"b\"]}", { 0 }, { "a" }, "{\"l\":[\"b\"]}" },
		{ "{\"l\":[\"a\",\"b\"]}", { 0 }, { "b", "a" }, "{}" },
		{ "{\"l\":[\"a\"]}", { "a" }, { "a" }, "{\"l\":[\"a\"]}" },
		{ "{\"l\":[\"a\"]}", { 0 }, { "nope" }, "{\"l\":[\"a\"]}" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(json_decref_p) json_t *o = json_loads(rows[i].before, 0, NULL);
		AUTO(buf_done) struct buf out = BUF_INIT(4096);
		size_t add = 0, remove = 0;
		while (add < 3 && rows[i].add[add])
			add++;
		while (remove < 3 && rows[i].remove[remove])
			remove++;
		assert_ok(caedit_set_texts(o, "l", rows[i].add, add, rows[i].remove, remove, &e));
		assert_ok(jsonio_format(o, &out, &e));
		assert_string_equal(buf_cstr(&out), rows[i].after);
	}
}

#define FOUR(ssh, renewal, after, ext)                                                                                 \
	"\"enableSSHCA\":" ssh ",\"disableRenewal\":" renewal ",\"allowRenewalAfterExpiry\":" after                    \
	",\"disableSmallstepExtensions\":" ext
#define ON(key_)                                                                                                       \
	{                                                                                                              \
		.key = key_, .on = true                                                                                \
	}
#define OFF(key_)                                                                                                      \
	{                                                                                                              \
		.key = key_                                                                                            \
	}
#define SPAN(key_, ns_)                                                                                                \
	{                                                                                                              \
		.key = key_, .is_span = true, .ns = ns_                                                                \
	}

static void claims_are_the_peers(void **state)
{
	(void)state;
	static const struct {
		const char *before;
		struct caedit_claim v[3];
		bool ssh;
		const char *after;
	} rows[] = {
		{ "{}", { { 0 } }, true, "{\"claims\":{" FOUR("true", "false", "false", "false") "}}" },
		{ "{\"claims\":null}",
		  { { 0 } },
		  false,
		  "{\"claims\":{" FOUR("false", "false", "false", "false") "}}" },
		/* spec/client.md §10.2 */
		{ "{}",
		  { ON("allowRenewalAfterExpiry") },
		  false,
		  "{\"claims\":{" FOUR("false", "false", "true", "false") ",\"renewalAfterExpiry\":\"720h0m0s\"}}" },
		{ "{}",
		  { ON("allowRenewalAfterExpiry"), SPAN("renewalAfterExpiry", 2 * DURATION_H) },
		  false,
		  "{\"claims\":{" FOUR("false", "false", "true", "false") ",\"renewalAfterExpiry\":\"2h0m0s\"}}" },
		{ "{}",
		  { ON("allowRenewalAfterExpiry"), SPAN("renewalAfterExpiry", 0) },
		  false,
		  "{\"claims\":{" FOUR("false", "false", "true", "false") "}}" },
		{ "{\"claims\":{\"allowRenewalAfterExpiry\":true,\"renewalAfterExpiry\":\"1h\"}}",
		  { ON("allowRenewalAfterExpiry") },
		  false,
		  "{\"claims\":{\"allowRenewalAfterExpiry\":true,\"renewalAfterExpiry\":\"1h\"}}" },
		{ "{\"claims\":{\"allowRenewalAfterExpiry\":true,\"renewalAfterExpiry\":\"1h\"}}",
		  { OFF("allowRenewalAfterExpiry") },
		  false,
		  "{\"claims\":{\"allowRenewalAfterExpiry\":false}}" },
		{ "{\"claims\":{\"allowRenewalAfterExpiry\":true}}",
		  { SPAN("renewalAfterExpiry", DURATION_H) },
		  false,
		  "{\"claims\":{\"allowRenewalAfterExpiry\":true,\"renewalAfterExpiry\":\"1h0m0s\"}}" },
		{ "{}",
		  { SPAN("maxTLSCertDuration", 20 * DURATION_MIN), SPAN("minTLSCertDuration", DURATION_MIN) },
		  true,
		  "{\"claims\":{\"minTLSCertDuration\":\"1m0s\",\"maxTLSCertDuration\":\"20m0s\"," FOUR(
			  "true", "false", "false", "false") "}}" },
		/* Only what is given changes, and stays where it stands. */
		{ "{\"claims\":{\"odd\":1,\"disableRenewal\":false,\"MaxTLSCertDuration\":\"1h\"}}",
		  { ON("disableRenewal"), SPAN("maxTLSCertDuration", 2 * DURATION_H) },
		  true,
		  "{\"claims\":{\"odd\":1,\"disableRenewal\":true,\"MaxTLSCertDuration\":\"2h0m0s\"}}" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(json_decref_p) json_t *p = json_loads(rows[i].before, 0, NULL);
		AUTO(buf_done) struct buf out = BUF_INIT(4096);
		size_t n = 0;
		while (n < 3 && rows[i].v[n].key)
			n++;
		assert_ok(caedit_claims(p, rows[i].v, n, rows[i].ssh, &e));
		assert_ok(jsonio_format(p, &out, &e));
		assert_string_equal(buf_cstr(&out), rows[i].after);
	}
	struct error e = ERROR_INIT;
	AUTO(json_decref_p) json_t *odd = json_pack("{s:s}", "claims", "many");
	assert_int_equal(caedit_claims(odd, NULL, 0, false, &e), ST_INVALID);
}

static void keys(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-384", 0);
	AUTO(json_decref_p) json_t *j = NULL;
	AUTO(json_decref_p) json_t *named = NULL;
	char kid[] = "mine", thumbprint[JWK_THUMBPRINT];
	assert_ok(caedit_public_key(&(struct jwk){ .key = key, .is_private = true }, &j, &e));
	assert_ok(jwk_thumbprint(key, thumbprint, &e));
	assert_string_equal(json_string_value(json_object_get(j, "kid")), thumbprint);
	assert_string_equal(json_string_value(json_object_get(j, "alg")), "ES384");
	assert_string_equal(json_string_value(json_object_get(j, "use")), "sig");
	assert_null(json_object_get(j, "d"));
	assert_ok(caedit_public_key(&(struct jwk){ .key = key, .kid = kid }, &named, &e));
	assert_string_equal(json_string_value(json_object_get(named, "kid")), "mine");
}

/* The sample with one claim of "ops" set to a text. */
static char *sample_with(const char *claim, const char *value)
{
	struct error e = ERROR_INIT;
	AUTO(json_decref_p) json_t *file = parsed(sample_json);
	json_t *p;
	assert_ok(caedit_find(file, "ops", &p, &e));
	if (claim)
		assert_ok(caedit_set(json_object_get(p, "claims"), claim, json_string(value), &e));
	return formatted(file);
}

static void a_bad_edit_is_refused(void **state)
{
	(void)state;
	AUTO(text_free_p) char *good = sample_with(NULL, NULL);
	AUTO(text_free_p) char *crossed = sample_with("minTLSCertDuration", "800h");
	AUTO(text_free_p) char *garbled = sample_with("minTLSCertDuration", "soon");
	const struct {
		const char *old, *new, *name, *error, *note;
	} rows[] = {
		{ good, good, "ops", NULL, NULL },
		{ good, good, NULL, NULL, NULL },
		{ good, good, "nobody", NULL, NULL },
		{ good, crossed, "ops",
		  "the provisioner \"ops\" would not work, and F stays as it is: claims: ", NULL },
		{ crossed, crossed, "ops", "would not work", NULL },
		{ good, crossed, "admin", NULL, NULL },
		{ good, garbled, "ops",
		  "F would be refused by step-ca and stays as it is: authority.provisioners[1].claims.", NULL },
		{ garbled, garbled, "ops", NULL,
		  "Note: F is refused by step-ca, as it was before: authority.provisioners[1]" },
		{ garbled, good, "ops", NULL, NULL },
		{ "{}", garbled, "ops", "F would be refused", NULL },
		{ good, "{", "ops", "F would be refused", NULL },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf notes = BUF_INIT(4096);
		enum status st =
			caedit_check(slice_cstr(rows[i].old), slice_cstr(rows[i].new), "F", rows[i].name, &notes, &e);
		if (st != (rows[i].error ? ST_INVALID : ST_OK) || (rows[i].error && !strstr(e.text, rows[i].error)) ||
		    (rows[i].note ? !strstr(buf_cstr(&notes), rows[i].note) : notes.n > 0))
			fail_msg("row %zu: %s: %s / %s", i, status_name(st), e.text, buf_cstr(&notes));
	}
}

static void a_kind_that_is_not_built_is_told(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(json_decref_p) json_t *file = parsed(sample_json);
	AUTO(json_decref_p) json_t *p = NULL;
	AUTO(buf_done) struct buf notes = BUF_INIT(4096);
	assert_ok(caedit_new("ACME", "acme", &p, &e));
	assert_ok(caedit_add(file, p, &e));
	AUTO(text_free_p) char *new = formatted(file);
	assert_ok(caedit_check(slice_cstr(sample_json), slice_cstr(new), "F", "acme", &notes, &e));
	assert_string_equal(buf_cstr(&notes),
	                    "Note: step-ca loads the provisioner \"acme\" disabled: ACME provisioners are not "
	                    "built yet\n");
}

/* Every allocation fails once: an error, or the whole edit, and never a file that lost something. */
static void memory_runs_out(void **state)
{
	(void)state;
	static const struct caedit_claim after = ON("allowRenewalAfterExpiry");
	static const char *const add[] = { "x" };
	AUTO(text_free_p) char *whole = NULL;
	for (unsigned n = 0;; n++) {
		struct error e = ERROR_INIT;
		AUTO(json_decref_p) json_t *file = parsed(sample_json);
		AUTO(json_decref_p) json_t *p = NULL;
		AUTO(buf_done) struct buf out = BUF_INIT(1 << 20);
		json_t *ops;
		if (n)
			fail_arm(FAIL_ALLOC, n, ENOMEM);
		enum status st = caedit_new("ACME", "acme", &p, &e) || caedit_add(file, p, &e) ||
		                                 caedit_set_texts(p, "challenges", add, 1, NULL, 0, &e) ||
		                                 caedit_find(file, "admin", &ops, &e) ||
		                                 caedit_claims(ops, &after, 1, false, &e) ||
		                                 caedit_remove(file, "ops", &e) || caedit_format(file, &out, &e)
		                         ? e.status
		                         : ST_OK;
		bool hit = n && fail_disarm();
		if (!n) {
			assert_ok(st);
			whole = buf_take(&out);
			continue;
		}
		if (!st)
			assert_string_equal(buf_cstr(&out), whole);
		if (!hit)
			break;
		if (st)
			assert_int_equal(st, ST_NOMEM);
		assert_in_range(n, 1, 10000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_we_do_not_know_stays),
		cmocka_unit_test(files_that_cannot_be_edited),
		cmocka_unit_test(names_are_unique),
		cmocka_unit_test(members_keep_their_spelling),
		cmocka_unit_test(lists_of_texts),
		cmocka_unit_test(claims_are_the_peers),
		cmocka_unit_test(keys),
		cmocka_unit_test(a_bad_edit_is_refused),
		cmocka_unit_test(a_kind_that_is_not_built_is_told),
		cmocka_unit_test(memory_runs_out),
	};
	return cmocka_run_group_tests_name("config/caedit", tests, NULL, NULL);
}
