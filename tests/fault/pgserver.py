"""A PostgreSQL of the test's own, by tests/lib/pg.bash."""
import atexit, os, subprocess, time
from lab import need

BASH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib/pg.bash")


def require(tap):
    if subprocess.run(["bash", "-c", f". {BASH}; pg_bin"], stdout=subprocess.DEVNULL).returncode:
        tap.skip("PostgreSQL", "is not installed")
        tap.end()


class Server:
    def __init__(self, how="pg_init"):
        self.dir = self.bash(f'{how} >/dev/null && echo "$PG_DIR"').strip()
        atexit.register(self.bash, "pg_end")
        self.url = self.bash("pg_url").strip()

    def bash(self, command, status=0):
        env = dict(os.environ, PG_DIR=getattr(self, "dir", ""))
        r = subprocess.run(["bash", "-c", f". {BASH}; {command}"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
        need(r.returncode == status, lambda: f"{command}: {r.returncode} {r.stderr}")
        return r.stdout

    def pid(self):
        with open(self.dir + "/data/postmaster.pid") as f:
            return int(f.readline())

    def start(self):
        """The children of a server that was killed take a moment to notice."""
        end = time.monotonic() + 60
        while True:
            try:
                self.bash("pg_start")
                return
            except AssertionError:
                need(time.monotonic() < end, "PostgreSQL does not start again")
                time.sleep(0.1)

    def end(self, how):
        self.bash({"kill": "pg_kill", "fast": "pg_stop fast", "immediate": "pg_stop immediate"}[how])

    def query(self, sql):
        if sql.startswith("PRAGMA"):
            return [("ok",)]
        said = self.bash(f'pg_sql "{sql}"')
        count = sql.startswith("SELECT count")
        rows = (line.split("|") for line in said.splitlines())
        return [tuple(int(v) if count else bytes.fromhex(v[2:]) if v.startswith("\\x") else v for v in row) for row in rows]
