/* The answer, out of what has come. */
#include "net/job.h"

#include "net/input.h"

enum { HEAD_MAX = 64 << 10 };

static void malformed(struct https_job *j, const struct error *e)
{
	if (e->status == ST_NOMEM)
		job_end_nomem(j);
	else
		job_end(j, HTTPS_PROTOCOL, error_set(&j->error, ST_PEER, "malformed HTTP response: %s", e->text));
}

static void too_large(struct https_job *j, const char *what, size_t max)
{
	job_end(j, HTTPS_PROTOCOL,
	        error_set(&j->error, ST_LIMIT, "%s of the answer is larger than %zu bytes", what, max));
}

char *job_take_head(struct https_job *j, size_t *ret_n)
{
	size_t n = input_head_size(j->in, &j->scanned);
	if (n > HEAD_MAX || (!n && evbuffer_get_length(j->in) > HEAD_MAX)) {
		too_large(j, "the header", HEAD_MAX);
		return NULL;
	}
	if (!n)
		return NULL;
	char *bytes = malloc(n);
	if (!bytes) {
		job_end_nomem(j);
		return NULL;
	}
	evbuffer_remove(j->in, bytes, n);
	j->scanned = 0;
	*ret_n = n;
	free(j->head_bytes);
	return j->head_bytes = bytes;
}

/* A header's value, cut to the room there is; empty where it is absent. */
static void keep_field(const struct http1_head *head, const char *name, char *out, size_t n)
{
	const struct http1_field *f = http1_find(head, name);
	if (f)
		snprintf(out, n, "%.*s", SLICE_FMT(f->value));
}

static void keep_date(struct https_job *j)
{
	const struct http1_field *f = http1_find(&j->head, "Date");
	struct error ignored = ERROR_INIT;
	if (f)
		st_ignore(http1_parse_date(f->value, &j->resp.date, &ignored), "then it has not said");
}

static bool read_head(struct https_job *j)
{
	struct error e = ERROR_INIT;
	size_t n;
	const char *bytes = job_take_head(j, &n);
	if (!bytes)
		return false;
	if (http1_parse_response(slice_of(bytes, n), strcmp(j->method, "HEAD") == 0, &j->head, &e)) {
		malformed(j, &e);
		return false;
	}
	if (j->head.status < 200 && j->head.status != 101) /* RFC 9110 §15.2: "MAY ignore unexpected 1xx responses" */
		return true;
	keep_field(&j->head, "Content-Type", j->resp.content_type, sizeof j->resp.content_type);
	keep_field(&j->head, "Retry-After", j->resp.retry_after, sizeof j->resp.retry_after);
	keep_date(j);
	j->resp.status = j->head.status;
	j->phase = JOB_BODY;
	return true;
}

static bool read_body(struct https_job *j)
{
	struct error e = ERROR_INIT;
	bool whole;
	enum status st = j->head.framing == HTTP1_LENGTH && j->head.length > HTTPS_BODY_MAX
	                         ? ST_LIMIT
	                         : input_take_body(j->in, &j->head, &j->chunked, &j->resp.body, &whole, &e);
	if (st == ST_LIMIT)
		too_large(j, "the body", HTTPS_BODY_MAX);
	else if (st)
		malformed(j, &e);
	else if (whole || (j->head.framing == HTTP1_UNTIL_CLOSE && j->clean_eof))
		job_end(j, HTTPS_OK, ST_OK);
	return false;
}

void job_read_answer(struct https_job *j)
{
	if (j->bev)
		evbuffer_add_buffer(j->in, bufferevent_get_input(j->bev));
	while (j->phase == JOB_HEAD && read_head(j))
		;
	if (j->phase == JOB_BODY)
		read_body(j);
}
