# Certificates in files: made, looked at, checked, converted -- and held against openssl.

bats_require_minimum_version 1.5.0

load lib

# A root, an intermediate and a leaf, made once.
setup_file() {
	cd "$BATS_FILE_TMPDIR"
	export STEPPATH="$BATS_FILE_TMPDIR/.step"
	echo "p4ssword" >password
	step certificate create --profile root-ca --password-file password "Example Root CA" root.crt root.key
	step certificate create --profile intermediate-ca --ca root.crt --ca-key root.key --ca-password-file password \
		--no-password --insecure "Example CA" ca.crt ca.key
	step certificate create --ca ca.crt --ca-key ca.key --no-password --insecure --bundle \
		--san foo.example.com --san 10.0.0.1 --san me@example.com --san https://example.com/x foo.example.com foo.crt foo.key
	PKI=$BATS_FILE_TMPDIR
	export PKI
}

setup() {
	fresh_dir
}

# ---- the frame ----

@test "help, version and unknown commands" {
	step_run help certificate inspect
	expect 0 ""
	[[ "$out" == "NAME"$'\n'"      step certificate inspect -- "* ]]
	first=$out
	for words in "certificate inspect -h" "certificate help inspect" "h certificate inspect" "certificate inspect x --help"; do
		step_run $words
		expect 0 ""
		[ "$out" = "$first" ]
	done
	step_run certificate
	expect 0 ""
	step_run version
	expect 0 ""
	[[ "$out" =~ ^"Perennial CLI/"[0-9.]+" ("[a-z]+/[a-z0-9]+")"$'\n'"Release Date: " ]]
	first=$out
	step_run --version
	[ "$out" = "$first" ]
	step_run -v
	[ "$out" = "$first" ]
	step_run nosuch
	expect 3 "No help topic for 'nosuch'"
	step_run certificate nosuch
	expect 3 "No help topic for 'nosuch'"
	step_run help certificate nosuch
	expect 3 "No help topic for 'step certificate nosuch'"
}

@test "a usage error shows the help on stdout and itself on stderr" {
	step_run certificate inspect --bogus x
	expect 1 "flag provided but not defined: -bogus"
	[[ "$out" == "Incorrect Usage: flag provided but not defined: -bogus"$'\n\n'"NAME"$'\n'* ]]
	step_run certificate inspect --format
	expect 1 "flag needs an argument: -format"
	step_run certificate key foo.crt --out a --output-file b
	expect 1 "Cannot use two forms of the same flag: output-file out"
	STEP_F=maybe step_run certificate bundle a b c
	expect 1 "could not parse maybe as bool value for flag f,force: invalid syntax"
}

@test "options come from the line, the environment, defaults.json, in this order" {
	mkdir -p .step/config
	echo '{"format": "json"}' >.step/config/defaults.json
	step_run certificate inspect "$PKI/foo.crt"
	[[ "$out" == "{"* ]]
	STEP_FORMAT=pem step_run certificate inspect "$PKI/foo.crt"
	[[ "$out" == "-----BEGIN"* ]]
	STEP_FORMAT=pem step_run certificate inspect "$PKI/foo.crt" --format text
	[[ "$out" == "Certificate:"* ]]
	echo '{"format": "pem"}' >other.json
	step_run --config other.json certificate inspect "$PKI/foo.crt"
	[[ "$out" == "-----BEGIN"* ]]
}

@test "step path needs nothing and creates nothing" {
	step_run path
	expect 0 ""
	[ "$out" = "$STEPPATH" ]
	absent "$STEPPATH"
	mkdir -p .step/config
	echo '{ broken' >.step/config/defaults.json
	step_run path --base
	expect 0 ""
	[ "$out" = "$STEPPATH" ]
	step_run certificate inspect --short "$PKI/foo.crt"
	expect 0 ""
	HOME=/nowhere STEPPATH= step_run path
	expect 0 ""
	[ "$out" = "/nowhere/.step" ]
	echo '{"context":"x"}' >.step/current-context.json
	step_run path
	expect 1
	[[ "$err" == *"contexts are in use"* ]]
}

@test "a result that cannot be written is a failure" {
	for words in version "help" "certificate inspect $PKI/foo.crt" "certificate fingerprint $PKI/foo.crt"; do
		run -1 bash -c "step $words >/dev/full"
		[[ "$output" == *"no space left on device"* ]]
		run -1 bash -c "step $words >&-"
	done
	need_cmd python3 # a pipe that nobody reads any more
	run -1 python3 -c 'import os, subprocess, sys; r, w = os.pipe(); os.close(r); sys.exit(subprocess.run(["step", "version"], stdout=w).returncode)'
}

@test "completion scripts: bash offers commands, flags and values" {
	need_cmd bash
	step completion bash >step.bash
	complete_line() {
		bash -c 'source step.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }; _step; echo "${COMPREPLY[*]}"' - "$@"
	}
	[[ " $(complete_line step cert) " == *" certificate "* ]]
	[[ " $(complete_line step certificate needs) " == *" needs-renewal "* ]]
	[[ " $(complete_line step certificate inspect --sh) " == *" --short "* ]]
	[ "$(complete_line step certificate inspect --format j)" = json ]
	[ "$(complete_line step certificate inspect --format = p)" = pem ]
	touch "a certificate.crt"
	[ "$(complete_line step certificate inspect a)" = "a certificate.crt" ]
	[ -z "$(complete_line step certificate inspect --servername x)" ]
	step_run completion zsh
	[[ "$out" == "#compdef step"* ]]
	step_run completion fish
	expect 0 ""
	step_run completion tcsh
	expect 1 "unsupported shell 'tcsh'; options are bash, zsh, fish"
}

@test "man pages read without a warning" {
	need_cmd man
	step internal-docs docs
	[ -s docs/man/man1/step-certificate-needs-renewal.1 ]
	[ -s docs/bash-completion/completions/step ]
	for page in docs/man/man1/*.1; do
		warnings=$(LC_ALL=C.UTF-8 MANROFFSEQ= man --warnings -l "$page" 2>&1 >/dev/null)
		[ -z "$warnings" ] || { echo "$page: $warnings"; false; }
	done
	refute grep -l internal docs/man/man1/*
	grep -q STEP_CA_URL docs/man/man1/step.1
	step-ca internal-docs docs # of whose options one is looked up
	grep -q RUNTIME_DIRECTORY docs/man/man8/step-ca.8
	grep -q STEP_CA_QUIET docs/man/man8/step-ca.8
	refute grep -E 'STEP_(CA_URL|FORCE)' docs/man/man8/step-ca.8
	[ -z "$(LC_ALL=C.UTF-8 MANROFFSEQ= man --warnings -l docs/man/man8/step-ca.8 2>&1 >/dev/null)" ]
}

# ---- create ----

@test "what create makes, openssl accepts" {
	openssl verify -x509_strict -CAfile "$PKI/root.crt" -untrusted "$PKI/ca.crt" "$PKI/foo.crt"
	text=$(openssl x509 -in "$PKI/root.crt" -noout -text)
	[[ "$text" == *"CA:TRUE, pathlen:1"* && "$text" == *"Certificate Sign, CRL Sign"* ]]
	[[ "$(openssl x509 -in "$PKI/ca.crt" -noout -text)" == *"CA:TRUE, pathlen:0"* ]]
	text=$(openssl x509 -in "$PKI/foo.crt" -noout -ext subjectAltName,extendedKeyUsage,keyUsage)
	[[ "$text" == *"DNS:foo.example.com, email:me@example.com, IP Address:10.0.0.1, URI:https://example.com/x"* ]]
	[[ "$text" == *"TLS Web Server Authentication, TLS Web Client Authentication"* ]]
	[ "$(grep -c BEGIN "$PKI/foo.crt")" = 2 ] # --bundle
	[ "$(stat -c %a "$PKI"/{root,ca,foo}.{crt,key} | sort -u)" = 600 ]
	openssl pkey -in "$PKI/root.key" -passin "file:$PKI/password" -noout
	grep -q "DEK-Info: AES-256-CBC" "$PKI/root.key"
	refute openssl pkey -in "$PKI/root.key" -passin pass:wrong -noout
}

@test "create: every kind of key" {
	i=0
	for kind in "--kty EC --crv P-384" "--kty EC --curve P-521" "--kty RSA" "--kty RSA --size 3072" "--kty OKP" "--kty OKP --crv Ed25519"; do
		i=$((i + 1))
		step_run certificate create --profile self-signed --subtle --no-password --insecure $kind "k$i" $i.crt $i.key
		expect 0 "Your certificate has been saved in $i.crt.
Your private key has been saved in $i.key."
		[ "$(openssl x509 -in $i.crt -noout -pubkey)" = "$(openssl pkey -in $i.key -pubout)" ]
		openssl verify -CAfile $i.crt $i.crt || openssl verify -partial_chain -CAfile $i.crt $i.crt
	done
	openssl x509 -in 4.crt -noout -text | grep -q "3072 bit"
	openssl x509 -in 3.crt -noout -ext keyUsage | grep -q "Key Encipherment"
}

@test "create: a request, and a certificate from it" {
	step_run certificate create --csr --no-password --insecure --san bar --san 10.1.1.1 bar.example.com bar.csr bar.key
	expect 0 "Your certificate signing request has been saved in bar.csr.
Your private key has been saved in bar.key."
	openssl req -in bar.csr -noout -verify
	openssl req -in bar.csr -noout -text | grep -q "DNS:bar, IP Address:10.1.1.1"
	step certificate sign --bundle bar.csr "$PKI/ca.crt" "$PKI/ca.key" >bar.crt
	openssl verify -CAfile "$PKI/root.crt" -untrusted "$PKI/ca.crt" bar.crt
	openssl x509 -in bar.crt -noout -ext subjectAltName | grep -q "DNS:bar, DNS:bar.example.com, IP Address:10.1.1.1"
	step certificate sign --omit-cn-san bar.csr "$PKI/ca.crt" "$PKI/ca.key" | openssl x509 -noout -ext subjectAltName >san
	refute grep -q bar.example.com san
	step certificate sign --profile csr bar.csr "$PKI/ca.crt" "$PKI/ca.key" | openssl x509 -noout -text >text
	grep -q "DNS:bar, IP Address:10.1.1.1" text
	refute grep -q "Extended Key Usage" text
}

@test "create: times" {
	step certificate create --profile root-ca --no-password --insecure --not-before 2026-01-02T03:04:05Z --not-after 2027-01-02T03:04:05+01:00 r r.crt r.key
	[ "$(openssl x509 -in r.crt -noout -startdate)" = "notBefore=Jan  2 03:04:05 2026 GMT" ]
	[ "$(openssl x509 -in r.crt -noout -enddate)" = "notAfter=Jan  2 02:04:05 2027 GMT" ]
	step_run certificate create --profile root-ca --no-password --insecure --not-after 1d r x.crt x.key
	expect 1 "invalid value '1d' for flag '--not-after'"
	step_run certificate create --profile root-ca --no-password --insecure --not-after -1h r x.crt x.key
	expect 1 "the certificate would end before it begins: '--not-after' must be later"
	step_run certificate create --profile root-ca --no-password --insecure --not-after 9999-12-31T23:59:60Z --not-before 9999-12-31T23:59:59Z r x.crt x.key
	expect 1
	absent x.crt x.key
}

@test "create: an existing key, encrypted" {
	openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -passout pass:p4ssword -out old.key
	step_run certificate create --profile self-signed --subtle --key old.key --password-file "$PKI/password" old old.crt
	expect 0 "Your certificate has been saved in old.crt."
	[ "$(openssl x509 -in old.crt -noout -pubkey)" = "$(openssl pkey -in old.key -passin pass:p4ssword -pubout)" ]
	step_run certificate create --profile self-signed --subtle --key old.key old old2.crt
	expect 1
	[[ "$err" == *"--password-file"* ]]
	echo wrong >wrong
	step_run certificate create --profile self-signed --subtle --key old.key --password-file wrong old old2.crt
	expect 1
	[[ "$err" == *"wrong password"* ]]
	step_run certificate create --profile self-signed --subtle --key old.key --kty RSA old old2.crt
	expect 1 "flag '--key' is incompatible with '--kty'"
	step_run certificate create --profile self-signed --subtle --key old.key old old2.crt old2.key
	expect 1
	absent old2.crt
}

@test "create refuses what it cannot do, before it writes" {
	while IFS='|' read -r words text; do
		eval "step_run certificate create $words"
		expect 1 "${text//'$PKI'/$PKI}"
	done <<-'END'
		--no-password --insecure foo a.crt a.key|'--profile leaf' requires the '--ca' flag
		--no-password --insecure --ca $PKI/ca.crt foo a.crt a.key|'--profile leaf' requires the '--ca-key' flag
		--profile intermediate-ca --no-password --insecure foo a.crt a.key|'--profile intermediate-ca' requires the '--ca' flag
		--profile root-ca --ca x --no-password --insecure foo a.crt a.key|'--profile root-ca' is incompatible with the '--ca' flag
		--profile self-signed --no-password --insecure foo a.crt a.key|'--profile self-signed' requires the '--subtle' flag
		--profile root-ca --no-password foo a.crt a.key|flag '--no-password' requires the '--insecure' flag
		--profile root-ca --no-password --insecure --password-file x foo a.crt a.key|flag '--no-password' is incompatible with '--password-file'
		--profile root-ca foo a.crt a.key|a password is needed and there is no terminal to ask for it: use '--password-file' or '--no-password --insecure'
		--profile root-ca --password-file nosuch foo a.crt a.key|open nosuch failed: no such file or directory
		--profile nosuch foo a.crt a.key|invalid value 'nosuch' for flag '--profile'; options are leaf, intermediate-ca, root-ca, self-signed
		--profile root-ca --template x foo a.crt a.key|flag '--template' is not supported by this program; 'step help certificate create' lists what is
		--profile root-ca --kms x foo a.crt a.key|flag '--kms' is not supported by this program; 'step help certificate create' lists what is
		--profile root-ca --no-password --insecure foo a.crt|not enough positional arguments were provided in 'step certificate create <subject> <crt-file> <key-file>'
		--profile root-ca --no-password --insecure foo a.crt a.key b|too many positional arguments were provided in 'step certificate create <subject> <crt-file> <key-file>'
		--profile root-ca --no-password --insecure foo a.crt a.crt|positional arguments <<crt-file>> and <<key-file>> cannot be equal in 'step certificate create <subject> <crt-file> <key-file>'
		--ca $PKI/foo.crt --ca-key $PKI/foo.key --no-password --insecure foo a.crt a.key|the certificate in $PKI/foo.crt is not an authority's
		--ca $PKI/ca.crt --ca-key $PKI/foo.key --no-password --insecure foo a.crt a.key|the private key in $PKI/foo.key does not belong to the certificate in $PKI/ca.crt
		--profile intermediate-ca --ca $PKI/ca.crt --ca-key $PKI/ca.key --no-password --insecure foo a.crt a.key|the issuer may not sign authorities (its path length is 0)
		--ca $PKI/root.crt --ca-key $PKI/root.key --no-password --insecure foo a.crt a.key|error reading $PKI/root.key: a password is needed and there is no terminal to ask for it: use '--ca-password-file'
	END
	absent a.crt a.key
}

@test "create asks before it replaces, and without a terminal names --force" {
	echo old >a.crt
	step_run certificate create --profile root-ca --no-password --insecure foo a.crt a.key
	expect 1 "a.crt exists already: use '--force' to replace it"
	[ "$(cat a.crt)" = old ]
	absent a.key
	chmod 644 a.crt
	step_run certificate create --profile root-ca --no-password --insecure foo a.crt a.key -f
	expect 0
	[ "$(stat -c %a a.crt)" = 644 ] # an existing file keeps its mode
	[ "$(stat -c %a a.key)" = 600 ]
	[ -z "$(ls -A | grep -E 'lock|journal|new')" ]
}

# answers PROMPT=ANSWER... -- ARGS: runs step on a terminal of its own and answers each prompt in turn.
answers() {
	env -u STEP_NON_INTERACTIVE python3 - "$@" <<-'END'
		import os, pty, select, sys, time
		split = sys.argv.index("--")
		todo = [a.split("=", 1) for a in sys.argv[1:split]]
		pid, fd = pty.fork()
		if pid == 0:
		    os.execvp("step", ["step", *sys.argv[split + 1:]])
		seen, deadline = "", time.monotonic() + 30
		while time.monotonic() < deadline:
		    try:
		        if select.select([fd], [], [], 0.1)[0]:
		            seen += os.read(fd, 4096).decode()
		    except OSError:
		        break
		    if todo and todo[0][0] in seen:
		        seen = ""
		        os.write(fd, (todo.pop(0)[1] + "\n").encode())
		os.kill(pid, 9) if time.monotonic() >= deadline else None
		print(seen)
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if not todo else 99)
	END
}

@test "create on a terminal asks for the password and before it replaces" {
	need_cmd python3
	answers "password=s3cret" -- certificate create --profile root-ca foo a.crt a.key
	openssl pkey -in a.key -passin pass:s3cret -noout
	old=$(cat a.crt)
	run answers "overwrite a.crt=n" -- certificate create --profile root-ca foo a.crt a.key
	[ "$status" = 1 ]
	[[ "$output" == *"a.crt: file exists"* ]]
	[ "$(cat a.crt)" = "$old" ]
	answers "overwrite a.crt=maybe" "not a valid answer=yes" "overwrite a.key=y" "password=other" -- \
		certificate create --profile root-ca foo a.crt a.key
	openssl pkey -in a.key -passin pass:other -noout
	answers "password=wrong" "password=wrong" "password=other" -- \
		certificate create --profile self-signed --subtle --key a.key foo b.crt
	run answers "password=1" "password=2" "password=3" -- \
		certificate create --profile self-signed --subtle --key a.key foo c.crt
	[ "$status" = 1 ]
	absent c.crt
}

@test "create leaves neither file where one cannot be written" {
	step_run certificate create --profile root-ca --no-password --insecure foo a.crt nosuch/a.key
	expect 1
	absent a.crt
	step_run certificate create --profile root-ca --no-password --insecure foo nosuch/a.crt a.key
	expect 1
	absent a.key
}

# ---- sign ----

@test "sign refuses" {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj /CN=x -out good.csr 2>/dev/null
	openssl req -in good.csr -outform DER -out good.der
	printf '\x00' | dd of=good.der bs=1 seek=$(($(stat -c %s good.der) - 5)) conv=notrunc 2>/dev/null
	openssl req -inform DER -in good.der -out forged.csr 2>/dev/null || step certificate format good.der --out forged.csr
	step_run certificate sign forged.csr "$PKI/ca.crt" "$PKI/ca.key"
	expect 1
	[ -z "$out" ]
	step_run certificate sign "$PKI/foo.crt" "$PKI/ca.crt" "$PKI/ca.key"
	expect 1 "file $PKI/foo.crt holds a certificate, not a certificate request"
	step_run certificate sign good.csr "$PKI/foo.crt" "$PKI/foo.key"
	expect 1 "the certificate in $PKI/foo.crt is not an authority's"
	step_run certificate sign good.csr "$PKI/ca.crt" "$PKI/foo.key"
	expect 1 "the private key in $PKI/foo.key does not belong to the certificate in $PKI/ca.crt"
	step_run certificate sign --profile intermediate-ca good.csr "$PKI/ca.crt" "$PKI/ca.key"
	expect 1 "the issuer may not sign authorities (its path length is 0)"
	step_run certificate sign --profile intermediate-ca --path-len 1 --password-file "$PKI/password" good.csr "$PKI/root.crt" "$PKI/root.key"
	expect 1 "the issuer's path length is 1: the new authority's must be less"
	step_run certificate sign --path-len 1 good.csr "$PKI/ca.crt" "$PKI/ca.key"
	expect 1 "flag '--path-len' requires '--profile intermediate-ca'"
	step certificate sign --profile intermediate-ca --password-file "$PKI/password" good.csr "$PKI/root.crt" "$PKI/root.key" >i.crt
	openssl verify -CAfile "$PKI/root.crt" i.crt
	openssl x509 -in i.crt -noout -text | grep -q "CA:TRUE, pathlen:0"
}

# ---- inspect, verify, fingerprint ----

@test "inspect: what it prints, from files, stdin, DER and requests" {
	step_run certificate inspect --short "$PKI/foo.crt"
	expect 0 ""
	[[ "$out" =~ ^"X.509v3 TLS Certificate (ECDSA P-256) [Serial: "[0-9]{4}"..."[0-9]{4}"]"$'\n'"  Subject:     foo.example.com"$'\n'"               10.0.0.1"$'\n' ]]
	first=$out
	out=$(step certificate inspect --short <"$PKI/foo.crt")
	[ "$out" = "$first" ]
	out=$(step certificate inspect --short - <"$PKI/foo.crt")
	[ "$out" = "$first" ]
	openssl x509 -in "$PKI/foo.crt" -outform DER -out foo.der
	step_run certificate inspect --short foo.der
	[ "$out" = "$first" ]
	{ cat "$PKI/foo.key" "$PKI/foo.crt"; } >both.pem # other blocks are skipped
	step_run certificate inspect --short both.pem
	[ "$out" = "$first" ]
	step_run certificate inspect --short --bundle "$PKI/foo.crt"
	[ "$(grep -c "^X.509v3" <<<"$out")" = 2 ]
	step_run certificate inspect "$PKI/foo.crt"
	expect 0 ""
	serial=$(openssl x509 -in "$PKI/foo.crt" -noout -serial | cut -d= -f2 | tr A-F a-f | sed 's/^0*//')
	[[ "$out" == *"(0x$serial)"* ]]
	[ "$(step certificate inspect --format pem "$PKI/root.crt")" = "$(cat "$PKI/root.crt")" ]
}

@test "inspect: JSON that a script can read" {
	need_cmd python3
	step certificate inspect --format json "$PKI/foo.crt" >one.json
	step certificate inspect --format json --bundle "$PKI/foo.crt" >two.json
	fingerprint=$(openssl x509 -in "$PKI/foo.crt" -noout -fingerprint -sha256 | cut -d= -f2 | tr -d : | tr A-F a-f)
	python3 - "$fingerprint" <<-'END'
		import json, sys
		one, two = json.load(open("one.json")), json.load(open("two.json"))
		assert one["fingerprint_sha256"] == sys.argv[1]
		assert one["validity"]["length"] == 86400
		assert one["subject"]["common_name"] == ["foo.example.com"]
		assert isinstance(two, list) and len(two) == 2 and two[0] == one
	END
}

@test "inspect refuses" {
	step_run certificate inspect nosuch.crt
	expect 1 "open nosuch.crt failed: no such file or directory"
	echo "no certificate" >text
	step_run certificate inspect text
	expect 1 "file text does not contain any valid CERTIFICATE or CERTIFICATE REQUEST blocks"
	: >empty
	step_run certificate inspect empty
	expect 1 "file empty does not contain any valid CERTIFICATE or CERTIFICATE REQUEST blocks"
	sed '2s/./!/5' "$PKI/foo.crt" >broken.crt
	step_run certificate inspect broken.crt
	expect 1
	head -c 200 "$PKI/foo.crt" >cut.crt
	step_run certificate inspect cut.crt
	expect 1
	openssl x509 -in "$PKI/foo.crt" -outform DER | head -c 100 >cut.der
	step_run certificate inspect cut.der
	expect 1
	step_run certificate inspect --short --format json "$PKI/foo.crt"
	expect 1 "flag '--short' is incompatible with '--format json'"
	step_run certificate inspect --format yaml "$PKI/foo.crt"
	expect 1 "invalid value 'yaml' for flag '--format'; options are text, json, pem"
	step_run certificate inspect a b
	expect 1 "too many positional arguments were provided in 'step certificate inspect [<crt-file>]'"
	step_run certificate inspect .
	expect 1
}

@test "verify agrees with openssl" {
	step_run certificate verify "$PKI/foo.crt" --roots "$PKI/root.crt"
	expect 0 ""
	[ -z "$out" ]
	step_run certificate verify "$PKI/foo.crt" --roots "$PKI/root.crt" --host 10.0.0.1 --verbose
	expect 0 ""
	[ "$out" = "certificate is valid" ]
	step_run certificate verify "$PKI/foo.crt" --roots "$PKI/root.crt" --host other.example.com
	expect 1
	[[ "$err" == "failed to verify certificate: x509: "* ]]
	step certificate inspect --format pem "$PKI/foo.crt" >leaf.crt
	step_run certificate verify leaf.crt --roots "$PKI/root.crt" # the intermediate is missing
	expect 1
	[[ "$err" == "failed to verify certificate: x509: certificate signed by unknown authority"* ]]
	step_run certificate verify leaf.crt --roots "$PKI/root.crt,$PKI/ca.crt"
	expect 0
	mkdir roots
	cp "$PKI/root.crt" "$PKI/ca.crt" roots/
	step_run certificate verify leaf.crt --roots roots
	expect 0
	step_run certificate verify "$PKI/foo.crt" # not the system's
	expect 1
	step_run certificate verify "$PKI/foo.crt" --roots nosuch
	expect 1
	step_run certificate verify "$PKI/foo.crt" --roots "$PKI/foo.key"
	expect 1
	mkdir none
	step_run certificate verify "$PKI/foo.crt" --roots none
	expect 1
	step_run certificate verify "$PKI/foo.crt" --roots "$PKI/root.crt" --verify-ocsp
	expect 1 "flag '--verify-ocsp' is not supported by this program; 'step help certificate verify' lists what is"
	step certificate create --ca "$PKI/ca.crt" --ca-key "$PKI/ca.key" --no-password --insecure --bundle \
		--not-before -2h --not-after -1h old old.crt old.key
	step_run certificate verify old.crt --roots "$PKI/root.crt"
	expect 1
	[[ "$err" == "failed to verify certificate: x509: certificate has expired"* ]]
}

@test "fingerprint: every form" {
	want=$(openssl x509 -in "$PKI/foo.crt" -outform DER | openssl dgst -sha256 -r | cut -d' ' -f1)
	[ "$(step certificate fingerprint "$PKI/foo.crt")" = "$want" ]
	[ "$(step certificate fingerprint <"$PKI/foo.crt")" = "$want" ]
	second=$(openssl x509 -in "$PKI/ca.crt" -outform DER | openssl dgst -sha256 -r | cut -d' ' -f1)
	[ "$(step certificate fingerprint --bundle "$PKI/foo.crt")" = "0: $want"$'\n'"1: $second" ]
	b64=$(openssl x509 -in "$PKI/foo.crt" -outform DER | openssl dgst -sha256 -binary | base64)
	[ "$(step certificate fingerprint --format base64 "$PKI/foo.crt")" = "$b64" ]
	[ "$(step certificate fingerprint --format base64-raw "$PKI/foo.crt")" = "${b64%=}" ]
	url=$(tr '+/' '-_' <<<"$b64")
	[ "$(step certificate fingerprint --format base64-url "$PKI/foo.crt")" = "$url" ]
	[ "$(step certificate fingerprint --format base64-url-raw "$PKI/foo.crt")" = "${url%=}" ]
	sha1=$(openssl x509 -in "$PKI/foo.crt" -outform DER | openssl dgst -sha1 -r | cut -d' ' -f1)
	[ "$(step certificate fingerprint --sha1 --insecure "$PKI/foo.crt")" = "$sha1" ]
	step_run certificate fingerprint --sha1 "$PKI/foo.crt"
	expect 1 "flag '--sha1' requires the '--insecure' flag"
	step_run certificate fingerprint --format emoji "$PKI/foo.crt"
	expect 1
	openssl req -new -key "$PKI/foo.key" -subj /CN=x -out x.csr
	want=$(openssl req -in x.csr -outform DER | openssl dgst -sha256 -r | cut -d' ' -f1)
	[ "$(step certificate fingerprint x.csr)" = "$want" ]
}

# ---- needs-renewal ----

@test "needs-renewal answers by its exit status" {
	make() { # NAME NOT_BEFORE NOT_AFTER
		step certificate create --ca "$PKI/ca.crt" --ca-key "$PKI/ca.key" --no-password --insecure --not-before "$2" --not-after "$3" "$1" "$1.crt" "$1.key" 2>/dev/null
	}
	make fresh -1h 99h
	make due -67h 33h
	make near -65h 35h
	make expired -2h -1h
	make future 1h 2h
	for name in fresh near future; do
		step_run certificate needs-renewal $name.crt
		expect 1 ""
		[ -z "$out" ]
	done
	for name in due expired; do
		step_run certificate needs-renewal $name.crt
		expect 0 ""
		[ -z "$out" ]
	done
	step_run certificate needs-renewal -v due.crt
	expect 0 ""
	[ "$out" = "certificate needs renewal" ]
	step_run certificate needs-renewal --verbose fresh.crt
	expect 1 "certificate does not need renewal"
	step_run certificate needs-renewal --expires-in 100h fresh.crt
	expect 0 ""
	step_run certificate needs-renewal --expires-in 90h fresh.crt
	expect 1 ""
	step_run certificate needs-renewal --expires-in 60% near.crt
	expect 0 ""
	step_run certificate needs-renewal --expires-in 0s expired.crt
	expect 0 ""
	cat fresh.crt due.crt >bundle.crt
	step_run certificate needs-renewal bundle.crt
	expect 1 ""
	step_run certificate needs-renewal --bundle bundle.crt
	expect 0 ""
}

@test "needs-renewal: 2 where there is no file, 255 for the rest, 1 for an unknown flag" {
	step_run certificate needs-renewal nosuch.crt
	expect 2 "stat nosuch.crt: no such file or directory"
	step_run certificate needs-renewal
	expect 255
	step_run certificate needs-renewal a b
	expect 255
	for value in 1d 5 101% -1% 50.5% % x; do
		step_run certificate needs-renewal --expires-in "$value" "$PKI/foo.crt"
		expect 255
		[[ "$err" == "invalid value '$value' for flag '--expires-in'"* ]]
	done
	echo text >text
	step_run certificate needs-renewal text
	expect 255
	step_run certificate needs-renewal .
	expect 255
	step_run certificate needs-renewal https://127.0.0.1:1
	expect 255
	[[ "$err" == "failed to connect: "* ]]
	step_run certificate needs-renewal --bogus "$PKI/foo.crt"
	expect 1
}

@test "needs-renewal: a key that does not fit, and an open journal, are due" {
	step certificate create --ca "$PKI/ca.crt" --ca-key "$PKI/ca.key" --no-password --insecure other other.crt other.key
	step_run certificate needs-renewal --key other.key other.crt
	expect 1 ""
	step_run certificate needs-renewal --key "$PKI/foo.key" other.crt
	expect 0 ""
	step_run certificate needs-renewal --key nosuch.key other.crt
	expect 255
	: >.other.crt.journal
	step_run certificate needs-renewal other.crt
	expect 0 ""
}

# ---- conversions ----

@test "p12: openssl opens what we write" {
	step_run certificate p12 foo.p12 "$PKI/foo.crt" "$PKI/foo.key" --ca "$PKI/ca.crt" --password-file "$PKI/password"
	expect 0 "Your .p12 bundle has been saved as foo.p12."
	[ "$(stat -c %a foo.p12)" = 600 ]
	openssl pkcs12 -in foo.p12 -passin "file:$PKI/password" -nodes >all.pem
	[ "$(grep -c "BEGIN CERTIFICATE" all.pem)" = 2 ] # the chain holds ca.crt already
	[ "$(openssl pkey -in all.pem -pubout)" = "$(openssl pkey -in "$PKI/foo.key" -pubout)" ]
	openssl pkcs12 -in foo.p12 -passin "file:$PKI/password" -info -noout 2>&1 | grep -q "MAC: sha256, Iteration 2048"
	refute openssl pkcs12 -in foo.p12 -passin pass:wrong -noout
	step certificate p12 open.p12 "$PKI/foo.crt" "$PKI/foo.key" --no-password --insecure
	openssl pkcs12 -in open.p12 -passin pass: -noout
	step certificate p12 trust.p12 --ca "$PKI/root.crt" --password-file "$PKI/password"
	openssl pkcs12 -in trust.p12 -passin "file:$PKI/password" -nokeys | grep -q "friendlyName: .*Example Root CA"
	step certificate p12 old.p12 "$PKI/foo.crt" "$PKI/foo.key" --password-file "$PKI/password" --legacy
	openssl pkcs12 -legacy -in old.p12 -passin "file:$PKI/password" -noout
}

@test "p12 refuses" {
	step_run certificate p12 a.p12
	expect 1 "flag '--ca' must be provided when no <crt-file> and <key-file> are present"
	step_run certificate p12 a.p12 "$PKI/foo.crt"
	expect 1 "not enough positional arguments were provided in 'step certificate p12 <p12-file> [<crt-file> <key-file>]'"
	step_run certificate p12 a.p12 "$PKI/foo.crt" "$PKI/ca.key" --password-file "$PKI/password"
	expect 1 "the private key in $PKI/ca.key does not belong to the certificate in $PKI/foo.crt"
	step_run certificate p12 a.p12 "$PKI/foo.crt" "$PKI/foo.key" --no-password
	expect 1 "flag '--no-password' requires the '--insecure' flag"
	step_run certificate p12 a.p12 "$PKI/foo.crt" "$PKI/foo.key"
	expect 1 "a password is needed and there is no terminal to ask for it: use '--password-file'"
	: >empty
	step_run certificate p12 a.p12 "$PKI/foo.crt" "$PKI/foo.key" --password-file empty
	expect 1 "the password in empty is empty"
	absent a.p12
}

@test "bundle, key and format" {
	step_run certificate bundle "$PKI/foo.crt" "$PKI/ca.crt" b.pem
	expect 0 "Your certificate has been saved in b.pem."
	[ "$(cat b.pem)" = "$(cat "$PKI/foo.crt")" ]
	step_run certificate bundle "$PKI/foo.crt" "$PKI/ca.crt" b.pem
	expect 1 "b.pem exists already: use '--force' to replace it"
	STEP_FORCE=1 step_run certificate bundle "$PKI/foo.crt" "$PKI/ca.crt" b.pem
	expect 0
	step_run certificate bundle "$PKI/foo.crt" "$PKI/ca.key" c.pem
	expect 1
	[ "$(step certificate key "$PKI/foo.crt")" = "$(openssl x509 -in "$PKI/foo.crt" -noout -pubkey)" ]
	step_run certificate key "$PKI/foo.crt" --output-file foo.pub
	expect 0 "The public key has been saved in foo.pub."
	[ "$(cat foo.pub)" = "$(openssl x509 -in "$PKI/foo.crt" -noout -pubkey)" ]
	cp "$PKI/ca.crt" in.crt
	chmod 640 in.crt
	step_run certificate format in.crt --out ca.der
	expect 0 "Your certificate has been saved in ca.der"
	[ "$(stat -c %a ca.der)" = 640 ]
	openssl x509 -in "$PKI/ca.crt" -outform DER | cmp - ca.der
	step certificate format ca.der | cmp - "$PKI/ca.crt"
	step certificate format <"$PKI/ca.crt" | cmp - ca.der
	openssl req -new -key "$PKI/foo.key" -subj /CN=x -out x.csr
	step certificate format x.csr | openssl req -inform DER -noout -verify
}

# ---- servers ----

@test "a server's chain: verified, or with --insecure not" {
	need_cmd openssl python3
	openssl s_server -www -accept 127.0.0.1:0 -cert "$PKI/foo.crt" -cert_chain "$PKI/ca.crt" -key "$PKI/foo.key" </dev/null >said 2>&1 3>&- &
	server=$!
	for ((i = 0; i < 1200; i++)); do
		grep -q '^ACCEPT 127' said && break
		sleep 0.05
	done
	port=$(sed -n 's/^ACCEPT 127.0.0.1://p' said)
	step_run certificate inspect --short --bundle --roots "$PKI/root.crt" --servername foo.example.com "https://127.0.0.1:$port/x"
	first_status=$status first=$out
	step_run certificate fingerprint --roots "$PKI/root.crt" --servername 10.0.0.1 "tls://127.0.0.1:$port"
	by_address=$out
	step_run certificate verify --roots "$PKI/root.crt" "https://127.0.0.1:$port"
	verify_status=$status
	step_run certificate needs-renewal --roots "$PKI/root.crt" --servername foo.example.com "https://127.0.0.1:$port"
	due_status=$status
	step_run certificate inspect --short "https://127.0.0.1:$port"
	untrusted_status=$status untrusted=$err
	step_run certificate inspect --short --roots "$PKI/root.crt" "https://127.0.0.1:$port"
	wrong_name=$err
	step_run certificate inspect --short --insecure "https://127.0.0.1:$port"
	insecure_status=$status
	kill $server
	wait $server || true
	[ $first_status = 0 ]
	[ "$(grep -c "^X.509v3" <<<"$first")" = 2 ]
	[ "$by_address" = "$(step certificate fingerprint "$PKI/foo.crt")" ]
	[ $verify_status = 0 ]
	[ $due_status = 1 ]
	[ $untrusted_status = 1 ]
	[[ "$untrusted" == "failed to connect: x509: certificate signed by unknown authority"* ]]
	[[ "$wrong_name" == "failed to connect: x509: "* ]]
	[ $insecure_status = 0 ]
	for url in https:// "https://[::1" "https://h:1:2" "tls://:443"; do
		step_run certificate inspect "$url"
		expect 1
		[[ "$err" == "failed to connect: "* ]]
	done
}
