#include "x509/ip.h"

#include <arpa/inet.h>
#include <stdio.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

uint8_t ip_parse(struct slice text, uint8_t out[16])
{
	char z[IP_TEXT];
	uint8_t ip[16];
	if (!text.n || text.n >= sizeof z || memchr(text.p, 0, text.n))
		return 0;
	memcpy(z, text.p, text.n);
	z[text.n] = '\0';
	/* glibc's inet_pton refuses leading zeros and zones, as Go does. */
	if (inet_pton(AF_INET, z, ip) == 1) {
		memcpy(out, ip, 4);
		return 4;
	}
	if (inet_pton(AF_INET6, z, ip) != 1)
		return 0;
	if (memcmp(ip, mapped, sizeof mapped) == 0) {
		memcpy(out, ip + 12, 4);
		return 4;
	}
	memcpy(out, ip, 16);
	return 16;
}

/* RFC 5952 §4.2: the longest run of two or more zero groups, the first of equals. */
static void longest_run(const unsigned *group, int *ret_at, int *ret_n)
{
	*ret_at = -1, *ret_n = 1;
	for (int i = 0; i < 8; i++) {
		int n = 0;
		while (i + n < 8 && !group[i + n])
			n++;
		if (n > *ret_n)
			*ret_at = i, *ret_n = n;
	}
}

const char *ip_text(const uint8_t *ip, size_t n, char out[IP_TEXT])
{
	if (n == 16 && memcmp(ip, mapped, sizeof mapped) == 0)
		ip += 12, n = 4;
	if (n == 4) {
		snprintf(out, IP_TEXT, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
		return out;
	}
	unsigned group[8];
	int run, run_n;
	size_t at = 0;
	for (int i = 0; i < 8; i++)
		group[i] = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
	longest_run(group, &run, &run_n);
	for (int i = 0; i < 8; i++) {
		if (i == run) {
			at += (size_t)snprintf(out + at, IP_TEXT - at, "::");
			i += run_n - 1;
			continue;
		}
		bool colon = i && i != run + run_n;
		at += (size_t)snprintf(out + at, IP_TEXT - at, "%s%x", colon || (run < 0 && i) ? ":" : "", group[i]);
	}
	return out;
}
