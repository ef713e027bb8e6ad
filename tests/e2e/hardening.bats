# What reviewers broke once. Each test is named after what went wrong.

bats_require_minimum_version 1.5.0
load lib
load ca

setup_file() {
	ca_init "$BATS_FILE_TMPDIR/ca"
	ca_start
}

teardown_file() {
	ca_stop
}

setup() {
	cd "$BATS_TEST_TMPDIR"
}

@test "the log said nothing of a client whose certificate does not get through the handshake" {
	step certificate create Stranger stranger.crt stranger.key --profile self-signed --subtle --no-password --insecure
	refute curl -sS --cacert "$CA_ROOT" --cert stranger.crt --key stranger.key -d '' "$CA_URL/renew"
	ca_wait "grep -q 'connection without a request.*remote-address=.*error=.*self.signed certificate' '$CA_DIR/ca.log'"
}

@test "a reload told nothing of limits that it did not change" {
	ca_json '.limits = {bodyBytes: 4096}'
	kill -HUP "$CA_PID"
	ca_wait "grep -q 'limits: changed in the configuration; the old ones hold until a restart' '$CA_DIR/ca.log'"
	ca_json 'del(.limits)'
}

@test "warnings at the start were not in the form of the log that was asked for, and told twice" {
	export STEPPATH="$BATS_TEST_TMPDIR/step"
	cp -r "$CA_DIR/step" "$STEPPATH"
	jq --arg db "$PWD/db" '.logger.format = "json" | .address = "127.0.0.1:0" | .db.dataSource = $db |
		.authority.provisioners += [{type: "OIDC", name: "o", clientID: "o"}]' "$STEPPATH/config/ca.json" >ca.json
	refute timeout 20 step-ca ca.json --password-file "$CA_DIR/password.txt" --pidfile /nonexistent/pid 2>ca.log
	[ "$(grep -c '^{.*disabled' ca.log)" -eq 1 ]
	[ "$(grep -vc '^{' ca.log)" -eq 1 ]
}

@test "a pidfile that cannot be written ended the CA with threads running and its database open" {
	jq --arg db "$PWD/db" '.address = "127.0.0.1:0" | .db.dataSource = $db' "$STEPPATH/config/ca.json" >ca.json
	run timeout 20 step-ca ca.json --password-file "$CA_DIR/password.txt" --pidfile /nonexistent/pid
	[ "$status" -eq 2 ]
	[[ "$output" == *"/nonexistent/pid"* ]]
	absent db/perennial.db-wal
}
