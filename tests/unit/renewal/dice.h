/* dice.h - chance that is the same in every run (splitmix64). */
#pragma once
#include <stdint.h>

struct dice {
	uint64_t state;
};

static inline uint64_t dice_roll(struct dice *d)
{
	uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Uniform in [0, width). */
static inline int64_t dice_below(struct dice *d, int64_t width)
{
	return (int64_t)((unsigned __int128)dice_roll(d) * (uint64_t)width >> 64);
}
