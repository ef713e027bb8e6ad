#include "base/utf8.h"

#include "base/macros.h"

size_t utf8_next(struct slice s, uint32_t *ret_c)
{
	static const struct {
		uint8_t mask, lead, n; /* bits of the first byte, and bytes of such a character */
		uint32_t least;
	} forms[] = {
		{ 0x80, 0x00, 1, 0 }, { 0xe0, 0xc0, 2, 0x80 }, { 0xf0, 0xe0, 3, 0x800 }, { 0xf8, 0xf0, 4, 0x10000 }
	};
	for (size_t f = 0; s.n && f < COUNT_OF(forms); f++) {
		if ((s.p[0] & forms[f].mask) != forms[f].lead || s.n < forms[f].n)
			continue;
		uint32_t c = s.p[0] & (uint8_t)~forms[f].mask;
		for (size_t i = 1; i < forms[f].n; i++) {
			if ((s.p[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s.p[i] & 0x3f);
		}
		if (c < forms[f].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return 0;
		*ret_c = c;
		return forms[f].n;
	}
	return 0;
}

bool utf8_is_hostile(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} hostile[] = {
		{ 0, 0x1f },        { 0x7f, 0x9f },     { 0xad, 0xad },          { 0x61c, 0x61c },
		{ 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e },      { 0x2060, 0x206f },
		{ 0xfeff, 0xfeff }, { 0xfff0, 0xfffb }, { 0xe0000, UINT32_MAX },
	};
	for (size_t i = 0; i < COUNT_OF(hostile); i++)
		if (c >= hostile[i].first && c <= hostile[i].last)
			return true;
	return false;
}
