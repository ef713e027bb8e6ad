#include "renewal/facts.h"

static void add_escaped(struct buf *out, uint8_t c)
{
	if (c == '\\')
		buf_adds(out, "\\\\");
	else if (c >= 0x20 && c < 0x7f)
		buf_addc(out, (char)c);
	else
		buf_addf(out, "\\x%02x", c);
}

void facts_line(struct buf *out, const char *text, size_t max)
{
	for (size_t i = 0; text[i] && i < max; i++)
		add_escaped(out, (uint8_t)text[i]);
}

void facts_names(const struct cert_facts *f, struct buf *out)
{
	for (size_t i = 0; f->sans && i < f->sans->n; i++) {
		if (i)
			buf_addc(out, '\n');
		facts_line(out, f->sans->v[i].text, SAN_TEXT_MAX);
	}
}

int facts_left_percent(struct wall not_before, struct wall not_after, struct wall now)
{
	int64_t all_s = not_after.s - not_before.s + 1, left_s = not_after.s - now.s + 1; /* its last second is valid */
	if (left_s <= 0 || all_s <= 0)
		return 0;
	return left_s >= all_s ? 100 : (int)((left_s * 100 + all_s - 1) / all_s);
}
