#!/usr/bin/env python3
"""The power goes while step-ca works, at random calls from its start on: of its files is left what was synced, and some
of the rest. Started again on that, it keeps every promise it made.

usage: ca_power.py SHIM CALOAD"""
import random, sys
import lab
from lab import Disk, need
from power import Power
from storm import Storm

CUTS = 100 if lab.TORTURE else 6
CLIENTS = 8
CUT = 1001
STARTING, MOST = 40, 5000 # calls: what a start takes, and what a round takes at most


class Cutting(Storm):
    answers = 0

    def start_on(self, env):
        """False where the power went before it served."""
        self.ca.launch(env, ())
        lab.wait_until(lambda: self.ca.serves() or self.ca.process.poll() is not None)
        return self.ca.serves()

    def cut(self, i):
        rng = random.Random(f"{lab.SEED} cut {i}")
        at = rng.randint(1, STARTING if rng.random() < 0.15 else MOST)
        env = dict(self.ca.env, **self.disk.env, **self.power.begin())
        self.disk.fail(Disk.WRITE | Disk.SYNC | Disk.SPACE | Disk.CREATE, at, Disk.EVER, CUT)
        clients = self.begin(rng) if self.start_on(env) else None
        try:
            how = self.ca.process.wait(300)
            need(how == -9, f"step-ca ended with {how} before the power went")
            told = clients.stop() if clients else None
            need(not told or not told.wrong, lambda: "under load: " + "\n".join(told.wrong))
            lost = self.power.back(rng)
            self.disk.mend()
            self.restart()
            self.whole()
            if told:
                self.all_there(told)
                note = f"{told}; {self.holds(clients)}"
                self.answers += told.count()
        finally:
            if clients:
                clients.end()
        self.ca.kill()
        return f"at call {at}, {lost} calls unsynced; " + (note if told else "while it started")


def main():
    tap = lab.Tap()
    world = Cutting(sys.argv[2], CLIENTS)
    db = world.ca.steppath + "/db"
    world.disk, world.power = Disk(sys.argv[1], world.ca.folder, db), Power(db, world.ca.folder)
    world.ca.stop()
    for i in range(CUTS):
        tap.run(f"power cut {i + 1}", world.cut, i)
        world.disk.mend()
        world.ca.kill()
    tap.run("there was load", lambda: need(world.answers > CUTS, f"only {world.answers} answers"))
    tap.end()


main()
