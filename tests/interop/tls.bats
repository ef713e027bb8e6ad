# Other TLS stacks and tools: OpenSSL's, GnuTLS, Python, curl.

bats_require_minimum_version 1.5.0
load ../e2e/lib
load ../e2e/ca

setup_file() {
	ca_init "$BATS_FILE_TMPDIR/ca"
	ca_start
	cd "$BATS_FILE_TMPDIR"
	issue ec.local --san ec.local --san 127.0.0.1
	issue rsa.local --kty RSA
	issue okp.local --kty OKP
}

teardown_file() {
	ca_stop
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	cp "$BATS_FILE_TMPDIR"/*.local.crt "$BATS_FILE_TMPDIR"/*.local.key .
	ROOT="$STEPPATH/certs/root_ca.crt"
}

@test "openssl: verify, x509, s_client with a client certificate" {
	for kind in ec rsa okp; do
		openssl verify -CAfile "$ROOT" -untrusted $kind.local.crt -purpose sslclient $kind.local.crt
		openssl x509 -in $kind.local.crt -noout -text >text
		grep -q "DNS:$kind.local" text
		printf 'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' |
			openssl s_client -connect "localhost:$CA_PORT" -CAfile "$ROOT" -verify_return_error -cert $kind.local.crt -key $kind.local.key \
				-cert_chain $kind.local.crt -quiet -ign_eof >answer 2>err
		grep -q '"status":"ok"' answer
	done
}

@test "openssl: a server of its own serves our pair, and we verify it" {
	openssl s_server -accept 127.0.0.1:0 -cert ec.local.crt -cert_chain ec.local.crt -key ec.local.key -www >said 2>&1 3>&- &
	server=$!
	ca_wait "grep -q '^ACCEPT 127' said || ! kill -0 $server"
	url="https://$(sed -n 's/^ACCEPT //p' said)"
	status=0
	step certificate verify "$url" --roots "$ROOT" || status=$?
	step certificate fingerprint "$url" --roots "$ROOT" >print || status=$?
	kill "$server"
	[ "$status" -eq 0 ]
	[ "$(cat print)" = "$(openssl x509 -in ec.local.crt -outform DER | sha256sum | cut -d' ' -f1)" ]
}

@test "openssl: pkcs12 reads what we write" {
	echo secret >pw
	step certificate p12 ec.p12 ec.local.crt ec.local.key --password-file pw --ca "$ROOT"
	openssl pkcs12 -in ec.p12 -passin file:pw -nodes -out all.pem
	[ "$(openssl pkey -in all.pem -pubout)" = "$(openssl pkey -in ec.local.key -pubout)" ]
	[ "$(grep -c 'BEGIN CERTIFICATE' all.pem)" -ge 2 ]
}

@test "GnuTLS: handshake, client certificate, and its own path check" {
	need_cmd gnutls-cli
	need_cmd certtool
	certtool --verify --load-ca-certificate "$ROOT" --infile ec.local.crt >verified
	grep -q "Chain verification output: Verified" verified
	for kind in ec rsa okp; do
		printf 'POST /renew HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' |
			timeout 20 gnutls-cli --x509cafile="$ROOT" --x509certfile=$kind.local.crt --x509keyfile=$kind.local.key \
				--port="$CA_PORT" localhost >answer 2>&1 || true
		grep -q "HTTP/1.1 201" answer
		grep -q "BEGIN CERTIFICATE" answer
	done
}

@test "Python: ssl and http.client renew over mTLS, TLS 1.2 and 1.3" {
	python3 - "$CA_PORT" "$ROOT" ec.local.crt ec.local.key <<-'END'
		import http.client, json, ssl, sys
		port, root, crt, key = sys.argv[1:]
		serials = set()
		for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
		    context = ssl.create_default_context(cafile=root)
		    context.minimum_version = context.maximum_version = version
		    context.load_cert_chain(crt, key)
		    for _ in range(2):
		        connection = http.client.HTTPSConnection("localhost", int(port), context=context)
		        for _ in range(2):  # a kept connection
		            connection.request("POST", "/1.0/renew")
		            answer = connection.getresponse()
		            body = json.load(answer)
		            assert answer.status == 201, (answer.status, body)
		            assert body["certChain"][0] == body["crt"] and body["ca"] == body["certChain"][1]
		            serials.add(body["crt"])
		        connection.close()
		assert len(serials) == 8
	END
}

@test "curl: without and with a client certificate, HTTP/2 offered" {
	[ "$(curl -sS --cacert "$ROOT" "$CA_URL/health")" = '{"status":"ok"}' ]
	[ "$(curl -sS --http2 --cacert "$ROOT" -o answer -w '%{http_code} %{http_version}' --cert ec.local.crt --key ec.local.key -X POST "$CA_URL/renew")" = "201 1.1" ]
	jq -r .crt answer | openssl x509 -noout -subject | grep -q ec.local
	[ "$(curl -sS --cacert "$ROOT" -o answer -w '%{http_code}' -X POST "$CA_URL/renew")" = 400 ]
	grep -q "missing client certificate" answer
}
