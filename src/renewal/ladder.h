/* ladder.h - how to come to a new certificate, decided in one place: the certificate itself over mTLS; a token signed
 * with its key (x5cInsecure) where it has expired or cannot serve as a TLS client's; a clear end, with the command that
 * helps. First what is known here, then what the CA (or a proxy before it) answered. */
#pragma once
#include "renewal/record.h"

struct ladder_facts {
	bool expired;        /* by our clock */
	bool no_client_auth; /* it has extended key usages, and clientAuth is none of them */
	bool no_name;        /* without common name: a token has no subject */
	bool no_mtls;        /* --mtls=false */
	bool rekey;          /* a token only renews: the key changes at the rekey after it */
};
/* no_mtls and rekey as given. */
struct ladder_facts ladder_facts_of(const struct cert_facts *f, bool no_mtls, bool rekey, struct wall now);

/* What an attempt met. `net` says how far it came. */
enum ladder_net {
	LADDER_ANSWERED,    /* an HTTP answer: see http, from_ca */
	LADDER_UNREACHABLE, /* no such name, refused, reset, timed out, nonsense; a proxy on our side that fails */
	LADDER_UNTRUSTED,   /* we do not trust the server */
	LADDER_ALERT,       /* it refuses our TLS: see alert */
	LADDER_LOCAL,       /* an error on our side: files, memory, a hook */
	LADDER_BAD_ANSWER,  /* a certificate came that must not replace the old one (answer.h) */
	LADDER_NETS
};
struct ladder_answer {
	enum ladder_net net;
	int alert;    /* TLS alert number (RFC 8446 §6), 0: none */
	int http;     /* status */
	bool from_ca; /* the body is a CA's JSON, not a proxy's page */
};

enum ladder_rung {
	LADDER_MTLS,  /* ask with the certificate as TLS client */
	LADDER_TOKEN, /* ask with a renew token, without client certificate */
	LADDER_LATER, /* RETRY_SOON: the same again, from the first rung on */
	LADDER_END,   /* RETRY_SELDOM: a person has to act; tell ladder_help() */
	LADDER_RUNGS
};
struct ladder_verdict {
	enum ladder_rung rung;
	const char *why; /* half a sentence for the log: "the certificate has expired"; static */
};

/* Never LADDER_LATER. */
struct ladder_verdict ladder_first(const struct ladder_facts *f);

/* After an attempt at `tried` (LADDER_MTLS or LADDER_TOKEN) that failed. LADDER_TOKEN only after LADDER_MTLS, so a
 * climb ends. */
struct ladder_verdict ladder_next(const struct ladder_facts *f, enum ladder_rung tried, const struct ladder_answer *a);

static inline enum retry_kind ladder_retry(enum ladder_rung rung)
{
	return rung == LADDER_END ? RETRY_SELDOM : RETRY_SOON;
}

/* The command that gets a new certificate, fit for a POSIX shell: "step ca certificate --force --san ... NAME CRT KEY".
 * It asks for the provisioner's password; with --token, made at the CA's side by `step ca token`, it does not. cert may
 * be NULL (unreadable): NAME stands in the name's place then. Appends. */
void ladder_help(const struct cert_facts *cert, const char *cert_file, const char *key_file, struct buf *out);
