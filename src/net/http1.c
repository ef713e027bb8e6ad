#include "net/http1.h"

#include "base/num.h"

#include <ctype.h>
#include <string.h>

static bool is_tchar(uint8_t c)
{
	return c && c < 0x80 && (isalnum(c) || strchr("!#$%&'*+-.^_`|~", c));
}

bool http1_is_token(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_tchar(s.p[i]))
			return false;
	return s.n > 0;
}

bool http1_is_value(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return true;
}

static struct slice from(struct slice s, size_t at)
{
	return slice_of(s.p + at, s.n - at);
}

static bool starts_with(struct slice s, const char *prefix)
{
	size_t n = strlen(prefix);
	return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

/* RFC 9112 §2.2 lets a reader take a bare LF for a line's end. A reader before us may not, so we do not. */
static enum status next_line(struct slice *rest, struct slice *ret, struct error *e)
{
	size_t at = slice_find(*rest, '\n');
	if (at == rest->n)
		return error_set(e, ST_INVALID, "header without an end");
	if (at == 0 || rest->p[at - 1] != '\r')
		return error_set(e, ST_INVALID, "line that does not end in CR LF");
	*ret = slice_of(rest->p, at - 1);
	*rest = from(*rest, at + 1);
	return ST_OK;
}

/* OWS is space and HTAB only. */
static struct slice trim(struct slice s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = from(s, 1);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* RFC 9112 §5.1: "No whitespace is allowed between the field name and colon." */
static enum status parse_field(struct slice line, struct http1_field *ret, struct error *e)
{
	size_t colon = slice_find(line, ':');
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return error_set(e, ST_INVALID, "folded header line");
	if (colon == line.n)
		return error_set(e, ST_INVALID, "header line without a colon");
	ret->name = slice_of(line.p, colon);
	ret->value = trim(from(line, colon + 1));
	if (!http1_is_token(ret->name))
		return error_set(e, ST_INVALID, "invalid header name");
	if (!http1_is_value(ret->value))
		return error_set(e, ST_INVALID, "invalid header value");
	return ST_OK;
}

static enum status parse_fields(struct slice rest, struct http1_head *h, struct error *e)
{
	struct slice line;
	for (;;) {
		if (next_line(&rest, &line, e))
			return e->status;
		if (line.n == 0)
			break;
		if (h->fields_n == HTTP1_FIELDS_MAX)
			return error_set(e, ST_LIMIT, "more than %d header fields", HTTP1_FIELDS_MAX);
		if (parse_field(line, &h->fields[h->fields_n], e))
			return e->status;
		h->fields_n++;
	}
	return rest.n ? error_set(e, ST_INVALID, "bytes behind the header") : ST_OK;
}

static bool named(const struct http1_field *f, const char *name)
{
	return slice_eq_nocase(f->name, slice_cstr(name));
}

const struct http1_field *http1_find(const struct http1_head *h, const char *name)
{
	for (size_t i = 0; i < h->fields_n; i++)
		if (named(&h->fields[i], name))
			return &h->fields[i];
	return NULL;
}

static size_t count(const struct http1_head *h, const char *name)
{
	size_t n = 0;
	for (size_t i = 0; i < h->fields_n; i++)
		n += named(&h->fields[i], name);
	return n;
}

/* Some Connection field lists the option. */
static bool connection_says(const struct http1_head *h, const char *option)
{
	for (size_t i = 0; i < h->fields_n; i++) {
		struct slice rest = h->fields[i].value;
		if (!named(&h->fields[i], "Connection"))
			continue;
		while (rest.n) {
			size_t comma = slice_find(rest, ',');
			if (slice_eq_nocase(trim(slice_of(rest.p, comma)), slice_cstr(option)))
				return true;
			rest = from(rest, comma < rest.n ? comma + 1 : comma);
		}
	}
	return false;
}

static void set_keep_alive(struct http1_head *h)
{
	h->keep_alive = !connection_says(h, "close") && (h->minor > 0 || connection_says(h, "keep-alive"));
}

/* RFC 9112 §6.3. Both lengths in one message are "an attempt to perform request smuggling". */
static enum status set_framing(struct http1_head *h, struct error *e)
{
	const struct http1_field *te = http1_find(h, "Transfer-Encoding"), *cl = http1_find(h, "Content-Length");
	int64_t n;

	if (te && cl)
		return error_set(e, ST_INVALID, "both Transfer-Encoding and Content-Length");
	if (te) {
		if (count(h, "Transfer-Encoding") > 1 || !slice_eq_nocase(te->value, SLICE_LIT("chunked")))
			return error_set(e, ST_INVALID, "Transfer-Encoding other than chunked");
		if (h->minor == 0)
			return error_set(e, ST_INVALID, "Transfer-Encoding in HTTP/1.0");
		h->framing = HTTP1_CHUNKED;
	}
	if (cl) {
		if (count(h, "Content-Length") > 1)
			return error_set(e, ST_INVALID, "more than one Content-Length");
		if (!cl->value.n || !isdigit(cl->value.p[0]) || num_parse(cl->value, 0, INT64_MAX, &n, e))
			return error_set(e, ST_INVALID, "invalid Content-Length");
		h->length = (uint64_t)n;
		h->framing = n ? HTTP1_LENGTH : HTTP1_EMPTY;
	}
	return ST_OK;
}

static enum status parse_version(struct slice s, int *ret_minor, struct error *e)
{
	if (s.n != 8 || !starts_with(s, "HTTP/1.") || (s.p[7] != '0' && s.p[7] != '1'))
		return error_set(e, ST_INVALID, "protocol version other than HTTP/1.0 and HTTP/1.1");
	*ret_minor = s.p[7] - '0';
	return ST_OK;
}

static bool is_host(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= 0x80 || !(isalnum(s.p[i]) || strchr("-._~!$&'()*+,;=:[]%", s.p[i] ? s.p[i] : ' ')))
			return false;
	return s.n > 0;
}

/* RFC 9112 §3.2.2: "a server MUST accept the absolute-form in requests"; what it names is not looked at. */
static struct slice without_origin(struct slice target)
{
	size_t at = starts_with(target, "https://") ? 8 : starts_with(target, "http://") ? 7 : 0;
	if (!at)
		return target;
	struct slice rest = from(target, at);
	size_t slash = slice_find(rest, '/');
	return is_host(slice_of(rest.p, slash)) ? from(rest, slash) : target;
}

static bool is_escape(struct slice s, size_t at)
{
	return s.n - at >= 3 && isxdigit(s.p[at + 1]) && isxdigit(s.p[at + 2]);
}

static enum status parse_target(struct slice target, struct http1_head *h, struct error *e)
{
	struct slice s = without_origin(target);
	size_t mark = slice_find(s, '?');
	bool star = slice_is(s, "*") && slice_is(h->method, "OPTIONS");

	if (!s.n || (s.p[0] != '/' && !star))
		return error_set(e, ST_INVALID, "invalid request target");
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f || s.p[i] == '#' ||
		    (i < mark && s.p[i] == '%' && !is_escape(s, i)))
			return error_set(e, ST_INVALID, "invalid request target");
	h->path = slice_of(s.p, mark);
	h->query = mark < s.n ? from(s, mark + 1) : slice_of(s.p + s.n, 0);
	return ST_OK;
}

static enum status parse_request_line(struct slice line, struct http1_head *h, struct error *e)
{
	size_t one = slice_find(line, ' ');
	struct slice rest = from(line, one < line.n ? one + 1 : one);
	size_t two = slice_find(rest, ' ');

	h->method = slice_of(line.p, one);
	if (one == line.n || two == rest.n || !http1_is_token(h->method))
		return error_set(e, ST_INVALID, "malformed request line");
	if (parse_version(from(rest, two + 1), &h->minor, e))
		return e->status;
	return parse_target(slice_of(rest.p, two), h, e);
}

/* RFC 9112 §3.2: 400 "to any HTTP/1.1 request message that lacks a Host header field and to any request message that
 * contains more than one Host header field line or a Host header field with an invalid field value". */
static enum status check_host(const struct http1_head *h, struct error *e)
{
	const struct http1_field *host = http1_find(h, "Host");
	if (!host)
		return h->minor ? error_set(e, ST_INVALID, "missing required Host header") : ST_OK;
	if (count(h, "Host") > 1)
		return error_set(e, ST_INVALID, "too many Host headers");
	return is_host(host->value) ? ST_OK : error_set(e, ST_INVALID, "malformed Host header");
}

enum status http1_parse_request(struct slice head, struct http1_head *ret, struct error *e)
{
	struct http1_head h = { .framing = HTTP1_EMPTY };
	struct slice line = SLICE_NONE, rest = head;

	if (next_line(&rest, &line, e) || parse_request_line(line, &h, e) || parse_fields(rest, &h, e) ||
	    check_host(&h, e) || set_framing(&h, e))
		return e->status;
	set_keep_alive(&h);
	const struct http1_field *expect = http1_find(&h, "Expect");
	h.expect_continue = h.minor > 0 && expect && slice_eq_nocase(expect->value, SLICE_LIT("100-continue"));
	*ret = h;
	return ST_OK;
}

static enum status parse_status_line(struct slice line, struct http1_head *h, struct error *e)
{
	int64_t code;
	if (line.n < 12 || line.p[8] != ' ' || (line.n > 12 && line.p[12] != ' '))
		return error_set(e, ST_INVALID, "malformed status line");
	if (parse_version(slice_of(line.p, 8), &h->minor, e))
		return e->status;
	if (!isdigit(line.p[9]) || num_parse(slice_of(line.p + 9, 3), 100, 999, &code, e))
		return error_set(e, ST_INVALID, "malformed status");
	h->status = (int)code;
	h->reason = trim(from(line, 12));
	return http1_is_value(h->reason) ? ST_OK : error_set(e, ST_INVALID, "malformed status line");
}

enum status http1_parse_response(struct slice head, bool to_head, struct http1_head *ret, struct error *e)
{
	struct http1_head h = { .framing = HTTP1_UNTIL_CLOSE };
	struct slice line = SLICE_NONE, rest = head;

	if (next_line(&rest, &line, e) || parse_status_line(line, &h, e) || parse_fields(rest, &h, e) ||
	    set_framing(&h, e))
		return e->status;
	set_keep_alive(&h);
	if (to_head || h.status < 200 || h.status == 204 || h.status == 304)
		h.framing = HTTP1_EMPTY;
	*ret = h;
	return ST_OK;
}

/* chunk-size [ext] CRLF data CRLF ... 0 [ext] CRLF *(trailer CRLF) CRLF
 *
 *   SIZE --digits--> SIZE --';' or blank--> EXT --CR--> SIZE_LF --LF--> DATA --all read--> DATA_CR -> DATA_LF -> SIZE
 *                                                             `--size 0--> LINE --CR--> LAST_LF --> done
 *                                                                          `--byte--> TRAILER --CR--> TRAILER_LF ->
 * LINE */
enum { SIZE, EXT, SIZE_LF, DATA, DATA_CR, DATA_LF, LINE, TRAILER, TRAILER_LF, LAST_LF };
enum { EXT_MAX = 256, TRAILERS_MAX = 8192, SIZE_DIGITS_MAX = 15 };

static int hex_value(uint8_t b)
{
	return isdigit(b) ? b - '0' : isxdigit(b) ? tolower(b) - 'a' + 10 : -1;
}

static bool plain(uint8_t b)
{
	return b == '\t' || (b >= 0x20 && b != 0x7f);
}

static bool in_size(struct http1_chunked *c, uint8_t b)
{
	int v = hex_value(b);
	if (v >= 0) {
		c->left = c->left * 16 + (unsigned)v;
		return ++c->count <= SIZE_DIGITS_MAX;
	}
	if (!c->count)
		return false;
	c->count = 0;
	c->state = b == '\r' ? SIZE_LF : EXT;
	return b == '\r' || b == ';' || b == ' ' || b == '\t';
}

static bool in_ext(struct http1_chunked *c, uint8_t b)
{
	if (b == '\r')
		c->state = SIZE_LF;
	return b == '\r' || (plain(b) && ++c->count <= EXT_MAX);
}

static bool in_line(struct http1_chunked *c, uint8_t b)
{
	c->state = b == '\r' ? LAST_LF : TRAILER;
	return b == '\r' || (plain(b) && ++c->count <= TRAILERS_MAX);
}

static bool in_trailer(struct http1_chunked *c, uint8_t b)
{
	if (b == '\r')
		c->state = TRAILER_LF;
	return b == '\r' || (plain(b) && ++c->count <= TRAILERS_MAX);
}

/* One byte that is not chunk data. */
static bool chunk_byte(struct http1_chunked *c, uint8_t b)
{
	switch (c->state) {
	case SIZE:
		return in_size(c, b);
	case EXT:
		return in_ext(c, b);
	case SIZE_LF:
		c->state = c->left ? DATA : LINE;
		c->count = 0;
		return b == '\n';
	case DATA_CR:
		c->state = DATA_LF;
		return b == '\r';
	case DATA_LF:
		c->state = SIZE;
		return b == '\n';
	case LINE:
		return in_line(c, b);
	case TRAILER:
		return in_trailer(c, b);
	case TRAILER_LF:
		c->state = LINE;
		return b == '\n';
	default: /* LAST_LF */
		c->done = true;
		return b == '\n';
	}
}

enum status http1_chunked_feed(struct http1_chunked *c, struct slice in, struct buf *out, size_t *ret_used,
                               struct error *e)
{
	size_t at = 0;
	while (at < in.n && !c->done) {
		if (c->state != DATA) {
			if (!chunk_byte(c, in.p[at++]))
				return error_set(e, ST_INVALID, "malformed chunked body");
			continue;
		}
		size_t n = in.n - at < c->left ? in.n - at : (size_t)c->left;
		buf_add(out, in.p + at, n);
		if (buf_check(out, e))
			return e->status;
		at += n;
		c->left -= n;
		if (!c->left)
			c->state = DATA_CR;
	}
	*ret_used = at;
	return ST_OK;
}

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 100, "Continue" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 407, "Proxy Authentication Required" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Request Entity Too Large" },
	{ 414, "Request URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 417, "Expectation Failed" },
	{ 422, "Unprocessable Entity" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
};

const char *http1_reason(int status)
{
	for (size_t i = 0; i < COUNT_OF(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

const char *http1_date(struct wall t, char out[HTTP1_DATE])
{
	struct civil c = civil_of_wall(t);
	snprintf(out, HTTP1_DATE, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * c.weekday, c.day,
	         months + 3 * (c.month - 1), c.year, c.hour, c.minute, c.second);
	return out;
}

static bool take_digits(struct slice s, size_t at, size_t n, int *ret)
{
	*ret = 0;
	for (size_t i = at; i < at + n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		*ret = *ret * 10 + (s.p[i] - '0');
	}
	return true;
}

enum status http1_parse_date(struct slice s, struct wall *ret, struct error *e)
{
	struct civil c = { 0 };
	struct wall t;
	char again[HTTP1_DATE];
	if (s.n == 29)
		while (c.month < 12 && memcmp(s.p + 8, months + 3 * c.month, 3) != 0)
			c.month++;
	c.month++;
	/* What is written again must read the same: that checks all the rest. */
	if (s.n != 29 || !take_digits(s, 5, 2, &c.day) || !take_digits(s, 12, 4, &c.year) ||
	    !take_digits(s, 17, 2, &c.hour) || !take_digits(s, 20, 2, &c.minute) || !take_digits(s, 23, 2, &c.second) ||
	    !wall_of_civil(&c, &t) || !slice_is(s, http1_date(t, again)))
		return error_set(e, ST_INVALID, "not a date as in 'Mon, 23 Nov 2026 10:51:57 GMT'");
	*ret = t;
	return ST_OK;
}

void http1_add_field(struct buf *out, const char *name, const char *value)
{
	buf_adds(out, name);
	buf_adds(out, ": ");
	for (const char *s = value; *s; s++)
		buf_addc(out, plain((uint8_t)*s) ? *s : '?');
	buf_adds(out, "\r\n");
}
