/* uri.h - URIs as Go's net/url reads and writes them, because that decides which subject alternative names the peer
 * takes for URIs and how they stand in the certificate (spec/server.md §3.2). */
#pragma once
#include "base/buf.h"

/* Whether text parses as a URL with a scheme; then appends it, re-serialised (scheme in lower case, path and user
 * escaped). False and nothing appended otherwise. text is ASCII. */
bool uri_normalize(struct slice text, struct buf *out);
