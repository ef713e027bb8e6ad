#include "common.h"
#include "client/admin.h"

#define CERT                                                                                                           \
	"{\"serial\":\"12\",\"subject\":\"a\",\"sans\":[\"a\"],\"provisioner\":\"p\","                                 \
	"\"notBefore\":\"2026-11-23T16:08:11Z\",\"notAfter\":\"2026-11-24T16:09:11Z\",\"is\":[],\"state\":\"active\"," \
	"\"line\":\"11\",\"parent\":\"11\",\"generation\":1,\"key\":\"ba53\"}"

static void a_page(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(admin_page_done) struct admin_page p = { 0 };
	const struct ca_reply r = { .status = 200,
		                    .body = SLICE_LIT("{\"counts\":[[0,1],[7,2]],\"certificates\":[" CERT "," CERT
		                                      "],\"cursor\":\"5.6\"}") };
	assert_ok(admin_read_page(&r, &p, &e));
	assert_int_equal(p.n, 2);
	assert_true(slice_is(p.v[1].serial, "12") && slice_is(p.v[1].line, "11") && slice_is(p.v[1].state, "active"));
	assert_int_equal(p.v[0].generation, 1);
	assert_int_equal(p.v[0].not_after.s - p.v[0].not_before.s, 86460);
	assert_int_equal(p.counts_n, 2);
	assert_int_equal(p.counts[1].span, 7);
	assert_int_equal(p.counts[1].n, 2);
	assert_string_equal(p.next, "5.6");
}

/* A certificate with one member changed. */
static void with(const char *name, json_t *value, struct buf *out)
{
	struct error e = ERROR_INIT;
	AUTO(json_decref_p) json_t *o = json_object();
	json_t *c = json_loads(CERT, 0, NULL), *list = json_array();
	assert_int_equal(value ? json_object_set_new(c, name, value) : json_object_del(c, name), 0);
	json_array_append_new(list, c);
	json_object_set_new(o, "certificates", list);
	assert_ok(jsonio_format(o, out, &e));
}

static void refused(struct slice body)
{
	struct error e = ERROR_INIT;
	AUTO(admin_page_done) struct admin_page p = { 0 };
	const struct ca_reply r = { .status = 200, .body = body };
	if (admin_read_page(&r, &p, &e) != ST_PEER)
		fail_msg("taken: %.*s", (int)body.n, (const char *)body.p);
	assert_true(*e.text);
	assert_null(p.json);
}

static void what_makes_no_sense(void **state)
{
	(void)state;
	static const char *const answers[] = {
		"",
		"[]",
		"{}",
		"{\"certificates\":{}}",
		"{\"certificates\":[7]}",
		"{\"certificates\":[{}]}",
		"{\"certificates\":[],\"counts\":{}}",
		"{\"certificates\":[],\"counts\":[7]}",
		"{\"certificates\":[],\"counts\":[[1]]}",
		"{\"certificates\":[],\"counts\":[[-1,1]]}",
		"{\"certificates\":[],\"counts\":[[1,0]]}",
		"{\"certificates\":[],\"counts\":[[1,501]]}",
		"{\"certificates\":[],\"cursor\":\"0123456789012345678901234567890123456789012345678901234567890123\"}",
	};
	for (size_t i = 0; i < COUNT_OF(answers); i++)
		refused(slice_cstr(answers[i]));
	const struct {
		const char *name;
		json_t *value;
	} members[] = {
		{ "serial", NULL },
		{ "serial", json_string("") },
		{ "serial", json_string("0x1") },
		{ "serial", json_string("1\x1b") },
		{ "serial", json_string("1234567890123456789012345678901234567890123456789012345678901234567890") },
		{ "line", json_integer(11) },
		{ "parent", json_string("-1") },
		{ "notBefore", json_string("yesterday") },
		{ "notAfter", NULL },
		{ "sans", json_string("a") },
		{ "state", NULL },
		{ "state", json_string("a\tb") },
		{ "key", json_string("xyz") },
	};
	for (size_t i = 0; i < COUNT_OF(members); i++) {
		AUTO(buf_done) struct buf text = BUF_INIT(1 << 16);
		with(members[i].name, members[i].value, &text);
		refused(buf_slice(&text));
	}
	AUTO(buf_done) struct buf many = BUF_INIT(1 << 20);
	buf_adds(&many, "{\"certificates\":[" CERT);
	for (int i = 0; i < ADMIN_ROWS_MAX; i++)
		buf_adds(&many, "," CERT);
	buf_adds(&many, "]}");
	refused(buf_slice(&many));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_page), cmocka_unit_test(what_makes_no_sense) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
