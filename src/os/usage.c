#include "os/usage.h"

#include "os/auto.h"

#include <stdio.h>
#include <sys/resource.h>

static int64_t cpu_ns(void)
{
	struct rusage u;
	if (getrusage(RUSAGE_SELF, &u))
		return -1;
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * INT64_C(1000000000) +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * INT64_C(1000);
}

static void read_memory(struct usage *u)
{
	long long all, resident;
	int64_t page = sysconf(_SC_PAGESIZE);
	AUTO(fclose_p) FILE *f = fopen("/proc/self/statm", "re");
	if (!f || fscanf(f, "%lld %lld", &all, &resident) != 2)
		return;
	u->virtual_bytes = all * page;
	u->resident_bytes = resident * page;
}

static int64_t count_fds(void)
{
	int64_t n = 0;
	AUTO(closedir_p) DIR *d = opendir("/proc/self/fd");
	if (!d)
		return -1;
	for (const struct dirent *entry; (entry = readdir(d));)
		n += entry->d_name[0] != '.';
	return n - 1; /* the one that looks */
}

void usage_read(struct usage *ret)
{
	struct usage u = {
		.cpu_ns = cpu_ns(), .resident_bytes = -1, .virtual_bytes = -1, .fds = count_fds(), .fds_max = -1
	};
	struct rlimit files;
	read_memory(&u);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
		u.fds_max = (int64_t)files.rlim_cur;
	*ret = u;
}
