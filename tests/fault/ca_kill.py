#!/usr/bin/env python3
"""Kills step-ca under load, at random instants, and starts it again: every certificate and revocation that a client was
told of is in the store, every token that was used stays used, what was revoked is not renewed, and what was not
answered is whole or not there."""
import random, threading, time
import lab
from lab import need

KILLS = 60 if lab.TORTURE else 5
CLIENTS = 6
LONGEST_S = 0.8
RETRIED = 12 # of each kind, after each kill


class Deeds:
    """What a client was told before the connection broke."""
    def __init__(self):
        self.signed = []       # (token, serial)
        self.renewed = []      # serials
        self.revoked = []      # (serial, text of the certificate)
        self.unanswered = []   # tokens

    def count(self):
        return len(self.signed) + len(self.renewed) + len(self.revoked)


class Worker(threading.Thread):
    def __init__(self, client, seed, stop):
        super().__init__()
        self.client, self.rng, self.stop, self.deeds, self.wrong = client, random.Random(seed), stop, Deeds(), None

    def sign(self):
        token = self.client.token()
        self.deeds.unanswered.append(token)
        status, answer = self.client.sign(token)
        need(status == 201, f"sign: {status} {answer}")
        self.deeds.unanswered.pop()
        serial = self.client.save(answer)
        self.deeds.signed.append((token, serial))
        return serial

    def renew(self):
        status, answer = self.client.renew()
        need(status == 201, f"renew: {status} {answer}")
        self.deeds.renewed.append(self.client.save(answer))
        return self.deeds.renewed[-1]

    def revoke(self, serial):
        status, answer = self.client.revoke(serial)
        need(status == 200, f"revoke: {status} {answer}")
        self.deeds.revoked.append((serial, lab.read(self.client.crt)))

    def run(self):
        try:
            while not self.stop.is_set():
                serial = self.sign()
                for _ in range(self.rng.randint(0, 3)):
                    serial = self.renew()
                if self.rng.random() < 0.5:
                    self.revoke(serial)
        except (OSError, ValueError, lab.http.client.HTTPException):
            pass # the CA is gone
        except AssertionError as why:
            self.wrong = why


class World:
    def __init__(self):
        self.ca = lab.Ca(lab.make_folder())
        self.ca.start()
        self.ca.keep_port()
        self.clients = [lab.Client(self.ca, f"client{i}") for i in range(CLIENTS)]

    def load_and_kill(self, rng):
        stop = threading.Event()
        workers = [Worker(c, rng.random(), stop) for c in self.clients]
        delay = rng.uniform(0.02, LONGEST_S)
        for w in workers:
            w.start()
        time.sleep(delay)
        need(self.ca.kill() == -9, "step-ca ended before it was killed")
        stop.set()
        for w in workers:
            w.join()
        for w in workers:
            need(not w.wrong, f"under load: {w.wrong}")
        return delay, [w.deeds for w in workers]

    def all_there(self, deeds):
        certs = {r[0] for r in self.ca.query("SELECT serial FROM certs")}
        revoked = {r[0] for r in self.ca.query("SELECT serial FROM revocations")}
        used = {r[0] for r in self.ca.query("SELECT serial FROM tokens")}
        for d in deeds:
            for _, serial in d.signed:
                need(serial in certs, f"certificate {serial} was signed and is lost")
                need(serial in used, f"the token of certificate {serial} is lost")
            for serial in d.renewed:
                need(serial in certs, f"certificate {serial} was renewed and is lost")
            for serial, _ in d.revoked:
                need(serial in revoked, f"the revocation of {serial} is lost")

    def whole(self):
        need(self.ca.query("PRAGMA integrity_check") == [("ok",)], "the database is damaged")
        orphans = self.ca.query("SELECT count(*) FROM tokens t WHERE serial IS NOT NULL AND NOT EXISTS"
                                " (SELECT 1 FROM certs c WHERE c.serial = t.serial)")
        need(orphans == [(0,)], f"{orphans} tokens name a certificate that is not there")

    def holds(self, deeds, rng):
        """Through the front door."""
        def some(kind):
            found = [(c, x) for c, d in zip(self.clients, deeds) for x in getattr(d, kind)]
            return rng.sample(found, min(RETRIED, len(found)))
        for client, (token, serial) in some("signed"):
            status, answer = client.sign(token)
            need(status == 401, f"the token of {serial} works again: {status} {answer}")
        for client, (serial, crt) in some("revoked"):
            with open(client.crt, "wb") as f:
                f.write(crt)
            status, answer = client.renew()
            need(status in (401, 403), f"{serial} was revoked and is renewed: {status} {answer}")
        for client, token in some("unanswered"):
            before = len(self.ca.query("SELECT 1 FROM certs WHERE subject LIKE ?", f"%{client.subject}%"))
            status, answer = client.sign(token)
            need(status in (201, 401), f"a token that was not answered: {status} {answer}")
            need(status == 401 or client.sign(token)[0] == 401, "a token works twice")
            after = len(self.ca.query("SELECT 1 FROM certs WHERE subject LIKE ?", f"%{client.subject}%"))
            need(after - before == (status == 201), "certificates were issued unasked")

    def kill(self, i):
        rng = random.Random(f"{lab.SEED} kill {i}")
        delay, deeds = self.load_and_kill(rng)
        self.ca.start()
        self.all_there(deeds)
        self.whole()
        self.holds(deeds, rng)
        self.deeds += [d.count() for d in deeds]
        return "after %d ms, with %d signed, %d renewed, %d revoked, %d unanswered" % (
            delay * 1000, *(sum(len(getattr(d, k)) for d in deeds) for k in ("signed", "renewed", "revoked", "unanswered")))

    deeds = []


def main():
    tap = lab.Tap()
    world = World()
    for i in range(KILLS):
        tap.run(f"kill {i + 1}", world.kill, i)
        if world.ca.process.poll() is not None:
            world.ca.start()
    tap.run("there was load", lambda: need(sum(world.deeds) > 10 * KILLS, f"only {sum(world.deeds)} answers"))
    tap.run("the CA ends cleanly", world.ca.stop)
    tap.end()


main()
