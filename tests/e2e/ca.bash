# A CA for end-to-end tests: real step, real step-ca, a directory of its own, a port that the kernel chose.
# BUILD_DIR names the folder with the two programs (default: build-test of this checkout).

BUILD_DIR=${BUILD_DIR:-$BATS_TEST_DIRNAME/../../build-test}
BUILD_DIR=$(cd "$BUILD_DIR" && pwd)
PATH="$BUILD_DIR:$PATH"
[ -n "${CA_DIR:-}" ] || unset STEPPATH
unset STEP_CA_URL STEP_ROOT STEPDEBUG NO_COLOR CLICOLOR_FORCE

# ca_init DIR [flags of step ca init...]: a PKI below DIR (STEPPATH=DIR/step), password in DIR/password.txt.
ca_init() {
	CA_DIR=$1
	shift
	mkdir -p "$CA_DIR"
	export STEPPATH="$CA_DIR/step"
	(umask 077 && echo "p4ssword" >"$CA_DIR/password.txt")
	step ca init --name "Speedy" --provisioner admin --dns localhost --address "127.0.0.1:0" \
		--password-file "$CA_DIR/password.txt" --provisioner-password-file "$CA_DIR/password.txt" "$@" 2>"$CA_DIR/init.log"
}

# Starts the CA of ca_init and points defaults.json at its port. Waits for the port, never for time.
ca_start() {
	rm -f "$CA_DIR/port"
	step-ca "$STEPPATH/config/ca.json" --password-file "$CA_DIR/password.txt" --port-file "$CA_DIR/port" "$@" \
		2>>"$CA_DIR/ca.log" 3>&- &
	CA_PID=$!
	local i
	for i in $(seq 600); do
		[ -s "$CA_DIR/port" ] && break
		kill -0 "$CA_PID" 2>/dev/null || { cat "$CA_DIR/ca.log" >&2; return 1; }
		sleep 0.05
	done
	CA_PORT=$(cat "$CA_DIR/port")
	CA_URL="https://localhost:$CA_PORT"
	sed -i "s#\"ca-url\": *\"[^\"]*\"#\"ca-url\": \"$CA_URL\"#" "$STEPPATH/config/defaults.json"
	export CA_DIR CA_PID CA_PORT CA_URL
}

ca_stop() {
	[ -n "${CA_PID:-}" ] || return 0
	kill "$CA_PID" 2>/dev/null || true
	wait "$CA_PID" 2>/dev/null || true
	# bats starts each test in a process of its own: the CA may be no child of this one
	local i
	for i in $(seq 600); do
		kill -0 "$CA_PID" 2>/dev/null || break
		sleep 0.05
	done
	CA_PID=
}

# ca_json JQ-FILTER: edits the CA's configuration.
ca_json() {
	jq "$1" "$STEPPATH/config/ca.json" >"$CA_DIR/ca.json.new"
	cat "$CA_DIR/ca.json.new" >"$STEPPATH/config/ca.json"
}

# token SUBJECT [flags]: a one-time token on stdout
token() {
	step ca token --password-file "$CA_DIR/password.txt" "$@" 2>/dev/null
}

# issue NAME [flags]: NAME.crt and NAME.key in the current folder
issue() {
	step ca certificate "$1" "$1.crt" "$1.key" --provisioner-password-file "$CA_DIR/password.txt" --force "${@:2}"
}

serial() {
	openssl x509 -noout -serial -in "$1"
}

# The pair's key and certificate belong together.
pair_fits() {
	[ "$(openssl x509 -noout -pubkey -in "$1")" = "$(openssl pkey -pubout -in "$2")" ]
}
