/* libpq.h - PostgreSQL's client library, loaded only where it is configured: a CA on SQLite starts without libpq
 * installed, and pays nothing for it. libpq_load() once, then libpq.exec() and so on as in libpq-fe.h. */
#pragma once
#include "base/error.h"
#include <libpq-fe.h>

#define LIBPQ_CALLS(X)                                                                                                 \
	X(libVersion)                                                                                                  \
	X(conninfoParse)                                                                                               \
	X(conninfoFree)                                                                                                \
	X(freemem)                                                                                                     \
	X(connectdbParams)                                                                                             \
	X(finish)                                                                                                      \
	X(status)                                                                                                      \
	X(errorMessage)                                                                                                \
	X(socket)                                                                                                      \
	X(setNoticeReceiver)                                                                                           \
	X(setnonblocking)                                                                                              \
	X(pingParams)                                                                                                  \
	X(enterPipelineMode)                                                                                           \
	X(exitPipelineMode)                                                                                            \
	X(pipelineStatus)                                                                                              \
	X(pipelineSync)                                                                                                \
	X(sendFlushRequest)                                                                                            \
	X(sendPrepare)                                                                                                 \
	X(sendQueryPrepared)                                                                                           \
	X(sendQueryParams)                                                                                             \
	X(sendQuery)                                                                                                   \
	X(flush)                                                                                                       \
	X(consumeInput)                                                                                                \
	X(isBusy)                                                                                                      \
	X(getResult)                                                                                                   \
	X(clear)                                                                                                       \
	X(resultStatus)                                                                                                \
	X(resultErrorField)                                                                                            \
	X(ntuples)                                                                                                     \
	X(nfields)                                                                                                     \
	X(getvalue)                                                                                                    \
	X(getlength)                                                                                                   \
	X(getisnull)                                                                                                   \
	X(cmdTuples)                                                                                                   \
	X(cmdStatus)

struct libpq {
#define LIBPQ_MEMBER(name) __typeof__(PQ##name) *name;
	LIBPQ_CALLS(LIBPQ_MEMBER)
#undef LIBPQ_MEMBER
};
extern struct libpq libpq;

/* Any thread, any number of times. ST_MISSING names the Debian package. */
MUST_USE enum status libpq_load(struct error *e);
