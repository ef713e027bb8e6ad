/* JSON bodies in and out, under the peer's rules (spec/server.md §0). */
#include "jose/jsonio.h"
#include "server/state.h"

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' && c != 0x7f;
}

static void add_escaped(struct buf *out, uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	if (c == '\n')
		buf_adds(out, "\\n");
	else if (c == '"' || c == '\\')
		buf_add(out, (char[]){ '\\', (char)c }, 2);
	else
		buf_add(out, (char[]){ '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] }, 6);
}

void body_add_text(struct buf *out, struct slice s)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < s.n;) {
		size_t start = i;
		while (i < s.n && is_plain(s.p[i]))
			i++;
		buf_add(out, s.p + start, i - start);
		if (i < s.n)
			add_escaped(out, s.p[i++]);
	}
	buf_addc(out, '"');
}

void body_add_cert(struct buf *out, const struct cert *c)
{
	AUTO(buf_done) struct buf pem = BUF_INIT(CERT_MAX * 2);
	cert_format_pem(c, &pem);
	if (pem.failed)
		out->failed = pem.failed;
	body_add_text(out, buf_slice(&pem));
}

enum status body_object(struct exchange *x, json_t **ret, struct error *e)
{
	json_t *o = NULL;
	if (jsonio_parse(request_body(x->request), JSONIO_FIRST, &o, e))
		return e->status;
	if (!json_is_object(o)) {
		json_decref(o);
		return error_set(e, ST_INVALID, "request body: not a JSON object");
	}
	*ret = o;
	return ST_OK;
}

enum status body_text(const json_t *o, const char *name, struct slice *ret, struct error *e)
{
	const json_t *v = jsonio_field(o, name);
	if (v && !json_is_null(v) && !json_is_string(v))
		return error_set(e, ST_INVALID, "request body: %s: not a string", name);
	*ret = jsonio_text(v);
	return ST_OK;
}

enum status body_csr(const json_t *o, struct csr *ret, struct error *e)
{
	struct slice pem;
	if (body_text(o, "csr", &pem, e))
		return e->status;
	if (!pem.n || slice_is(pem, "null"))
		return ST_OK;
	if (csr_parse(pem, false, ret, e))
		return error_wrap(e, "request body: csr");
	return ST_OK;
}
