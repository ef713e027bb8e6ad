#include "crypto/pem.h"

#include "base/b64.h"

static const struct slice begin = { (const uint8_t *)"-----BEGIN ", 11 };
static const struct slice end = { (const uint8_t *)"-----END ", 9 };
static const struct slice dashes = { (const uint8_t *)"-----", 5 };

void pem_block_done(struct pem_block *b)
{
	buf_done(&b->headers);
	buf_done(&b->der);
	b->label[0] = '\0';
}

/* Takes one line, without its end ("\n", "\r\n" or "\r") and trailing blanks. */
static struct slice take_line(struct slice *rest)
{
	size_t n = 0;
	while (n < rest->n && rest->p[n] != '\n' && rest->p[n] != '\r')
		n++;
	struct slice line = slice_of(rest->p, n);
	if (n < rest->n)
		n += rest->p[n] == '\r' && n + 1 < rest->n && rest->p[n + 1] == '\n' ? 2 : 1;
	rest->p += n;
	rest->n -= n;
	while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t'))
		line.n--;
	return line;
}

static bool starts(struct slice s, struct slice with)
{
	return s.n >= with.n && memcmp(s.p, with.p, with.n) == 0;
}

/* "-----BEGIN label-----" or "-----END label-----" */
static bool boundary(struct slice line, struct slice prefix, struct slice *ret_label)
{
	if (!starts(line, prefix) || line.n < prefix.n + dashes.n ||
	    memcmp(line.p + line.n - dashes.n, dashes.p, dashes.n) != 0)
		return false;
	*ret_label = slice_of(line.p + prefix.n, line.n - prefix.n - dashes.n);
	return true;
}

/* RFC 7468 §3: label characters are printable and not the hyphen, save single ones inside. We ask for printable. */
static bool label_ok(struct slice label)
{
	for (size_t i = 0; i < label.n; i++)
		if (label.p[i] < 0x20 || label.p[i] > 0x7e)
			return false;
	return label.n > 0 && label.n < PEM_LABEL;
}

/* RFC 1421 §4.4: header lines, then an empty line. Without a colon in the first line there are none. */
static enum status take_headers(struct slice *rest, struct buf *out, struct error *e)
{
	struct slice ahead = *rest;
	struct slice line = take_line(&ahead);
	if (slice_find(line, ':') == line.n)
		return ST_OK;
	for (; line.n; line = take_line(&ahead)) {
		if (starts(line, dashes) || !ahead.n)
			return error_set(e, ST_INVALID, "not PEM: no empty line after the headers");
		buf_add_slice(out, line);
		buf_addc(out, '\n');
	}
	*rest = ahead;
	return buf_check(out, e);
}

static enum status take_body(struct slice *rest, const char *label, struct buf *der, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_SECRET(rest->n);
	struct slice line, end_label;
	for (;;) {
		if (!rest->n)
			return error_set(e, ST_INVALID, "not PEM: no END %s line", label);
		line = take_line(rest);
		if (starts(line, dashes))
			break;
		for (size_t i = 0; i < line.n; i++)
			if (line.p[i] != ' ' && line.p[i] != '\t')
				buf_addc(&text, (char)line.p[i]);
	}
	if (!boundary(line, end, &end_label) || !slice_is(end_label, label))
		return error_set(e, ST_INVALID, "not PEM: BEGIN %s is not closed by its END line", label);
	if (buf_check(&text, e))
		return e->status;
	if (!text.n)
		return error_set(e, ST_INVALID, "not PEM: the %s block is empty", label);
	if (b64_decode(der, buf_slice(&text), B64_STD, e))
		return error_wrap(e, "not PEM: %s block", label);
	return ST_OK;
}

enum status pem_next(struct slice *rest, struct pem_block *ret, struct error *e)
{
	struct slice label;
	pem_block_done(ret);
	do {
		if (!rest->n)
			return error_set(e, ST_MISSING, "no PEM block");
	} while (!boundary(take_line(rest), begin, &label));
	if (!label_ok(label))
		return error_set(e, ST_INVALID, "not PEM: bad label");
	memcpy(ret->label, label.p, label.n);
	ret->label[label.n] = '\0';
	ret->headers = BUF_INIT(rest->n + 1);
	ret->der = BUF_SECRET(rest->n);

	struct slice ahead = *rest; /* a broken block moves rest no further than its BEGIN line */
	if (take_headers(&ahead, &ret->headers, e) || take_body(&ahead, ret->label, &ret->der, e)) {
		pem_block_done(ret);
		return e->status;
	}
	*rest = ahead;
	return ST_OK;
}

struct slice pem_header(const struct pem_block *b, const char *name)
{
	struct slice rest = buf_slice(&b->headers);
	while (rest.n) {
		struct slice line = take_line(&rest);
		size_t colon = slice_find(line, ':');
		if (colon < line.n && slice_is(slice_of(line.p, colon), name))
			return slice_trim(slice_of(line.p + colon + 1, line.n - colon - 1));
	}
	return SLICE_NONE;
}

void pem_format_headers(struct buf *out, const char *label, const char *headers, struct slice der)
{
	enum { LINE_BYTES = 48 }; /* 64 columns */
	buf_adds(out, "-----BEGIN ");
	buf_adds(out, label);
	buf_adds(out, "-----\n");
	buf_adds(out, headers);
	if (headers[0])
		buf_addc(out, '\n');
	while (der.n) {
		size_t n = der.n < LINE_BYTES ? der.n : LINE_BYTES;
		b64_encode(out, slice_of(der.p, n), B64_STD);
		buf_addc(out, '\n');
		der.p += n;
		der.n -= n;
	}
	buf_adds(out, "-----END ");
	buf_adds(out, label);
	buf_adds(out, "-----\n");
}

void pem_format(struct buf *out, const char *label, struct slice der)
{
	pem_format_headers(out, label, "", der);
}
