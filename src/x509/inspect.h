/* inspect.h - a certificate or request for people and scripts (spec/client.md §8.1). */
#pragma once
#include "x509/cert.h"
#include "x509/csr.h"

MUST_USE enum status inspect_short(const struct cert *c, struct buf *out, struct error *e);
MUST_USE enum status inspect_text(const struct cert *c, struct buf *out, struct error *e);
MUST_USE enum status inspect_csr_short(const struct csr *c, struct buf *out, struct error *e);
MUST_USE enum status inspect_csr_text(const struct csr *c, struct buf *out, struct error *e);
