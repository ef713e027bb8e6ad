# What step-ca tells Prometheus, on an address of its own.

bats_require_minimum_version 1.5.0
load lib
load ca

setup_file() {
	ca_init "$BATS_FILE_TMPDIR/ca"
	cp -a "$CA_DIR" "$BATS_FILE_TMPDIR/made"
	unset CA_DIR
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	cp -a "$BATS_FILE_TMPDIR/made" ca
	sed -i "s#$BATS_FILE_TMPDIR/ca#$PWD/ca#g" ca/step/config/*.json
	ca_use "$PWD/ca"
	ca_json '.metricsAddress = "127.0.0.1:0"'
}

teardown() {
	ca_stop
}

# start: the CA, and METRICS, the URL of its figures
start() {
	ca_start || return 1
	METRICS=http://127.0.0.1:$(sed -n 's/.*Serving metrics.*(port \([0-9]*\)).*/\1/p' "$CA_DIR/ca.log" | tail -1)/metrics
}

@test "metrics have an address of their own, and nothing else is there" {
	start
	curl -sS -D head -o body "$METRICS"
	grep -q "^HTTP/1.1 200 " head
	grep -qi "^content-type: text/plain; version=0.0.4; charset=utf-8" head
	grep -q "^step_ca_build_info{version=" body
	[ "$(curl -sS -o /dev/null -w '%{http_code}' "${METRICS%/metrics}/health")" = 404 ]
	[ "$(curl -sS -o /dev/null -w '%{http_code}' -d x "$METRICS")" = 405 ]
	[ "$(curl -sS --cacert "$CA_ROOT" -o /dev/null -w '%{http_code}' "$CA_URL/metrics")" = 404 ]
}

@test "an address that others reach is warned about" {
	ca_json '.metricsAddress = "0.0.0.0:0"'
	start
	grep -q "metricsAddress: 0.0.0.0:0 is not a loopback address: whoever reaches it reads the figures" "$CA_DIR/ca.log"
}

@test "a reload does not move the address, and says so" {
	start
	refute grep "is not a loopback" "$CA_DIR/ca.log"
	ca_json '.metricsAddress = "127.0.0.1:1"'
	kill -HUP "$CA_PID"
	ca_wait 'grep -q "metricsAddress: changed in the configuration; the old one holds until a restart" "$CA_DIR/ca.log"'
	curl -sS -o /dev/null "$METRICS"
}
