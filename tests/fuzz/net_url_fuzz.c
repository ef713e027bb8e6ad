/* URLs and listening addresses: what was accepted, written out and read again, is the same place. */
#include "net/https.h"
#include "net/url.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void https(const char *text)
{
	AUTO(buf_done) struct buf b = BUF_INIT(1 << 22);
	char authority[AUTHORITY_MAX];
	struct error e = ERROR_INIT;
	struct url u, again;

	if (url_parse_https(text, &u, &e))
		return;
	assert(u.host[0] && u.port >= 1 && u.port <= 65535 && u.target.p[0] == '/');
	buf_addf(&b, "https://%s", url_authority(&u, 443, authority));
	buf_add_slice(&b, u.target);
	assert(!url_parse_https(buf_cstr(&b), &again, &e));
	assert(strcmp(u.host, again.host) == 0 && u.port == again.port && slice_eq(u.target, again.target));
}

static void listening(const char *text)
{
	char authority[AUTHORITY_MAX];
	struct error e = ERROR_INIT;
	struct url u, again;

	if (url_parse_listen(text, &u, &e))
		return;
	assert(!url_parse_listen(url_authority(&u, -1, authority), &again, &e));
	assert(strcmp(u.host, again.host) == 0 && u.port == again.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	struct url u;
	char *text = text_dup(slice_of(p, n));
	if (!text)
		return 0;
	https(text);
	listening(text);
	if (!url_parse_proxy(text, &u, &e))
		assert(u.host[0] && u.port >= 1);
	const char *used = https_proxy_for("https://ca.corp:9000/", "http://proxy", text);
	assert(!used || strcmp(used, "http://proxy") == 0);
	https_proxy_for(text, "http://proxy", "ca.corp,10.0.0.0/8");
	https_proxy_for("https://[2001:db8::1]/", "http://proxy", text);
	free(text);
	return 0;
}
