#!/usr/bin/env python3
"""The disk fails under step: at each call, once or from then on, with an error, without room, or in the middle of a
write. The run says what happened, the old pair stands or the journal is open, and once the disk is well the next run
succeeds and leaves nothing behind.

usage: step_disk.py SHIM"""
import errno, os, sys
import lab
from lab import Disk, need
from scenes import (Bootstrap, Certificate, Create, FirstCertificate, FirstVersion, Init, Mounted, NoRight, Rekey,
                    RekeyVersion, Renaming, Renew, RenewServed, RenewVersion, Trial, Versioned, World, play, unshare)

POINTS = 4 # of each fault in each scene, in a sample
MOST = 200

# kinds, how many calls, how, what the person is told
FAULTS = {
    "one call fails": (Disk.ANY, 1, errno.EIO, "input/output error"),
    "all calls fail": (Disk.ANY, Disk.EVER, errno.EIO, "input/output error"),
    "full": (Disk.WRITE | Disk.CREATE | Disk.SPACE, Disk.EVER, errno.ENOSPC, "no space left on device"),
    "full in the middle of a write": (Disk.WRITE, Disk.EVER, Disk.SHORT, "no space left on device"),
}


class Failing(Trial):
    def start(self, n, kinds, times, how):
        self.reset()
        self.world.disk.fail(kinds, n, times, how)
        status, said = lab.run(*self.mode.prefix, self.step, *self.scene.argv(), cwd="/",
                               env=dict(self.env, **self.world.disk.env))
        return status, said, self.world.disk.mend()

    def one(self, n, kinds, times, how, text):
        """False where there is no n-th call."""
        status, said, struck = self.start(n, kinds, times, how)
        if not struck:
            need(status == 0, f"without a fault, it ended with {status}: {said}")
            return False
        need(status in (0, 1), f"ended with {status}: {said}")
        if status == 0:
            need(self.scene.fits(), f"it said that it went well, and the files do not fit: {said}")
        else:
            need(text in said, f"the fault is not told: {said}")
        journal = self.check_left()
        need(not journal or status == 0 or "next run" in said, f"the journal is not told: {said}")
        before = self.again(journal)
        self.check_end(journal, before)
        return True

    def calls(self, kinds):
        self.start(MOST, kinds, 1, errno.EIO)
        return self.world.disk.seen()

    def run(self):
        counts = []
        for name, (kinds, times, how, text) in FAULTS.items():
            points = range(1, self.calls(kinds) + 1)
            need(1 < len(points) < MOST, f"{len(points)} calls")
            chosen = lab.sample(f"{self.scene.name} {self.mode.name} {name}", points, POINTS)
            counts.append(f"{len(chosen)} of {len(points)}")
            for n in chosen:
                try:
                    need(self.one(n, kinds, times, how, text), "there was no such call")
                except AssertionError as why:
                    raise AssertionError(f"{name}, from call {n} on\n{why}") from None
        return "calls " + ", ".join(counts)


SCENES = [
    (Rekey, Renaming), (Rekey, NoRight), (Rekey, Mounted), (Renew, Renaming), (Renew, NoRight), (FirstCertificate, Renaming),
    (RenewServed, Renaming), (RenewVersion, Versioned), (Certificate, NoRight), (Create, Renaming), (Bootstrap, Renaming),
    (Init, Renaming),
]
if lab.TORTURE:
    SCENES += [(RenewServed, NoRight), (RekeyVersion, Versioned), (FirstVersion, Versioned)]


def main():
    unshare()
    os.umask(0o022)
    tap = lab.Tap()
    world = World(lab.make_folder())
    world.disk = Disk(sys.argv[1], world.folder, world.top)
    for kind, where in SCENES:
        tap.run(f"{kind.name}, {where.name}", play, kind, where, world, Failing)
    tap.run("the CA ends cleanly", world.ca.stop)
    tap.end()


main()
