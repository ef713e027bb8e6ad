/* utf8.h - the one reader of UTF-8, and what of it nobody's terminal should see. */
#pragma once
#include "base/slice.h"

/* The character at the front of s: its length, and its code point in *ret_c. 0 where there is none (RFC 3629 §4):
 * empty, broken, overlong, a surrogate, beyond U+10FFFF; *ret_c is untouched then. */
size_t utf8_next(struct slice s, uint32_t *ret_c);

/* Controls (C0, DEL, C1), which steer terminals and break lines, and what is invisible or turns the direction of text.
 */
bool utf8_is_hostile(uint32_t c);
