/* wire.h - the plainest client there is: bytes over TLS over loopback, blocking, with a limit of ten seconds on every
 * wait so that a test that hangs fails. */
#pragma once
#include "pki.h"
#include <openssl/ssl.h>

struct wire {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
};

int wire_dial(int port); /* TCP to 127.0.0.1; -1 where it is refused */

struct wire_opts {
	const struct cred *cred;
	int min, max;     /* TLS versions */
	const char *alpn; /* wire format */
	const char *tls12_suites;
	bool leaf_only; /* do not send the intermediate */
};
/* False where the handshake fails (in TLS 1.3 a server that refuses us says so only later). */
bool wire_open(struct wire *w, int port, const struct wire_opts *opts /* or NULL */);
void wire_close(struct wire *w); /* with close_notify */
void wire_drop(struct wire *w);  /* without, by RST */

bool wire_write(struct wire *w, const void *p, size_t n);
bool wire_puts(struct wire *w, const char *s);

/* Reads until the connection ends; true where that was a close_notify. */
bool wire_read_all(struct wire *w, struct buf *out);
/* Reads one answer with Content-Length; false where it does not come. */
bool wire_read_answer(struct wire *w, bool to_head, struct buf *out);
/* The alert that came, or 0. */
int wire_alert(const struct wire *w);
