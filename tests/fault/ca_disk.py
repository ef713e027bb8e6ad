#!/usr/bin/env python3
"""The disk below the store fails under load: step-ca answers 503 with words, tells the reason in its log, and works
again by itself when the disk does, without a restart. What it had acknowledged is there then, and after a kill too.

usage: ca_disk.py SHIM CALOAD"""
import errno, random, sys
import lab
from lab import Disk, need
from storm import Storm

ROUNDS = 20 if lab.TORTURE else 1
CLIENTS = 8
MESSAGES = ("the certificate authority cannot record this now; try again later",
            "the certificate authority's disk is full and it can only revoke; try again later")
ANSWERS, LATER, WRONG = range(3) # what Clients.count tells
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


class Failing(Storm):
    def log(self):
        return lab.read(self.ca.dir + "/ca.log").decode()

    def wait_for(self, clients, which, n):
        """For n more answers, or "try again"s."""
        goal = clients.count()[which] + n
        def there():
            count = clients.count()
            return count[which] >= goal or count[WRONG]
        lab.wait_until(there)

    def break_and_mend(self, clients, kinds, times, how, rng):
        """How many calls failed."""
        self.wait_for(clients, ANSWERS, ENOUGH)
        self.disk.fail(kinds, rng.randint(1, 12), times, how)
        lab.wait_until(lambda: self.disk.struck() or clients.count()[WRONG])
        if times == Disk.EVER:
            self.wait_for(clients, LATER, ENOUGH)
        struck = self.disk.mend()
        self.wait_for(clients, ANSWERS, ENOUGH * CLIENTS)
        return struck

    def fail(self, name, i):
        kinds, times, how, text = FAULTS[name]
        rng = random.Random(f"{lab.SEED} {name} {i}")
        said = len(self.log())
        clients = self.begin(rng, "-f")
        try:
            struck = self.break_and_mend(clients, kinds, times, how, rng)
            told = clients.stop()
            need(not told.wrong, "under load: " + "\n".join(told.wrong))
            need(not told.later or text in self.log()[said:],
                 lambda: f"the log does not say '{text}': " + self.log()[-1500:])
            self.check(told)
            if rng.random() < 0.5:
                need(self.ca.kill() == -9, "step-ca ended before it was killed")
                self.restart(dict(self.ca.env, **self.disk.env))
                self.check(told)
            self.holds(clients)
        finally:
            self.disk.mend()
            clients.end()
        return told.count(), len(told.later), struck

    def check(self, told):
        for text in told.later:
            need(text.endswith(MESSAGES), f"it was told {text}")
        self.all_there(told)
        self.whole()

    def rounds(self, name):
        got = [self.fail(name, i) for i in range(ROUNDS)]
        done, later, struck = map(sum, zip(*got))
        need(later or FAULTS[name][1] == 1, "nobody was told to try again") # one call may be tried again, or not matter
        return f"{ROUNDS} times, {struck} calls failed, {done} requests answered, {later} put off"


def main():
    tap = lab.Tap()
    world = Failing(sys.argv[2], CLIENTS)
    world.disk = Disk(sys.argv[1], world.ca.folder, world.ca.steppath + "/db")
    world.ca.stop()
    for name in FAULTS:
        if world.ca.process.poll() is not None:
            world.ca.start(dict(world.ca.env, **world.disk.env))
        tap.run(name, world.rounds, name)
    tap.run("the CA ends cleanly", world.ca.stop)
    tap.end()


main()
