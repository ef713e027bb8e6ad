#!/usr/bin/env python3
"""Hours of mixed load on one step-ca: sign, renew, rekey and revoke from clients that rest between two requests, and
beside them everything that a CA should refuse. At the end: what was answered is in the store, no answer was an error that
nobody provoked, and memory is flat. Not part of the tests: `make soak SOAK_MINUTES=120`.

usage: soak.py CALOAD MINUTES"""
import http.client, json, random, re, socket, ssl, sys, threading, time
import lab
from lab import need
from storm import Storm

CLIENTS, REST_MS = 24, 1000
FLAT_KIB = 2048 # what RSS may grow by from the first tenth on, beside a twentieth of itself


class Hostile(threading.Thread):
    """One thing after another that must be refused; what was answered otherwise stands in .wrong."""
    def __init__(self, ca):
        super().__init__(daemon=True)
        self.ca, self.ended, self.wrong, self.done = ca, threading.Event(), [], 0
        self.client = lab.Client(ca, "hostile")
        self.client.save(self.client.sign(self.client.token())[1])
        self.used = self.client.token()
        self.client.sign(self.used)

    def ask(self, expect, method, path, body=None, mtls=False, **headers):
        context = ssl.create_default_context(cafile=self.ca.root)
        if mtls:
            context.load_cert_chain(self.client.crt, self.client.key)
        c = http.client.HTTPSConnection("localhost", self.ca.port, timeout=60, context=context)
        try:
            c.request(method, path, body, headers)
            got = c.getresponse()
            text = got.read()
            if got.status != expect:
                self.wrong.append(f"{method} {path}: {got.status} in place of {expect}: {text[:200]}")
        finally:
            c.close()

    def sign(self, expect, token, csr=None):
        self.ask(expect, "POST", "/1.0/sign", json.dumps({"csr": csr or self.client.csr, "ott": token}))

    def raw(self, data):
        with socket.create_connection(("127.0.0.1", self.ca.port), timeout=60) as s:
            s.sendall(data)

    def cut(self):
        context = ssl.create_default_context(cafile=self.ca.root)
        with socket.create_connection(("127.0.0.1", self.ca.port), timeout=60) as s:
            with context.wrap_socket(s, server_hostname="localhost") as t:
                t.sendall(b"POST /1.0/sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")

    def things(self):
        now, name = int(time.time()), self.client.subject
        return [
            lambda: self.sign(401, self.ca.token(name, iat=now - 900, nbf=now - 900, exp=now - 600)),
            lambda: self.sign(401, self.used),
            lambda: self.sign(401, self.ca.token(name, aud="https://elsewhere.example/1.0/sign")),
            lambda: self.sign(401, self.client.token()[:-8] + "AAAAAAAA"),
            lambda: self.sign(400, self.client.token(), "no request"),
            lambda: self.sign(403, self.ca.token("other.local")),
            lambda: self.ask(400, "POST", "/1.0/sign", b"\xff{" * 100),
            lambda: self.ask(400, "POST", "/1.0/renew"),
            lambda: self.ask(401, "POST", "/1.0/renew", Authorization="Bearer " + "a" * 500),
            lambda: self.ask(404, "GET", "/1.0/" + "x" * 200),
            lambda: self.ask(405, "DELETE", "/1.0/sign"),
            lambda: self.ask(413, "POST", "/1.0/sign", b" " * (2 << 20)),
            lambda: self.raw(random.randbytes(500)),
            lambda: self.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            lambda: self.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
            self.cut,
        ]

    def run(self):
        while not self.ended.wait(0.25):
            try:
                random.choice(self.things())()
            except OSError: # the CA may close on garbage while it is still sent
                pass
            self.done += 1


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        text = f.read()
    return {k: int(re.search(rf"{k}:\s+(\d+)", text)[1]) for k in ("VmRSS", "Threads")}


def watch(ca, minutes):
    rss = []
    for minute in range(minutes):
        time.sleep(60)
        need(ca.process.poll() is None, "step-ca has ended")
        s = status(ca.process.pid)
        rss.append(s["VmRSS"])
        print(f"# minute {minute + 1}: {s['VmRSS']} KiB, {s['Threads']} threads", flush=True)
    early = max(rss[: max(1, len(rss) // 10)])
    need(rss[-1] <= early * 1.05 + FLAT_KIB, f"memory grew from {early} to {rss[-1]} KiB")
    return f"{early} KiB in the first tenth, {rss[-1]} KiB at the end, at most {max(rss)}"


def count_log(ca):
    answers, errors = {}, []
    with open(ca.dir + "/ca.log", errors="replace") as f:
        for line in f:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if "status" in record:
                answers[record["status"]] = answers.get(record["status"], 0) + 1
            if record.get("level") == "error" or record.get("status", 0) >= 500:
                errors.append(line.strip())
    need(not errors, f"{len(errors)} errors that nobody provoked, such as {errors[:1]}")
    return ", ".join(f"{n} times {s}" for s, n in sorted(answers.items()))


def main():
    tap = lab.Tap()
    minutes = int(sys.argv[2])
    world = Storm(sys.argv[1], CLIENTS)
    world.ca.stop()
    world.ca.configure(lambda conf: conf.update(logger={"format": "json"}))
    world.restart()
    clients = world.begin(random.Random(lab.SEED), "-p", str(REST_MS))
    hostile = Hostile(world.ca)
    hostile.start()
    tap.run("memory is flat", watch, world.ca, minutes)
    hostile.ended.set()
    hostile.join()
    told = clients.stop()
    tap.run("no answer that nobody provoked", lambda: need(not told.wrong, "\n".join(told.wrong[:5])) or str(told))
    tap.run("what must be refused was refused",
            lambda: need(not hostile.wrong, "\n".join(hostile.wrong[:5])) or f"{hostile.done} attempts")
    if minutes >= 60: # by then the first tokens are forgotten: they have ended an hour ago
        told.signed.clear()
    tap.run("all of it is in the store", world.all_there, told)
    tap.run("the store is whole", world.whole)
    tap.run("what was told is true", world.holds, clients)
    clients.end()
    tap.run("the CA ends cleanly", world.ca.stop)
    tap.run("the log knows no error", count_log, world.ca)
    tap.end()


main()
