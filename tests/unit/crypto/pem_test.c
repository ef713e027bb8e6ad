#include "check.h"
#include "crypto/ossl.h"
#include "crypto/pem.h"
#include "fail.h"

static void reads(void **state)
{
	static const struct {
		const char *in, *label, *headers, *der, *rest;
	} rows[] = {
		{ "-----BEGIN X-----\nYWJj\n-----END X-----\n", "X", "", "abc", "" },
		{ "-----BEGIN X-----\r\nYWJj\r\n-----END X-----\r\nrest", "X", "", "abc", "rest" },
		{ "-----BEGIN X-----\nYWJj\n-----END X-----", "X", "", "abc", "" },
		{ "text before\n-----BEGIN X Y-----\nYW\nJj\n\n-----END X Y-----\n", "X Y", "", "abc", "" },
		{ "-----BEGIN X----- \t\n YW Jj \n-----END X----- \n", "X", "", "abc", "" },
		{ "-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: A,00\n\nYWJj\n-----END X-----\n", "X",
		  "Proc-Type: 4,ENCRYPTED\nDEK-Info: A,00\n", "abc", "" },
		{ "-----BEGINX-----\n-----BEGIN X\n-----BEGIN X-----\nYQ==\n-----END X-----\n", "X", "", "a", "" },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(pem_block_done) struct pem_block b = { 0 };
		struct slice rest = slice_cstr(rows[i].in);
		assert_ok(pem_next(&rest, &b, &e));
		assert_string_equal(rows[i].label, b.label);
		assert_string_equal(rows[i].headers, buf_cstr(&b.headers));
		assert_slice(slice_cstr(rows[i].der), buf_slice(&b.der));
		assert_slice(slice_cstr(rows[i].rest), rest);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *in;
		enum status want;
		const char *says;
	} rows[] = {
		{ "", ST_MISSING, "no PEM block" },
		{ "hello\nworld", ST_MISSING, "no PEM block" },
		{ " -----BEGIN X-----\nYWJj\n-----END X-----\n", ST_MISSING, "no PEM block" },
		{ "-----BEGIN X----", ST_MISSING, "no PEM block" },
		{ "-----BEGIN X-----", ST_INVALID, "no END X line" },
		{ "-----BEGIN X-----\nYWJj\n", ST_INVALID, "no END X line" },
		{ "-----BEGIN X-----\nYWJj", ST_INVALID, "no END X line" },
		{ "-----BEGIN X-----\nYWJj\n-----END Y-----\n", ST_INVALID, "not closed" },
		{ "-----BEGIN X-----\nYWJj\n-----BEGIN X-----\n", ST_INVALID, "not closed" },
		{ "-----BEGIN X-----\nYWJj\n-----END X----\n", ST_INVALID, "not closed" },
		{ "-----BEGIN X-----\n-----END X-----\n", ST_INVALID, "is empty" },
		{ "-----BEGIN X-----\nYWJ\n-----END X-----\n", ST_INVALID, "X block: not base64" },
		{ "-----BEGIN X-----\nYW*j\n-----END X-----\n", ST_INVALID, "bad character" },
		{ "-----BEGIN X-----\nYQ==YQ==\n-----END X-----\n", ST_INVALID, "not base64" },
		{ "-----BEGIN X-----\nYR==\n-----END X-----\n", ST_INVALID, "not base64" },
		{ "-----BEGIN X-----\nA: b\nYWJj\n-----END X-----\n", ST_INVALID, "no empty line" },
		{ "-----BEGIN X-----\nA: b", ST_INVALID, "no empty line" },
		{ "-----BEGIN -----\nYWJj\n-----END -----\n", ST_INVALID, "bad label" },
		{ "-----BEGIN \x01-----\nYWJj\n-----END \x01-----\n", ST_INVALID, "bad label" },
		{ "-----BEGIN X2345678901234567890123456789012345678901234567890123456789012345-----\n", ST_INVALID,
		  "bad label" },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(pem_block_done) struct pem_block b = { 0 };
		struct slice rest = slice_cstr(rows[i].in);
		assert_st(rows[i].want, pem_next(&rest, &b, &e));
		assert_says(rows[i].says);
		assert_string_equal("", b.label);
		assert_int_equal(0, b.der.n);
	}
}

static void goes_on_after_a_broken_block(void **state)
{
	struct slice rest =
		SLICE_LIT("-----BEGIN A-----\n*\n-----END A-----\n-----BEGIN B-----\nYQ==\n-----END B-----\n"
	                  "-----BEGIN C-----\nYg==\n-----END C-----\n");
	struct error e = ERROR_INIT;
	AUTO(pem_block_done) struct pem_block b = { 0 };
	(void)state;
	assert_st(ST_INVALID, pem_next(&rest, &b, &e));
	assert_ok(pem_next(&rest, &b, &e));
	assert_string_equal("B", b.label);
	assert_ok(pem_next(&rest, &b, &e));
	assert_string_equal("C", b.label);
	assert_st(ST_MISSING, pem_next(&rest, &b, &e));
}

static void header_values(void **state)
{
	struct slice rest =
		SLICE_LIT("-----BEGIN A-----\nProc-Type:4,ENCRYPTED\nDEK-Info:  B,0 \nDEK-Info: second\n\nYQ==\n"
	                  "-----END A-----\n");
	struct error e = ERROR_INIT;
	AUTO(pem_block_done) struct pem_block b = { 0 };
	(void)state;
	assert_ok(pem_next(&rest, &b, &e));
	assert_slice(slice_cstr("4,ENCRYPTED"), pem_header(&b, "Proc-Type"));
	assert_slice(slice_cstr("B,0"), pem_header(&b, "DEK-Info"));
	assert_int_equal(0, pem_header(&b, "DEK").n);
	assert_int_equal(0, pem_header(&b, "proc-type").n);
}

static void writes(void **state)
{
	uint8_t der[48 * 2 + 1];
	AUTO(buf_done) struct buf out = BUF_INIT(1000);
	(void)state;
	memset(der, 0, sizeof der);
	pem_format(&out, "CERTIFICATE", slice_of(der, 48));
	assert_string_equal("-----BEGIN CERTIFICATE-----\n"
	                    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
	                    "-----END CERTIFICATE-----\n",
	                    buf_cstr(&out));
	buf_reset(&out);
	pem_format_headers(&out, "X", "A: b\n", slice_of(der, 49));
	assert_string_equal("-----BEGIN X-----\nA: b\n\n"
	                    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
	                    "AA==\n"
	                    "-----END X-----\n",
	                    buf_cstr(&out));
}

static void what_is_written_is_read(void **state)
{
	uint8_t der[200];
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t n = 1; n < sizeof der; n++) {
		AUTO(buf_done) struct buf out = BUF_INIT(1000);
		AUTO(pem_block_done) struct pem_block b = { 0 };
		memset(der, (int)n, n);
		pem_format_headers(&out, "X", "A: b\n", slice_of(der, n));
		struct slice rest = buf_slice(&out);
		assert_ok(pem_next(&rest, &b, &e));
		assert_true(slice_eq(slice_of(der, n), buf_slice(&b.der)));
		assert_int_equal(0, rest.n);
	}
}

static void out_of_memory(void **state)
{
	struct error e = ERROR_INIT;
	(void)state;
	for (unsigned n = 1;; n++) {
		struct slice rest = SLICE_LIT("-----BEGIN A-----\nA: b\n\nYQ==\n-----END A-----\n");
		AUTO(pem_block_done) struct pem_block b = { 0 };
		fail_arm(FAIL_ALLOC, n, 0);
		enum status st = pem_next(&rest, &b, &e);
		if (!fail_disarm()) {
			assert_int_equal(ST_OK, st);
			assert_true(n > 2);
			break;
		}
		assert_int_equal(ST_NOMEM, st);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(refuses),
		cmocka_unit_test(goes_on_after_a_broken_block),
		cmocka_unit_test(header_values),
		cmocka_unit_test(writes),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(out_of_memory),
	};
	return cmocka_run_group_tests_name("pem", tests, NULL, NULL);
}
