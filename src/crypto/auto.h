/* auto.h - scope-bound OpenSSL objects. */
#pragma once
#include "base/macros.h"
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>

DEFINE_AUTO(EVP_PKEY *, EVP_PKEY_free);
DEFINE_AUTO(EVP_PKEY_CTX *, EVP_PKEY_CTX_free);
DEFINE_AUTO(EVP_MD_CTX *, EVP_MD_CTX_free);
DEFINE_AUTO(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free);
DEFINE_AUTO(BIO *, BIO_free_all);
DEFINE_AUTO(BIGNUM *, BN_clear_free);
