# What step-ca answers on the wire, seen by curl and by bare sockets: paths, methods, statuses and bodies byte for byte.

bats_require_minimum_version 1.5.0
load lib
load ca

setup_file() {
	ca_init "$BATS_FILE_TMPDIR/ca"
	cd "$BATS_FILE_TMPDIR"
	python3 "$BATS_TEST_DIRNAME/jwt.py" new-key py.jwk
	ca_json --argjson key "$(python3 "$BATS_TEST_DIRNAME/jwt.py" public py.jwk)" '
		.authority.provisioners += [
			{type: "JWK", name: "py", key: $key},
			{type: "JWK", name: "short", key: $key, claims: {maxTLSCertDuration: "2h", defaultTLSCertDuration: "1h"}},
			{type: "JWK", name: "once", key: $key, claims: {disableRenewal: true}},
			{type: "ACME", name: "acme"},
			{type: "OIDC", name: "oidc", clientID: "c"}]'
	ca_start
	issue x.local
	openssl req -new -key x.local.key -subj /CN=x.local -out x.csr
	openssl req -new -key x.local.key -subj /CN=x.local -addext subjectAltName=DNS:x.local,DNS:evil.local -out sans.csr
	openssl req -new -newkey rsa:1024 -nodes -keyout weak.key -subj /CN=x.local -out weak.csr 2>/dev/null
}

teardown_file() {
	ca_stop
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	ALL="$BATS_FILE_TMPDIR"
}

jwt() {
	python3 "$BATS_TEST_DIRNAME/jwt.py" "$@"
}

# get PATH [curl flags]: code, type, body (a file, byte for byte), headers
get() {
	read -r code type < <(curl -sS --cacert "$CA_ROOT" -D headers -o body -w '%{http_code} %{content_type}\n' "${@:2}" "$CA_URL$1")
}

# says CODE TYPE BODY: the last answer, whose body ends in a newline of its own
says() {
	[ "$code" = "$1" ] && [ "$type" = "$2" ] && printf '%s\n' "$3" | cmp -s - body && return
	printf 'status %s, type %s, expected %s, %s\n' "$code" "$type" "$1" "$2"
	printf '%s\n' "$3" | diff - body
	return 1
}

# A PEM file as it stands inside a JSON string
in_json() {
	awk '{ printf "%s\\n", $0 }' "$1"
}

# forge CSR-FILE: forged.csr is the same but for the last bit of its signature
forge() {
	openssl req -in "$1" -outform DER | python3 -c \
		'import sys, base64; b = bytearray(sys.stdin.buffer.read()); b[-1] ^= 1; print("-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(b).decode() + "-----END CERTIFICATE REQUEST-----")' >forged.csr
}

# request TOKEN CSR-FILE [JQ-FILTER]: a body for /sign
request() {
	jq -cn --arg ott "$1" --rawfile csr "$ALL/$2" "{csr: \$csr, ott: \$ott}${3:+ | $3}"
}

sign() {
	get /sign -d "$(request "$@")"
}

STOCK_400='{"status":400,"message":"The request could not be completed; malformed or missing data. Please see the certificate authority logs for more info."}'
STOCK_401='{"status":401,"message":"The request lacked necessary authorization to be completed. Please see the certificate authority logs for more info."}'
STOCK_404='{"status":404,"message":"The requested resource could not be found. Please see the certificate authority logs for more info."}'
STOCK_501='{"status":501,"message":"The requested method is not implemented by the certificate authority. Please see the certificate authority logs for more info."}'

e400() {
	says 400 application/json "{\"status\":400,\"message\":\"The request could not be completed: $1.\"}"
}

e403() {
	says 403 application/json "{\"status\":403,\"message\":\"The request was forbidden by the certificate authority: $1.\"}"
}

# --- what everybody may ask

@test "health, version, roots, intermediates, federation: with and without /1.0" {
	local root inter fp v
	root=$(in_json "$CA_ROOT")
	inter=$(in_json "$STEPPATH/certs/intermediate_ca.crt")
	fp=$(openssl x509 -in "$CA_ROOT" -outform DER | sha256sum | cut -d' ' -f1)
	for v in "" /1.0; do
		get $v/health
		says 200 application/json '{"status":"ok"}'
		get $v/version
		says 200 application/json "{\"version\":\"$(step version | sed -n 's#^[^/]*/\([^ ]*\).*#\1#p' | head -1)\"}"
		get $v/roots
		says 201 application/json "{\"crts\":[\"$root\"]}"
		get $v/federation
		says 201 application/json "{\"crts\":[\"$root\"]}"
		get $v/intermediates
		says 201 application/json "{\"crts\":[\"$inter\"]}"
		get $v/roots.pem
		[ "$code $type" = "200 application/x-pem-file" ]
		cmp body "$CA_ROOT"
		get $v/intermediates.pem
		[ "$code $type" = "200 application/x-pem-file" ]
		cmp body "$STEPPATH/certs/intermediate_ca.crt"
		for form in "$fp" "${fp^^}" "${fp:0:8}-${fp:8}"; do
			get "$v/root/$form"
			says 200 application/json "{\"ca\":\"$root\"}"
		done
		get $v/root/abcd
		says 404 application/json '{"status":404,"message":"root certificate with fingerprint \"abcd\" was not found"}'
		get "$v/root/${fp/?/z}"
		[ "$code" = 404 ]
	done
}

@test "what is nowhere: 404 in plain text" {
	for path in / /nosuch /health/ //health /HEALTH /1.0 /1.0/ /1.0/1.0/health /2.0/health /root /root/ /root/a/b /provisioners/x \
		/provisioners/x/jwk /provisioners//encrypted-key /healt%68/x /.. /%2e%2e/health /ssh/roots /acme/acme/directory; do
		get "$path" --path-as-is
		says 404 "text/plain; charset=utf-8" "404 page not found" || { echo "^ $path"; return 1; }
	done
	get /root/%zz
	[ "$code" = 400 ]
}

@test "wrong methods: 405 with Allow, and no body" {
	for method in POST PUT DELETE PATCH OPTIONS; do
		get /health -X $method
		[ "$code" = 405 ]
		[ ! -s body ]
		grep -qi '^Allow: GET, HEAD.$' headers
	done
	for path in /sign /1.0/sign /renew /rekey /revoke; do
		get $path
		[ "$code" = 405 ]
		[ ! -s body ]
		grep -qi '^Allow: POST.$' headers
	done
}

@test "HEAD answers like GET, without the body" {
	for path in /health /1.0/roots /nosuch; do
		get $path
		size=$(stat -c %s body)
		want="$code $type"
		get $path --head
		[ "$code $type" = "$want" ]
		grep -qi "^Content-Length: $size.\$" headers
	done
	# and leaves the connection fit for more
	run curl -sS --cacert "$CA_ROOT" --head "$CA_URL/health" --next -sS --cacert "$CA_ROOT" -w ' %{num_connects}\n' "$CA_URL/health"
	[ "${lines[-2]}" = '{"status":"ok"}' ]
	[ "${lines[-1]}" = ' 0' ]
}

@test "every answer carries a request id: the caller's, else a new one" {
	get /health -H 'X-Request-Id: abc-123'
	grep -qi '^X-Request-Id: abc-123.$' headers
	get /health -H 'X-Smallstep-Id: def'
	grep -qi '^X-Request-Id: def.$' headers
	get /nosuch
	grep -Eqi '^X-Request-Id: [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}.$' headers
	ca_wait "grep -q 'request-id=abc-123 ' '$CA_DIR/ca.log'"
}

# --- provisioners

@test "provisioners as they stand in ca.json, in its order" {
	get /provisioners
	[ "$code $type" = "200 application/json" ]
	[ "$(jq -c '[.provisioners[].name]' body)" = '["admin","py","short","once","acme","oidc"]' ]
	[ "$(jq -r .nextCursor body)" = "" ]
	[ "$(jq -cS '.provisioners[0:4]' body)" = "$(jq -cS '.authority.provisioners[0:4]' "$STEPPATH/config/ca.json")" ]
	[ "$(head -c 43 body)" = '{"provisioners":[{"type":"JWK","name":"admi' ]
	[ "$(tail -c 19 body)" = '],"nextCursor":""}' ]
	# what is not built serves nothing, and says so
	[ "$(jq -r '.provisioners[5].state' body)" = Uninitialized ]
	[ -n "$(jq -r '.provisioners[5].stateReason // empty' body)" ]
}

@test "an encrypted key is served byte for byte" {
	kid=$(jq -r '.authority.provisioners[0].key.kid' "$STEPPATH/config/ca.json")
	jwe=$(jq -r '.authority.provisioners[0].encryptedKey' "$STEPPATH/config/ca.json")
	for v in "" /1.0; do
		get "$v/provisioners/$kid/encrypted-key"
		says 200 application/json "{\"key\":\"$jwe\"}"
		get "$v/provisioners/${kid/?/%$(printf %x "'${kid:0:1}")}/encrypted-key"
		says 200 application/json "{\"key\":\"$jwe\"}"
		get "$v/provisioners/nope/encrypted-key"
		says 404 application/json "$STOCK_404"
		# there is one of that name, without an encrypted key
		get "$v/provisioners/$(jwt public "$ALL/py.jwk" | jq -r .kid)/encrypted-key"
		says 404 application/json "$STOCK_404"
	done
}

@test "provisioners are paged; the cursors are what SHA-1 says" {
	local kid admin
	kid=$(jwt public "$ALL/py.jwk" | jq -r .kid)
	get "/provisioners?limit=2"
	[ "$(jq -c '[.provisioners[].name]' body)" = '["admin","py"]' ]
	next=$(jwt cursor "short:$kid" 2)
	[ "$(jq -r .nextCursor body)" = "$next" ]
	get "/provisioners?limit=2&cursor=$next"
	[ "$(jq -c '[.provisioners[].name]' body)" = '["short","once"]' ]
	[ "$(jq -r .nextCursor body)" = "$(jwt cursor acme/acme 4)" ]
	get "/provisioners?cursor=$(jwt cursor acme/acme 4)&limit=100"
	[ "$(jq -c '[.provisioners[].name]' body)" = '["acme","oidc"]' ]
	[ "$(jq -r .nextCursor body)" = "" ]
	# the first at or behind the cursor; none behind the last
	get "/provisioners?limit=1&cursor=1"
	[ "$(jq -c '[.provisioners[].name]' body)" = '["admin"]' ]
	get "/provisioners?limit=1&cursor=1$(printf 0%.0s {1..32})"
	[ "$(jq -c '[.provisioners[].name]' body)" = '["py"]' ]
	get "/provisioners?cursor=ffffffffffffffffffffffffffffffffffffffff"
	says 200 application/json '{"provisioners":[],"nextCursor":""}'
	for limit in abc 1.5 0x10 99999999999999999999; do
		get "/provisioners?limit=$limit"
		e400 "limit '$limit' is not an integer"
	done
	for limit in "" 0 -5 1000; do
		get "/provisioners?limit=$limit"
		[ "$(jq '.provisioners | length' body)" -eq 6 ]
	done
}

# --- sign

@test "sign: the answer's members, in order" {
	sign "$(jwt make "$ALL/py.jwk")" x.csr
	[ "$code $type" = "201 application/json" ]
	[ "$(jq -c keys_unsorted body)" = '["crt","ca","certChain","tlsOptions"]' ]
	[ "$(grep -o '"tlsOptions".*' body)" = '"tlsOptions":{"cipherSuites":["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256","TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],"minVersion":1.2,"maxVersion":1.3,"renegotiation":false}}' ]
	jq -j .crt body >leaf.pem
	jq -j .ca body | cmp - "$STEPPATH/certs/intermediate_ca.crt"
	jq -j '.certChain[0]' body | cmp - leaf.pem
	jq -j '.certChain[1]' body | cmp - "$STEPPATH/certs/intermediate_ca.crt"
	[ "$(jq '.certChain | length' body)" -eq 2 ]
	openssl verify -CAfile "$CA_ROOT" -untrusted "$STEPPATH/certs/intermediate_ca.crt" -purpose sslclient leaf.pem
}

@test "sign: what a certificate looks like" {
	openssl req -new -key "$ALL/x.local.key" -subj "/O=Evil/CN=x.local" -addext keyUsage=keyCertSign -addext basicConstraints=CA:true -out evil.csr
	get /sign -d "$(jq -cn --arg ott "$(jwt make "$ALL/py.jwk" --claims '{"sans":["x.local","10.0.0.1","::1","me@x.org","https://x.local/a","*.x.local"]}')" --rawfile csr evil.csr '{csr: $csr, ott: $ott}')"
	[ "$code" = 201 ]
	jq -r .crt body | openssl x509 -noout -text -certopt no_pubkey,no_sigdump >text
	# subject, key usage and constraints are never the request's
	grep -q 'Subject: CN = x.local$' text
	[ "$(sed -n '/X509v3 Key Usage: critical/{n;p}' text | xargs)" = "Digital Signature" ]
	[ "$(sed -n '/X509v3 Extended Key Usage: $/{n;p}' text | xargs)" = "TLS Web Server Authentication, TLS Web Client Authentication" ]
	[ "$(sed -n '/X509v3 Subject Alternative Name: $/{n;p}' text | xargs)" = "DNS:x.local, DNS:*.x.local, email:me@x.org, IP Address:10.0.0.1, IP Address:0:0:0:0:0:0:0:1, URI:https://x.local/a" ]
	grep -q 1.3.6.1.4.1.37476.9000.64.1 text
	refute grep -q "Basic Constraints" text
	# 24 h and the minute of backdating
	jq -r .crt body >leaf.pem
	[ "$(($(date +%s -d "$(openssl x509 -noout -enddate -in leaf.pem | cut -d= -f2)") - $(date +%s -d "$(openssl x509 -noout -startdate -in leaf.pem | cut -d= -f2)")))" -eq 86460 ]
	# the provisioner's extension, byte for byte
	kid=$(jwt public "$ALL/py.jwk" | jq -r .kid)
	openssl asn1parse -in leaf.pem | grep -A1 1.3.6.1.4.1.37476.9000.64.1 | tail -1 | sed 's/.*HEX DUMP]://' >ext
	[ "$(cat ext)" = "$(printf '3034020101040270%s042b%s' 79 "$(printf %s "$kid" | od -An -tx1 | tr -d ' \n')" | tr a-f A-F)" ]
}

@test "sign: bodies that are none" {
	for bad in '' '{' '[]' 'null' '"text"' '7' '{"csr":7}' '{"csr":"x"}' '{"csr":"x","ott":7}' '{"notAfter":"tomorrow"}' '{"notBefore":"1d"}'; do
		get /sign -d "$bad"
		e400 "error decoding json" || { echo "^ $bad"; return 1; }
	done
	get /sign -d '{}'
	e400 "missing csr"
	get /sign -d '{"csr":"","ott":"x"}'
	e400 "missing csr"
	get /sign -d '{"csr":"null","ott":"x"}'
	e400 "missing csr"
	get /sign -d "$(jq -cn --rawfile csr "$ALL/x.csr" '{csr: $csr}')"
	e400 "missing ott"
	# DER in base64 without armour
	get /sign -d "$(jq -cn --arg csr "$(openssl req -in "$ALL/x.csr" -outform DER | base64 -w0)" '{csr: $csr, ott: "x"}')"
	e400 "error decoding json"
	forge "$ALL/x.csr"
	get /sign -d "$(jq -cn --rawfile csr forged.csr '{csr: $csr, ott: "x"}')"
	e400 "invalid csr"
}

@test "sign: what Go's decoder takes, we take: any case, unknown members, rubbish behind, any label, any type" {
	jq -cn --arg ott "$(jwt make "$ALL/py.jwk")" --rawfile csr "$ALL/x.csr" '{CSR: ("text before\n" + ($csr | gsub("CERTIFICATE REQUEST"; "SOMETHING"))), Ott: $ott, extra: {a: [1]}, notAfter: null}' >q
	echo 'trailing } rubbish' >>q
	get /sign -H 'Content-Type: text/weird' --data-binary @q
	[ "$code" = 201 ]
}

@test "sign: names and keys that are not allowed" {
	sign "$(jwt make "$ALL/py.jwk" --claims '{"sub":"y.local"}')" x.csr
	e403 "certificate request does not contain the valid common name - got x.local, want [y.local]"
	sign "$(jwt make "$ALL/py.jwk")" sans.csr
	e403 "certificate request does not contain the valid DNS names - got [x.local evil.local], want [x.local]"
	openssl req -new -key "$ALL/x.local.key" -subj / -addext subjectAltName=IP:10.0.0.9 -out "$ALL/ip.csr"
	sign "$(jwt make "$ALL/py.jwk" --claims '{"sans":["x.local","10.0.0.1"]}')" ip.csr
	e403 "certificate request does not contain the valid IP addresses - got [10.0.0.9], want [10.0.0.1]"
	sign "$(jwt make "$ALL/py.jwk")" weak.csr
	e403 "certificate request RSA key must be at least 2048 bits (256 bytes)"
}

@test "sign: times that are not allowed" {
	local what text wrong=0
	while IFS='~' read -r what text; do
		sign "$(jwt make "$ALL/py.jwk" --claims '{"iss":"short"}')" x.csr "$what"
		e403 "$text" || { echo "^ $what"; wrong=1; }
	done <<-'END'
		.notAfter="3m"~requested duration of 4m0s is less than the authorized minimum certificate duration of 5m0s
		.notAfter="2h1m"~requested duration of 2h2m0s is more than the authorized maximum certificate duration of 2h1m0s
		.notBefore="1h" | .notAfter="2h2m"~requested duration of 2h2m0s is more than the authorized maximum certificate duration of 2h1m0s
		.notBefore="0s" | .notAfter="1m"~requested duration of 2m0s is less than the authorized minimum certificate duration of 5m0s
	END
	[ "$wrong" -eq 0 ]
	sign "$(jwt make "$ALL/py.jwk" --claims '{"iss":"short"}')" x.csr '.notAfter="4m"'
	[ "$code" = 201 ] # with the minute of backdating that is five
	sign "$(jwt make "$ALL/py.jwk" --claims '{"iss":"short"}')" x.csr '.notAfter="2h"'
	[ "$code" = 201 ]
	sign "$(jwt make "$ALL/py.jwk" --claims '{"iss":"short"}')" x.csr
	[ "$(jq -r .crt body | openssl x509 -noout -checkend 3550)" = "Certificate will not expire" ]
	[ "$(jq -r .crt body | openssl x509 -noout -checkend 3650)" = "Certificate will expire" ]
	sign "$(jwt make "$ALL/py.jwk")" x.csr '.notAfter="2020-01-02T03:04:05Z"'
	e400 "notAfter cannot be in the past; na=2020-01-02 03:04:05 +0000 UTC"
	sign "$(jwt make "$ALL/py.jwk")" x.csr '.notBefore="2090-01-02T03:04:05Z" | .notAfter="2090-01-01T00:00:00Z"'
	e400 "notAfter cannot be before notBefore; na=2090-01-01 00:00:00 +0000 UTC, nb=2090-01-02 03:04:05 +0000 UTC"
}

@test "provisioners without a token flow, and such that cannot serve" {
	sign "$(jwt make "$ALL/py.jwk" --claims '{"aud":"https://localhost/1.0/sign#acme/acme"}')" x.csr
	e400 "token flow is not supported"
	sign "$(jwt make "$ALL/py.jwk" --claims '{"aud":"c"}')" x.csr
	[ "$code" = 401 ]
	[ "$(cat body)" = '{"status":401,"message":"provisioner \"oidc\" is disabled due to an initialization error"}' ]
}

# --- renew, rekey, revoke

pair() {
	cp "$ALL/x.local.crt" "$ALL/x.local.key" .
	MTLS=(--cert x.local.crt --key x.local.key)
}

@test "renew and rekey: with a client certificate, and not without" {
	pair
	get /renew -X POST
	e400 "missing client certificate"
	get /rekey -d "{\"csr\":\"$(in_json "$ALL/x.csr")\"}"
	e400 "missing client certificate"
	for path in /renew /1.0/renew /re-sign; do
		get $path -d 'the body is ignored' "${MTLS[@]}"
		[ "$code $type" = "201 application/json" ]
		[ "$(jq -c keys_unsorted body)" = '["crt","ca","certChain","tlsOptions"]' ]
		jq -r .crt body >new.crt
		pair_fits new.crt x.local.key
		[ "$(serial new.crt)" != "$(serial x.local.crt)" ]
	done
	openssl req -new -newkey rsa:2048 -nodes -keyout new.key -subj /CN=ignored -out new.csr 2>/dev/null
	get /rekey -d "{\"csr\":\"$(in_json new.csr)\"}" "${MTLS[@]}"
	[ "$code" = 201 ]
	jq -r .crt body >new.crt
	pair_fits new.crt new.key
	[ "$(openssl x509 -noout -subject -in new.crt)" = "subject=CN = x.local" ]
	get /rekey -d '{}' "${MTLS[@]}"
	e400 "missing csr"
	get /rekey -d '{"csr":"x"}' "${MTLS[@]}"
	e400 "error decoding json"
	forge new.csr
	get /rekey -d "{\"csr\":\"$(in_json forged.csr)\"}" "${MTLS[@]}"
	e400 "invalid csr"
	get /rekey -d "{\"csr\":\"$(in_json "$ALL/weak.csr")\"}" "${MTLS[@]}"
	e403 "certificate request RSA key must be at least 2048 bits (256 bytes)"
}

@test "a renewed certificate: same names, same extensions, same span, AKI first" {
	pair
	get /renew -X POST "${MTLS[@]}"
	jq -r .crt body >new.crt
	names() { openssl x509 -in "$1" -noout -text -certopt no_header,no_version,no_serial,no_validity,no_sigdump,no_signame | sort; }
	diff <(names x.local.crt) <(names new.crt)
	span() { echo $(($(date +%s -d "$(openssl x509 -noout -enddate -in "$1" | cut -d= -f2)") - $(date +%s -d "$(openssl x509 -noout -startdate -in "$1" | cut -d= -f2)"))); }
	[ "$(span new.crt)" = "$(span x.local.crt)" ]
	openssl x509 -in new.crt -noout -text | grep -o 'X509v3 [A-Z].*: ' | head -1 | grep -q "Authority Key Identifier"
}

@test "a leaf sent alone is accepted; a stranger's and an expired certificate are not" {
	pair
	openssl x509 -in x.local.crt -out leaf.crt
	get /renew -X POST --cert leaf.crt --key x.local.key
	[ "$code" = 201 ]
	step certificate create --profile self-signed --subtle --no-password --insecure me.local me.crt me.key
	run -56 curl -sS --cacert "$CA_ROOT" --cert me.crt --key me.key "$CA_URL/health"
	[[ "$output" == *"alert unknown ca"* ]]
	step certificate create --profile leaf --ca "$STEPPATH/certs/intermediate_ca.crt" --ca-key "$STEPPATH/secrets/intermediate_ca_key" \
		--ca-password-file "$CA_DIR/password.txt" --not-before -2h --not-after -1h --no-password --insecure old.local old.crt old.key
	run -56 curl -sS --cacert "$CA_ROOT" --cert old.crt --key old.key "$CA_URL/health"
	[[ "$output" == *"alert certificate expired"* ]]
}

@test "renewal is refused where the provisioner says so" {
	pair
	jwt make "$ALL/py.jwk" --claims '{"iss":"once"}' >token
	sign "$(cat token)" x.csr
	[ "$code" = 201 ]
	jq -r '.certChain[]' body >once.crt
	get /renew -X POST --cert once.crt --key x.local.key
	says 401 application/json "$STOCK_401"
	ca_wait "grep -q 'renewal is disabled for provisioner' '$CA_DIR/ca.log'"
}

@test "a certificate without provisioner information renews, and the log warns" {
	step certificate create --profile leaf --ca "$STEPPATH/certs/intermediate_ca.crt" --ca-key "$STEPPATH/secrets/intermediate_ca_key" \
		--ca-password-file "$CA_DIR/password.txt" --no-password --insecure foreign.local foreign.crt foreign.key
	get /renew -X POST --cert foreign.crt --key foreign.key
	[ "$code" = 201 ]
	grep -q 'level=warning msg="renewing a certificate that carries no provisioner"' "$CA_DIR/ca.log"
}

@test "a CA's certificate is never renewed this way" {
	openssl ec -in "$STEPPATH/secrets/intermediate_ca_key" -passin "file:$CA_DIR/password.txt" -out inter.key 2>/dev/null
	get /renew -X POST --cert "$STEPPATH/certs/intermediate_ca.crt" --key inter.key || true
	[ "$code" != 201 ]
	[ ! -s body ] || e403 "a certificate of a certificate authority cannot be renewed"
}

@test "revoke: by the certificate, by a token, and what is wrong with it" {
	issue r.local
	local n
	n=$(python3 -c "print(int('$(serial r.local.crt | cut -d= -f2)', 16))")
	rev() { get /revoke -d "$1" "${@:2}"; }
	mtls=(--cert r.local.crt --key r.local.key)
	rev '{}'
	e400 "missing serial"
	rev '{"serial":"zz","passive":true}'
	e400 "'zz' is not a valid serial number - use a base 10 representation or a base 16 representation with '0x' prefix"
	rev '{"serial":"1","reasonCode":11,"passive":true}'
	e400 "reasonCode out of bounds"
	rev '{"serial":"1","reasonCode":-1,"passive":true}'
	e400 "reasonCode out of bounds"
	rev '{"serial":"1"}'
	says 501 application/json "$STOCK_501"
	rev '{"serial":"1","passive":true}'
	e400 "missing ott or client certificate"
	rev '{"serial":"1","passive":true}' "${mtls[@]}"
	e403 "request serial number \\\"1\\\" and certificate serial number \\\"$n\\\" do not match"
	rev '{"serial":"1","passive":true,"ott":"x"}' "${mtls[@]}"
	says 401 application/json "$STOCK_401"
	rev "{\"serial\":\"$n\",\"passive\":true,\"reasonCode\":7,\"reason\":\"<&>\"}" "${mtls[@]}"
	says 200 application/json '{"status":"ok"}'
	rev "{\"serial\":\"$(printf '0x%s' "$(serial r.local.crt | cut -d= -f2)")\",\"passive\":true}" "${mtls[@]}"
	e400 "certificate with serial number '$n' is already revoked"
	get /renew -X POST "${mtls[@]}"
	says 401 application/json "$STOCK_401"
	get /rekey -d "{\"csr\":\"$(in_json "$ALL/x.csr")\"}" "${mtls[@]}"
	says 401 application/json "$STOCK_401"
	# a serial that was never issued, in every notation
	for s in 4711 0x4712 0b1001001101001 0o11152 011153 4_716; do
		rev "{\"serial\":\"$s\",\"passive\":true,\"ott\":\"$(jwt make "$ALL/py.jwk" --claims "{\"aud\":\"$CA_URL/revoke\",\"sans\":null,\"sub\":\"$(python3 -c "s='$s'; print(int('0o'+s[1:] if s[:1]=='0' and s[1:2].isdigit() else s, 0))")\"}")\"}"
		says 200 application/json '{"status":"ok"}' || { echo "^ $s"; return 1; }
	done
}

# --- HTTP and TLS

# raw BYTES-EXPRESSION: what comes back over TLS for these bytes
raw() {
	python3 - "$CA_PORT" "$CA_ROOT" "$1" <<-'END'
		import socket, ssl, sys
		s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
		s = ssl.create_default_context(cafile=sys.argv[2]).wrap_socket(s, server_hostname="localhost")
		try:
		    s.sendall(eval(sys.argv[3]))
		except OSError:
		    pass
		got = b""
		try:
		    while True:
		        more = s.recv(65536)
		        if not more:
		            break
		        got += more
		except OSError:
		    pass
		sys.stdout.write(got.decode("latin1"))
	END
}

@test "plain HTTP to the TLS port" {
	python3 - "$CA_PORT" >answer <<-'END'
		import socket, sys
		s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
		s.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
		got = b""
		while True:
		    more = s.recv(65536)
		    if not more:
		        break
		    got += more
		sys.stdout.write(got.decode())
	END
	[ "$(head -1 answer)" = $'HTTP/1.0 400 Bad Request\r' ]
	[ "$(tail -1 answer)" = "Client sent an HTTP request to an HTTPS server." ]
}

@test "what is too large: headers 431, body 413" {
	head -c 100000 /dev/zero | tr '\0' a >big
	get /health -H "X-Big: $(cat big)"
	[ "$code" = 431 ]
	[[ "$type" == text/plain* ]]
	get "/$(cat big)"
	[ "$code" = 431 ] || [ "$code" = 414 ]
	head -c 2000000 /dev/zero | tr '\0' ' ' >big
	get /sign --data-binary @big
	[ "$code" = 413 ]
	get /sign -H 'Transfer-Encoding: chunked' --data-binary @big
	[ "$code" = 413 ]
	get /health
	[ "$code" = 200 ]
}

@test "requests that are none: 400, and the connection ends" {
	local what wrong=0
	for what in 'b"rubbish\r\n\r\n"' 'b"GET /health HTTP/1.1\r\n\r\n"' 'b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"' \
		'b"POST /sign HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"' \
		'b"POST /sign HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}"' \
		'b"POST /sign HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"' \
		'b"GET /health HTTP/1.1\r\nHost: a\r\nX-A: b\r\n folded\r\n\r\n"' 'b"GET /health HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n"' \
		'b"GET /health HTTP/1.1\r\nHost: a\r\nX A: b\r\n\r\n"' 'b"GET health HTTP/1.1\r\nHost: a\r\n\r\n"' 'b"GET /health HTTP/3.7\r\nHost: a\r\n\r\n"'; do
		raw "$what" >answer
		[[ "$(head -1 answer)" =~ ^"HTTP/1."[01]" "(400|505)" " ]] || { echo "$what: $(head -1 answer)"; wrong=1; }
		[ "$(grep -ac '^HTTP/' answer)" -le 1 ] || { echo "$what: more than one answer"; wrong=1; }
	done
	[ "$wrong" -eq 0 ]
	raw 'b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"' | grep -q '^{"status":"ok"}$'
	# the peer's HTTP/2 preface
	raw 'b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"' >answer
	[[ "$(head -1 answer)" =~ ^"HTTP/1."[01]" "(400|405|501|505) ]]
}

@test "several requests in one go on one connection are answered in order" {
	raw 'b"GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET /nosuch HTTP/1.1\r\nHost: a\r\n\r\nGET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"' >answer
	[ "$(grep -a '^HTTP/' answer | cut -d' ' -f2 | paste -sd' ')" = "200 404 200" ]
}

@test "HTTP/2 is offered and declined" {
	curl -sS -v --http2 --cacert "$CA_ROOT" "$CA_URL/health" >out 2>talk
	[ "$(cat out)" = '{"status":"ok"}' ]
	grep -q "ALPN: offers h2,http/1.1" talk
	grep -q "ALPN: server accepted http/1.1" talk
	grep -q "< HTTP/1.1 200 OK" talk
}

@test "TLS 1.2 and 1.3 with the peer's suites; nothing older" {
	hello() { openssl s_client -connect "localhost:$CA_PORT" -servername localhost -CAfile "$CA_ROOT" -verify_return_error "$@" </dev/null 2>&1; }
	hello -tls1_3 | grep -q "New, TLSv1.3"
	hello -tls1_2 | grep -Eq "Cipher is ECDHE-ECDSA-(CHACHA20-POLY1305|AES128-GCM-SHA256)"
	hello -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256 | grep -q "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"
	hello -tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384 | grep -q "handshake failure"
	hello -tls1_1 -cipher ALL:@SECLEVEL=0 | grep -q "alert protocol version"
	# both CA names are asked for, and no session ticket is given
	hello -tls1_3 >talk
	grep -q "O = Speedy, CN = Speedy Root CA" talk
	grep -q "O = Speedy, CN = Speedy Intermediate CA" talk
	refute grep -q "TLS session ticket" talk
}

@test "the listener's own certificate" {
	openssl s_client -connect "localhost:$CA_PORT" -showcerts </dev/null 2>/dev/null >chain
	openssl x509 -in chain -noout -text >text
	grep -q "Subject: CN = Step Online CA" text
	grep -q "DNS:localhost" text
	refute grep -q 1.3.6.1.4.1.37476.9000.64.1 text
	[ "$(grep -c BEGIN chain)" -eq 2 ]
	openssl x509 -in chain -checkend 86000 -noout
	refute openssl x509 -in chain -checkend 86500 -noout
}

# --- the log

@test "one access record for a request, in fields" {
	get "/1.0/health" -A 'me "and" you' -H 'X-Request-Id: one-record'
	ca_wait "grep -q 'request-id=one-record ' '$CA_DIR/ca.log'"
	[ "$(grep -c 'request-id=one-record ' "$CA_DIR/ca.log")" -eq 1 ]
	grep 'request-id=one-record ' "$CA_DIR/ca.log" | grep -Eq '^time="[0-9TZ:-]+" level=info msg=request name=ca method=GET path=/1.0/health status=200 size=16 duration-ns=[0-9]+ protocol=HTTP/1.1 remote-address="127.0.0.1:[0-9]+" request-id=one-record user-agent="me \\"and\\" you"$'
	get /nosuch -H 'X-Request-Id: four-oh-four'
	ca_wait "grep -q 'level=warning .*status=404 .*request-id=four-oh-four ' '$CA_DIR/ca.log'"
}

@test "no record holds what a client wrote to break it" {
	get "/a%0ab" -H 'X-Request-Id: breaks'
	get "/x" -A "$(printf 'a\tlevel=error msg="red"')" -H 'X-Request-Id: steers'
	[ "$code" = 404 ]
	ca_wait "grep -q 'level=warning .*request-id=steers ' '$CA_DIR/ca.log'"
	get "/x" -A "$(printf '\033[31mred')"
	[ "$code" = 400 ]
	refute grep -q "$(printf '\033')" "$CA_DIR/ca.log"
	refute grep -qv '^time="' "$CA_DIR/ca.log"
}

@test "neither token nor key nor password is in the log" {
	jwe=$(jq -r '.authority.provisioners[0].encryptedKey' "$STEPPATH/config/ca.json")
	TOKEN=$(token a.local)
	step ca certificate a.local a.crt a.key --token "$TOKEN"
	step ca renew --force a.crt a.key
	get "/health?ott=$TOKEN" -H 'X-Request-Id: tell-no-secret'
	ca_wait "grep -q tell-no-secret '$CA_DIR/ca.log'"
	refute grep -q "p4ssword" "$CA_DIR/ca.log"
	for secret in $(tr . ' ' <<<"$TOKEN") $(tr . ' ' <<<"$jwe") "$(sed -n 2p a.key)" "$(sed -n 2p "$STEPPATH/secrets/intermediate_ca_key")" \
		"$(sed -n 5p "$STEPPATH/secrets/intermediate_ca_key")"; do
		for part in "${secret:0:24}" "${secret: -24}"; do
			[ ${#part} -lt 8 ] || refute grep -qF -- "$part" "$CA_DIR/ca.log"
		done
	done
}
