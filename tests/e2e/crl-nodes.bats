# The revocation list of two nodes on one PostgreSQL: one makes it, both serve it.

bats_require_minimum_version 1.5.0
load lib
load ca
load ../lib/pg

setup_file() {
	pg_bin >/dev/null || skip "PostgreSQL is not installed"
	pg_init
	ca_init "$BATS_FILE_TMPDIR/a"
	ca_json --arg url "$(pg_url)" '.db = {"type": "postgresql", "dataSource": $url} | .crl = {"enabled": true, "generateOnRevoke": true}'
	cp -r "$BATS_FILE_TMPDIR/a" "$BATS_FILE_TMPDIR/b"
	sed -i "s#$BATS_FILE_TMPDIR/a/#$BATS_FILE_TMPDIR/b/#g" "$BATS_FILE_TMPDIR/b/step/config/"*.json
}

setup() {
	cd "$BATS_TEST_TMPDIR"
}

teardown_file() {
	local node failed=0
	for node in a b; do
		ca_use "$BATS_FILE_TMPDIR/$node"
		ca_stop || failed=1
	done
	pg_end
	return $failed
}

node() {
	ca_use "$BATS_FILE_TMPDIR/$1"
}

# fetch NODE FILE
fetch() {
	node "$1" && curl -sSf --cacert "$CA_ROOT" "$CA_URL/crl?pem" -o "$2"
}

# both list the certificate, and with the same list
both_list() {
	fetch a a.pem && fetch b b.pem && cmp -s a.pem b.pem &&
		openssl crl -in a.pem -noout -text | grep -qi "serial number: $(openssl x509 -noout -serial -in "$1" | sed 's/serial=//')"
}

revoke() {
	step ca revoke --cert "$1.crt" --key "$1.key"
}

@test "one makes it, both serve it, whichever revokes" {
	node a
	ca_start
	fetch a a.pem
	node b
	ca_start
	fetch b b.pem
	cmp a.pem b.pem # the stored one, not another
	issue one
	node a
	issue two
	revoke one
	ca_wait 'both_list one.crt'
	node b
	revoke two
	ca_wait 'both_list two.crt'
	# no number was taken in vain
	[ "$(grep -h 'revocation list made' "$BATS_FILE_TMPDIR"/[ab]/ca.log | wc -l)" = "$(pg_sql 'SELECT next FROM crl_number')" ]
}

@test "a node that is killed takes no list with it" {
	node a
	issue three
	revoke three
	ca_end KILL
	node b
	listed() { fetch b b.pem && openssl crl -in b.pem -noout -text | grep -qi "serial number: $(openssl x509 -noout -serial -in three.crt | sed 's/serial=//')"; }
	ca_wait listed
	node a
	ca_start
	ca_wait 'both_list three.crt'
}
