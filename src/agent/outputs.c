#include "agent/outputs.h"

#include "os/file.h"
#include "x509/p12.h"

_Static_assert((int)OUTPUTS_MAX <= (int)FILETX_FILES, "");

static int add(struct outputs *o, const struct target_dress *dress, const char *path)
{
	if (!path)
		return -1;
	o->files[o->n] = (struct filetx_file){ .path = path, .mode = 0600, .dress = *dress };
	return (int)o->n++;
}

void outputs_plan(const struct pair_conf *c, const char *record, struct outputs *ret)
{
	*ret = (struct outputs){ 0 };
	const char *out = pair_out(c), *key = c->out_key ? c->out_key : c->key;
	bool elsewhere = strcmp(out, c->crt) != 0;
	const struct target_dress as_is = { 0 };
	int first = add(ret, elsewhere ? &as_is : &c->public_dress, c->crt);
	ret->crt = elsewhere ? add(ret, &c->public_dress, out) : first;
	ret->key = add(ret, &c->dress, c->rekey && !c->keep_key_file ? key : NULL);
	ret->bundle = add(ret, &c->dress, c->outputs.bundle);
	ret->p12 = add(ret, &c->dress, c->outputs.p12);
	ret->der = add(ret, &c->public_dress, c->outputs.der);
	ret->chain = add(ret, &c->public_dress, c->outputs.chain);
	ret->record = add(ret, &as_is, record);
	if (record)
		ret->files[ret->record].aside = true;
}

static enum status stage(const struct outputs *o, struct filetx *tx, int index, struct buf *text, struct error *e)
{
	enum status st = buf_check(text, e);
	return st ? error_wrap(e, "%s", o->files[index].path) : filetx_stage(tx, (size_t)index, buf_slice(text), e);
}

static enum status format_key(EVP_PKEY *key, struct buf *out, struct error *e)
{
	return keyfile_format(key, KEYFILE_NATIVE, SLICE_NONE, out, e);
}

enum status outputs_stage_key(const struct outputs *o, struct filetx *tx, EVP_PKEY *key, struct error *e)
{
	AUTO(buf_done) struct buf pem = BUF_SECRET(KEYFILE_MAX);
	if (o->key < 0)
		return ST_OK;
	enum status st = format_key(key, &pem, e);
	return st ? st : stage(o, tx, o->key, &pem, e);
}

static enum status stage_bundle(const struct outputs *o, struct filetx *tx, const struct chain *chain, EVP_PKEY *key,
                                struct error *e)
{
	AUTO(buf_done) struct buf pem = BUF_SECRET(FILETX_BYTES);
	if (o->bundle < 0)
		return ST_OK;
	if (format_key(key, &pem, e))
		return e->status;
	chain_format_pem(chain, &pem);
	return stage(o, tx, o->bundle, &pem, e);
}

static enum status stage_p12(const struct outputs *o, struct filetx *tx, const struct pair_conf *c,
                             const struct chain *chain, EVP_PKEY *key, struct error *e)
{
	AUTO(buf_done) struct buf password = BUF_SECRET(PASSWORD_MAX);
	AUTO(buf_done) struct buf der = BUF_SECRET(FILETX_BYTES);
	if (o->p12 < 0)
		return ST_OK;
	if (c->outputs.p12_password_file && file_read_password(c->outputs.p12_password_file, &password, e))
		return e->status;
	struct p12_draft d = { .chain = chain, .key = key, .password = buf_slice(&password) };
	return p12_format(&d, &der, e) ? error_wrap(e, "%s", o->files[o->p12].path) : stage(o, tx, o->p12, &der, e);
}

static enum status stage_public(const struct outputs *o, struct filetx *tx, const struct chain *chain, struct error *e)
{
	AUTO(buf_done) struct buf pem = BUF_INIT(FILETX_BYTES);
	AUTO(buf_done) struct buf der = BUF_INIT(FILETX_BYTES);
	AUTO(buf_done) struct buf rest = BUF_INIT(FILETX_BYTES);
	struct chain issuers = { chain->v + 1, chain->n - 1 };
	chain_format_pem(chain, &pem);
	buf_add_slice(&der, cert_facts(chain->v[0])->der);
	chain_format_pem(&issuers, &rest);
	enum status st = stage(o, tx, o->crt, &pem, e);
	if (!st && o->der >= 0)
		st = stage(o, tx, o->der, &der, e);
	if (!st && o->chain >= 0)
		st = stage(o, tx, o->chain, &rest, e);
	return st;
}

enum status outputs_stage(const struct outputs *o, struct filetx *tx, const struct pair_conf *c,
                          const struct chain *chain, EVP_PKEY *key, struct error *e)
{
	enum status st = stage_public(o, tx, chain, e);
	if (!st)
		st = stage_bundle(o, tx, chain, key, e);
	return st ? st : stage_p12(o, tx, c, chain, key, e);
}

enum status outputs_stage_record(const struct outputs *o, struct filetx *tx, const struct record *r, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(RECORD_MAX);
	if (o->record < 0)
		return ST_OK;
	enum status st = record_format(r, &text, e);
	return st ? st : stage(o, tx, o->record, &text, e);
}
