"""What the fault tests share: TAP on stdout, a printed seed, a real CA in a folder of its own, tokens for it, what its
store holds, and pairs of certificate and key.

BUILD_DIR names the folder with the programs (default: build-test of this checkout). PERENNIAL_TORTURE=1: all points
instead of a sample. PERENNIAL_SEED: the sample of an earlier run."""
import atexit, base64, ctypes, hashlib, http.client, json, mmap, os, random, secrets, shutil, signal, sqlite3, ssl, struct
import subprocess, sys, tempfile, time, traceback

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BUILD_DIR") or os.path.join(HERE, "../../build-test"))
TORTURE = bool(os.environ.get("PERENNIAL_TORTURE"))
SEED = int(os.environ.get("PERENNIAL_SEED") or secrets.randbelow(10**9) + 1)
PASSWORD = "p4ssword"
PROVISIONER = "lab"


# --- TAP ---

class Skip(Exception):
    """The machine lacks something that the test needs."""


class Tap:
    def __init__(self):
        self.n = self.failed = 0
        print(f"# PERENNIAL_SEED={SEED}", flush=True)

    def say(self, ok, name, text=""):
        self.n += 1
        self.failed += not ok
        print(f"{'ok' if ok else 'not ok'} {self.n} - {name}", flush=True)
        for line in text.splitlines():
            print("#   " + line, flush=True)

    def skip(self, name, why):
        self.n += 1
        print(f"ok {self.n} - {name} # SKIP {why}", flush=True)

    def run(self, name, test, *args):
        """test returns a note for the name, or raises."""
        try:
            note = test(*args)
            self.say(True, f"{name}: {note}" if note else name)
        except Skip as why:
            self.skip(name, str(why))
        except AssertionError as why:
            self.say(False, name, f"PERENNIAL_SEED={SEED}\n{why}")
        except Exception:
            self.say(False, name, f"PERENNIAL_SEED={SEED}\n{traceback.format_exc()}")

    def end(self):
        print(f"1..{self.n}", flush=True)
        sys.exit(1 if self.failed else 0)


def need(condition, text):
    if not condition:
        raise AssertionError(text() if callable(text) else text)


def sample(name, points, most):
    """Some of the points, by the seed and the name; all of them with PERENNIAL_TORTURE."""
    points = list(points)
    need(points, f"{name}: there is nothing to sample")
    if TORTURE or len(points) <= most:
        return points
    return random.Random(f"{SEED} {name}").sample(points, most)


# --- OpenSSL: pairs and signatures without a process for each ---

crypto = ctypes.CDLL("libcrypto.so.3")
for _name in ("BIO_new_mem_buf", "PEM_read_bio_X509", "PEM_read_bio_PrivateKey", "X509_get0_serialNumber", "X509_get0_pubkey",
              "ASN1_INTEGER_to_BN", "BN_bn2dec", "EVP_MD_CTX_new", "EVP_sha256"):
    getattr(crypto, _name).restype = ctypes.c_void_p


def _pem(reader, raw, *rest):
    bio = ctypes.c_void_p(crypto.BIO_new_mem_buf(raw, len(raw)))
    try:
        got = reader(bio, None, None, *rest)
        crypto.ERR_clear_error()
        return ctypes.c_void_p(got) if got else None
    finally:
        crypto.BIO_free(bio)


class Cert:
    """The first certificate of PEM text; .x is None where there is none."""
    def __init__(self, raw):
        self.x = _pem(crypto.PEM_read_bio_X509, raw, None)

    def __del__(self):
        crypto.X509_free(self.x)

    @property
    def serial(self):
        bn = ctypes.c_void_p(crypto.ASN1_INTEGER_to_BN(ctypes.c_void_p(crypto.X509_get0_serialNumber(self.x)), None))
        text = ctypes.c_void_p(crypto.BN_bn2dec(bn))
        serial = ctypes.string_at(text).decode()
        crypto.CRYPTO_free(text, b"", 0)
        crypto.BN_free(bn)
        return serial


class Key:
    def __init__(self, raw, password=PASSWORD):
        self.k = _pem(crypto.PEM_read_bio_PrivateKey, raw, ctypes.c_char_p(password.encode()))

    def __del__(self):
        crypto.EVP_PKEY_free(self.k)

    def fits(self, cert):
        fits = bool(self.k and cert.x and crypto.X509_check_private_key(cert.x, self.k) == 1)
        crypto.ERR_clear_error()
        return fits

    def sign(self, message):
        """ES256, in the form of JWS."""
        ctx = ctypes.c_void_p(crypto.EVP_MD_CTX_new())
        n, out = ctypes.c_size_t(128), ctypes.create_string_buffer(128)
        ok = crypto.EVP_DigestSignInit(ctx, None, ctypes.c_void_p(crypto.EVP_sha256()), None, self.k) == 1 and \
            crypto.EVP_DigestSign(ctx, out, ctypes.byref(n), message, ctypes.c_size_t(len(message))) == 1
        crypto.EVP_MD_CTX_free(ctx)
        assert ok
        der, at, parts = out.raw[:n.value], 2, b""
        for _ in range(2):
            size = der[at + 1]
            parts += int.from_bytes(der[at + 2:at + 2 + size], "big").to_bytes(32, "big")
            at += 2 + size
        return parts


def read(path):
    """The bytes, or None where there is no such file."""
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return None


def pair_fits(crt, key):
    crt, key = read(crt), read(key)
    return crt is not None and key is not None and Key(key).fits(Cert(crt))


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def b64_json(value):
    return b64(json.dumps(value, separators=(",", ":")).encode())


# --- programs ---

def make_folder():
    """Readable by other users, so that step can be run as one."""
    folder = os.path.realpath(tempfile.mkdtemp(prefix="fault."))
    if not os.environ.get("KEEP"):
        atexit.register(shutil.rmtree, folder, True)
    os.chmod(folder, 0o755)
    os.mkdir(folder + "/bin")
    for program in ("step", "step-ca"):
        shutil.copy(os.path.join(BUILD, program), folder + "/bin/")
    return folder


def environment(steppath, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("STEP") and k != "STATE_DIRECTORY"}
    return dict(env, STEPPATH=steppath, STEP_NON_INTERACTIVE="1", **more)


def run(*argv, env=None, cwd=None):
    """(exit status, everything it said)"""
    r = subprocess.run(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=60)
    return r.returncode, r.stdout.decode(errors="replace")


def wait_until(what, seconds=60):
    end = time.monotonic() + seconds
    while not what():
        need(time.monotonic() < end, "waited in vain")
        time.sleep(0.005)


class Ca:
    """A CA below folder/ca. Its provisioner "lab" has a key that this process holds."""
    def __init__(self, folder):
        self.folder, self.dir, self.process = folder, folder + "/ca", None
        self.steppath = self.dir + "/step"
        os.makedirs(self.steppath, 0o700)
        self.step, self.step_ca = folder + "/bin/step", folder + "/bin/step-ca"
        self.env = environment(self.steppath)
        self.password = self.dir + "/password.txt"
        with open(self.password, "w") as f:
            f.write(PASSWORD)
        status, said = run(self.step, "ca", "init", "--name", "Lab", "--provisioner", "admin", "--dns", "localhost",
                           "--address", "127.0.0.1:0", "--password-file", self.password, env=self.env)
        assert status == 0, said
        self.root = self.steppath + "/certs/root_ca.crt"
        self.add_provisioner()
        self.port = None
        atexit.register(self.kill)

    def add_provisioner(self):
        pem = subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], check=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        spki = subprocess.run(["openssl", "pkey", "-pubout", "-outform", "DER"], input=pem, check=True,
                              stdout=subprocess.PIPE).stdout
        self.key, self.provisioner_key = Key(pem), self.dir + "/lab.key"
        with open(self.provisioner_key, "wb") as f:
            f.write(pem)
        jwk = {"crv": "P-256", "kty": "EC", "x": b64(spki[-64:-32]), "y": b64(spki[-32:])}
        text = json.dumps(jwk, separators=(",", ":"), sort_keys=True)
        self.kid = b64(hashlib.sha256(text.encode()).digest())
        ours = {"type": "JWK", "name": PROVISIONER, "key": dict(jwk, use="sig", alg="ES256", kid=self.kid)}
        self.configure(lambda conf: conf["authority"]["provisioners"].append(ours))
        self.configure(lambda conf: conf.setdefault("limits", {}).update(renewalsPerHour=0))  # our lines never rest

    @property
    def url(self):
        return f"https://localhost:{self.port}"

    def configure(self, change):
        """Edits ca.json; read at the next start."""
        path = self.steppath + "/config/ca.json"
        with open(path) as f:
            conf = json.load(f)
        change(conf)
        with open(path, "w") as f:
            json.dump(conf, f)

    def keep_port(self):
        """The port that the kernel chose stays through restarts, and tokens with it."""
        self.configure(lambda conf: conf.update(address=f"127.0.0.1:{self.port}"))

    def start(self, env=None, under=()):
        """under: a program with its arguments that runs it."""
        self.launch(env, under)
        wait_until(lambda: self.serves() or self.process.poll() is not None)
        need(self.process.poll() is None, lambda: "step-ca did not start:\n" + read(self.dir + "/ca.log").decode()[-2000:])
        self.port = int(read(self.dir + "/port"))
        path = self.steppath + "/config/defaults.json"
        with open(path) as f:
            defaults = json.load(f)
        with open(path, "w") as f:
            json.dump(dict(defaults, **{"ca-url": self.url}), f)

    def serves(self):
        return bool(read(self.dir + "/port"))

    def launch(self, env, under):
        port_file, log = self.dir + "/port", self.dir + "/ca.log"
        if os.path.exists(port_file):
            os.remove(port_file)
        argv = [*under, self.step_ca, self.steppath + "/config/ca.json", "--password-file", self.password, "--port-file",
                port_file]
        with open(log, "ab") as err:
            self.process = subprocess.Popen(argv, env=env or self.env, stdin=subprocess.DEVNULL, stdout=err, stderr=err)

    def end(self, how):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(60) if self.process else 0

    def kill(self):
        return self.end(signal.SIGKILL)

    def stop(self):
        status = self.end(signal.SIGTERM)
        need(status == 0, lambda: f"step-ca ended with {status}:\n" + read(self.dir + "/ca.log").decode()[-2000:])

    def token(self, subject, audience="/1.0/sign", **claims):
        now = int(time.time())
        claims = dict({"aud": self.url + audience, "iss": PROVISIONER, "sub": subject, "sans": [subject], "iat": now,
                       "nbf": now, "exp": now + 300, "jti": secrets.token_hex(16)}, **claims)
        text = b64_json({"alg": "ES256", "kid": self.kid, "typ": "JWT"}) + "." + b64_json(claims)
        return text + "." + b64(self.key.sign(text.encode()))

    def query(self, sql, *args):
        """Of the running CA's store, read-only."""
        db = sqlite3.connect(f"file:{self.steppath}/db/perennial.db?mode=ro", uri=True)
        try:
            return db.execute(sql, args).fetchall()
        finally:
            db.close()

    def knows(self, serial):
        return bool(self.query("SELECT 1 FROM certs WHERE serial = ?", serial))


class Client:
    """Speaks to the CA as step does, without a process for each request. One per thread."""
    def __init__(self, ca, name):
        self.ca, self.name = ca, name
        self.crt, self.key = f"{ca.folder}/{name}.crt", f"{ca.folder}/{name}.key"
        self.subject = name + ".local"
        self.csr = subprocess.run(
            ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key,
             "-subj", "/CN=" + self.subject, "-addext", "subjectAltName=DNS:" + self.subject],
            check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()

    def ask(self, method, path, body=None, mtls=False):
        """(status, answer) of a request on a connection of its own; raises where the connection breaks."""
        context = ssl.create_default_context(cafile=self.ca.root)
        if mtls:
            context.load_cert_chain(self.crt, self.key)
        c = http.client.HTTPSConnection("localhost", self.ca.port, timeout=30, context=context)
        try:
            c.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
            answer = c.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            c.close()

    def save(self, answer):
        """The new certificate, as the client's; returns its serial."""
        text = "".join(answer["certChain"])
        with open(self.crt, "w") as f:
            f.write(text)
        return Cert(text.encode()).serial

    def token(self):
        return self.ca.token(self.subject)

    def sign(self, token):
        return self.ask("POST", "/1.0/sign", {"csr": self.csr, "ott": token})

    def renew(self):
        return self.ask("POST", "/1.0/renew", mtls=True)

    def revoke(self, serial):
        return self.ask("POST", "/1.0/revoke", {"serial": serial, "passive": True, "reasonCode": 4, "reason": "test",
                                                "ott": self.ca.token(serial, "/1.0/revoke")})


class Disk:
    """A folder whose disk fails on command, for the programs that are started with .env (shim.c)."""
    WRITE, SYNC, RENAME, CREATE, SPACE = 1, 2, 4, 8, 16
    ANY = 31
    SHORT = 1000
    EVER = 2**31
    FIELDS = "7I"

    def __init__(self, shim, place, folder):
        path = place + "/disk"
        with open(path, "wb") as f:
            f.write(bytes(struct.calcsize(self.FIELDS)) + folder.encode() + b"\0")
            os.fchmod(f.fileno(), 0o666)
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 0)
        library = shutil.copy(shim, place + "/bin/")
        self.env = {"LD_PRELOAD": library, "FAULT_CONTROL": path}

    def write(self, *values):
        struct.pack_into(self.FIELDS, self.map, 0, *values)

    def fail(self, kinds, n, times, how):
        """From the n-th call of these kinds on, so many fail."""
        self.write(kinds, n, 0, how, 0, 0, 0)
        self.write(kinds, n, times, how, 0, 0, 0)

    def mend(self):
        """How many calls have failed."""
        struct.pack_into("I", self.map, 8, 0)
        return self.struck()

    def quota(self, kib):
        """What the folder may hold; 0: as much as there is."""
        struct.pack_into("I", self.map, 24, kib)

    def seen(self):
        return struct.unpack_from(self.FIELDS, self.map, 0)[4]

    def struck(self):
        return struct.unpack_from(self.FIELDS, self.map, 0)[5]
