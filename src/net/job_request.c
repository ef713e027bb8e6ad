/* What a call sends. */
#include "net/job.h"

#include "base/b64.h"

static enum status add_field(struct buf *b, const char *name, const char *value, struct error *e)
{
	if (!http1_is_token(slice_cstr(name)) || !http1_is_value(slice_cstr(value)))
		return error_set(e, ST_INVALID, "invalid header field %.64s", name);
	http1_add_field(b, name, value);
	return ST_OK;
}

enum status job_write_request(struct https_job *j, const struct https_conf *c, const struct https_request *q,
                              struct error *e)
{
	struct buf *b = &j->request;
	char host[AUTHORITY_MAX];
	bool get = strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0;

	if (!http1_is_token(slice_cstr(q->method)))
		return error_set(e, ST_INVALID, "invalid method");
	buf_addf(b, "%s %.*s HTTP/1.1\r\nHost: %s\r\n", q->method, SLICE_FMT(j->url.target),
	         url_authority(&j->url, 443, host));
	if (c->user_agent && add_field(b, "User-Agent", c->user_agent, e))
		return e->status;
	if (q->content_type && add_field(b, "Content-Type", q->content_type, e))
		return e->status;
	for (size_t i = 0; i < COUNT_OF(q->headers) && q->headers[i].name; i++)
		if (add_field(b, q->headers[i].name, q->headers[i].value, e))
			return e->status;
	if (!get || q->body.n)
		buf_addf(b, "Content-Length: %zu\r\n", q->body.n);
	buf_adds(b, "Connection: close\r\n\r\n");
	buf_add_slice(b, q->body);
	return buf_check(b, e);
}

/* RFC 7617: base64 of user:password. */
static enum status write_proxy_auth(struct https_job *j, struct error *e)
{
	AUTO(buf_done) struct buf plain = BUF_SECRET(1024);
	bool colon = slice_find(j->proxy.userinfo, ':') < j->proxy.userinfo.n;
	if (url_unescape(j->proxy.userinfo, &plain, e))
		return e->status;
	if (!colon)
		buf_addc(&plain, ':');
	if (buf_check(&plain, e))
		return e->status;
	buf_adds(&j->connect, "Proxy-Authorization: Basic ");
	b64_encode(&j->connect, buf_slice(&plain), B64_STD);
	buf_adds(&j->connect, "\r\n");
	return ST_OK;
}

enum status job_write_connect(struct https_job *j, const struct https_conf *c, struct error *e)
{
	char host[AUTHORITY_MAX];
	if (url_parse_proxy(c->proxy, &j->proxy, e))
		return error_wrap(e, "proxy");
	j->has_proxy = true;
	url_authority(&j->url, 0, host);
	buf_addf(&j->connect, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", host, host);
	if (c->user_agent && add_field(&j->connect, "User-Agent", c->user_agent, e))
		return e->status;
	if (j->proxy.userinfo.n && write_proxy_auth(j, e))
		return e->status;
	buf_adds(&j->connect, "\r\n");
	j->proxy.userinfo = SLICE_NONE; /* it borrows from c */
	return buf_check(&j->connect, e);
}
