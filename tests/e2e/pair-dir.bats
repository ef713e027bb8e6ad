# --pair-dir: certificate, key and outputs in a directory of versions behind one link.

bats_require_minimum_version 1.5.0
load lib
load ca

setup_file() {
	ca_init "$BATS_FILE_TMPDIR/ca"
	ca_start
}

teardown_file() {
	ca_stop
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	unset STEP_NON_INTERACTIVE
}

teardown() {
	local pid
	for pid in $(cat pids 2>/dev/null); do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
	done
}

# first FLAGS...: a pair for foo.local in tls
first() {
	step ca certificate foo.local foo.crt foo.key --pair-dir tls --provisioner-password-file "$CA_DIR/password.txt" "$@" 2>err
}

@test "the story: made, looked at, renewed, rekeyed, and old versions go" {
	first
	grep -qx "✔ Certificate: tls/current/foo.crt" err
	[ "$(readlink tls/current)" = versions/000001 ]
	[ "$(stat -c %a tls tls/versions tls/current/ tls/current/foo.crt tls/current/foo.key | tr '\n' ' ')" = "700 700 700 600 600 " ]
	step certificate inspect --short tls/current/foo.crt | grep -q foo.local
	step_run certificate needs-renewal tls/current/foo.crt
	expect 1
	step ca renew --check --pair-dir tls --cert-mode 0644 foo.crt foo.key # changes nothing, modes included
	[ "$(stat -c %a tls tls/current/ | tr '\n' ' ')" = "700 700 " ]
	[ "$(ls -A tls/versions | tr '\n' ' ')" = "000000 000001 " ]
	one=$(serial tls/current/foo.crt)
	# with the flag and names, or by the paths alone
	step_run ca renew --force --pair-dir tls foo.crt foo.key
	expect 0 "Your certificate has been saved in tls/current/foo.crt."
	two=$(serial tls/current/foo.crt)
	[ "$one" != "$two" ]
	step_run ca rekey --force "$PWD/tls/current/foo.crt" tls/current/foo.key
	expect 0
	[ "$(readlink tls/current)" = versions/000003 ]
	pair_fits tls/current/foo.crt tls/current/foo.key
	refute cmp -s tls/versions/000002/foo.key tls/current/foo.key
	cmp tls/versions/000001/foo.key tls/versions/000002/foo.key
	[ "$(serial tls/versions/000001/foo.crt)" = "$one" ]
	[ "$(ls tls/versions | tr '\n' ' ')" = "000000 000001 000002 000003 " ]
	step ca rekey --force --pair-dir tls --keep-versions 1 foo.crt foo.key --bundle-out foo.pem --p12-out foo.p12 \
		--p12-password-file "$CA_DIR/password.txt"
	[ "$(ls tls/versions | tr '\n' ' ')" = "000003 000004 " ]
	pair_fits tls/current/foo.pem tls/current/foo.key
	openssl pkcs12 -in tls/current/foo.p12 -nodes -passin "file:$CA_DIR/password.txt" -out p12.pem
	pair_fits p12.pem tls/current/foo.key
	[ -z "$(ls -A tls | grep -vx -e current -e versions)" ]
	# what a later run does not write comes over as it was
	step ca renew --force --pair-dir tls foo.crt foo.key
	cmp tls/versions/000004/foo.pem tls/current/foo.pem
}

@test "a reader who resolves the link once never sees a mixed pair" {
	need_cmd python3
	first
	PYTHONPATH="$BATS_TEST_DIRNAME/../fault" PYTHONDONTWRITEBYTECODE=1 python3 - 3>&- <<'PY' &
import os, lab
seen, mixed = set(), 0
while not os.path.exists("stop"):
    now = os.path.join("tls", os.readlink("tls/current")) # there at every moment
    crt, key = lab.read(now + "/foo.crt"), lab.read(now + "/foo.key")
    if crt is None or key is None: # pruned between: one has to be slow for that, and looks again
        continue
    mixed += not lab.Key(key).fits(lab.Cert(crt))
    seen.add(now)
    if len(seen) == 1:
        open("started", "w").close()
open("seen.new", "w").write("%d %d\n" % (len(seen), mixed))
os.rename("seen.new", "seen")
PY
	echo $! >>pids
	ca_wait '[ -e started ]'
	for _ in 1 2 3 4 5 6 7 8; do
		step ca rekey --force --pair-dir tls foo.crt foo.key
	done
	touch stop
	wait "$!"
	read -r versions mixed <seen
	[ "$versions" -ge 2 ]
	[ "$mixed" -eq 0 ]
}

@test "what is owed is remembered in the directory, whichever version is current" {
	first
	step_run ca rekey --force --pair-dir tls foo.crt foo.key --exec "test -e ready"
	expect 1
	[ "$(stat -c %a tls/.foo.crt.state)" = 600 ]
	step certificate needs-renewal tls/current/foo.crt
	touch ready
	step_run ca renew --pair-dir tls foo.crt foo.key --exec "test -e ready"
	expect 0 "certificate not renewed: first what its last renewal still owes"
	[ "$(readlink tls/current)" = versions/000002 ]
	step_run certificate needs-renewal tls/current/foo.crt
	expect 1
	SERVICE_RESULT=exit-code EXIT_CODE=exited EXIT_STATUS=0 step ca unit-result x.service tls/current/foo.crt
	step certificate needs-renewal tls/current/foo.crt
	[ -z "$(ls -A tls/current/ | grep '^[.]')" ]
}

@test "the daemon, and its command's environment" {
	first
	step ca rekey --daemon --pair-dir tls foo.crt foo.key --bundle-out foo.pem --exec "sh -c 'env >env.new; mv env.new env'" >log.out 2>log.err 3>&- &
	DAEMON=$!
	echo "$DAEMON" >>pids
	ca_wait 'grep -q "first renewal in" log.out'
	kill -HUP "$DAEMON"
	ca_wait 'grep -q "foo.local certificate rekeyed" log.out && [ -s env ]'
	grep -qx "STEP_HOOK_CERT_FILE=$PWD/tls/current/foo.crt" env
	grep -qx "STEP_HOOK_KEY_FILE=$PWD/tls/current/foo.key" env
	grep -qx "STEP_HOOK_BUNDLE_FILE=$PWD/tls/current/foo.pem" env
	pair_fits tls/current/foo.crt tls/current/foo.key
	kill "$DAEMON"
	wait "$DAEMON"
	[ ! -s log.err ]
}

@test "many at once: each a version of its own" {
	first
	for i in 1 2 3 4 5 6; do
		step ca rekey --force --pair-dir tls foo.crt foo.key 2>"err.$i" 3>&- &
		echo $! >>workers
	done
	for pid in $(cat workers); do
		wait "$pid"
	done
	[ "$(readlink tls/current)" = versions/000007 ]
	pair_fits tls/current/foo.crt tls/current/foo.key
	[ -z "$(ls -A tls | grep -vx -e current -e versions)" ]
}

@test "what does not belong is refused before the CA is asked" {
	first
	before=$(readlink tls/current)
	bad() {
		local want=$1
		shift
		step_run "$@"
		expect 1 "$want"
		[ "$(readlink tls/current)" = "$before" ]
	}
	cp tls/current/foo.crt tls/current/foo.key .
	bad "./foo.crt is not in the versioned directory tls: name it tls/current/foo.crt" ca renew --force --pair-dir tls ./foo.crt foo.key
	bad "open none/current failed: no such file or directory" ca renew --force --pair-dir none foo.crt foo.key
	bad "invalid value '0' for flag '--keep-versions'" ca renew --force --pair-dir tls --keep-versions 0 foo.crt foo.key
	bad "invalid value '1001' for flag '--keep-versions'" ca renew --force --pair-dir tls --keep-versions 1001 foo.crt foo.key
	bad "$PWD/x.pem is not in the current version of $PWD/tls, with which all files change at once: name it $PWD/tls/current/x.pem" \
		ca renew --force --pair-dir tls foo.crt foo.key --bundle-out "$PWD/x.pem"
	bad "tls/versions/../x.der is not in the current version of $PWD/tls, with which all files change at once: name it $PWD/tls/current/x.der" \
		ca renew --force --pair-dir tls foo.crt foo.key --der-out tls/versions/../x.der
	# links that lead to the version by another way: the files would change one by one
	as_versions() {
		bad "$1 would not change with the others, as tls is no versioned directory: it takes a link tls/current that says versions/ and a number (versions/000001) and nothing else, and no links below tls/versions" \
			ca renew --force --pair-dir tls foo.crt foo.key
	}
	for before in versions/000001/ ./versions/000001 "$PWD/tls/versions/000001"; do
		ln -sfn "$before" tls/current
		as_versions tls/current/foo.crt
	done
	before=versions/000001
	ln -sfn "$before" tls/current
	mv tls/current/foo.crt . && ln -s "$PWD/foo.crt" tls/current/foo.crt
	as_versions tls/current/foo.crt
	rm tls/current/foo.crt && mv foo.crt tls/current/
	mv tls/versions tls/real && ln -s real tls/versions
	as_versions tls/current/foo.crt
	rm tls/versions && mv tls/real tls/versions
	mkdir -m 0777 open && chmod 0777 open
	step_run ca certificate foo.local foo.crt foo.key --pair-dir open --provisioner-password-file "$CA_DIR/password.txt"
	expect 1 "the versioned directory open is not used, because it belongs to another user or others may write in it; make it your own, with mode 0700 or 0755"
	# an existing pair is asked for, or forced
	export STEP_NON_INTERACTIVE=1
	step_run ca certificate foo.local foo.crt foo.key --pair-dir tls --provisioner-password-file "$CA_DIR/password.txt"
	[ "$status" -eq 1 ]
	[ "$(readlink tls/current)" = "$before" ]
	first --force
	[ "$(readlink tls/current)" = versions/000002 ]
}

@test "a pair that is there moves in; owner, group and mode reach it" {
	issue bar.local
	# by hand, as the manual says
	mkdir -p -m 0700 tls/versions/000001
	mv bar.local.crt bar.local.key tls/versions/000001/
	ln -s versions/000001 tls/current
	step_run ca rekey --force --pair-dir tls bar.local.crt bar.local.key --mode 0640 --cert-mode 0644
	expect 0
	[ "$(stat -c %a tls tls/versions tls/current/ tls/current/bar.local.crt tls/current/bar.local.key | tr '\n' ' ')" = "755 755 755 644 640 " ]
	[ "$(id -u)" -eq 0 ] || skip "the rest needs root"
	step_run ca rekey --force --pair-dir tls bar.local.crt bar.local.key --owner 12345 --group 12346
	expect 0
	[ "$(stat -c %u:%g tls/current/bar.local.key)" = 12345:12346 ]
	[ "$(stat -c %u:%g tls/current/)" = 0:12346 ]
}
