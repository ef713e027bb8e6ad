/* agent.h - the renewer as a daemon: a table of pairs, one thread, and one sleep until the earliest of their deadlines
 * (design "The house"; spec/client.md §6.4).
 *
 *   sleep ---> timer ----------> step of every pair whose time has come
 *              clock was set --> step of every pair: deadlines are wall time
 *              SIGHUP ---------> step of every pair, renewing now
 *              SIGINT, SIGTERM > the end; a request or command that runs is finished first
 *
 *   step       read certificate and record from disk -> renewal/plan -> nothing to do: next deadline
 *                                                                    -> a turn (pair.h), then the next deadline
 *
 * At rest nothing of a pair is in memory but its configuration and its deadline. */
#pragma once
#include "agent/pair.h"

enum { AGENT_PAIRS_MAX = 100000 };

/* For pair_conf.pulse: tells the service manager's watchdog that long work goes on. */
void agent_pulse(void);

/* Blocks SIGHUP, SIGINT, SIGTERM and SIGUSR1 and runs until one of the middle two comes. Every pair must be readable
 * when it starts, else it fails at once. READY, STATUS and WATCHDOG go to the service manager where there is one.
 * confs: borrowed, n of them. */
MUST_USE enum status agent_run(const struct pair_conf *const *confs, size_t n, const struct voice *voice,
                               struct error *e);

/* What the loop lives on, so that a test can put a clock and a sleep of its own in its place. The pairs' clock is the
 * same one. */
enum agent_event { AGENT_LOOK /* it is time, or it may be */, AGENT_CLOCK_SET, AGENT_RENEW_NOW, AGENT_STOP };
struct agent_world {
	const struct clock *clock;
	/* Sleeps until this instant of wall time at the latest. */
	enum status (*wait)(void *ctx, struct wall until, enum agent_event *ret, struct error *e);
	void *ctx;
};
MUST_USE enum status agent_run_in(const struct agent_world *world, const struct pair_conf *const *confs, size_t n,
                                  const struct voice *voice, struct error *e);
