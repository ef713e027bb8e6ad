/* verdict.h - a refusal is an answer, not an error: decide functions return ST_OK and a verdict; a status means that
 * they could not decide. */
#pragma once
#include "base/macros.h"
#include <stdbool.h>

enum refusal {
	REFUSAL_NONE,	      /* granted */
	REFUSAL_MALFORMED,    /* 400 */
	REFUSAL_UNAUTHORIZED, /* 401 */
	REFUSAL_FORBIDDEN,    /* 403 */
	REFUSAL_MISSING,      /* 404 */
	REFUSAL_TOO_OFTEN,    /* 429 */
	REFUSAL_INTERNAL,     /* 500 */
	REFUSAL_UNSUPPORTED,  /* 501 */
	REFUSAL_UNAVAILABLE,  /* 503 */
	REFUSAL_COUNT
};

/* How a message is put on the wire (spec/server.md §0.1): empty, the status's stock sentence; bare, the message as it
 * stands; else framed, "The request could not be completed: MESSAGE." for MALFORMED and "The request was forbidden by
 * the certificate authority: MESSAGE." for FORBIDDEN. The other refusals have no frame, so verdict_tell makes them
 * bare; the one FORBIDDEN text that the peer sends without a frame (name constraints) sets it by hand. */
struct verdict {
	enum refusal refusal;
	bool bare;
	char message[512]; /* what the caller is told, without frame and final dot */
	char reason[512];  /* the whole truth, for the log; never holds a token, key or password */
	char remedy[256];  /* what the operator can do; may be "" */
};

#define VERDICT_GRANTED ((struct verdict){ .refusal = REFUSAL_NONE })

/* The texts may carry names that came from a stranger: control characters and what is not UTF-8 become '?', and a text
 * that is too long is cut between characters, so that JSON and a log line can hold it. */

/* Fills v: reason from fmt, message and remedy empty. */
void verdict_refuse(struct verdict *v, enum refusal r, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Sets the caller's message; call after verdict_refuse. */
void verdict_tell(struct verdict *v, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* verdict_refuse and verdict_tell in one: caller and log read the same. */
void verdict_refuse_told(struct verdict *v, enum refusal r, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Sets the remedy; call after verdict_refuse. */
void verdict_advise(struct verdict *v, const char *fmt, ...) PRINTF_LIKE(2, 3);
