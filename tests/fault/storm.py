"""A CA under the clients of caload.c, and whether what they were told is true: in its store, byte by byte, and at its
front door."""
import hashlib, random, shutil, subprocess, time
import lab
from lab import need


class Told:
    """What the clients of one round were told."""
    def __init__(self, lines):
        self.certs, self.signed, self.revoked, self.later, self.wrong, self.unanswered = {}, [], [], [], [], 0
        for line in lines:
            kind, _, rest = line.split(" ", 2) if line.count(" ") > 1 else (*line.split(" "), "")
            if kind in ("signed", "renewed"):
                serial, sha = rest.split()
                self.certs[serial] = sha
                if kind == "signed":
                    self.signed.append(serial)
            elif kind == "unanswered":
                self.unanswered += 1
            else:
                getattr(self, kind).append(rest)

    def count(self):
        return len(self.certs) + len(self.revoked)

    def __str__(self):
        return "%d certificates and %d revocations answered, %d tokens unanswered" % (
            len(self.certs), len(self.revoked), self.unanswered)


class Clients:
    """caload, from its start to its end."""
    def __init__(self, program, ca, clients, rng, *options):
        self.process = subprocess.Popen(
            [program, *options, "--", ca.url, ca.root, ca.provisioner_key, lab.PROVISIONER, ca.kid, str(clients),
             str(rng.getrandbits(60))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def count(self):
        """(answers, later, wrong) so far."""
        self.ask("count")
        return tuple(map(int, self.process.stdout.readline().split()[1:]))

    def lines(self):
        got = []
        for line in self.process.stdout:
            if line == "end\n":
                return got
            got.append(line.rstrip("\n"))
        raise AssertionError(f"the clients ended with {self.process.wait()}")

    def stop(self):
        self.ask("stop")
        return Told(self.lines())

    def check(self):
        """At the front door: (note, certificates issued meanwhile)."""
        self.ask("check")
        *wrong, checked, issued = self.lines()
        need(not wrong, "\n".join(wrong))
        return "%s used tokens, %s revoked and %s good certificates and %s unanswered tokens tried" % tuple(
            checked.split()[1:]), int(issued.split()[1])

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)


class Storm:
    def __init__(self, caload, clients):
        self.ca, self.clients = lab.Ca(lab.make_folder()), clients
        self.caload = shutil.copy(caload, self.ca.folder + "/bin/")
        self.ca.start()
        self.ca.keep_port()
        self.slowest = 0.0

    def begin(self, rng, *options):
        return Clients(self.caload, self.ca, self.clients, rng, *options)

    def restart(self, env=None):
        """How long it took is told, not judged."""
        start = time.monotonic()
        self.ca.start(env)
        self.slowest = max(self.slowest, time.monotonic() - start)

    def rows(self):
        return self.ca.query("SELECT count(*) FROM certs")[0][0]

    def all_there(self, told):
        certs = {s: hashlib.sha256(der).hexdigest() for s, der in self.ca.query("SELECT serial, der FROM certs")
                 if s in told.certs}
        revoked = {r[0] for r in self.ca.query("SELECT serial FROM revocations")}
        used = {r[0] for r in self.ca.query("SELECT serial FROM tokens")}
        for serial, sha in told.certs.items():
            need(serial in certs, f"certificate {serial} was given out and is lost")
            need(certs[serial] == sha, f"certificate {serial} is another one in the store")
        for serial in told.signed:
            need(serial in used, f"the token of certificate {serial} is lost")
        for serial in told.revoked:
            need(serial in revoked, f"the revocation of {serial} is lost")

    def whole(self):
        need(self.ca.query("PRAGMA integrity_check") == [("ok",)], "the database is damaged")
        for what, sql in {
            "tokens name a certificate that is not there":
                "SELECT count(*) FROM tokens t WHERE serial IS NOT NULL AND NOT EXISTS"
                " (SELECT 1 FROM certs c WHERE c.serial = t.serial)",
            "certificates have no line": "SELECT count(*) FROM certs WHERE line NOT IN (SELECT id FROM lines)",
            "certificates have lost their parent": "SELECT count(*) FROM certs c WHERE parent IS NOT NULL AND NOT EXISTS"
                                                   " (SELECT 1 FROM certs p WHERE p.serial = c.parent)",
        }.items():
            need(self.ca.query(sql) == [(0,)], lambda: f"{self.ca.query(sql)} {what}")

    def holds(self, clients):
        before = self.rows()
        note, issued = clients.check()
        need(self.rows() == before + issued, "certificates were issued unasked")
        return note
