#!/usr/bin/env python3
"""Kills step-ca under load, at random instants, and starts it again: every certificate that a client was given is in the
store, byte by byte, every token that gave one stays used, every revocation that was answered stands, what was not
answered is whole or not there, and the CA serves again by itself.

usage: ca_kill.py CALOAD"""
import random, sys
import lab
from lab import need
from storm import Storm

KILLS = 200 if lab.TORTURE else 5
CLIENTS = 12
MOST = 400 # answers before the kill


class Killing(Storm):
    answers = 0

    def kill(self, i):
        rng = random.Random(f"{lab.SEED} kill {i}")
        after = rng.randint(1, MOST)
        clients = self.begin(rng, "-k", f"{self.ca.process.pid}:{after}")
        try:
            how = self.ca.process.wait(300)
            need(how == -9, f"step-ca ended with {how} before it was killed")
            told = clients.stop()
            need(not told.wrong, "under load: " + "\n".join(told.wrong))
            need(told.count() >= after, f"killed after {after} answers, of which the clients know {told.count()}")
            self.restart()
            self.all_there(told)
            self.whole()
            note = self.holds(clients)
        finally:
            clients.end()
        self.answers += told.count()
        return f"{told}; {note}"


def main():
    tap = lab.Tap()
    world = Killing(sys.argv[1], CLIENTS)
    for i in range(KILLS):
        tap.run(f"kill {i + 1}", world.kill, i)
        if world.ca.process.poll() is not None:
            world.ca.start()
    tap.run("it came back each time", lambda: f"{world.answers} answers, the slowest start {world.slowest * 1000:.0f} ms")
    tap.run("the CA ends cleanly", world.ca.stop)
    tap.end()


main()
