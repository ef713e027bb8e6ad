#!/usr/bin/env bats
# --offline: the commands on the CA's machine, while no CA runs. step-ca serves them over a private socket.

load lib
load ca

setup_file() {
	ca_init "$BATS_FILE_TMPDIR/ca"
}

setup() {
	ca_use "$BATS_FILE_TMPDIR/ca"
	PW=$CA_DIR/password.txt
	export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/run
	mkdir -p "$XDG_RUNTIME_DIR"
	cd "$BATS_TEST_TMPDIR"
}

# Nothing is left: no socket, no process. (Of a teardown only its own status counts.)
teardown() {
	ca_use "$BATS_FILE_TMPDIR/ca"
	local failed=0
	[ -z "$(ls -A "$XDG_RUNTIME_DIR")" ] || { ls -A "$XDG_RUNTIME_DIR"; failed=1; }
	refute pgrep -f "step-ca $STEPPATH/config/ca.json --on-socket" || failed=1
	ca_stop || failed=1
	return $failed
}

@test "a certificate's life without a CA that runs, all of it in the CA's database" {
	step_run ca certificate --offline foo.local foo.crt foo.key --password-file "$PW"
	[ "$status" -eq 0 ]
	pair_fits foo.crt foo.key
	first=$(step certificate inspect --format json foo.crt | jq -r .serial_number)
	step_run ca renew --offline --force foo.crt foo.key --password-file "$PW"
	[ "$status" -eq 0 ]
	pair_fits foo.crt foo.key
	second=$(step certificate inspect --format json foo.crt | jq -r .serial_number)
	[ "$first" != "$second" ]
	step_run ca rekey --offline --force foo.crt foo.key --password-file "$PW"
	[ "$status" -eq 0 ]
	pair_fits foo.crt foo.key
	[ "$(sqlite3 "$STEPPATH/db/perennial.db" "SELECT count(*) FROM certs WHERE line = (SELECT line FROM certs WHERE serial = '$first')")" = 3 ]
	step_run ca renew --offline --check foo.crt foo.key --password-file "$PW"
	[ "$status" -eq 0 ]
	step_run ca revoke --offline --cert foo.crt --key foo.key --password-file "$PW"
	[ "$status" -eq 0 ]
	step_run ca renew --offline --force foo.crt foo.key --password-file "$PW"
	[ "$status" -eq 1 ]
	pair_fits foo.crt foo.key
	# the server knows it, too
	ca_start
	step_run ca renew --force foo.crt foo.key
	[ "$status" -eq 1 ]
}

@test "a request, and the end of its line" {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout bar.key -subj /CN=bar.local \
		-addext subjectAltName=DNS:bar.local -out bar.csr 2>/dev/null
	step ca sign --offline bar.csr bar.crt --password-file "$PW"
	serial=$(step certificate inspect --format json bar.crt | jq -r .serial_number)
	step_run ca revoke --offline "$serial" --lineage --dry-run --password-file "$PW"
	[ "$status" -eq 0 ]
	[ "$(sqlite3 "$STEPPATH/db/perennial.db" "SELECT count(*) FROM revocations WHERE serial = '$serial'")" = 0 ]
	step_run ca revoke --offline "$serial" --lineage --password-file "$PW"
	[ "$status" -eq 0 ]
	step_run ca sign --offline bar.csr again.crt --password-file "$PW"
	[ "$status" -eq 1 ]
	[ ! -e again.crt ]
}

@test "it says what is wrong, and leaves nothing" {
	echo wrong >wrong.txt
	step_run ca certificate --offline x.local x.crt x.key --provisioner-password-file "$PW" --password-file wrong.txt
	[ "$status" -eq 1 ]
	[[ "$err" == *"wrong password"* && "$err" == *"did not start"* ]]
	[ ! -e x.crt ]
	[ ! -e x.key ]
	step_run ca certificate --offline x.local x.crt x.key --password-file "$PW" --ca-config nosuch.json
	[ "$status" -eq 1 ]
	[[ "$err" == *nosuch.json* ]]
	step_run ca certificate --offline x.local x.crt x.key --token a.b.c
	[ "$status" -eq 1 ]
	[[ "$err" == *"'--offline' is incompatible with"* ]]
	step_run ca renew --offline --daemon x.crt x.key
	[ "$status" -eq 1 ]
	[[ "$err" == *"incompatible"* ]]
	XDG_RUNTIME_DIR=$PWD/missing step_run ca certificate --offline x.local x.crt x.key --password-file "$PW"
	[ "$status" -eq 1 ]
	[[ "$err" == *"$PWD/missing/"* ]]
	far=$PWD/$(printf 'x%.0s' {1..120})
	mkdir "$far"
	XDG_RUNTIME_DIR=$far step_run ca certificate --offline x.local x.crt x.key --password-file "$PW"
	[ "$status" -eq 1 ]
	[[ "$err" == *"$far/"*": too long for a socket; set XDG_RUNTIME_DIR to a shorter folder"* ]]
	XDG_RUNTIME_DIR='' TMPDIR=$far step_run ca certificate --offline x.local x.crt x.key --password-file "$PW"
	[ "$status" -eq 1 ]
	[[ "$err" == *"$far/"*": too long for a socket; set TMPDIR to a shorter folder"* ]]
	[ -z "$(ls -A "$far")" ]
}

@test "a CA that runs holds its database" {
	ca_start
	step_run ca certificate --offline x.local x.crt x.key --password-file "$PW"
	[ "$status" -eq 1 ]
	[[ "$err" == *"is held by process"* ]]
	[ ! -e x.crt ]
}

@test "step-ca takes no other socket" {
	run step-ca "$STEPPATH/config/ca.json" --on-socket 3</dev/null
	[ "$status" -ne 0 ]
	[[ "$output" == *"--on-socket"* ]]
}

@test "its CA does not outlive step" {
	mkfifo password # read by step-ca, which waits in it
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj /CN=k.local -out k.csr 2>/dev/null
	step ca sign --offline k.csr k.crt --provisioner-password-file "$PW" --password-file password 3>&- &
	step=$!
	ca_wait 'pgrep -P $step >child'
	kill -KILL $step
	wait $step || true
	ca_wait '! kill -0 $(cat child)'
	rm -rf "$XDG_RUNTIME_DIR"/step-offline.* # what a killed step leaves
	[ ! -e k.crt ]
}
