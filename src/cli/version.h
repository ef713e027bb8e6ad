/* version.h - who we are. */
#pragma once
#include "base/buf.h"

/* "Perennial CLI/0.1.0 (linux/amd64)" and "Release Date: ...": the peer's two lines. */
void version_print(struct buf *out);
