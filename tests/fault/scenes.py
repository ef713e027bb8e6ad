"""The commands of step that write several files as one transaction, the folders that they write in, and what must be
true of the files whatever happens on the way."""
import json, os, random, shutil, stat, subprocess, sys
import lab
from lab import Cert, Key, Skip, need, read, run

USER = 54321      # whom step runs as where it may not write in the folder
CRT, KEY = "d/foo.crt", "d/foo.key"
OLD_DEFAULTS = b'{\n\t"ca-url": "https://elsewhere.example.com"\n}\n'


class World:
    def __init__(self, folder):
        self.folder = folder
        self.ca = lab.Ca(folder)
        self.ca.start()
        self.top = folder + "/t"
        self.old = {}
        self.issue_old()

    def issue_old(self):
        """The pair that stands before each run, and an old root."""
        d = self.folder + "/old"
        os.mkdir(d)
        status, said = run(self.ca.step, "ca", "certificate", "foo.local", d + "/foo.crt", d + "/foo.key", "--token",
                           self.ca.token("foo.local"), env=self.ca.env)
        need(status == 0, said)
        status, said = run(self.ca.step, "certificate", "create", "Other", d + "/root.crt", d + "/root.key", "--profile",
                           "root-ca", "--no-password", "--insecure", env=self.ca.env)
        need(status == 0, said)
        crt, key = read(d + "/foo.crt"), read(d + "/foo.key")
        self.p12_password = self.folder + "/p12.txt"
        with open(self.p12_password, "w") as f:
            f.write(lab.PASSWORD)
        os.chmod(self.p12_password, 0o644)
        self.old = {"d/foo.pem": key + crt, "d/chain.pem": b"old\n", "d/foo.der": b"old\n", "d/foo.p12": b"old\n",
                    CRT: crt, KEY: key, "step/certs/root_ca.crt": read(d + "/root.crt"),
                    "step/config/defaults.json": OLD_DEFAULTS}


# --- modes: where the files lie, and as whom step runs ---

class Renaming:
    """Its own user may do everything in the folder."""
    name, in_place, prefix = "renamed", False, []

    def __init__(self, world):
        self.world = world

    def reset(self, files, folders, written):
        """written: the files that the command is about."""
        self.close()
        top = self.world.top
        for folder in ["", *folders]:
            os.makedirs(os.path.join(top, folder), 0o700, exist_ok=True)
        os.chmod(top, 0o755)
        for name, raw in files.items():
            self.put(name, raw)

    def put(self, name, raw):
        path = os.path.join(self.world.top, name)
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        with open(path, "wb") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(raw)

    def close(self):
        shutil.rmtree(self.world.top, True)


class Versioned(Renaming):
    """In a directory of versions."""
    name = "versions"

    def put(self, name, raw):
        link = os.path.join(self.world.top, "d/current")
        if name.startswith("d/current/") and not os.path.lexists(link):
            os.makedirs(os.path.join(self.world.top, "d/versions/000041"), 0o700)
            os.symlink("versions/000041", link)
        super().put(name, raw)


class NoRight(Renaming):
    """The folders belong to somebody else, the files are ours."""
    name, in_place = "in place, no right on the folder", True

    def __init__(self, world):
        super().__init__(world)
        if os.geteuid() == 0:
            if not shutil.which("setpriv"):
                raise Skip("setpriv is not installed")
            self.prefix = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]

    def reset(self, files, folders, written):
        super().reset(files, folders, written)
        top, root = self.world.top, os.geteuid() == 0
        for folder, _, names in os.walk(top):
            closed = os.path.relpath(folder, top) in [os.path.dirname(f) for f in written]
            if root:
                os.chown(folder, 0 if closed else USER, 0 if closed else USER)
                for name in names:
                    os.chown(os.path.join(folder, name), USER, USER)
            os.chmod(folder, (0o755 if root else 0o555) if closed else 0o755)

    def close(self):
        if os.geteuid() and os.path.exists(self.world.top):
            subprocess.run(["chmod", "-R", "u+w", self.world.top], check=True)
        super().close()


class Mounted(Renaming):
    """Each file is a mount point, as in a container."""
    name, in_place = "in place, mounted files", True

    def __init__(self, world):
        super().__init__(world)
        if not os.environ.get("LAB_UNSHARED"):
            raise Skip("mounting is not permitted")
        self.mounted = []

    def reset(self, files, folders, written):
        super().reset(files, folders, written)
        for name in written:
            path = os.path.join(self.world.top, name)
            self.put("src/" + name, files[name])
            subprocess.run(["mount", "--bind", os.path.join(self.world.top, "src", name), path], check=True)
            self.mounted.append(path)

    def close(self):
        for path in getattr(self, "mounted", []):
            subprocess.run(["umount", path], check=True)
        self.mounted = []
        super().close()


# --- scenes: a command, and what must be true of its files ---

class Scene:
    """A command that writes certificate and key by the CA."""
    crt, key = CRT, KEY
    nobody = 0o077       # bits that no file with a key in it has
    files = (CRT, KEY)
    client = True        # it needs to know the CA
    folders = ("d", "step")
    had = True           # the files exist before
    known = True         # to the CA
    pair = True
    changes = files      # what a whole run changes

    def __init__(self, world):
        self.world, self.ca = world, world.ca

    def before(self):
        files = {n: self.world.old[n.replace("current/", "")] for n in self.files} if self.had else {}
        if self.client:
            files["step/certs/root_ca.crt"] = read(self.ca.root)
            files["step/config/defaults.json"] = json.dumps({"ca-url": self.ca.url, "root": self.top(
                "step/certs/root_ca.crt")}).encode()
        return files

    def top(self, name):
        return os.path.join(self.world.top, name)

    def again(self, journal, anything):
        """The next run."""
        return ["ca", "renew", "--force", self.top(self.crt), self.top(self.key)] if journal or anything else self.argv()

    def fits(self):
        return lab.pair_fits(self.top(self.crt), self.top(self.key))

    def owes(self):
        """Something has to follow the last renewal."""
        return False

    def check_whole(self, mode):
        """What else is true of new files."""

    def check_again(self, status, said, journal):
        self.check_told(said, journal)
        need(status == 0, f"the next run ended with {status}: {said}")

    def check_told(self, said, journal):
        need(not journal or "An interrupted run" in said, f"the next run does not tell what it completed: {said}")

    def check_refused(self, status, said, journal):
        """The next run of a command that replaces nothing: it completes what was begun, and refuses the rest."""
        self.check_told(said, journal)
        done = journal or self.complete
        need(status == (1 if done else 0) and ("exists already" in said) == bool(done),
             f"the next run ended with {status}: {said}")

    forced = False       # a next run that was refused is followed by one with --force
    follows = False      # needs-renewal may say yes because something is owed that was done just now
    complete = False     # all files were there before the next run


class Certificate(Scene):
    name = "ca certificate --force"

    def argv(self):
        return ["ca", "certificate", "foo.local", self.top(self.crt), self.top(self.key), "--force", "--token",
                self.ca.token("foo.local")]


class FirstCertificate(Certificate):
    name, had = "ca certificate", False

    def argv(self):
        return [a for a in super().argv() if a != "--force"]


class Rekey(Scene):
    name = "ca rekey --force"

    def argv(self):
        return ["ca", "rekey", "--force", self.top(self.crt), self.top(self.key)]


class Renew(Scene):
    name, changes = "ca renew --force", (CRT,)

    def argv(self):
        return ["ca", "renew", "--force", self.top(self.crt), self.top(self.key)]


class RekeyOutputs(Rekey):
    """With what other programs want of the pair, as part of the same transaction."""
    name = "ca rekey --force, with outputs"
    files = changes = (CRT, KEY, "d/foo.pem", "d/foo.der", "d/chain.pem", "d/foo.p12")

    def outputs(self):
        return ["--bundle-out", self.top("d/foo.pem"), "--der-out", self.top("d/foo.der"), "--chain-out",
                self.top("d/chain.pem"), "--p12-out", self.top("d/foo.p12"), "--p12-password-file", self.world.p12_password]

    def argv(self):
        return super().argv() + self.outputs()

    def again(self, journal, anything):
        return super().again(journal, anything) + self.outputs()

    def fits(self):
        bundle, crt, key, chain = (read(self.top(n)) for n in ("d/foo.pem", CRT, KEY, "d/chain.pem"))
        der = lab.base64.b64encode(read(self.top("d/foo.der")) or b"")
        leaf = b"".join((crt or b"").split(b"-----")[2].split())
        return super().fits() and Key(bundle).fits(Cert(crt)) and Cert(bundle).serial == Cert(crt).serial and \
            der == leaf and crt.endswith(chain) and Cert(chain).x is not None and self.p12_fits(crt)

    def p12_fits(self, crt):
        r = subprocess.run(["openssl", "pkcs12", "-in", self.top("d/foo.p12"), "-nodes", "-passin",
                            "file:" + self.world.p12_password], stdin=subprocess.DEVNULL, capture_output=True)
        return r.returncode == 0 and Key(r.stdout).fits(Cert(crt)) and Cert(r.stdout).serial == Cert(crt).serial


class Dressed(Rekey):
    """Owner, group and mode are asked for: they are part of what is completed."""
    name, nobody = "ca rekey --force, with modes", 0o037

    def argv(self):
        return [*super().argv(), "--mode", "0640", "--cert-mode", "0644"]

    def again(self, journal, anything):
        argv = super().again(journal, anything)
        return argv if journal else [*argv, "--mode", "0640", "--cert-mode", "0644"]

    def check_whole(self, mode):
        modes = [stat.S_IMODE(os.stat(self.top(n)).st_mode) for n in (self.crt, self.key)]
        kept = read(self.top(self.key)) == self.world.old[KEY] # by the next run, which only renews
        need(modes == [0o644, 0o600 if kept else 0o640], f"modes are {modes[0]:o} and {modes[1]:o}")


class RenewServed(Renew):
    """What follows a renewal is owed until it is done."""
    name = "ca renew --force --exec"
    served, follows = "step/served", True # what is owed is written down before, and crossed off after

    def before(self):
        return dict(super().before(), **{self.served: self.world.old[CRT]})

    def argv(self):
        return [*super().argv(), "--exec", f"cp {self.top(self.crt)} {self.top(self.served)}"]

    def again(self, journal, anything):
        return self.argv()

    def owes(self):
        return read(self.top(self.crt)) != read(self.top(self.served))

    def check_again(self, status, said, journal):
        super().check_again(status, said, journal)
        need(not self.owes(), "the new certificate is not served after the next run")


DAEMON_ENDS = "if grep -qzx -e --daemon /proc/$PPID/cmdline; then kill -TERM $PPID; fi"


class Daemon(RenewServed):
    """The daemon, through a renewal; the command that follows it ends it."""
    name, verb = "ca renew --daemon --exec", "renew"

    def hook(self):
        return ["--exec", f"sh -c 'cp {self.top(self.crt)} {self.top(self.served)} && {DAEMON_ENDS}'"]

    def argv(self):
        return ["ca", self.verb, "--daemon", "--expires-in", "24h", self.top(self.crt), self.top(self.key), *self.hook()]

    def again(self, journal, anything):
        return ["ca", self.verb, "--force", "--owed-first", self.top(self.crt), self.top(self.key), *self.hook()]


class DaemonRekey(Daemon):
    name, verb, changes = "ca rekey --daemon --exec", "rekey", (CRT, KEY)

    def again(self, journal, anything):
        return ["ca", "renew", *super().again(journal, anything)[2:]]


class InVersions:
    """All files change at once: whenever it is killed, what the link leads to belongs together."""
    crt, key = "d/current/foo.crt", "d/current/foo.key"

    def owes(self):
        if os.path.exists(self.top(self.crt)):
            need(Scene.fits(self), "a mixed pair in the current version")
        return super().owes()

    def check_whole(self, mode):
        super().check_whole(mode)
        versions = os.listdir(self.top("d/versions"))
        need(len(versions) <= 5, f"too many versions: {versions}")

    def check_told(self, said, journal):
        need(not journal and "interrupted" not in said, f"there is no journal here: {said}")


class RenewVersion(InVersions, RenewServed):
    name = "ca renew --force --exec, versions"
    files, changes = (InVersions.crt, InVersions.key), (InVersions.crt,)

    def before(self):
        files = Renew.before(self)
        return dict(files, **{self.served: files[self.crt]})


class RekeyVersion(InVersions, Rekey):
    name = "ca rekey --force --pair-dir"
    files = changes = (InVersions.crt, InVersions.key, "d/current/foo.pem")

    def argv(self):
        return ["ca", "rekey", "--force", "--pair-dir", self.top("d"), "foo.crt", "foo.key", "--bundle-out", "foo.pem"]

    def again(self, journal, anything):
        return [*super().again(journal, anything), "--bundle-out", self.top("d/current/foo.pem")]

    def fits(self):
        bundle, crt = read(self.top("d/current/foo.pem")), read(self.top(self.crt))
        return super().fits() and Key(bundle).fits(Cert(crt)) and Cert(bundle).serial == Cert(crt).serial


class FirstVersion(InVersions, FirstCertificate):
    name = "ca certificate --pair-dir"
    files = changes = (InVersions.crt, InVersions.key)

    def argv(self):
        return ["ca", "certificate", "foo.local", "foo.crt", "foo.key", "--pair-dir", self.top("d/"), "--token",
                self.ca.token("foo.local")]


class Create(Scene):
    name, known, client = "certificate create --force", False, False

    def argv(self):
        return ["certificate", "create", "foo.local", self.top(self.crt), self.top(self.key), "--profile", "self-signed", "--subtle",
                "--no-password", "--insecure", "--force"]

    def again(self, journal, anything):
        return self.argv()


class FirstCreate(Create):
    name, had, forced = "certificate create", False, True
    check_again = Scene.check_refused

    def argv(self):
        return [a for a in super().argv() if a != "--force"]


class Bootstrap(Scene):
    name, known, pair, client = "ca bootstrap --force", False, False, False
    files = changes = ("step/certs/root_ca.crt", "step/config/defaults.json")
    folders = ("step",)

    def argv(self):
        if not hasattr(Bootstrap, "fingerprint"):
            _, said = run(self.ca.step, "certificate", "fingerprint", self.ca.root, env=self.ca.env)
            Bootstrap.fingerprint = said.strip()
        return ["ca", "bootstrap", "--force", "--ca-url", self.ca.url, "--fingerprint", self.fingerprint]

    def again(self, journal, anything):
        return self.argv()

    def fits(self):
        root, defaults = read(self.top(self.files[0])), read(self.top(self.files[1]))
        return root == read(self.ca.root) and json.loads(defaults)["ca-url"] == self.ca.url


class FirstBootstrap(Bootstrap):
    name, had, forced = "ca bootstrap", False, True
    check_again = Scene.check_refused

    def argv(self):
        return [a for a in super().argv() if a != "--force"]


class Init(Scene):
    name, known, pair, had, client = "ca init", False, False, False, False
    check_again = Scene.check_refused
    files = changes = ("step/certs/root_ca.crt", "step/certs/intermediate_ca.crt", "step/secrets/intermediate_ca_key",
                       "step/secrets/root_ca_key", "step/config/ca.json", "step/config/defaults.json")
    folders = ("step",)

    def argv(self):
        return ["ca", "init", "--name", "Lab", "--provisioner", "admin", "--dns", "localhost", "--address", ":443",
                "--password-file", self.ca.password]

    def again(self, journal, anything):
        return self.argv()

    def fits(self):
        crts = [Cert(read(self.top("step/certs/" + n))) for n in ("root_ca.crt", "intermediate_ca.crt")]
        keys = [Key(read(self.top("step/secrets/" + n))) for n in ("root_ca_key", "intermediate_ca_key")]
        conf, defaults = (json.loads(read(self.top("step/config/" + n))) for n in ("ca.json", "defaults.json"))
        signed = lab.crypto.X509_verify(crts[1].x, lab.ctypes.c_void_p(lab.crypto.X509_get0_pubkey(crts[0].x))) == 1
        return signed and all(k.fits(c) for c, k in zip(crts, keys)) and conf["authority"]["provisioners"] and \
            conf["crt"] == self.top("step/certs/intermediate_ca.crt") and defaults["ca-url"] == "https://localhost"


# --- one run ---

class Trial:
    """A scene in a mode, and what must be true after a run that did not come to its end, and after the next."""
    def __init__(self, scene, mode):
        self.scene, self.mode, self.world = scene, mode, scene.world
        self.top, self.step = scene.world.top, scene.ca.step
        self.env = lab.environment(self.top + "/step")
        self.rng = random.Random(f"{lab.SEED} {scene.name} {mode.name}")

    def plain(self, *argv):
        return run(*self.mode.prefix, self.step, *argv, env=self.env, cwd="/")

    def reset(self):
        files = self.scene.before()
        self.mode.reset(files, self.scene.folders, self.scene.files)
        self.old = {n: files.get(n) for n in self.scene.files}

    def contents(self):
        return {n: read(self.scene.top(n)) for n in self.scene.files}

    def journals(self):
        return [p for p in self.hidden() if p.endswith(".journal")]

    def hidden(self):
        """What should be gone, folders too. A record of what is owed stays with the certificate (.NAME.state), and what a
        kill left of one for an hour."""
        return [os.path.join(f, n) for f, folders, names in os.walk(self.top) for n in names + folders
                if n.startswith(".") and not n.endswith(".state") and not (".state." in n and n.endswith(".tmp"))]

    def check_secrets(self):
        for folder, _, names in os.walk(self.top):
            for name in names:
                path = os.path.join(folder, name)
                mode = os.stat(path).st_mode
                if b"PRIVATE KEY" in (read(path) or b""):
                    need(stat.S_IMODE(mode) & self.scene.nobody == 0, f"others may read {path}: {mode:o}")

    def check_due(self, due):
        if self.scene.pair:
            status, said = self.plain("certificate", "needs-renewal", self.scene.top(self.scene.crt))
            need(status == (0 if due else 1), f"needs-renewal said {status}: {said}")

    def check_known(self):
        """A certificate file may be half written while a journal is open."""
        raw = read(self.scene.top(self.scene.crt)) if self.scene.known else None
        cert = Cert(raw) if raw else None
        if cert and cert.x:
            need(self.scene.ca.knows(cert.serial), f"the CA does not know {cert.serial}")

    def check_left(self):
        """After a kill. True where the journal is open."""
        now, journals = self.contents(), self.journals()
        self.check_secrets()
        need(len(journals) <= 1, f"two journals: {journals}")
        if journals:
            self.check_due(True)
        else:
            changed = {n for n in now if now[n] != self.old[n]}
            need(changed in (set(), set(self.scene.changes)), f"without a journal, {sorted(changed)} changed")
            if changed:
                self.scene.check_whole(self.mode)
            need(not changed or self.scene.fits(), "without a journal, the new files do not fit")
            if any(now.values()) and (self.scene.owes() or not self.scene.follows):
                self.check_due(self.scene.owes())
        self.check_known()
        return bool(journals)

    def check_end(self, journal, before):
        self.check_secrets()
        need(self.scene.fits(), "after the next run the files do not fit")
        self.check_known()
        self.check_due(False)
        # A refused run need not sweep; of a killed one it may leave the lock and claimed room without content.
        left = [p for p in self.hidden() if not self.refused or os.path.isdir(p) or
                read(p).strip(b"\0") and not p.endswith(".lock")]
        need(not left, f"left behind: {left}")
        self.scene.check_whole(self.mode)
        now = self.contents()
        for name in self.scene.files:
            kept = self.old[name] is not None and now[name] == self.old[name]
            if journal and name in self.scene.changes:
                need(not kept, f"{name}: the journal held a new one, and it is lost")
        key = self.scene.key
        if key in before and isinstance(self.scene, (Certificate, Rekey, Renew)) and not journal and before[key]:
            need(now[key] == before[key], "the key changed without need")

    def again(self, journal):
        before = self.contents()
        self.scene.complete = all(before.values())
        argv = self.scene.again(journal, any(before.values()))
        status, said = self.plain(*argv)
        self.scene.check_again(status, said, journal)
        if status and self.scene.forced:
            status, said = self.plain(*self.scene.argv(), "--force")
            need(status == 0, f"by force, the run ended with {status}: {said}")
        self.refused = status != 0
        return before


def unshare():
    """A mount namespace of our own, which ends with us: the process starts again in it."""
    if os.geteuid() or os.environ.get("LAB_UNSHARED"):
        return
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode == 0:
        os.environ["LAB_UNSHARED"] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, *sys.argv])


def play(kind, where, world, how):
    """Runs how(scene, mode).run(), and takes the mounts away."""
    mode = where(world)
    try:
        return how(kind(world), mode).run()
    finally:
        mode.close()
