#!/usr/bin/env python3
"""Kills step-ca at each call that changes its store or answers a client: while it makes a new store, while it signs, renews
and revokes, and while it stops. What it had answered is there at the next start.

usage: ca_point.py KILLPOINT"""
import os, random, shutil, signal, sys
import lab
from lab import Skip, need
from load import Load, Worker

KILLPOINT = os.path.abspath(sys.argv[1])
POINTS = 12
KILLED, REFUSED = 137, 126


class Killing(Load):
    def begin(self, *how):
        """With a new store; False where it is killed before it serves."""
        self.ca.kill()
        self.db = self.ca.steppath + "/db"
        shutil.rmtree(self.db)
        os.mkdir(self.db, 0o700)
        self.ca.launch(self.ca.env, [KILLPOINT, "-d", self.db, *how])
        lab.wait_until(lambda: self.ca.serves() or self.ca.process.poll() is not None)
        return self.ca.process.poll() is None

    def use(self):
        """One of each; what was answered."""
        worker = Worker(self.clients[0])
        try:
            worker.sign()
            worker.revoke(worker.renew())
            worker.sign()
        except (OSError, ValueError, lab.http.client.HTTPException):
            pass # it was killed
        return worker.deeds

    def traced(self):
        with open(f"/proc/{self.ca.process.pid}/task/{self.ca.process.pid}/children") as f:
            return [int(pid) for pid in f.read().split()]

    def end_traced(self):
        """It stops as a service does, if it still runs."""
        for pid in self.traced() if self.ca.process.poll() is None else []:
            os.kill(pid, signal.SIGTERM)
        return self.ca.process.wait(60)

    def one(self, n, when):
        served = self.begin("-n", str(n), "-w", when)
        deeds = self.use() if served else None
        status = self.end_traced()
        need(status in (0, KILLED), f"it ended with {status}")
        self.ca.start()
        if deeds:
            self.all_there([deeds])
            self.holds([deeds], random.Random(0))
        self.whole()
        need(self.use().count() == 4, "after the next start it does not work")

    def points(self):
        out = self.ca.folder + "/calls"
        if not self.begin("-o", out):
            raise Skip("tracing is not permitted") if self.ca.process.wait() == REFUSED else AssertionError("no start")
        need(self.use().count() == 4, "it does not work")
        need(self.end_traced() == 0, "it did not stop cleanly")
        with open(out) as f:
            calls = [line.split(maxsplit=2) for line in f]
        points = []
        for n, call, path in calls:
            points += [(int(n), call, path, when) for when in ("before", "after")]
            if call in ("write", "pwrite64") and not path.startswith("socket:"):
                points.append((int(n), call, path, "half"))
        return points

    def kills(self):
        points = self.points()
        chosen = lab.sample("points", points, POINTS)
        for n, call, path, when in chosen:
            try:
                self.one(n, when)
            except AssertionError as why:
                raise AssertionError(f"killed {when} call {n} {call} {path}\n{why}") from None
        return f"{len(chosen)} of {len(points)} points"


def main():
    tap = lab.Tap()
    world = Killing(1)
    tap.run("killed from its first start to its end", world.kills)
    tap.end()


main()
