/* ip.h - IP addresses as text, by the rules of Go's net.ParseIP and RFC 5952. */
#pragma once
#include "base/slice.h"

enum { IP_TEXT = 48 };

/* IPv4 (four decimal octets without leading zeros) or IPv6 without a zone. IPv4-mapped IPv6 becomes 4 bytes.
 * Returns 4 or 16, or 0 where the text is no address. */
uint8_t ip_parse(struct slice text, uint8_t out[16]);

/* Canonical text (RFC 5952 §4); n is 4 or 16. IPv4-mapped addresses print as IPv4, as Go does. */
const char *ip_text(const uint8_t *ip, size_t n, char out[IP_TEXT]);
