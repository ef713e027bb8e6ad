/* overload.h - what the server does when more is asked of it than it can do (docs/design/overload.md): who is turned
 * away before anything is signed for him, with which words, and when he shall come again. */
#pragma once
#include "config/caconf.h"
#include "net/listener.h"

struct exchange;
struct overload;

MUST_USE enum status overload_new(struct overload **ret, struct error *e);
void overload_free(struct overload *o);

/* Each answers the request and returns false where it is turned away. vital: it is served in any case. */
bool overload_admit_spare(struct request *r, bool vital);
bool overload_admit_new(struct exchange *x);
/* line: of the certificate that is renewed, "" where it is not known. */
bool overload_admit_renewal(struct exchange *x, const char *line);

/* Seconds for the Retry-After of this exchange's refusal. */
int64_t overload_retry_s(const struct exchange *x);

/* May the log tell of one more connection that made no request? A flood of them is told of as a number. */
bool overload_may_tell(struct overload *o, struct mono now, int64_t *ret_untold);

/* As many descriptors as the limits need, and the connections of other listeners, as far as the system lets us; lowers
 * them where it does not. */
void overload_fit_descriptors(struct listener_limits *l, int others);
