/* banned.h - calls that do not compile in this project (meson includes this file everywhere).
 * Each has a bounded or explicit counterpart in base/. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BANNED_(call) sorry_##call##_is_banned_see_base_banned_h

#undef strcpy
#define strcpy(d, s) BANNED_(strcpy)
#undef strcat
#define strcat(d, s) BANNED_(strcat)
#undef strncpy
#define strncpy(d, s, n) BANNED_(strncpy)
#undef strncat
#define strncat(d, s, n) BANNED_(strncat)
#undef sprintf
#define sprintf(...) BANNED_(sprintf)
#undef vsprintf
#define vsprintf(...) BANNED_(vsprintf)
#undef strtok
#define strtok(s, d) BANNED_(strtok)
#undef atoi
#define atoi(s) BANNED_(atoi)
#undef atol
#define atol(s) BANNED_(atol)
#undef gmtime
#define gmtime(t) BANNED_(gmtime)
#undef localtime
#define localtime(t) BANNED_(localtime)
#undef ctime
#define ctime(t) BANNED_(ctime)
#undef asctime
#define asctime(t) BANNED_(asctime)
#undef rand
#define rand() BANNED_(rand)
#undef system
#define system(c) BANNED_(system)
