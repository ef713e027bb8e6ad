/* caschema.h - the keys of ca.json, one row each (spec/server.md §4): where the value goes, or what happens because it
 * cannot be served. The same table parses, checks, fills in defaults, warns, refuses, and prints the manual. Inside
 * config; others use caconf.h. */
#pragma once
#include "authority/claims.h"
#include "config/caconf.h"

enum ckey_use {
	CKEY_USE,     /* does what it says */
	CKEY_INERT,   /* accepted: belongs to something that is off here and limits nothing that is on */
	CKEY_WARN,    /* limits nothing: ignored, and said so */
	CKEY_DISABLE, /* limits or shapes what its provisioner issues: that provisioner is disabled */
	CKEY_STOP,    /* the same for the whole authority: start-up is refused */
	CKEY_USE_COUNT
};
const char *ckey_use_name(enum ckey_use use);

enum ckey_type {
	CKEY_TEXT,
	CKEY_SECRET,        /* text that may hold anything */
	CKEY_TEXTS,         /* array of strings */
	CKEY_TEXT_OR_TEXTS, /* either */
	CKEY_BOOL,
	CKEY_INT,
	CKEY_NUMBER,
	CKEY_DURATION,
	CKEY_DURATION_OR_FOREVER, /* "forever" is -1 */
	CKEY_OBJECT,              /* whose members are rows */
	CKEY_LIST,                /* array of objects whose members are rows; kept as JSON */
	CKEY_JSON,                /* object that is kept as JSON */
	CKEY_ANY,                 /* not looked at */
	CKEY_TYPE_COUNT
};

/* The struct that a row's value goes to. */
enum ckey_home { HOME_NONE, HOME_CONF, HOME_DRAFT, HOME_PROVISIONER, HOME_COUNT };

/* What the file says and struct caconf has no place for. Borrowed from the JSON but for the text. */
struct ca_draft {
	json_t *provisioners;
	char *db_type, *logger_format;
	struct claims_patch claims;
};

struct provisioner_draft {
	char *type, *name, *encrypted_key, *roots;
	json_t *key;
	struct claims_patch claims;
	char disabled[512]; /* reasons; "" where it works */
};

/* Adds a reason. */
void provisioner_disable(struct provisioner_draft *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

struct ckey;

/* One run over a file. */
struct walk {
	struct caconf *c;
	void *home[HOME_COUNT];
	bool foreign; /* inside a provisioner that is not served: unknown members are its own business */
};

struct ckey {
	const char *path; /* "authority.provisioners[].claims.maxTLSCertDuration" */
	enum ckey_type type;
	enum ckey_use use;
	enum ckey_use inside; /* CKEY_OBJECT and CKEY_LIST: what an unknown member is */
	bool required, ours;  /* ours: the peer does not know this key and ignores it */
	enum ckey_home home;
	size_t at, size; /* the field */
	size_t extra;    /* arrays: the count's offset; claims: the offset of has_...; else 0, where neither lies */
	int64_t unit;    /* durations: nanoseconds of one of the field's units; else 0 */
	int64_t min, max;
	const char *dflt; /* as typed in JSON, without quotes; NULL: none */
	const char *help; /* what it is, or why it is not served and what to do */
	/* Beyond type and range; may be NULL. shown: the path for errors. */
	enum status (*check)(const char *shown, const json_t *v, struct error *e);
};

const struct ckey *caschema_rows(size_t *ret_n);

/* Fills the homes with the table's defaults. */
MUST_USE enum status caschema_defaults(struct walk *w, struct error *e);

/* Walks one object. schema: the rows' path ("" for the file, "authority.provisioners[]"); shown: the same with numbers,
 * for messages; unknown: what a member without a row is. ST_INVALID names path and remedy. */
MUST_USE enum status caschema_walk(struct walk *w, const char *schema, const char *shown, json_t *object,
                                   enum ckey_use unknown, struct error *e);

/* caconf_parse behind the JSON parser. Takes a reference of its own. */
MUST_USE enum status caconf_of_json(json_t *file, const char *path, struct caconf **ret, struct error *e);

MUST_USE enum status caconf_warn(struct caconf *c, struct error *e, const char *fmt, ...) PRINTF_LIKE(3, 4);
