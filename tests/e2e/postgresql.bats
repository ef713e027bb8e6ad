#!/usr/bin/env bats
# Several nodes of one CA on one PostgreSQL: real step-ca processes, one ca.json, a real server of the test's own.

setup_file() {
	load ../lib/pg.bash
	pg_bin >/dev/null || skip "PostgreSQL is not installed"
	pg_init
	load ca.bash
	export NODES="$BATS_FILE_TMPDIR/nodes"
	ca_init "$NODES"
	ca_json --arg url "$(pg_url)" '.db = {type: "postgresql", dataSource: $url}'
	local n
	for n in a b c; do
		node_start $n || return 1
	done
	sed -i "s#\"ca-url\": *\"[^\"]*\"#\"ca-url\": \"$(urls a b c)\"#" "$STEPPATH/config/defaults.json"
}

teardown_file() {
	load ../lib/pg.bash
	load ca.bash
	local n failed=0
	for n in a b c; do
		node_stop $n || failed=1
	done
	pg_end
	return $failed
}

setup() {
	load ../lib/pg.bash
	pg_bin >/dev/null || skip "PostgreSQL is not installed"
	load ca.bash
	ca_use "$NODES"
	cd "$BATS_TEST_TMPDIR"
}

# A test that failed must not take the others along.
teardown() {
	load ../lib/pg.bash
	[ -z "${PG_DIR:-}" ] || [ -e "$PG_DIR/data/postmaster.pid" ] || pg_start
}

# node_start NAME: one more process on the same ca.json; its port is in NODES/NAME.port.
node_start() {
	rm -f "$NODES/$1.port" "$NODES/$1.exit"
	(
		step-ca "$NODES/step/config/ca.json" --password-file "$NODES/password.txt" --port-file "$NODES/$1.port" \
			2>>"$NODES/$1.log" &
		echo $! >"$NODES/$1.pid"
		wait $! && ended=0 || ended=$?
		echo $ended >"$NODES/$1.exit"
	) >/dev/null 3>&- &
	ca_wait '[ -s "$NODES/'$1'.port" ] || [ -s "$NODES/'$1'.exit" ]' || return 1
	[ -s "$NODES/$1.port" ] || { cat "$NODES/$1.log" >&2; return 1; }
}

# node_stop NAME [SIGNAL]: TERM must end it well.
node_stop() {
	[ -s "$NODES/$1.pid" ] && [ ! -s "$NODES/$1.exit" ] || return 0
	kill -s "${2:-TERM}" "$(cat "$NODES/$1.pid")"
	ca_wait '[ -s "$NODES/'$1'.exit" ]' || return 1
	[ "${2:-TERM}" != TERM ] || [ "$(cat "$NODES/$1.exit")" = 0 ] || { tail -40 "$NODES/$1.log" >&2; return 1; }
}

urls() {
	local n sep=
	for n in "$@"; do
		printf '%s%s' "$sep" "https://localhost:$(cat "$NODES/$n.port")"
		sep=,
	done
}

@test "what one node issues, another renews and a third revokes" {
	issue host.example --ca-url "$(urls a)"
	step ca renew host.example.crt host.example.key --ca-url "$(urls b)" --force
	step ca revoke --ca-url "$(urls c)" --cert host.example.crt --key host.example.key
	run step ca renew host.example.crt host.example.key --ca-url "$(urls a)" --force
	[ "$status" -ne 0 ]
	[[ $output == *"lacked necessary authorization"* ]] || { echo "$output"; return 1; }
}

@test "one token at all nodes at once gives one certificate" {
	local i n won
	for i in 1 2 3; do
		token race.example --ca-url "$(urls a)" >token
		for n in a b c; do
			for k in 1 2 3; do
				(
					step ca certificate race.example $n$k.crt $n$k.key --token "$(cat token)" --ca-url "$(urls $n)" \
						--force >$n$k.out 2>&1 3>&-
					echo $? >$n$k.status
				) &
			done
		done
		wait
		won=$(cat ??.status | grep -cx 0)
		[ "$won" = 1 ] || { cat ??.out; return 1; }
		rm -f ??.status ??.out
	done
}

@test "step goes on to the next node" {
	issue failover.example --ca-url "https://localhost:1,$(urls b)"
	node_stop a KILL
	step ca health --ca-url "$(urls a b)"
	step ca renew failover.example.crt failover.example.key --force # by defaults.json, whose first is gone
	node_start a
	sed -i "s#\"ca-url\": *\"[^\"]*\"#\"ca-url\": \"$(urls a b c)\"#" "$STEPPATH/config/defaults.json"
	run step ca health --ca-url "https://localhost:1,https://localhost:2"
	[ "$status" -ne 0 ]
}

@test "while the database is away the nodes answer 503, and serve again by themselves" {
	issue away.example
	pg_stop fast
	run step ca renew away.example.crt away.example.key --force --ca-url "$(urls a)"
	[ "$status" -ne 0 ]
	[[ $output == *"try again"* ]] || { echo "$output"; return 1; }
	[ "$(curl -sk -o /dev/null -w '%{http_code}' "$(urls a)/health")" = 200 ]
	pg_start
	ca_wait 'step ca renew away.example.crt away.example.key --force --ca-url "$(urls a)" 2>/dev/null'
	step ca renew away.example.crt away.example.key --force --ca-url "$(urls b)"
	step ca renew away.example.crt away.example.key --force --ca-url "$(urls c)"
}

@test "the logs hold no password, and libpq is loaded only where it is used" {
	local pid
	pid=$(cat "$NODES/b.pid")
	grep -q libpq "/proc/$pid/maps"
	mkdir other
	(
		ca_init "$PWD/other"
		ca_start
		run grep -q libpq "/proc/$CA_PID/maps"
		[ "$status" -eq 1 ]
		ca_stop
	)
	ca_use "$NODES"
	jq '.db.dataSource = "postgresql://step:s3cr3t@127.0.0.1:1/ca?sslmode=bogus"' "$STEPPATH/config/ca.json" >bad.json
	run step-ca bad.json --password-file "$NODES/password.txt"
	[ "$status" -eq 2 ]
	[[ $output == *sslmode* ]]
	[[ $output != *s3cr3t* ]]
	jq '.db.dataSource = "postgresql://step:s3cr%t@h/ca"' "$STEPPATH/config/ca.json" >bad.json
	run step-ca bad.json --password-file "$NODES/password.txt"
	[ "$status" -eq 2 ]
	[[ $output != *s3cr* ]]
	jq '.db.dataSource = "postgresql://step@127.0.0.1/ca?options=-cfsync"' "$STEPPATH/config/ca.json" >bad.json
	run step-ca bad.json --password-file "$NODES/password.txt"
	[ "$status" -eq 2 ]
	[[ $output == *"the parameter options is not taken here"* ]]
}

@test "without libpq the error names its package" {
	[ "$(id -u)" = 0 ] || skip "needs root for a mount namespace"
	local lib
	lib=$(ldconfig -p | awk '/libpq\.so\.5 /{print $NF; exit}')
	run unshare -m sh -c 'mount --bind /dev/null "$1" && step-ca "$2" --password-file "$3"' sh "$(readlink -f "$lib")" \
		"$STEPPATH/config/ca.json" "$NODES/password.txt"
	[ "$status" -eq 2 ]
	[[ $output == *"apt-get install libpq5"* ]] || { echo "$output"; return 1; }
}

@test "TLS to the database is verified where it is asked for" {
	local port
	port=$(cat "$PG_DIR/port")
	cp "$PG_DIR/data/server.crt" root.crt 2>/dev/null || pg_as cat "$PG_DIR/data/server.crt" >root.crt
	jq --arg u "postgresql://step@localhost:$port/ca?sslmode=verify-full&sslrootcert=$PWD/root.crt" '.db.dataSource = $u' \
		"$STEPPATH/config/ca.json" >tls.json
	cp -r "$NODES" good
	cp tls.json good/step/config/ca.json
	(
		ca_use "$PWD/good"
		rm -f good/pid good/exit.*
		ca_start
		[ "$(pg_sql "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE s.ssl AND a.application_name = 'step-ca' AND a.client_addr IS NOT NULL")" -ge 1 ]
		ca_stop
	)
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=other -keyout k -out other.crt 2>/dev/null
	sed -i "s#root.crt#other.crt#" tls.json
	ca_use "$NODES"
	run step-ca tls.json --password-file "$NODES/password.txt"
	[ "$status" -eq 2 ]
	[[ $output == *"certificate verify failed"* ]] || { echo "$output"; return 1; }
}

@test "one that is not let in says so at once" {
	jq --arg u "postgresql://nobody@127.0.0.1:$(cat "$PG_DIR/port")/ca" '.db.dataSource = $u' "$STEPPATH/config/ca.json" >bad.json
	run step-ca bad.json --password-file "$NODES/password.txt"
	[ "$status" -eq 2 ]
	[[ $output == *'role "nobody" does not exist'* ]] || { echo "$output"; return 1; }
}

@test "fsync off is refused" {
	pg_sql "ALTER SYSTEM SET fsync = off" && pg_sql "SELECT pg_reload_conf()"
	ca_wait '[ "$(pg_sql "SHOW fsync")" = off ]'
	run step-ca "$STEPPATH/config/ca.json" --password-file "$NODES/password.txt"
	pg_sql "ALTER SYSTEM RESET fsync" && pg_sql "SELECT pg_reload_conf()"
	[ "$status" -eq 2 ]
	[[ $output == *"fsync off"* ]] || { echo "$output"; return 1; }
	ca_wait '[ "$(pg_sql "SHOW fsync")" = on ]'
}
