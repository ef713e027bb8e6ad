/* certfile.h - what the `certificate` commands read: files, standard input, and the chains that TLS servers show. */
#pragma once
#include "cli/cli.h"
#include "x509/cert.h"
#include "x509/csr.h"
#include "x509/trust.h"

/* Either certificates or one request. */
struct cert_file {
	struct chain certs;
	bool is_csr;
	struct csr csr;
};
void cert_file_done(struct cert_file *f);

/* PEM or DER. PEM blocks of other kinds are skipped. all: every certificate, else the first certificate or request.
 * facts_only: as in struct cert_server. name: for errors. ST_INVALID: none or a broken one. */
MUST_USE enum status cert_file_parse(struct slice in, const char *name, bool all, bool facts_only,
                                     struct cert_file *ret, struct error *e);

/* How a server is asked for its chain. */
struct cert_server {
	const char *roots;      /* --roots; NULL or "": the system's */
	const char *servername; /* SNI, and the name that is verified; NULL or "": the URL's host */
	bool insecure;          /* the chain is not verified */
	bool chain_only;        /* nor here; the caller does it */
	bool facts_only;        /* of a file: dates and names are enough (cert_parse_facts) */
};

/* "https://host[:port]", tls://, tcp:// (443), smtps:// (465), ldaps:// (636): spec/client.md §7. */
bool cert_is_url(const char *name);
/* The chain that a server shows, leaf first, verified. "failed to connect: ..." */
MUST_USE enum status cert_of_server(struct invocation *inv, const char *url, const struct cert_server *how,
                                    struct chain *ret, struct error *e);

/* A file, "-" or NULL for standard input, or a URL. */
MUST_USE enum status cert_file_read(struct invocation *inv, const char *name, const struct cert_server *how, bool all,
                                    struct cert_file *ret, struct error *e);
/* The same, certificates only (a request is ST_INVALID). */
MUST_USE enum status cert_chain_read(struct invocation *inv, const char *name, const struct cert_server *how, bool all,
                                     struct chain *ret, struct error *e);

/* Appends the certificates of a file, or of every file of a folder that holds some. */
MUST_USE enum status cert_roots_add(const char *path, struct chain *all, struct error *e);
/* --roots and --root: several of these separated by commas. ST_INVALID: there is none. */
MUST_USE enum status cert_roots_read(const char *list, struct chain *all, struct error *e);
/* The same as trust anchors. Empty: the system's. */
MUST_USE enum status cert_roots(const char *roots, struct trust **ret, struct error *e);
