/* suites.h - the names of cipher suites in ca.json ("tls.cipherSuites"; Go's spelling) and what OpenSSL calls them. Pure. */
#pragma once
#include "base/buf.h"

struct suites {
	char tls12[1024];   /* for SSL_CTX_set_cipher_list; "" where none is named */
	size_t tls13;       /* how many TLS 1.3 suites were named */
};

/* names_n == 0: the peer's default (spec/server.md §5.1). ST_INVALID: a name that is none, named in the text. */
MUST_USE enum status suites_map(const char *const *names, size_t names_n, struct suites *ret, struct error *e);
