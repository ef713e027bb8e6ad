/* auto.h - scope-bound jansson values. */
#pragma once
#include "base/macros.h"
#include <jansson.h>

static inline void json_decref_p(json_t **j)
{
	json_decref(*j);
}
