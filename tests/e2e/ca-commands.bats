# Every `step ca` command and flag, against a CA of our own. What is asked on a terminal is in prompts.bats.

bats_require_minimum_version 1.5.0
load lib
load ca

setup_file() {
	ca_init "$BATS_FILE_TMPDIR/ca"
	ca_json '.authority.provisioners[0].claims = {minTLSCertDuration: "5m", maxTLSCertDuration: "48h"}'
	ca_start
	KID=$(jq -r '.authority.provisioners[0].key.kid' "$STEPPATH/config/ca.json")
	export KID FP
	FP=$(openssl x509 -in "$CA_ROOT" -outform DER | sha256sum | cut -d' ' -f1)
	jq '.authority.provisioners[0].key' "$STEPPATH/config/ca.json" >"$BATS_FILE_TMPDIR/admin.jwk"
}

teardown_file() {
	ca_stop
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	PW="$CA_DIR/password.txt"
	TICK="✔ Provisioner: admin (JWK) [kid: $KID]"
}

jwt() {
	python3 "$BATS_TEST_DIRNAME/jwt.py" "$@"
}

claim() {
	jwt claims "$1" | jq -cr "$2"
}

sans() {
	openssl x509 -noout -ext subjectAltName -in "$1" | tail -1 | xargs
}

ends() {
	date +%s -d "$(openssl x509 -noout -enddate -in "$1" | cut -d= -f2)"
}

begins() {
	date +%s -d "$(openssl x509 -noout -startdate -in "$1" | cut -d= -f2)"
}

# near NUMBER WANTED: a minute of a slow machine apart at most
near() {
	[ "$1" -ge "$(($2 - 60))" ] && [ "$1" -le "$(($2 + 60))" ] || { echo "$1 is not near $2"; return 1; }
}

decimal() {
	python3 -c "print(int('$(serial "$1" | cut -d= -f2)', 16))"
}

refused() {
	expect 1 "${1:+$1
}The request lacked necessary authorization to be completed. Please see the certificate authority logs for more info.
Re-run with STEPDEBUG=1 for more info."
}

# --- health, root, roots, federation, bootstrap

@test "health" {
	step_run ca health
	expect 0 ""
	[ "$out" = ok ]
	step_run ca health --ca-url "localhost:$CA_PORT/ignored/path/" --root "$CA_ROOT"
	expect 0 ""
	STEP_CA_URL="https://localhost:1" step_run ca health
	[ "$status" -eq 1 ] # the environment comes before defaults.json
	STEP_CA_URL="https://localhost:1" step_run ca health --ca-url "$CA_URL"
	expect 0 ""
}

@test "--root: a file, several, a folder" {
	mkdir roots
	cp "$CA_ROOT" roots/a.pem
	echo "no certificate" >roots/readme
	step certificate create --profile root-ca --no-password --insecure "Other" other.crt other.key
	for root in roots "other.crt,$CA_ROOT" "$CA_ROOT"; do
		step_run ca health --root "$root"
		expect 0 ""
	done
	step_run ca health --root other.crt
	[ "$status" -eq 1 ]
	# what is used without the flag: defaults.json, else certs/root_ca.crt
	mkdir -p home/certs
	cp "$CA_ROOT" home/certs/root_ca.crt
	STEPPATH=home step_run ca health --ca-url "$CA_URL"
	expect 0 ""
	mkdir home/config
	jq -n --arg root "$PWD/other.crt" --arg url "$CA_URL" '{root: $root, "ca-url": $url}' >home/config/defaults.json
	STEPPATH=home step_run ca health
	[ "$status" -eq 1 ]
}

# They were read twice, the second time from the end of the pipe.
@test "renew reads the roots once: --root may be a pipe" {
	issue piped.local
	before=$(serial piped.local.crt)
	step ca renew --force --root <(cat "$CA_ROOT") piped.local.crt piped.local.key
	[ "$(serial piped.local.crt)" != "$before" ]
}

@test "root, by fingerprint in any writing, on stdout and into a file" {
	step_run ca root
	expect 0 ""
	[ "$out" = "$(cat "$CA_ROOT")" ]
	step_run ca root --fingerprint "$(sed 's/../&-/g; s/-$//' <<<"${FP^^}")" root.crt
	expect 0 "The root certificate has been saved in root.crt."
	cmp root.crt "$CA_ROOT"
	[ "$(stat -c %a root.crt)" = 600 ]
	chmod 644 root.crt
	step_run ca root --force root.crt
	[ "$(stat -c %a root.crt)" = 644 ]
	STEPPATH=/nonexistent step_run ca root --ca-url "$CA_URL"
	expect 1 "'step ca root' requires the '--fingerprint' flag"
	STEPPATH=/nonexistent step_run ca root
	expect 1 "'step ca root' requires the '--ca-url' flag"
}

@test "roots and federation, on stdout and into a file" {
	for what in roots federation; do
		step_run ca $what
		expect 0 ""
		[ "$out" = "$(cat "$CA_ROOT")" ]
	done
	step_run ca roots roots.crt
	expect 0 "The root certificate bundle has been saved in roots.crt."
	step_run ca federation federation.crt
	expect 0 "The federation certificate bundle has been saved in federation.crt."
	cmp roots.crt "$CA_ROOT"
	cmp federation.crt "$CA_ROOT"
	[ "$(stat -c %a roots.crt federation.crt | sort -u)" = 600 ]
}

@test "bootstrap writes the root and defaults.json, and then no flag is needed" {
	export STEPPATH="$PWD/boot"
	step_run ca bootstrap --ca-url "localhost:$CA_PORT" --fingerprint "$FP"
	expect 0 "The root certificate has been saved in $STEPPATH/certs/root_ca.crt.
The authority configuration has been saved in $STEPPATH/config/defaults.json."
	[ -z "$out" ]
	cmp boot/certs/root_ca.crt "$CA_ROOT"
	printf '{\n  "ca-url": "%s",\n  "fingerprint": "%s",\n  "root": "%s/certs/root_ca.crt"\n}' "$CA_URL" "$FP" "$STEPPATH" >want
	diff want <(cat boot/config/defaults.json | sed -z 's/\n$//')
	[ "$(stat -c %a boot boot/certs boot/config | sort -u)" = 700 ]
	[ "$(stat -c %a boot/certs/root_ca.crt)" = 600 ]
	[ "$(stat -c %a boot/config/defaults.json)" = 644 ]
	step_run ca health
	expect 0 ""
	step_run ca bootstrap --ca-url "$CA_URL" --fingerprint "$FP"
	expect 1 "$STEPPATH/certs/root_ca.crt exists already: use '--force' to replace it"
	step_run ca bootstrap --ca-url "$CA_URL" --fingerprint "$FP" --force
	[ "$status" -eq 0 ]
	for flag in --install --team=x --context=x; do
		step_run ca bootstrap --ca-url "$CA_URL" --fingerprint "$FP" $flag
		[ "$status" -eq 1 ]
		[[ "$err" == *"${flag%%=*}"* ]]
	done
}

# --- token

@test "token: on stdout alone, five minutes, one use, signed by the provisioner's key" {
	step_run ca token foo.local --password-file "$PW"
	expect 0 "$TICK"
	[[ "$out" =~ ^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$ ]]
	jwt verify "$BATS_FILE_TMPDIR/admin.jwk" "$out"
	[ "$(jwt header "$out")" = "{\"alg\":\"ES256\",\"kid\":\"$KID\",\"typ\":\"JWT\"}" ]
	[ "$(claim "$out" 'keys_unsorted')" = '["aud","exp","iat","iss","jti","nbf","sans","sha","sub","user"]' ]
	[ "$(claim "$out" '[.aud,.iss,.sub,.sans,.sha,.user]')" = "[\"$CA_URL/1.0/sign\",\"admin\",\"foo.local\",[\"foo.local\"],\"$FP\",{}]" ]
	[ "$(claim "$out" '.exp - .iat')" -eq 300 ]
	[ "$(claim "$out" '.nbf - .iat')" -eq 0 ]
	near "$(claim "$out" .iat)" "$(date +%s)"
	[[ "$(claim "$out" .jti)" =~ ^[0-9a-f]{64}$ ]]
	[ "$(claim "$out" .jti)" != "$(claim "$(token foo.local)" .jti)" ]
}

@test "token: --san replaces the subject; each is one value" {
	step_run ca token foo.local --password-file "$PW" --san a.local --san 10.0.0.1 --san b,c
	[ "$(claim "$out" .sans)" = '["a.local","10.0.0.1","b,c"]' ]
	[ "$(claim "$out" .sub)" = foo.local ]
	STEP_SAN=a.local,b.local step_run ca token foo.local --password-file "$PW"
	[ "$(claim "$out" .sans)" = '["a.local","b.local"]' ]
	STEP_SAN=a.local,b.local step_run ca token foo.local --password-file "$PW" --san c.local
	[ "$(claim "$out" .sans)" = '["c.local"]' ]
}

@test "token: its own validity, and the limits of it" {
	step_run ca token foo.local --password-file "$PW" --not-before 1m --not-after 11m
	[ "$(claim "$out" '.exp - .nbf')" -eq 600 ]
	near "$(claim "$out" .nbf)" "$(($(date +%s) + 60))"
	step_run ca token foo.local --password-file "$PW" --not-after "$(date -u -d +7min +%Y-%m-%dT%H:%M:%SZ)"
	near "$(claim "$out" .exp)" "$(($(date +%s) + 420))"
	local args text
	while IFS='|' read -r args text; do
		step_run ca token foo.local --password-file "$PW" $args
		[ "$status" -eq 1 ] && [[ "$err" == "$text"* ]] || { echo "$args: $err"; return 1; }
		[[ "$out" != *.*.* ]]
	done <<-'END'
		--not-after 5s|requested token validity is too short: 5s
		--not-after 2h|requested token validity is too long: 2h0m0s
		--not-before 45m --not-after 50m|requested validity delay is too long: 45m0s
		--not-before 5m --not-after 1m|nbf < exp:
		--not-after 1d|invalid value '1d' for flag '--not-after'
		--not-before yesterday|invalid value 'yesterday' for flag '--not-before'
	END
}

@test "token: into a file, and nothing on stdout" {
	step_run ca token foo.local --password-file "$PW" --output-file t
	expect 0 "$TICK"
	[ -z "$out" ]
	[ "$(stat -c %a t)" = 600 ]
	[ "$(tail -c 1 t)" != "" ] # no newline
	jwt verify "$BATS_FILE_TMPDIR/admin.jwk" "$(cat t)"
	step_run ca token foo.local --password-file "$PW" --output-file t
	expect 1 "t exists already: use '--force' to replace it"
	was=$(cat t)
	step_run ca token foo.local --password-file "$PW" --output-file t --force
	[ "$status" -eq 0 ]
	[ "$was" != "$(cat t)" ]
}

@test "token: which provisioner" {
	step_run ca token foo.local --password-file "$PW" --kid "$KID"
	expect 0 "$TICK"
	step_run ca token foo.local --password-file "$PW" --issuer admin
	expect 0 "$TICK"
	step_run ca token foo.local --password-file "$PW" --provisioner nobody
	expect 1 "invalid value 'nobody' for flag '--provisioner'"
	step_run ca token foo.local --password-file "$PW" --kid nope
	expect 1 "invalid value 'nope' for flag '--kid'"
	STEP_PROVISIONER=admin STEP_PASSWORD_FILE=$PW step_run ca token foo.local
	expect 0 "$TICK"
}

@test "token: offline, from ca.json" {
	step_run ca token foo.local --password-file "$PW" --offline
	expect 0 "$TICK"
	jwt verify "$BATS_FILE_TMPDIR/admin.jwk" "$out"
	[ "$(claim "$out" '[.aud,.sha,.user]')" = "[\"https://localhost/sign\",\"$FP\",null]" ]
	step ca certificate foo.local foo.crt foo.key --ca-url "$CA_URL" --token "$out"
	cp "$STEPPATH/config/ca.json" elsewhere.json
	STEPPATH=/nonexistent step_run ca token foo.local --password-file "$PW" --offline --ca-config elsewhere.json
	[ "$status" -eq 0 ]
	STEPPATH=/nonexistent step_run ca token foo.local --password-file "$PW" --offline --ca-config nosuch.json
	expect 1 "open nosuch.json failed: no such file or directory"
	# a CA of the peer's will do: what is not used is not judged
	jq '.db.type = "badgerv2"' elsewhere.json >peer.json
	step_run ca token 17 --revoke --password-file "$PW" --offline --ca-config peer.json
	expect 0 "$TICK"
	[ "$(claim "$out" .aud)" = "https://localhost/revoke" ]
}

@test "token: for revoking" {
	step_run ca token 12345 --revoke --password-file "$PW"
	expect 0 "$TICK"
	[ "$(claim "$out" '[.aud,.sub,.sans]')" = "[\"$CA_URL/1.0/revoke\",\"12345\",null]" ]
	step_run ca token 12345 --revoke --password-file "$PW" --san x
	expect 1 "flag '--revoke' is incompatible with '--san'"
}

@test "token: for renewing, signed by the certificate's key" {
	issue foo.local
	step_run ca token foo.local --renew --x5c-cert foo.local.crt --x5c-key foo.local.key
	expect 0 ""
	jwt jwk foo.local.key >foo.jwk
	jwt verify foo.jwk "$out"
	[ "$(jwt header "$out" | jq -c keys_unsorted)" = '["alg","kid","typ","x5cInsecure"]' ]
	[ "$(jwt header "$out" | jq -r .kid)" = "$(jq -r .kid foo.jwk)" ]
	[ "$(jwt header "$out" | jq '.x5cInsecure | length')" -eq 2 ]
	jwt header "$out" | jq -r '.x5cInsecure[0]' | base64 -d | openssl x509 -inform DER -outform DER | cmp - <(openssl x509 -in foo.local.crt -outform DER)
	[ "$(claim "$out" '[.aud,.iss,.sub,.exp - .iat]')" = "[\"$CA_URL/1.0/renew\",\"step-ca-client/1.0\",\"foo.local\",300]" ]
	step_run ca token bar.local --renew --x5c-cert foo.local.crt --x5c-key foo.local.key
	expect 1 "positional argument <subject> must match the certificate common name"
	step_run ca token foo.local --renew --x5c-key foo.local.key
	expect 1 "'step ca token' requires the '--x5c-cert' flag"
	step_run ca token foo.local --renew --x5c-cert foo.local.crt
	expect 1 "'step ca token' requires the '--x5c-key' flag"
	issue other.local
	step_run ca token foo.local --renew --x5c-cert foo.local.crt --x5c-key other.local.key
	[ "$status" -eq 1 ]
	[ -z "$out" ]
	step_run ca token foo.local --renew --revoke
	[ "$status" -eq 1 ]
}

@test "token: --rekey is an ordinary one; --key signs without asking for the provisioner's" {
	step_run ca token foo.local --rekey --password-file "$PW"
	[ "$(claim "$out" '[.aud,.sans]')" = "[\"$CA_URL/1.0/sign\",[\"foo.local\"]]" ]
	openssl ecparam -genkey -name prime256v1 -noout -out own.pem
	step_run ca token foo.local --key own.pem --provisioner admin --ca-url https://nobody.invalid
	expect 0 ""
	jwt jwk own.pem >own.jwk
	jwt verify own.jwk "$out"
	[ "$(jwt header "$out" | jq -r .kid)" = "$(jq -r .kid own.jwk)" ]
	[ "$(claim "$out" .aud)" = https://nobody.invalid/1.0/sign ]
}

@test "token: bound to a request" {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout x.key -subj /CN=x.local -out x.csr 2>/dev/null
	fp=$(openssl req -in x.csr -outform DER | openssl dgst -sha256 -binary | basenc --base64url | tr -d =)
	step_run ca token x.local --password-file "$PW" --cnf-file x.csr
	[ "$(claim "$out" .cnf)" = "{\"x5rt#S256\":\"$fp\"}" ]
	bound=$out
	step_run ca token x.local --password-file "$PW" --cnf "$fp"
	[ "$(claim "$out" .cnf)" = "{\"x5rt#S256\":\"$fp\"}" ]
	given=$out
	step_run ca certificate x.local y.crt y.key --token "$bound"
	expect 1 "✔ CA: $CA_URL
The request was forbidden by the certificate authority: certificate request fingerprint does not match \"$fp\".
Re-run with STEPDEBUG=1 for more info."
	step_run ca sign x.csr x.crt --token "$given"
	expect 0 "✔ CA: $CA_URL
✔ Certificate: x.crt"
	step_run ca token x.local --password-file "$PW" --cnf "$fp" --cnf-file x.csr
	expect 1 "flag '--cnf' and flag '--cnf-file' are mutually exclusive"
}

@test "token: too few and too many words" {
	step_run ca token
	[ "$status" -eq 1 ]
	[[ "$err" == "not enough positional arguments were provided in 'step ca token <subject>'" ]]
	step_run ca token a b
	[ "$status" -eq 1 ]
	[[ "$err" == "too many positional arguments"* ]]
}

# --- certificate

@test "certificate: with a password, with a token, and what is told" {
	step_run ca certificate foo.local foo.crt foo.key --password-file "$PW"
	expect 0 "$TICK
✔ CA: $CA_URL
✔ Certificate: foo.crt
✔ Private Key: foo.key"
	[ -z "$out" ]
	[ "$(grep -c BEGIN foo.crt)" -eq 2 ]
	pair_fits foo.crt foo.key
	[ "$(stat -c %a foo.crt foo.key | sort -u)" = 600 ]
	# a token carries URL and fingerprint: nothing else is needed
	TOKEN=$(token bar.local)
	STEPPATH=/nonexistent step_run ca certificate bar.local bar.crt bar.key --token "$TOKEN"
	expect 0 "✔ CA: $CA_URL
✔ Certificate: bar.crt
✔ Private Key: bar.key"
	STEP_TOKEN=$(token baz.local) step_run ca certificate baz.local baz.crt baz.key
	[ "$status" -eq 0 ]
	# the subject may be written in another case
	step_run ca certificate BAZ.local baz.crt baz.key --force --token "$(token baz.local)"
	[ "$status" -eq 0 ]
}

@test "certificate: kinds of key" {
	local flags want file
	while IFS='|' read -r flags want file; do
		step ca certificate k.local k.crt k.key --force --password-file "$PW" $flags
		[[ "$(openssl pkey -in k.key -noout -text | head -1)" == *"$want"* ]] || { echo "$flags"; openssl pkey -in k.key -noout -text | head -1; return 1; }
		[ "$(head -1 k.key)" = "-----BEGIN $file-----" ]
		pair_fits k.crt k.key
		openssl verify -CAfile "$CA_ROOT" -untrusted k.crt k.crt
	done <<-'END'
		|(256 bit)|EC PRIVATE KEY
		--kty EC|(256 bit)|EC PRIVATE KEY
		--kty EC --crv P-256|(256 bit)|EC PRIVATE KEY
		--kty EC --curve P-384|(384 bit)|EC PRIVATE KEY
		--kty EC --crv P-521|(521 bit)|EC PRIVATE KEY
		--kty RSA|(2048 bit|RSA PRIVATE KEY
		--kty RSA --size 3072|(3072 bit|RSA PRIVATE KEY
		--kty OKP|ED25519|PRIVATE KEY
		--kty OKP --crv Ed25519|ED25519|PRIVATE KEY
	END
	# RSA alone may encipher keys
	step ca certificate k.local k.crt k.key --force --password-file "$PW" --kty RSA
	openssl x509 -in k.crt -noout -ext keyUsage | grep -q "Digital Signature, Key Encipherment"
}

@test "certificate: keys that are refused, before the CA is asked" {
	local flags text
	while IFS='|' read -r flags text; do
		step_run ca certificate k.local k.crt k.key --token abc $flags
		[ "$status" -eq 1 ] && [ "$(head -1 <<<"$err")" = "$text" ] || { echo "$flags: $err"; return 1; }
		absent k.crt k.key
	done <<-'END'
		--kty FOO|invalid value 'FOO' for flag '--kty'; options are RSA, EC, OKP
		--kty RSA --size 1024|flag '--size' requires at least 2048 unless '--insecure' flag is provided
		--crv P-256|flag '--curve' requires the '--kty' flag
		--size 2048|flag '--size' requires the '--kty' flag
		--kty EC --crv Ed25519|flag '--kty EC' is incompatible with flag '--curve Ed25519'
		--kty EC --size 2048|flag '--size' is incompatible with '--kty EC'
	END
}

@test "certificate: names of every kind" {
	step ca certificate foo.local foo.crt foo.key --password-file "$PW" \
		--san foo.local --san 10.0.0.1 --san ::1 --san me@x.org --san https://foo/bar --san '*.foo.local' --san localhost:80
	[ "$(sans foo.crt)" = "DNS:foo.local, DNS:*.foo.local, email:me@x.org, IP Address:10.0.0.1, IP Address:0:0:0:0:0:0:0:1, URI:https://foo/bar, URI:localhost:80" ]
	step ca certificate bare.local bare.crt bare.key --password-file "$PW"
	[ "$(sans bare.crt)" = "DNS:bare.local" ]
	step ca certificate 10.1.1.1 ip.crt ip.key --password-file "$PW"
	[ "$(sans ip.crt)" = "IP Address:10.1.1.1" ]
	step_run ca certificate foo.local x.crt x.key --token "$(token foo.local)" --san a
	expect 1 "flag '--token' and flag '--san' are mutually exclusive"
	step_run ca certificate "" x.crt x.key --password-file "$PW"
	expect 1 "positional argument <subject> cannot be empty"
	absent x.crt x.key
}

@test "certificate: its time" {
	step ca certificate t.local t.crt t.key --password-file "$PW" --not-after 10m
	near "$(ends t.crt)" "$(($(date +%s) + 600))"
	near "$(begins t.crt)" "$(($(date +%s) - 60))"
	# relative to not-before, as the CA counts
	step ca certificate t.local t.crt t.key --force --password-file "$PW" --not-before 1h --not-after 2h
	near "$(begins t.crt)" "$(($(date +%s) + 3600))"
	[ "$(($(ends t.crt) - $(begins t.crt)))" -eq 7200 ]
	step ca certificate t.local t.crt t.key --force --password-file "$PW" --not-after "$(date -u -d +30min +%Y-%m-%dT%H:%M:%SZ)"
	near "$(ends t.crt)" "$(($(date +%s) + 1800))"
	cp t.crt before.crt
	local flags text
	while IFS='|' read -r flags text; do
		step_run ca certificate t.local t.crt t.key --force --password-file "$PW" $flags
		expect 1 "$TICK
✔ CA: $CA_URL
$text
Re-run with STEPDEBUG=1 for more info."
		cmp t.crt before.crt
	done <<-'END'
		--not-after 1m|The request was forbidden by the certificate authority: requested duration of 2m0s is less than the authorized minimum certificate duration of 5m0s.
		--not-after 100h|The request was forbidden by the certificate authority: requested duration of 100h1m0s is more than the authorized maximum certificate duration of 48h1m0s.
		--not-after 2001-01-01T00:00:00Z|The request could not be completed: notAfter cannot be in the past; na=2001-01-01 00:00:00 +0000 UTC.
		--not-after soon|The request could not be completed: error decoding json.
	END
}

@test "certificate: existing files, and what they keep" {
	issue foo.local
	chmod 640 foo.local.crt
	chmod 400 foo.local.key
	step_run ca certificate foo.local foo.local.crt foo.local.key --password-file "$PW"
	expect 1 "foo.local.crt exists already: use '--force' to replace it"
	if [ "$(id -u)" -eq 0 ]; then chown 65534:65534 foo.local.crt; fi
	owner=$(stat -c %u:%g foo.local.crt)
	was=$(serial foo.local.crt)
	step ca certificate foo.local foo.local.crt foo.local.key --password-file "$PW" -f
	[ "$was" != "$(serial foo.local.crt)" ]
	[ "$(stat -c %a foo.local.crt) $(stat -c %a foo.local.key)" = "640 400" ]
	[ "$(stat -c %u:%g foo.local.crt)" = "$owner" ]
	pair_fits foo.local.crt foo.local.key
	step_run ca certificate foo.local same same --password-file "$PW"
	[ "$status" -eq 1 ]
	[[ "$err" == *"cannot be equal in 'step ca certificate"* ]]
	step_run ca certificate foo.local foo.crt
	[ "$status" -eq 1 ]
	[[ "$err" == "not enough positional arguments were provided in 'step ca certificate <subject> <crt-file> <key-file>'" ]]
}

# --- sign

@test "sign: a request keeps its names" {
	openssl req -new -newkey rsa:2048 -nodes -keyout r.key -subj /CN=r.local -addext subjectAltName=DNS:r.local,IP:10.9.9.9,email:a@b.c,URI:https://r/x -out r.csr 2>/dev/null
	step_run ca sign r.csr r.crt --password-file "$PW"
	expect 0 "$TICK
✔ CA: $CA_URL
✔ Certificate: r.crt"
	pair_fits r.crt r.key
	[ "$(sans r.crt)" = "DNS:r.local, email:a@b.c, IP Address:10.9.9.9, URI:https://r/x" ]
	[ "$(grep -c BEGIN r.crt)" -eq 2 ]
	[ "$(stat -c %a r.crt)" = 600 ]
	# DER, a time of its own, and no common name
	openssl req -in r.csr -outform DER -out r.der
	step ca sign --force --not-after 20m r.der r.crt --password-file "$PW"
	near "$(ends r.crt)" "$(($(date +%s) + 1200))"
	openssl req -new -key r.key -subj / -addext subjectAltName=DNS:only.local -out n.csr
	step ca sign n.csr n.crt --password-file "$PW"
	[ "$(openssl x509 -noout -subject -in n.crt)" = "subject=CN = only.local" ]
	openssl req -new -key r.key -subj / -out nobody.csr
	step_run ca sign nobody.csr x.crt --password-file "$PW"
	expect 1 "the certificate request names nobody: it has neither a common name nor subject alternative names"
	step_run ca sign r.csr r.crt --password-file "$PW"
	expect 1 "r.crt exists already: use '--force' to replace it"
	absent x.crt
}

# --- renew

@test "renew: --out, --root, --ca-url, --expires-in" {
	issue foo.local
	was=$(serial foo.local.crt)
	STEPPATH=/nonexistent step_run ca renew --out new.crt --root "$CA_ROOT" --ca-url "$CA_URL" foo.local.crt foo.local.key
	expect 0 "Your certificate has been saved in new.crt."
	[ -z "$out" ]
	[ "$was" = "$(serial foo.local.crt)" ]
	pair_fits new.crt foo.local.key
	[ "$(stat -c %a new.crt)" = 600 ]
	step_run ca renew --output-file new.crt foo.local.crt foo.local.key
	expect 1 "new.crt exists already: use '--force' to replace it"
	step_run ca renew foo.local.crt foo.local.key --expires-in 1h --force
	[ "$status" -eq 0 ]
	[[ "$err" =~ ^"certificate not renewed: expires in "(23h5[0-9]m[0-9]+s|24h0m0s)$ ]]
	[ "$was" = "$(serial foo.local.crt)" ]
	step_run ca renew -f --expires-in=24h foo.local.crt foo.local.key
	expect 0 "Your certificate has been saved in foo.local.crt."
	step_run ca renew --force --expires-in 48h foo.local.crt foo.local.key
	expect 1 "flag '--expires-in' must be within (lower than) the certificate validity period; expires-in=48h0m0s, cert-validity-period=24h1m0s"
	step_run ca renew --force --expires-in 1d foo.local.crt foo.local.key
	[ "$status" -eq 1 ]
	[[ "$err" == "invalid value '1d' for flag '--expires-in'" ]]
}

@test "renew: nothing due asks nobody and needs no right to write" {
	issue foo.local
	step_run ca renew --force --expires-in 1h --ca-url https://localhost:1 foo.local.crt foo.local.key
	[ "$status" -eq 0 ]
	[[ "$err" == "certificate not renewed: expires in "* ]]
}

@test "renew: keeps mode, owner and the file's name for the others" {
	issue foo.local
	chmod 644 foo.local.crt
	if [ "$(id -u)" -eq 0 ]; then chown 65534:65534 foo.local.crt; fi
	owner=$(stat -c %u:%g foo.local.crt)
	step ca renew --force foo.local.crt foo.local.key
	[ "$(stat -c %a foo.local.crt)" = 644 ]
	[ "$(stat -c %u:%g foo.local.crt)" = "$owner" ]
	[ -z "$(find . -name '.*.lock' -o -name '.*.new' -o -name '.*.journal')" ]
}

@test "renew: the same key and names, another serial number, the same span" {
	step ca certificate foo.local foo.crt foo.key --password-file "$PW" --san foo.local --san 10.0.0.1 --not-after 30m
	cp foo.crt old.crt
	step ca renew --force foo.crt foo.key
	pair_fits foo.crt foo.key
	[ "$(sans foo.crt)" = "$(sans old.crt)" ]
	[ "$(serial foo.crt)" != "$(serial old.crt)" ]
	[ "$(($(ends foo.crt) - $(begins foo.crt)))" -eq "$(($(ends old.crt) - $(begins old.crt)))" ]
	openssl verify -CAfile "$CA_ROOT" -untrusted foo.crt foo.crt
}

@test "renew: DER, a locked key, a key in PKCS#8" {
	issue foo.local
	openssl x509 -in foo.local.crt -outform DER -out foo.der
	step ca renew --out new.crt foo.der foo.local.key
	pair_fits new.crt foo.local.key
	openssl pkcs8 -topk8 -v2 aes-256-cbc -in foo.local.key -passout "file:$PW" -out locked.key
	step ca renew --force --password-file "$PW" foo.local.crt locked.key
	openssl pkey -in foo.local.key -out pkcs8.key
	step ca renew --force foo.local.crt pkcs8.key
}

# --- rekey

@test "rekey: a new key, and the old one is gone" {
	issue foo.local
	cp foo.local.key old.key
	cp foo.local.crt old.crt
	chmod 644 foo.local.crt
	step_run ca rekey --force foo.local.crt foo.local.key
	expect 0 "✔ Certificate: foo.local.crt
✔ Private Key: foo.local.key"
	refute cmp old.key foo.local.key
	pair_fits foo.local.crt foo.local.key
	[ "$(sans foo.local.crt)" = "$(sans old.crt)" ]
	[ "$(stat -c %a foo.local.crt) $(stat -c %a foo.local.key)" = "644 600" ]
	step ca renew --force foo.local.crt foo.local.key
}

@test "rekey: --out-cert, --out-key, --private-key, kinds of key" {
	issue foo.local
	cp foo.local.key old.key
	cp foo.local.crt old.crt
	step_run ca rekey --out-cert new.crt --out-key new.key foo.local.crt foo.local.key
	expect 0 "✔ Certificate: new.crt
✔ Private Key: new.key"
	cmp old.key foo.local.key
	cmp old.crt foo.local.crt
	pair_fits new.crt new.key
	step ca rekey --force --kty RSA --size 2048 --out-cert new.crt --out-key new.key foo.local.crt foo.local.key
	head -1 new.key | grep -q "RSA PRIVATE KEY"
	pair_fits new.crt new.key
	openssl ecparam -genkey -name secp384r1 -noout -out given.key
	step_run ca rekey --force --private-key given.key --out-cert new.crt foo.local.crt foo.local.key
	expect 0 "✔ Certificate: new.crt"
	pair_fits new.crt given.key
	cmp old.key foo.local.key
	step_run ca rekey --private-key given.key --out-cert newer.crt --out-key newer.key foo.local.crt foo.local.key
	expect 0 "✔ Certificate: newer.crt
✔ Private Key: newer.key"
	pair_fits newer.crt newer.key
	step_run ca rekey --private-key given.key --kty EC foo.local.crt foo.local.key
	expect 1 "flag '--private-key' is incompatible with '--kty'"
}

@test "rekey: --expires-in" {
	issue foo.local
	step_run ca rekey --force --expires-in 1h foo.local.crt foo.local.key
	[ "$status" -eq 0 ]
	[[ "$err" == "certificate not rekeyed: expires in "* ]]
	step certificate create --profile leaf --ca "$STEPPATH/certs/intermediate_ca.crt" --ca-key "$STEPPATH/secrets/intermediate_ca_key" \
		--ca-password-file "$PW" --not-before -2h --not-after -1h --no-password --insecure old.local old.crt old.key
	step_run ca rekey --force old.crt old.key
	expect 1 "cannot rekey an expired certificate"
}

# --- revoke

@test "revoke: by the pair; then it neither renews nor rekeys, and not twice" {
	issue foo.local
	n=$(decimal foo.local.crt)
	step_run ca revoke --cert foo.local.crt --key foo.local.key --reason "laptop lost" --reasonCode keyCompromise
	expect 0 "✔ CA: $CA_URL
Certificate with Serial Number $n has been revoked."
	cp foo.local.crt before
	step_run ca renew --force foo.local.crt foo.local.key
	refused
	step_run ca rekey --force foo.local.crt foo.local.key
	refused
	cmp foo.local.crt before
	step_run ca revoke --cert foo.local.crt --key foo.local.key
	expect 1 "✔ CA: $CA_URL
The request could not be completed: certificate with serial number '$n' is already revoked.
Re-run with STEPDEBUG=1 for more info."
}

@test "revoke: by serial number, with a token and with the password" {
	issue foo.local
	n=$(decimal foo.local.crt)
	TOKEN=$(step ca token "$n" --revoke --password-file "$PW" 2>/dev/null)
	step_run ca revoke "$n" --token "$TOKEN"
	expect 0 "✔ CA: $CA_URL
Certificate with Serial Number $n has been revoked."
	step_run ca renew --force foo.local.crt foo.local.key
	refused
	issue bar.local
	n=$(decimal bar.local.crt)
	step_run ca revoke "0x$(serial bar.local.crt | cut -d= -f2)" --password-file "$PW"
	expect 0 "$TICK
✔ CA: $CA_URL
Certificate with Serial Number $n has been revoked."
	step_run ca renew --force bar.local.crt bar.local.key
	refused
	step_run ca revoke "$n" --password-file "$PW"
	expect 1 "$TICK
✔ CA: $CA_URL
The request could not be completed: certificate with serial number '$n' is already revoked.
Re-run with STEPDEBUG=1 for more info."
}

@test "revoke: reason codes by number and by name" {
	local code n=1000
	for code in 0 1 10 unspecified keycompromise CACompromise affiliationChanged superseded cessationofoperation certificatehold removefromcrl privilegewithdrawn AACOMPROMISE; do
		n=$((n + 1))
		step_run ca revoke $n --password-file "$PW" --reasonCode $code
		[ "$status" -eq 0 ] || { echo "$code: $err"; return 1; }
	done
	step_run ca revoke 17 --password-file "$PW" --reasonCode 11
	expect 1 "reasonCode out of bounds. Got 11, but want value between 0 and 10"
	step_run ca revoke 17 --password-file "$PW" --reasonCode -1
	expect 1 "reasonCode out of bounds. Got -1, but want value between 0 and 10"
	step_run ca revoke 17 --password-file "$PW" --reasonCode lost
	expect 1 "unrecognized revocation reason code 'lost'"
}

@test "revoke: what does not go together" {
	issue foo.local
	step_run ca revoke abc --password-file "$PW"
	expect 1 "'abc' is not a valid serial number - use a base 10 representation or add a prefix indicating the base"
	step_run ca revoke --cert foo.local.crt
	expect 1 "flag '--cert' requires the '--key' flag"
	step_run ca revoke --key foo.local.key
	expect 1 "flag '--key' requires the '--cert' flag"
	step_run ca revoke --cert foo.local.crt --key foo.local.key 17
	expect 1 "the serial number is that of '--cert': leave the positional argument out"
	step_run ca revoke --cert foo.local.crt --key foo.local.key --token x
	expect 1 "flag '--cert' and flag '--token' are mutually exclusive"
	step_run ca revoke
	[ "$status" -eq 1 ]
	[[ "$err" == "not enough positional arguments were provided in 'step ca revoke [<serial-number>]'" ]]
	step ca renew --force foo.local.crt foo.local.key
}

# --- init

init() {
	step_run ca init --name Our --provisioner ops --dns ca.example --address :8443 --password-file "$PW" "$@"
}

@test "init: what is told, and the files" {
	export STEPPATH="$PWD/i"
	init
	expect 0 "
Generating root certificate... done!
Generating intermediate certificate... done!

✔ Root certificate: $STEPPATH/certs/root_ca.crt
✔ Root private key: $STEPPATH/secrets/root_ca_key
✔ Root fingerprint: $(openssl x509 -in i/certs/root_ca.crt -outform DER | sha256sum | cut -d' ' -f1)
✔ Intermediate certificate: $STEPPATH/certs/intermediate_ca.crt
✔ Intermediate private key: $STEPPATH/secrets/intermediate_ca_key
✔ Database folder: $STEPPATH/db
✔ Default configuration: $STEPPATH/config/defaults.json
✔ Certificate Authority configuration: $STEPPATH/config/ca.json

Your PKI is ready to go. To generate certificates for individual services see 'step help ca'."
	[ -z "$out" ]
	[ "$(cat i/config/defaults.json)" = "$(printf '{\n\t"ca-url": "https://ca.example:8443",\n\t"ca-config": "%s/config/ca.json",\n\t"fingerprint": "%s",\n\t"root": "%s/certs/root_ca.crt"\n}' "$STEPPATH" "$(step certificate fingerprint i/certs/root_ca.crt)" "$STEPPATH")" ]
	[ "$(jq -c '[.root,.federatedRoots,.crt,.key,.address,.insecureAddress,.dnsNames,.logger,.db,.tls]' i/config/ca.json)" = \
		"[\"$STEPPATH/certs/root_ca.crt\",null,\"$STEPPATH/certs/intermediate_ca.crt\",\"$STEPPATH/secrets/intermediate_ca_key\",\":8443\",\"\",[\"ca.example\"],{\"format\":\"text\"},{\"type\":\"sqlite\",\"dataSource\":\"$STEPPATH/db\",\"badgerFileLoadingMode\":\"\"},{\"cipherSuites\":[\"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256\",\"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\"],\"minVersion\":1.2,\"maxVersion\":1.3,\"renegotiation\":false}]" ]
	[ "$(jq -c '.authority.provisioners[0] | [.type,.name,.key.use,.key.kty,.key.crv,.key.alg]' i/config/ca.json)" = '["JWK","ops","sig","EC","P-256","ES256"]' ]
	jq -r '.authority.provisioners[0].encryptedKey' i/config/ca.json | cut -d. -f1 | basenc --base64url -d 2>/dev/null | jq -ce '[.alg,.cty,.enc,.p2c] == ["PBES2-HS256+A128KW","jwk+json","A256GCM",600000]'
	step-ca check i/config/ca.json
}

@test "init: the certificates" {
	export STEPPATH="$PWD/i"
	init
	for c in root intermediate; do
		openssl x509 -in i/certs/${c}_ca.crt -noout -text >$c
		grep -q "Public-Key: (256 bit)" $c
		grep -q "ecdsa-with-SHA256" $c
		[ "$(sed -n '/X509v3 Key Usage: critical/{n;p}' $c | xargs)" = "Certificate Sign, CRL Sign" ]
		[ "$(($(ends i/certs/${c}_ca.crt) - $(begins i/certs/${c}_ca.crt)))" -eq $((87600 * 3600)) ]
	done
	grep -q "Subject: O = Our, CN = Our Root CA" root
	grep -q "Subject: O = Our, CN = Our Intermediate CA" intermediate
	[ "$(sed -n '/X509v3 Basic Constraints: critical/{n;p}' root | xargs)" = "CA:TRUE, pathlen:1" ]
	[ "$(sed -n '/X509v3 Basic Constraints: critical/{n;p}' intermediate | xargs)" = "CA:TRUE, pathlen:0" ]
	refute grep -q "Authority Key Identifier" root
	openssl verify -x509_strict -CAfile i/certs/root_ca.crt i/certs/intermediate_ca.crt
}

@test "init: passwords of the keys and of the provisioner" {
	export STEPPATH="$PWD/i"
	echo other >other.pw
	init --provisioner-password-file other.pw
	for k in root intermediate; do
		openssl pkey -in i/secrets/${k}_ca_key -passin "file:$PW" -noout
		refute openssl pkey -in i/secrets/${k}_ca_key -passin pass:other -noout 2>/dev/null
	done
	step ca token x --offline --password-file other.pw --ca-config i/config/ca.json
	step_run ca token x --offline --password-file "$PW" --ca-config i/config/ca.json
	[ "$status" -eq 1 ]
	[[ "$err" == *"failed to decrypt JWE: invalid password" ]]
}

@test "init: names and addresses in every writing" {
	export STEPPATH="$PWD/i"
	step_run ca init --name Our --provisioner ops --dns "a.example, b.example" --dns "[::1]" --dns 10.0.0.1 --address "[::1]:443" --password-file "$PW"
	[ "$status" -eq 0 ]
	[ "$(jq -c .dnsNames i/config/ca.json)" = '["a.example","b.example","::1","10.0.0.1"]' ]
	[ "$(jq -r '."ca-url"' i/config/defaults.json)" = https://a.example ]
	STEPPATH="$PWD/j" step_run ca init --name Our --provisioner ops --dns ::1 --address :9000 --password-file "$PW" --with-ca-url ca.example:1234
	[ "$(jq -r '."ca-url"' j/config/defaults.json)" = https://ca.example:1234 ]
	STEPPATH="$PWD/k" step_run ca init --name Our --provisioner ops --dns ::1 --address :9000 --password-file "$PW"
	[ "$(jq -r '."ca-url"' k/config/defaults.json)" = "https://[::1]:9000" ]
	STEPPATH="$PWD/l" step_run ca init --name Our --provisioner ops --dns a --address 8443 --password-file "$PW"
	expect 1 "8443 is not an TCP address"
	absent l
}

@test "init: --no-db and --pki" {
	STEPPATH="$PWD/n" init --no-db
	[ "$status" -eq 0 ]
	[ "$(jq -c 'has("db")' n/config/ca.json)" = false ]
	absent n/db
	refute grep -q "Database" <<<"$err"
	STEPPATH="$PWD/p" step_run ca init --pki --name Our --password-file "$PW"
	[ "$status" -eq 0 ]
	absent p/config/ca.json p/config/defaults.json p/db
	openssl verify -CAfile p/certs/root_ca.crt p/certs/intermediate_ca.crt
	STEPPATH="$PWD/q" init --pki --no-db
	expect 1 "flag '--pki' is incompatible with '--no-db'"
	for flag in --ssh --acme --remote-management --helm --ra=x --kms=x; do
		STEPPATH="$PWD/q" init $flag
		[ "$status" -eq 1 ]
		[[ "$err" == *"${flag%%=*}"* ]]
	done
	STEPPATH="$PWD/q" init --deployment-type linked
	expect 1 "invalid value 'linked' for flag '--deployment-type'; options are standalone"
	STEPPATH="$PWD/q" init --deployment-type standalone
	[ "$status" -eq 0 ]
}

@test "init: an imported root, whose key is not copied" {
	step certificate create --profile root-ca --password-file "$PW" "Old Root" root.crt root.key
	export STEPPATH="$PWD/i"
	init --root root.crt --key root.key --key-password-file "$PW"
	[ "$status" -eq 0 ]
	[[ "$err" == *"Copying root certificate... done!"* ]]
	cmp root.crt i/certs/root_ca.crt
	absent i/secrets/root_ca_key
	openssl verify -CAfile root.crt i/certs/intermediate_ca.crt
	sed -i 's/:8443/127.0.0.1:0/' i/config/ca.json
	step-ca check i/config/ca.json
	export STEPPATH="$PWD/j"
	init --root root.crt
	expect 1 "flag '--root' requires the '--key' flag"
	init --key root.key
	expect 1 "flag '--key' requires the '--root' flag"
	init --root root.crt --key root.key
	[ "$status" -eq 1 ]
	[[ "$err" == *"use '--key-password-file'"* ]]
	step certificate create --profile leaf --ca root.crt --ca-key root.key --ca-password-file "$PW" --no-password --insecure leaf.local leaf.crt leaf.key
	init --root leaf.crt --key leaf.key
	[ "$status" -eq 1 ]
	init --root root.crt --key leaf.key
	[ "$status" -eq 1 ]
	absent j
}

@test "init: an existing CA is not touched" {
	export STEPPATH="$PWD/i"
	init
	(cd i && find . -type f -exec sha256sum {} + | sort) >before
	init
	expect 1 "$STEPPATH/certs/root_ca.crt exists already, and nothing of an existing CA is replaced without a person's word: remove it, or set STEPPATH to another folder"
	rm i/certs/root_ca.crt
	(cd i && find . -type f -exec sha256sum {} + | sort) >before
	init
	[ "$status" -eq 1 ]
	(cd i && find . -type f -exec sha256sum {} + | sort) | diff before -
}

# --- what belongs to all

@test "settings: flag before environment before defaults.json" {
	mkdir -p h/config
	jq -n --arg url "$CA_URL" --arg root "$CA_ROOT" --arg pw "$PW" '{"ca-url": $url, root: $root, "password-file": $pw, force: true, "not-after": "20m"}' >h/config/defaults.json
	export STEPPATH="$PWD/h"
	step ca certificate d.local d.crt d.key
	near "$(ends d.crt)" "$(($(date +%s) + 1200))"
	STEP_NOT_AFTER=30m step ca certificate d.local d.crt d.key # forced by the file
	near "$(ends d.crt)" "$(($(date +%s) + 1800))"
	STEP_NOT_AFTER=30m step ca certificate d.local d.crt d.key --not-after 40m
	near "$(ends d.crt)" "$(($(date +%s) + 2400))"
	STEP_F=false step_run ca certificate d.local d.crt d.key
	expect 1 "d.crt exists already: use '--force' to replace it"
	echo '{' >h/config/defaults.json
	step_run ca health
	[ "$status" -eq 1 ]
	[[ "$err" == *"$STEPPATH/config/defaults.json"* ]]
}

@test "flags may stand anywhere" {
	issue foo.local
	step ca renew foo.local.crt --force foo.local.key
	step ca renew foo.local.crt foo.local.key -f --expires-in=24h
	step ca renew --force foo.local.crt foo.local.key --expires-in 24h
	step_run ca renew --bogus foo.local.crt foo.local.key
	expect 1 "flag provided but not defined: -bogus"
	[[ "$out" == "Incorrect Usage: flag provided but not defined: -bogus"* ]]
	step_run ca renew --force foo.local.crt foo.local.key extra
	[ "$status" -eq 1 ]
	[[ "$err" == "too many positional arguments"* ]]
	step_run ca renew foo.local.crt
	expect 1 "not enough positional arguments were provided in 'step ca renew <crt-file> <key-file>'"
	step_run ca nosuch
	[ "$status" -eq 3 ]
	[ "$err" = "No help topic for 'nosuch'" ]
}

@test "every ca command has help, and STEPDEBUG says more" {
	for c in init bootstrap health root roots federation token certificate sign renew rekey revoke; do
		step_run ca $c --help
		expect 0 ""
		[[ "$out" == "NAME"$'\n'"      step ca $c -- "* ]]
		[ "$out" = "$(step help ca $c)" ]
	done
	STEPDEBUG=1 step_run ca revoke 17 --token "$(token 18 --revoke | sed 's/$/x/')"
	[ "$status" -eq 1 ]
	[[ "$err" == *"STEPDEBUG: status "* ]]
	[[ "$err" != *"Re-run with STEPDEBUG"* ]]
}
