/* The text that Prometheus reads, byte for byte, and the bounds on what labels can hold. */
#include "server/metrics.h"
#include "server/promtext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

static void families_and_samples(void **state)
{
	AUTO(buf_done) struct buf out = BUF_INIT(4096);
	(void)state;
	prom_family(&out, "a_total", PROM_COUNTER, "Help.");
	prom_int(&out, "a_total", PROM_NONE, 7);
	prom_int(&out, "a_total", PROM_LABELS({ "x", "1" }, { "y", "" }), INT64_MAX);
	prom_family(&out, "b", PROM_GAUGE, "Help.");
	prom_int(&out, "b", PROM_NONE, INT64_MIN);
	prom_seconds(&out, "b", PROM_LABELS({ "x", "2" }), 1500000000);
	prom_seconds(&out, "b", PROM_LABELS({ "x", "3" }), -1);
	prom_seconds(&out, "b", PROM_LABELS({ "x", "4" }), 0);
	assert_string_equal(buf_cstr(&out), "# HELP a_total Help.\n"
	                                    "# TYPE a_total counter\n"
	                                    "a_total 7\n"
	                                    "a_total{x=\"1\",y=\"\"} 9223372036854775807\n"
	                                    "# HELP b Help.\n"
	                                    "# TYPE b gauge\n"
	                                    "b -9223372036854775808\n"
	                                    "b{x=\"2\"} 1.5\n"
	                                    "b{x=\"3\"} -0.000000001\n"
	                                    "b{x=\"4\"} 0\n");
}

static void values_of_labels_are_escaped(void **state)
{
	static const char *const rows[][2] = {
		{ "plain name", "plain name" },
		{ "\"", "\\\"" },
		{ "\\", "\\\\" },
		{ "\\n", "\\\\n" },
		{ "a\nb", "a\\nb" },
		{ "x\"} 1\ny{z=\"", "x\\\"} 1\\ny{z=\\\"" },
		{ "\xc3\xbc \xe2\x82\xac", "\xc3\xbc \xe2\x82\xac" },
		{ "\r", "\\\\x0d" },
		{ "\x1b[2J\x7f", "\\\\x1b[2J\\\\x7f" },
		{ "\xff\xc3", "\\\\xff\\\\xc3" },            /* no UTF-8 */
		{ "\xc0\x80", "\\\\xc0\\\\x80" },            /* overlong */
		{ "\xe2\x80\xae", "\\\\xe2\\\\x80\\\\xae" }, /* turns the direction of text */
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf out = BUF_INIT(4096);
		char want[256];
		snprintf(want, sizeof want, "a{b=\"%s\"} 1\n", rows[i][1]);
		prom_int(&out, "a", PROM_LABELS({ "b", rows[i][0] }), 1);
		assert_string_equal(buf_cstr(&out), want);
	}
}

static void histograms_add_up(void **state)
{
	static const int64_t bounds[] = { 1000000, 2500000000 }, sizes[] = { 1, 8 };
	static const uint64_t counts[] = { 1, 2, 4 };
	AUTO(buf_done) struct buf out = BUF_INIT(4096);
	(void)state;
	prom_histogram(&out, "t", PROM_LABELS({ "e", "/x" }),
	               &(struct prom_histogram){ bounds, counts, 2, 3000000001, 1000000000 });
	prom_histogram(&out, "n", PROM_NONE, &(struct prom_histogram){ sizes, counts, 2, 50, 1 });
	assert_string_equal(buf_cstr(&out), "t_bucket{e=\"/x\",le=\"0.001\"} 1\n"
	                                    "t_bucket{e=\"/x\",le=\"2.5\"} 3\n"
	                                    "t_bucket{e=\"/x\",le=\"+Inf\"} 7\n"
	                                    "t_sum{e=\"/x\"} 3.000000001\n"
	                                    "t_count{e=\"/x\"} 7\n"
	                                    "n_bucket{le=\"1\"} 1\n"
	                                    "n_bucket{le=\"8\"} 3\n"
	                                    "n_bucket{le=\"+Inf\"} 7\n"
	                                    "n_sum 50\n"
	                                    "n_count 7\n");
}

static void assert_told(const char *line)
{
	AUTO(buf_done) struct buf out = BUF_INIT(8 << 20);
	char whole[512];
	metrics_write(&out);
	assert_int_equal(out.failed, ST_OK);
	snprintf(whole, sizeof whole, "\n%s\n", line);
	if (!strstr(buf_cstr(&out), whole))
		fail_msg("not told: %s\n%s", line, buf_cstr(&out));
}

static void what_nobody_knows_is_one(void **state)
{
	(void)state;
	unsigned sign = metrics_endpoint("/sign");
	assert_int_not_equal(sign, METRICS_ENDPOINT_OTHER);
	assert_int_equal(metrics_endpoint("/sign"), sign);
	metrics_provisioner("p1");
	metrics_provisioner("p1");
	metrics_provisioner("(other)"); /* a name that somebody chose to be funny */
	metrics_provisioner("");
	metrics_request(sign, "p1", 201, 700000);
	metrics_request(sign, "p1", 418, 1);
	metrics_request(sign, "p1", 0, -5); /* a clock that went backwards */
	metrics_request(sign, "stranger", 201, 1);
	metrics_request(sign, "strangest", 201, 1);
	metrics_request(sign, "(other)", 201, 1);
	metrics_request(sign, "", 400, 1);
	assert_told("step_ca_requests_total{endpoint=\"/sign\",provisioner=\"p1\",code=\"201\"} 1");
	assert_told("step_ca_requests_total{endpoint=\"/sign\",provisioner=\"p1\",code=\"other\"} 1");
	assert_told("step_ca_requests_total{endpoint=\"/sign\",provisioner=\"p1\",code=\"gone\"} 1");
	assert_told("step_ca_requests_total{endpoint=\"/sign\",provisioner=\"(other)\",code=\"201\"} 3");
	assert_told("step_ca_requests_total{endpoint=\"/sign\",provisioner=\"\",code=\"400\"} 1");
	assert_told("step_ca_x509_signed_total{provisioner=\"p1\",success=\"true\"} 1");
	assert_told("step_ca_x509_signed_total{provisioner=\"p1\",success=\"false\"} 2");
	assert_told("step_ca_request_duration_seconds_count{endpoint=\"/sign\"} 7");
	assert_told("step_ca_request_duration_seconds_sum{endpoint=\"/sign\"} 0.000700005");
	assert_told("step_ca_request_duration_seconds_bucket{endpoint=\"/sign\",le=\"0.0005\"} 6");
	assert_told("step_ca_request_duration_seconds_bucket{endpoint=\"/sign\",le=\"0.001\"} 7");
}

/* More than there is room for: the last ones are "other", and nothing is written where it should not. */
static void places_run_out(void **state)
{
	static char paths[METRICS_ENDPOINTS_MAX + 8][16];
	(void)state;
	for (int i = 0; i < METRICS_ENDPOINTS_MAX + 8; i++) {
		char name[32];
		snprintf(paths[i], sizeof paths[i], "/path/%d", i);
		unsigned place = metrics_endpoint(paths[i]);
		assert_in_range(place, 0, METRICS_ENDPOINTS_MAX - 1);
		assert_int_equal(metrics_endpoint(paths[i]), place);
		snprintf(name, sizeof name, "many %d", i);
		metrics_provisioner(name);
	}
	assert_int_equal(metrics_endpoint("/path/70"), METRICS_ENDPOINT_OTHER);
	metrics_request(METRICS_ENDPOINT_OTHER, "many 0", 200, 1);
	metrics_request(METRICS_ENDPOINT_OTHER, "many 71", 200, 1);
	assert_told("step_ca_requests_total{endpoint=\"other\",provisioner=\"many 0\",code=\"200\"} 1");
	assert_told("step_ca_requests_total{endpoint=\"other\",provisioner=\"(other)\",code=\"200\"} 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(families_and_samples), cmocka_unit_test(values_of_labels_are_escaped),
		cmocka_unit_test(histograms_add_up),    cmocka_unit_test(what_nobody_knows_is_one),
		cmocka_unit_test(places_run_out),
	};
	return cmocka_run_group_tests_name("server/metrics", tests, NULL, NULL);
}
