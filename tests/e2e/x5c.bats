# Another CA's certificates make tokens here, as an X5C provisioner allows.

bats_require_minimum_version 1.5.0
load ca

# The other CA: a root, an intermediate, and people (mallory's is of yet another root).
other_ca() {
	local plain="--no-password --insecure --force"
	step certificate create "Other Root" root.crt root.key --profile root-ca $plain
	step certificate create "Other Intermediate" int.crt int.key --profile intermediate-ca --ca root.crt --ca-key root.key $plain
	step certificate create alice alice.leaf alice.key --profile leaf --ca int.crt --ca-key int.key --not-after 12h $plain
	cat alice.leaf int.crt >alice.crt
	step certificate create "Evil Root" evil.crt evil.key --profile root-ca $plain
	step certificate create mallory mallory.crt mallory.key --profile leaf --ca evil.crt --ca-key evil.key $plain
} 2>/dev/null

setup_file() {
	cd "$BATS_FILE_TMPDIR"
	other_ca
	ca_init "$BATS_FILE_TMPDIR/ca"
	ca_json --arg roots "$(base64 -w0 root.crt)" --arg own "$(base64 -w0 "$STEPPATH/certs/root_ca.crt")" \
		'.authority.provisioners += [{type:"X5C",name:"people",roots:$roots},{type:"X5C",name:"own",roots:$own}]'
	ca_start
}

teardown_file() {
	ca_stop
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	cp "$BATS_FILE_TMPDIR"/*.{crt,key,leaf} .
}

decimal() {
	openssl x509 -noout -serial -in "$1" | cut -d= -f2 | python3 -c 'print(int(input(), 16))'
}

as_alice=(--x5c-cert alice.crt --x5c-key alice.key --provisioner people)

@test "a certificate's key makes tokens" {
	step ca certificate srv.local srv.crt srv.key "${as_alice[@]}" --san srv.local --san 10.0.0.1
	pair_fits srv.crt srv.key
	openssl verify -CAfile "$CA_ROOT" -untrusted srv.crt srv.crt
	step certificate inspect --short srv.crt | grep -Eq "^  Provisioner: people"
	# it ends with the certificate that vouched for it
	[ "$(openssl x509 -noout -enddate -in srv.crt)" = "$(openssl x509 -noout -enddate -in alice.crt)" ]
	step ca renew --force srv.crt srv.key

	T=$(step ca token two.local "${as_alice[@]}")
	python3 "$BATS_TEST_DIRNAME/jwt.py" claims "$T" | jq -e '.aud | endswith("/1.0/sign#x5c/people")'
	python3 "$BATS_TEST_DIRNAME/jwt.py" header "$T" | jq -e '.x5c | length == 2'
	step ca certificate two.local two.crt two.key --token "$T"
	run step ca certificate two.local three.crt three.key --token "$T"
	[ "$status" -eq 1 ]
}

@test "a leaf alone needs its chain" {
	run step ca certificate a.local a.crt a.key --x5c-cert alice.leaf --x5c-key alice.key --provisioner people
	[ "$status" -eq 1 ]
	[[ "$output" == *"lacked necessary authorization"* ]]
	grep -q "signed by unknown authority" "$CA_DIR/ca.log"
	step ca certificate a.local a.crt a.key --x5c-cert alice.leaf --x5c-key alice.key --x5c-chain int.crt --provisioner people
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout r.key -subj /CN=r.local -out r.csr 2>/dev/null
	step ca sign r.csr r.crt "${as_alice[@]}"
	pair_fits r.crt r.key
}

@test "who has no certificate of that root gets none" {
	run step ca certificate m.local m.crt m.key --x5c-cert mallory.crt --x5c-key mallory.key --provisioner people
	[ "$status" -eq 1 ]
	[ ! -e m.crt ]
	# a certificate of ours does not make tokens for people's provisioner either
	issue ours.local
	run step ca certificate m.local m.crt m.key --x5c-cert ours.local.crt --x5c-key ours.local.key --provisioner people
	[ "$status" -eq 1 ]
	run step ca certificate m.local m.crt m.key --x5c-cert alice.crt --x5c-key mallory.key --provisioner people
	[ "$status" -eq 1 ]
	[[ "$output" == *"the key is not the certificate's"* ]]
	run step ca certificate late.local m.crt m.key "${as_alice[@]}" --not-after 20h
	[ "$status" -eq 1 ]
	[[ "$output" == *"is after the expiration of the provisioning credential"* ]]
}

@test "it revokes what it gave, and nothing else" {
	step ca certificate srv.local srv.crt srv.key "${as_alice[@]}"
	issue ours.local
	run step ca revoke "$(decimal ours.local.crt)" "${as_alice[@]}"
	[ "$status" -eq 1 ]
	[[ "$output" == *"was not issued through this provisioner"* ]]
	step ca renew --force ours.local.crt ours.local.key
	run step ca revoke 12345 "${as_alice[@]}"
	[ "$status" -eq 1 ]
	step ca revoke "$(decimal srv.crt)" "${as_alice[@]}"
	run step ca renew --force srv.crt srv.key
	[ "$status" -eq 1 ]
	# a line is not for it to end
	run step ca revoke --lineage "$(decimal srv.crt)" "${as_alice[@]}"
	[ "$status" -eq 1 ]
	[[ "$output" == *"only a JWK provisioner's token can revoke a line"* ]]
}

@test "roots of our own are warned about, and what is revoked makes no tokens" {
	grep -q 'the roots of \\*"own\\*" hold this CA.s own certificate' "$CA_DIR/ca.log"
	issue agent.local
	as_agent=(--x5c-cert agent.local.crt --x5c-key agent.local.key --provisioner own)
	step ca certificate a.local a.crt a.key "${as_agent[@]}"
	T=$(step ca token b.local "${as_agent[@]}") # made while it was good
	step ca revoke --cert agent.local.crt --key agent.local.key
	run step ca certificate b.local b.crt b.key --token "$T"
	[ "$status" -eq 1 ]
	[ ! -e b.crt ]
	grep -q "the certificate that signed the token has been revoked" "$CA_DIR/ca.log"
	run step ca revoke "$(decimal a.crt)" "${as_agent[@]}"
	[ "$status" -eq 1 ]
	step ca renew --force a.crt a.key

	# nor does a certificate of a closed line
	issue agent2.local
	as_agent=(--x5c-cert agent2.local.crt --x5c-key agent2.local.key --provisioner own)
	step ca revoke --lineage --provisioner-password-file "$CA_DIR/password.txt" --provisioner admin "$(decimal agent2.local.crt)"
	run step ca certificate c.local c.crt c.key "${as_agent[@]}"
	[ "$status" -eq 1 ]
}

@test "flags that belong together" {
	run step ca token a.local --x5c-cert alice.crt
	[ "$status" -eq 1 ]
	[[ "$output" == *"flag '--x5c-cert' requires the '--x5c-key' flag"* ]]
	run step ca token a.local --x5c-key alice.key
	[ "$status" -eq 1 ]
	[[ "$output" == *"flag '--x5c-key' requires the '--x5c-cert' flag"* ]]
	run step ca token a.local --x5c-cert alice.crt --x5c-key alice.key --key alice.key
	[ "$status" -eq 1 ]
	[[ "$output" == *"incompatible"* ]]
}
