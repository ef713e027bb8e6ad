# The revocation list: made, served over HTTPS and plain HTTP, and believed by openssl.

bats_require_minimum_version 1.5.0
load lib
load ca

setup_file() {
	ca_init "$BATS_FILE_TMPDIR/ca"
	cp "$STEPPATH/config/ca.json" "$CA_DIR/ca.json.orig"
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	cp "$CA_DIR/ca.json.orig" "$STEPPATH/config/ca.json"
	rm -rf "$STEPPATH/db" "$CA_DIR/ca.log"
}

teardown() {
	ca_stop
}

# with_crl JSON: the stanza, and a plain port of the kernel's choice.
with_crl() {
	ca_json --argjson crl "$1" '.crl = $crl | .insecureAddress = "127.0.0.1:0"'
}

plain_port() {
	sed -n 's/.*plain HTTP on .*(port \([0-9]*\)).*/\1/p' "$CA_DIR/ca.log" | tail -1
}

# fetch FILE [PATH]: over HTTPS, in PEM
fetch() {
	curl -sSf --cacert "$CA_ROOT" "$CA_URL${2:-/1.0/crl?pem}" -o "$1"
}

number() {
	echo $((16#$(openssl crl -in "$1" -noout -crlnumber | sed 's/.*0x//; s/.*=//')))
}

revoke() {
	step ca revoke --provisioner-password-file "$CA_DIR/password.txt" "${@:2}" "$(dec "$1")" 2>&1
}

dec() {
	python3 -c 'import sys; print(int(sys.argv[1], 16))' "$(openssl x509 -noout -serial -in "$1" | sed 's/serial=//')"
}

# verify LEAF CRL...: as a reader does who checks revocation
verify() {
	cat "$STEPPATH/certs/root_ca.crt" >trusted.pem
	openssl verify -crl_check -CAfile trusted.pem -untrusted "$STEPPATH/certs/intermediate_ca.crt" -CRLfile "$2" "$1" 2>&1
}

# listed SERIAL-HOLDER: its serial is on the list that is served now
listed() {
	fetch now.pem && openssl crl -in now.pem -noout -text | grep -qi "serial number: $(openssl x509 -noout -serial -in "$1" | sed 's/serial=//')"
}

@test "revoked is what openssl says, over HTTPS and over plain HTTP" {
	with_crl '{"enabled": true, "generateOnRevoke": true}'
	ca_start
	port=$(plain_port)
	[ -n "$port" ]
	issue gone
	issue stays
	fetch before.pem
	[ "$(verify gone.crt before.pem)" = "gone.crt: OK" ]
	revoke gone.crt
	ca_wait 'listed gone.crt'
	fetch after.pem
	[ "$(number after.pem)" -gt "$(number before.pem)" ]
	run -2 verify gone.crt after.pem
	[[ "$output" == *"error 23 at 0 depth lookup: certificate revoked"* ]]
	[ "$(verify stays.crt after.pem)" = "stays.crt: OK" ]

	curl -sSf "http://127.0.0.1:$port/1.0/crl" -o plain.der
	curl -sSf "http://127.0.0.1:$port/crl?x=1&pem" -o plain.pem
	openssl crl -inform DER -in plain.der -out plain2.pem
	cmp plain.pem plain2.pem
	cmp plain.pem after.pem
	run -2 verify gone.crt plain.pem

	# nothing else is there
	for path in / /health /1.0/roots /sign /crl/ /metrics /1.0/1.0/crl; do
		[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port$path")" = 404 ]
	done
	[ "$(curl -s -o /dev/null -w '%{http_code}' -d x "http://127.0.0.1:$port/crl")" = 405 ]
}

@test "what the answer looks like" {
	with_crl '{"enabled": true, "cacheDuration": "10h"}'
	ca_start
	curl -sS --cacert "$CA_ROOT" -D head "$CA_URL/crl" -o crl.der
	tr -d '\r' <head >lines
	grep -qx 'HTTP/1.1 200 OK' lines
	grep -qx 'Content-Type: application/pkix-crl' lines
	grep -qx 'Content-Disposition: attachment; filename="crl.crl"' lines
	grep -qx 'Cache-Control: no-cache' lines
	next=$(openssl crl -inform DER -in crl.der -noout -nextupdate | sed 's/nextUpdate=//')
	grep -qx "Expires: $(LC_ALL=C date -u -d "$next" '+%a, %d %b %Y %H:%M:%S UTC')" lines
	grep -qx "Content-Length: $(stat -c %s crl.der)" lines
	curl -sS --cacert "$CA_ROOT" -D head "$CA_URL/1.0/crl?pem" -o crl.pem
	tr -d '\r' <head >lines
	grep -qx 'Content-Type: application/x-pem-file' lines
	grep -qx 'Content-Disposition: attachment; filename="crl.pem"' lines
	head -1 crl.pem | grep -qx -- '-----BEGIN X509 CRL-----'

	etag=$(sed -n 's/^ETag: //p' lines)
	for tag in "$etag" "W/$etag" "\"x\", $etag" '*'; do
		[ "$(curl -s --cacert "$CA_ROOT" -o body -w '%{http_code} %{size_download}' -H "If-None-Match: $tag" "$CA_URL/crl?pem")" = '304 0' ]
	done
	for tag in '"x"' "${etag%\"}" "$etag-" ''; do
		[ "$(curl -s --cacert "$CA_ROOT" -o body -w '%{http_code}' -H "If-None-Match: $tag" "$CA_URL/crl?pem")" = 200 ]
	done
	[ "$(curl -s --cacert "$CA_ROOT" -o body -w '%{http_code}' -H "If-None-Match: $etag" "$CA_URL/crl")" = 200 ]
	[ "$(curl -sI --cacert "$CA_ROOT" -w '%{http_code}' -o head "$CA_URL/crl")" = 200 ]

	# the list itself: the peer's first number, its issuer's key, no place where none is configured
	[ "$(number crl.pem)" -eq 0 ]
	openssl crl -in crl.pem -noout -text >text
	grep -q 'Version 2' text
	grep -q 'No Revoked Certificates' text
	ski=$(openssl x509 -in "$STEPPATH/certs/intermediate_ca.crt" -noout -ext subjectKeyIdentifier | tail -1 | tr -d ' ')
	grep -A1 'Authority Key Identifier' text | tail -1 | tr -d ' ' | grep -qi "$ski"
	refute grep -q 'Issuing Distribution Point' text
	[ "$(openssl crl -in crl.pem -noout -verify -CAfile "$STEPPATH/certs/intermediate_ca.crt" 2>&1 | grep -c 'verify OK')" = 1 ]
}

@test "a crowd at the plain port takes nothing from those who renew" {
	with_crl '{"enabled": true}'
	ca_json '.limits = {"connections": 16, "idleTimeout": "1m"}' # two for the plain port
	ca_start
	port=$(plain_port)
	python3 - "$port" <<-'END'
		import os, select, socket, subprocess, sys
		def dial():
		    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
		    s.settimeout(30)
		    return s
		def served():
		    try:
		        s = dial()
		        s.sendall(b"GET /crl HTTP/1.1\r\nHost: x\r\n\r\n")
		        return s.recv(15) == b"HTTP/1.1 200 OK"
		    except OSError:
		        return False
		crowd = [dial() for _ in range(20)]
		for _ in range(300): # who was closed is readable: it has ended
		    held = [s for s in crowd if s not in select.select(crowd, [], [], 0.1)[0]]
		    if len(held) <= 2:
		        break
		else:
		    raise SystemExit("%d are held" % len(held))
		subprocess.run(["curl", "-sSf", "--cacert", os.environ["CA_ROOT"], os.environ["CA_URL"] + "/crl", "-o", "crl.der"], check=True)
		for s in crowd:
		    s.close()
		assert any(served() for _ in range(1000)), "the places were not given back"
	END
}

@test "no list without crl.enabled, and no plain port" {
	ca_json '.insecureAddress = "127.0.0.1:0"'
	ca_start
	[ -z "$(plain_port)" ]
	[ "$(curl -s --cacert "$CA_ROOT" -w ' %{http_code}' "$CA_URL/crl")" = '{"status":404,"message":"The certificate authority received an unexpected HTTP status code - '"'404'"'. Please see the certificate authority logs for more info."}
 404' ]
}

@test "the place of the list, in it, in new and in renewed certificates" {
	ca_start
	issue old
	ca_stop
	with_crl '{"enabled": true, "generateOnRevoke": true, "idpURL": "http://pki.example/1.0/crl"}'
	ca_start
	issue new
	fetch crl.pem
	openssl crl -in crl.pem -noout -text | grep -A2 'Issuing Distribution Point: critical' | grep -q 'URI:http://pki.example/1.0/crl'
	openssl x509 -in new.crt -noout -ext crlDistributionPoints | grep -q 'URI:http://pki.example/1.0/crl'
	openssl x509 -in old.crt -noout -text >text
	refute grep -q 'CRL Distribution' text
	[ "$(verify new.crt crl.pem)" = "new.crt: OK" ]
	run -2 verify old.crt crl.pem # of another scope, as long as it does not name the place
	[[ "$output" == *"different CRL scope"* ]]
	step ca renew --force old.crt old.key
	[ "$(openssl x509 -in old.crt -noout -ext crlDistributionPoints | grep -c URI:)" = 1 ]
	[ "$(verify old.crt crl.pem)" = "old.crt: OK" ]
	step ca renew --force old.crt old.key
	[ "$(openssl x509 -in old.crt -noout -ext crlDistributionPoints | grep -c URI:)" = 1 ]
	step ca rekey --force new.crt new.key
	[ "$(openssl x509 -in new.crt -noout -ext crlDistributionPoints | grep -c URI:)" = 1 ]
	revoke old.crt
	ca_wait 'listed old.crt'
	run -2 verify old.crt now.pem
	[[ "$output" == *"certificate revoked"* ]]

	# taken away again, what was issued with it keeps it
	ca_stop
	ca_json 'del(.crl.idpURL)'
	ca_start
	fetch crl.pem
	openssl crl -in crl.pem -noout -text >text
	refute grep -q 'Issuing Distribution Point' text
	[ "$(verify new.crt crl.pem)" = "new.crt: OK" ]
	step ca renew --force new.crt new.key
	[ "$(verify new.crt crl.pem)" = "new.crt: OK" ]
}

@test "a restart serves the stored list, and what was revoked without one comes on it" {
	with_crl '{"enabled": true}'
	ca_start
	issue one
	fetch first.pem
	ca_stop
	ca_start
	fetch second.pem
	cmp first.pem second.pem
	revoke one.crt # generateOnRevoke is off
	fetch second.pem
	cmp first.pem second.pem
	ca_end KILL
	ca_start
	fetch third.pem
	[ "$(number third.pem)" -gt "$(number first.pem)" ]
	run -2 verify one.crt third.pem
	grep -q 'revocation list made.*something was revoked' "$CA_DIR/ca.log"
}

@test "a list is followed by the next before it ends" {
	with_crl '{"enabled": true, "cacheDuration": "30s", "renewPeriod": "1s"}'
	ca_start
	fetch a.pem
	[ "$(number a.pem)" -eq 0 ]
	at_least() { fetch b.pem && [ "$(number b.pem)" -ge 3 ] && openssl crl -in b.pem -noout -crlnumber >/dev/null; }
	ca_wait at_least
	# every answer on the way was good at its time
	refute grep -q 'no revocation list that is still good' "$CA_DIR/ca.log"
	refute grep -q 'not made' "$CA_DIR/ca.log"
}

@test "many revocations at once make few lists, and lines are on them" {
	with_crl '{"enabled": true, "generateOnRevoke": true}'
	ca_start
	issue line
	cp line.crt line0.crt
	step ca renew --force line.crt line.key
	for i in $(seq 8); do
		issue "c$i" 2>/dev/null
	done
	fetch before.pem
	for i in $(seq 8); do
		token "$(dec "c$i.crt")" --revoke >"t$i"
	done
	pids=()
	for i in $(seq 8); do
		curl -sSf --cacert "$CA_ROOT" "$CA_URL/revoke" -d "{\"serial\":\"$(dec "c$i.crt")\",\"ott\":\"$(cat "t$i")\",\"reasonCode\":$i,\"passive\":true}" &
		pids+=($!)
	done
	wait "${pids[@]}"
	revoke line0.crt --lineage
	all() {
		for f in line line0 c1 c2 c3 c4 c5 c6 c7 c8; do
			listed "$f.crt" || return 1
		done
	}
	ca_wait all
	[ $(($(number now.pem) - $(number before.pem))) -le 4 ]
	# removeFromCRL would take it off the list in openssl's eyes
	for i in 7 8; do
		run -2 verify "c$i.crt" now.pem
		[[ "$output" == *"certificate revoked"* ]]
	done
	openssl crl -in now.pem -noout -text | grep -q 'Key Compromise'
	openssl crl -in now.pem -noout -text >text
	refute grep -qi 'Remove From CRL' text
}

@test "switched on and off by a reload, and an issuer that may not sign lists" {
	ca_start
	with_crl '{"enabled": true}'
	kill -HUP "$CA_PID"
	ca_wait 'fetch crl.pem 2>/dev/null'
	openssl crl -in crl.pem -noout
	ca_json '.crl.enabled = false'
	kill -HUP "$CA_PID"
	ca_wait '! fetch gone.pem 2>/dev/null'
	ca_stop

	cat >mute.cnf <<-'END'
		basicConstraints = critical,CA:true,pathlen:0
		keyUsage = critical,keyCertSign
	END
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout mute.key -out mute.csr -subj "/CN=Mute" 2>/dev/null
	openssl x509 -req -in mute.csr -CA "$CA_ROOT" -CAkey "$STEPPATH/secrets/root_ca_key" -passin "file:$CA_DIR/password.txt" \
		-CAcreateserial -CAserial serial -days 30 -extfile mute.cnf -out mute.crt 2>/dev/null
	ca_json --arg d "$PWD" '.crl.enabled = true | .crt = $d + "/mute.crt" | .key = $d + "/mute.key"'
	run -2 step-ca "$STEPPATH/config/ca.json"
	[[ "$output" == *'crl.enabled: "Mute" in'*'may not sign lists (it lacks cRLSign)'* ]]
	ca_json '.crl.enabled = false'
	ca_start
}

@test "another intermediate: its own list, with a higher number" {
	with_crl '{"enabled": true, "generateOnRevoke": true}'
	ca_start
	issue old
	revoke old.crt
	ca_wait 'listed old.crt'
	fetch old.pem
	cat >ica.cnf <<-'END'
		basicConstraints = critical,CA:true,pathlen:0
		keyUsage = critical,keyCertSign,cRLSign
		subjectKeyIdentifier = hash
		authorityKeyIdentifier = keyid
	END
	subject=$(openssl x509 -in "$STEPPATH/certs/intermediate_ca.crt" -noout -subject -nameopt compat | sed 's/subject=//')
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ica.key -out ica.csr -subj "$subject" 2>/dev/null
	openssl x509 -req -in ica.csr -CA "$CA_ROOT" -CAkey "$STEPPATH/secrets/root_ca_key" -passin "file:$CA_DIR/password.txt" \
		-CAcreateserial -CAserial serial -days 30 -extfile ica.cnf -out ica.crt 2>/dev/null
	ca_json --arg d "$PWD" '.crt = $d + "/ica.crt" | .key = $d + "/ica.key"'
	kill -HUP "$CA_PID"
	ours() { fetch new.pem && openssl crl -in new.pem -noout -verify -CAfile ica.crt 2>&1 | grep -q 'verify OK'; }
	ca_wait ours
	[ "$(number new.pem)" -gt "$(number old.pem)" ]
	issue fresh
	cat "$CA_ROOT" >trusted.pem
	openssl verify -crl_check -CAfile trusted.pem -untrusted ica.crt -CRLfile new.pem fresh.crt
}

@test "step certificate verify asks the list" {
	with_crl '{"enabled": true, "generateOnRevoke": true, "idpURL": "http://127.0.0.1:1/1.0/crl"}'
	ca_json '.insecureAddress = ""'
	ca_start
	issue far
	ca_stop
	with_crl '{"enabled": true, "generateOnRevoke": true, "cacheDuration": "1h"}'
	ca_start
	port=$(plain_port)
	issue gone
	issue stays
	revoke gone.crt --reasonCode keyCompromise
	ca_wait 'listed gone.crt'
	fetch crl.pem
	fetch crl.der /crl
	v() { run step certificate verify "$1" --roots "$CA_ROOT" "${@:2}"; }
	for from in crl.pem crl.der "$CA_URL/1.0/crl" "$CA_URL/crl?pem" "http://127.0.0.1:$port/crl" "http://localhost:$port/1.0/crl?pem"; do
		v stays.crt --verify-crl --crl-endpoint "$from"
		[ "$status" -eq 0 ]
		[ -z "$output" ]
		v gone.crt --verify-crl --crl-endpoint "$from"
		[ "$status" -eq 1 ]
		[[ "$output" == "failed to verify certificate: certificate $(dec gone.crt) was revoked at "*" (keyCompromise)" ]]
	done
	v gone.crt --crl-endpoint crl.pem # meant, if not said
	[ "$status" -eq 1 ]
	v gone.crt
	[ "$status" -eq 0 ]

	# where it is, and who signs it
	v stays.crt --verify-crl
	[ "$status" -eq 1 ]
	[[ "$output" == *"does not say where its revocation list is"*"--crl-endpoint"* ]]
	v far.crt --verify-crl
	[ "$status" -eq 1 ]
	[[ "$output" == *"127.0.0.1:1: connect: connection refused"* ]]
	openssl x509 -in stays.crt -out leaf.crt
	step certificate bundle leaf.crt "$STEPPATH/certs/intermediate_ca.crt" both.crt --force 2>/dev/null
	run step certificate verify leaf.crt --roots "$CA_ROOT,$STEPPATH/certs/intermediate_ca.crt" --verify-crl --crl-endpoint crl.pem
	[ "$status" -eq 0 ]
	v stays.crt --issuing-ca "$STEPPATH/certs/intermediate_ca.crt" --verify-crl --crl-endpoint crl.pem
	[ "$status" -eq 0 ]
	v stays.crt --issuing-ca "$CA_ROOT" --verify-crl --crl-endpoint crl.pem
	[ "$status" -eq 1 ]
	[[ "$output" == *"was not issued by"* ]]

	# lists that say nothing
	for bad in "$CA_URL/health" "http://127.0.0.1:$port/health" "http://127.0.0.1:$CA_PORT/crl" "https://127.0.0.1:$port/crl" nosuch gone.key \
		"http://u:p@127.0.0.1:$port/crl" "http://127.0.0.1:70000/crl"; do
		v stays.crt --verify-crl --crl-endpoint "$bad"
		[ "$status" -eq 1 ] || { echo "$bad: $output"; return 1; }
	done
	python3 -c 'import sys; b = bytearray(open("crl.der", "rb").read()); b[-1] ^= 1; open("forged.der", "wb").write(b)'
	v stays.crt --verify-crl --crl-endpoint forged.der
	[ "$status" -eq 1 ]
	[[ "$output" == *"forged.der: CRL: "* ]]
	if [ "${PERENNIAL_SANITIZER:-none}" = none ]; then # it and faketime do not go together
		run faketime -f +2h step certificate verify stays.crt --roots "$CA_ROOT" --verify-crl --crl-endpoint crl.der
		[ "$status" -eq 1 ]
		[[ "$output" == *"crl.der: the revocation list ended at "* ]]
		made=$(date -u -d "$(openssl crl -in crl.pem -noout -lastupdate | sed 's/lastUpdate=//')" +%s)
		run faketime -f "@$(date -d "@$((made - 1))" '+%Y-%m-%d %H:%M:%S')" step certificate verify stays.crt --roots "$CA_ROOT" --verify-crl --crl-endpoint crl.der
		[ "$status" -eq 1 ]
		[[ "$output" == *"crl.der: the revocation list is not good before "* ]]
	fi
}

@test "a list of the CA before: what it names, and numbers go on" {
	cat >ca.cnf <<-END
		[ca]
		default_ca = x
		[x]
		database = $PWD/index.txt
		crlnumber = $PWD/number
		default_md = sha256
		default_crl_days = 1
	END
	printf 'R\t351231235959Z\t260101000000Z,superseded\t2A\tunknown\t/CN=a\n' >index.txt
	echo 0400 >number
	openssl ca -config ca.cnf -gencrl -keyfile "$STEPPATH/secrets/intermediate_ca_key" -cert "$STEPPATH/certs/intermediate_ca.crt" \
		-passin "file:$CA_DIR/password.txt" -out before.pem
	[ "$(number before.pem)" -eq 1024 ]
	with_crl '{"enabled": true}'
	run -0 step-ca db import before.pem --config "$STEPPATH/config/ca.json"
	[ "$output" = "1 revocations read, 1 of them new." ]
	ca_start
	fetch crl.pem
	[ "$(number crl.pem)" -eq 1025 ]
	openssl crl -in crl.pem -noout -text | grep -q 'Serial Number: 2A'
}

@test "Go reads the list as well" {
	need_cmd go
	(cd "$BATS_TEST_DIRNAME/../interop/peer/crl" && GO111MODULE=off GOFLAGS= GOCACHE="$BATS_TEST_TMPDIR/cache" go build -o "$BATS_TEST_TMPDIR/gocrl" .)
	with_crl '{"enabled": true, "generateOnRevoke": true, "idpURL": "http://ca.example/crl"}'
	ca_start
	ica=$STEPPATH/certs/intermediate_ca.crt
	fetch crl.der /crl
	[ "$(./gocrl crl.der "$ica")" = 0 ]
	issue one
	issue two
	revoke one.crt --reasonCode 1
	revoke two.crt
	ca_wait 'listed one.crt && listed two.crt'
	fetch crl.der /crl
	[ "$(./gocrl crl.der "$ica" "$(dec one.crt)" "$(dec two.crt)")" -gt 0 ]
	run -1 ./gocrl crl.der "$ica" "$(dec one.crt)" 7 # it can fail
	run -1 ./gocrl crl.der "$CA_ROOT" "$(dec one.crt)" "$(dec two.crt)"
}
