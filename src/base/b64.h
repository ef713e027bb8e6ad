/* b64.h - base64 (RFC 4648 §4) and base64url (§5), and hexadecimal (§8). Decoders are strict: no white space, no
 * missing or extra padding, no non-zero trailing bits, so that one value has one spelling. */
#pragma once
#include "base/buf.h"

enum b64_form {
	B64_URL_RAW, /* url alphabet, no padding: JOSE (RFC 7515 §2) */
	B64_URL,     /* url alphabet, padded */
	B64_STD_RAW, /* standard alphabet, no padding */
	B64_STD,     /* standard alphabet, padded */
};

void b64_encode(struct buf *out, struct slice in, enum b64_form form);

/* Appends to out; on failure out holds what it held before. ST_INVALID, ST_LIMIT, ST_NOMEM. */
MUST_USE enum status b64_decode(struct buf *out, struct slice in, enum b64_form form, struct error *e);

/* Lower case. */
void hex_encode(struct buf *out, struct slice in);
MUST_USE enum status hex_decode(struct buf *out, struct slice in, struct error *e);
