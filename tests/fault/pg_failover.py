#!/usr/bin/env python3
"""Two PostgreSQL servers, one the synchronous standby of the other, and two step-ca that know both. The primary dies under
load, or freezes, and the standby is promoted: step-ca goes on there by itself; its clients meet 503 at worst; what they were
told is there, byte by byte; used tokens stay used and revocations stand. Then the old primary comes back as if nothing had
happened, answering alone: nobody writes to it, also not a step-ca that is started anew. At last it follows the new one, and
the next time it takes over from that.

usage: pg_failover.py CALOAD"""
import copy, os, random, shutil, sys
import lab, pgserver
from lab import need
from storm import Clients, Storm

ROUNDS = 10 if lab.TORTURE else 1 # there and back again
CLIENTS = 4 # of each node
MOST = 150  # answers before it ends
AFTER = 20  # and each time it has changed


class Pair:
    def __init__(self):
        self.primary = pgserver.Server()
        self.standby = pgserver.Server("pg_folder")
        self.names = {self.primary: "east", self.standby: "west"}
        with open(self.standby.dir + "/port", "w") as f:
            f.write("0")
        self.follow("pg_start_somewhere")
        hosts = ",".join(self.address(s) for s in self.names)
        self.url = f"postgresql://step@{hosts}/ca?target_session_attrs=read-write"

    def address(self, server):
        return "127.0.0.1:" + lab.read(server.dir + "/port").decode().strip()

    def follow(self, start="pg_start"):
        """From here on, what is committed is on both."""
        name = self.names[self.standby]
        self.standby.bash(f"pg_follow {self.primary.dir} {name} && {start}")
        self.primary.bash(f"pg_set synchronous_standby_names {name}")
        lab.wait_until(lambda: self.primary.query("SELECT sync_state FROM pg_stat_replication") == [("sync",)])

    def promote(self):
        self.primary, self.standby = self.standby, self.primary
        self.primary.bash("pg_promote")

    def split(self):
        """The old primary is there again, and no longer waits for a standby."""
        if os.path.exists(self.standby.dir + "/data/postmaster.pid"):
            self.standby.bash("pg_signal CONT; pg_set synchronous_standby_names ''")
        else:
            with open(self.standby.dir + "/data/postgresql.auto.conf", "a") as f:
                f.write("synchronous_standby_names = ''\n")
            self.standby.start()
        lab.wait_until(lambda: self.standby.query("SELECT count(*) FROM pg_stat_activity"
                                                  " WHERE application_name = 'step-ca' AND state <> 'idle'") == [(0,)])
        self.old = self.certs_there()

    def certs_there(self):
        return {r[0] for r in self.standby.query("SELECT serial FROM certs")}

    def cut(self):
        """Each node connects anew."""
        self.primary.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'step-ca'")

    def rejoin(self):
        self.standby.end("kill")
        self.follow()


class World(Storm):
    def __init__(self, caload):
        self.pair = Pair()
        super().__init__(caload, CLIENTS)
        self.ca.stop()
        self.ca.configure(lambda conf: conf.update(db={"type": "postgresql", "dataSource": self.pair.url}))
        self.ca.query = lambda sql: self.pair.primary.query(sql)
        self.nodes = [self.ca, self.twin()]
        for node in self.nodes:
            node.start()
        self.nodes[1].keep_port()

    def twin(self):
        node = copy.copy(self.ca)
        node.dir = node.folder + "/twin"
        node.steppath = node.dir + "/step"
        shutil.copytree(self.ca.dir, node.dir)
        node.env = lab.environment(node.steppath)
        node.configure(lambda conf: conf.update(address="127.0.0.1:0"))
        lab.atexit.register(node.kill)
        return node

    def until(self, parties, more):
        """Each is answered so often once again, or badly."""
        goals = [(c, c.count()[0] + more) for c in parties]
        lab.wait_until(lambda: all(c.count()[0] >= goal or c.count()[2] for c, goal in goals), 120)

    def fail_over(self, i):
        rng = random.Random(f"{lab.SEED} failover {i}")
        if i:
            self.pair.rejoin()
        how = "freezes" if i % 5 == 2 else "dies"
        nodes = self.nodes[:1] if i % 3 == 2 else self.nodes
        pids = [n.process.pid for n in self.nodes]
        after = rng.randint(1, MOST)
        parties = [Clients(self.caload, n, CLIENTS, rng, "-f") for n in nodes]
        try:
            self.until(parties, after)
            self.pair.primary.bash("pg_signal STOP" if how == "freezes" else "pg_kill")
            self.pair.promote()
            self.until(parties, AFTER)
            self.pair.split()
            self.pair.cut()
            self.until(parties, AFTER)
            need(pids == [n.process.pid for n in self.nodes if n.process.poll() is None], "step-ca has ended")
            told = [p.stop() for p in parties]
            note = ", ".join(str(self.true(p, t)) for p, t in zip(parties, told))
            self.start_between_two(nodes[-1])
            for p in parties:
                self.holds(p)
            if i % 4 == 1:
                self.rather_none(i)
            need(self.pair.certs_there() == self.pair.old, "the old primary was written to")
        finally:
            for p in parties:
                p.end()
        return f"the primary {how} after {after} answers; {note}"

    def true(self, clients, told):
        need(not told.wrong, "under load: " + "\n".join(told.wrong[:5]))
        need(not any("conflict" in text.lower() for text in told.later), lambda: "\n".join(told.later))
        self.all_there(told)
        self.whole()
        return f"{told}, {len(told.later)} times 503"

    def rather_none(self, i):
        """Where only the old primary is there."""
        self.pair.primary.bash("pg_kill")
        client = lab.Client(self.ca, f"late{i}")

        def refused_and_told():
            status, answer = client.sign(client.token())
            need(status == 503, f"{status} {answer}")
            return b"an old primary that takes writes again" in lab.read(self.ca.dir + "/ca.log")
        try:
            lab.wait_until(refused_and_told)
        finally:
            self.pair.primary.start()
        lab.wait_until(lambda: client.sign(client.token())[0] == 201)

    def start_between_two(self, node):
        node.stop()
        node.start()


def main():
    tap = lab.Tap()
    pgserver.require(tap)
    world = World(sys.argv[1])
    for i in range(ROUNDS):
        tap.run(f"fail-over {i + 1}", world.fail_over, i)
    for node in world.nodes:
        tap.run("the CA ends cleanly", node.stop)
    tap.end()


main()
