/* entropy.h - chance from the kernel (getrandom), replaceable in tests. */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct entropy {
	enum status (*fill)(void *ctx, uint8_t *out, size_t n, struct error *e);
	void *ctx;
};
extern const struct entropy entropy_system;

MUST_USE static inline enum status entropy_fill(const struct entropy *r, uint8_t *out, size_t n, struct error *e)
{
	return r->fill(r->ctx, out, n, e);
}
