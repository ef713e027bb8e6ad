/* random.h - chance for keys, nonces and serials; OpenSSL's generator. The one source in floors 0 to 3, where other
 * chance enters as argument bytes. */
#pragma once
#include "base/error.h"
#include <stdint.h>
#include <stddef.h>

MUST_USE enum status random_bytes(uint8_t *out, size_t n, struct error *e);
