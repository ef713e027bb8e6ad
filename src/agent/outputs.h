/* outputs.h - the bytes of every file that a renewal writes. */
#pragma once
#include "agent/pair.h"

enum { OUTPUTS_MAX = 8 };

/* What the transaction's files are, in its order; the first is the pair's certificate, by which it is locked. */
struct outputs {
	struct filetx_file files[OUTPUTS_MAX];
	size_t n;
	int crt, key, bundle, p12, der, chain, record; /* index, or -1 */
};

/* Which files take part. record: path of the record, NULL: none. */
void outputs_plan(const struct pair_conf *c, const char *record, struct outputs *ret);

/* The new key, before the CA is asked for a certificate for it. */
MUST_USE enum status outputs_stage_key(const struct outputs *o, struct filetx *tx, EVP_PKEY *key, struct error *e);
/* Certificate, bundle, PKCS#12, DER and chain. */
MUST_USE enum status outputs_stage(const struct outputs *o, struct filetx *tx, const struct pair_conf *c,
                                   const struct chain *chain, EVP_PKEY *key, struct error *e);
MUST_USE enum status outputs_stage_record(const struct outputs *o, struct filetx *tx, const struct record *r,
                                          struct error *e);
