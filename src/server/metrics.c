/* GET /metrics, on an address of its own: what the CA does, for Prometheus. */
#include "server/state.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

void resource_metrics(struct exchange *x, const char *arg)
{
	(void)arg;
	buf_addf(&x->body,
	         "# HELP step_ca_build_info The version, as a label.\n"
	         "# TYPE step_ca_build_info gauge\n"
	         "step_ca_build_info{version=\"%s\"} 1\n",
	         PERENNIAL_VERSION);
	if (buf_check(&x->body, &x->error))
		exchange_fail(x);
	else
		exchange_text(x, 200, METRICS_TYPE, buf_slice(&x->body));
}
