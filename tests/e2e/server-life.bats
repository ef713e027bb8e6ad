# The life of step-ca: start, refusals to start, reload, stop; its database; an issuer near its end.

bats_require_minimum_version 1.5.0
load lib
load ca

setup_file() {
	# One PKI for all: each test has its own copy, so that none waits for another's.
	ca_init "$BATS_FILE_TMPDIR/ca"
	cp -a "$CA_DIR" "$BATS_FILE_TMPDIR/made"
	unset CA_DIR
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	cp -a "$BATS_FILE_TMPDIR/made" ca
	sed -i "s#$BATS_FILE_TMPDIR/ca#$PWD/ca#g" ca/step/config/*.json
	ca_use "$PWD/ca"
	JSON="$STEPPATH/config/ca.json"
	PW="$CA_DIR/password.txt"
}

teardown() {
	ca_stop
}

# ca_refuses TEXT [ARGS...]: step-ca says this and ends with 2
ca_refuses() {
	status=0
	step-ca "${@:2}" </dev/null >.out 2>.err || status=$?
	out=$(cat .out)
	err=$(grep -v '^time=' .err || true)
	expect 2 "$1"
}

reloaded() {
	local before
	before=$(grep -c "configuration .*reloaded" "$CA_DIR/ca.log" || true)
	kill -HUP "$CA_PID"
	ca_wait "[ \$(grep -c 'configuration .*reloaded' '$CA_DIR/ca.log') -gt $before ]"
}

ask() {
	curl -sS --cacert "$CA_ROOT" "$@"
}

# --- refusals to start

@test "a bad ca.json is refused, naming the path of the bad value and the remedy" {
	local filter text wrong=0
	while IFS='~' read -r filter text; do
		jq "$filter" "$JSON" >bad.json
		ca_refuses "bad.json: $text" bad.json --password-file "$PW" || { echo "^ $filter"; wrong=1; }
		# check is the same code as a start
		ca_refuses "bad.json: $text" check bad.json || { echo "^ check: $filter"; wrong=1; }
	done <<-'END'
		del(.root)~root: missing; give the file or files of the root certificates
		del(.address)~address: missing; give host:port to listen on, such as :443
		.address = "9000"~address: "9000" has no port; write host:port, such as :443 or 127.0.0.1:9000
		.address = 7~address: not a string
		.dnsNames = []~dnsNames: empty; name at least one host name or address of this CA, or remove the key for localhost
		.dnsNames = ["a", 7]~dnsNames[1]: not a string
		.db.type = "badgerv2"~db.type: "badgerv2" cannot be read here; set "type": "sqlite" and leave "dataSource" as it is or name a new folder. Used tokens and revocations do not come along by themselves: `step-ca db import FILE` takes a list of serials or a CRL
		.db.type = "bbolt"~db.type: "bbolt" cannot be read here; set "type": "sqlite" and leave "dataSource" as it is or name a new folder. Used tokens and revocations do not come along by themselves: `step-ca db import FILE` takes a list of serials or a CRL
		.db.type = "mysql"~db.type: "mysql" cannot be read here; set "type": "sqlite" and leave "dataSource" as it is or name a new folder. Used tokens and revocations do not come along by themselves: `step-ca db import FILE` takes a list of serials or a CRL
		.db.type = "oracle"~db.type: no such database; set "type" to "sqlite" or "postgresql"
		del(.db.dataSource)~db.dataSource: missing; give sqlite: the folder that holds the database; postgresql: postgresql://USER@HOST/DATABASE?sslmode=..
		.db.reserveBytes = -1~db.reserveBytes: must be between 0 and 1099511627776
		.db.prune = {"keepExpired": "yesterday"}~db.prune.keepExpired: not a duration such as 24h, nor "forever"
		.authority.claims = {"maxTLSCertDuration": "1d"}~authority.claims.maxTLSCertDuration: not a duration such as 24h
		.authority.claims = {"minTLSCertDuration": "48h"}~authority.claims: minTLSCertDuration: 48h0m0s is more than maxTLSCertDuration (24h0m0s)
		.authority.enableAdmin = "yes"~authority.enableAdmin: the admin API is not built yet, and its database holds the provisioners; put them into authority.provisioners and set false
		del(.db) | .crl = {"enabled": true}~crl.enabled: without a database nothing can be revoked; add a "db" stanza of type "sqlite", or set false
		.ssh = {"hostKey": "x"}~ssh: SSH certificates are not built yet; remove the key to run without them
		.key = "pkcs11:id=7"~key: keys in a KMS or HSM (pkcs11:) are not built yet; name a key file
		.limits = {"bodyBytes": 7}~limits.bodyBytes: must be between 1024 and 67108864
		.limits = {"bodybites": 4096}~limits.bodybites: not a key of this place, where it could be meant as a limit; check its spelling, or remove it
		.threads = -1~threads: must be between 0 and 256
		.tls.minVersion = 1.7~tls.minVersion: not a TLS version; give 1.2 or 1.3
		.claims = {}~claims: has no effect here; move it to authority.claims, or remove it
	END
	[ "$wrong" -eq 0 ]
}

@test "what is no JSON, no file, or twice the same key" {
	echo '{"root": "a",}' >bad.json
	ca_refuses "bad.json: not JSON: line 1, column 14: string or '}' expected" bad.json
	ca_refuses "open nosuch.json failed: no such file or directory" nosuch.json
	ca_refuses "read /tmp failed: is a directory" /tmp
	echo '[]' >bad.json
	ca_refuses "bad.json: not a JSON object" bad.json
	jq -c . "$JSON" | sed 's/^{/{"address":":1",/' >bad.json
	status=0
	step-ca bad.json 2>.err || status=$?
	[ "$status" -eq 2 ]
	grep -qi "duplicate" .err
}

@test "flags: unknown ones, too many words, parts that are not built" {
	run -1 --separate-stderr step-ca --bogus
	[ "$stderr" = "flag provided but not defined: -bogus" ]
	run -1 --separate-stderr step-ca a.json b.json
	[[ "$stderr" == "too many positional arguments"* ]]
	run -1 --separate-stderr step-ca "$JSON" --issuer-password-file x
	[ "$stderr" = "flag '--issuer-password-file' belongs to a part that is not built yet; leave it out" ]
	run -0 --separate-stderr step-ca --version
	[[ "$output" == "Perennial CA/"* ]]
	run -0 step-ca version
}

@test "an address in use, and one that is not ours" {
	ca_start
	cp -a ca other
	sed "s#$PWD/ca#$PWD/other#g; s#127.0.0.1:0#127.0.0.1:$CA_PORT#" ca/step/config/ca.json >other.json
	ca_refuses "listen tcp 127.0.0.1:$CA_PORT: bind: address already in use" other.json --password-file "$PW"
	sed -i "s#127.0.0.1:$CA_PORT#192.0.2.1:0#" other.json
	status=0
	step-ca other.json --password-file "$PW" 2>.err || status=$?
	[ "$status" -eq 2 ]
	grep -q "192.0.2.1:0" .err
}

@test "a second CA on the same store is refused" {
	ca_start
	ca_refuses "the database in $STEPPATH/db is held by process $CA_PID; stop it first" "$JSON" --password-file "$PW"
	ask "$CA_URL/health"
	ca_stop
	ca_start
}

@test "keys that restrict nothing are warned about, and unknown provisioner types are listed" {
	ca_json '.monitoring = {type: "newrelic"} | .authority.provisioners += [{type: "K8sSA", name: "k8s"}, {type: "OIDC", name: "oidc", clientID: "c"}]'
	ca_start
	grep -q 'level=warning msg="monitoring: ignored: New Relic monitoring is not built"' "$CA_DIR/ca.log"
	grep -q 'level=warning msg="authority.provisioners\[2\]: the provisioner \\"oidc\\" is disabled: OIDC provisioners are not built yet"' "$CA_DIR/ca.log"
	run -0 --separate-stderr step-ca check "$JSON"
	[ "$output" = "$JSON is good." ]
	[[ "$stderr" == *"warning: monitoring: ignored: New Relic monitoring is not built"* ]]
	[ "$(grep -c 'oidc.* is disabled: OIDC provisioners are not built yet' <<<"$stderr")" -eq 1 ]
}

@test "renewal after expiry without a bound is warned about, by the start and by check" {
	ca_json '.authority.provisioners[0].claims.allowRenewalAfterExpiry = true'
	run -0 --separate-stderr step-ca check "$JSON"
	[ "$(grep -c '^warning: .* set claims.renewalAfterExpiry, such as 720h$' <<<"$stderr")" -eq 1 ]
	ca_start
	[ "$(grep -c 'level=warning msg=.* set claims.renewalAfterExpiry, such as 720h' "$CA_DIR/ca.log")" -eq 1 ]
}

@test "restricting keys of a provisioner that are not built disable that provisioner alone" {
	python3 "$BATS_TEST_DIRNAME/jwt.py" new-key py.jwk
	ca_json --argjson key "$(python3 "$BATS_TEST_DIRNAME/jwt.py" public py.jwk)" '
		.authority.provisioners += [{type: "JWK", name: "py", key: $key, options: {x509: {template: "{}"}}}]'
	ca_start
	grep -q 'level=warning msg="authority.provisioners\[1\]: the provisioner \\"py\\" is disabled: options.x509.template: templates are not built yet"' "$CA_DIR/ca.log"
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj /CN=x.local -out c 2>/dev/null
	[ "$(ask -d "$(jq -cn --rawfile csr c --arg ott "$(python3 "$BATS_TEST_DIRNAME/jwt.py" make py.jwk)" '{csr: $csr, ott: $ott}')" "$CA_URL/sign")" = \
		'{"status":401,"message":"provisioner \"py\" is disabled due to an initialization error"}' ]
	issue still.local
}

# --- reload

@test "SIGHUP reads the configuration anew; requests go on" {
	ca_start
	issue a.local
	ca_json '.authority.provisioners[0].claims = {disableRenewal: true}'
	reloaded
	tail -1 "$CA_DIR/ca.log" | grep -q 'level=info msg="configuration reloaded"'
	run -1 --separate-stderr step ca renew --force a.local.crt a.local.key
	ca_json 'del(.authority.provisioners[0].claims)'
	reloaded
	step ca renew --force a.local.crt a.local.key
}

@test "SIGHUP with a bad file keeps the old configuration" {
	ca_start
	local was
	for filter in '.address = "127.0.0.1:1"' '.db.dataSource = "/elsewhere"' 'del(.db)' '.root = "nosuch"' '.authority.claims = {minTLSCertDuration: "48h"}' '.threads = -1'; do
		cp "$JSON" was.json
		ca_json "$filter"
		reloaded
		grep 'configuration .*reloaded' "$CA_DIR/ca.log" | tail -1 | grep -q 'level=error msg="configuration not reloaded: the old one stays in force" error='
		[ "$(ask "$CA_URL/health")" = '{"status":"ok"}' ]
		cat was.json >"$JSON"
	done
	echo '{' >"$JSON"
	reloaded
	grep 'configuration .*reloaded' "$CA_DIR/ca.log" | tail -1 | grep -q 'not reloaded'
	issue a.local
	cat was.json >"$JSON"
	reloaded
	tail -1 "$CA_DIR/ca.log" | grep -q 'configuration reloaded"'
	# the messages name what stands in the way
	grep -q 'error="address: cannot be changed while the CA runs; restart it"' "$CA_DIR/ca.log"
	grep -q 'error="db: cannot be changed while the CA runs; restart it"' "$CA_DIR/ca.log"
}

@test "a reload gives the listener a new certificate" {
	ca_start
	leaf() { openssl s_client -connect "localhost:$CA_PORT" </dev/null 2>/dev/null | openssl x509 -noout -serial; }
	first=$(leaf)
	[ "$first" = "$(leaf)" ]
	reloaded
	[ "$first" != "$(leaf)" ]
}

# --- a full house

@test "beyond its connections: health and who shows a certificate are served, the others are told when to come again" {
	ca_start
	issue a.local
	ca_stop
	ca_json '.limits += {connections: 1, connectionsSpare: 8}' # a place may be given back a moment after the answer
	ca_start
	python3 - "$CA_PORT" "$CA_ROOT" a.local.crt a.local.key <<-'END'
		import http.client, socket, ssl, sys
		port, root, crt, key = int(sys.argv[1]), *sys.argv[2:]
		context = ssl.create_default_context(cafile=root)
		busy = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
		busy.sendall(b"POST /sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{")
		def ask(method, path, context=context):
		    c = http.client.HTTPSConnection("localhost", port, context=context, timeout=60)
		    c.request(method, path)
		    r = c.getresponse()
		    r.read()
		    return r.status, r.headers["Retry-After"]
		holder = ssl.create_default_context(cafile=root)
		holder.load_cert_chain(crt, key)
		got = [ask("GET", "/health"), ask("GET", "/provisioners"), ask("POST", "/renew", holder), ask("GET", "/provisioners")]
		assert got == [(200, None), (503, "10"), (201, None), (503, "10")], got
	END
}

# --- stop

@test "SIGTERM finishes a running request, takes no new one, and ends with 0" {
	ca_start
	issue a.local
	openssl req -new -key a.local.key -subj /CN=b.local -out b.csr
	jq -cn --rawfile csr b.csr --arg ott "$(token b.local)" '{csr: $csr, ott: $ott}' >q
	python3 - "$CA_PORT" "$CA_ROOT" "$CA_PID" q >answer <<-'END'
		import os, signal, socket, ssl, sys, time
		port, root, pid, body = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), open(sys.argv[4], "rb").read()
		context = ssl.create_default_context(cafile=root)
		s = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
		s.sendall(b"POST /sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:50])
		# the CA has seen the headers once it has answered somebody who came later
		t = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
		t.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		while t.recv(4096):
		    pass
		os.kill(pid, signal.SIGTERM)
		# stopped listening, while the request still stands
		for i in range(600):
		    try:
		        socket.create_connection(("127.0.0.1", port), 1).close()
		    except OSError:
		        break
		    time.sleep(0.02)
		else:
		    sys.exit("still listening")
		s.sendall(body[50:])
		got = b""
		while True:
		    more = s.recv(65536)
		    if not more:
		        break
		    got += more
		print(got.decode())
	END
	head -1 answer | grep -q "^HTTP/1.1 201"
	ca_wait '[ -s "$CA_DIR/exit.$CA_PID" ]'
	[ "$(cat "$CA_DIR/exit.$CA_PID")" -eq 0 ]
	grep -q "stopping: no new connections; running requests are finished" "$CA_DIR/ca.log"
	# and what it answered is on record
	ls "$STEPPATH/db"
	[ "$(sqlite3 "$STEPPATH/db/perennial.db" "select count(*) from certs where subject = 'b.local'")" -eq 1 ]
}

@test "SIGINT ends it too; SIGUSR1 and SIGUSR2 do not" {
	ca_start
	kill -USR1 "$CA_PID"
	kill -USR2 "$CA_PID"
	[ "$(ask "$CA_URL/health")" = '{"status":"ok"}' ]
	ca_end INT
	[ "$ca_status" -eq 0 ]
}

@test "the pid file holds the process, and goes with it" {
	ca_start --pidfile pid.txt
	ca_wait '[ -s pid.txt ]'
	[ "$(cat pid.txt)" = "$CA_PID" ]
	[ "$(stat -c %a pid.txt)" = 644 ]
	ca_stop
	absent pid.txt
}

@test "no core file, no look into its memory by others of its user" {
	ca_start
	[ "$(awk '/Max core file size/ { print $5 }' "/proc/$CA_PID/limits")" = 0 ]
	[ "$(stat -c %u "/proc/$CA_PID/environ")" = 0 ]
}

# --- the log

@test "a JSON log: every line parses, and the fields are there" {
	ca_json '.logger.format = "json"'
	ca_start
	issue a.local
	ask -A 'a "quoted" \ agent' "$CA_URL/nosuch"
	reloaded
	ca_stop
	jq -es 'length > 4' "$CA_DIR/ca.log" >/dev/null
	jq -es '[.[] | select(.msg == "request" and .status == 201)][0] | .level == "info" and .method == "POST" and .path == "/sign" and .name == "ca" and (.["request-id"] | length) == 36 and (.serial | test("^[0-9]+$")) and .subject == "a.local" and .provisioner == "admin" and (.["duration-ns"] | type) == "number"' "$CA_DIR/ca.log" >/dev/null
	jq -es '[.[] | select(.status == 404)][0] | .["user-agent"] == "a \"quoted\" \\ agent" and .level == "warning"' "$CA_DIR/ca.log" >/dev/null
}

@test "without a logger stanza no requests are logged; the life of the CA still is" {
	ca_json 'del(.logger)'
	ca_start
	ask "$CA_URL/health"
	ca_stop
	refute grep -q "path=/health" "$CA_DIR/ca.log"
	grep -q "Serving HTTPS" "$CA_DIR/ca.log"
}

@test "--quiet leaves the banner out" {
	ca_start --quiet
	refute grep -q "root fingerprint" "$CA_DIR/ca.log"
}

# --- the database

@test "no db stanza: said at start; tokens still count once; nothing can be revoked" {
	ca_json 'del(.db)'
	ca_start
	grep -q 'level=warning msg="no database is configured: used tokens are forgotten at the end of this process and nothing can be revoked; add a \\"db\\" stanza of type \\"sqlite\\" to keep them"' "$CA_DIR/ca.log"
	TOKEN=$(token a.local)
	step ca certificate a.local a.crt a.key --token "$TOKEN"
	run -1 step ca certificate a.local b.crt b.key --token "$TOKEN"
	[ "$(ask --cert a.crt --key a.key -d "{\"serial\":\"$(python3 -c "print(int('$(serial a.crt | cut -d= -f2)', 16))")\",\"passive\":true}" "$CA_URL/revoke")" = \
		'{"status":501,"message":"The requested method is not implemented by the certificate authority. Please see the certificate authority logs for more info."}' ]
	step_run ca revoke --cert a.crt --key a.key
	expect 1 "✔ CA: $CA_URL
The requested method is not implemented by the certificate authority. Please see the certificate authority logs for more info.
Re-run with STEPDEBUG=1 for more info."
	step ca renew --force a.crt a.key
	[ -z "$(find "$STEPPATH/db" -type f)" ]
}

# Without a database it would be new again after a restart.
@test "no db stanza: a token that does not say its age is refused" {
	jwt() { python3 "$BATS_TEST_DIRNAME/jwt.py" "$@"; }
	jwt new-key py.jwk
	ca_json --argjson key "$(jwt public py.jwk)" 'del(.db) | .authority.provisioners += [{type: "JWK", name: "py", key: $key}]'
	ca_start
	run -1 step ca certificate x.local a.crt a.key --token "$(jwt make py.jwk --claims '{"iat":null}')"
	grep -q 'error="token has no iat claim: without a database it could be used again after a restart" remedy="make tokens with `step ca token`' "$CA_DIR/ca.log"
	step ca certificate x.local a.crt a.key --token "$(jwt make py.jwk)"
}

@test "db import: a list of serials, and a CRL made by openssl; what it names does not renew" {
	ca_start
	issue list.local
	issue crl.local
	issue fine.local
	ca_stop
	dec() { python3 -c "print(int('$(serial "$1" | cut -d= -f2)', 16))"; }
	cat >list <<-END
		# revoked on the old CA
		$(dec list.local.crt) 1
		0x1234   4
		99
	END
	run -0 step-ca db import list --config "$JSON"
	[ "$output" = "3 revocations read, 3 of them new." ]
	run -0 step-ca db import list --config "$JSON"
	[ "$output" = "3 revocations read, 0 of them new." ]
	# a CRL of the intermediate's, by openssl
	openssl ec -in "$STEPPATH/secrets/intermediate_ca_key" -passin "file:$PW" -out inter.key 2>/dev/null
	: >index.txt
	cat >ca.cnf <<-END
		[ca]
		default_ca = us
		[us]
		database = index.txt
		certificate = $STEPPATH/certs/intermediate_ca.crt
		private_key = inter.key
		default_md = sha256
		default_crl_days = 1
	END
	openssl ca -config ca.cnf -revoke crl.local.crt -crl_reason keyCompromise 2>/dev/null
	openssl ca -config ca.cnf -gencrl -out crl.pem 2>/dev/null
	openssl crl -in crl.pem -outform DER -out crl.der
	run -0 step-ca db import crl.pem --config "$JSON"
	[ "$output" = "1 revocations read, 1 of them new." ]
	run -0 step-ca db import crl.der --config "$JSON"
	[ "$output" = "1 revocations read, 0 of them new." ]
	ca_start
	for name in list crl; do
		step_run ca renew --force $name.local.crt $name.local.key
		[ "$status" -eq 1 ]
		[[ "$err" == "The request lacked necessary authorization to be completed."* ]]
	done
	step ca renew --force fine.local.crt fine.local.key
	# while it runs the database is its own
	run -1 --separate-stderr step-ca db import list --config "$JSON"
	[ "$stderr" = "the database in $STEPPATH/db is held by process $CA_PID; stop it first" ]
	ca_stop
	# what is no list
	echo "12 keyCompromise" >bad
	run -1 --separate-stderr step-ca db import bad --config "$JSON"
	[[ "$stderr" == "line 1: "* ]]
	printf '12\nrubbish\n' >bad
	run -1 --separate-stderr step-ca db import bad --config "$JSON"
	[[ "$stderr" == "line 2: "* ]]
	ca_json 'del(.db)'
	run -1 --separate-stderr step-ca db import list --config "$JSON"
	[ "$stderr" = "$JSON: db: no database is configured, so nothing can be imported; add a \"db\" stanza of type \"sqlite\"" ]
}

# --- provisioners of every kind of key

@test "provisioners with keys of every kind issue" {
	openssl ecparam -genkey -name prime256v1 -noout -out p256.pem
	openssl ecparam -genkey -name secp384r1 -noout -out p384.pem
	openssl ecparam -genkey -name secp521r1 -noout -out p521.pem
	openssl genrsa -out rsa.pem 2048 2>/dev/null
	openssl genpkey -algorithm ed25519 -out ed25519.pem
	for k in p256 p384 p521 rsa ed25519; do
		ca_json --arg name $k --argjson key "$(python3 "$BATS_TEST_DIRNAME/jwt.py" jwk $k.pem)" '.authority.provisioners += [{type: "JWK", name: $name, key: $key}]'
	done
	ca_start
	for k in p256 p384 p521 rsa ed25519; do
		TOKEN=$(step ca token --provisioner $k --key $k.pem $k.local)
		step ca certificate $k.local $k.crt $k.key --token "$TOKEN"
		step certificate inspect --short $k.crt | grep -q "Provisioner: $k "
		# a key of another kind under its name
		TOKEN=$(step ca token --provisioner $k --kid "$(python3 "$BATS_TEST_DIRNAME/jwt.py" jwk $k.pem | jq -r .kid)" --key "$([ $k = rsa ] && echo p256.pem || echo rsa.pem)" $k.local)
		run -1 step ca certificate $k.local bad.crt bad.key --token "$TOKEN"
		absent bad.crt
	done
}

# --- an issuer near its end

# short_issuer FLAGS...: an intermediate for the CA with such times
short_issuer() {
	step certificate create --profile intermediate-ca --ca "$CA_ROOT" --ca-key "$STEPPATH/secrets/root_ca_key" --ca-password-file "$PW" \
		--no-password --insecure "$@" --force "Short Intermediate CA" short.crt short.key
	cat short.crt >"$STEPPATH/certs/intermediate_ca.crt"
	cat short.key >"$STEPPATH/secrets/intermediate_ca_key"
}

ends() {
	date +%s -d "$(openssl x509 -noout -enddate -in "$1" | cut -d= -f2)"
}

lives() {
	echo $(($(ends "$1") - $(date +%s -d "$(openssl x509 -noout -startdate -in "$1" | cut -d= -f2)")))
}

@test "an issuer near its end cuts certificates short; the client says so; later renewals have their span again" {
	ca_start
	issue a.local
	[ "$(lives a.local.crt)" -eq 86460 ]
	cp -a "$STEPPATH/certs/intermediate_ca.crt" long.crt
	cp -a "$STEPPATH/secrets/intermediate_ca_key" long.key
	short_issuer --not-after 2h
	reloaded
	step_run ca renew --force a.local.crt a.local.key
	[ "$status" -eq 0 ]
	[[ "$err" =~ ^"Note: the new certificate lives "[0-9hms]+", the old one lived 24h1m0s: the CA's own certificate may be near its end."$'\n'"Your certificate has been saved in a.local.crt."$ ]]
	[ "$(ends a.local.crt)" = "$(ends short.crt)" ]
	grep -q 'level=warning msg="certificate cut to its issuer.s end" serial=' "$CA_DIR/ca.log"
	issue b.local
	[ "$(ends b.local.crt)" = "$(ends short.crt)" ]
	# cut twice, and then the issuer is replaced
	step ca renew --force b.local.crt b.local.key
	cat long.crt >"$STEPPATH/certs/intermediate_ca.crt"
	cat long.key >"$STEPPATH/secrets/intermediate_ca_key"
	reloaded
	for name in a b; do
		step ca renew --force $name.local.crt $name.local.key
		[ "$(lives $name.local.crt)" -eq 86460 ]
		openssl verify -CAfile "$CA_ROOT" -untrusted "$STEPPATH/certs/intermediate_ca.crt" $name.local.crt
	done
}

@test "an issuer that has ended does not start" {
	short_issuer --not-before -2h --not-after -1h
	status=0
	step-ca "$JSON" --password-file "$PW" 2>.err || status=$?
	[ "$status" -eq 2 ]
	grep -q "crt: " .err
	grep -q "expired" .err
}
