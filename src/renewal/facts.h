/* facts.h - what a hook (or a log line, or status) is told of a certificate, as text. */
#pragma once
#include "x509/cert.h"

/* The names, one a line, no newline at the end; each as in the certificate, a backslash as \\, what is not printable
 * ASCII as \xNN. Appends. */
void facts_names(const struct cert_facts *f, struct buf *out);

/* One line of an error for an environment variable: escaped likewise, at most max bytes of text. Appends. */
void facts_line(struct buf *out, const char *text, size_t max);

/* Percent of the validity that is left: 0..100, rounded up, so that 0 means expired. */
int facts_left_percent(struct wall not_before, struct wall not_after, struct wall now);
