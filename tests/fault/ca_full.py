#!/usr/bin/env python3
"""The disk of the database fills up under load: who wants a certificate is told to come again, revocations go on, also
after a kill, and when there is room again the CA finds it by itself. Once with a real file system of a few MiB (for
root), once with a quota, which statvfs does not tell.

usage: ca_full.py SHIM CALOAD"""
import os, random, subprocess, sys
import lab, scenes
from lab import Disk, Skip, need
from storm import Storm

MIB = 1 << 20
SIZE, RESERVE, LEFT = 48, 8, 1 # MiB: the disk, the reserve, what the database may still take
CLIENTS = 4
REVOCATIONS = 2000 if lab.TORTURE else 150 # the log has to be brought into the database on the way
ANSWERS, LATER, WRONG = range(3)
FULL = "the certificate authority's disk is full and it can only revoke; try again later"


class Tmpfs:
    """The database's folder is a file system of its own; a file takes the room."""
    def __init__(self, folder, shim, place):
        if os.geteuid():
            raise Skip("mounting needs root")
        self.folder, self.filler, self.env = folder, folder + "/filler", {}
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}m,mode=0700", "none", folder],
                          stderr=subprocess.DEVNULL).returncode:
            raise Skip("mounting is not permitted")

    def fill(self, left=LEFT * MIB):
        disk = os.statvfs(self.folder)
        with open(self.filler, "ab") as f:
            most = disk.f_bavail * disk.f_frsize - left
            if most > 0:
                os.posix_fallocate(f.fileno(), f.tell(), most)

    def empty(self):
        os.remove(self.filler)

    def close(self):
        subprocess.run(["umount", "-l", self.folder], check=True)


class Quota:
    def __init__(self, folder, shim, place):
        self.folder, self.disk = folder, Disk(shim, place, folder)
        self.env = self.disk.env

    def fill(self, left=LEFT * MIB):
        used = sum(os.stat(f"{self.folder}/{n}").st_blocks * 512 for n in os.listdir(self.folder))
        self.disk.quota((used + left) >> 10)

    def empty(self):
        self.disk.quota(0)

    def close(self):
        pass


class Full(Storm):
    def log(self):
        return lab.read(self.ca.dir + "/ca.log").decode()

    def wait_for(self, clients, which, n):
        goal = clients.count()[which] + n
        def there():
            count = clients.count()
            return count[which] >= goal or count[WRONG]
        lab.wait_until(there, 120)

    def revoke(self, client, rng):
        serials = [str(rng.getrandbits(100)) for _ in range(REVOCATIONS)]
        for serial in serials:
            status, answer = client.revoke(serial)
            need(status == 200, f"revocation on a full disk: {status} {answer}")
        return serials

    def refused(self, client):
        status, answer = client.sign(client.token())
        need((status, answer) == (503, {"status": 503, "message": FULL}), f"on a full disk: {status} {answer}")

    def story(self, where, shim):
        rng = random.Random(f"{lab.SEED} {where.__name__}")
        folder = self.ca.steppath + "/db"
        self.disk = where(folder, shim, self.ca.folder)
        try:
            return self.tell(rng, folder)
        except AssertionError as why:
            raise AssertionError(f"{why}\n{subprocess.run(['ls', '-lsk', folder], stdout=subprocess.PIPE, text=True).stdout}"
                                 + "\n".join(l[:300] for l in self.log().splitlines() if "level=error" in l and "msg=request" not in l or
                                          "/revoke status=503" in l)) from None
        finally:
            self.ca.kill()
            self.disk.close()

    def tell(self, rng, folder):
        env = dict(self.ca.env, **self.disk.env)
        self.ca.configure(lambda conf: conf["db"].update(reserveBytes=RESERVE * MIB))
        self.restart(env)
        reserve = folder + "/perennial.reserve"
        need(os.stat(reserve).st_blocks * 512 >= RESERVE * MIB, "there is no reserve")
        hand = lab.Client(self.ca, "hand")
        status, answer = hand.sign(hand.token())
        need(status == 201, answer)
        hand.save(answer)
        said = len(self.log())
        clients = self.begin(rng, "-f")
        try:
            self.wait_for(clients, ANSWERS, 100)
            self.disk.fill()
            self.wait_for(clients, LATER, 20)
            self.disk.fill(0) # somebody takes what the reserve did not keep
            revoked = self.revoke(hand, rng)
            self.refused(hand)
            need("the disk is full: nothing is issued or renewed" in self.log()[said:], self.log()[said:])
            told = clients.stop()
        finally:
            clients.end()
        need(not told.wrong, "under load: " + "\n".join(told.wrong))
        need(told.later and not [t for t in told.later if t.startswith("revoke")], "a revocation was put off")

        need(self.ca.kill() == -9, "step-ca ended before it was killed")
        self.restart(env)
        self.refused(hand)
        status, answer = hand.renew()
        need(status == 503, f"renewal on a full disk: {status} {answer}")
        revoked += self.revoke(hand, rng)
        self.all_there(told)
        self.whole()

        self.disk.empty()
        lab.wait_until(lambda: hand.sign(hand.token())[0] == 201)
        need("there is room on the disk again" in self.log(), self.log()[said:])
        need(os.stat(reserve).st_blocks * 512 >= RESERVE * MIB, "the reserve was not made whole")
        need(hand.renew()[0] == 201, "not renewed")
        there = {r[0] for r in self.ca.query("SELECT serial FROM revocations")}
        need(there.issuperset(revoked), "a revocation is lost")
        self.all_there(told)
        self.whole()
        return f"{told}; {len(told.later)} put off, {len(revoked)} more revocations on the full disk"


def main():
    scenes.unshare()
    tap = lab.Tap()
    for where in (Tmpfs, Quota):
        world = Full(sys.argv[2], CLIENTS)
        world.ca.stop()
        tap.run(where.__name__.lower(), world.story, where, sys.argv[1])
    tap.end()


main()
