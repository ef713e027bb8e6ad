/* Wycheproof's JOSE cases (C2SP/wycheproof, Apache-2.0). Every case of an algorithm that we offer is judged; the others
 * are counted by algorithm and told in diagnostic lines. */
#include "../crypto/vectors.h"
#include "base/b64.h"
#include "crypto/ossl.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "jose/jwe.h"
#include "jose/jwk.h"
#include "jose/jws.h"

/* --- what is not offered --- */

static struct {
	char alg[40];
	int n;
} others[64];

static void count_other(const char *alg)
{
	size_t i = 0;
	while (i < COUNT_OF(others) - 1 && others[i].n && strcmp(others[i].alg, alg) != 0)
		i++;
	snprintf(others[i].alg, sizeof others[i].alg, "%s", alg);
	others[i].n++;
}

static void tell_others(const char *file)
{
	for (size_t i = 0; i < COUNT_OF(others) && others[i].n; i++)
		print_message("# %s: %d case(s) of %s, which is not offered\n", file, others[i].n, others[i].alg);
	memset(others, 0, sizeof others);
}

/* --- JWS --- */

/* Valid to Wycheproof, and refused here: the key names another algorithm than the signature has (PS256 for PS384, and
 * "ES521", which does not exist). RFC 7517 §4.4 leaves it to the reader; other cases of the same files ask that such a
 * key be refused (338, 340; json_web_key 19), and that is what we do. */
static bool key_names_another_alg(const json_t *test)
{
	static const char *const comments[] = { "Figure20", "Figure27" };
	for (size_t i = 0; i < COUNT_OF(comments); i++)
		if (strcmp(comments[i], json_string_value(json_object_get(test, "comment"))) == 0)
			return true;
	return false;
}

static bool verifies(const json_t *jws, const json_t *key)
{
	struct error e = ERROR_INIT;
	AUTO(jws_done) struct jws j = { 0 };
	AUTO(jwk_done) struct jwk k = { 0 };
	AUTO(buf_done) struct buf text = BUF_INIT(JWS_MAX);
	if (json_is_string(jws))
		buf_add_slice(&text, jsonio_text(jws));
	else if (json_is_object(jws))
		assert_ok(jsonio_format(jws, &text, &e));
	return !jwk_parse(key, &k, &e) && !jws_parse(buf_slice(&text), &j, &e) && !jws_verify_jwk(&j, &k, &e);
}

/* As a reader of a key set does: the keys with the kid of the header; more or less than one is no answer. */
static const json_t *choose(const json_t *set, const json_t *jws)
{
	struct error e = ERROR_INIT;
	AUTO(jws_done) struct jws j = { 0 };
	const json_t *found = NULL, *key;
	size_t i;
	int n = 0;
	if (!json_is_string(jws) || jws_parse(jsonio_text(jws), &j, &e))
		return NULL;
	json_array_foreach(json_object_get(set, "keys"), i, key)
	{
		if (slice_eq(jsonio_text(json_object_get(key, "kid")), jws_kid(&j))) {
			found = key;
			n++;
		}
	}
	return n == 1 ? found : NULL;
}

/* A shared secret is an algorithm that we do not offer, whatever the text says of itself. */
static bool shared_secret(const json_t *key)
{
	const json_t *list = json_object_get(key, "keys");
	const json_t *first = list ? json_array_get(list, 0) : key;
	return slice_is(jsonio_text(json_object_get(first, "kty")), "oct");
}

static const char *alg_of(const json_t *key)
{
	const json_t *list = json_object_get(key, "keys");
	return json_string_value(json_object_get(list ? json_array_get(list, 0) : key, "alg"));
}

static void judge_jws(const char *file, const json_t *test, const json_t *key)
{
	const json_t *jws = json_object_get(test, "jws");
	bool want = vectors_valid(test) && !key_names_another_alg(test);
	const json_t *one = json_object_get(key, "keys") ? choose(key, jws) : key;
	bool got = one && verifies(jws, one);
	if (want != got)
		fail_msg("%s %lld (%s): %s", file, (long long)json_integer_value(json_object_get(test, "tcId")),
		         json_string_value(json_object_get(test, "comment")), got ? "accepted" : "refused");
}

/* Counts what was judged. */
static int walk(const char *file)
{
	json_t *all = vectors_load(file), *group, *test;
	size_t i, k;
	int seen = 0, judged = 0;
	json_array_foreach(json_object_get(all, "testGroups"), i, group)
	{
		const json_t *key = json_object_get(group, "public");
		if (!key)
			key = json_object_get(group, "private");
		json_array_foreach(json_object_get(group, "tests"), k, test)
		{
			const char *alg = alg_of(key);
			seen++;
			if (!json_object_get(test, "jws") || shared_secret(key)) {
				/* even so, a text of an algorithm that is not offered never passes */
				if (json_object_get(test, "jws"))
					assert_false(verifies(json_object_get(test, "jws"), key));
				count_other(alg ? alg : "?");
				continue;
			}
			judge_jws(file, test, key);
			judged++;
		}
	}
	assert_int_equal(json_integer_value(json_object_get(all, "numberOfTests")), seen);
	print_message("# %s: %d of %d cases judged\n", file, judged, seen);
	tell_others(file);
	json_decref(all);
	return judged;
}

static void signatures(void **state)
{
	(void)state;
	assert_true(walk("json_web_signature_test.json") > 350);
}

static void keys(void **state)
{
	(void)state;
	assert_true(walk("json_web_key_test.json") > 10);
}

static void mixed(void **state)
{
	(void)state;
	assert_true(walk("json_web_crypto_test.json") > 25);
}

/* --- JWE: none of the cases is of PBES2, the one algorithm that we open; so none may open --- */

static void encryption(void **state)
{
	static const char file[] = "json_web_encryption_test.json";
	json_t *all, *group, *test;
	size_t i, k;
	struct error e = ERROR_INIT;
	(void)state;
	all = vectors_load(file);
	json_array_foreach(json_object_get(all, "testGroups"), i, group)
	{
		const char *alg = alg_of(json_object_get(group, "private"));
		json_array_foreach(json_object_get(group, "tests"), k, test)
		{
			AUTO(buf_done) struct buf out = BUF_SECRET(JWE_MAX);
			struct slice jwe = jsonio_text(json_object_get(test, "jwe"));
			assert_non_null(alg);
			assert_false(strncmp(alg, "PBES2", 5) == 0); /* else judge it */
			assert_int_not_equal(ST_OK, jwe_open(jwe, SLICE_LIT("password"), &out, &e));
			count_other(alg);
		}
	}
	tell_others(file);
	json_decref(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures),
		cmocka_unit_test(keys),
		cmocka_unit_test(mixed),
		cmocka_unit_test(encryption),
	};
	ossl_start();
	return cmocka_run_group_tests_name("wycheproof", tests, NULL, NULL);
}
