/* ossl.h - OpenSSL as a whole: its start and its error queue. The only reader of that queue. */
#pragma once
#include "base/error.h"

/* Initialises libcrypto without reading an openssl.cnf and without tables that we never use (client start-up counts).
 * Called once, first thing in main() and in test programs that use crypto; calling it again is harmless. */
void ossl_start(void);

/* As error_set; appends OpenSSL's reasons ("...: bad decrypt") and empties its queue. The status is st even
 * where the queue says "malloc failure": OpenSSL 3.0 says so of some inputs, too. */
enum status error_ossl(struct error *e, enum status st, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Empties the queue after a failure that was the answer ("not this kind of key"), so that no later error quotes it. */
void ossl_forget_errors(void);
