/* error.h - how every fallible function answers.
 *
 * It returns an enum status and, on failure, fills the caller's struct error. The status is what code may branch on;
 * `text` is the cause chain for the operator ("certificate foo.crt: not PEM"); `hint` is the one sentence that a remote
 * caller may see (empty: the stock phrase of the status). The struct has a fixed size and lives on the caller's stack,
 * so telling an error cannot fail. `e` is never NULL. Outputs named ret_* are set only on success. */
#pragma once
#include "base/macros.h"

enum status {
	ST_OK,
	ST_INVALID,  /* input that breaks a rule; the text names the rule */
	ST_DENIED,   /* understood and refused: no right to it */
	ST_MISSING,  /* the thing asked for is not there */
	ST_CONFLICT, /* it is there already, or somebody else holds it */
	ST_EXPIRED,  /* outside its time */
	ST_LIMIT,    /* more than a bound allows */
	ST_AGAIN,    /* would work later */
	ST_NOMEM,
	ST_IO,     /* the operating system said no; error.os holds errno */
	ST_CRYPTO, /* the cryptographic library said no */
	ST_PEER,   /* the other side of a connection answered nonsense or failed */
	ST_USAGE,  /* the command line is wrong */
	ST_BUG,    /* cannot happen */
	ST_COUNT
};

struct error {
	enum status status;
	int os; /* errno, or 0 */
	char hint[256];
	char text[768];
};

#define ERROR_INIT ((struct error){ 0 })

/* Sets status and text anew (hint is emptied) and returns the status, so that failing stays one line. */
enum status error_set(struct error *e, enum status st, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As error_set, with ": reason" of errno appended in lower case, as the peer prints it. os is an errno value. */
enum status error_os(struct error *e, int os, const char *fmt, ...) PRINTF_LIKE(3, 4);

enum status error_nomem(struct error *e);

/* Prepends "noun: " to the text and returns the status that e holds. */
enum status error_wrap(struct error *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Sets the sentence for the remote caller; keeps status and text; returns the status. */
enum status error_hint(struct error *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "invalid", "denied", ...: for logs and tests. */
const char *status_name(enum status st);

/* The errno's text in lower case ("no such file or directory"). */
const char *errno_text(int os, char *out, unsigned long n);

/* A deliberate ignore that one can grep for. */
#define st_ignore(call, why)                       \
	do {                                       \
		enum status ignored_ = (call);     \
		(void)ignored_;                    \
		_Static_assert(sizeof(why) > 1, ""); \
	} while (0)
