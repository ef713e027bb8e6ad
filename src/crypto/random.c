#include "crypto/random.h"
#include "crypto/ossl.h"

#include <limits.h>
#include <openssl/rand.h>

enum status random_bytes(uint8_t *out, size_t n, struct error *e)
{
	if (n > INT_MAX)
		return error_set(e, ST_LIMIT, "too many random bytes asked for");
	if (RAND_bytes(out, (int)n) != 1)
		return error_ossl(e, ST_CRYPTO, "no random bytes");
	return ST_OK;
}
