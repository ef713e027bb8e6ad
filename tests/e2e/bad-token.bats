# One-time tokens that must not work, on the wire and from step. The tokens are made by jwt.py, not by our own code, with
# the key of a provisioner "py" that has no encrypted key.

bats_require_minimum_version 1.5.0
load lib
load ca

REFUSED='{"status":401,"message":"The request lacked necessary authorization to be completed. Please see the certificate authority logs for more info."}'

setup_file() {
	ca_init "$BATS_FILE_TMPDIR/ca"
	cd "$BATS_FILE_TMPDIR"
	jwt new-key py.jwk
	jwt new-key other.jwk
	ca_json --argjson key "$(jwt public py.jwk)" '.authority.provisioners += [{type: "JWK", name: "py", key: $key}]'
	ca_start
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout x.key -subj /CN=x.local -out x.csr 2>/dev/null
	openssl req -new -key x.key -subj /CN=other.local -out other.csr
}

teardown_file() {
	ca_stop
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	KEY="$BATS_FILE_TMPDIR/py.jwk"
}

jwt() {
	python3 "$BATS_TEST_DIRNAME/jwt.py" "$@"
}

# post PATH JSON: code, body, and once it is written the access record of this request
post() {
	local id="${BATS_TEST_NUMBER}-$RANDOM$RANDOM"
	code=$(curl -sS --cacert "$CA_ROOT" -o body -w '%{http_code}' -H "X-Request-Id: $id" -d "$2" "$CA_URL$1")
	body=$(cat body)
	ca_wait "grep -q 'msg=request .*request-id=$id ' '$CA_DIR/ca.log'"
	record=$(grep "request-id=$id " "$CA_DIR/ca.log")
}

# sign TOKEN [CSR-FILE]
sign() {
	post /sign "$(jq -n --arg ott "$1" --rawfile csr "${2:-$BATS_FILE_TMPDIR/x.csr}" '{csr: $csr, ott: $ott}')"
}

# refused CODE BODY REASON: the last answer, and the reason that only the log tells
refused() {
	[ "$code" = "$1" ] && [ "$body" = "$2" ] && [[ "$record" == *"error=\"$3\""* ]] && return
	printf 'status: %s\nbody: %s\nlog: %s\nexpected in the log: error="%s"\n' "$code" "$body" "$record" "$3"
	return 1
}

kid() {
	jwt public "$KEY" | jq -r .kid
}

@test "a good token of ours works, so that the others can fail" {
	sign "$(jwt make "$KEY")"
	[ "$code" = 201 ]
	jq -r .crt body | openssl x509 -noout -subject -ext subjectAltName >about
	grep -q "CN = x.local" about
	grep -q "DNS:x.local" about
	# white space around it is nothing; numbers may have a fraction; exp may be all there is of time
	sign $' \n'"$(jwt make "$KEY")"$'\n'
	[ "$code" = 201 ]
	sign "$(jwt make "$KEY" --claims '{"iat":null,"nbf":null,"exp":'"$(date +%s -d +5min)"'.5,"aud":["https://elsewhere","https://localhost:1/sign"]}')"
	[ "$code" = 201 ]
}

@test "tokens that are refused with the same words, and the reason in the log" {
	local name claims header why wrong=0
	while IFS='|' read -r name claims header why; do
		sign "$(jwt make "$KEY" --claims "${claims:-{\}}" --header "${header:-{\}}")"
		refused 401 "$REFUSED" "${why//@KID@/$(kid)}" || { echo "^ $name"; wrong=1; }
	done <<-'END'
		without exp|{"exp":null}||token has no exp claim: it would be good for ever
		other CA|{"aud":"https://ca.example/1.0/sign"}||no provisioner fits the token's aud, iss (py) and kid (@KID@)
		other operation|{"aud":"https://localhost/1.0/revoke"}||token audience (aud) https://localhost/1.0/revoke is not for this operation of this CA
		no audience|{"aud":null}||no provisioner fits the token's aud, iss (py) and kid (@KID@)
		upper case host|{"aud":"https://LOCALHOST/1.0/sign"}||no provisioner fits the token's aud, iss (py) and kid (@KID@)
		plain http|{"aud":"http://localhost/1.0/sign"}||no provisioner fits the token's aud, iss (py) and kid (@KID@)
		a slash too many|{"aud":"https://localhost/1.0/sign/"}||no provisioner fits the token's aud, iss (py) and kid (@KID@)
		fragment|{"aud":"https://localhost/1.0/sign#acme/acme"}||no provisioner fits the token's aud, iss (py) and kid (@KID@)
		other provisioner's name|{"iss":"admin"}||no provisioner fits the token's aud, iss (admin) and kid (@KID@)
		unknown provisioner|{"iss":"nobody"}||no provisioner fits the token's aud, iss (nobody) and kid (@KID@)
		unknown key id||{"kid":"nope"}|no provisioner fits the token's aud, iss (py) and kid (nope)
		no key id||{"kid":null}|no provisioner fits the token's aud, iss (py) and kid ()
		empty subject|{"sub":""}||token subject (sub) is empty
		no subject|{"sub":null,"sans":["x.local"]}||token subject (sub) is empty
	END
	[ "$wrong" -eq 0 ]
}

# Once these answered 500, as if the CA were at fault, or 401, as if a better key would help.
@test "names that no certificate can hold are the caller's fault, and he is told which" {
	local claims why wrong=0
	openssl req -new -key "$BATS_FILE_TMPDIR/x.key" -subj / -out nameless.csr
	while IFS='|' read -r claims why; do
		sign "$(jwt make "$KEY" --claims "$claims")" nameless.csr
		[ "$code" = 400 ] &&
			[ "$(jq -r .message body)" = "The request could not be completed: $why." ] ||
			{ echo "$claims: $code $body"; wrong=1; }
	done <<-END
		{"sub":"$(printf 'x%.0s' {1..2049})"}|token names: subject alternative name is longer than 2048 bytes
		{"sub":"$(printf 'x%.0s' {1..1025})"}|subject: CN is longer than 1024 bytes
		{"sub":"$(printf 'x%.0s' {1..1025})","sans":["x.local"]}|subject: CN is longer than 1024 bytes
		{"sub":"a\\u0007b"}|token names: subject alternative name 'a?b' holds a character that is a control
		{"sub":"x.local","sans":["x.local","bü.local"]}|token names: subject alternative name 'bü.local' holds a character that is not ASCII
		{"sans":[$(printf '"x.local",%.0s' {1..256})"x.local"]}|token: claim sans has more than 256 entries
	END
	[ "$wrong" -eq 0 ]
}

@test "tokens out of their time" {
	local name claims why wrong=0
	while IFS='|' read -r name claims why; do
		sign "$(jwt make "$KEY" --claims "$claims")"
		[ "$code" = 401 ] && [ "$body" = "$REFUSED" ] && [[ "$record" == *"error=\"$why 20"*" UTC\""* ]] ||
			{ echo "$name: $code $body $record"; wrong=1; }
	done <<-'END'
		expired|{"exp":"-65"}|token expired (exp) on
		expired long ago|{"exp":"-86400"}|token expired (exp) on
		not yet|{"nbf":"+75"}|token is not valid before (nbf)
		issued in the future|{"iat":"+75"}|token was issued in the future (iat), at
		older than the store|{"iat":"-86400","nbf":"-86400"}|token is older than this CA's store (iat), of
	END
	[ "$wrong" -eq 0 ]
	[[ "$record" == *'remedy="make a new token; authority.disableIssuedAtCheck lifts this check"'* ]]
	# a minute of difference between two clocks is nothing
	for claims in '{"exp":"-50"}' '{"nbf":"+50"}' '{"iat":"+50"}'; do
		sign "$(jwt make "$KEY" --claims "$claims")"
		[ "$code" = 201 ]
	done
}

@test "forged: signed by another key under the provisioner's key id" {
	sign "$(jwt make "$BATS_FILE_TMPDIR/other.jwk" --header "{\"kid\":\"$(kid)\"}")"
	refused 401 "$REFUSED" "token signature: the signature does not verify"
	# and under that of the provisioner whose key we do not have
	ADMIN=$(jq -r '.authority.provisioners[0].key.kid' "$STEPPATH/config/ca.json")
	sign "$(jwt make "$KEY" --claims '{"iss":"admin"}' --header "{\"kid\":\"$ADMIN\"}")"
	refused 401 "$REFUSED" "token signature: the signature does not verify"
}

@test "a forged token does not use up the real one's id" {
	TOKEN=$(jwt make "$KEY" --claims '{"jti":"seven"}')
	sign "$(jwt make "$BATS_FILE_TMPDIR/other.jwk" --claims '{"jti":"seven"}' --header "{\"kid\":\"$(kid)\"}")"
	[ "$code" = 401 ]
	sign "$TOKEN"
	[ "$code" = 201 ]
}

@test "algorithms: none, a symmetric one with the public key, one that does not suit the key" {
	local header wrong=0
	for header in '{"alg":"none"}' '{"alg":"None"}' '{"alg":"HS256"}' '{"alg":"RS256"}' '{"alg":"ES384"}' '{"alg":null}' '{"alg":7}' '{"alg":"ES256","crit":["exp"],"exp":1}'; do
		sign "$(jwt make "$KEY" --header "$header")"
		[ "$code" = 401 ] && [ "$body" = "$REFUSED" ] || { echo "$header: $code $body"; wrong=1; }
	done
	sign "$(jwt make "$KEY" --header '{"alg":"none"}' --no-signature)"
	[ "$code" = 401 ]
	[ "$body" = "$REFUSED" ]
	sign "$(jwt make "$KEY" --no-signature)"
	[ "$code" = 401 ]
	[ "$wrong" -eq 0 ]
}

@test "what is no token" {
	local t wrong=0
	for t in x x.y x.y.z .. "$(jwt make "$KEY").x" "$(jwt make "$KEY" | tr . +)" "$(jwt make "$KEY")=" "$(jwt make "$KEY" --claims '{"jti":7}')" \
		"$(jwt make "$KEY" --claims '{"exp":{}}')" "$(jwt make "$KEY" --claims '{"sub":["x.local"]}')" "$(printf 'a%.0s' {1..20000})"; do
		sign "$t"
		[ "$code" = 401 ] && [ "$body" = "$REFUSED" ] || { echo "$t: $code $body"; wrong=1; }
	done
	[ "$wrong" -eq 0 ]
}

@test "a token works once; with its signature flipped to n-s it is still the same token" {
	for claims in '{}' '{"jti":null,"n":@}' '{"jti":"","n":@}'; do
		TOKEN=$(jwt make "$KEY" --claims "${claims/@/1}")
		FLIPPED=$(jwt flip "$TOKEN")
		[ "$FLIPPED" != "$TOKEN" ]
		sign "$TOKEN"
		[ "$code" = 201 ]
		[[ "$record" == *" serial="* ]]
		sign "$TOKEN"
		refused 401 "$REFUSED" "token has been used already"
		# a certificate was made and not recorded: its serial is nobody's
		[[ "$record" != *" serial="* ]]
		sign "$FLIPPED"
		refused 401 "$REFUSED" "token has been used already"
		# the second signature is a good one: used first, it works, and then its twin does not
		TOKEN=$(jwt make "$KEY" --claims "${claims/@/2}")
		sign "$(jwt flip "$TOKEN")"
		[ "$code" = 201 ]
		sign "$TOKEN"
		refused 401 "$REFUSED" "token has been used already"
	done
}

@test "one token, ten clients at once: one certificate" {
	jq -n --arg ott "$(jwt make "$KEY")" --rawfile csr "$BATS_FILE_TMPDIR/x.csr" '{csr: $csr, ott: $ott}' >q
	for i in $(seq 10); do
		curl -sS --cacert "$CA_ROOT" -o /dev/null -w '%{http_code}\n' -d @q "$CA_URL/sign" >"code.$i" &
	done
	wait
	[ "$(cat code.* | sort | uniq -c | tr -s ' ' | paste -sd,)" = " 1 201, 9 401" ]
}

@test "a valid token whose request is refused stays used" {
	TOKEN=$(jwt make "$KEY" --claims '{"sub":"y.local"}')
	sign "$TOKEN"
	refused 403 '{"status":403,"message":"The request was forbidden by the certificate authority: certificate request does not contain the valid common name - got x.local, want [y.local]."}' \
		'certificate request does not contain the valid common name - got x.local, want [y.local]'
	openssl req -new -key "$BATS_FILE_TMPDIR/x.key" -subj /CN=y.local -out y.csr
	sign "$TOKEN" y.csr
	refused 401 "$REFUSED" "token has been used already"
}

@test "a token bound to a request is good for that request only" {
	FP=$(openssl req -in "$BATS_FILE_TMPDIR/x.csr" -outform DER | openssl dgst -sha256 -binary | basenc --base64url | tr -d =)
	TOKEN=$(jwt make "$KEY" --claims '{"cnf":{"x5rt#S256":"'"$FP"'"},"sans":["x.local","other.local"]}')
	sign "$TOKEN" "$BATS_FILE_TMPDIR/other.csr"
	refused 403 '{"status":403,"message":"The request was forbidden by the certificate authority: certificate request fingerprint does not match \"'"$FP"'\"."}' \
		'certificate request fingerprint does not match \"'"$FP"'\"'
	TOKEN=$(jwt make "$KEY" --claims '{"cnf":{"x5rt#S256":"'"$FP"'"}}')
	sign "$TOKEN"
	[ "$code" = 201 ]
	# the binding is not lifted by being of a wrong kind
	for cnf in '{"x5rt#S256":7}' '"text"' '[]'; do
		sign "$(jwt make "$KEY" --claims '{"cnf":'"$cnf"'}')"
		[ "$code" = 401 ] || { echo "$cnf: $code $body"; return 1; }
	done
	sign "$(jwt make "$KEY" --claims '{"cnf":{"x5rt#S256":""}}')"
	[ "$code" = 403 ]
	# RFC 7800 §3.1: confirmation members that are not understood are ignored
	sign "$(jwt make "$KEY" --claims '{"cnf":{"jkt":"abc"}}')"
	[ "$code" = 201 ]
}

@test "tokens for a provisioner without a token flow" {
	sign "$(jwt make "$KEY" --claims '{"aud":"https://localhost/1.0/sign#nothing/there"}')"
	[ "$code" = 401 ]
}

@test "revoke tokens: once, for their serial, for revoking" {
	post /revoke '{"serial":"1001","passive":true,"ott":"'"$(jwt make "$KEY" --claims '{"sub":"1001"}')"'"}'
	refused 401 "$REFUSED" "token audience (aud) $CA_URL/1.0/sign is not for this operation of this CA"
	TOKEN=$(jwt make "$KEY" --claims '{"sub":"1001","sans":null,"aud":"'"$CA_URL"'/1.0/revoke"}')
	post /revoke '{"serial":"1002","passive":true,"ott":"'"$TOKEN"'"}'
	refused 403 '{"status":403,"message":"The request was forbidden by the certificate authority: request serial number \"1002\" and token subject \"1001\" do not match."}' \
		'request serial number \"1002\" and token subject \"1001\" do not match'
	post /revoke '{"serial":"1001","passive":true,"ott":"'"$TOKEN"'"}'
	refused 401 "$REFUSED" "token has been used already"
	TOKEN=$(jwt make "$KEY" --claims '{"sub":"1001","sans":null,"aud":"'"$CA_URL"'/1.0/revoke"}')
	post /revoke '{"serial":"0x3e9","passive":true,"ott":"'"$TOKEN"'"}'
	[ "$code" = 200 ]
	[ "$body" = '{"status":"ok"}' ]
	post /revoke '{"serial":"1001","passive":true,"ott":"'"$(jwt flip "$TOKEN")"'"}'
	refused 401 "$REFUSED" "token has been used already"
}

@test "no token, and no part of one, is in the log" {
	TOKEN=$(jwt make "$KEY")
	sign "$TOKEN"
	sign "$(jwt make "$BATS_FILE_TMPDIR/other.jwk" --header "{\"kid\":\"$(kid)\"}" | tee forged)"
	sign "$(tr -d . <forged)"
	curl -sS --cacert "$CA_ROOT" -o /dev/null -X POST -H "Authorization: Bearer $TOKEN" "$CA_URL/renew?token=$TOKEN"
	ca_wait "[ \$(grep -c path=/renew '$CA_DIR/ca.log') -gt 0 ]"
	for part in $(tr . ' ' <<<"$TOKEN") $(tr . ' ' <forged); do
		refute grep -qF "${part:0:40}" "$CA_DIR/ca.log"
		refute grep -qF "${part: -40}" "$CA_DIR/ca.log"
	done
}

@test "step says what the CA says, and leaves no file" {
	for claims in '{"exp":"-120"}' '{"exp":null}' '{"iat":"+120"}' '{"aud":"'"$CA_URL"'/1.0/revoke"}'; do
		step_run ca certificate x.local x.crt x.key --root "$CA_ROOT" --token "$(jwt make "$KEY" --claims "$claims")"
		expect 1 "✔ CA: $CA_URL
The request lacked necessary authorization to be completed. Please see the certificate authority logs for more info.
Re-run with STEPDEBUG=1 for more info."
		absent x.crt x.key
	done
	step_run ca certificate x.local x.crt x.key --token "$(jwt make "$KEY" --claims '{"sub":"y.local"}')"
	expect 1 "token subject 'y.local' and argument 'x.local' do not match"
	step_run ca certificate x.local x.crt x.key --token "$(jwt make "$KEY" --claims '{"cnf":{"x5rt#S256":"AAAA"}}')"
	expect 1 "✔ CA: $CA_URL
The request was forbidden by the certificate authority: certificate request fingerprint does not match \"AAAA\".
Re-run with STEPDEBUG=1 for more info."
	step_run ca certificate x.local x.crt x.key --token abc
	expect 1 "error parsing token: token: not a JWS: it has not three parts"
	step_run ca certificate x.local x.crt x.key --token "$(jwt make "$KEY" --claims '{"sha":"abc"}')"
	expect 1 "error parsing token: sha: a fingerprint is the SHA-256 of the root certificate: 64 hexadecimal digits"
	step_run ca sign --token "$(jwt make "$KEY")" "$BATS_FILE_TMPDIR/other.csr" x.crt
	expect 1 "token subject 'x.local' and CSR CommonName 'other.local' do not match"
	step_run ca revoke 17 --token "$(jwt make "$KEY" --claims '{"sub":"18"}')"
	expect 1 "token subject '18' and serial number '17' do not match"
	absent x.crt x.key
}

@test "a token outlives a restart and a reload of the CA; a used one stays used" {
	FRESH=$(jwt make "$KEY")
	FRESHER=$(jwt make "$KEY")
	USED=$(jwt make "$KEY")
	sign "$USED"
	[ "$code" = 201 ]
	kill -HUP "$CA_PID"
	ca_wait "grep -q 'configuration reloaded' '$CA_DIR/ca.log'"
	sign "$FRESHER"
	[ "$code" = 201 ]
	ca_end KILL
	ca_start
	sign "$USED"
	refused 401 "$REFUSED" "token has been used already"
	sign "$FRESH"
	[ "$code" = 201 ]
}
