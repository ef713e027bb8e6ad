#!/usr/bin/env bats
# step-ca db check, backup, restore, export: beside a running CA, and what an old backup must not bring back.

bats_require_minimum_version 1.5.0
load ca
load ../lib/pg

setup() {
	cd "$BATS_TEST_TMPDIR"
	ca_init "$PWD/ca"
	JSON="$STEPPATH/config/ca.json" DB="$STEPPATH/db/perennial.db" PW="$CA_DIR/password.txt"
	db() { step-ca db "$@" --config "$JSON"; }
	sql() { python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); r = c.execute(sys.argv[2]).fetchall(); c.commit(); print(r[0][0] if r else "")' "$DB" "$1"; }
	token() { step ca token "$1" --provisioner admin --password-file "$PW" 2>/dev/null; }
	issue() { step ca certificate "$1" "$1.crt" "$1.key" --token "$(token "$1")" --force 2>/dev/null; }
	serial() { python3 -c "print(int('$(openssl x509 -in "$1.crt" -noout -serial | cut -d= -f2)', 16))"; }
	revoke() { step ca revoke "$(serial "$1")" --token "$(step ca token "$(serial "$1")" --revoke --provisioner admin --password-file "$PW" 2>/dev/null)"; }
	renews() { step ca renew --force "$1.crt" "$1.key"; }
	settled() { sha256sum "$DB"; ls "$STEPPATH/db"; }
}

teardown() {
	local failed=0
	ca_stop || failed=1
	pg_end
	return $failed
}

@test "check, backup and export while the CA runs" {
	ca_start
	issue a.local
	issue b.local
	renews b.local
	revoke a.local
	run -0 db check
	[ "$output" = "The database is sound." ]
	umask 022
	: >copy.db
	run -0 db backup copy.db
	[ "$output" = "copy.db holds 3 certificates and 1 revocations." ]
	[ "$(stat -c %a copy.db)" = 600 ]
	[ "$(ls copy.db*)" = copy.db ]
	[ "$(python3 -c 'import sqlite3; c = sqlite3.connect("copy.db"); print(c.execute("PRAGMA integrity_check").fetchone()[0], c.execute("SELECT count(*) FROM certs").fetchone()[0])')" = "ok 3" ]
	db export >all.json
	[ "$(jq -r .type all.json | sort | uniq -c | xargs)" = "3 certificate 1 revocation" ]
	[ "$(jq -r 'select(.type == "revocation") | .serial' all.json)" = "$(serial a.local)" ]
	[ "$(jq -r 'select(.type == "revocation") | .reason' all.json)" = "" ]
	[ "$(jq -r "select(.serial == \"$(serial b.local)\") | .generation" all.json)" = 1 ]
	[ "$(jq -r "select(.serial == \"$(serial b.local)\") | .sans[0]" all.json)" = b.local ]
	jq -r "select(.type == \"certificate\" and .serial == \"$(serial a.local)\") | .der" all.json | base64 -d >a.der
	cmp a.der <(openssl x509 -in a.local.crt -outform DER)
	# the CA noticed nothing of it
	renews b.local
	issue c.local
}

@test "restoring an old backup revives nothing that was revoked or used since" {
	ca_start
	issue a.local
	issue d.local
	db backup old.db
	revoke a.local
	issue c.local
	used=$(token d.local)
	step ca certificate d.local d2.crt d2.key --token "$used"
	step ca revoke --lineage "$(serial d.local)" --provisioner admin --password-file "$PW"
	# not while the CA runs
	before=$(sql 'SELECT count(*) FROM tokens')
	run -1 db restore old.db
	[[ "$output" = *"is held by process $CA_PID; stop it first"* ]]
	renews c.local
	ca_end KILL
	run -0 db restore old.db
	[[ "$output" = "Restored the backup of "*"Taken over from the replaced database: 3 certificates, 2 revocations, "*"It is kept as $DB.replaced-"* ]]
	[ "$(ls "$STEPPATH/db" | grep -c replaced)" = 1 ]
	[ "$(stat -c %a "$DB")" = 600 ]
	absent() { [ ! -e "$1" ]; }
	absent "$DB.restore"
	run -0 db check
	[ "$(sql 'SELECT count(*) FROM tokens')" -ge "$before" ]
	ca_start
	run renews a.local
	[ "$status" -ne 0 ]
	[[ "$output" = *"request lacked necessary authorization"* ]]
	renews c.local
	run renews d.local
	[ "$status" -ne 0 ] # its line was closed
	run step ca certificate d.local d3.crt d3.key --token "$used"
	[ "$status" -ne 0 ]
	issue e.local
	db check
}

@test "the database is damaged: what can be read is taken over, and what is unknown is told" {
	ca_start
	issue a.local
	db backup old.db
	issue b.local
	revoke a.local
	early=$(token e.local)
	ca_stop
	# the table of certificates is gone, the others are whole
	page=$(sql "SELECT rootpage FROM sqlite_schema WHERE name = 'certs'")
	dd if=/dev/urandom of="$DB" bs=4096 seek=$((page - 1)) count=1 conv=notrunc 2>/dev/null
	sum=$(sha256sum <"$DB")
	run -1 db check
	run -3 db restore old.db
	[[ "$output" = *", 1 revocations, "*"The replaced database is not whole"*"have to be made again"* ]]
	kept=$(ls "$DB".replaced-*)
	[ "$(sha256sum <"$kept")" = "$sum" ]
	run -1 db check # b.local's row is lost, the token that gave it is not
	[[ "$output" = "1 used tokens whose certificate is not there, the first is $(serial b.local)." ]]
	ca_start
	run renews a.local
	[ "$status" -ne 0 ]
	renews b.local # nobody knows it any more
	run step ca certificate e.local e.crt e.key --token "$early"
	[ "$status" -ne 0 ]
	grep -q "is older than this CA's store" "$CA_DIR/ca.log"
}

@test "a table with a hole is read from both its ends" {
	ca_start
	issue a.local
	db backup old.db
	revoke a.local
	ca_stop
	python3 - "$DB" <<-'END'
		import sqlite3, sys
		c = sqlite3.connect(sys.argv[1])
		for i in range(3000):
		    c.execute("INSERT INTO tokens VALUES (?, NULL, 9999999999)", (f"token-{i:04}-" + "x" * 50,))
		    c.execute("INSERT INTO revocations (serial, reason_code, reason, provisioner, mtls, revoked_at)"
		              " VALUES (?, 0, '', '', 0, 1)", (f"77{i:04}",))
		c.commit()
		c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
		c.close()
		with open(sys.argv[1], "r+b") as f:
		    data = f.read()
		    for what in (b"token-1500-", b"771500"):
		        at = data.find(what)
		        while at >= 0: # in the table, and in its index
		            f.seek(at // 4096 * 4096)
		            f.write(b"\xff" * 4096)
		            at = data.find(what, (at // 4096 + 1) * 4096)
	END
	run -1 db check
	run -3 db restore old.db
	[[ "$output" = *"The replaced database is not whole"* ]]
	for i in 0000 0700 2300 2999; do
		[ "$(sql "SELECT count(*) FROM tokens WHERE id LIKE 'token-$i-%'")" = 1 ]
		[ "$(sql "SELECT count(*) FROM revocations WHERE serial = '77$i'")" = 1 ]
	done
	[ "$(sql "SELECT count(*) FROM tokens WHERE id LIKE 'token-1500-%'")" = 0 ]
	[ "$(sql "SELECT count(*) FROM revocations WHERE serial = '$(serial a.local)'")" = 1 ]
	[ "$(sql "SELECT count(*) FROM tokens")" -gt 2800 ]
	run -0 db check
}

@test "the database is lost, or no database at all" {
	ca_start
	issue a.local
	db backup old.db
	revoke a.local
	db export | grep '"type":"revocation"' >revocations.json
	ca_stop
	rm "$STEPPATH"/db/*
	run -3 db restore old.db
	[[ "$output" = *"there was no database"* ]]
	[ -z "$(ls "$STEPPATH/db" | grep replaced)" ]
	run -0 db import revocations.json --config "$JSON"
	[ "$output" = "1 revocations read, 1 of them new." ]
	ca_start
	run renews a.local
	[ "$status" -ne 0 ]
}

@test "the revocation list after a restoring: what it named it names, and its number goes up" {
	jq '.crl = {enabled: true, generateOnRevoke: true}' "$JSON" >crl.json
	cp crl.json "$JSON"
	list() { curl -sSf --cacert "$CA_ROOT" "$CA_URL/1.0/crl?pem" -o list.pem; }
	number() { echo $((16#$(openssl crl -in list.pem -noout -crlnumber | sed 's/.*0x//; s/.*=//'))); }
	names() { list && openssl crl -in list.pem -noout -text | grep -qi "serial number: $(openssl x509 -in "$1.crt" -noout -serial | sed 's/serial=//')"; }
	ca_start
	issue a.local
	issue b.local
	db backup old.db
	revoke a.local
	ca_wait 'names a.local'
	revoke b.local
	ca_wait 'names b.local'
	last=$(number)
	ca_stop
	run -0 db restore old.db
	ca_start
	ca_wait 'names a.local'
	names b.local
	[ "$(number)" -gt "$last" ]
	last=$(number)
	ca_stop
	rm "$STEPPATH"/db/*
	run -3 db restore old.db
	[ "$(sqlite3 "$DB" "SELECT next FROM crl_number")" -gt "$last" ] # how many lists were made since is not known
	run -0 db import list.pem
	[ "$output" = "2 revocations read, 2 of them new." ]
	ca_start
	ca_wait 'names b.local'
	names a.local
	[ "$(number)" -gt "$last" ]
}

@test "root restores for the CA's user" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	ca_start
	issue a.local
	db backup old.db
	ca_stop
	rm "$STEPPATH"/db/*
	chown 65534:65534 "$STEPPATH/db"
	run -3 db restore old.db
	[ "$(stat -c '%u %a' "$STEPPATH"/db/* | sort -u)" = "65534 600" ]
	rm "$STEPPATH"/db/*
	ca_start
	[ "$(stat -c %u "$DB" "$STEPPATH/db/perennial.lock" "$STEPPATH/db/perennial.reserve" | sort -u)" = 65534 ]
}

@test "what is no backup changes nothing" {
	ca_start
	issue a.local
	db backup good.db
	ca_stop
	before=$(settled)
	refuse() {
		run -1 db restore "$1"
		[[ "$output" = *"$2"* ]] || { echo "$output"; return 1; }
		[ "$(settled)" = "$before" ]
	}
	refuse nosuch.db "no such file"
	refuse . "is not a file"
	: >empty
	refuse empty "is empty"
	head -c 5000 /dev/urandom >noise
	refuse noise "not a database"
	head -c 20000 good.db >short.db
	refuse short.db "backup short.db"
	cp good.db flipped.db
	dd if=/dev/urandom of=flipped.db bs=4096 seek=3 count=2 conv=notrunc 2>/dev/null
	refuse flipped.db "backup flipped.db"
	python3 -c 'import sqlite3; c = sqlite3.connect("other.db"); c.execute("CREATE TABLE t (a)"); c.commit()'
	refuse other.db "belongs to another program"
	cp good.db newer.db
	python3 -c 'import sqlite3; c = sqlite3.connect("newer.db"); c.execute("PRAGMA user_version = 99"); c.commit()'
	refuse newer.db "newer version"
	refuse "$DB" "is the database itself"
	run -1 db backup "$DB"
	[[ "$output" = *"is the database itself"* ]]
	run -1 db backup .
	run -1 db backup nosuch/folder/x.db
	mkfifo pipe
	refuse pipe "pipe is not a file"
	cp good.db nameless.db
	python3 -c 'import sqlite3; c = sqlite3.connect("nameless.db"); c.execute("DELETE FROM meta"); c.commit()'
	refuse nameless.db "the backup has no name"
	[ "$(settled)" = "$before" ]
}

@test "a backup takes the place of a backup, and of nothing else" {
	ca_start
	issue a.local
	folder=$(dirname "$DB")
	files=$(stat -c "%i %n" "$folder"/*)
	for name in perennial.db perennial.db-wal perennial.db-shm perennial.db-journal perennial.lock perennial.reserve; do
		run -1 db backup "$folder/$name"
		[[ "$output" = *"$name is the database itself"* ]]
		cd "$folder"
		run -1 db backup "$name"
		cd "$BATS_TEST_TMPDIR"
	done
	[ "$(stat -c "%i %n" "$folder"/*)" = "$files" ]
	cp a.local.key before.key
	run -1 db backup a.local.key
	[[ "$output" = "a.local.key is there and is no backup; remove it, or give another name" ]]
	cmp a.local.key before.key
	run -1 db backup ""
	[[ "$output" = "the copy has no name; give one" ]]
	mkfifo pipe
	run -1 db backup pipe
	: >new.db
	db backup new.db
	db backup new.db
	db backup perennial.lock # in another folder a name like any other
	ca_stop
	db restore new.db
}

@test "check finds what no program of ours would write" {
	ca_start
	issue a.local
	issue b.local
	renews b.local
	ca_stop
	broken() {
		cp "$DB" keep.db
		sql "$1"
		run -1 db check
		cp keep.db "$DB"
		[[ "$output" = *"$2"* ]] || { echo "$1: $output"; return 1; }
	}
	broken "DELETE FROM lines" "3 certificates without a line"
	broken "UPDATE certs SET generation = 7 WHERE generation = 1" "1 certificates whose line or generation is not their parent's"
	broken "DELETE FROM certs WHERE generation = 0 AND subject = 'a.local'" "1 used tokens whose certificate is not there"
	broken "UPDATE certs SET not_after = not_after + 60 WHERE subject = 'a.local'" "holds other dates"
	broken "UPDATE certs SET serial = '5' WHERE subject = 'a.local'" "the row of certificate 5 holds another serial"
	broken "UPDATE certs SET key_fp = zeroblob(32) WHERE subject = 'a.local'" "holds another key"
	broken "UPDATE certs SET der = x'3000' WHERE subject = 'a.local'" "cannot be read"
	broken "UPDATE certs SET new_key = 0" "certificates whose key the index does not know"
	broken "UPDATE lines SET closed_at = 1" "certificates issued from a closed line"
	broken "UPDATE lines SET closed_at = 99999999999" "certificates of a closed line whose key is not blocked"
	broken "DELETE FROM meta" "rows too many or too few"
	local row="INSERT INTO revocations (serial, reason_code, reason, provisioner, mtls, revoked_at) VALUES"
	broken "$row ('12x', 0, '', '', 0, 0)" "1 revocations that no list can name, the first is 12x"
	broken "$row ('', 0, '', '', 0, 0)" "1 revocations that no list can name"
	broken "$row ('12', 11, '', '', 0, 0)" "1 revocations that no list can name, the first is 12"
	broken "UPDATE crl_number SET next = 9223372036854775807" "1 numbers of the next CRL"
	sql "$row ('12', 10, '', '', 0, 0)"
	run -0 db check
}

@test "a PostgreSQL database is checked and exported; its copies are its own tools' business" {
	pg_bin >/dev/null || skip "PostgreSQL is not installed"
	pg_init
	jq --arg url "$(pg_url)" '.db = {type: "postgresql", dataSource: $url}' "$JSON" >pg.json
	cp pg.json "$JSON"
	ca_start
	issue a.local
	issue b.local
	renews b.local
	revoke a.local
	run -0 db check
	[[ "$output" = *"The database is sound." ]]
	db export >all.json 2>/dev/null
	[ "$(jq -r .type all.json | sort | uniq -c | xargs)" = "3 certificate 1 revocation" ]
	[ "$(jq -r 'select(.type == "revocation") | .serial' all.json)" = "$(serial a.local)" ]
	jq -r "select(.type == \"certificate\" and .serial == \"$(serial a.local)\") | .der" all.json | base64 -d >a.der
	cmp a.der <(openssl x509 -in a.local.crt -outform DER)
	pg_sql "UPDATE certs SET generation = 7 WHERE generation = 1"
	run -1 db check
	[[ "$output" = *"1 certificates whose line or generation is not their parent's"* ]]
	pg_sql "UPDATE revocations SET serial = '-' || serial"
	run -1 db check
	[[ "$output" = *"1 revocations that no list can name, the first is -"* ]]
	for command in "backup x.db" "restore x.db"; do
		run -1 db $command
		[[ "$output" = *"pg_dump"* ]]
	done
}

@test "without a database there is nothing to do it with" {
	jq 'del(.db)' "$JSON" >memory.json
	JSON=memory.json
	for command in check export "backup x.db" "restore x.db"; do
		run -1 db $command
		[[ "$output" = *"no database is configured"* ]]
	done
	run -2 step-ca db check --config nosuch.json
}
