/* auto.h - AUTO() for what the operating system hands out. */
#pragma once
#include "base/macros.h"
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

/* A descriptor is born as -1, and closed unless it is negative. errno survives. */
void fd_close_p(int *fd);

/* Moves a descriptor out of its variable, which is -1 afterwards. */
#define FD_TAKE(fd)                                                                                                    \
	({                                                                                                             \
		int taken_ = (fd);                                                                                     \
		(fd) = -1;                                                                                             \
		taken_;                                                                                                \
	})

DEFINE_AUTO(FILE *, fclose);
DEFINE_AUTO(DIR *, closedir);
