/* num.h - decimal numbers from text, with bounds. */
#pragma once
#include "base/error.h"
#include "base/slice.h"

/* Parses the whole of s as a decimal integer ("-12", "+3", "007") in [min, max].
 * ST_INVALID says what was wrong and names the bounds. */
MUST_USE enum status num_parse(struct slice s, int64_t min, int64_t max, int64_t *ret, struct error *e);
