#!/usr/bin/env python3
"""A TLS server that is no CA.   stub.py CERT KEY PORT-FILE MODE
MODE: what it does with every request: html (200), html502, empty200, json (a refusal as a CA words it), notcerts (201
with an answer that lacks the certificate), foreign:FILE (201 with this certificate for an answer), root:FILE (200 with this root), half (half an
answer), silent (reads, never answers), deaf (never even shakes hands), reset.  Ends at SIGTERM."""
import json, os, signal, socket, ssl, struct, sys, threading

cert, key, port_file, mode = sys.argv[1:5]
HTML = b"<html><head><title>Welcome to the hotel</title></head></html>\n"


def answer(status, kind, body, length=None):
    return b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
        status, kind, len(body) if length is None else length, body)


def foreign(path):
    pems = open(path).read().replace("-----END CERTIFICATE-----\n", "-----END CERTIFICATE-----\n\0").split("\0")[:-1]
    return answer(b"201 Created", b"application/json",
                  json.dumps({"crt": pems[0], "ca": pems[-1], "certChain": pems}).encode())


def root(path):
    return answer(b"200 OK", b"application/json", json.dumps({"ca": open(path).read()}).encode())


ANSWERS = {
    "html": answer(b"200 OK", b"text/html", HTML),
    "html502": answer(b"502 Bad Gateway", b"text/html", HTML),
    "empty200": answer(b"200 OK", b"text/plain", b""),
    "json": answer(b"418 Teapot", b"application/json", b'{"status":418,"message":"I am\\u001b[2J a teapot."}\n'),
    "notcerts": answer(b"201 Created", b"application/json", b'{"crt":7}\n'),
    "half": answer(b"200 OK", b"application/json", b'{"status":', 400),
}


def serve(raw, context):
    try:
        if mode == "deaf":
            threading.Event().wait()
        with context.wrap_socket(raw, server_side=True) as s:
            text = b""
            while b"\r\n\r\n" not in text:
                more = s.recv(65536)
                if not more:
                    return
                text += more
            if mode == "silent":
                threading.Event().wait()
            elif mode == "reset":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                os.close(s.detach())
            else:
                s.sendall(foreign(mode[8:]) if mode.startswith("foreign:") else
                          root(mode[5:]) if mode.startswith("root:") else ANSWERS[mode])
                s.unwrap()
    except (OSError, ValueError):
        pass


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
listener = socket.create_server(("127.0.0.1", 0))
with open(port_file + ".new", "w") as f:
    print(listener.getsockname()[1], file=f)
os.rename(port_file + ".new", port_file)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0], context), daemon=True).start()
