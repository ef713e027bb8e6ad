/* served.h - which certificate a service shows, looked at from outside: a TLS handshake with it. Whose certificate it
 * is does not matter here, only whether it is the one that we have put on disk. */
#pragma once
#include "x509/cert.h"

enum served_starttls { SERVED_TLS, SERVED_SMTP, SERVED_IMAP, SERVED_POP3, SERVED_LDAP, SERVED_POSTGRES };

enum { SERVED_HOST_MAX = 256, SERVED_TIMEOUT_MS = 10000, SERVED_LINES_MAX = 100 };

struct served {
	char host[SERVED_HOST_MAX]; /* or the path of a unix socket */
	char port[8];               /* "" for a unix socket */
	char name[SERVED_HOST_MAX]; /* asked for in the handshake (SNI); "": the certificate's first DNS name */
	enum served_starttls starttls;
};

/* "HOST:PORT", "[::1]:PORT" or "unix:PATH", then ",starttls=smtp|imap|pop3|ldap|postgres" and ",name=SNI" where
 * wanted. ST_INVALID: "invalid value '...' for flag '--verify'; ...". */
MUST_USE enum status served_parse(const char *text, struct served *ret, struct error *e);

/* One look, at most timeout_ms long (0: SERVED_TIMEOUT_MS). ret: what is served; the handshake need not come to an end
 * (the service may want a client certificate). ST_IO, ST_AGAIN (time is up), ST_PEER. */
MUST_USE enum status served_fetch(const struct served *s, const char *name, int64_t timeout_ms, struct cert **ret,
                                  struct error *e);

/* Is it ours? ST_PEER: "localhost:443 still serves the certificate with serial 123 (until 2026-...)". */
MUST_USE enum status served_check(const struct served *s, const struct cert *ours, int64_t timeout_ms, struct error *e);
