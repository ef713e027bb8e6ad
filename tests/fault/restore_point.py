#!/usr/bin/env python3
"""Kills `step-ca db restore` at each call that changes the folder: there is a database at every moment, it is the old one
or the new one, whole, and in both is revoked what was; the next restore does the rest.

usage: restore_point.py KILLPOINT"""
import os, shutil, sqlite3, subprocess, sys
import lab
from lab import Skip, need

KILLPOINT = os.path.abspath(sys.argv[1])
POINTS = 16
KILLED, REFUSED = 137, 126


class Restoring:
    def __init__(self):
        self.ca = lab.Ca(lab.make_folder())
        self.ca.start()
        self.ca.keep_port()
        self.db, self.before = self.ca.steppath + "/db", self.ca.folder + "/before"
        client = lab.Client(self.ca, "client")
        self.serials = [self.sign(client), self.sign(client)]
        status, said = self.run("backup", self.ca.folder + "/backup")
        need(status == 0, said)
        for serial in self.serials:
            need(client.revoke(serial)[0] == 200, "not revoked")
        self.later = self.sign(client)
        self.ca.kill() # the log is there, and holds the newest
        shutil.copytree(self.db, self.before, ignore=shutil.ignore_patterns("admin.sock"))

    def sign(self, client):
        status, answer = client.sign(client.token())
        need(status == 201, answer)
        return client.save(answer)

    def argv(self, *command):
        return [self.ca.step_ca, "db", *command, "--config", self.ca.steppath + "/config/ca.json"]

    def run(self, *command):
        return lab.run(*self.argv(*command), env=self.ca.env)

    def reset(self):
        shutil.rmtree(self.db)
        shutil.copytree(self.before, self.db)

    def killed(self, *how):
        self.reset()
        return lab.run(KILLPOINT, "-d", self.db, *how, *self.argv("restore", self.ca.folder + "/backup"), env=self.ca.env)

    def holds_all(self):
        path = self.db + "/perennial.db"
        need(os.path.getsize(path), "there is no database")
        c = sqlite3.connect(path)
        try:
            need(c.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "it is damaged")
            revoked = {r[0] for r in c.execute("SELECT serial FROM revocations")}
            certs = {r[0] for r in c.execute("SELECT serial FROM certs")}
        finally:
            c.close()
        need(revoked == set(self.serials), f"revoked: {revoked}")
        need(certs == {*self.serials, self.later}, f"certificates: {certs}")

    def one(self, n, when):
        status, said = self.killed("-n", str(n), "-w", when)
        need(status in (0, KILLED), said)
        shutil.copytree(self.db, self.db + ".look")
        try:
            kept, self.db = self.db, self.db + ".look"
            self.holds_all()
        finally:
            shutil.rmtree(self.db)
            self.db = kept
        for name in os.listdir(self.db): # within one second, it would have the same name
            if ".replaced-" in name:
                os.remove(f"{self.db}/{name}")
        status, said = self.run("restore", self.ca.folder + "/backup")
        need(status == 0, said)
        self.holds_all()
        need(not [n for n in os.listdir(self.db) if ".restore" in n], "something is left")

    def kills(self):
        out = self.ca.folder + "/calls"
        status, said = self.killed("-o", out)
        if status == REFUSED:
            raise Skip("tracing is not permitted")
        need(status == 0, said)
        with open(out) as f:
            calls = [line.split(maxsplit=2) for line in f]
        points = []
        for n, call, path in calls:
            points += [(int(n), call, path, when) for when in ("before", "after")]
            if call in ("write", "pwrite64"):
                points.append((int(n), call, path, "half"))
        chosen = lab.sample("points", points, POINTS)
        for n, call, path, when in chosen:
            try:
                self.one(n, when)
            except AssertionError as why:
                raise AssertionError(f"killed {when} call {n} {call} {path}\n{why}") from None
        return f"{len(chosen)} of {len(points)} points"


def main():
    tap = lab.Tap()
    tap.run("db restore, killed anywhere", Restoring().kills)
    tap.end()


main()
