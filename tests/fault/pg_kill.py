#!/usr/bin/env python3
"""The PostgreSQL under a step-ca under load is killed, stopped and started again, at random instants: step-ca goes on by
itself, its clients meet 503 at worst, and what they were told is in the database, byte by byte; used tokens stay used and
revocations stand.

usage: pg_kill.py CALOAD"""
import random, sys
import lab, pgserver
from lab import need
from storm import Storm

ROUNDS = 60 if lab.TORTURE else 3
CLIENTS = 8
MOST = 150 # answers before it ends
AFTER = 30 # and after it is back


class Nodes(Storm):
    answers = 0

    def __init__(self, caload):
        self.server = pgserver.Server()
        super().__init__(caload, CLIENTS)
        self.ca.stop()
        self.ca.configure(lambda conf: conf.update(db={"type": "postgresql", "dataSource": self.server.url}))
        self.ca.query = self.server.query
        self.ca.start()

    def until(self, clients, answers):
        lab.wait_until(lambda: clients.count()[0] >= answers or clients.count()[2] > 0, 120)

    def end_and_come_back(self, i):
        rng = random.Random(f"{lab.SEED} server {i}")
        how = ("kill", "immediate", "fast")[i % 3]
        after = rng.randint(1, MOST)
        clients = self.begin(rng, "-f")
        try:
            self.until(clients, after)
            self.server.end(how)
            if rng.random() < 0.5: # sometimes it takes long enough for step-ca to tell them
                lab.wait_until(lambda: clients.count()[1] > 0)
            self.server.start()
            self.until(clients, clients.count()[0] + AFTER)
            told = clients.stop()
            need(not told.wrong, "under load: " + "\n".join(told.wrong[:5]))
            self.all_there(told)
            self.whole()
            note = self.holds(clients)
        finally:
            clients.end()
        self.answers += told.count()
        return f"{how} after {after} answers: {told}, {len(told.later)} times 503; {note}"


def main():
    tap = lab.Tap()
    pgserver.require(tap)
    world = Nodes(sys.argv[1])
    for i in range(ROUNDS):
        tap.run(f"end {i + 1}", world.end_and_come_back, i)
    tap.run("the CA ends cleanly", world.ca.stop)
    tap.end()


main()
