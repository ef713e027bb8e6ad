/* profile.h - what a certificate of each kind carries: extensions in the peer's order (spec/server.md §3.1, §3.6). */
#pragma once
#include "base/buf.h"
#include "x509/cert.h"

/* Key usage, EKU server+client, SKI, AKI, SAN, the CRL's place where crl_url is not NULL, and the provisioner extension
 * where prov is not NULL.
 * keyEncipherment for RSA keys only. The SAN is critical where subject_is_empty; left out where sans is empty. */
MUST_USE enum status profile_leaf(EVP_PKEY *key, struct slice spki, struct slice issuer_key_id,
                                  const struct san_list *sans, bool subject_is_empty, const char *crl_url,
                                  const struct provisioner_ext *prov, struct buf *out, struct error *e);

/* KU certSign+crlSign, BC CA with path length, SKI, and AKI where issuer_key_id is not empty. */
MUST_USE enum status profile_ca(struct slice spki, int path_len, struct slice issuer_key_id, struct buf *out,
                                struct error *e);

/* The extensions of a renewed certificate: [SKI of the new key when rekeyed], AKI of the issuer, then the parent's in
 * their old order without AKI (and SKI when rekeyed) -- spec/server.md §3.7: renew AKI first; rekey SKI, AKI.
 * crl_url not NULL: the CRL's place is this one, wherever the parent says it is: a list that names its place (§5.2.5)
 * holds for those certificates only that name the same. Where the parent names none, it stands before the provisioner.
 */
MUST_USE enum status profile_renewed(const struct cert *parent, struct slice issuer_key_id, struct slice rekeyed_spki,
                                     const char *crl_url, struct buf *out, struct error *e);
