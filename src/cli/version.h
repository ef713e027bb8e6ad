/* version.h - who we are. */
#pragma once
#include "base/buf.h"

/* "Perennial CLI/0.1.0 (linux/amd64)" and "Release Date: ...": the peer's two lines. */
void version_print(struct buf *out);

/* "2026-11-23": the release's day, for man pages; "" where it is unknown. */
enum { VERSION_DATE = 11 };
const char *version_date(char out[VERSION_DATE]);
