# Files that are wrong, missing, somebody else's, or cannot be written; passwords; and nobody there to ask. Each message is
# asserted, and that nothing was asked of the CA, and that the old files stand.

bats_require_minimum_version 1.5.0
load lib
load ca

NOBODY=65534

setup_file() {
	chmod 755 "$BATS_FILE_TMPDIR"
	ca_init "$BATS_FILE_TMPDIR/ca"
	ca_start
	cd "$BATS_FILE_TMPDIR"
	issue x.local
	issue other.local
	echo wrong >wrong.pw
	printf ' \n' >empty.pw
	echo hello >text
	: >empty
	head -c 300 x.local.crt >cut.crt
	sed 's/^MII/!!!/' x.local.crt >chars.crt
	openssl x509 -in x.local.crt -outform DER | head -c 200 >cut.der
	head -c 100 x.local.key >cut.key
	sed 's/^MHc/AAA/' x.local.key >broken.key
	step certificate create --profile root-ca --no-password --insecure "Other Root" other-root.crt other-root.key
	openssl ec -in x.local.key -aes256 -passout pass:secret -out locked.key 2>/dev/null
	cp "$CA_ROOT" root.crt
	chmod 644 root.crt
}

teardown_file() {
	ca_stop
}

setup() {
	HERE=$BATS_TEST_TMPDIR
	cd "$HERE"
	cp "$BATS_FILE_TMPDIR"/{x.local,other.local}.{crt,key} .
	ALL="$BATS_FILE_TMPDIR"
	PW="$CA_DIR/password.txt"
	asked_before=$(asked)
}

# What the CA was asked for that is more than a look
asked() {
	grep -cE 'path=/(sign|renew|rekey|revoke) ' "$CA_DIR/ca.log" || true
}

# fails_with TEXT ARGS...: step fails with this on stderr; the pair stands, no temporary file is left, and the CA was not
# asked.
fails_with() {
	step_run "${@:2}"
	expect 1 "$1" || return 1
	[ -z "$out" ]
	untouched
}

untouched() {
	cmp x.local.crt "$ALL/x.local.crt"
	cmp x.local.key "$ALL/x.local.key"
	[ -z "$(find . -name '.*.lock' -o -name '.*.new' -o -name '.*.journal')" ]
	[ "$(asked)" = "$asked_before" ]
}

# A user who owns nothing, but may look at the test's folders and run the programs
need_root() {
	[ "$(id -u)" -eq 0 ] || skip "takes root, to be somebody else"
	need_cmd setpriv
	local folder=$HERE
	while [ "${folder%/*}" ] && [ -O "$folder" ]; do
		chmod a+x "$folder"
		folder=${folder%/*}
	done
	chmod a+x "$ALL"
	as_nobody "$BUILD_DIR/step" path >/dev/null 2>&1 || skip "$BUILD_DIR is not open to other users"
}

as_nobody() {
	setpriv --reuid=$NOBODY --regid=$NOBODY --clear-groups env HOME=/nonexistent \
		STEP_CA_URL="$CA_URL" STEP_ROOT="$ALL/root.crt" "$@"
}

# ca_refuses TEXT FLAGS...: step-ca does not start
ca_refuses() {
	status=0
	step-ca "${@:2}" </dev/null >.out 2>.err || status=$?
	out=$(cat .out)
	err=$(cat .err)
	expect 2 "$1"
}

# --- passwords

@test "the CA's key: wrong password, no such file, an empty file, no password" {
	local json="$STEPPATH/config/ca.json" key="key: $STEPPATH/secrets/intermediate_ca_key"
	ca_refuses "$key: wrong password: the key could not be decrypted" "$json" --password-file "$ALL/wrong.pw"
	ca_refuses "$key: open nosuch.pw failed: no such file or directory" "$json" --password-file nosuch.pw
	ca_refuses "$key: the password in $ALL/empty.pw is empty" "$json" --password-file "$ALL/empty.pw"
	ca_refuses "$key: the CA key is encrypted: give its password with --password-file, or \"password\" in ca.json" "$json"
	jq '.password = "p5ssword"' "$json" >ca.json
	ca_refuses "$key: wrong password: the key could not be decrypted" ca.json
	ca_refuses "$key: wrong password: the key could not be decrypted" ca.json --password-file "$ALL/wrong.pw"
}

@test "the provisioner's key: wrong password, no such file, an empty file" {
	local tick
	tick="✔ Provisioner: admin (JWK) [kid: $(jq -r '.authority.provisioners[0].key.kid' "$STEPPATH/config/ca.json")]"
	for cmd in "ca token a.local" "ca certificate a.local a.crt a.key" "ca revoke 17"; do
		fails_with "$tick"$'\n'"failed to decrypt JWE: invalid password" $cmd --password-file "$ALL/wrong.pw"
		fails_with "$tick"$'\n'"open nosuch.pw failed: no such file or directory" $cmd --password-file nosuch.pw
		fails_with "$tick"$'\n'"the password in $ALL/empty.pw is empty" $cmd --provisioner-password-file "$ALL/empty.pw"
	done
	absent a.crt a.key
	# the provisioner's own file comes first
	fails_with "$tick"$'\n'"failed to decrypt JWE: invalid password" \
		ca token a.local --password-file "$PW" --provisioner-password-file "$ALL/wrong.pw"
	step_run ca token a.local --password-file "$ALL/wrong.pw" --provisioner-password-file "$PW"
	expect 0 "$tick"
}

@test "a locked key of the pair: wrong password, an empty file" {
	local loading="error loading private key: error reading $ALL/locked.key:"
	fails_with "$loading wrong password: the key could not be decrypted" \
		ca renew --force --password-file "$ALL/wrong.pw" x.local.crt "$ALL/locked.key"
	fails_with "$loading the password in $ALL/empty.pw is empty" \
		ca renew --force --password-file "$ALL/empty.pw" x.local.crt "$ALL/locked.key"
	fails_with "$loading open nosuch.pw failed: no such file or directory" \
		ca rekey --force --password-file nosuch.pw x.local.crt "$ALL/locked.key"
	fails_with "$loading wrong password: the key could not be decrypted" \
		ca revoke --cert x.local.crt --key "$ALL/locked.key" --password-file "$ALL/wrong.pw"
	echo secret >right.pw
	step_run ca renew --force --password-file right.pw x.local.crt "$ALL/locked.key"
	expect 0 "Your certificate has been saved in x.local.crt."
}

@test "ca init: no password, an empty one, no such file: no PKI" {
	export STEPPATH="$HERE/new"
	local flags="--name x --dns localhost --address :9 --provisioner a"
	fails_with "there is no terminal to ask for a password: use '--password-file'" ca init $flags
	fails_with "the password in $ALL/empty.pw is empty" ca init $flags --password-file "$ALL/empty.pw"
	fails_with "open nosuch.pw failed: no such file or directory" ca init $flags --password-file nosuch.pw
	fails_with "the password in $ALL/empty.pw is empty" ca init $flags --password-file "$PW" --provisioner-password-file "$ALL/empty.pw"
	absent "$STEPPATH"
}

# --- nobody to ask

@test "without a terminal: each question names the flag that answers it" {
	local exists="exists already: use '--force' to replace it"
	unset STEP_NON_INTERACTIVE
	step() { command setsid -w "$BUILD_DIR/step" "$@"; }
	cp "$CA_ROOT" root.crt
	openssl req -new -key x.local.key -subj /CN=x.local -out x.csr
	fails_with "x.local.crt $exists" ca renew x.local.crt x.local.key
	fails_with "x.local.crt $exists" ca rekey x.local.crt x.local.key
	fails_with "x.local.key $exists" ca rekey --out-cert new.crt x.local.crt x.local.key
	fails_with "x.local.crt $exists" ca certificate x.local x.local.crt x.local.key --password-file "$PW"
	fails_with "x.local.key $exists" ca certificate x.local new.crt x.local.key --password-file "$PW"
	fails_with "x.local.crt $exists" ca sign x.csr x.local.crt --password-file "$PW"
	fails_with "root.crt $exists" ca root root.crt
	fails_with "root.crt $exists" ca roots root.crt
	fails_with "root.crt $exists" ca federation root.crt
	fails_with "root.crt $exists" ca token --password-file "$PW" a.local --output-file root.crt
	fails_with "$CA_ROOT $exists" ca bootstrap --fingerprint "$(step certificate fingerprint root.crt)"
	absent new.crt
	fails_with "error loading private key: error reading $ALL/locked.key: a password is needed and there is no terminal to ask for it: use '--password-file'" \
		ca renew --force x.local.crt "$ALL/locked.key"
	step_run ca token a.local
	[[ "$err" == *$'\n'"a password is needed and there is no terminal to ask for it: use '--provisioner-password-file'" ]]
	fails_with "$CA_ROOT exists already, and nothing of an existing CA is replaced without a person's word: remove it, or set STEPPATH to another folder" \
		ca init --name x --dns localhost --address :9 --provisioner a --password-file "$PW"
	fails_with "there is no terminal to ask: use '--name'" ca init
	fails_with "there is no terminal to ask: use '--dns'" ca init --name x
	fails_with "there is no terminal to ask: use '--address'" ca init --name x --dns localhost
	fails_with "there is no terminal to ask: use '--provisioner'" ca init --name x --dns localhost --address :9
}

@test "a piped answer is no answer" {
	unset STEP_NON_INTERACTIVE
	run --separate-stderr setsid -w bash -c 'yes | step ca renew x.local.crt x.local.key'
	[ "$stderr" = "x.local.crt exists already: use '--force' to replace it" ]
	untouched
}

# --- broken PEM

@test "certificates that are none" {
	local file text wrong=0
	while IFS='|' read -r file text; do
		fails_with "error reading certificate chain: ${text//@/$ALL}" ca renew --force "${file//@/$ALL}" x.local.key || wrong=1
	done <<-'END'
		@/cut.crt|@/cut.crt: not PEM: no END CERTIFICATE line
		@/chars.crt|@/chars.crt: not PEM: CERTIFICATE block: not base64: bad character
		@/cut.der|@/cut.der: certificate: not DER: cut short
		@/empty|@/empty: does not contain a valid PEM encoded certificate
		@/text|@/text: does not contain a valid PEM encoded certificate
		x.local.key|x.local.key: does not contain a valid PEM encoded certificate
		/dev/null|open /dev/null failed: not a regular file
		nosuch.crt|open nosuch.crt failed: no such file or directory
		/tmp|read /tmp failed: is a directory
	END
	[ "$wrong" -eq 0 ]
}

@test "private keys that are none" {
	local file text wrong=0
	while IFS='|' read -r file text; do
		fails_with "error loading private key: ${text//@/$ALL}" ca rekey --force x.local.crt "${file//@/$ALL}" || wrong=1
	done <<-'END'
		@/cut.key|error reading @/cut.key: not PEM: no END EC PRIVATE KEY line
		@/broken.key|error reading @/broken.key: not a private key
		@/empty|error reading @/empty: not a private key: no PRIVATE KEY block
		@/text|error reading @/text: not a private key: no PRIVATE KEY block
		x.local.crt|error reading x.local.crt: not a private key: no PRIVATE KEY block
		nosuch.key|open nosuch.key failed: no such file or directory
	END
	[ "$wrong" -eq 0 ]
}

@test "roots and requests that are none" {
	fails_with "error reading cert pool: $ALL/cut.crt: not PEM: no END CERTIFICATE line" ca health --root "$ALL/cut.crt"
	fails_with "error reading cert pool: $ALL/text: does not contain a valid PEM encoded certificate" \
		ca renew --force x.local.crt x.local.key --root "$ALL/text"
	fails_with "error reading cert pool: open nosuch failed: no such file or directory" ca health --root nosuch
	fails_with "error reading certificate request $ALL/text: does not contain a PEM encoded certificate request" ca sign "$ALL/text" a.crt
	fails_with "error reading certificate request x.local.crt: holds CERTIFICATE, not a certificate request" ca sign x.local.crt a.crt
	fails_with "error reading certificate request x.local.key: holds EC PRIVATE KEY, not a certificate request" ca sign x.local.key a.crt
	openssl req -new -key x.local.key -subj /CN=x.local -outform DER | python3 -c \
		'import sys; b = bytearray(sys.stdin.buffer.read()); b[-1] ^= 1; sys.stdout.buffer.write(b)' >forged.csr
	step_run ca sign forged.csr a.crt
	[ "$status" -eq 1 ]
	[[ "$err" == "error reading certificate request forged.csr: certificate request: its signature does not verify"* ]]
	absent a.crt
}

@test "a key that does not fit the certificate" {
	local text="the private key in other.local.key does not belong to the certificate in x.local.crt"
	fails_with "$text" ca renew --force x.local.crt other.local.key
	fails_with "$text" ca rekey --force x.local.crt other.local.key
	fails_with "$text" ca revoke --cert x.local.crt --key other.local.key
}

@test "the CA's own files: broken, foreign, not belonging together" {
	local filter text wrong=0 crt="$STEPPATH/certs/intermediate_ca.crt" key="$STEPPATH/secrets/intermediate_ca_key"
	while IFS='|' read -r filter text; do
		text=${text//@CRT@/$crt}
		text=${text//@KEY@/$key}
		jq "${filter//@/$ALL}" "$STEPPATH/config/ca.json" >ca.json
		ca_refuses "${text//@/$ALL}" ca.json --password-file "$PW" || wrong=1
	done <<-END
		.crt="@/cut.crt"|crt: @/cut.crt: not PEM: no END CERTIFICATE line
		.crt="nosuch"|crt: open nosuch failed: no such file or directory
		.crt="@/x.local.crt"|crt: @/x.local.crt: "x.local" may not sign certificates (it is no CA, or lacks keyCertSign); name the intermediate's certificate
		.root="@/text"|root: @/text: does not contain a valid PEM encoded certificate
		.root="nosuch"|root: open nosuch failed: no such file or directory
		.key="@/cut.key"|key: @/cut.key: not PEM: no END EC PRIVATE KEY line
		.key="@/x.local.key"|key: @/x.local.key is not the key of the first certificate in @CRT@, "Speedy Intermediate CA"; name the pair that belongs together
		.crt="$CA_ROOT"|key: @KEY@ is not the key of the first certificate in $CA_ROOT, "Speedy Root CA"; name the pair that belongs together
		.root="@/other-root.crt"|crt: @CRT@ does not lead to a certificate of root: x509: certificate signed by unknown authority (O=Speedy,CN=Speedy Intermediate CA)
	END
	[ "$wrong" -eq 0 ]
}

# --- files that cannot be written

@test "a full disk: said before the CA is asked" {
	[ "$(id -u)" -eq 0 ] || skip "takes root, to mount a small disk"
	mkdir disk
	mount -t tmpfs -o size=64k none disk 2>/dev/null || skip "no right to mount"
	full_disk || { umount disk; return 1; }
	umount disk
}

full_disk() {
	cp x.local.crt x.local.key disk && chmod 640 disk/x.local.crt &&
		{ dd if=/dev/zero of=disk/fill bs=4k 2>/dev/null || true; } &&
		fails_with "write disk/x.local.crt failed: no space left on device" ca renew --force disk/x.local.crt disk/x.local.key &&
		fails_with "write disk/x.local.crt failed: no space left on device" ca rekey --force disk/x.local.crt disk/x.local.key &&
		fails_with "write disk/a.crt failed: no space left on device" ca certificate a.local disk/a.crt disk/a.key --password-file "$PW" &&
		fails_with "write disk/root.crt failed: no space left on device" ca root disk/root.crt &&
		fails_with "write disk/token failed: no space left on device" ca token a.local --output-file disk/token --password-file "$PW" &&
		cmp disk/x.local.crt x.local.crt && cmp disk/x.local.key x.local.key &&
		[ "$(ls -A disk | sort | paste -sd' ')" = "fill x.local.crt x.local.key" ] &&
		rm disk/fill && step ca renew --force disk/x.local.crt disk/x.local.key && [ "$(stat -c %a disk/x.local.crt)" = 640 ]
}

@test "a full disk under the CA: no certificate leaves it, and it lives on" {
	[ "$(id -u)" -eq 0 ] || skip "takes root, to mount a small disk"
	mkdir -p "$HERE/small/ca/step"
	mount -t tmpfs -o size=40m none "$HERE/small/ca/step" 2>/dev/null || skip "no right to mount"
	full_store || { ca_stop; umount "$HERE/small/ca/step"; return 1; }
	ca_stop
	umount "$HERE/small/ca/step"
}

full_store() {
	ca_init "$HERE/small/ca" && ca_start && issue first.local || return 1
	dd if=/dev/zero of="$STEPPATH/fill" bs=1k 2>/dev/null || true
	local i refused=
	for i in $(seq 40); do
		if ! step ca renew --force --out renewed.crt first.local.crt first.local.key 2>err; then
			refused=yes
			break
		fi
	done
	[ -n "$refused" ] || { echo "never full"; return 1; }
	diff - err <<-'END' || return 1
		the certificate authority's disk is full and it can only revoke; try again later
		Re-run with STEPDEBUG=1 for more info.
	END
	grep -q "status=503" "$CA_DIR/ca.log" && grep -Eq 'error="[^"]*(full|no space left)' "$CA_DIR/ca.log" || { tail -3 "$CA_DIR/ca.log"; return 1; }
	# what could not be recorded was given to nobody
	refute grep "status=503.* serial=" "$CA_DIR/ca.log"
	rm "$STEPPATH/fill"
	# it looks for room once a second
	ca_wait 'step ca renew --force --out renewed.crt first.local.crt first.local.key 2>err' || { cat err; return 1; }
}

@test "a file that may not grow (ulimit -f)" {
	need_cmd prlimit
	# into another file system than the lock's: nothing but the limit stops it
	run --separate-stderr prlimit --fsize=500 "$BUILD_DIR/step" ca renew --force x.local.crt x.local.key
	[ "$status" -eq 1 ]
	[ "$stderr" = "write x.local.crt failed: file too large" ]
	untouched
}

@test "standard output that cannot be written" {
	[ -w /dev/full ] || skip "there is no /dev/full"
	status=0
	step ca roots >/dev/full 2>err || status=$?
	[ "$status" -eq 1 ]
	[ "$(cat err)" = "write standard output failed: no space left on device" ]
	status=0
	token a.local >/dev/full || status=$?
	[ "$status" -eq 1 ]
}

@test "a read-only folder" {
	need_root
	mkdir r
	cp x.local.crt x.local.key r/
	chmod 644 r/*
	chmod 555 r
	chmod 755 .
	export STEPPATH=/nonexistent/step
	step() { as_nobody "$BUILD_DIR/step" "$@"; }
	local no="is not writable: state folder (STATE_DIRECTORY, STEPPATH): mkdir /nonexistent failed: permission denied"
	readonly_fails() {
		fails_with "$1" "${@:2}" || return 1
		cmp r/x.local.crt "$ALL/x.local.crt"
	}
	readonly_fails "the folder of r/x.local.crt $no" ca renew --force r/x.local.crt r/x.local.key
	readonly_fails "the folder of r/x.local.crt $no" ca rekey --force r/x.local.crt r/x.local.key
	readonly_fails "the folder of r/a.crt $no" ca certificate a.local r/a.crt r/a.key --token abc
	# with a state folder it is the file that counts
	mkdir state
	chown $NOBODY state
	export STATE_DIRECTORY="$HERE/state"
	readonly_fails "open r/x.local.crt failed: permission denied; it takes the right to write in its folder, or to the file" \
		ca renew --force r/x.local.crt r/x.local.key
	readonly_fails "open r/a.crt failed: permission denied; it takes the right to write in its folder" \
		ca certificate a.local r/a.crt r/a.key --token abc
	# and a file of one's own is written in place
	chown $NOBODY r/x.local.crt
	inode=$(stat -c %i r/x.local.crt)
	step_run ca renew --force r/x.local.crt r/x.local.key
	expect 0 "Your certificate has been saved in r/x.local.crt."
	[ "$inode" = "$(stat -c %i r/x.local.crt)" ]
	pair_fits r/x.local.crt r/x.local.key
	[ -z "$(find state -type f)" ]
}

@test "a folder that does not exist, and one in place of the file" {
	fails_with "open nosuch/a.crt failed: no such file or directory" ca certificate a.local nosuch/a.crt a.key --password-file "$PW"
	fails_with "open nosuch/a.crt failed: no such file or directory" ca renew --force --out nosuch/a.crt x.local.crt x.local.key
	mkdir folder
	step_run ca renew --force --out folder x.local.crt x.local.key
	[ "$status" -eq 1 ]
	[[ "$err" == "open folder failed: "* ]]
	untouched
	fails_with "x.local.crt and ./x.local.crt are the same file" ca certificate a.local x.local.crt ./x.local.crt --force --password-file "$PW"
	absent a.key
}

# --- files of somebody else

@test "a symbolic link planted by another user is not followed" {
	need_root
	mkdir shared
	chmod 1777 shared
	cp x.local.crt victim
	ln -s "$HERE/victim" shared/x.crt
	chown -h $NOBODY shared/x.crt
	local text="failed: the symbolic link $HERE/shared/x.crt is not followed, because it belongs to another user (user $NOBODY); name the file it points to, or replace the link"
	fails_with "open shared/x.crt $text" ca renew --force --out shared/x.crt x.local.crt x.local.key
	fails_with "open shared/x.crt $text" ca certificate a.local shared/x.crt a.key --force --password-file "$PW"
	fails_with "open shared/x.crt $text" ca certificate a.local a.crt shared/x.crt --force --password-file "$PW"
	fails_with "open shared/x.crt $text" ca root --force shared/x.crt
	fails_with "open shared/x.crt $text" ca token a.local --force --output-file shared/x.crt --password-file "$PW"
	cmp victim x.local.crt
	[ -L shared/x.crt ]
	absent a.crt a.key
}

@test "a link of one's own is followed, and stays a link" {
	mkdir real
	mv x.local.crt x.local.key real/
	ln -s real/x.local.crt x.local.crt
	ln -s real/x.local.key x.local.key
	step_run ca rekey --force x.local.crt x.local.key
	[ "$status" -eq 0 ]
	[ -L x.local.crt ]
	[ -L x.local.key ]
	pair_fits real/x.local.crt real/x.local.key
	refute cmp real/x.local.key "$ALL/x.local.key"
}

@test "another user's file in a shared folder is not made ours" {
	need_root
	mkdir shared
	chmod 1777 shared
	: >shared/a.key
	chown $NOBODY shared/a.key
	fails_with "open shared/a.key failed: it belongs to another user ($NOBODY) in a folder where everybody may write; remove it or choose another folder" \
		ca certificate a.local a.crt shared/a.key --force --password-file "$PW"
	[ ! -s shared/a.key ]
	absent a.crt
}
