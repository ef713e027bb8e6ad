/* usage.h - what this process takes of the machine. */
#pragma once
#include <stdint.h>

struct usage {          /* -1: not known */
	int64_t cpu_ns; /* user and system, of all threads */
	int64_t resident_bytes, virtual_bytes;
	int64_t fds, fds_max;
};
void usage_read(struct usage *ret);
