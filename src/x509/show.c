#include "x509/show.h"

int32_t show_rune(struct slice *rest)
{
	static const int32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = rest->p;
	size_t more = p[0] < 0x80                   ? 0
	              : p[0] >= 0xc2 && p[0] < 0xe0 ? 1
	              : (p[0] & 0xf0) == 0xe0       ? 2
	              : p[0] >= 0xf0 && p[0] < 0xf5 ? 3
	                                            : 4;
	int32_t v = more ? p[0] & (0x3f >> more) : p[0];
	bool good = more < 4 && rest->n > more;
	for (size_t i = 1; good && i <= more; i++) {
		good = (p[i] & 0xc0) == 0x80;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (good && (v < least[more] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000)))
		good = false;
	size_t taken = good ? more + 1 : 1;
	rest->p += taken;
	rest->n -= taken;
	return good ? v : -1;
}

bool show_unfit(int32_t r)
{
	static const struct {
		int32_t first, last;
	} unfit[] = {
		{ INT32_MIN, 0x1f }, { 0x7f, 0x9f },     { 0xad, 0xad },       { 0x61c, 0x61c },
		{ 0x180e, 0x180e },  { 0x200b, 0x200f }, { 0x2028, 0x202e },   { 0x2060, 0x206f },
		{ 0xfeff, 0xfeff },  { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f },
	};
	for (size_t i = 0; i < COUNT_OF(unfit); i++)
		if (r >= unfit[i].first && r <= unfit[i].last)
			return true;
	return false;
}

void show_add_rune(struct buf *out, int32_t r)
{
	if (show_unfit(r))
		r = '?';
	char b[4];
	size_t n;
	if (r < 0x80) {
		b[0] = (char)r, n = 1;
	} else if (r < 0x800) {
		b[0] = (char)(0xc0 | r >> 6), n = 2;
	} else if (r < 0x10000) {
		b[0] = (char)(0xe0 | r >> 12), n = 3;
	} else {
		b[0] = (char)(0xf0 | r >> 18), n = 4;
	}
	for (size_t i = 1; i < n; i++)
		b[i] = (char)(0x80 | (r >> 6 * (n - 1 - i) & 0x3f));
	buf_add(out, b, n);
}

void show_add(struct buf *out, struct slice s)
{
	while (s.n)
		show_add_rune(out, show_rune(&s));
}

void show_add_json(struct buf *out, struct slice s)
{
	buf_addc(out, '"');
	while (s.n) {
		int32_t r = show_rune(&s);
		if (r == '"' || r == '\\')
			buf_addc(out, '\\');
		show_add_rune(out, r);
	}
	buf_addc(out, '"');
}

const char *show_cut(struct slice s, char *out, size_t n)
{
	AUTO(buf_done) struct buf text = BUF_INIT(4 * n);
	while (s.n && text.n < n)
		show_add_rune(&text, show_rune(&s));
	size_t len = text.n;
	bool cut = len >= n;
	if (cut) {
		len = n - 4;
		while (len && (text.p[len] & 0xc0) == 0x80)
			len--;
	}
	if (len)
		memcpy(out, text.p, len);
	memcpy(out + len, cut ? "..." : "", cut ? 4 : 1);
	return out;
}
