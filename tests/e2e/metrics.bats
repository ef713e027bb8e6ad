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

# figures: what is told now, checked
figures() {
	curl -sS -o figures "$METRICS" && python3 "$BATS_TEST_DIRNAME/promcheck.py" figures
}

# sum NAME [LABEL=VALUE...]: of what figures fetched
sum() {
	python3 "$BATS_TEST_DIRNAME/promcheck.py" figures "$@"
}

# told VALUE NAME [LABEL=VALUE...]: the figure is this, or becomes it: requests are counted behind their answers
told() {
	local i
	for ((i = 0; i < 200; i++)); do
		figures || return 1
		[ "$(sum "${@:2}" 2>/dev/null)" != "$1" ] || return 0
		sleep 0.05
	done
	echo "$*: never; is $(sum "${@:2}")"
	grep "^$2" figures
	return 1
}

@test "metrics have an address of their own, and nothing else is there" {
	start
	curl -sS -D head -o body "$METRICS"
	grep -q "^HTTP/1.1 200 " head
	grep -qi "^content-type: text/plain; version=0.0.4; charset=utf-8" head
	python3 "$BATS_TEST_DIRNAME/promcheck.py" body
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

@test "sign, renew, rekey, revoke and their refusals are counted by route, provisioner and status" {
	start
	told 0 step_ca_x509_signed_total provisioner=admin success=true
	issue one
	told 1 step_ca_x509_signed_total provisioner=admin success=true
	told 1 step_ca_requests_total endpoint=/sign provisioner=admin code=201
	step ca renew --force one.crt one.key
	told 1 step_ca_x509_renewed_total provisioner=admin success=true
	step ca rekey --force one.crt one.key
	told 1 step_ca_x509_rekeyed_total provisioner=admin success=true
	told 3 step_ca_changes_total outcome=done

	# a token that was used
	token=$(token two)
	step ca certificate two two.crt two.key --token "$token"
	refute step ca certificate two again.crt again.key --token "$token"
	told 1 step_ca_x509_signed_total provisioner=admin success=false
	told 1 step_ca_changes_total outcome=token-used
	# nobody knows whose request that was
	curl -sS --cacert "$CA_ROOT" -o /dev/null -d '{"csr":"x","ott":"y"}' "$CA_URL/1.0/sign"
	told 1 step_ca_requests_total endpoint=/sign provisioner= code=400

	step ca revoke --cert two.crt --key two.key
	told 1 step_ca_requests_total endpoint=/revoke code=200
	refute step ca renew --force two.crt two.key
	told 1 step_ca_requests_total endpoint=/renew provisioner=admin code=401
	told 1 step_ca_changes_total outcome=parent-revoked
	told 1 step_ca_request_duration_seconds_count endpoint=/revoke
	[ "$(sum step_ca_store_wait_seconds_count)" -eq 7 ]
}

@test "paths that are no resources are one, and so are refused requests" {
	start
	for path in /a /b/c '/%22%0a' /sign; do
		curl -sS --cacert "$CA_ROOT" -o /dev/null "$CA_URL$path"
	done
	told 3 step_ca_requests_total endpoint=other code=404
	told 1 step_ca_requests_total endpoint=other code=405
	curl -sS --cacert "$CA_ROOT" -o /dev/null -H "X: $(head -c 70000 /dev/zero | tr '\0' x)" "$CA_URL/health" || true
	told 1 step_ca_requests_total endpoint=other code=431
	[ "$(grep -c '^step_ca_requests_total{endpoint="other"' figures)" -eq 3 ]
}

@test "connections without a request are counted" {
	start
	curl -sS "http://127.0.0.1:$CA_PORT/" -o /dev/null || true
	told 1 step_ca_connections_refused_total reason=handshake
	curl -sS --cacert "$CA_ROOT" -o /dev/null "$CA_URL/health"
	told 1 step_ca_tls_handshake_duration_seconds_count
}

@test "a crowd is counted" {
	ca_json '.limits = {connectionsPerAddress: 2}'
	start
	told 0 step_ca_connection_events_total event=crowded
	exec 6<>"/dev/tcp/127.0.0.1/$CA_PORT" 7<>"/dev/tcp/127.0.0.1/$CA_PORT"
	told 2 step_ca_connections
	refute curl -sS --cacert "$CA_ROOT" -o /dev/null "$CA_URL/health"
	told 1 step_ca_connection_events_total event=crowded
	told 1 step_ca_connections_refused_total reason=limit
	exec 6>&- 7>&-
	told 0 step_ca_connections
}

@test "a provisioner's name cannot break the text" {
	local name='we"ird\na{me}, le="1"} 7 ü'
	ca_json --arg n "$name" '.authority.provisioners[0].name = $n'
	start
	figures
	told 0 step_ca_x509_signed_total "provisioner=$name" success=true
	issue one --provisioner "$name"
	told 1 step_ca_x509_signed_total "provisioner=$name" success=true
}

@test "the port of the metrics refuses what the CA's port refuses" {
	start
	port=${METRICS#http://127.0.0.1:}
	port=${port%/metrics}
	while IFS= read -r bytes; do
		exec 5<>"/dev/tcp/127.0.0.1/$port"
		printf "$bytes" >&5
		head -1 <&5 >answer || true
		exec 5>&-
		grep -Eq '^HTTP/1.1 (400|413|431|501) ' answer || { echo "$bytes: $(cat answer)"; return 1; }
	done <<-'END'
		GET /metrics HTTP/1.1\r\n\r\n
		GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n
		GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n
		POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n
		BREW /metrics HTTP/1.1\r\nHost: a\r\n\r\n
		\026\003\001\002\r\n\r\n
	END
	figures
}

@test "ends of the CA's own certificates, the store, its disk and the process are told" {
	start
	figures
	ends() { date -d "$(openssl x509 -noout -enddate -in "$1" | cut -d= -f2)" +%s; }
	[ "$(sum step_ca_chain_not_after_timestamp_seconds kind=root)" = "$(ends "$CA_ROOT")" ]
	[ "$(sum step_ca_chain_not_after_timestamp_seconds kind=intermediate "name=Speedy Intermediate CA")" = \
		"$(ends "$STEPPATH/certs/intermediate_ca.crt")" ]
	left=$(($(sum step_ca_chain_not_after_timestamp_seconds kind=listener) - $(date +%s)))
	[ $left -gt 80000 ]
	[ $left -le 86400 ]
	[ $(($(date +%s) - $(sum step_ca_time_seconds))) -lt 300 ]
	issue one
	told 1 step_ca_store_commit_changes_count
	[ "$(sum step_ca_store_commit_changes_sum)" = 1 ]
	[ "$(sum step_ca_store_queue)" = 0 ]
	[ "$(sum step_ca_store_failed_commits_total)" = 0 ]
	[ "$(sum step_ca_store_database_bytes)" = "$(stat -c %s "$STEPPATH/db/perennial.db")" ]
	[ "$(sum step_ca_store_disk_free_bytes)" -gt 0 ]
	[ "$(sum step_ca_store_disk_full)" -eq 0 ]
	[ "$(sum process_resident_memory_bytes)" -gt 1000000 ]
	[ "$(sum process_open_fds)" -gt 5 ]
	told 0 step_ca_connections
	[ "$(sum step_ca_connections_limit)" -gt 0 ]
}

@test "certificates are counted by what is left of their life, renewed ones once" {
	start
	issue one
	issue two --not-after 5m
	step ca renew --force one.crt one.key
	ca_stop
	start # counts at once
	told 2 step_ca_certificates left=any
	[ "$(sum step_ca_certificates left=1h)" = 1 ]
	[ "$(sum step_ca_certificates left=1d)" = 2 ]
	[ "$(sum step_ca_certificates left=-1d)" = 0 ]
	[ $(($(date +%s) - $(sum step_ca_certificates_counted_timestamp_seconds))) -lt 300 ]
}

@test "a reload that fails is counted" {
	start
	told 0 step_ca_reloads_total success=false
	ca_json '.authority.claims.maxTLSCertDuration = "1d"'
	kill -HUP "$CA_PID"
	told 1 step_ca_reloads_total success=false
	told 0 step_ca_reloads_total success=true
}

# The manual's table and the program's answer name the same families.
@test "docs/metrics.md lists what is told, and nothing else" {
	ca_json '.crl = {enabled: true}'
	start
	told 0 step_ca_certificates left=any
	told 0 step_ca_crl_entries # the last to be there
	sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' figures | sort >told.txt
	sed -n 's/^| `\([a-z0-9_]*\)[`{].*/\1/p' "$BATS_TEST_DIRNAME/../../docs/metrics.md" | sort >written.txt
	diff told.txt written.txt
}
