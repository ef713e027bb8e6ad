# A CA for end-to-end tests: real step, real step-ca, a directory of its own, a port that the kernel chose. What is known
# of it stands in files of CA_DIR (pid, port, exit.PID), because bats runs each test in a process of its own.
# BUILD_DIR names the folder with the two programs (default: build-test of this checkout).

BUILD_DIR=${BUILD_DIR:-$BATS_TEST_DIRNAME/../../build-test}
BUILD_DIR=$(cd "$BUILD_DIR" && pwd)
PATH="$BUILD_DIR:$PATH"
unset STEPPATH STEP_CA_URL STEP_ROOT STEPDEBUG NO_COLOR CLICOLOR_FORCE
unset HTTPS_PROXY https_proxy HTTP_PROXY http_proxy ALL_PROXY all_proxy NO_PROXY no_proxy
# A sanitizer's finding must not look like a refusal.
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1}:exitcode=99" LSAN_OPTIONS="${LSAN_OPTIONS:+$LSAN_OPTIONS:}exitcode=99"

# ca_use DIR: the CA there is the one that step and the functions below mean.
ca_use() {
	export CA_DIR=$1
	export STEPPATH="$CA_DIR/step"
	CA_PID=$(cat "$CA_DIR/pid" 2>/dev/null || true)
	CA_PORT=$(cat "$CA_DIR/port" 2>/dev/null || true)
	export CA_PID CA_PORT CA_URL="https://localhost:$CA_PORT" CA_ROOT="$STEPPATH/certs/root_ca.crt"
}
[ -z "${CA_DIR:-}" ] || ca_use "$CA_DIR"

# ca_init DIR [flags of step ca init...]: a PKI below DIR (STEPPATH=DIR/step), password in DIR/password.txt.
ca_init() {
	mkdir -p "$1"
	ca_use "$1"
	shift
	(umask 077 && echo "p4ssword" >"$CA_DIR/password.txt")
	step ca init --name "Speedy" --provisioner admin --dns localhost --address "127.0.0.1:0" \
		--password-file "$CA_DIR/password.txt" --provisioner-password-file "$CA_DIR/password.txt" "$@" 2>"$CA_DIR/init.log"
}

# Starts the CA of ca_init and points defaults.json at its port. Waits for the port, never for time.
ca_start() {
	rm -f "$CA_DIR/port" "$CA_DIR/pid"
	(
		step-ca "$STEPPATH/config/ca.json" --password-file "$CA_DIR/password.txt" --port-file "$CA_DIR/port" "$@" \
			2>>"$CA_DIR/ca.log" &
		echo $! >"$CA_DIR/pid"
		wait $! && ended=0 || ended=$?
		echo $ended >"$CA_DIR/exit.$!"
	) >/dev/null 3>&- &
	ca_wait '[ -s "$CA_DIR/pid" ]' || return 1
	CA_PID=$(cat "$CA_DIR/pid")
	ca_wait '[ -s "$CA_DIR/port" ] || [ -s "$CA_DIR/exit.$CA_PID" ]' || return 1
	[ -s "$CA_DIR/port" ] || { cat "$CA_DIR/ca.log" >&2; return 1; }
	ca_use "$CA_DIR"
	[ ! -e "$STEPPATH/config/defaults.json" ] ||
		sed -i "s#\"ca-url\": *\"[^\"]*\"#\"ca-url\": \"$CA_URL\"#" "$STEPPATH/config/defaults.json"
}

# ca_wait CONDITION: until it holds, for a minute at most.
ca_wait() {
	local i
	for ((i = 0; i < 1200; i++)); do
		eval "$1" && return 0
		sleep 0.05
	done
	echo "never happened: $1" >&2
	return 1
}

# ca_end SIGNAL: ends the CA by a signal; its exit status is in ca_status.
ca_end() {
	CA_PID=$(cat "$CA_DIR/pid")
	kill -s "$1" "$CA_PID" 2>/dev/null || true
	ca_wait '[ -s "$CA_DIR/exit.$CA_PID" ]' || return 1
	ca_status=$(cat "$CA_DIR/exit.$CA_PID")
}

# Ends the CA as a service manager would, and fails where that was no clean end (a leak that a sanitizer found, say).
ca_stop() {
	[ -s "${CA_DIR:-}/pid" ] && [ ! -s "$CA_DIR/exit.$(cat "$CA_DIR/pid")" ] || return 0
	ca_end TERM || return 1
	if [ "$ca_status" -ne 0 ]; then
		echo "step-ca ended with $ca_status:"
		tail -60 "$CA_DIR/ca.log"
		return 1
	fi
}

# ca_json JQ-ARGUMENTS...: edits the CA's configuration.
ca_json() {
	jq "$@" "$STEPPATH/config/ca.json" >"$CA_DIR/ca.json.new"
	cat "$CA_DIR/ca.json.new" >"$STEPPATH/config/ca.json"
}

# token SUBJECT [flags]: a one-time token on stdout
token() {
	step ca token --provisioner admin --password-file "$CA_DIR/password.txt" "$@" 2>/dev/null
}

# issue NAME [flags]: NAME.crt and NAME.key in the current folder
issue() {
	step ca certificate "$1" "$1.crt" "$1.key" --provisioner admin --provisioner-password-file "$CA_DIR/password.txt" --force "${@:2}"
}

serial() {
	openssl x509 -noout -serial -in "$1"
}

# The pair's key and certificate belong together.
pair_fits() {
	[ "$(openssl x509 -noout -pubkey -in "$1")" = "$(openssl pkey -pubout -in "$2")" ]
}
