# The first half of the seed's story, command for command.

bats_require_minimum_version 1.5.0
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

@test "step ca init writes the peer's files with the peer's modes" {
	[ "$(stat -c %a "$STEPPATH" "$STEPPATH"/{certs,config,secrets,db} | sort -u)" = 700 ]
	[ "$(stat -c %a "$STEPPATH"/certs/*.crt "$STEPPATH"/secrets/* | sort -u)" = 600 ]
	[ "$(stat -c %a "$STEPPATH"/config/{ca,defaults}.json | sort -u)" = 644 ]
	grep -q "BEGIN EC PRIVATE KEY" "$STEPPATH/secrets/intermediate_ca_key"
	grep -q "Proc-Type: 4,ENCRYPTED" "$STEPPATH/secrets/intermediate_ca_key"
	grep -Eq "^DEK-Info: AES-256-CBC,[0-9a-f]{32}$" "$STEPPATH/secrets/root_ca_key"
	openssl pkey -in "$STEPPATH/secrets/intermediate_ca_key" -passin "file:$CA_DIR/password.txt" -noout
	openssl verify -CAfile "$STEPPATH/certs/root_ca.crt" "$STEPPATH/certs/intermediate_ca.crt"
}

@test "the address of the seed is accepted as printed" {
	echo "p4ssword" > password.txt
	STEPPATH="$PWD/step" step ca init --name "Speedy" --provisioner admin \
		--dns localhost --address ":443" \
		--password-file password.txt \
		--provisioner-password-file password.txt
	grep -q '"ca-url": "https://localhost"' step/config/defaults.json
}

@test "token, certificate, inspect, renew" {
	cp "$CA_DIR/password.txt" password.txt
	TOKEN=$(step ca token --password-file password.txt foo.local 2>err)
	grep -q "Provisioner: admin (JWK)" err

	run step ca certificate foo.local foo.crt foo.key --token "$TOKEN"
	[ "$status" -eq 0 ]
	[[ "$output" == *"CA: https://localhost"* ]]
	[[ "$output" == *"Certificate: foo.crt"* ]]
	[[ "$output" == *"Private Key: foo.key"* ]]
	pair_fits foo.crt foo.key
	openssl verify -CAfile "$STEPPATH/certs/root_ca.crt" -untrusted foo.crt -purpose sslserver foo.crt
	[ "$(stat -c %a foo.crt foo.key | sort -u)" = 600 ]

	step certificate inspect --short foo.crt >short
	grep -Eq '^X.509v3 TLS Certificate \(ECDSA P-256\) \[Serial: [0-9]{4}\.\.\.[0-9]{4}\]$' short
	grep -Eq '^  Subject:     foo.local$' short
	grep -Eq '^  Issuer:      Speedy Intermediate CA$' short
	grep -Eq '^  Provisioner: admin \[ID: .{4}\.\.\..{4}\]$' short
	grep -Eq '^  Valid from:  [0-9-]+T[0-9:]+Z$' short
	grep -Eq '^          to:  [0-9-]+T[0-9:]+Z$' short

	old=$(serial foo.crt)
	run --separate-stderr step ca renew --force foo.crt foo.key
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$stderr" = "Your certificate has been saved in foo.crt." ]
	[ "$old" != "$(serial foo.crt)" ]
	pair_fits foo.crt foo.key
}

@test "--expires-in renews only what is near its end" {
	issue foo.local
	old=$(serial foo.local.crt)
	run --separate-stderr step ca renew --force --expires-in 4h foo.local.crt foo.local.key
	[ "$status" -eq 0 ]
	[[ "$stderr" =~ ^"certificate not renewed: expires in "(23h5[0-9]m[0-9]+s|24h0m0s)$ ]]
	[ "$old" = "$(serial foo.local.crt)" ]
	run --separate-stderr step ca renew --force --expires-in 24h foo.local.crt foo.local.key
	[ "$status" -eq 0 ]
	[ "$stderr" = "Your certificate has been saved in foo.local.crt." ]
	[ "$old" != "$(serial foo.local.crt)" ]
}

@test "a token works once" {
	TOKEN=$(token bar.local)
	step ca certificate bar.local a.crt a.key --token "$TOKEN"
	run step ca certificate bar.local b.crt b.key --token "$TOKEN"
	[ "$status" -eq 1 ]
	[[ "$output" == *"The request lacked necessary authorization to be completed."* ]]
	[ ! -e b.crt ]
	[ ! -e b.key ]
}

@test "what is revoked does not renew" {
	issue gone.local
	before=$(serial gone.local.crt)
	run step ca revoke --cert gone.local.crt --key gone.local.key
	[ "$status" -eq 0 ]
	[[ "$output" == *"has been revoked."* ]]
	run step ca renew --force gone.local.crt gone.local.key
	[ "$status" -eq 1 ]
	[[ "$output" == *"The request lacked necessary authorization to be completed."* ]]
	[ "$before" = "$(serial gone.local.crt)" ]
	grep -q "certificate has been revoked" "$CA_DIR/ca.log"
}

@test "a restarted CA remembers" {
	TOKEN=$(token again.local)
	step ca certificate again.local again.crt again.key --token "$TOKEN"
	issue stays.local
	step ca revoke --cert stays.local.crt --key stays.local.key
	kill -9 "$CA_PID"
	for _ in $(seq 200); do kill -0 "$CA_PID" 2>/dev/null || break; sleep 0.05; done
	ca_start
	echo "$CA_PID" >"$BATS_FILE_TMPDIR/pid"
	run step ca certificate again.local b.crt b.key --token "$TOKEN"
	[ "$status" -eq 1 ]
	run step ca renew --force stays.local.crt stays.local.key
	[ "$status" -eq 1 ]
	step ca renew --force again.crt again.key
	ca_stop
}
