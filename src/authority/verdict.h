/* verdict.h - a refusal is an answer, not an error: decide functions return ST_OK and a verdict; a status means that
 * they could not decide. */
#pragma once
#include "base/macros.h"
#include <stdbool.h>

enum refusal {
	REFUSAL_NONE,        /* granted */
	REFUSAL_MALFORMED,   /* 400 */
	REFUSAL_UNAUTHORIZED,/* 401 */
	REFUSAL_FORBIDDEN,   /* 403 */
	REFUSAL_MISSING,     /* 404 */
	REFUSAL_INTERNAL,    /* 500 */
	REFUSAL_UNSUPPORTED, /* 501 */
	REFUSAL_UNAVAILABLE, /* 503 */
	REFUSAL_COUNT
};

struct verdict {
	enum refusal refusal;
	char message[512]; /* what the caller is told, as in spec/server.md; "" means the stock sentence */
	char reason[512];  /* the whole truth, for the log; never holds a token, key or password */
	char remedy[256];  /* what the operator can do; may be "" */
};

#define VERDICT_GRANTED ((struct verdict){ .refusal = REFUSAL_NONE })

/* Fills v: reason from fmt, message empty. */
void verdict_refuse(struct verdict *v, enum refusal r, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Sets the caller's message too. */
void verdict_tell(struct verdict *v, const char *fmt, ...) PRINTF_LIKE(2, 3);
