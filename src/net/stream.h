/* stream.h - bytes to and from one accepted socket, through TLS or plain, on a worker's loop. In place of libevent's
 * bufferevents because of what those cost a connection: two reads for each TLS record, an epoll_ctl for each change of
 * mind, a write for each record. Here the socket is read in pieces of 16 KiB, is registered once in its life, and what
 * TLS has to say leaves in one piece.
 *
 * One thread. The owner is told of events from the loop or from inside stream_send; inside that it may call anything of
 * this but stream_free. */
#pragma once
#include "net/auto.h"
#include <event2/buffer.h>
#include <stdbool.h>

struct stream;

/* The scratch space that the streams of one loop share: what they hold between two events is only what the other side
 * is late with. */
struct stream_room;
struct stream_room *stream_room_new(void); /* NULL: out of memory */
void stream_room_free(struct stream_room *room);

enum stream_event {
	STREAM_KNOCK, /* a stream that waits: its first byte is there; stream_secure, or it is plain from here on */
	STREAM_OPEN,  /* the handshake is done; a plain one is open from the beginning, and nobody is told */
	STREAM_INPUT, /* there is more in stream_input */
	STREAM_SENT,  /* everything that was written is in the kernel's hands */
	STREAM_EOF,   /* the peer sends no more, and all that it sent was told; before STREAM_OPEN too */
	STREAM_FAILED /* the last one: OpenSSL's error queue says why (empty: the socket), and the alert has been sent
	               */
};
typedef void stream_fn(void *ctx, enum stream_event event);

/* A plain one, open from the beginning; waits: until STREAM_KNOCK it is neither, and costs little. fd stays the
 * caller's and lives longer than the stream. NULL: out of memory. */
struct stream *stream_new(struct event_base *base, struct stream_room *room, int fd, bool waits, stream_fn *told,
                          void *ctx);
/* From inside STREAM_KNOCK: TLS. ssl stays the caller's and lives longer than the stream. False: out of memory. */
bool stream_secure(struct stream *s, SSL *ssl);
/* Nothing is told, read or written any more. */
void stream_stop(struct stream *s);
void stream_free(struct stream *s);

/* What has arrived and was not taken yet. Beyond STREAM_INPUT_MAX nothing more is read until some of it is drained and
 * stream_enable called. */
enum { STREAM_INPUT_MAX = 128 << 10 };
struct evbuffer *stream_input(struct stream *s);
/* On at first. Where it is off, what is sent on waits in the kernel, within its bounds. */
void stream_enable(struct stream *s, bool on);

/* The caller adds to the output and then calls stream_send; STREAM_SENT follows.
 * last: nothing will come after it, so TLS's close_notify goes in the same piece. */
struct evbuffer *stream_output(struct stream *s);
void stream_send(struct stream *s, bool last);

/* Says that nothing will follow, where nothing is half sent and it was not said. */
void stream_close_notify(struct stream *s);
