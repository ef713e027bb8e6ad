/* auto.h - scope-bound OpenSSL X.509 objects. */
#pragma once
#include "crypto/auto.h"
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

DEFINE_AUTO(X509 *, X509_free);
DEFINE_AUTO(X509_REQ *, X509_REQ_free);
DEFINE_AUTO(X509_STORE *, X509_STORE_free);
DEFINE_AUTO(X509_STORE_CTX *, X509_STORE_CTX_free);
DEFINE_AUTO(PKCS12 *, PKCS12_free);
