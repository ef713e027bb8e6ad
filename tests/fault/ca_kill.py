#!/usr/bin/env python3
"""Kills step-ca under load, at random instants, and starts it again: every certificate and revocation that a client was
told of is in the store, every token that was used stays used, what was revoked is not renewed, and what was not
answered is whole or not there."""
import random, time
import lab
from lab import need
from load import Load

KILLS = 60 if lab.TORTURE else 5
CLIENTS = 6
LONGEST_S = 0.8


class Killing(Load):
    answers = 0

    def kill(self, i):
        rng = random.Random(f"{lab.SEED} kill {i}")
        delay = rng.uniform(0.02, LONGEST_S)
        self.start(rng)
        time.sleep(delay)
        how = self.ca.kill()
        deeds = self.end()
        need(how == -9, f"step-ca ended with {how} before it was killed")
        self.ca.start()
        self.all_there(deeds)
        self.whole()
        self.holds(deeds, rng)
        self.answers += sum(d.count() for d in deeds)
        return "after %d ms, with %d signed, %d renewed, %d revoked, %d unanswered" % (
            delay * 1000, *(sum(len(getattr(d, k)) for d in deeds) for k in ("signed", "renewed", "revoked", "unanswered")))


def main():
    tap = lab.Tap()
    world = Killing(CLIENTS)
    for i in range(KILLS):
        tap.run(f"kill {i + 1}", world.kill, i)
        if world.ca.process.poll() is not None:
            world.ca.start()
    tap.run("there was load", lambda: need(world.answers > 10 * KILLS, f"only {world.answers} answers"))
    tap.run("the CA ends cleanly", world.ca.stop)
    tap.end()


main()
