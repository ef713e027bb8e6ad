#include "renewal/words.h"

#include <assert.h>

/* What is parsed, written and parsed again is the same; and what a shell would not be given is not there. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	AUTO(words_done) struct words w = { 0 };
	AUTO(words_done) struct words again = { 0 };
	AUTO(buf_done) struct buf text = BUF_INIT(8 * WORDS_BYTES);
	if (words_parse(slice_of(p, n), &w, &e)) {
		assert(*e.text && !w.n && !w.v);
		return 0;
	}
	size_t bytes = 0;
	for (size_t i = 0; i < w.n; i++)
		bytes += strlen(w.v[i]);
	assert(w.n && bytes <= n && !w.v[w.n]);
	words_format(&text, &w);
	if (text.n > WORDS_BYTES)
		return 0;
	assert(!words_parse(buf_slice(&text), &again, &e) && again.n == w.n);
	for (size_t i = 0; i < w.n; i++)
		assert(!strcmp(w.v[i], again.v[i]));
	return 0;
}
