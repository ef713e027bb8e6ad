/* show.h - text from certificates for people and scripts. Everything in a certificate is chosen by somebody else: what
 * could steer a terminal or reorder a line never gets through. */
#pragma once
#include "base/buf.h"

/* Takes one UTF-8 character off the front of *rest (which is not empty). Returns its code point; -1 where the bytes
 * are not UTF-8 (one byte is taken), overlong, a surrogate or beyond U+10FFFF. */
int32_t show_rune(struct slice *rest);

/* Appends one code point as UTF-8, '?' where it is hostile (base/utf8.h) or -1. */
void show_add_rune(struct buf *out, int32_t rune);

/* Appends UTF-8 text with every hostile character and broken byte replaced by '?'. */
void show_add(struct buf *out, struct slice utf8);

/* The same as a JSON string with its quotes (RFC 8259 §7). */
void show_add_json(struct buf *out, struct slice utf8);

/* The same into a C string of at most n bytes with its NUL, cut with "..." at a character where longer: for error
 * texts. */
const char *show_cut(struct slice utf8, char *out, size_t n);
