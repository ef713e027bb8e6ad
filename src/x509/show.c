#include "x509/show.h"

#include "base/utf8.h"

int32_t show_rune(struct slice *rest)
{
	uint32_t c;
	size_t n = utf8_next(*rest, &c);
	*rest = slice_of(rest->p + (n ? n : 1), rest->n - (n ? n : 1));
	return n ? (int32_t)c : -1;
}

void show_add_rune(struct buf *out, int32_t r)
{
	if (r < 0 || utf8_is_hostile((uint32_t)r))
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
