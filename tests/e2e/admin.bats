# What is out there, who would suffer if the CA stopped, and the end of a line: on the CA's own machine, over its admin
# socket.

bats_require_minimum_version 1.5.0
load lib
load ca

NOBODY=65534

setup_file() {
	ca_init "$BATS_FILE_TMPDIR/ca"
	cp -a "$CA_DIR" "$BATS_FILE_TMPDIR/made"
	unset CA_DIR
}

# copy_of DIR: a CA of its own there
copy_of() {
	cp -a "$BATS_FILE_TMPDIR/made" "$1"
	sed -i "s#$BATS_FILE_TMPDIR/ca#$1#g" "$1"/step/config/*.json
}

setup() {
	unset RUNTIME_DIRECTORY
	cd "$BATS_TEST_TMPDIR"
	copy_of "$PWD/ca"
	ca_use "$PWD/ca"
	JSON="$STEPPATH/config/ca.json"
	SOCKET="$STEPPATH/db/admin.sock"
	DB="$STEPPATH/db/perennial.db"
}

teardown() {
	local dir ok=0
	for dir in "$BATS_TEST_TMPDIR"/ca "$BATS_TEST_TMPDIR"/two; do
		[ ! -d "$dir" ] || { ca_use "$dir" && ca_stop; } || ok=1
	done
	[ -z "${OPEN:-}" ] || rm -rf "$OPEN"
	return $ok
}

reloaded() {
	local before
	before=$(grep -c "configuration .*reloaded" "$CA_DIR/ca.log" || true)
	kill -HUP "$CA_PID"
	ca_wait "[ \$(grep -c 'configuration .*reloaded' '$CA_DIR/ca.log') -gt $before ]"
}

# admin PATH [curl flags]
admin() {
	curl -sS --unix-socket "$SOCKET" "http://ca$1" "${@:2}"
}

# column N: of the lines that step ca list prints
column() {
	cut -f"$1"
}

decimal() {
	openssl x509 -noout -serial -in "$1" | cut -d= -f2 | python3 -c 'print(int(input(), 16))'
}

# insert N NAME NOT_AFTER: rows as the CA would write them, while it does not run
insert() {
	sqlite3 "$DB" "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		INSERT INTO lines (serial) SELECT 77000000 + i FROM n ORDER BY i;
		INSERT INTO certs (serial, subject, sans, provisioner_id, provisioner_name, provisioner_type, key_fp, new_key,
			not_before, not_after, granted_s, parent, line, generation, created, der)
		SELECT serial, $2, $2, 'x', 'admin', 1, randomblob(32), 1, unixepoch() - 3600, $3, 7200, NULL, id, 0,
			unixepoch(), x'00' FROM lines WHERE serial LIKE '77%' ORDER BY id"
}

# A database, as a CA has made it
make_db() {
	ca_start
	ca_stop
}

# --- what is out there

@test "what the CA has issued is listed, by what it is asked for" {
	ca_start
	issue web.local --san web.local --san www.local
	issue db.local --not-after 1h
	cp web.local.crt first.crt
	step ca renew --force web.local.crt web.local.key
	first=$(decimal first.crt) second=$(decimal web.local.crt) db=$(decimal db.local.crt)

	[ "$(step ca list | column 1)" = "$db"$'\n'"$second" ]
	[ "$(step ca list --all | column 1 | sort)" = "$(sort <<<"$first"$'\n'"$second"$'\n'"$db")" ]
	[ "$(step ca list --all "WEB" | wc -l)" -eq 2 ]
	[ "$(step ca list 'd?.local' | column 2)" = db.local ]
	[ "$(step ca list 'www*' | column 3)" = web.local,www.local ]
	[ "$(step ca list www | column 1)" = "$second" ]
	[ -z "$(step ca list nothing)" ]
	[ "$(step ca list --serial "$first" | column 8)" = renewed ]
	[ "$(step ca list --serial "0x$(openssl x509 -noout -serial -in first.crt | cut -d= -f2)" | column 1)" = "$first" ]
	[ "$(step ca list --parent "$first" | column 1)" = "$second" ]
	[ "$(step ca list --line "$second" | wc -l)" -eq 2 ]
	[ "$(step ca list --line "$second" --json | jq -r '.[].generation' | sort | tr '\n' ' ')" = "0 1 " ]
	for key in web.local.key first.crt "$(step ca list --serial "$first" | column 12)"; do
		[ "$(step ca list --key "$key" | wc -l)" -eq 2 ]
	done
	[ "$(step ca list --expiring-before 2h | column 2)" = db.local ]
	[ -z "$(step ca list --expiring-before 30m)" ]
	[ "$(step ca list --limit 1 | column 2)" = db.local ]
	[ "$(step ca list --provisioner 'adm*' | wc -l)" -eq 2 ]
	[ -z "$(step ca list --provisioner other)" ]
	[ -z "$(step ca list --revoked)$(step ca list --not-renewed)$(step ca list --expired)" ]
	[ "$(step ca list --json nothing)" = "[]" ]
	step ca list --json --serial "$second" | jq -e ".[0] | .serial == \"$second\" and .line == \"$first\" and
		.sans == [\"web.local\", \"www.local\"] and .state == \"active\" and .provisioner == \"admin\"" >/dev/null
}

@test "on a terminal it is a table, in a pipe it is columns" {
	ca_start
	issue web.local
	script -qec "step ca list" /dev/null >table
	head -1 table | grep -Eq '^NAME +PROVISIONER +STATE +NOT AFTER +LEFT +GEN +SERIAL'
	sed -n 2p table | grep -Eq "^web.local +admin +active +20[0-9TZ:-]+ +(23h59m|1d) +0 +$(decimal web.local.crt)"
	step ca list >columns
	[ "$(awk -F'\t' '{ print NF }' columns)" = 12 ]
}

@test "states: due, expired, revoked, closed" {
	ca_start
	issue due.local
	issue gone.local
	issue shut.local
	issue fine.local
	ca_stop
	sqlite3 "$DB" "UPDATE certs SET not_before = not_before - 60000, not_after = not_after - 60000 WHERE subject = 'due.local';
		UPDATE certs SET not_before = 1, not_after = 86401 WHERE subject = 'gone.local'"
	ca_start
	step ca revoke --admin --lineage "$(decimal shut.local.crt)"
	[ "$(step ca list --not-renewed | column 2)" = due.local ]
	[ "$(step ca list --expired | column 2,8)" = $'gone.local\texpired' ]
	[ "$(step ca list --revoked | column 2,8)" = $'shut.local\trevoked' ]
	[ "$(step ca list | column 2,8 | sort | tr '\n\t' ';,')" = "due.local,due;fine.local,active;shut.local,revoked;" ]
	[ "$(step ca list --all | wc -l)" -eq 4 ]
	step ca list --all --json | jq -e '[.[] | select(.subject == "shut.local")][0] | .is == ["revoked", "closed"] and
		.revokedAt and .reasonCode == 0' >/dev/null
}

@test "three thousand certificates come in pages, each of them once" {
	make_db
	insert 3000 "'host' || serial || '.local'" "unixepoch() + 3600 + id % 7 * 3600"
	ca_start
	step ca list >all
	[ "$(wc -l <all)" -eq 3000 ]
	[ "$(column 1 <all | sort -u | wc -l)" -eq 3000 ]
	sort -c -t$'\t' -k6,6 all
	[ "$(step ca list --limit 1234 | wc -l)" -eq 1234 ]
	[ "$(step ca list --json | jq length)" -eq 3000 ]
	[ "$(step ca list host77002999.local | wc -l)" -eq 1 ]
	step_run ca outage --for 100h --json --names 700
	expect 2 ""
	[ "$(jq '[.expiring, ([.counts[].certificates] | add), (.certificates | length)] | @csv' -r <<<"$out")" = 3000,3000,700 ]
	# the record tells of the question once, not of each page
	[ "$(grep -c 'path=/certificates .*rows' "$CA_DIR/ca.log")" -eq 1 ]
}

@test "names that fill a page make it shorter, and none is lost" {
	make_db
	insert 100 "replace(hex(zeroblob(4000)), '00', 'name.example' || char(10)) || serial" "unixepoch() + 3600"
	ca_start
	[ "$(step ca list | column 1 | sort -u | wc -l)" -eq 100 ]
	[ "$(step ca list --json | jq length)" -eq 100 ]
	[ "$(admin /certificates -d '{}' | jq '.cursor != null and (.certificates | length) < 50')" = true ]
}

@test "a name made to steer a terminal is shown as text" {
	make_db
	insert 1 "'evil' || char(27) || '[2J' || char(10) || char(9) || char(8238) || 'txt.local'" "unixepoch() + 3600"
	sqlite3 "$DB" "UPDATE certs SET provisioner_name = char(27) || ']0;x' || char(7),
		sans = sans || char(10) || CAST(x'fffe' AS TEXT)"
	ca_start
	for how in "" --json; do
		step ca list $how >got
		refute grep -q $'[\e\a]' got
		refute grep -q $'\xe2\x80\xae' got
	done
	[ "$(step ca list | wc -l)" -eq 1 ]
	[ "$(step ca list | awk -F'\t' '{ print NF }')" -eq 12 ]
	step ca list | column 2 | grep -Fq 'evil\x1b[2J\x0a\x09\xe2\x80\xaetxt.local'
	script -qec "step ca list" /dev/null >table
	refute grep -q $'[\e\a]' table
	step_run ca outage --for 2h
	expect 2 ""
	[[ "$out" == *'evil\x1b[2J'* ]]
	refute grep -q $'\e' .out
	refute grep -q $'\e' "$CA_DIR/ca.log"
}

# --- an outage

@test "what would expire if the CA stopped: numbers, names, exit status" {
	ca_start
	step_run ca outage
	expect 0 ""
	[[ "$out" == *"no certificate would expire within 1d"*"There is no certificate that could expire."* ]]
	issue soon.local --not-after 2h
	issue later.local --not-after 20h
	issue renewed.local --not-after 3h
	issue revoked.local --not-after 3h
	cp renewed.local.crt old.crt
	step ca revoke --admin "$(decimal revoked.local.crt)"

	step_run ca outage --for 1h
	expect 0 ""
	[[ "$out" == *"no certificate would expire within 1h"*": soon.local"* ]]
	step_run ca outage --for 4h
	expect 2 ""
	[[ "$out" == *"2 certificates would expire within 4h."* ]]
	[[ "$out" == *"The first would at "*", in 1h59m: soon.local"* || "$out" == *"in 2h: soon.local"* ]]
	[[ "$out" == *"renewed.local"* && "$out" != *"revoked.local"* && "$out" != *"later.local"* ]]
	# what was renewed does not count any more, though it has not expired
	step ca renew --force renewed.local.crt renewed.local.key
	sqlite3 "$DB" "UPDATE certs SET not_after = not_after + 86400 WHERE serial = '$(decimal renewed.local.crt)'"
	step_run ca outage --for 4h --json
	expect 2 ""
	[ "$(jq -r '[.expiring, .first.subject, (.counts | length), .width] | @csv' <<<"$out")" = '1,"soon.local",1,3600' ]
	step_run ca outage --for 21h --json --names 0
	[ "$(jq -r '[.expiring, (.certificates | length), ([.counts[].certificates] | add)] | @csv' <<<"$out")" = 2,0,2 ]
	step_run ca outage --for 2000h --json
	[ "$(jq -r '[.expiring, .width] | @csv' <<<"$out")" = 3,86400 ]
	for bad in "--for 59s" "--for x" "--names -1"; do
		step_run ca outage $bad
		expect 1
	done
}

# --- the end of a certificate and of a line

@test "a line ends on the CA's machine, without a token, and the record says by whom" {
	ca_start
	issue line.local
	cp line.local.crt old.crt
	step ca renew --force line.local.crt line.local.key
	step_run ca revoke --admin --lineage --dry-run "$(decimal old.crt)"
	expect 0
	[ "$(wc -l <<<"$out")" -eq 2 ]
	[[ "$err" == *"2 unexpired certificates would be revoked"* ]]
	cp line.local.crt try.crt
	step ca renew --force try.crt line.local.key
	step_run ca revoke --admin --lineage --reason "laptop lost" --reasonCode keyCompromise "$(decimal old.crt)"
	expect 0
	[[ "$err" == *"3 unexpired certificates have been revoked"* ]]
	refute step ca renew --force line.local.crt line.local.key
	step_run ca revoke --admin --lineage "$(decimal old.crt)"
	expect 1
	[[ "$err" == *"is already revoked"* ]]
	[ "$(sqlite3 "$DB" "SELECT DISTINCT provisioner || '|' || reason || '|' || reason_code FROM revocations")" = \
		"admin uid $(id -u)|laptop lost|1" ]
	[ "$(sqlite3 "$DB" "SELECT closed_by FROM lines WHERE closed_at IS NOT NULL")" = "admin uid $(id -u)" ]
	grep 'msg="line revoked"' "$CA_DIR/ca.log" | grep -q "provisioner=\"admin uid $(id -u)\" remote-address=\"uid $(id -u) pid [0-9]*\""
}

@test "descendants, and one certificate" {
	ca_start
	issue a.local
	cp a.local.crt 0.crt
	step ca renew --force a.local.crt a.local.key
	cp a.local.crt 1.crt
	step ca renew --force a.local.crt a.local.key
	step ca revoke --admin --descendants "$(decimal 1.crt)"
	[ "$(step ca list --revoked --all | wc -l)" -eq 2 ]
	cp 0.crt try.crt
	step ca renew --force try.crt a.local.key
	issue b.local
	step_run ca revoke --admin "$(decimal b.local.crt)"
	expect 0
	refute step ca renew --force b.local.crt b.local.key
	step_run ca revoke --admin "$(decimal b.local.crt)"
	expect 1
	[[ "$err" == *"is already revoked"* ]]
	step_run ca revoke --admin --cert b.local.crt --key b.local.key
	expect 1 "flag '--admin' is incompatible with '--cert'"
	step_run ca revoke --admin --token x 1
	expect 1 "flag '--admin' is incompatible with '--token'"
	step_run ca revoke --admin nonsense
	expect 1
}

# --- who, where

@test "another user gets nothing, whatever the file's mode" {
	need_cmd setpriv curl
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	OPEN=$(mktemp -d)
	chmod 755 "$OPEN"
	mkdir -m 755 "$OPEN/run"
	SOCKET="$OPEN/run/admin.sock"
	ca_json ".adminSocket = \"$SOCKET\""
	ca_start
	[ "$(stat -c %a "$SOCKET")" = 600 ]
	as_nobody() {
		setpriv --reuid=$NOBODY --regid=$NOBODY --clear-groups env HOME=/nonexistent STEPPATH=/nonexistent "$@"
	}
	run as_nobody curl -sS --unix-socket "$SOCKET" http://ca/info
	[ "$status" -eq 7 ]
	[[ "$output" == *"Permission denied"* || "$output" == *"Couldn't connect"* || "$output" == *"Failed to connect"* ]]
	# a mode that somebody has widened does not help: the kernel says who is there
	chmod 666 "$SOCKET"
	for path in /info /certificates /revoke /nothing; do
		[ "$(as_nobody curl -sS --unix-socket "$SOCKET" -d '{}' "http://ca$path" | jq .status)" = 403 ]
	done
	grep 'msg="admin request"' "$CA_DIR/ca.log" | grep -q "level=warning.*from=\"uid $NOBODY pid [0-9]*\".*status=403"
	if as_nobody test -x "$BUILD_DIR/step"; then
		run as_nobody "$BUILD_DIR/step" ca list --admin-socket "$SOCKET"
		[ "$status" -eq 1 ]
		[[ "$output" == *"only root and the user that runs the certificate authority may use its admin socket"* ]]
		chmod 600 "$SOCKET"
		run as_nobody "$BUILD_DIR/step" ca list --admin-socket "$SOCKET"
		[ "$status" -eq 1 ]
		[ "$output" = "no right to $SOCKET: only root and the user that runs the CA may use it" ]
	fi
	step ca list --admin-socket "$SOCKET"
}

@test "nothing of it is on the network" {
	ca_start
	for path in /info /certificates /1.0/certificates; do
		[ "$(curl -s --cacert "$CA_ROOT" -o /dev/null -w '%{http_code}' -d '{}' "$CA_URL$path")" = 404 ]
	done
	# and nothing of the network's is on it
	for path in /sign /renew /provisioners /health; do
		[ "$(admin "$path" -o /dev/null -w '%{http_code}')" = 404 ]
	done
}

@test "questions that make no sense are refused, and the socket goes on" {
	ca_start
	local body
	while read -r body; do
		[ "$(admin /certificates -d "$body" | jq .status)" = 400 ] || { echo "^ $body"; return 1; }
	done <<-'END'
		[]
		{
		{"serial":"x"}
		{"serial":5}
		{"line":"-1"}
		{"key":"00"}
		{"key":"zz00000000000000000000000000000000000000000000000000000000000000"}
		{"only":"revoked"}
		{"skip":["nothing"]}
		{"skip":[7]}
		{"from":"now"}
		{"from":1.5}
		{"before":999999999999999}
		{"rows":501}
		{"rows":-1}
		{"width":59}
		{"cursor":"1"}
		{"cursor":"1."}
		{"cursor":".1"}
		{"cursor":"1.2.3"}
		{"cursor":"1.-2"}
		{"cursor":"99999999999999999999.1"}
		{"name":["a"]}
	END
	[ "$(admin /certificates -d "{\"name\":\"$(printf '%0300d' 0)\"}" | jq .status)" = 400 ]
	[ "$(admin /certificates -d '{}' | jq -c .)" = '{"certificates":[]}' ]
	[ "$(admin /revoke -d '{"serial":"1"}' | jq .status)" = 501 ]
	[ "$(admin /revoke-line -d '{"serial":"1"}' | jq .status)" = 400 ]
}

@test "what a killed CA left is replaced; a clean end leaves nothing" {
	ca_start
	ca_end KILL
	[ -S "$SOCKET" ]
	step_run ca list
	expect 1 "no CA listens on $SOCKET: start step-ca, or name its socket with '--admin-socket'"
	ca_start
	step ca list
	ca_stop
	absent "$SOCKET" "$SOCKET.lock"
	step_run ca list
	expect 1
	[[ "$err" == "no CA with $JSON runs on this machine: there is neither $SOCKET nor /run/step-ca/admin.sock; "* ]]
}

@test "a reload keeps the socket" {
	ca_start
	ca_json '.adminSocket = "/nowhere/else"'
	reloaded
	grep -q 'adminSocket: changed in the configuration; the old one holds until a restart' "$CA_DIR/ca.log"
	step ca list --admin-socket "$SOCKET"
}

@test "two CAs on one machine are not mistaken for each other" {
	ca_start
	issue one.local
	one="$CA_DIR"
	copy_of "$PWD/two"
	ca_use "$PWD/two"
	ca_start
	issue two.local
	[ "$(step ca list | column 2)" = two.local ]
	[ "$(step ca list --ca-config "$one/step/config/ca.json" | column 2)" = one.local ]
	# one that was told to take the other's socket does not start
	ca_stop
	ca_json ".adminSocket = \"$one/step/db/admin.sock\""
	run ca_start
	[ "$status" -eq 1 ]
	[[ "$output" == *"adminSocket: socket $one/step/db/admin.sock: another program listens there"* ]]
	# and whoever asks by its configuration is not answered by the other
	step_run ca list
	expect 1
	[[ "$err" == "the CA on $one/step/db/admin.sock was started with $one/step/config/ca.json, not with $PWD/two/step/config/ca.json"* ]]
	ca_use "$one"
}

@test "where the socket is: off, a runtime directory, one that will not do" {
	ca_json '.adminSocket = "off"'
	ca_start
	absent "$SOCKET"
	step_run ca list
	expect 1 "$JSON switches the admin socket off (adminSocket)"
	ca_stop
	ca_json 'del(.adminSocket)'
	mkdir -m 700 run
	RUNTIME_DIRECTORY="$PWD/run:/other" ca_start
	[ -S run/admin.sock ]
	step ca list --admin-socket run/admin.sock
	STEP_ADMIN_SOCKET=run/admin.sock step ca list
	ca_stop
	# without a database there is no folder for it
	ca_json 'del(.db)'
	ca_start
	grep -q 'no admin socket: neither $RUNTIME_DIRECTORY nor' "$CA_DIR/ca.log"
	ca_stop
	ca_json ".db = {type: \"sqlite\", dataSource: \"$STEPPATH/db\"}"
	# the default that fails is missed with a warning, one that was asked for stops the start
	mkdir -m 1777 open
	RUNTIME_DIRECTORY="$PWD/open" ca_start
	grep -q 'no admin socket.*others may write in its folder' "$CA_DIR/ca.log"
	ca_stop
	ca_json ".adminSocket = \"$PWD/open/admin.sock\""
	run ca_start
	[ "$status" -eq 1 ]
	[[ "$output" == *"adminSocket: socket $PWD/open/admin.sock: others may write in its folder"* ]]
	step_run ca list --ca-config nosuch.json
	expect 1 "open nosuch.json failed: no such file or directory"
	STEPPATH=/nonexistent step_run ca list
	expect 1
	[[ "$err" == "this machine has no CA: there is neither /nonexistent/config/ca.json nor /run/step-ca/admin.sock; "* ]]
}
