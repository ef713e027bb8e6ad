#include "store/libpq.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

enum { OLDEST = 140000 }; /* pipeline mode */

struct libpq libpq;

static const struct {
	const char *name;
	void *to;
} calls[] = {
#define LIBPQ_ROW(name) { "PQ" #name, &libpq.name },
	LIBPQ_CALLS(LIBPQ_ROW)
#undef LIBPQ_ROW
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool loaded;

static enum status find_calls(void *library, struct error *e)
{
	for (size_t i = 0; i < COUNT_OF(calls); i++) {
		void *call = dlsym(library, calls[i].name);
		if (!call)
			return error_set(
				e, ST_MISSING,
				"the installed libpq is too old (no %s); install libpq5 of version 14 or newer",
				calls[i].name);
		memcpy(calls[i].to, &call, sizeof(call));
	}
	if (libpq.libVersion() < OLDEST)
		return error_set(e, ST_MISSING, "libpq %d.%d is too old; install libpq5 of version 14 or newer",
		                 libpq.libVersion() / 10000, libpq.libVersion() % 10000);
	return ST_OK;
}

/* Never unloaded: OpenSSL and glibc may keep pointers into it. */
enum status libpq_load(struct error *e)
{
	enum status st = ST_OK;
	pthread_mutex_lock(&lock);
	if (!loaded) {
		void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
		st = library ? find_calls(library, e)
		             : error_set(e, ST_MISSING,
		                         "PostgreSQL's client library is not installed; on Debian: apt-get install "
		                         "libpq5 (%s)",
		                         dlerror());
		loaded = !st;
	}
	pthread_mutex_unlock(&lock);
	return st;
}
