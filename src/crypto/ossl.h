/* ossl.h - OpenSSL as a whole: its start and its error queue. The only reader of that queue. */
#pragma once
#include "base/error.h"

/* Initialises libcrypto without reading an openssl.cnf and without tables that we never use (client start-up counts).
 * Called once, first thing in main() and in test programs that use crypto; calling it again is harmless. */
void ossl_start(void);

/* As error_set; appends OpenSSL's reasons ("...: bad decrypt") and empties its queue. Where the queue tells of memory
 * that ran out, the status is ST_NOMEM whatever st says. */
enum status error_ossl(struct error *e, enum status st, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Empties the queue after a failure that was the answer ("not this kind of key"), so that no later error quotes it. */
void ossl_forget_errors(void);
