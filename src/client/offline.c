/* The peer's ca.json serves here too, whatever its database: a token needs names and keys only, so this reads the four
 * members by themselves and not through config's schema. */
#include "client/token.h"
#include "config/caconf.h"
#include "jose/auto.h"
#include "os/file.h"

enum { HOST_MAX_TEXT = 300 };

void offline_done(struct offline *o)
{
	json_decref(o->json);
	buf_done(&o->host);
	*o = (struct offline){ 0 };
}

static const char *first_text(const json_t *v)
{
	return json_string_value(json_is_array(v) ? json_array_get(v, 0) : v);
}

enum status offline_parse(struct slice text, struct offline *ret, struct error *e)
{
	AUTO(offline_done) struct offline o = { .host = BUF_INIT(HOST_MAX_TEXT) };
	if (jsonio_parse(text, JSONIO_STRICT, &o.json, e))
		return e->status;
	if (!json_is_object(o.json))
		return error_set(e, ST_INVALID, "not a JSON object");
	o.provisioners = jsonio_field(jsonio_field(o.json, "authority"), "provisioners");
	if (!json_is_array(o.provisioners))
		return error_set(e, ST_INVALID, "authority.provisioners: missing");
	o.root = first_text(jsonio_field(o.json, "root"));
	const char *name = first_text(jsonio_field(o.json, "dnsNames"));
	if (!name || !*name)
		name = "localhost";
	bool bare_v6 = strchr(name, ':') && *name != '[';
	buf_addf(&o.host, bare_v6 ? "[%s]" : "%s", name);
	if (buf_check(&o.host, e))
		return error_wrap(e, "dnsNames[0]");
	*ret = o;
	o = (struct offline){ 0 };
	return ST_OK;
}

enum status offline_load(const char *path, struct offline *ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_SECRET(CACONF_MAX);
	if (file_read(path, &text, e))
		return e->status;
	if (offline_parse(buf_slice(&text), ret, e))
		return error_wrap(e, "%s", path);
	return ST_OK;
}
