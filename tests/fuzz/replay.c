/* Runs a fuzz target over the files of a folder and prints TAP. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void replay(const char *folder, const char *name, int number)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "rb");
	if (!f) {
		printf("not ok %d - %s cannot be read\n", number, name);
		return;
	}
	uint8_t *p = malloc(1 << 20);
	size_t n = fread(p, 1, 1 << 20, f);
	fclose(f);
	p = realloc(p, n ? n : 1); /* so that a read past the end is seen */
	LLVMFuzzerTestOneInput(p, n);
	free(p);
	printf("ok %d - %s\n", number, name);
}

int main(int argc, char *argv[])
{
	int number = 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	printf("ok %d - empty input\n", number);
	DIR *d = argc > 1 ? opendir(argv[1]) : NULL;
	for (struct dirent *f; d && (f = readdir(d));)
		if (f->d_name[0] != '.')
			replay(argv[1], f->d_name, ++number);
	if (d)
		closedir(d);
	printf("1..%d\n", number);
	return 0;
}
