/* Starts a command many times and prints the median wall time (ms) and the peak memory (MiB) of one run.
 * A small program does this, since a child's peak memory counts that of the parent it was split from.
 * usage: bench_spawn RUNS COMMAND [ARG...]   stdout of the command is thrown away */
#include "base/num.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* One run; returns its exit status. */
static int run(char *argv[], const posix_spawn_file_actions_t *quiet, double *ret_ms, long *ret_kib)
{
	struct rusage usage;
	pid_t pid;
	int status;
	double start = now_ms();
	if (posix_spawnp(&pid, argv[0], quiet, NULL, argv, environ) || wait4(pid, &status, 0, &usage) < 0)
		return 127;
	*ret_ms = now_ms() - start;
	*ret_kib = usage.ru_maxrss;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int main(int argc, char *argv[])
{
	struct error e = ERROR_INIT;
	int64_t runs;
	if (argc < 3 || num_parse(slice_cstr(argv[1]), 1, 100000, &runs, &e)) {
		fprintf(stderr, "usage: bench_spawn RUNS COMMAND [ARG...]\n");
		return 2;
	}
	posix_spawn_file_actions_t quiet;
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	double *ms = calloc((size_t)runs, sizeof *ms);
	long kib = 0, peak = 0;
	int status = 0;
	for (int64_t i = 0; ms && i < runs; i++) {
		status = run(argv + 2, &quiet, &ms[i], &kib);
		peak = kib > peak ? kib : peak;
	}
	if (!ms)
		return 2;
	qsort(ms, (size_t)runs, sizeof *ms, by_value);
	printf("%.3f %.2f %d\n", ms[runs / 2], (double)peak / 1024, status);
	free(ms);
	posix_spawn_file_actions_destroy(&quiet);
	return 0;
}
