"""One client that signs, renews and revokes, and what it was told."""
import lab
from lab import need

RETRIED = 12 # of each kind, afterwards


class Deeds:
    """What the client was told before the connection broke."""
    def __init__(self):
        self.signed = []       # (token, serial)
        self.renewed = []      # serials
        self.revoked = []      # (serial, text of the certificate)
        self.unanswered = []   # tokens

    def count(self):
        return len(self.signed) + len(self.renewed) + len(self.revoked)


class Worker:
    def __init__(self, client):
        self.client, self.deeds = client, Deeds()

    def expect(self, wanted, what, status, answer):
        need(status == wanted, f"{what}: {status} {answer}")
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


class Load:
    """A CA that keeps its port, and its clients."""
    def __init__(self, clients):
        self.ca = lab.Ca(lab.make_folder())
        self.ca.start()
        self.ca.keep_port()
        self.clients = [lab.Client(self.ca, f"client{i}") for i in range(clients)]

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
