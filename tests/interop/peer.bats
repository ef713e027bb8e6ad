# Either side can be swapped: the peer's client library against our CA, our client against the peer's CA, and our CA on a
# folder that the peer's `step ca init` wrote. Both programs are built from Debian's library package (v0.19).

bats_require_minimum_version 1.5.0
load ../e2e/lib
load ../e2e/ca

build_peer() { # build_peer NAME: $PEER/NAME
	(cd "$BATS_TEST_DIRNAME/peer/$1" && GO111MODULE=off GOPATH="$PEER/path" GOCACHE="$PEER/cache" GOFLAGS= go build -o "$PEER/$1" . 2>"$PEER/$1.log")
}

setup_file() {
	WHY_NOT=
	if [ "${PERENNIAL_PEER:-1}" = 0 ]; then
		WHY_NOT="PERENNIAL_PEER=0"
	elif ! command -v go >/dev/null || [ ! -d /usr/share/gocode/src/github.com/smallstep/certificates ]; then
		WHY_NOT="golang-go or golang-github-smallstep-certificates-dev is not installed"
	fi
	export WHY_NOT
	[ -z "$WHY_NOT" ] || return 0
	# Beside the checkout's build folders, so that the sanitizer builds need not make it again.
	PEER=$BATS_TEST_DIRNAME/../../build-peer
	mkdir -p "$PEER/path"
	PEER=$(cd "$PEER" && pwd)
	export PEER
	ln -sfn /usr/share/gocode/src "$PEER/path/src"
	build_peer step-ca
	build_peer client
	ca_init "$BATS_FILE_TMPDIR/ca"
	ca_start
}

teardown_file() {
	[ -n "$WHY_NOT" ] || ca_stop
}

setup() {
	[ -z "$WHY_NOT" ] || skip "$WHY_NOT"
	cd "$BATS_TEST_TMPDIR"
}

teardown() {
	if [ -n "${PEER_PID:-}" ]; then
		kill "$PEER_PID"
		wait "$PEER_PID" || true
	fi
}

@test "the peer's client library does all of its work with our CA" {
	"$PEER/client" "$CA_URL" "$STEPPATH/certs/root_ca.crt" admin "$CA_DIR/password.txt" >out || { cat out; false; }
	refute grep '^not ok' out
	[ "$(grep -c '^ok' out)" -ge 36 ]
}

# peer_ca_start: the peer's CA on a folder of our init, in $STEPPATH, without its database; $PEER_URL
peer_ca_start() {
	local port
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	export STEPPATH="$PWD/theirs"
	step ca init --name "Theirs" --provisioner admin --dns localhost --address "127.0.0.1:$port" \
		--password-file "$CA_DIR/password.txt" --provisioner-password-file "$CA_DIR/password.txt" 2>/dev/null
	jq '.db.type = "bbolt" | .db.dataSource += "/bbolt.db"' "$STEPPATH/config/ca.json" >c
	cat c >"$STEPPATH/config/ca.json"
	"$PEER/step-ca" "$STEPPATH/config/ca.json" --password-file "$CA_DIR/password.txt" >peer.log 2>&1 3>&- &
	PEER_PID=$!
	ca_wait 'step ca health >/dev/null 2>&1 || ! kill -0 $PEER_PID'
	step ca health || { cat peer.log; false; }
}

@test "our client does all of its work with the peer's CA, on the folder that our init wrote" {
	peer_ca_start
	step ca roots roots.pem
	cmp roots.pem "$STEPPATH/certs/root_ca.crt"
	token=$(step ca token --password-file "$CA_DIR/password.txt" foo.local --san foo.local --san 10.0.0.1)
	step ca certificate foo.local foo.crt foo.key --token "$token"
	pair_fits foo.crt foo.key
	openssl verify -CAfile "$STEPPATH/certs/root_ca.crt" -untrusted foo.crt foo.crt
	refute step ca certificate foo.local again.crt again.key --token "$token"
	first=$(serial foo.crt)
	step ca renew --force foo.crt foo.key
	[ "$first" != "$(serial foo.crt)" ]
	old=$(openssl x509 -in foo.crt -noout -pubkey)
	step ca rekey --force foo.crt foo.key
	pair_fits foo.crt foo.key
	[ "$old" != "$(openssl x509 -in foo.crt -noout -pubkey)" ]
	step ca renew --force --mtls=false foo.crt foo.key || grep -q "error validating renew token" peer.log # v0.19 asks for a serverAuth chain
	step ca revoke --cert foo.crt --key foo.key
	refute step ca renew --force foo.crt foo.key
	fingerprint=$(step certificate fingerprint "$STEPPATH/certs/root_ca.crt")
	url=$(jq -r '."ca-url"' "$STEPPATH/config/defaults.json")
	STEPPATH="$PWD/client" step ca bootstrap --ca-url "$url" --fingerprint "$fingerprint"
	cmp client/certs/root_ca.crt roots.pem
}

@test "our CA runs on a folder that the peer's init wrote, with keys of 100,000 and 600,000 iterations" {
	cp -r "$BATS_TEST_DIRNAME/peer/ca-dir" theirs
	chmod -R go-rwx theirs
	sed -i "s#@DIR@#$PWD/theirs#g" theirs/config/*.json
	export STEPPATH="$PWD/theirs"
	run step-ca check theirs/config/ca.json
	[ "$status" -eq 2 ]
	[[ "$output" == *'"sqlite"'* ]] # the error says what to set
	jq '.db.type = "sqlite" | .address = "127.0.0.1:0"' theirs/config/ca.json >c
	cat c >theirs/config/ca.json
	step-ca theirs/config/ca.json --password-file "$CA_DIR/password.txt" --port-file port 2>our.log 3>&- &
	PEER_PID=$!
	ca_wait '[ -s port ] || ! kill -0 $PEER_PID'
	export STEP_CA_URL="https://localhost:$(cat port)"
	for name in admin ops; do
		step ca certificate --provisioner $name --provisioner-password-file "$CA_DIR/password.txt" $name.local $name.crt $name.key
		step certificate inspect --short $name.crt | grep -q "Provisioner: $name "
		step ca renew --force $name.crt $name.key
	done
	kill "$PEER_PID"
	wait "$PEER_PID" # cleanly
	PEER_PID=
}
