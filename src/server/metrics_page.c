/* GET /metrics, on an address of its own: what the CA does, for Prometheus. */
#include "server/promtext.h"
#include "server/state.h"

void resource_metrics(struct exchange *x, const char *arg)
{
	(void)arg;
	prom_family(&x->body, "step_ca_build_info", PROM_GAUGE, "The version, as a label.");
	prom_int(&x->body, "step_ca_build_info", PROM_LABELS({ "version", PERENNIAL_VERSION }), 1);
	metrics_write(&x->body);
	if (buf_check(&x->body, &x->error))
		exchange_fail(x);
	else
		exchange_text(x, 200, PROMTEXT_TYPE, buf_slice(&x->body));
}
