# `step ca provisioner`, and what SIGHUP makes of it.

bats_require_minimum_version 1.5.0
load ca

setup_file() {
	ca_init "$BATS_FILE_TMPDIR/ca"
	ca_start
	step ca provisioner jwe-key "$(step ca provisioner list | jq -r '.[0].key.kid')" >"$CA_DIR/jwe"
}

teardown_file() {
	ca_stop
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	json="$STEPPATH/config/ca.json"
	pw="$CA_DIR/password.txt"
}

# reload LINE: SIGHUP, until the log has one more line with it.
reload() {
	local before
	before=$(grep -c "$1" "$CA_DIR/ca.log" || true)
	kill -HUP "$CA_PID"
	ca_wait "[ \$(grep -c '$1' '$CA_DIR/ca.log' || true) -gt $before ]"
}

@test "list prints what the CA tells, jwe-key the encrypted key" {
	step ca provisioner list >list
	jq -e '.[0] | .type == "JWK" and .name == "admin"' list
	head -2 list | tail -1 | grep -q '^   {$' # three spaces, as the peer
	[ "$(cat "$CA_DIR/jwe")" = "$(jq -r '.authority.provisioners[0].encryptedKey' "$json")" ]
	run step ca provisioner jwe-key nonesuch
	[ "$status" -eq 1 ]
}

@test "add, SIGHUP, and the new provisioner issues within its claims" {
	before=$(jq -c 'del(.authority.provisioners)' "$json")
	chmod 0640 "$json"
	run --separate-stderr step ca provisioner add short --create --password-file "$pw" \
		--x509-default-dur 20m --x509-max-dur 30m
	[ "$status" -eq 0 ]
	[[ "$stderr" == *"CA Configuration: $json"* ]]
	[[ "$stderr" == *'Success! Your `step-ca` config has been updated. To pick up the new configuration SIGHUP (kill -1 <pid>) or restart the step-ca process.'* ]]
	[ "$(stat -c %a "$json")" = 640 ]
	[ "$(jq -c 'del(.authority.provisioners)' "$json")" = "$before" ]
	[ "$(jq -c '.authority.provisioners[1].claims' "$json")" = '{"maxTLSCertDuration":"30m0s","defaultTLSCertDuration":"20m0s","enableSSHCA":true,"disableRenewal":false,"allowRenewalAfterExpiry":false,"disableSmallstepExtensions":false}' ]
	grep -q "^	\"authority\": {" "$json"
	[ -z "$(tail -c1 "$json")" ]

	# Not before SIGHUP.
	run step ca token --provisioner short --password-file "$pw" a.local
	[ "$status" -eq 1 ]
	reload "configuration reloaded"
	issue a.local --provisioner short
	[ "$(step certificate inspect --format json a.local.crt | jq -r '.validity.length')" = 1260 ]
	run step ca certificate b.local b.crt b.key --provisioner short --provisioner-password-file "$pw" --not-after 2h
	[ "$status" -eq 1 ]
	[[ "$output" == *"more than the authorized maximum"* ]] || [[ "$output" == *"30m"* ]]
}

@test "update: a claim takes effect at SIGHUP, and only what is given changes" {
	issue c.local
	cp "$json" before.json
	step ca provisioner update admin --disable-renewal
	[ "$(jq -c '.authority.provisioners[0].claims' "$json")" = '{"enableSSHCA":false,"disableRenewal":true,"allowRenewalAfterExpiry":false,"disableSmallstepExtensions":false}' ]
	step ca renew --force c.local.crt c.local.key # the old configuration is in force
	reload "configuration reloaded"
	run step ca renew --force c.local.crt c.local.key
	[ "$status" -eq 1 ]
	step ca provisioner update admin --disable-renewal=false
	reload "configuration reloaded"
	step ca renew --force c.local.crt c.local.key
	step ca provisioner update admin --x509-max-dur 48h
	[ "$(jq -c '.authority.provisioners[0].claims' "$json")" = '{"enableSSHCA":false,"disableRenewal":false,"allowRenewalAfterExpiry":false,"disableSmallstepExtensions":false,"maxTLSCertDuration":"48h0m0s"}' ]
	[ "$(jq -c 'del(.authority.provisioners[0].claims)' "$json")" = "$(jq -c 'del(.authority.provisioners[0].claims)' before.json)" ]
}

@test "renewal after expiry gets a bound, and a word about risk" {
	run step ca provisioner update admin --allow-renewal-after-expiry
	[ "$status" -eq 0 ]
	[[ "$output" == *"adds risk"*"720h0m0s"* ]]
	jq -e '.authority.provisioners[0].claims | .allowRenewalAfterExpiry and .renewalAfterExpiry == "720h0m0s"' "$json"
	step ca provisioner update admin --allow-renewal-after-expiry --renewal-after-expiry 48h
	jq -e '.authority.provisioners[0].claims.renewalAfterExpiry == "48h0m0s"' "$json"
	run step ca provisioner update admin --allow-renewal-after-expiry --renewal-after-expiry 0
	[[ "$output" == *"for ever"* ]]
	jq -e '.authority.provisioners[0].claims | .allowRenewalAfterExpiry and (has("renewalAfterExpiry") | not)' "$json"
	step ca provisioner update admin --allow-renewal-after-expiry=false
	jq -e '.authority.provisioners[0].claims | .allowRenewalAfterExpiry == false and (has("renewalAfterExpiry") | not)' "$json"
}

@test "a key of one's own: JWK, PEM, and under its password already" {
	openssl ecparam -name prime256v1 -genkey -noout -out own.key
	openssl pkey -in own.key -pubout -out own.pub
	step ca provisioner add own --public-key own.pub --private-key own.key --password-file "$pw"
	jq '.authority.provisioners[] | select(.name == "own") | .key' "$json" >own.jwk
	jq -r '.authority.provisioners[] | select(.name == "own") | .encryptedKey' "$json" >own.jwe
	step ca provisioner remove own
	step ca provisioner add own --public-key own.jwk --private-key own.jwe
	reload "configuration reloaded"
	issue own.local --provisioner own
	openssl ecparam -name prime256v1 -genkey -noout -out other.key
	cp "$json" before.json
	run step ca provisioner update own --public-key own.jwk --private-key other.key --password-file "$pw"
	[ "$status" -eq 1 ]
	[[ "$output" == *"does not belong to the public key"* ]]
	cmp "$json" before.json
}

@test "a person who leaves the password empty gets one, and it opens the key" {
	python3 "$BATS_TEST_DIRNAME/play.py" step ca provisioner add made --create >said <<<'generate one | \r'
	sed -n 's/^Password: \([^[:space:]]*\).*/\1/p' said >made.txt
	[ "$(tr -d '\n' <made.txt | wc -c)" -eq 32 ]
	reload "configuration reloaded"
	step ca certificate made.local made.crt made.key --provisioner made --provisioner-password-file made.txt
	step ca provisioner remove made
}

@test "X5C takes roots, ACME is written down and loads disabled" {
	step ca provisioner add x --type x5c --x5c-root "$CA_ROOT"
	jq -r '.authority.provisioners[] | select(.name == "x") | .roots' "$json" | base64 -d | cmp - "$CA_ROOT"
	run step ca provisioner add acme --type acme --challenge http-01 --force-cn
	[ "$status" -eq 0 ]
	[[ "$output" == *'provisioner "acme" disabled: ACME provisioners are not built yet'* ]]
	jq -e '.authority.provisioners[] | select(.name == "acme") | .type == "ACME" and .forceCN and .challenges == ["http-01"]' "$json"
	issue leaf.local
	run step ca provisioner add y --type X5C --x5c-root leaf.local.crt
	[ "$status" -eq 1 ]
	[[ "$output" == *"may not sign certificates"* ]]
	step ca provisioner remove acme
	run step ca provisioner remove acme
	[ "$status" -eq 1 ]
	[[ "$output" == 'no provisioner is called "acme"' ]]
}

@test "an edit that would not work leaves the file" {
	jq -e '.authority.provisioners[] | select(.name == "twin")' "$json" || step ca provisioner add twin --create --password-file "$pw"
	cp "$json" before.json
	refused() { # TEXT COMMAND...
		run step ca provisioner "${@:2}"
		[ "$status" -eq 1 ] || return 1
		[[ "$output" == *"$1"* ]] || { echo "$output"; return 1; }
		cmp "$json" before.json
	}
	refused 'already' add admin --create --password-file "$pw"
	refused 'needs a key' add nokey
	refused 'needs roots' add noroots --type X5C
	refused "OIDC provisioners are not built yet" add o --type OIDC
	refused "invalid value 'Odd'" add o --type Odd
	refused "of type X5C" add o --type X5C --create
	refused "--x509-template" add o --create --x509-template t.tpl
	refused "would not work" update admin --x509-min-dur 5h --x509-max-dur 2h --x509-default-dur 3h
	refused "would not work" update admin --x509-default-dur=-1h
	refused "needs a name" add "" --create --password-file "$pw"
	refused 'already' update admin --name twin
	jq '.authority.enableAdmin = true' "$json" >remote.json
	cp remote.json remote.before
	run step ca provisioner remove admin --ca-config remote.json
	[ "$status" -eq 1 ]
	[[ "$output" == *"keeps its provisioners in its database"* ]]
	cmp remote.json remote.before
	run step ca provisioner remove admin --ca-config none.json
	[ "$output" = "open none.json failed: no such file or directory" ]
}

# across.py SIGNAL-COMMAND: asks twice over one connection, with the command between.
across() {
	python3 - "$CA_PORT" "$CA_ROOT" "$1" <<-'E'
		import http.client, ssl, subprocess, sys
		port, root, between = sys.argv[1:]
		c = http.client.HTTPSConnection("localhost", int(port), context=ssl.create_default_context(cafile=root))
		def ask():
		    c.request("GET", "/provisioners")
		    r = c.getresponse()
		    return r.status, r.read()
		status, before = ask()
		assert status == 200
		here = c.sock.getsockname()
		subprocess.run(["bash", "-ec", between], check=True)
		c.auto_open = 0  # a connection that was dropped is not made anew
		status, after = ask()
		assert status == 200 and c.sock.getsockname() == here
		print("same" if before == after else "changed")
	E
}

@test "SIGHUP drops no connection, and what comes over it sees the new configuration" {
	export -f reload ca_wait
	export json pw
	run across 'step ca provisioner update short --x509-max-dur 40m && reload "configuration reloaded"'
	[ "$status" -eq 0 ]
	[[ "$output" == *changed ]]
}

@test "a bad file leaves the old configuration in force, and says so" {
	export -f reload ca_wait
	cp "$json" before.json
	export json
	run across 'echo "{" >"$json"; reload "not reloaded"'
	cp before.json "$json"
	[ "$status" -eq 0 ]
	[[ "$output" == *same ]]
	grep 'not reloaded: the old one stays in force' "$CA_DIR/ca.log" | grep -q "$json"
	step ca health
	mv "$STEPPATH/secrets/intermediate_ca_key" away
	run across 'reload "not reloaded"'
	mv away "$STEPPATH/secrets/intermediate_ca_key"
	[ "$status" -eq 0 ]
	issue still.local
	reload "configuration reloaded"
}
