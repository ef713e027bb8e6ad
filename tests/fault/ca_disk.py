#!/usr/bin/env python3
"""The disk below the store fails under load: step-ca answers 503 with words, tells the reason in its log, and works
again by itself when the disk does, without a restart. What it had acknowledged is there then, and after a kill too.

usage: ca_disk.py SHIM"""
import errno, random, sys
import lab
from lab import Disk, need
from load import Load

ROUNDS = 20 if lab.TORTURE else 1
CLIENTS = 4
ENOUGH = 10 # answers, before the disk fails and after it is well

# kinds, how many calls, how, what the log says
FAULTS = {
    "a write fails": (Disk.WRITE, 1, errno.EIO, "the disk failed"),
    "writes fail": (Disk.WRITE, Disk.EVER, errno.EIO, "the disk failed"),
    "a sync fails": (Disk.SYNC, 1, errno.EIO, "the disk failed"),
    "syncs fail": (Disk.SYNC, Disk.EVER, errno.EIO, "the disk failed"),
    "the disk is full": (Disk.WRITE | Disk.CREATE | Disk.SPACE, Disk.EVER, errno.ENOSPC, "the disk is full"),
    "the disk is full in the middle of a write": (Disk.WRITE, Disk.EVER, Disk.SHORT, "the disk is full"),
}


class Failing(Load):
    def log(self):
        return lab.read(self.ca.dir + "/ca.log").decode()

    def answers(self, what, n):
        """Waits for n more answers of a kind."""
        goal = self.sum(what) + n
        lab.wait_until(lambda: self.sum(what) >= goal or self.wrong())

    def break_and_mend(self, kinds, times, how, rng):
        """How many calls failed."""
        self.answers("answers", ENOUGH)
        self.disk.fail(kinds, rng.randint(1, 12), times, how)
        lab.wait_until(lambda: self.disk.struck() or self.wrong())
        if times == Disk.EVER:
            self.answers("later", ENOUGH)
        struck = self.disk.mend()
        self.answers("answers", ENOUGH * CLIENTS)
        return struck

    def fail(self, name, i):
        kinds, times, how, text = FAULTS[name]
        rng = random.Random(f"{lab.SEED} {name} {i}")
        said = len(self.log())
        self.start(rng, failing=True)
        try:
            struck = self.break_and_mend(kinds, times, how, rng)
        finally:
            self.disk.mend()
            deeds = self.end()
        later = sum(d.later for d in deeds)
        need(not later or text in self.log()[said:], lambda: f"the log does not say '{text}': " + self.log()[-1500:])
        self.check(deeds, rng)
        if rng.random() < 0.5:
            need(self.ca.kill() == -9, "step-ca ended before it was killed")
            self.ca.start(dict(self.ca.env, **self.disk.env))
            self.check(deeds, rng)
        return sum(d.count() for d in deeds), later, struck

    def check(self, deeds, rng):
        self.all_there(deeds)
        self.whole()
        self.holds(deeds, rng)

    def rounds(self, name):
        got = [self.fail(name, i) for i in range(ROUNDS)]
        done, later, struck = map(sum, zip(*got))
        need(later or FAULTS[name][1] == 1, "nobody was told to try again") # one call may be tried again, or not matter
        return f"{ROUNDS} times, {struck} calls failed, {done} requests answered, {later} put off"


def main():
    tap = lab.Tap()
    world = Failing(CLIENTS)
    world.disk = Disk(sys.argv[1], world.ca.folder, world.ca.steppath + "/db")
    world.ca.stop()
    for name in FAULTS:
        if world.ca.process.poll() is not None:
            world.ca.start(dict(world.ca.env, **world.disk.env))
        tap.run(name, world.rounds, name)
    tap.run("the CA ends cleanly", world.ca.stop)
    tap.end()


main()
