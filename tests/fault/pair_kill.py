#!/usr/bin/env python3
"""Kills step at each call that changes a file or speaks to the CA, and looks at what is left: certificate and key
belong together or their journal is open (and needs-renewal says so), the certificate is one the CA knows, the old pair
stands where the new one was not committed, nobody else can read a key; and the next run completes it all and leaves
nothing behind. In folders where files are renamed, in those where they have to be written in place, and in directories of
versions; commands and the daemon.

usage: pair_kill.py KILLPOINT"""
import os, sys
import lab
from lab import Skip, need, run
from scenes import (Bootstrap, Certificate, Create, Daemon, DaemonRekey, Dressed, FirstBootstrap, FirstCertificate,
                    FirstCreate, FirstVersion, Init, Mounted, NoRight, Rekey, RekeyOutputs, RekeyVersion, Renaming, Renew,
                    RenewServed, RenewVersion, Trial, Versioned, World, play, unshare)

KILLPOINT = os.path.abspath(sys.argv[1])
POINTS = 6        # of each scene, in a sample
KILLED, REFUSED = 137, 126


class Killing(Trial):
    def killed(self, argv, n=None, when="after", out=None):
        trace = [KILLPOINT, "-d", self.top]
        if out:
            trace += ["-o", out]
        if n:
            trace += ["-n", str(n), "-w", when]
        return run(*trace, *self.mode.prefix, self.step, *argv, env=self.env, cwd="/")

    def one(self, n, when, twice):
        """True where it left a journal: then the next run may be killed as well."""
        self.reset()
        status, said = self.killed(self.scene.argv(), n, when)
        if status != KILLED:
            need(status == 0, f"ended with {status}: {said}")
        found = journal = self.check_left()
        if journal and twice:
            journal = self.kill_again()
        before = self.again(journal)
        self.check_end(journal, before)
        return found

    def kill_again(self):
        n, when = self.rng.randint(1, 30), self.rng.choice(["before", "after", "half"])
        status, said = self.killed(self.scene.again(True, True), n, when)
        need(status in (0, 1, KILLED), f"the next run ended with {status}: {said}")
        if self.journals():
            return self.check_left()
        need(self.scene.fits(), f"the next run was killed {when} call {n}, and the files do not fit")
        return False

    def points(self):
        out = self.world.folder + "/calls"
        self.reset()
        status, said = self.killed(self.scene.argv(), out=out)
        if status == REFUSED:
            raise Skip("tracing is not permitted")
        need(status == 0, f"without a kill, it ended with {status}: {said}")
        need(self.scene.fits() and not self.hidden(), "without a kill, the files do not fit or something is left")
        with open(out) as f:
            calls = [line.split(maxsplit=2) for line in f]
        need(len(calls) > 5, f"too few calls: {calls}")
        points = []
        for n, call, path in calls:
            points += [(int(n), "before"), (int(n), "after")]
            if call in ("write", "pwrite64") and not path.startswith("socket:"):
                points.append((int(n), "half"))
        self.calls = calls
        return points

    def run(self):
        points = self.points()
        chosen = lab.sample(f"{self.scene.name} {self.mode.name}", points, POINTS)
        for n, when in chosen:
            try:
                if self.one(n, when, not lab.TORTURE and self.rng.random() < 0.5) and lab.TORTURE:
                    self.one(n, when, True)
            except AssertionError as why:
                raise AssertionError(f"killed {when} call {' '.join(self.calls[n - 1])}\n{why}") from None
        return f"killed at {len(chosen)} of {len(points)} points"


SCENES = [
    (Rekey, Renaming), (Rekey, NoRight), (Rekey, Mounted),
    (RekeyOutputs, Renaming), (RekeyOutputs, NoRight), (RekeyOutputs, Mounted),
    (Renew, Renaming), (Renew, NoRight), (Renew, Mounted),
    (RenewServed, Renaming), (RenewServed, NoRight), (RenewServed, Mounted),
    (Dressed, Renaming), (Dressed, NoRight), (Dressed, Mounted),
    (Daemon, Renaming), (Daemon, NoRight), (DaemonRekey, Renaming), (DaemonRekey, Mounted),
    (RenewVersion, Versioned), (RekeyVersion, Versioned), (FirstVersion, Versioned),
    (FirstCertificate, Renaming), (Certificate, Renaming), (Certificate, NoRight), (Certificate, Mounted),
    (FirstCreate, Renaming), (Create, Renaming), (Create, NoRight), (Create, Mounted),
    (FirstBootstrap, Renaming), (Bootstrap, Renaming), (Bootstrap, NoRight), (Bootstrap, Mounted),
    (Init, Renaming),
]


def main():
    unshare()
    os.umask(0o022)
    tap = lab.Tap()
    world = World(lab.make_folder())
    for kind, where in SCENES:
        tap.run(f"{kind.name}, {where.name}", play, kind, where, world, Killing)
    tap.run("the CA ends cleanly", world.ca.stop)
    tap.end()


main()
