"""A real systemd, PID 1, in a container: the host's /usr, read-only, with the files of `make install` laid over it, and
everything else empty. It has a network of its own, which is a loopback device. Boots in less than a second."""
import os, shutil, subprocess, tempfile, time

STEADY = ["--register=no", "--keep-unit", "--settings=no", "--link-journal=no", "--private-network", "--console=pipe"]


class Denied(Exception):
    pass


class Container:
    def __init__(self, destdir):
        self.name = f"perennial{os.getpid()}"
        self.log = tempfile.NamedTemporaryFile(prefix="nspawn.", mode="w+")
        self.base = ["systemd-nspawn", "-q", "-D", "/", "--volatile=yes", f"--machine={self.name}",
                     f"--overlay-ro=/usr:{destdir}/usr:/usr", *STEADY]
        self.leader = None

    def probe(self):
        """Raises Denied with the reason where this machine does not allow a container."""
        if os.geteuid() != 0:
            raise Denied("not root")
        for tool in ("systemd-nspawn", "nsenter"):
            if not shutil.which(tool):
                raise Denied(f"{tool} is not installed")
        r = subprocess.run([*self.base, "/bin/true"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.sweep()
        if r.returncode:
            raise Denied("nspawn is denied here: " + (r.stderr.strip().splitlines() or ["no reason given"])[0])

    def boot(self):
        self.nspawn = subprocess.Popen(
            [*self.base, "-b", "systemd.unit=basic.target", *(f"systemd.mask={u}.service" for u in (
                "systemd-firstboot", "systemd-networkd", "systemd-networkd-wait-online"))],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        until(self.is_up, "the container boots", 30)

    def is_up(self):
        if self.nspawn.poll() is not None:
            raise AssertionError("nspawn ended: " + open(self.log.name).read()[-2000:])
        kids = subprocess.run(["pgrep", "-P", str(self.nspawn.pid)], capture_output=True, text=True).stdout.split()
        if not kids:
            return False
        self.leader = kids[0]
        return self.run("systemctl is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def run(self, script, check=True, env=None):
        r = subprocess.run(["nsenter", "-t", self.leader, "-a", "--", "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:"
                            "/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", *(env or []), "sh", "-c", script],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if check and r.returncode:
            raise AssertionError(f"{script}\nended with {r.returncode}: {r.stdout}{r.stderr}")
        return r

    def out(self, script):
        return self.run(script).stdout.strip()

    def write(self, path, text, mode=0o644):
        """A file in the container. Its root is a tmpfs that only its own processes see."""
        self.run(f"mkdir -p '{os.path.dirname(path)}'")
        subprocess.run(["nsenter", "-t", self.leader, "-a", "--", "sh", "-c", f"cat >'{path}' && chmod {mode:o} '{path}'"],
                       input=text, text=True, check=True)

    def show(self, unit, *names):
        lines = self.out(f"systemctl show {unit} " + " ".join("-p " + n for n in names)).splitlines()
        values = dict(line.split("=", 1) for line in lines)
        return values[names[0]] if len(names) == 1 else [values[n] for n in names]

    def journal(self, unit):
        return self.out(f"journalctl -q --no-pager -o cat -u {unit}")

    def stop(self):
        if self.leader:
            self.run("systemctl --force --force poweroff", check=False)  # what is in it needs no farewell
            try:
                self.nspawn.wait(20)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
                self.nspawn.wait()
        self.sweep()

    def sweep(self):
        """nspawn leaves an empty folder behind where it does not trust itself to remove it."""
        try:
            os.rmdir(f"/run/systemd/nspawn/propagate/{self.name}")
        except OSError:
            pass


def until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"never happened: {what}")
