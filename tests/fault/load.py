"""Clients that sign, renew and revoke without pause, and remember what they were told."""
import random, threading
import lab
from lab import need

UNAVAILABLE = "the certificate authority cannot record this now; try again later"
RETRIED = 12 # of each kind, afterwards


class Deeds:
    """What a client was told before the connection broke."""
    def __init__(self):
        self.signed = []       # (token, serial)
        self.renewed = []      # serials
        self.revoked = []      # (serial, text of the certificate)
        self.unanswered = []   # tokens; also those that were told to try again
        self.later = 0         # answers "try again"
        self.answers = 0

    def count(self):
        return len(self.signed) + len(self.renewed) + len(self.revoked)


class Later(Exception):
    """The CA cannot record anything at the moment."""


class Worker(threading.Thread):
    def __init__(self, client, seed, stop, failing):
        super().__init__(daemon=True)
        self.client, self.rng, self.stop, self.failing = client, random.Random(seed), stop, failing
        self.deeds, self.wrong = Deeds(), None

    def expect(self, wanted, what, status, answer):
        """503 is an answer only where the disk fails."""
        if status == 503 and self.failing:
            self.deeds.later += 1
            need(answer == {"status": 503, "message": UNAVAILABLE}, f"{what}: {answer}")
            raise Later
        need(status == wanted, f"{what}: {status} {answer}")
        self.deeds.answers += 1
        return answer

    def sign(self):
        token = self.client.token()
        self.deeds.unanswered.append(token)
        answer = self.expect(201, "sign", *self.client.sign(token))
        self.deeds.unanswered.pop()
        serial = self.client.save(answer)
        self.deeds.signed.append((token, serial))
        return serial

    def renew(self):
        answer = self.expect(201, "renew", *self.client.renew())
        self.deeds.renewed.append(self.client.save(answer))
        return self.deeds.renewed[-1]

    def revoke(self, serial):
        self.expect(200, "revoke", *self.client.revoke(serial))
        self.deeds.revoked.append((serial, lab.read(self.client.crt)))

    def work(self):
        serial = self.sign()
        for _ in range(self.rng.randint(0, 3)):
            serial = self.renew()
        if self.rng.random() < 0.5:
            self.revoke(serial)

    def run(self):
        try:
            while not self.stop.is_set():
                try:
                    self.work()
                except Later:
                    pass
        except (OSError, ValueError, lab.http.client.HTTPException):
            if self.failing:
                self.wrong = "the connection broke"
            # else the CA was killed
        except AssertionError as why:
            self.wrong = why


class Load:
    """A CA that keeps its port, and its clients."""
    def __init__(self, clients):
        self.ca = lab.Ca(lab.make_folder())
        self.ca.start()
        self.ca.keep_port()
        self.clients = [lab.Client(self.ca, f"client{i}") for i in range(clients)]

    def start(self, rng, failing=False):
        self.stop = threading.Event()
        self.workers = [Worker(c, rng.random(), self.stop, failing) for c in self.clients]
        for w in self.workers:
            w.start()

    def sum(self, what):
        return sum(getattr(w.deeds, what) for w in self.workers)

    def wrong(self):
        return any(w.wrong for w in self.workers)

    def end(self):
        """What each was told."""
        self.stop.set()
        for w in self.workers:
            w.join()
        for w in self.workers:
            need(not w.wrong, f"under load: {w.wrong}")
        return [w.deeds for w in self.workers]

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
