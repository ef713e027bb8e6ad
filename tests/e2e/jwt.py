#!/usr/bin/env python3
"""Tokens made without any of Perennial's code: P-256 in plain Python, everything else from the standard library.

jwt.py new-key FILE              a private JWK (EC P-256) into FILE
jwt.py jwk PEM                   the public JWK of a key file (EC, RSA or Ed25519; read by openssl), with kid and alg
jwt.py public FILE               the public JWK of a file of new-key, with kid, alg and use
jwt.py make FILE [options]       a token signed with the key of FILE, on stdout
    --claims JSON                over the defaults (a good token of provisioner "py" for x.local); null removes one;
                                 "+300" and "-60" are seconds from now
    --header JSON                over {"alg":"ES256","kid":KID,"typ":"JWT"}
    --no-signature               an empty third part
jwt.py flip TOKEN                the same token with n-s for s: a second signature that verifies too
jwt.py header|claims TOKEN       that part, as JSON
jwt.py verify JWK TOKEN          exits 0 where the public JWK (file, P-256) verifies the token
jwt.py cursor NAME:KID INDEX     the cursor of a provisioner in GET /provisioners
"""
import argparse, base64, hashlib, json, os, secrets, subprocess, sys, time

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
     0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)


def add(p, q):
    if p is None or q is None:
        return p or q
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        m = (3 * p[0] * p[0] - 3) * pow(2 * p[1], -1, P)
    else:
        m = (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (m * m - p[0] - q[0]) % P
    return x, (m * (p[0] - x) - p[1]) % P


def times(k, p):
    r = None
    while k:
        if k & 1:
            r = add(r, p)
        p = add(p, p)
        k >>= 1
    return r


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def num(raw):
    return int.from_bytes(raw, "big")


def digest(text):
    return num(hashlib.sha256(text.encode()).digest())


def thumbprint(jwk):
    """RFC 7638"""
    members = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}[jwk["kty"]]
    text = json.dumps({m: jwk[m] for m in members}, separators=(",", ":"), sort_keys=True)
    return b64(hashlib.sha256(text.encode()).digest())


def named(jwk, alg):
    return {"use": "sig", "kid": thumbprint(jwk), "alg": alg, **jwk}


def public(key):
    return named({"kty": "EC", "crv": "P-256", "x": key["x"], "y": key["y"]}, "ES256")


def new_key(path):
    d = secrets.randbelow(N - 1) + 1
    x, y = times(d, G)
    jwk = {"kty": "EC", "crv": "P-256", "x": b64(x.to_bytes(32, "big")), "y": b64(y.to_bytes(32, "big")),
           "d": b64(d.to_bytes(32, "big"))}
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        json.dump(jwk, f)


def jwk_of_pem(path):
    def openssl(*args):
        return subprocess.run(("openssl", *args), check=True, stdout=subprocess.PIPE).stdout
    der = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")
    text = openssl("pkey", "-in", path, "-noout", "-text_pub").decode()
    for crv, size, alg in (("P-256", 32, "ES256"), ("P-384", 48, "ES384"), ("P-521", 66, "ES512")):
        if "NIST CURVE: " + crv in text:
            return named({"kty": "EC", "crv": crv, "x": b64(der[-2 * size:-size]), "y": b64(der[-size:])}, alg)
    if text.startswith("ED25519"):
        return named({"kty": "OKP", "crv": "Ed25519", "x": b64(der[-32:])}, "EdDSA")
    modulus = openssl("rsa", "-in", path, "-noout", "-modulus").decode().strip().split("=")[1]
    return named({"kty": "RSA", "n": b64(bytes.fromhex(modulus)), "e": "AQAB"}, "RS256")


def sign(key, text):
    z, d = digest(text), num(unb64(key["d"]))
    while True:
        k = secrets.randbelow(N - 1) + 1
        r = times(k, G)[0] % N
        s = pow(k, -1, N) * (z + r * d) % N
        if r and s:
            return b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def verify(jwk, token):
    head, body, sig = token.split(".")
    raw = unb64(sig)
    r, s, q = num(raw[:32]), num(raw[32:]), (num(unb64(jwk["x"])), num(unb64(jwk["y"])))
    on_curve = (q[1] ** 2 - q[0] ** 3 + 3 * q[0] - B) % P == 0
    if len(raw) != 64 or not (0 < r < N and 0 < s < N) or not on_curve:
        return False
    w = pow(s, -1, N)
    point = add(times(digest(head + "." + body) * w % N, G), times(r * w % N, q))
    return point is not None and point[0] % N == r


def part(obj):
    return b64(json.dumps(obj, separators=(",", ":")).encode())


def make(args):
    key, now = json.load(open(args.file)), int(time.time())
    url = os.environ.get("CA_URL", "https://localhost")
    claims = {"aud": url + "/1.0/sign", "iss": "py", "sub": "x.local", "jti": secrets.token_hex(32),
              "iat": now, "nbf": now, "exp": now + 300}
    claims.update(json.loads(args.claims))
    claims.setdefault("sans", [claims["sub"]])
    for name in ("iat", "nbf", "exp"):
        if isinstance(claims[name], str) and claims[name][0] in "+-":
            claims[name] = now + int(claims[name])
    header = {"alg": "ES256", "kid": thumbprint(public(key)), "typ": "JWT", **json.loads(args.header)}
    text = ".".join(part({k: v for k, v in o.items() if v is not None}) for o in (header, claims))
    return text + "." + ("" if args.no_signature else sign(key, text))


def flip(token):
    head, body, sig = token.split(".")
    raw = unb64(sig)
    return ".".join((head, body, b64(raw[:32] + (N - num(raw[32:])).to_bytes(32, "big"))))


def main():
    what, *rest = sys.argv[1:]
    if what == "new-key":
        new_key(rest[0])
    elif what == "jwk":
        print(json.dumps(jwk_of_pem(rest[0])))
    elif what == "public":
        print(json.dumps(public(json.load(open(rest[0])))))
    elif what == "flip":
        print(flip(rest[0]))
    elif what in ("header", "claims"):
        print(unb64(rest[0].split(".")[what == "claims"]).decode())
    elif what == "verify":
        return 0 if verify(json.load(open(rest[0])), rest[1]) else 1
    elif what == "cursor":
        # spec: 8 hex digits of the index, the last 32 of SHA-1 of the provisioner's id; leading zeros are not shown
        print(("%08x" % int(rest[1]) + hashlib.sha1(rest[0].encode()).hexdigest()[-32:]).lstrip("0"))
    elif what == "make":
        p = argparse.ArgumentParser()
        p.add_argument("file")
        p.add_argument("--claims", default="{}")
        p.add_argument("--header", default="{}")
        p.add_argument("--no-signature", action="store_true")
        print(make(p.parse_args(rest)))
    else:
        sys.exit(__doc__)
    return 0


if __name__ == "__main__":
    sys.exit(main())
