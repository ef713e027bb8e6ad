/* file.h - reading files whole, and writing single ones. Errors read as the peer's: "open X failed: no such file or
 * directory". */
#pragma once
#include "base/buf.h"
#include <sys/types.h>

/* Reads a regular file (or, for "-", standard input) of at most ret->max bytes into ret. FIFOs and devices are read too
 * (process substitution), directories are refused. ST_MISSING where there is no such file (error.os = ENOENT). */
MUST_USE enum status file_read(const char *path, struct buf *ret, struct error *e);

/* The same for a file in a folder that may be somebody else's: a FIFO there would keep us waiting for its writer, so only
 * regular files are read, and what this process was given as /dev/fd/N. ST_INVALID otherwise. */
MUST_USE enum status file_read_regular(const char *path, struct buf *ret, struct error *e);

/* Password file: whole, trailing white space trimmed; ret is BUF_SECRET. */
MUST_USE enum status file_read_password(const char *path, struct buf *ret, struct error *e);

bool file_exists(const char *path);

/* Creates or atomically replaces one file (temporary file beside it, fsync, rename, fsync of the folder); an existing
 * file keeps its mode and owner, a new one gets `mode` whatever the umask. Where renaming is impossible: in place.
 * Symbolic links: as design "Files". What a killed run left is removed by a later one, an hour on. */
MUST_USE enum status file_replace(const char *path, struct slice content, mode_t mode, struct error *e);

/* mkdir -p with this mode for what is created. */
MUST_USE enum status file_mkdirs(const char *path, mode_t mode, struct error *e);

/* write(2) until all is out. */
MUST_USE enum status fd_write_all(int fd, struct slice s, const char *what, struct error *e);

/* read(2) until the end, at most ret->max bytes in all (ST_LIMIT). */
MUST_USE enum status fd_read_all(int fd, struct buf *ret, const char *what, struct error *e);
