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

@test "a reload left all limits as they were" {
	sends() { # sends BYTES: the status of a request with so large a body
		head -c "$1" /dev/zero | tr '\0' x | curl -sS --cacert "$CA_ROOT" -o /dev/null -w '%{http_code}' --data-binary @- "$CA_URL/sign"
	}
	[ "$(sends 5000)" = 400 ]
	ca_json '.limits = {bodyBytes: 4096}'
	kill -HUP "$CA_PID"
	ca_wait '[ "$(sends 5000)" = 413 ]'
	[ "$(sends 4000)" = 400 ]
	ca_json 'del(.limits)'
	kill -HUP "$CA_PID"
	ca_wait '[ "$(sends 5000)" = 400 ]'
}

@test "a reload told nothing of limits that it did not change" {
	ca_json '.limits = {exemptAddresses: ["10.0.0.0/8"], storeQueue: 7}'
	kill -HUP "$CA_PID"
	ca_wait "grep -q 'limits.exemptAddresses: changed in the configuration; the old ones hold until a restart' '$CA_DIR/ca.log'"
	ca_wait "grep -q 'limits.storeQueue: changed in the configuration; the old one holds until a restart' '$CA_DIR/ca.log'"
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

@test "one broken file in a folder of roots hid the others from certificate verify" {
	mkdir -p roots/folder
	cp "$CA_ROOT" roots/root.crt
	echo "no certificate" >roots/broken.crt
	step ca health --root roots
	step certificate verify --roots roots "$STEPPATH/certs/intermediate_ca.crt"
	rm roots/root.crt
	refute step ca health --root roots
	refute step certificate verify --roots roots "$STEPPATH/certs/intermediate_ca.crt"
}

@test "ca init takes over a root, and refuses one that does not fit" {
	step certificate create Old old.crt old.key --profile root-ca --no-password --insecure
	step certificate create Flat flat.crt flat.key --profile intermediate-ca --ca old.crt --ca-key old.key --no-password --insecure
	ours=$STEPPATH
	init() {
		STEPPATH="$PWD/new" step ca init --name New --provisioner admin --dns localhost --address :0 --pki \
			--password-file "$CA_DIR/password.txt" "$@" 2>err
	}
	refute init --root old.crt --key flat.key
	[ "$(cat err)" = "the private key in flat.key does not belong to the certificate in old.crt" ]
	refute init --root flat.crt --key flat.key
	[ "$(cat err)" = "flat.crt: its path length allows no intermediate below it" ]
	absent new/certs/root_ca.crt
	init --root old.crt --key old.key
	cmp old.crt new/certs/root_ca.crt
	openssl verify -CAfile old.crt new/certs/intermediate_ca.crt
	absent new/secrets/root_ca_key
}

@test "a FIFO in place of a certificate, or of its key, kept the renewer waiting for ever" {
	issue foo.local
	mkfifo fifo
	for args in "fifo foo.local.key" "foo.local.crt fifo" "foo.local.crt foo.local.key --out fifo"; do
		run timeout 20 step ca renew --force $args
		[ "$status" -eq 1 ]
		[[ "$output" == *"open fifo failed: not a regular file"* ]]
	done
	step ca renew --force foo.local.crt <(cat foo.local.key)
	pair_fits foo.local.crt foo.local.key
}
