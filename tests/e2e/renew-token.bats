# A certificate that cannot speak TLS any more renews itself by a token that its own key has signed.

bats_require_minimum_version 1.5.0
load ca

# past OFFSET COMMAND...: with another clock
past() {
	LD_PRELOAD="$FAKETIME_LIB" FAKETIME=$1 DONT_FAKE_MONOTONIC=1 "${@:2}"
}

setup_file() {
	FAKETIME_LIB=$(find /usr/lib -name libfaketimeMT.so.1 | head -1)
	if [ -z "$FAKETIME_LIB" ]; then WHY_NOT="no faketime here"; fi
	if [ "${PERENNIAL_SANITIZER:-none}" != none ]; then WHY_NOT="faketime and sanitizers do not go together"; fi
	export FAKETIME_LIB WHY_NOT
	[ -z "$WHY_NOT" ] || return 0 # each test skips itself: bats 1.8 calls a skipped file a failed one
	cd "$BATS_FILE_TMPDIR"
	past -2d ca_init "$BATS_FILE_TMPDIR/ca"
	past -2d ca_start
	for name in young old revoked forked; do
		past -2d issue $name.local
	done
	# what was renewed from forked.local is renewed itself
	cp forked.local.crt first.crt
	past -2d step ca renew --force forked.local.crt forked.local.key
	cp forked.local.crt second.crt
	past -2d step ca renew --force forked.local.crt forked.local.key
	past -2d step ca revoke --cert revoked.local.crt --key revoked.local.key
	ca_stop
	ca_start
}

teardown_file() {
	[ -n "$WHY_NOT" ] || ca_stop
}

setup() {
	[ -z "$WHY_NOT" ] || skip "$WHY_NOT"
	cd "$BATS_TEST_TMPDIR"
	cp "$BATS_FILE_TMPDIR"/*.crt "$BATS_FILE_TMPDIR"/*.key .
}

renew_token() {
	step ca token --renew --x5c-cert "$1" --x5c-key "$2" "$3"
}

# post TOKEN: the HTTP status; the answer is in ./answer
post() {
	curl -s --cacert "$CA_ROOT" -o answer -w '%{http_code}' -X POST -H "Authorization: ${2:-Bearer} $1" "$CA_URL/1.0/renew"
}

allow() {
	ca_json ".authority.provisioners[0].claims = $1"
	kill -HUP "$CA_PID"
	ca_wait '[ "$(grep -c "configuration reloaded" "$CA_DIR/ca.log")" -gt '"${reloads:-0}"' ]'
	reloads=$(grep -c "configuration reloaded" "$CA_DIR/ca.log")
}

@test "a valid certificate is renewed by a token, once" {
	issue now.local
	T=$(renew_token now.local.crt now.local.key now.local)
	[ "$(post "$T")" = 201 ]
	jq -r .crt answer >new.crt
	pair_fits new.crt now.local.key
	[ "$(serial new.crt)" != "$(serial now.local.crt)" ]
	[ "$(post "$T")" = 401 ]
	grep -q "lacked necessary authorization" answer
	grep -q "token has been used already" "$CA_DIR/ca.log"
	[ "$(post "$(renew_token now.local.crt now.local.key now.local)" bearer)" = 400 ]
	grep -q "missing client certificate" answer
}

@test "another key's token renews nothing" {
	issue a.local
	issue b.local
	openssl x509 -in a.local.crt -outform DER | base64 -w0 >der
	header=$(printf '{"alg":"ES256","typ":"JWT","x5cInsecure":["%s"]}' "$(cat der)")
	claims=$(printf '{"aud":"%s/renew","iss":"step-ca-client/1.0","sub":"a.local","exp":%s}' "$CA_URL" $(($(date +%s) + 300)))
	python3 "$BATS_TEST_DIRNAME/jwt.py" new-key other.jwk
	T=$(python3 "$BATS_TEST_DIRNAME/jwt.py" make other.jwk --header "$header" --claims "$claims")
	[ "$(post "$T")" = 401 ]
	[ "$(jq -r .message answer)" = "error validating renew token" ]
}

@test "an expired certificate is not renewed by default" {
	[ "$(post "$(renew_token old.local.crt old.local.key old.local)")" = 401 ]
	jq -r .message answer | grep -Eq "^The request lacked necessary authorization to be completed: certificate expired on 20[0-9-]+ [0-9:]+ \+0000 UTC$"
}

@test "after expiry only where that is allowed, and not for ever" {
	allow '{"allowRenewalAfterExpiry":true,"renewalAfterExpiry":"1h"}'
	[ "$(post "$(renew_token old.local.crt old.local.key old.local)")" = 401 ]
	grep -q "longer ago than the provisioner allows" "$CA_DIR/ca.log"

	allow '{"allowRenewalAfterExpiry":true,"renewalAfterExpiry":"720h"}'
	[ "$(post "$(renew_token old.local.crt old.local.key old.local)")" = 201 ]
	jq -r .crt answer >new.crt
	pair_fits new.crt old.local.key
	openssl verify -CAfile "$CA_ROOT" -untrusted old.local.crt new.crt
	# and again: its child has not been renewed
	[ "$(post "$(renew_token old.local.crt old.local.key old.local)")" = 201 ]
}

@test "never a revoked certificate, never one that others have gone on from" {
	allow '{"allowRenewalAfterExpiry":true,"renewalAfterExpiry":"720h"}'
	[ "$(post "$(renew_token revoked.local.crt revoked.local.key revoked.local)")" = 401 ]
	grep -q "certificate has been revoked" "$CA_DIR/ca.log"

	[ "$(post "$(renew_token first.crt forked.local.key forked.local)")" = 401 ]
	grep -q "what was renewed from it has been renewed itself" "$CA_DIR/ca.log"
	# the last but one is still good: its child has gone nowhere
	[ "$(post "$(renew_token second.crt forked.local.key forked.local)")" = 201 ]
	[ "$(post "$(renew_token forked.local.crt forked.local.key forked.local)")" = 201 ]
}

@test "a second renewal of one certificate is told, a quick one as a retry" {
	issue twice.local
	cp twice.local.crt copy.crt
	step ca renew --force twice.local.crt twice.local.key
	cp copy.crt twice.local.crt
	step ca renew --force twice.local.crt twice.local.key
	grep "taken for a retry" "$CA_DIR/ca.log" | grep -q 'subject="\?twice.local'
	ca_json '.authority.renewalWindow = "0s"'
	allow '{}'
	cp copy.crt twice.local.crt
	step ca renew --force twice.local.crt twice.local.key
	grep "its key may be in two places" "$CA_DIR/ca.log" | grep -q 'subject="\?twice.local'
}
