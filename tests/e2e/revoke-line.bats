# A stolen key may have renewed its certificate: revoking one certificate is then not enough.

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

decimal() {
	openssl x509 -noout -serial -in "$1" | cut -d= -f2 | python3 -c 'print(int(input(), 16))'
}

# line NAME: NAME.crt renewed twice; 0.crt, 1.crt, 2.crt are the generations, thief.crt another child of 0
line() {
	issue "$1"
	cp "$1.crt" 0.crt
	step ca renew --force "$1.crt" "$1.key"
	cp "$1.crt" 1.crt
	step ca renew --force "$1.crt" "$1.key"
	cp "$1.crt" 2.crt
	cp 0.crt thief.crt
	step ca renew --force thief.crt "$1.key"
}

revoke() {
	step ca revoke --provisioner-password-file "$CA_DIR/password.txt" "$@"
}

# renews FILE KEY: does this certificate renew? The file stays as it is.
renews() {
	cp "$1" try.crt
	step ca renew --force try.crt "$2"
}

@test "one revoked certificate leaves the thief's alone" {
	line one.local
	step ca revoke --cert 0.crt --key one.local.key
	run renews 0.crt one.local.key
	[ "$status" -eq 1 ]
	renews thief.crt one.local.key
}

@test "--lineage --dry-run lists the line and changes nothing" {
	line dry.local
	run --separate-stderr revoke --lineage --dry-run "$(decimal 1.crt)"
	[ "$status" -eq 0 ]
	for f in 0 1 2 thief; do
		[[ "$output" == *"$(decimal $f.crt)  dry.local  until "* ]]
	done
	[ "$(wc -l <<<"$output")" -eq 4 ]
	[[ "$stderr" == *"4 unexpired certificates would be revoked"* ]]
	for f in 0 1 2 thief; do renews $f.crt dry.local.key; done
}

@test "--lineage ends all of the line, before and after, and its key" {
	line gone.local
	step ca rekey --force --out-cert rekeyed.crt --out-key rekeyed.key 2.crt gone.local.key
	issue other.local
	run --separate-stderr revoke --lineage --reasonCode keyCompromise --reason "laptop lost" "$(decimal 1.crt)"
	[ "$status" -eq 0 ]
	[[ "$stderr" == *"have been revoked"* ]]
	for f in 0 1 2 thief; do
		run renews $f.crt gone.local.key
		[ "$status" -eq 1 ]
		[[ "$output" == *"The request lacked necessary authorization to be completed."* ]]
		run step ca rekey --force --out-cert x.crt --out-key x.key $f.crt gone.local.key
		[ "$status" -eq 1 ]
	done
	run renews rekeyed.crt rekeyed.key
	[ "$status" -eq 1 ]
	# the true reason is in the log
	grep -Eq "the key has been blocked|the certificate's line has been closed" "$CA_DIR/ca.log"
	grep "line revoked" "$CA_DIR/ca.log" | grep -q "scope=\"\?lineage"
	# neither key gets another certificate
	for key in gone.local.key rekeyed.key; do
		step certificate create --csr --key $key gone.local new.csr --force 2>/dev/null ||
			openssl req -new -key $key -subj /CN=gone.local -out new.csr
		run step ca sign --token "$(token gone.local)" new.csr new.crt
		[ "$status" -eq 1 ]
		[ ! -e new.crt ]
	done
	# others are not touched, and a new key is welcome
	renews other.local.crt other.local.key
	issue gone.local
	run revoke --lineage "$(decimal 0.crt)"
	[ "$status" -eq 1 ]
	[[ "$output" == *"is already revoked"* ]]
}

@test "--descendants is the narrow form" {
	line narrow.local
	run --separate-stderr revoke --descendants --dry-run "$(decimal 1.crt)"
	[ "$status" -eq 0 ]
	[ "$(wc -l <<<"$output")" -eq 2 ]
	revoke --descendants "$(decimal 1.crt)"
	for f in 1 2; do
		run renews $f.crt narrow.local.key
		[ "$status" -eq 1 ]
	done
	grep -q "certificate has been revoked" "$CA_DIR/ca.log"
	for f in 0 thief; do renews $f.crt narrow.local.key; done
}

@test "only a token that was made for it revokes a line" {
	line mine.local
	serial=$(decimal 0.crt)
	# an ordinary revocation token does not, nor one for the other scope
	run step ca revoke --lineage --token "$(token --revoke "$serial")" "$serial"
	[ "$status" -eq 1 ]
	[[ "$output" == *"lacked necessary authorization"* ]]
	run step ca revoke --lineage --token "$(token --revoke --descendants "$serial")" "$serial"
	[ "$status" -eq 1 ]
	[[ "$output" == *"the token was not made to revoke with the scope \"lineage\""* ]]
	# nor does a certificate
	run step ca revoke --lineage --cert 0.crt --key mine.local.key
	[ "$status" -eq 1 ]
	[[ "$output" == *"flag '--lineage' is incompatible with '--cert'"* ]]
	code=$(curl -s --cacert "$CA_ROOT" --cert 0.crt --key mine.local.key -o answer -w '%{http_code}' \
		-d "{\"serial\":\"$serial\",\"scope\":\"lineage\"}" "$CA_URL/1.0/revoke-line")
	[ "$code" = 400 ]
	grep -q "missing ott" answer
	# and a token for a line does not revoke one certificate
	T=$(token --revoke --lineage "$serial")
	code=$(curl -s --cacert "$CA_ROOT" -o answer -w '%{http_code}' \
		-d "{\"serial\":\"$serial\",\"ott\":\"$T\",\"passive\":true}" "$CA_URL/1.0/revoke")
	[ "$code" = 401 ]
	renews 0.crt mine.local.key
	# a rehearsal leaves its token good
	step ca revoke --lineage --dry-run --token "$T" "$serial"
	step ca revoke --lineage --token "$T" "$serial"
	run renews 2.crt mine.local.key
	[ "$status" -eq 1 ]
}

@test "flags that do not go together" {
	run step ca revoke --dry-run 1
	[ "$status" -eq 1 ]
	[[ "$output" == *"flag '--dry-run' requires the '--lineage' or the '--descendants' flag"* ]]
	run step ca revoke --lineage --descendants 1
	[ "$status" -eq 1 ]
	[[ "$output" == *"mutually exclusive"* ]]
	run step ca token --lineage 1
	[ "$status" -eq 1 ]
	[[ "$output" == *"flag '--lineage' requires the '--revoke' flag"* ]]
}

@test "a closed line stays closed in a restarted CA" {
	line stays.local
	revoke --lineage "$(decimal 0.crt)"
	ca_end KILL
	ca_start
	for f in 0 2 thief; do
		run renews $f.crt stays.local.key
		[ "$status" -eq 1 ]
	done
}
