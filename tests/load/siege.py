#!/usr/bin/env python3
"""A CA under siege (siege.c), and honest clients that renew beside it: all of them are served, health answers, the CA's
memory stays within a bound, and its connections fall back. Times are printed and never judged.

usage: siege.py SIEGE      PERENNIAL_TORTURE=1: each kind alone, for longer, with 10,000 connections"""
import os, re, subprocess, sys, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../fault"))
import lab
from lab import need

SIEGE = sys.argv[1]
SECONDS = 15 if lab.TORTURE else 4
THREADS, PAUSE_MS = 4, 5
# Beside each its memory: what stays of a connection that says nothing, and of one that has shaken hands, times 10,000.
MIB = 100
SHORT = {"handshakeTimeout": "3s", "headerTimeout": "2s", "idleTimeout": "5s"}
LONG = {"handshakeTimeout": "10m", "headerTimeout": "10m", "idleTimeout": "10m", "requestTimeout": "10m"}
SAMPLE = [("all", SHORT, MIB, ["half", 100, "garbage", 20, "idle", 400, "drip", 100, "headers", 20, "renegotiate", 20,
                               "update", 20, "abort", 20]),
          ("a full house", dict(LONG, connections=300, connectionsSpare=16), MIB, ["half", 400])]
TORTURE = [("10,000 half-open", LONG, MIB, ["half", 10000]), ("10,000 idle", LONG, 400, ["idle", 10000]),
           ("12,000 for 10,000 places", LONG, 400, ["half", 6000, "idle", 6000]), ("slow drip", SHORT, MIB, ["drip", 1000]),
           ("endless headers", SHORT, MIB, ["headers", 100]), ("renegotiation", SHORT, MIB, ["renegotiate", 50]),
           ("key updates", SHORT, MIB, ["update", 50]), ("TLS garbage", SHORT, MIB, ["garbage", 100]),
           ("aborts", SHORT, MIB, ["abort", 10]),
           ("all at once", SHORT, 400, ["half", 3000, "garbage", 20, "idle", 2000, "drip", 200, "headers", 20,
                                        "renegotiate", 10, "update", 10, "abort", 5])]


class Health(threading.Thread):
    """Asks for health again and again."""
    def __init__(self, client):
        super().__init__(daemon=True)
        self.client, self.ended, self.asked, self.bad = client, threading.Event(), 0, []

    def run(self):
        while not self.ended.is_set():
            try:
                self.asked += 1
                got = self.client.ask("GET", "/health")
                if got != (200, {"status": "ok"}):
                    self.bad.append(str(got))
            except Exception as e:
                self.bad.append(repr(e))
            self.ended.wait(0.2)

    def stop(self):
        self.ended.set()
        self.join()


def numbers(text):
    return {k: int(v) for k, v in re.findall(r"(\w+) (\d+)", text)}


class Siege:
    """A CA, with a client that has a certificate."""
    def __init__(self, limits):
        self.ca = lab.Ca(lab.make_folder())
        self.ca.configure(lambda conf: conf.update(limits=dict(conf["limits"], busyAfter="30s", **limits)))
        self.ca.configure(lambda conf: conf.pop("logger", None))
        self.ca.start()
        self.idle_sockets = self.sockets()
        client = lab.Client(self.ca, "honest")
        client.save(client.sign(client.token())[1])
        self.client, self.pem = client, client.crt + ".pem"
        with open(self.pem, "wb") as f:
            f.write(lab.read(client.crt) + lab.read(client.key))

    def cpu_s(self):
        with open(f"/proc/{self.ca.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mib(self):
        with open(f"/proc/{self.ca.process.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) / 1024

    def sockets(self):
        folder, n = f"/proc/{self.ca.process.pid}/fd", 0
        for fd in os.listdir(folder):
            try:
                n += os.readlink(f"{folder}/{fd}").startswith("socket:")
            except FileNotFoundError: # closed meanwhile
                pass
        return n

    def honest(self):
        return subprocess.Popen([SIEGE, str(self.ca.port), str(SECONDS), "honest", str(THREADS), self.pem, str(PAUSE_MS)],
                                stdout=subprocess.PIPE, text=True)

    def round(self, crowd):
        """Honest clients, and a crowd beside them or nobody."""
        cpu, most = self.cpu_s(), self.rss_mib()
        foes = crowd and subprocess.Popen([SIEGE, str(self.ca.port), str(SECONDS), *map(str, crowd)],
                                          stdout=subprocess.PIPE, text=True)
        if foes:
            need(foes.stdout.readline() == "ready\n", "the crowd did not come")
        health, honest = Health(self.client), self.honest()
        health.start()
        while honest.poll() is None:
            need(self.ca.process.poll() is None, "step-ca is gone")
            most = max(most, self.rss_mib())
            time.sleep(0.1)
        health.stop()
        told = foes.communicate()[0] if foes else ""
        got = numbers(honest.communicate()[0])
        got.update(cpu_us=round((self.cpu_s() - cpu) / max(got["honest"], 1) * 1e6), rss=round(most), health=health)
        return got, told

    def judge(self, got, mib):
        need(got["honest"] and got["ok"] == got["honest"], lambda: f"not every honest renewal was granted: {got}")
        need(got["health"].asked and not got["health"].bad, lambda: f"health: {got['health'].bad[:3]}")
        need(got["rss"] < mib, lambda: f"memory rose to {got['rss']} MiB")

    def falls_back(self):
        """When the crowd is gone, so are its connections."""
        lab.wait_until(lambda: self.sockets() <= self.idle_sockets + 1)


def words(got):
    return "p50 %.1f ms, p99 %.1f ms, max %.1f ms of %d; server CPU %d us each; RSS %d MiB" % (
        got["p50"] / 1000, got["p99"] / 1000, got["max"] / 1000, got["honest"], got["cpu_us"], got["rss"])


def load():
    return "load of the machine %.1f" % os.getloadavg()[0]


def main():
    tap = lab.Tap()

    def beside(limits, mib, crowd):
        siege = Siege(limits)
        before, _ = siege.round(None)
        siege.judge(before, mib)
        got, told = siege.round(crowd)
        for line in told.splitlines():
            print("#   " + line, flush=True)
        print(f"#   alone:  {words(before)}\n#   beside: {words(got)}; {load()}", flush=True)
        siege.judge(got, mib)
        siege.falls_back()
        siege.ca.stop()
        return "p50 %.1f and p99 %.1f times that without them" % (got["p50"] / before["p50"], got["p99"] / before["p99"])

    for name, *rest in TORTURE if lab.TORTURE else SAMPLE:
        tap.run("beside " + name, beside, *rest)
    tap.end()


main()
