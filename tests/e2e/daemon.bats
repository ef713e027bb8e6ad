# Renewal that looks after itself: `step ca renew --daemon`, what follows a renewal, and what is owed. Certificates live
# for seconds here; every wait is for a line or a file.

bats_require_minimum_version 1.5.0
load lib
load ca

setup_file() {
	ca_init "$BATS_FILE_TMPDIR/ca"
	ca_json '.authority.claims = {"minTLSCertDuration": "1s", "defaultTLSCertDuration": "24h", "maxTLSCertDuration": "48h"}
		| .authority.backdate = "0s"'
	ca_start
	# restarts stay at this port
	ca_json ".address = \"127.0.0.1:$CA_PORT\""
}

teardown_file() {
	ca_stop
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	unset STEP_NON_INTERACTIVE
	[ -n "$CA_PID" ] && kill -0 "$CA_PID" 2>/dev/null || ca_start
}

teardown() {
	local pid
	for pid in $(cat pids 2>/dev/null); do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
	done
	if [ -s pg_dir ]; then
		. "$BATS_TEST_DIRNAME/../lib/pg.bash"
		PG_DIR=$(cat pg_dir) pg_end
	fi
}

# daemon [renew|rekey] FLAGS...: in the background; its log in `log` (both channels) and its number in $DAEMON.
daemon() {
	rm -f log.out log.err # what an earlier one said is not what is waited for
	step ca "$1" --daemon "${@:2}" >log.out 2>log.err 3>&- &
	DAEMON=$!
	echo "$DAEMON" >>pids
	ca_wait 'grep -qs "first renewal in" log.out || ! kill -0 $DAEMON 2>/dev/null'
	grep -q "first renewal in" log.out || { cat log.err >&2; return 1; }
}

# says N REGEX [FILE]: the log has at least N such lines, sooner or later
says() {
	ca_wait "[ \"\$(grep -Ec -- '$2' ${3:-log.out})\" -ge $1 ]" || { cat log.out log.err >&2; return 1; }
}

# Is it a second and more behind its end?
is_over() {
	[ "$(date +%s)" -gt "$(($(date +%s -d "$(openssl x509 -noout -enddate -in "$1" | cut -d= -f2)") + 1))" ]
}

daemon_ends() {
	local ended=0
	kill "-${1:-TERM}" "$DAEMON"
	wait "$DAEMON" || ended=$?
	[ "$ended" -eq 0 ]
}

date_re='[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}'

# A process that writes a line into `hups` for each SIGHUP; its number in $1.
hup_counter() {
	python3 - "$1" 3>&- <<'PY' &
import os, signal, sys
signal.signal(signal.SIGHUP, lambda *a: open("hups", "a").write("%d\n" % os.getpid()))
open(sys.argv[1] + ".new", "w").write("%d\n" % os.getpid())
os.rename(sys.argv[1] + ".new", sys.argv[1])
while True:
    signal.pause()
PY
	echo $! >>pids
	ca_wait "[ \"\$(cat $1 2>/dev/null)\" = $! ]"
}

# openssl s_server with a pair, on a port that the kernel chose the first time ($SERVER_PORT)
serve() {
	openssl s_server -accept "127.0.0.1:${SERVER_PORT:-0}" -cert "$1.crt" -key "$1.key" -www </dev/null >served 2>&1 3>&- &
	SERVER=$!
	echo "$SERVER" >>pids
	ca_wait "grep -q '^ACCEPT' served"
	SERVER_PORT=${SERVER_PORT:-$(sed -n 's/^ACCEPT 127.0.0.1://p' served)}
}

@test "the daemon renews at two thirds of the life, again and again, and ends cleanly" {
	issue a.local --not-after 6s
	first=$(serial a.local.crt)
	daemon renew a.local.crt a.local.key
	grep -Eqx "INFO: $date_re first renewal in [0-4]s" log.out
	says 2 "^INFO: $date_re a.local certificate renewed, next in [1-4]s$"
	[ "$first" != "$(serial a.local.crt)" ]
	pair_fits a.local.crt a.local.key
	daemon_ends TERM
	[ ! -s log.err ]
	# two renewals cannot come faster than two thirds of six seconds apart, less the jitter
	[ "$(grep -c renewed log.out)" -le 3 ]
}

@test "SIGHUP renews now, SIGUSR1 is ignored, SIGINT ends it" {
	issue b.local
	first=$(serial b.local.crt)
	daemon renew b.local.crt b.local.key
	grep -Eqx "INFO: $date_re first renewal in 1[456]h[0-9]+m[0-9]+s" log.out
	kill -USR1 "$DAEMON"
	kill -HUP "$DAEMON"
	says 1 "^INFO: $date_re b.local certificate renewed, next in 1[456]h[0-9]+m[0-9]+s$"
	[ "$first" != "$(serial b.local.crt)" ]
	daemon_ends INT
}

@test "the jitter is drawn once and kept over a restart" {
	issue c.local
	daemon renew c.local.crt c.local.key
	ca_wait '[ -s .c.local.crt.state ]'
	due=$(jq -r .due .c.local.crt.state)
	daemon_ends
	for _ in 1 2 3; do
		daemon renew c.local.crt c.local.key
		daemon_ends
		[ "$due" = "$(jq -r .due .c.local.crt.state)" ]
	done
	[ "$(stat -c %a .c.local.crt.state)" = 600 ]
}

@test "a CA that is away is told and waited for" {
	issue d.local --not-after 30s
	first=$(serial d.local.crt)
	daemon renew d.local.crt d.local.key
	ca_stop
	kill -HUP "$DAEMON"
	says 1 "^ERROR: $date_re error renewing certificate: client POST https://localhost:$CA_PORT/renew failed: dial tcp .*: connect: connection refused$" log.err
	says 1 "^INFO: $date_re next attempt in [0-9]+s$"
	kill -0 "$DAEMON"
	[ "$first" = "$(serial d.local.crt)" ]
	ca_start
	says 1 "d.local certificate renewed, next in"
	[ "$first" != "$(serial d.local.crt)" ]
	daemon_ends
}

@test "the CA's refusal does not end the daemon, and the help is told once" {
	issue e.local
	daemon renew --exec-failure "sh -c 'echo \"\$STEP_HOOK_EVENT: \$STEP_HOOK_ERROR\" >>failures'" e.local.crt e.local.key
	step ca revoke --cert e.local.crt --key e.local.key
	kill -HUP "$DAEMON"
	says 1 "^ERROR: .*error renewing certificate: The request lacked necessary authorization" log.err
	says 1 "next attempt in [0-9]+m"
	kill -HUP "$DAEMON"
	says 2 "error renewing certificate: The request lacked" log.err
	[ "$(grep -c "step ca certificate --force e.local e.local.crt e.local.key" log.err)" -eq 1 ]
	ca_wait '[ -s failures ]'
	grep -q "^failed: The request lacked necessary authorization" failures
	daemon_ends
	[ "$(wc -l <failures)" -eq 1 ]
	# and it is remembered
	daemon renew e.local.crt e.local.key
	grep -Eq "first renewal in [0-9]+m" log.out
	daemon_ends
}

@test "commands understand quotes, know the certificate, and not our secrets" {
	issue f.local --san f.local --san other.local
	export STEP_TOKEN=hunter2 STEP_P12_PASSWORD_FILE=/hunter2 NOTIFY_SOCKET=
	run --separate-stderr step ca renew --force f.local.crt f.local.key \
		--exec "sh -c 'env >env; printf \"%s|\" \"\$@\" >words' sh 'two words' \"it's\" a\\ b '' \$HOME"
	unset STEP_TOKEN STEP_P12_PASSWORD_FILE NOTIFY_SOCKET
	[ "$status" -eq 0 ]
	[ "$stderr" = "Your certificate has been saved in f.local.crt." ]
	[ "$(cat words)" = "two words|it's|a b||\$HOME|" ]
	refute grep -q hunter2 env
	grep -qx "STEP_HOOK_CERT_FILE=$PWD/f.local.crt" env
	grep -qx "STEP_HOOK_KEY_FILE=$PWD/f.local.key" env
	grep -qx "STEP_HOOK_EVENT=renewed" env
	grep -qx "STEP_HOOK_ATTEMPT=1" env
	grep -qx "STEP_HOOK_COMMON_NAME=f.local" env
	grep -qx "STEP_HOOK_SERIAL=$(step certificate inspect --format json f.local.crt | jq -r .serial_number)" env
	grep -Eqx "STEP_HOOK_NOT_AFTER=[0-9-]+T[0-9:]+Z" env
	grep -A1 "STEP_HOOK_NAMES=" env | grep -q other.local
}

@test "a command that fails is owed: twice in vain, then done, without a new certificate" {
	issue g.local
	printf '#!/bin/sh\necho try >>tries\necho "$STEP_HOOK_ATTEMPT" >>attempts\n[ -e ready ] || exit 3\n' >hook
	chmod +x hook
	step_run ca renew --force --exec "./hook" g.local.crt g.local.key
	expect 3 "Your certificate has been saved in g.local.crt.
exit status 3"
	renewed=$(serial g.local.crt)
	step certificate needs-renewal g.local.crt
	step_run ca renew --force --owed-first --exec "./hook" g.local.crt g.local.key
	expect 3 "certificate not renewed: first what its last renewal still owes
exit status 3"
	step_run ca renew --force --detailed-exit-code --expires-in 1h --exec "./hook" g.local.crt g.local.key
	expect 5
	step certificate needs-renewal g.local.crt
	touch ready
	step_run ca renew --force --owed-first --exec "./hook" g.local.crt g.local.key
	expect 0
	[ "$renewed" = "$(serial g.local.crt)" ]
	[ "$(wc -l <tries)" -eq 4 ]
	[ "$(tr '\n' ' ' <attempts)" = "1 2 3 4 " ]
	step_run certificate needs-renewal g.local.crt
	expect 1
	step_run ca renew --force --exec "./hook" g.local.crt g.local.key
	expect 0 "Your certificate has been saved in g.local.crt."
	[ "$renewed" != "$(serial g.local.crt)" ]
}

@test "--force means now: a new certificate, and what was owed runs once, for that one" {
	issue force.local
	first=$(serial force.local.crt)
	printf '#!/bin/sh\necho "$STEP_HOOK_SERIAL $STEP_HOOK_ATTEMPT" >>tries\n[ -e ready ] || exit 3\n' >hook
	chmod +x hook
	step_run ca renew --force --exec ./hook force.local.crt force.local.key
	expect 3
	second=$(serial force.local.crt)
	touch ready
	step_run ca renew --force --exec ./hook force.local.crt force.local.key
	expect 0 "Your certificate has been saved in force.local.crt."
	third=$(serial force.local.crt)
	[ "$first" != "$second" ]
	[ "$second" != "$third" ]
	[ "$(sed -n 2p tries)" = "$(step certificate inspect --format json force.local.crt | jq -r .serial_number) 1" ]
	[ "$(wc -l <tries)" -eq 2 ]
	step_run certificate needs-renewal force.local.crt
	expect 1
}

@test "who only looks by keeps to the rhythm of failures, a person does not" {
	issue poll.local --not-after 2h
	export STEP_NON_INTERACTIVE=1 STEP_DETAILED_EXIT_CODE=1
	poll() {
		step_run ca renew --force --expires-in 2h --ca-url "${1:-$CA_URL}" poll.local.crt poll.local.key
	}
	poll https://localhost:1
	expect 4
	[[ "$err" == *"connection refused" ]]
	[ "$(stat -c %a .poll.local.crt.state)" = 600 ]
	poll # the CA is there, and the minute is not over
	expect 7
	[[ "$err" == "certificate not renewed: the attempt "*" ago has failed ("*"connection refused); the next is due in "* ]]
	(
		unset STEP_DETAILED_EXIT_CODE
		poll
		expect 1
	)
	before=$(serial poll.local.crt)
	# once the time has come
	jq '.retry = .failed' .poll.local.crt.state >new && cat new >.poll.local.crt.state
	poll
	expect 0
	[ "$before" != "$(serial poll.local.crt)" ]
	[ "$(jq .failures .poll.local.crt.state)" = null ]
	# a new certificate, and a failure: without --expires-in nothing is held back, nor at a terminal
	poll https://localhost:1
	expect 4
	step_run ca renew --force poll.local.crt poll.local.key
	expect 0
	poll https://localhost:1
	expect 4
	before=$(serial poll.local.crt)
	unset STEP_NON_INTERACTIVE
	python3 "$BATS_TEST_DIRNAME/play.py" step ca renew --force --expires-in 2h poll.local.crt poll.local.key </dev/null
	[ "$before" != "$(serial poll.local.crt)" ]
}

@test "wrong usage has an exit status of its own with --detailed-exit-code" {
	step_run ca renew --no-such-flag --detailed-exit-code a b
	expect 2
	step_run ca renew --no-such-flag a b
	expect 1
	step_run ca rekey --detailed-exit-code a
	expect 2
	STEP_DETAILED_EXIT_CODE=1 step_run ca renew a
	expect 2
	STEP_DETAILED_EXIT_CODE=1 step_run ca health --no-such-flag
	expect 1
	step_run ca renew --detailed-exit-code --renew-period 1h a b
	expect 2 "flag '--renew-period' requires the '--daemon' flag"
	step_run ca rekey --detailed-exit-code --kty nonsense a b
	expect 2
}

@test "the daemon finishes what another process owes" {
	issue h.local --not-after 60s
	printf '#!/bin/sh\necho "hello from the hook"\n[ -e ready ]\n' >hook
	chmod +x hook
	step_run ca renew --force --exec ./hook h.local.crt h.local.key
	expect 1
	renewed=$(serial h.local.crt)
	daemon renew --exec ./hook h.local.crt h.local.key
	says 1 "^ERROR: $date_re exit status 1$" log.err
	touch ready
	says 2 "^INFO: $date_re ./hook: hello from the hook$"
	ca_wait '! step certificate needs-renewal h.local.crt'
	[ "$renewed" = "$(serial h.local.crt)" ]
	daemon_ends
}

@test "a run that is killed in its command owes it" {
	issue i.local
	printf '#!/bin/sh\n[ -e ready ] && touch done && exit\necho $$ >hook.pid\ntouch started\nexec sleep 1000\n' >hook
	chmod +x hook
	(step ca renew --force --exec ./hook i.local.crt i.local.key & echo $! >pid; wait) >out 2>&1 3>&- &
	ca_wait '[ -e started ]'
	kill -9 "$(cat pid)"
	kill "$(cat hook.pid)" || true
	renewed=$(serial i.local.crt)
	step certificate needs-renewal i.local.crt
	touch ready
	step_run ca renew --exec ./hook i.local.crt i.local.key
	expect 0
	[ -e done ]
	[ "$renewed" = "$(serial i.local.crt)" ]
}

@test "a command beyond its time is killed with all that it started" {
	issue j.local
	step_run ca renew --force --exec-timeout 200ms --exec "sh -c 'sleep 1000 & echo \$! >child; wait'" j.local.crt j.local.key
	expect 1 "Your certificate has been saved in j.local.crt.
sh: killed after 200ms"
	ca_wait '! kill -0 $(cat child) 2>/dev/null'
}

@test "exit statuses of commands are the peer's" {
	issue k.local
	nl=$'\n'
	while IFS='|' read -r command want text; do
		rm -f .k.local.crt.state
		step_run ca renew --force --exec "$command" k.local.crt k.local.key
		expect "$want" "Your certificate has been saved in k.local.crt.${text:+$nl$text}"
	done <<-'ROWS'
		true|0|
		sh -c 'exit 7'|7|exit status 7
		sh -c 'exit 255'|255|exit status 255
	ROWS
	rm -f .k.local.crt.state
	step_run ca renew --force --exec "sh -c 'kill -9 \$\$'" k.local.crt k.local.key
	expect 255 "Your certificate has been saved in k.local.crt.
signal: killed"
	rm -f .k.local.crt.state
	step_run ca renew --force --exec nosuch k.local.crt k.local.key
	expect 1 "Your certificate has been saved in k.local.crt.
exec: \"nosuch\": executable file not found in \$PATH"
	rm -f .k.local.crt.state
	step_run ca renew --force --pid 999999999 k.local.crt k.local.key
	expect 1 "Your certificate has been saved in k.local.crt.
kill 999999999 with signal 1 failed: no such process"
	rm -f .k.local.crt.state
	step_run ca renew --force --exec "echo out" k.local.crt k.local.key
	[ "$out" = out ]
	# of the environment: one command, commas and all
	STEP_EXEC="echo a,b" step_run ca renew --force k.local.crt k.local.key
	[ "$out" = a,b ]
}

@test "the pid file of a service that was restarted" {
	need_cmd python3
	issue l.local
	hup_counter service.pid
	old=$(cat service.pid)
	daemon renew --pid-file service.pid l.local.crt l.local.key
	kill -HUP "$DAEMON"
	ca_wait "grep -qx $old hups"
	kill "$old"
	hup_counter service.pid
	kill -HUP "$DAEMON"
	ca_wait "grep -qx $(cat service.pid) hups"
	[ ! -s log.err ]
	# gone altogether: told, and owed
	kill "$(cat service.pid)"
	kill -HUP "$DAEMON"
	says 1 "^ERROR: .*kill [0-9]+ with signal 1 failed: no such process" log.err
	says 3 "l.local certificate renewed"
	step certificate needs-renewal l.local.crt
	daemon_ends
}

@test "--verify sees whether the new certificate is served" {
	need_cmd openssl
	issue m.local
	serve m.local
	old=$(serial m.local.crt)
	# nobody restarts the server
	step_run ca renew --force --verify "127.0.0.1:$SERVER_PORT" m.local.crt m.local.key
	[ "$status" -eq 1 ]
	[[ "$err" == *"127.0.0.1:$SERVER_PORT does not serve the new certificate, but the one with serial "* ]]
	[ "$old" != "$(serial m.local.crt)" ]
	step certificate needs-renewal m.local.crt
	# nobody there at all
	kill "$SERVER"
	wait "$SERVER" || true
	# now it comes up with what is on disk, and the owed look is content
	serve m.local
	step_run ca renew --owed-first --verify "127.0.0.1:$SERVER_PORT" m.local.crt m.local.key
	expect 0 "certificate not renewed: first what its last renewal still owes"
	step_run certificate needs-renewal m.local.crt
	expect 1
}

@test "--verify over STARTTLS: a real PostgreSQL takes up the new certificate" {
	. "$BATS_TEST_DIRNAME/../lib/pg.bash"
	pg_bin >/dev/null || skip "PostgreSQL is not installed"
	pg_init
	echo "$PG_DIR" >pg_dir
	pg_pid() {
		head -1 "$PG_DIR/data/postmaster.pid"
	}
	issue localhost
	for name in crt key; do
		cat "localhost.$name" >"$PG_DIR/data/server.$name" # it keeps the owner that PostgreSQL wants
	done
	kill -HUP "$(pg_pid)"
	old=$(serial localhost.crt)
	at="127.0.0.1:$(cat "$PG_DIR/port"),starttls=postgres"
	pair=("$PG_DIR/data/server.crt" "$PG_DIR/data/server.key")
	reload="sh -c '[ -e ready ] && kill -HUP $(pg_pid)'"
	step_run ca renew --force --exec "$reload" --verify "$at" "${pair[@]}"
	expect 1
	[[ "$err" == *"exit status 1"*"127.0.0.1:"*" does not serve the new certificate, but the one with serial "* ]]
	step certificate needs-renewal "${pair[0]}"
	touch ready
	step_run ca renew --exec "$reload" --verify "$at" "${pair[@]}"
	expect 0 "certificate not renewed: first what its last renewal still owes"
	step_run ca rekey --force --exec "$reload" --verify "$at" "${pair[@]}"
	expect 0
	[ "$old" != "$(serial "${pair[0]}")" ]
	pair_fits "${pair[@]}"
	[ "$(stat -c %U:%a "${pair[1]}")" = "$(stat -c %U "$PG_DIR/data"):600" ]
}

@test "--mtls=false renews with a token, and the key's own proof is enough" {
	issue token.local
	before=$(serial token.local.crt)
	step_run ca renew --force --mtls=false token.local.crt token.local.key
	expect 0 "Your certificate has been saved in token.local.crt."
	[ "$before" != "$(serial token.local.crt)" ]
	[ "$(grep -c "path=/renew status=201 .*token=.*subject=token.local" "$CA_DIR/ca.log")" -eq 1 ]
	# each such token is made anew; a second renewal is no replay
	step ca renew --force --mtls=false token.local.crt token.local.key
	step_run ca rekey --force --mtls=false token.local.crt token.local.key
	expect 1
}

@test "behind a proxy that ends TLS a token is tried in place of the certificate" {
	need_cmd nginx python3
	issue localhost
	issue proxied.local
	port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
	cat >nginx.conf <<-CONF
		pid $PWD/nginx.pid; error_log $PWD/nginx.log; daemon off; worker_processes 1;
		events {}
		http {
			access_log off; client_body_temp_path $PWD/t1; proxy_temp_path $PWD/t2;
			fastcgi_temp_path $PWD/t3; uwsgi_temp_path $PWD/t4; scgi_temp_path $PWD/t5;
			server {
				listen 127.0.0.1:$port ssl; ssl_certificate $PWD/localhost.crt; ssl_certificate_key $PWD/localhost.key;
				location / { proxy_pass https://127.0.0.1:$CA_PORT; }
			}
		}
	CONF
	nginx -p "$PWD" -c "$PWD/nginx.conf" 2>>nginx.log 3>&- &
	echo $! >>pids
	ca_wait "step ca health --ca-url https://localhost:$port >/dev/null 2>&1"
	step_run ca renew --check --ca-url "https://localhost:$port" proxied.local.crt proxied.local.key
	expect 0
	before=$(serial proxied.local.crt)
	step_run ca renew --force --ca-url "https://localhost:$port" proxied.local.crt proxied.local.key
	expect 0
	[[ "$err" == *"asking with a token (the certificate did not reach the CA, as where a proxy ends TLS)"* ]]
	[ "$before" != "$(serial proxied.local.crt)" ]
	grep -q "path=/renew status=201 .*token=.*subject=proxied.local" "$CA_DIR/ca.log"
}

@test "a pair re-issued behind the daemon's back stays a pair" {
	issue n.local
	daemon renew n.local.crt n.local.key
	issue n.local --kty RSA --size 2048
	kill -HUP "$DAEMON"
	says 1 "^INFO: $date_re n.local certificate was renewed by another process, next in 1[456]h"
	says 1 "n.local certificate renewed, next in"
	pair_fits n.local.crt n.local.key
	openssl x509 -noout -text -in n.local.crt | grep -q "Public Key Algorithm: rsaEncryption"
	[ ! -s log.err ]
	daemon_ends
}

@test "many renewers at once: one at a time, and the pair fits" {
	issue o.local
	daemon renew o.local.crt o.local.key
	for i in 1 2 3 4; do
		step ca renew --force o.local.crt o.local.key 2>"err.$i" 3>&- &
		echo $! >"run.$i"
		kill -HUP "$DAEMON"
	done
	for i in 1 2 3 4; do
		wait "$(cat run.$i)" || { cat "err.$i" && false; }
		[ "$(cat err.$i)" = "Your certificate has been saved in o.local.crt." ]
	done
	pair_fits o.local.crt o.local.key
	step certificate verify o.local.crt --roots "$CA_ROOT"
	kill -HUP "$DAEMON"
	says 1 "o.local certificate renewed"
	daemon_ends
	absent .o.local.crt.lock .o.local.crt.journal
}

@test "the daemon of rekey changes the key" {
	issue p.local --not-after 6s
	cp p.local.key old.key
	daemon rekey p.local.crt p.local.key
	says 1 "^INFO: $date_re p.local certificate rekeyed, next in [1-4]s$"
	refute cmp -s p.local.key old.key
	cp p.local.key second.key
	says 2 "p.local certificate rekeyed, next in [1-4]s$"
	refute cmp -s p.local.key second.key
	daemon_ends
	pair_fits p.local.crt p.local.key
}

@test "further outputs change with the pair, with owner and mode as asked for" {
	issue q.local
	(umask 077 && echo "topsecret" >p12.password)
	for command in renew rekey; do
		step_run ca $command --force --bundle-out q.pem --chain-out chain.pem --der-out q.der --p12-out q.p12 \
			--p12-password-file p12.password --mode 0640 --cert-mode 0644 q.local.crt q.local.key
		expect 0
		pair_fits q.local.crt q.local.key
		openssl pkey -in q.pem | cmp - <(openssl pkey -in q.local.key)
		openssl x509 -in q.pem | cmp - <(openssl x509 -in q.local.crt)
		[ "$(grep -c "BEGIN CERTIFICATE" q.pem)" -eq 2 ]
		openssl x509 -in q.der -inform DER | cmp - <(openssl x509 -in q.local.crt)
		openssl x509 -in chain.pem | cmp - "$STEPPATH/certs/intermediate_ca.crt"
		openssl pkcs12 -in q.p12 -passin file:p12.password -nodes -nocerts | openssl pkey | cmp - <(openssl pkey -in q.local.key)
		[ "$(stat -c %a q.pem q.p12 | sort -u)" = 640 ]
		[ "$(stat -c %a q.local.crt q.der chain.pem | sort -u)" = 644 ]
	done
	[ "$(stat -c %a q.local.key)" = 640 ]
	step_run ca renew --force --bundle-out q.local.crt q.local.crt q.local.key
	expect 1 "q.local.crt and q.local.crt are the same file"
}

@test "--detailed-exit-code and --json tell how it ended" {
	issue r.local
	step_run ca renew --force --detailed-exit-code --json --expires-in 1h r.local.crt r.local.key
	expect 10
	[ "$(jq -r .result <<<"$out")" = not-due ]
	step_run ca renew --force --detailed-exit-code --json r.local.crt r.local.key
	expect 0
	[ "$(jq -r .result <<<"$out")" = renewed ]
	[ "$(jq -r .serial <<<"$out")" = "$(step certificate inspect --format json r.local.crt | jq -r .serial_number)" ]
	step_run ca renew --force --detailed-exit-code --json --exec false r.local.crt r.local.key
	expect 5
	[ "$(jq -r '.result + " " + (.owed | tostring)' <<<"$out")" = "hook-owed 1" ]
	rm .r.local.crt.state
	step_run ca renew --force --detailed-exit-code --json --ca-url https://localhost:1 r.local.crt r.local.key
	expect 4
	[ "$(jq -r .result <<<"$out")" = unreachable ]
	[[ "$(jq -r .error <<<"$out")" == *"connection refused" ]]
	step ca revoke --cert r.local.crt --key r.local.key
	step_run ca renew --force --detailed-exit-code --json r.local.crt r.local.key
	expect 3
	[ "$(jq -r .result <<<"$out")" = refused ]
	issue s.local --not-after 1s
	ca_wait 'is_over s.local.crt'
	step_run ca renew --force --detailed-exit-code --json s.local.crt s.local.key
	expect 6
	[ "$(jq -r .result <<<"$out")" = expired ]
}

@test "--check tells what would go wrong, and renews nothing" {
	issue t.local
	before=$(serial t.local.crt)
	step_run ca renew --check t.local.crt t.local.key
	expect 0
	refute grep -q FAILED .out
	grep -q "^ok     CA: $CA_URL is well" .out
	grep -qx "ok     renewal allowed: provisioner admin renews, not after expiry; the CA would renew this certificate now" .out
	step_run ca renew --check --json --ca-url https://localhost:1 t.local.crt t.local.key
	expect 1
	[ "$(jq -r '.checks[] | select(.ok | not) | .name' <<<"$out")" = CA ]
	[ "$before" = "$(serial t.local.crt)" ]
	cp "$STEPPATH/certs/intermediate_ca.crt" other.crt
	step_run ca renew --check --root other.crt t.local.crt t.local.key
	expect 1
	grep -q "^FAILED CA: " .out
	openssl ecparam -name prime256v1 -genkey -noout -out other.key
	step_run ca renew --check t.local.crt other.key
	expect 1
	grep -q "^FAILED certificate and key: the private key in other.key does not belong to the certificate in t.local.crt" .out
	step_run ca renew --check --bundle-out /nonexist/x.pem t.local.crt t.local.key
	expect 1
	grep -q "^FAILED files can be written: open /nonexist/x.pem failed: no such file or directory" .out
}

@test "a clock that is not the CA's is told, with the remedy" {
	if [ "${PERENNIAL_SANITIZER:-none}" != none ]; then skip "faketime and sanitizers do not go together"; fi
	need_cmd faketime
	issue clock2.local
	step_run ca renew --check clock2.local.crt clock2.local.key
	expect 0
	grep -qx "ok     clock: fits the certificate and the CA's clock" .out
	status=0
	faketime -f +2h step ca renew --check clock2.local.crt clock2.local.key >.out 2>.err || status=$?
	[ "$status" -eq 1 ]
	grep -Eq "^FAILED clock: this machine's clock is (2h0m0s|1h59m59s) ahead of the CA's \(.*\): set .*timedatectl" .out
	# so far off that the CA's own certificate seems to be over
	status=0
	faketime -f +40d step ca renew --check clock2.local.crt clock2.local.key >.out 2>.err || status=$?
	[ "$status" -eq 1 ]
	grep -q "^FAILED CA: " .out
	grep -Eq "^FAILED clock: this machine's clock is (960h0m0s|959h59m59s) ahead" .out
	status=0
	faketime -f -10y step ca renew --check clock2.local.crt clock2.local.key >.out 2>.err || status=$?
	grep -q "^FAILED clock: the clock says 20.*, but the certificate begins at" .out
	# the daemon tells it once
	faketime -f +1h step ca renew --daemon clock2.local.crt clock2.local.key >log.out 2>log.err 3>&- &
	DAEMON=$!
	echo "$DAEMON" >>pids
	says 1 "first renewal in"
	kill -HUP "$(pgrep -P "$DAEMON" || echo "$DAEMON")"
	says 1 "clock2.local certificate renewed"
	says 1 "^ERROR: .* this machine.s clock is (1h0m0s|59m59s) ahead of the CA.s" log.err
	kill -HUP "$(pgrep -P "$DAEMON" || echo "$DAEMON")"
	says 2 "clock2.local certificate renewed"
	[ "$(grep -c "this machine's clock" log.err)" -eq 1 ]
	kill "$(pgrep -P "$DAEMON" || echo "$DAEMON")"
	wait "$DAEMON" || true
}

@test "--check asks the CA for this very certificate" {
	issue rev.local
	issue line.local
	step ca revoke --cert rev.local.crt --key rev.local.key
	step_run ca renew --check rev.local.crt rev.local.key
	expect 1
	grep -q "^FAILED renewal allowed: The request lacked necessary authorization" .out
	[ "$(grep -c FAILED .out)" -eq 1 ]
	grep -q "method=GET path=/renewable status=401 .*certificate has been revoked" "$CA_DIR/ca.log"
	id=$(step certificate inspect --format json line.local.crt | jq -r .serial_number)
	step ca revoke --lineage "$id" --token "$(token "$id" --revoke --lineage)"
	step_run ca renew --check line.local.crt line.local.key
	expect 1
	grep -q "^FAILED renewal allowed: " .out
	# the line alone says no as well
	sqlite3 -cmd ".timeout 10000" "$STEPPATH/db/perennial.db" "DELETE FROM revocations WHERE serial = '$id'"
	step_run ca renew --check line.local.crt line.local.key
	expect 1
	grep -q "^FAILED renewal allowed: " .out
	# who has no certificate to show is told so
	[ "$(curl -s -o /dev/null -w '%{http_code}' --cacert "$CA_ROOT" "$CA_URL/renewable")" = 400 ]
}

@test "flags are checked in the peer's order and words" {
	issue u.local
	bad() {
		local want=$1
		shift
		step_run ca renew "$@" u.local.crt u.local.key
		expect 1 "$want"
	}
	bad "flag '--expires-in' is incompatible with '--renew-period'" --expires-in 1h --renew-period 1h
	bad "flag '--renew-period' requires the '--daemon' flag" --renew-period 1h
	bad "flag '--pid' and flag '--pid-file' are mutually exclusive" --pid 1 --pid-file x
	bad "invalid value '0' for flag '--pid'" --pid 0
	bad "open nosuch failed: no such file or directory" --pid-file nosuch
	echo 0 >zero
	bad "invalid value '0' for flag '--pid-file'" --pid-file zero
	bad "invalid value '-1' for flag '--signal'" --pid 1 --signal=-1
	bad "flag '--renew-period' must be within (lower than) the certificate validity period; renew-period=24h0m0s, cert-validity-period=24h0m0s" \
		--daemon --renew-period 24h
	bad "flag '--expires-in' must be within (lower than) the certificate validity period; expires-in=24h0m1s, cert-validity-period=24h0m0s" \
		--force --expires-in 24h1s
	bad "invalid value 'a \"b' for flag '--exec': an open quote" --exec 'a "b' ||
		[[ "$err" == "invalid value 'a \"b' for flag '--exec': "* ]]
	bad "flag '--p12-out' requires the '--p12-password-file' flag" --p12-out x.p12
	bad "invalid value '9' for flag '--mode'" --mode 9
	bad "invalid value 'no-such-user' for flag '--owner'; there is no such user" --owner no-such-user
	step_run ca rekey --daemon --private-key u.local.key u.local.crt u.local.key
	expect 1 "flag '--private-key' is incompatible with '--daemon'"
}

@test "--expires-in and --renew-period set the daemon's schedule" {
	issue v.local --not-after 20s
	daemon renew --renew-period 2s v.local.crt v.local.key
	grep -Eq "first renewal in [0-2]s" log.out
	says 2 "certificate renewed, next in 2s"
	daemon_ends
	# close to the validity the peer renews 500 times a second
	daemon renew --expires-in 20s v.local.crt v.local.key
	says 2 "certificate renewed, next in [1-9]"
	daemon_ends
	[ "$(grep -c renewed log.out)" -le 4 ]
}

@test "a certificate that expired while nobody looked is recovered with a token, where the provisioner allows it" {
	issue late.local --not-after 2s
	ca_wait 'is_over late.local.crt'
	daemon renew late.local.crt late.local.key
	says 1 "error renewing certificate: The request lacked necessary authorization" log.err
	says 1 "step ca certificate --force late.local late.local.crt late.local.key" log.err
	ca_stop
	cp "$STEPPATH/config/ca.json" ca.json.kept
	ca_json '.authority.provisioners[0].claims.allowRenewalAfterExpiry = true'
	ca_start
	kill -HUP "$DAEMON"
	says 1 "late.local certificate renewed, next in"
	# and from then on by mTLS again
	says 2 "late.local certificate renewed, next in"
	daemon_ends
	pair_fits late.local.crt late.local.key
	[ "$(grep -c "path=/renew status=201 .*token=.*subject=late.local" "$CA_DIR/ca.log")" -eq 1 ]
	ca_stop
	cat ca.json.kept >"$STEPPATH/config/ca.json"
	ca_start
}

@test "a state file that others wrote is not used" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	issue w.local
	echo '{"version": 1}' >.w.local.crt.state
	chown 12345 .w.local.crt.state
	daemon renew w.local.crt w.local.key
	says 1 "the renewal state .*/.w.local.crt.state is not used: it belongs to another user \(user 12345" log.err
	kill -HUP "$DAEMON"
	says 1 "w.local certificate renewed"
	daemon_ends
	[ "$(cat .w.local.crt.state)" = '{"version": 1}' ]
}

@test "lines have a priority where the journal reads them, and only there" {
	issue y.local --not-after 30s
	daemon renew y.local.crt y.local.key
	grep -q "^INFO: " log.out
	daemon_ends
	: >journal.out
	: >journal.err
	JOURNAL_STREAM=$(stat -c %d:%i journal.out) step ca renew --daemon y.local.crt y.local.key >>journal.out 2>>journal.err 3>&- &
	DAEMON=$!
	echo "$DAEMON" >>pids
	says 1 "^<6>INFO: $date_re first renewal in" journal.out
	mv y.local.key gone
	kill -HUP "$DAEMON"
	says 1 "^ERROR: $date_re error loading private key" journal.err # a file, not the journal
	daemon_ends
	JOURNAL_STREAM=$(stat -c %d:%i journal.err) step ca renew --daemon y.local.crt gone >>journal.out 2>>journal.err 3>&- &
	DAEMON=$!
	echo "$DAEMON" >>pids
	says 1 "^INFO: $date_re first renewal in" journal.out
	rm gone
	kill -HUP "$DAEMON"
	says 1 "^<3>ERROR: $date_re error loading private key" journal.err
	daemon_ends
}

# A service manager's socket; what is said to it is in `told`.
manager() {
	need_cmd python3
	python3 - 3>&- <<'PY' &
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("notify")
while True:
    with open("told", "ab") as f:
        f.write(s.recv(4096) + b"\n")
PY
	echo $! >>pids
	ca_wait '[ -S notify ]'
	export NOTIFY_SOCKET="$PWD/notify"
}

@test "the watchdog is fed at rest and while a command runs, and only for whom it watches" {
	issue dog.local
	manager
	printf '#!/bin/sh\n[ -e go ] || { touch started; while [ ! -e go ]; do sleep 0.1; done; }\n' >hook
	chmod +x hook
	WATCHDOG_USEC=1000000 daemon renew --exec ./hook dog.local.crt dog.local.key
	ca_wait '[ "$(grep -cx WATCHDOG=1 told)" -ge 3 ]' # at rest, twice a second
	kill -HUP "$DAEMON"
	ca_wait '[ -e started ]'
	fed=$(grep -cx WATCHDOG=1 told)
	ca_wait '[ "$(grep -cx WATCHDOG=1 told)" -gt $fed ]'
	touch go
	says 1 "dog.local certificate renewed"
	daemon_ends
	: >told
	WATCHDOG_USEC=1000000 WATCHDOG_PID=1 daemon renew dog.local.crt dog.local.key
	ca_wait 'grep -qx READY=1 told'
	daemon_ends
	ca_wait 'grep -qx STOPPING=1 told'
	refute grep -q WATCHDOG told
	unset NOTIFY_SOCKET
}

@test "the service manager is told" {
	issue x.local
	manager
	daemon renew x.local.crt x.local.key
	ca_wait 'grep -qx READY=1 told && grep -q "^STATUS=1 certificate, 0 failing or with a command owed, next look at " told'
	unset NOTIFY_SOCKET
	daemon_ends
	ca_wait 'grep -qx STOPPING=1 told'
}
