# A CA that is down, is slow, is somebody else, or is a web server: what step says, and that no file changes.

bats_require_minimum_version 1.5.0
load lib
load ca

setup_file() {
	ca_init "$BATS_FILE_TMPDIR/ca"
	ca_start
	cd "$BATS_FILE_TMPDIR"
	issue localhost && issue x.local && issue other.local
	cp x.local.crt before.crt
	FINGERPRINT=$(step certificate fingerprint "$CA_ROOT")
	export FINGERPRINT
	step certificate create --profile root-ca --no-password --insecure "Other Root" other-root.crt other-root.key
	step certificate create --profile leaf --ca other-root.crt --ca-key other-root.key --no-password --insecure \
		--bundle localhost foreign.crt foreign.key
	step certificate create --profile leaf --ca "$STEPPATH/certs/intermediate_ca.crt" \
		--ca-key "$STEPPATH/secrets/intermediate_ca_key" --ca-password-file "$CA_DIR/password.txt" \
		--not-before -2h --not-after -1h --no-password --insecure --bundle localhost expired.crt expired.key
}

teardown_file() {
	ca_stop
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	cp "$BATS_FILE_TMPDIR"/{x.local.crt,x.local.key} .
	OURS="$BATS_FILE_TMPDIR/localhost"
	STUB=
}

teardown() {
	[ -z "$STUB" ] || kill "$STUB" 2>/dev/null || true
}

# stub PAIR MODE: a server that is no CA; URL is where it listens
stub() {
	rm -f port
	python3 "$BATS_TEST_DIRNAME/stub.py" "$1.crt" "$1.key" port "$2" 3>&- &
	STUB=$!
	ca_wait '[ -s port ]'
	URL="https://localhost:$(cat port)"
}

# A port that is taken, so that nobody else gets it, and nobody listens there.
nobody() {
	rm -f port
	python3 -c 'import signal, socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True); signal.pause()' \
		>port 3>&- &
	STUB=$!
	ca_wait '[ -s port ]'
	URL="https://localhost:$(cat port)"
}

# fails_with TEXT COMMAND...: with this text on stderr, nothing on stdout, and the pair untouched. @URL@ and @PORT@ stand
# for the server's.
fails_with() {
	local want=${1//@URL@/$URL}
	want=${want//@PORT@/${URL##*:}}
	shift
	step_run "$@"
	expect 1 "$want" || return 1
	[ -z "$out" ]
	cmp x.local.crt "$BATS_FILE_TMPDIR/x.local.crt"
	cmp x.local.key "$BATS_FILE_TMPDIR/x.local.key"
}

renew_fails_with() {
	fails_with "error renewing certificate: client POST @URL@/renew failed: $1" ca renew --force --ca-url "$URL" x.local.crt x.local.key
}

health_fails_with() {
	fails_with "$1" ca health --ca-url "$URL"
}

@test "a CA that is down: every command says whom it could not reach" {
	local refused="dial tcp 127.0.0.1:@PORT@: connect: connection refused"
	nobody
	health_fails_with "client GET @URL@/health failed: $refused"
	renew_fails_with "$refused"
	fails_with "error rekeying certificate: client POST @URL@/rekey failed: $refused" \
		ca rekey --force --ca-url "$URL" x.local.crt x.local.key
	fails_with "client GET @URL@/provisioners?limit=100 failed: $refused" ca token --ca-url "$URL" a.local
	fails_with "client GET @URL@/provisioners?limit=100 failed: $refused" \
		ca certificate a.local a.crt a.key --ca-url "$URL" --password-file "$CA_DIR/password.txt"
	fails_with "✔ CA: @URL@"$'\n'"client POST @URL@/revoke failed: $refused" \
		ca revoke --cert x.local.crt --key x.local.key --ca-url "$URL"
	fails_with "client GET @URL@/roots failed: $refused" ca roots --ca-url "$URL"
	fails_with "client GET @URL@/federation failed: $refused" ca federation --ca-url "$URL"
	fails_with "error downloading root certificate: client GET @URL@/root/$FINGERPRINT failed: $refused" \
		ca root --ca-url "$URL" --fingerprint "$FINGERPRINT"
	absent a.crt a.key
	[ -z "$(find . -name '.*.lock' -o -name '.*.new' -o -name '.*.journal')" ]
}

@test "a name that is nowhere" {
	URL=https://nosuch.invalid
	health_fails_with "client GET https://nosuch.invalid/health failed: dial tcp: lookup nosuch.invalid: no such host"
}

@test "a CA whose certificate is from another root" {
	stub "$BATS_FILE_TMPDIR/foreign" html
	health_fails_with "client GET @URL@/health failed: tls: failed to verify certificate: x509: certificate signed by unknown authority"
	renew_fails_with "tls: failed to verify certificate: x509: certificate signed by unknown authority"
}

@test "a certificate of ours, but of another host" {
	stub "$BATS_FILE_TMPDIR/other.local" html
	health_fails_with "client GET @URL@/health failed: tls: failed to verify certificate: x509: certificate is valid for other.local, not localhost"
	renew_fails_with "tls: failed to verify certificate: x509: certificate is valid for other.local, not localhost"
}

@test "a CA whose own certificate has expired" {
	stub "$BATS_FILE_TMPDIR/expired" html
	step_run ca health --ca-url "$URL"
	[ "$status" -eq 1 ]
	[[ "$err" =~ ^"client GET $URL/health failed: tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time "[-0-9T:]+"Z is after "[-0-9T:]+Z$ ]]
	step_run ca renew --force --ca-url "$URL" x.local.crt x.local.key
	[ "$status" -eq 1 ]
	[[ "$err" == "error renewing certificate: client POST $URL/renew failed: tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time "* ]]
	cmp x.local.crt "$BATS_FILE_TMPDIR/x.local.crt"
}

@test "HTML in place of a CA's answer" {
	local proxy="is there a proxy between this machine and the CA (HTTPS_PROXY, NO_PROXY)?"
	local page="<html><head><title>Welcome to the hotel</title></head></html>"
	local text="the answer has HTTP status 200 and is not JSON, as a CA's would be: $page; $proxy"
	stub "$OURS" html
	health_fails_with "$text"
	fails_with "error renewing certificate: $text" ca renew --force --ca-url "$URL" x.local.crt x.local.key
	fails_with "error downloading root certificate: $text" ca root --ca-url "$URL" --fingerprint "$FINGERPRINT"
	fails_with "✔ CA: @URL@"$'\n'"$text" ca certificate a.local a.crt a.key --ca-url "$URL" --root "$CA_ROOT" \
		--token "$(CA_URL=$URL python3 "$BATS_TEST_DIRNAME/jwt.py" new-key k && CA_URL=$URL python3 "$BATS_TEST_DIRNAME/jwt.py" make k --claims '{"sub":"a.local"}')"
	absent a.crt a.key
}

@test "an error page, an empty answer, an answer without a certificate" {
	local proxy="is there a proxy between this machine and the CA (HTTPS_PROXY, NO_PROXY)?"
	stub "$OURS" html502
	health_fails_with "the answer has HTTP status 502 and is not JSON, as a CA's would be: <html><head><title>Welcome to the hotel</title></head></html>; $proxy"
	kill "$STUB"
	stub "$OURS" empty200
	health_fails_with "the answer has HTTP status 200 and no content; $proxy"
	kill "$STUB"
	stub "$OURS" notcerts
	health_fails_with "the CA's status is \"\", not \"ok\""
	fails_with "error renewing certificate: the CA's answer has no certificate in crt" \
		ca renew --force --ca-url "$URL" x.local.crt x.local.key
}

@test "a CA's words do not steer the terminal" {
	stub "$OURS" json
	health_fails_with 'I am\x1b[2J a teapot.'$'\n''Re-run with STEPDEBUG=1 for more info.'
}

@test "an answer that breaks off" {
	stub "$OURS" half
	health_fails_with "client GET @URL@/health failed: connection closed while reading the answer"
	renew_fails_with "connection closed while reading the answer"
	kill "$STUB"
	stub "$OURS" reset
	renew_fails_with "connection broke: connection reset by peer"
}

@test "somebody else's certificate for an answer is not used" {
	stub "$OURS" "foreign:$BATS_FILE_TMPDIR/other.local.crt"
	fails_with "the CA's answer is not used: the new certificate is not for our key" \
		ca renew --force --ca-url "$URL" x.local.crt x.local.key
	fails_with "the CA's answer is not used: the new certificate is not for our key" \
		ca rekey --force --ca-url "$URL" x.local.crt x.local.key
}

@test "a slow CA: the command ends in its time" {
	stub "$OURS" silent
	fails_with "client GET @URL@/health failed: no answer within 300ms (waiting for the answer)" \
		ca health --ca-url "$URL" --timeout 300ms
	fails_with "error renewing certificate: client POST @URL@/renew failed: no answer within 300ms (waiting for the answer)" \
		ca renew --force --ca-url "$URL" --timeout 300ms x.local.crt x.local.key
	kill "$STUB"
	stub "$OURS" deaf
	export STEP_TIMEOUT=300ms
	health_fails_with "client GET @URL@/health failed: no answer within 300ms (waiting for the TLS handshake)"
	unset STEP_TIMEOUT
	fails_with "invalid value '0s' for flag '--timeout'; the CA needs some time to answer" ca health --timeout 0s
	fails_with "invalid value '2' for flag '--timeout'" ca health --timeout 2
}

@test "a slow CA: without the flag the command ends after 15 seconds" {
	need_cmd faketime
	stub "$OURS" silent
	# every second of the clock lasts 50 ms
	if [ "${PERENNIAL_SANITIZER:-none}" != none ]; then skip "faketime and sanitizers do not go together"; fi
	status=0
	faketime -f '+0 x20' step ca health --ca-url "$URL" >.out 2>.err || status=$?
	[ "$status" -eq 1 ]
	[ "$(cat .err)" = "client GET $URL/health failed: no answer within 15s (waiting for the answer)" ]
}

@test "bootstrap takes no other root than the one of the fingerprint" {
	export STEPPATH="$BATS_TEST_TMPDIR/boot"
	local wrong; wrong=$(rev <<<"$FINGERPRINT") # another one, whatever the root is
	[ "$wrong" != "$FINGERPRINT" ]
	URL=$CA_URL
	fails_with "error downloading root certificate: root certificate with fingerprint \"$wrong\" was not found"$'\n'"Re-run with STEPDEBUG=1 for more info." \
		ca bootstrap --ca-url "$CA_URL" --fingerprint "$wrong"
	fails_with "error downloading root certificate: a fingerprint is the SHA-256 of the root certificate: 64 hexadecimal digits" \
		ca bootstrap --ca-url "$CA_URL" --fingerprint abc
	stub "$BATS_FILE_TMPDIR/foreign" "root:$BATS_FILE_TMPDIR/other-root.crt"
	fails_with "error downloading root certificate: the root certificate that was sent has the fingerprint $(step certificate fingerprint "$BATS_FILE_TMPDIR/other-root.crt"), not $FINGERPRINT: is the fingerprint right, and is this the CA?" \
		ca bootstrap --ca-url "$URL" --fingerprint "$FINGERPRINT"
	absent "$STEPPATH"
}

@test "a token's fingerprint is not enough for a server with another root" {
	# The root is the right one, but the server has no certificate from it.
	export STEPPATH="$BATS_TEST_TMPDIR/empty"
	stub "$BATS_FILE_TMPDIR/foreign" "root:$CA_ROOT"
	python3 "$BATS_TEST_DIRNAME/jwt.py" new-key k
	TOKEN=$(CA_URL=$URL python3 "$BATS_TEST_DIRNAME/jwt.py" make k --claims '{"sub":"a.local","sha":"'"$FINGERPRINT"'"}')
	fails_with "✔ CA: @URL@"$'\n'"client POST @URL@/sign failed: tls: failed to verify certificate: x509: certificate signed by unknown authority" \
		ca certificate a.local a.crt a.key --token "$TOKEN"
	absent a.crt a.key
}

@test "no URL, no root, no fingerprint: the flag is named" {
	export STEPPATH="$BATS_TEST_TMPDIR/empty"
	URL=
	fails_with "'step ca health' requires the '--ca-url' flag" ca health
	fails_with "'step ca health' requires the '--root' flag" ca health --ca-url "$CA_URL"
	fails_with "'step ca bootstrap' requires the '--ca-url' flag" ca bootstrap
	fails_with "'step ca bootstrap' requires the '--fingerprint' flag" ca bootstrap --ca-url "$CA_URL"
	fails_with "'step ca renew' requires the '--ca-url' flag" ca renew x.local.crt x.local.key
	fails_with "'step ca renew' requires the '--root' flag" ca renew --ca-url "$CA_URL" x.local.crt x.local.key
	fails_with "invalid value 'http://localhost' for flag '--ca-url'; must have https scheme" ca health --ca-url http://localhost
	absent "$STEPPATH"
}
