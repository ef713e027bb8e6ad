/* ca_admin.h - what the commands for the CA's own machine share: finding its admin socket, and showing certificates. */
#pragma once
#include "cli/ca_common.h"
#include "client/admin.h"

struct admin_flags {
	const char *socket, *ca_config;
};
#define ADMIN_SOCKET_OPT(type)                                                                                         \
	OPT_STR(type, admin.socket, .name = "admin-socket", .arg = "<file>", .flags = OPT_FILE,                        \
	        .help = "The admin socket of the CA; default: the one that the CA with this configuration has")
#define ADMIN_OPTS(type)                                                                                               \
	ADMIN_SOCKET_OPT(type),                                                                                        \
		OPT_STR(type, admin.ca_config, .name = "ca-config", .arg = "<file>", .flags = OPT_FILE,                \
	                .help = "The CA's configuration; default: $(step path)/config/ca.json")
MUST_USE enum status admin_open(struct invocation *inv, const struct admin_flags *f, char ret[ADMIN_PATH],
                                struct error *e);

/* Calls `each` with every page, in the order of the ends of life, until there are no more or it sets *ret_stop. */
typedef enum status admin_each_page(void *ctx, const struct admin_page *p, bool *ret_stop, struct error *e);
MUST_USE enum status admin_pages(const char *socket, struct admin_query *q, admin_each_page *each, void *ctx,
                                 struct error *e);

/* "15h3m", "3d4h", "expired 2h5m ago" */
enum { ADMIN_SPAN = 48 };
const char *admin_span(int64_t s, char out[ADMIN_SPAN]);
const char *admin_left(struct wall not_after, struct wall now, char out[ADMIN_SPAN]);
/* Appends a certificate as one line of JSON; what a terminal could take for more than text is escaped. */
MUST_USE enum status admin_add_json(struct buf *out, const struct admin_cert *c, struct error *e);
/* Its name for a person: common name, else the first SAN, else "-". */
void admin_add_name(struct buf *out, const struct admin_cert *c, size_t max);
/* Appends text, and spaces up to this many characters and two more. */
void admin_add_cell(struct buf *out, const char *text, size_t width);
