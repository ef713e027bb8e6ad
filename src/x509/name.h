/* name.h - distinguished names (RFC 5280 §4.1.2.4). */
#pragma once
#include "base/buf.h"

struct name_attrs { /* each NULL or "" where absent; encoded in this order (spec/server.md §3.1) */
	const char *country, *organization, *organizational_unit, *locality, *province, *street_address, *postal_code,
		*common_name, *serial_number;
};

/* Appends a DER Name: PrintableString where the characters allow it, else UTF8String. ST_INVALID for text that is not
 * UTF-8, holds NUL or is longer than 1024 bytes. */
MUST_USE enum status name_encode(const struct name_attrs *a, struct buf *out, struct error *e);

/* First commonName of a DER Name as UTF-8 (control characters replaced by '?'); empty where there is none. */
MUST_USE enum status name_common_name(struct slice der, struct buf *out, struct error *e);

/* "O=Speedy,CN=Speedy Root CA", as `certificate inspect` prints (Go's pkix order: as encoded). */
MUST_USE enum status name_text(struct slice der, struct buf *out, struct error *e);
