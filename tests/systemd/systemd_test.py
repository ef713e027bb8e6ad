#!/usr/bin/env python3
"""Renewal under a real systemd, with the units as `make install` puts them: a CA as step-ca.service, a real nginx with a
certificate of it, real timers, drop-ins, hooks that fail, the daemon units and a real cron. Prints TAP.

Certificates are made with a past: the CA signs them with a notBefore 23 hours ago, so that they are due at once and
their renewal is fresh. Timers differ from the installed ones by a drop-in that shortens OnCalendar.

usage: systemd_test.py BUILD-DIR"""
import json, os, shutil, subprocess, sys, tempfile, time, traceback
sys.dont_write_bytecode = True
from container import Container, Denied, until

BUILD = os.path.abspath(sys.argv[1])
CERTS = "/etc/step/certs"
EXAMPLES = None  # set by main: where make install put them
stories = []


def story(f):
    stories.append(f)
    return f


# ---- words ----

def prefix():
    got = subprocess.run(["meson", "introspect", BUILD, "--buildoptions"], capture_output=True, text=True, check=True).stdout
    return next(o["value"] for o in json.loads(got) if o["name"] == "prefix")


def due_certificate(c, name, crt=None, key=None, owner="root"):
    """A pair of which 23 of 24 hours are over."""
    crt, key = crt or f"{CERTS}/{name}.crt", key or f"{CERTS}/{name}.key"
    c.run(f"mkdir -p {os.path.dirname(crt)} && STEPPATH=/etc/step-ca step ca certificate {name} {crt} {key} --force "
          f"--provisioner-password-file /etc/step-ca/password.txt --not-before=-23h --not-after=24h && chown {owner}: {crt} {key}")
    return serial(c, crt)


def serial(c, crt):
    return c.out(f"openssl x509 -noout -serial -in {crt}")


def served(c, port=443, name="nginx"):
    return c.run(f"openssl s_client -connect 127.0.0.1:{port} -servername {name} </dev/null 2>/dev/null | openssl x509 -noout -serial",
                 check=False).stdout.strip()


def needs_renewal(c, crt):
    return c.run(f"step certificate needs-renewal {crt}", check=False).returncode


def every_second(c, name):
    c.write(f"/etc/systemd/system/cert-renewer@{name}.timer.d/often.conf",
            "[Timer]\nOnCalendar=\nOnCalendar=*:*:*\nRandomizedDelaySec=0\n")
    c.run(f"systemctl daemon-reload && systemctl enable --now cert-renewer@{name}.timer")


def drop_in(c, unit, text):
    c.write(f"/etc/systemd/system/{unit}.d/override.conf", text)
    c.run("systemctl daemon-reload")


def example(c, folder, **changes):
    """Puts an installed example where its text says it belongs."""
    place = f"/etc/systemd/system/{folder}"
    c.run(f"mkdir -p {place} && cp {EXAMPLES}/systemd/{folder}/* {place}/")
    for old, new in changes.values():
        c.run(f"grep -qF '{old}' {place}/override.conf && sed -i 's#{old}#{new}#' {place}/override.conf")
    c.run("systemctl daemon-reload")


# ---- the CA and the service ----

def set_up(c):
    c.write("/etc/hosts", "127.0.0.1 localhost grafana\n")
    c.run("mkdir -p /etc/step-ca && (umask 077; echo p4ssword >/etc/step-ca/password.txt)")
    c.run("STEPPATH=/etc/step-ca step ca init --name Speedy --provisioner admin --dns localhost --address 127.0.0.1:8443 "
          "--password-file /etc/step-ca/password.txt --provisioner-password-file /etc/step-ca/password.txt")
    c.run("chown -R step:step /etc/step-ca && systemctl enable --now step-ca.service")
    # The seed's user `step`, with a step path of his own and /home/step to write in.
    c.run("mkdir -p /home/step && chown step: /home/step && HOME=/etc/step-ca setpriv --reuid=step --regid=step --clear-groups "
          "step ca bootstrap --ca-url https://localhost:8443 --fingerprint "
          "$(step certificate fingerprint /etc/step-ca/certs/root_ca.crt)")


@story
def the_ca_runs_as_a_hardened_service(c):
    kind, status, user = c.show("step-ca.service", "Type", "StatusText", "User")
    assert (kind, user) == ("notify", "step") and status.startswith("Serving HTTPS on port 8443"), (kind, status, user)
    c.run("STEPPATH=/etc/step-ca step ca health")
    assert c.show("step-ca.service", "WatchdogUSec") == "30s"
    fed = lambda: c.show("step-ca.service", "WatchdogTimestampMonotonic")
    until(lambda: fed() not in ("0", ""), "WATCHDOG=1")


@story
def systemctl_reload_tells_of_a_bad_file(c):
    c.run("cp -p /etc/step-ca/config/ca.json /root/good.json && echo '{' >/etc/step-ca/config/ca.json && systemctl reload step-ca")
    until(lambda: "not reloaded" in c.show("step-ca.service", "StatusText"), "the status tells")
    assert "ca.json" in c.show("step-ca.service", "StatusText")
    c.run("cat /root/good.json >/etc/step-ca/config/ca.json && STEPPATH=/etc/step-ca step ca health && systemctl reload step-ca")
    until(lambda: c.show("step-ca.service", "StatusText").startswith("Serving"), "the status tells")


@story
def the_inventory_is_open_to_root_and_the_cas_user_only(c):
    assert c.out("stat -c '%a %U' /run/step-ca /run/step-ca/admin.sock") == "700 step\n600 step"
    as_user = lambda user, more="": c.run(f"{more} setpriv --reuid={user} --regid=$(id -g {user}) --clear-groups step ca outage --for 1h", check=False)
    for env in ("", "STEPPATH=/etc/step-ca"):
        c.run(f"{env} step ca list")
        assert "would expire within 1h" in as_user("step", env or "HOME=/home/step").stdout
        r = as_user("nobody", "STEPPATH=/nonexistent")
        assert r.returncode == 1 and "no right to /run/step-ca/admin.sock" in r.stderr, r.stderr
    assert "pid" in c.out("journalctl -u step-ca -o cat | grep 'admin request'")


@story
def the_backup_unit_copies_the_running_cas_database(c):
    c.run("systemctl start step-ca-backup.service")
    assert c.out("stat -c '%a %U' /var/lib/step-ca-backup /var/lib/step-ca-backup/perennial.db") == "700 step\n600 step"
    assert c.out("ls /var/lib/step-ca-backup") == "perennial.db"
    c.run("STEPPATH=/etc/step-ca setpriv --reuid=step --regid=step --clear-groups step-ca db check")


@story
def units_are_verified_and_their_exposure_is_told(c):
    folder = f"{PREFIX}/lib/systemd/system"
    most = {"step-ca.service": 2.0, "step-renew@.service": 2.5}
    for unit in c.out(f"cd {folder} && ls cert-renewer* step-*").split():
        c.run(f"systemd-analyze verify --man=no --recursive-errors=yes {folder}/{unit}")
        for page in [w for line in c.out(f"cat {folder}/{unit}").splitlines() if line.startswith("Documentation=")
                     for w in line.split("=", 1)[1].split()]:
            name, section = page.removeprefix("man:").rstrip(")").split("(")
            c.run(f"test -s {PREFIX}/share/man/man{section}/{name}.{section}")
        if unit.endswith(".service"):
            line = c.out(f"systemd-analyze security --offline=true --no-pager {folder}/{unit} | tail -1")
            print("# " + line.encode("ascii", "ignore").decode().strip())
            if unit in most:
                assert float(line.split(":")[1].split()[0]) <= most[unit], line


@story
def a_timer_renews_and_nginx_serves_it(c):
    if not shutil.which("nginx"):
        raise Denied("nginx is not installed")
    old = due_certificate(c, "nginx")
    c.run("mkdir -p /etc/nginx /var/log/nginx /var/lib/nginx")
    c.write("/etc/nginx/nginx.conf", "user root;\npid /run/nginx.pid;\nevents {}\nhttp { access_log off; server { listen 127.0.0.1:443 ssl; "
            f"ssl_certificate {CERTS}/nginx.crt; ssl_certificate_key {CERTS}/nginx.key; " "} }\n")
    c.run("systemctl start nginx")
    assert served(c) == old
    pid = c.show("nginx", "MainPID")
    every_second(c, "nginx")
    # a worker that is about to end may answer in between
    until(lambda: served(c) == serial(c, f"{CERTS}/nginx.crt") != old, "nginx serves the renewed certificate")
    assert c.show("nginx", "MainPID") == pid, "reloaded, not restarted"
    assert needs_renewal(c, f"{CERTS}/nginx.crt") == 1
    # The next ticks have nothing to do: skipped, neither renewed nor failed.
    until(lambda: "exec-condition" in c.journal("cert-renewer@nginx.service"), "a skipped run")
    until(lambda: served(c) == serial(c, f"{CERTS}/nginx.crt"), "nginx still serves it")
    assert c.run("systemctl is-failed cert-renewer@nginx.service", check=False).stdout.strip() == "inactive"
    c.run("systemctl stop cert-renewer.target")
    assert c.show("cert-renewer@nginx.timer", "ActiveState") == "inactive", "the target is the handle of all"


@story
def the_daemon_tells_nginx_by_a_signal(c):
    if not shutil.which("nginx"):
        raise Denied("nginx is not installed")
    old = due_certificate(c, "nginx")
    c.run("systemctl reload-or-restart nginx")
    until(lambda: served(c) == old, "nginx serves the old certificate")
    c.run("NGINX_PID=$(cat /run/nginx.pid); systemd-run -q --unit=seed -E STEPPATH=/etc/step-ca step ca renew --daemon "
          f'--exec "kill -HUP $NGINX_PID" {CERTS}/nginx.crt {CERTS}/nginx.key')
    # a worker that is about to end may answer in between
    until(lambda: served(c) == serial(c, f"{CERTS}/nginx.crt") != old, "nginx serves the renewed certificate")
    c.run("systemctl stop seed")


@story
def a_unit_is_reloaded_by_systemd_and_what_it_serves_is_seen(c):
    if not shutil.which("nginx"):
        raise Denied("nginx is not installed")
    old = due_certificate(c, "nginx")
    c.run("systemctl reload-or-restart nginx")
    until(lambda: served(c) == old, "nginx serves the old certificate")
    renew = f"STEPPATH=/etc/step-ca step ca renew --force --json {CERTS}/nginx.crt {CERTS}/nginx.key --verify localhost:443"
    got = json.loads(c.out(f"{renew} --reload-unit nginx.service"))
    assert (got["result"], got["owed"]) == ("renewed", 0), got
    until(lambda: served(c) == serial(c, f"{CERTS}/nginx.crt") != old, "no worker that is about to end answers any more")
    r = c.run(f"{renew} --reload-unit nosuch.service", check=False)
    assert r.returncode == 5 and "nosuch.service" in r.stderr and json.loads(r.stdout)["result"] == "hook-owed", r
    assert needs_renewal(c, f"{CERTS}/nginx.crt") == 0
    assert json.loads(c.out(renew.replace("--force", "") + " --reload-unit nginx.service"))["result"] == "completed"
    assert needs_renewal(c, f"{CERTS}/nginx.crt") == 1


@story
def a_certificate_that_does_not_exist_fails_the_unit(c):
    r = c.run("systemctl start cert-renewer@missing.service", check=False)
    assert r.returncode != 0
    assert c.show("cert-renewer@missing.service", "ActiveState", "Result") == ["failed", "exit-code"]
    assert f"stat {CERTS}/missing.crt: no such file or directory" in c.journal("cert-renewer@missing.service")


@story
def a_renewal_that_is_refused_fails_the_unit_and_owes_nothing(c):
    due_certificate(c, "refused")
    c.run(f"STEPPATH=/etc/step-ca step ca revoke --cert {CERTS}/refused.crt --key {CERTS}/refused.key")
    c.write("/etc/systemd/system/told@.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo %i >>/srv/told'\n")
    drop_in(c, "cert-renewer@refused.service", "[Unit]\nOnFailure=told@%n.service\n")
    assert c.run("systemctl start cert-renewer@refused.service", check=False).returncode != 0
    assert c.show("cert-renewer@refused.service", "ActiveState", "Result") == ["failed", "exit-code"]
    until(lambda: c.run("cat /srv/told", check=False).stdout == "cert-renewer@refused.service\n", "OnFailure= tells a person")
    assert "is owed" not in c.journal("cert-renewer@refused.service")


@story
def a_hook_that_fails_twice_is_tried_until_it_works(c):
    old = due_certificate(c, "flaky")
    c.write("/srv/flaky/hook", "#!/bin/sh\nn=$(($(cat /srv/flaky/count) + 1)); echo $n >/srv/flaky/count; [ $n -ge 3 ]\n", 0o755)
    c.write("/srv/flaky/count", "0\n")
    drop_in(c, "cert-renewer@flaky.service", "[Service]\nExecStartPost=/srv/flaky/hook\n")
    run = lambda: c.run("systemctl start cert-renewer@flaky.service", check=False).returncode
    assert run() != 0
    new = serial(c, f"{CERTS}/flaky.crt")
    assert new != old, "renewed"
    assert c.show("cert-renewer@flaky.service", "ActiveState", "Result") == ["failed", "exit-code"]
    assert "had to follow it has failed" in c.journal("cert-renewer@flaky.service")
    assert needs_renewal(c, f"{CERTS}/flaky.crt") == 0, "owed"
    every_second(c, "flaky")  # the timer does the rest
    until(lambda: c.out("cat /srv/flaky/count") == "3", "the third run of the hook")
    until(lambda: needs_renewal(c, f"{CERTS}/flaky.crt") == 1, "nothing is owed")
    until(lambda: "exec-condition" in c.journal("cert-renewer@flaky.service"), "a skipped run")
    c.run("systemctl stop cert-renewer@flaky.timer")
    assert c.out("cat /srv/flaky/count") == "3"
    assert serial(c, f"{CERTS}/flaky.crt") == new, "one renewal, three deployments"


@story
def the_override_for_docker_compose(c):
    where = "/etc/docker/compose/lighttpd"
    old = due_certificate(c, "example.com", f"{where}/certs/example.com.crt", f"{where}/certs/example.com.key")
    # What the example calls is not here: a stand-in that notes where and how it was called.
    c.write("/srv/docker-compose", "#!/bin/sh\necho \"$PWD $*\" >>/srv/compose.log\n", 0o755)
    example(c, "cert-renewer@lighttpd-docker.service.d", program=("/usr/local/bin/docker-compose", "/srv/docker-compose"))
    every_second(c, "lighttpd-docker")
    until(lambda: c.run("cat /srv/compose.log", check=False).stdout == f"{where} restart\n", "docker-compose restart")
    assert serial(c, f"{where}/certs/example.com.crt") != old
    c.run("systemctl stop cert-renewer@lighttpd-docker.timer")


STAND_IN = """
import http.server, json, ssl, sys
class Grafana(http.server.BaseHTTPRequestHandler):
    answers = [500, 200]  # busy at first
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = Grafana.answers.pop(0) if len(Grafana.answers) > 1 else Grafana.answers[0]
        with open("/srv/grafana/got", "a") as f:
            json.dump({"status": status, "path": self.path, "auth": self.headers["Authorization"],
                       "body": json.loads(body)}, f)
            f.write("\\n")
        self.send_response(status)
        self.end_headers()
    def do_GET(self):
        open("/srv/grafana/pings", "a").write(self.path + "\\n")
        self.send_response(200)
        self.end_headers()
server = http.server.HTTPServer(("127.0.0.1", 3000), Grafana)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain("/srv/grafana/grafana.crt", "/srv/grafana/grafana.key")
server.socket = tls.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


@story
def the_override_for_an_http_api(c):
    due_certificate(c, "grafana-loki-datasource")
    due_certificate(c, "grafana", "/srv/grafana/grafana.crt", "/srv/grafana/grafana.key")
    c.write("/srv/grafana/server.py", STAND_IN)
    c.run("systemd-run -q --unit=grafana python3 /srv/grafana/server.py")
    until(lambda: served(c, 3000, "grafana") != "", "the stand-in listens")
    example(c, "cert-renewer@grafana-loki-datasource.service.d",
            ping=("https://hc-ping.com/a66...fbba2", "--cacert /etc/step-ca/certs/root_ca.crt https://grafana:3000/ping"))
    every_second(c, "grafana-loki-datasource")
    until(lambda: c.run("cat /srv/grafana/pings", check=False).stdout == "/ping\n", "the health check is told")
    c.run("systemctl stop cert-renewer@grafana-loki-datasource.timer")
    got = [json.loads(line) for line in c.out("cat /srv/grafana/got").splitlines()]
    assert [g["status"] for g in got] == [500, 200], "an answer of 500 is a failure, and tried again"
    assert got[1]["path"] == "/api/datasources/1" and got[1]["auth"].startswith("Bearer ")
    secure = got[1]["body"]["secureJsonData"]
    for name, file in (("tlsCACert", "/etc/step-ca/certs/root_ca.crt"),
                       ("tlsClientCert", f"{CERTS}/grafana-loki-datasource.crt"),
                       ("tlsClientKey", f"{CERTS}/grafana-loki-datasource.key")):
        assert secure[name].strip() == c.out(f"cat {file}"), name


@story
def the_daemon_as_a_service(c):
    for unit, crt, key in (("step-renew@web.service", f"{CERTS}/web.crt", f"{CERTS}/web.key"),
                           ("step.service", "/home/step/foo.crt", "/home/step/foo.key")):
        old = due_certificate(c, "web", crt, key, owner="step")
        if unit == "step.service":  # the seed's unit and its file names
            c.run(f"cp {EXAMPLES}/systemd/step.service /etc/systemd/system/ && systemctl daemon-reload")
        c.run(f"systemctl start {unit}")
        until(lambda: serial(c, crt) != old, f"{unit} renews what is due")
        new = serial(c, crt)
        pid = c.show(unit, "MainPID")
        if unit != "step.service":
            assert c.show(unit, "Type", "WatchdogUSec") == ["notify", "35min"]
            until(lambda: c.show(unit, "StatusText").startswith("1 certificate, 0 failing"), "its status is told")
            lines = [json.loads(line) for line in c.out(f"journalctl -q --no-pager -o json -u {unit}").splitlines()]
            said = {line["MESSAGE"].split(":")[0]: line["PRIORITY"] for line in lines if line["_COMM"] == "step"}
            assert said == {"INFO": "6"}, said
        c.run(f"systemctl kill -s HUP {unit}" if unit == "step.service" else f"systemctl reload {unit}")
        until(lambda: serial(c, crt) != new, f"{unit} renews at SIGHUP")
        assert c.show(unit, "MainPID", "NRestarts") == [pid, "0"]
        c.run(f"systemctl stop {unit}")
        assert c.show(unit, "Result") == "success"
        assert "certificate renewed" in c.journal(unit)


@story
def a_daemon_that_hangs_is_restarted(c):
    due_certificate(c, "hang", owner="step")
    drop_in(c, "step-renew@hang.service", "[Service]\nWatchdogSec=2\n")
    c.run("systemctl start step-renew@hang.service")
    until(lambda: "certificate renewed" in c.journal("step-renew@hang.service"), "it renews")
    pid = c.show("step-renew@hang.service", "MainPID")
    c.run("systemctl kill -s STOP step-renew@hang.service")
    def restarted():
        state, now, times = c.show("step-renew@hang.service", "ActiveState", "MainPID", "NRestarts")
        return state == "active" and now != pid and times != "0"
    until(restarted, "the watchdog restarts it")
    c.run("systemctl stop step-renew@hang.service")
    # a pair that cannot be read: not started, and the reason is an error in the journal
    c.run("systemctl start --no-block step-renew@none.service")
    until(lambda: "error reading certificate chain: open" in c.journal("step-renew@none.service"), "the reason")
    assert c.show("step-renew@none.service", "ActiveState") != "active"
    c.run("systemctl stop step-renew@none.service")


@story
def a_cron_line_at_its_tick(c):
    if not shutil.which("cron"):
        raise Denied("cron is not installed")
    lib = c.out("ls /usr/lib/*/faketime/libfaketime.so.1")
    old = due_certificate(c, "foo", "/home/step/foo.crt", "/home/step/foo.key", owner="step")
    c.run(f"mkdir -p /etc/cron.d /var/spool/cron/crontabs && cp {EXAMPLES}/cron/step-ca-renew /etc/cron.d/ && chmod 644 /etc/cron.d/*")
    c.write("/etc/pam.d/cron", "account required pam_permit.so\nsession required pam_permit.so\nauth required pam_permit.so\n")
    # Only cron's clock is another one: two seconds before a tick of */5. What it starts gets an environment of its own.
    drop_in(c, "cron.service", f"[Service]\nEnvironment=LD_PRELOAD={lib} \"FAKETIME=@2026-11-23 11:59:58\"\n")
    c.run("systemctl start cron")
    until(lambda: serial(c, "/home/step/foo.crt") != old, "cron renews", 15)
    assert c.out("stat -c %U /home/step/foo.crt") == "step"
    assert "(step) CMD (step ca renew --force --expires-in 4h" in c.journal("cron")
    c.run("systemctl stop cron")


@story
def a_ca_that_hangs_is_restarted(c):
    c.write("/etc/systemd/system/step-ca.service.d/soon.conf", "[Service]\nWatchdogSec=1\nRestartSec=0\n")
    c.run("systemctl daemon-reload && systemctl restart step-ca")
    pid = c.show("step-ca.service", "MainPID")
    c.run(f"kill -STOP {pid}")
    until(lambda: c.show("step-ca.service", "NRestarts") == "1" and c.show("step-ca.service", "ActiveState") == "active",
          "the watchdog restarts it")
    assert c.show("step-ca.service", "MainPID") != pid
    c.run("STEPPATH=/etc/step-ca step ca health")


# ---- the run ----

def main():
    global PREFIX, EXAMPLES
    PREFIX = prefix()
    EXAMPLES = f"{PREFIX}/share/doc/perennial/examples"
    with tempfile.TemporaryDirectory(prefix="perennial-systemd.") as dest:
        os.chmod(dest, 0o755)
        os.mkdir(dest + "/usr")
        c = Container(dest)
        try:
            if not PREFIX.startswith("/usr"):
                raise Denied(f"installed in {PREFIX}, which the container does not have")
            c.probe()
            subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", dest], check=True,
                           stdout=subprocess.DEVNULL)
        except Denied as why:
            print(f"1..{len(stories)}")
            for i, f in enumerate(stories, 1):
                print(f"ok {i} - {f.__name__.replace('_', ' ')} # SKIP {why}")
            return 0
        print(f"1..{len(stories)}", flush=True)
        bad = 0
        try:
            c.boot()
            set_up(c)
            for i, f in enumerate(stories, 1):
                name = f.__name__.replace("_", " ")
                begun = time.monotonic()
                try:
                    f(c)
                    print(f"ok {i} - {name}\n# {time.monotonic() - begun:.1f} s", flush=True)
                except Denied as why:
                    print(f"ok {i} - {name} # SKIP {why}", flush=True)
                except Exception:
                    bad += 1
                    print(f"not ok {i} - {name}", flush=True)
                    print("# " + traceback.format_exc().replace("\n", "\n# "))
            if bad:
                print("# " + c.out("journalctl -q --no-pager -o short-monotonic | tail -60").replace("\n", "\n# "))
        finally:
            c.stop()
    return 1 if bad else 0


sys.exit(main())
