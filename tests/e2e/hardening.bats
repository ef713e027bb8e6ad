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
