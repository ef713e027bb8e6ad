# What step asks on a terminal: overwriting, passwords, which provisioner, and init without a flag. play.py is the person;
# the terminal is a real pty.

bats_require_minimum_version 1.5.0
load lib
load ca

setup_file() {
	ca_init "$BATS_FILE_TMPDIR/ca"
	ca_start
	cd "$BATS_FILE_TMPDIR"
	issue foo.local
	openssl ec -in foo.local.key -aes256 -passout pass:secret -out locked.key 2>/dev/null
}

teardown_file() {
	ca_stop
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	cp "$BATS_FILE_TMPDIR"/foo.local.{crt,key} .
	unset STEP_NON_INTERACTIVE
	export TERM=dumb # plain labels
}

# play COMMAND... <SCRIPT: what was on the screen is in `talk`
play() {
	status=0
	python3 "$BATS_TEST_DIRNAME/play.py" "$@" >.talk 2>&1 3>&- || status=$?
	tr -d '\r' <.talk >talk
}

# talks TEXT...: each was on the screen
talks() {
	local text
	for text in "$@"; do
		grep -qF -- "$text" talk || { echo "missing: $text"; cat -A talk; return 1; }
	done
}

@test "overwrite: yes" {
	was=$(serial foo.local.crt)
	play step ca renew foo.local.crt foo.local.key <<-'END'
		Would you like to overwrite foo.local.crt [y/n] | y\r
	END
	[ "$status" -eq 0 ]
	talks "Your certificate has been saved in foo.local.crt."
	[ "$was" != "$(serial foo.local.crt)" ]
}

@test "overwrite: no, and the CA is not asked" {
	was=$(serial foo.local.crt)
	n=$(grep -c path=/renew "$CA_DIR/ca.log" || true)
	for answer in 'n\r' 'No\r' '\003'; do
		play step ca renew foo.local.crt foo.local.key <<-END
			Would you like to overwrite foo.local.crt [y/n] | $answer
		END
		[ "$status" -eq 1 ]
	done
	talks "^C"
	[ "$was" = "$(serial foo.local.crt)" ]
	[ "$n" = "$(grep -c path=/renew "$CA_DIR/ca.log" || true)" ]
	play step ca renew foo.local.crt foo.local.key <<-'END'
		Would you like to overwrite foo.local.crt [y/n] | n\r
	END
	talks "foo.local.crt: file exists"
}

@test "overwrite: another answer is asked again" {
	play step ca renew foo.local.crt foo.local.key <<-'END'
		Would you like to overwrite foo.local.crt [y/n] | q\r
		q is not a valid answer
		Would you like to overwrite foo.local.crt [y/n] | YES\r
	END
	[ "$status" -eq 0 ]
}

@test "overwrite: both files of a pair are asked for before anything happens" {
	was=$(serial foo.local.crt)
	play step ca certificate foo.local foo.local.crt foo.local.key --password-file $CA_DIR/password.txt <<-END
		Would you like to overwrite foo.local.crt [y/n] | y\r
		Would you like to overwrite foo.local.key [y/n] | n\r
	END
	[ "$status" -eq 1 ]
	[ "$was" = "$(serial foo.local.crt)" ]
	cmp foo.local.key "$BATS_FILE_TMPDIR/foo.local.key"
	play step ca rekey foo.local.crt foo.local.key <<-'END'
		Would you like to overwrite foo.local.crt [y/n] | y\r
		Would you like to overwrite foo.local.key [y/n] | y\r
	END
	[ "$status" -eq 0 ]
	pair_fits foo.local.crt foo.local.key
	[ "$was" != "$(serial foo.local.crt)" ]
}

@test "a provisioner's password: masked, and asked again where it is wrong" {
	play step ca token foo.local <<-'END'
		Please enter the password to decrypt the provisioner key | wrong\r
		Please enter the password to decrypt the provisioner key | p4ssword\r
	END
	[ "$status" -eq 0 ]
	talks "✔ Provisioner: admin (JWK)" "*****"
	refute grep -q "p4ssword" talk
	grep -Eq '^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$' talk
	play step ca token foo.local <<-'END'
		Please enter the password to decrypt the provisioner key | one\r
		Please enter the password to decrypt the provisioner key | two\r
		Please enter the password to decrypt the provisioner key | three\r
	END
	[ "$status" -eq 1 ]
	talks "failed to decrypt JWE: invalid password"
}

@test "typing is edited: a rubbed out letter, a rubbed out line, white space at the end" {
	play step ca token foo.local <<-'END'
		Please enter the password to decrypt the provisioner key | rubbish\025p4sswore\177d \r
	END
	[ "$status" -eq 0 ]
}

@test "Ctrl-C at a password ends it, and the terminal echoes again" {
	play step ca token foo.local <<-'END'
		Please enter the password to decrypt the provisioner key | \003
	END
	[ "$status" -eq 1 ]
	talks "^C"
	play bash -c "step ca token foo.local; stty -a" <<-'END'
		Please enter the password to decrypt the provisioner key | \003
	END
	grep -Eq '(^| )echo( |;|$)' talk
	grep -Eq '(^| )icanon( |;|$)' talk
	grep -Eq '(^| )isig( |;|$)' talk
}

@test "the password of a pair's own key" {
	play step ca renew --force foo.local.crt $BATS_FILE_TMPDIR/locked.key <<-END
		Please enter the password to decrypt $BATS_FILE_TMPDIR/locked.key | secret\r
	END
	[ "$status" -eq 0 ]
	talks "Your certificate has been saved in foo.local.crt."
}

@test "the token alone is on stdout, also where a person was asked" {
	play bash -c "step ca token foo.local >token.txt" <<-'END'
		Please enter the password to decrypt the provisioner key | p4ssword\r
	END
	[ "$status" -eq 0 ]
	[ "$(wc -l <token.txt)" -eq 1 ]
	[[ "$(cat token.txt)" =~ ^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$ ]]
}

@test "the answers come from the terminal where stdin is a pipe" {
	play bash -c "yes | step ca renew foo.local.crt foo.local.key" <<-'END'
		Would you like to overwrite foo.local.crt [y/n] | n\r
	END
	[ "$status" -eq 1 ]
	talks "foo.local.crt: file exists"
}

@test "STEP_NON_INTERACTIVE asks nobody, terminal or not" {
	STEP_NON_INTERACTIVE=1 play step ca renew foo.local.crt foo.local.key <<-'END'
	END
	[ "$status" -eq 1 ]
	talks "foo.local.crt exists already: use '--force' to replace it"
}

@test "several provisioners: one is chosen" {
	python3 "$BATS_TEST_DIRNAME/jwt.py" new-key py.jwk
	cp "$STEPPATH/config/ca.json" before.json
	ca_json --argjson key "$(python3 "$BATS_TEST_DIRNAME/jwt.py" public py.jwk)" '.authority.provisioners += [{type: "JWK", name: "py", key: $key}]'
	kill -HUP "$CA_PID"
	ca_wait "grep -q 'configuration reloaded' '$CA_DIR/ca.log'"
	play step ca token foo.local <<-'END'
		What provisioner key do you want to use? | 7\r
		7 is not a valid answer
		What provisioner key do you want to use? | 1\r
		Please enter the password to decrypt the provisioner key | p4ssword\r
	END
	cat before.json >"$STEPPATH/config/ca.json"
	kill -HUP "$CA_PID"
	[ "$status" -eq 0 ]
	talks "admin (JWK)" "py (JWK)" "✔ Provisioner: admin (JWK)"
}

@test "init without a flag" {
	export STEPPATH="$PWD/new"
	play step ca init <<-'END'
		What would you like to name your new PKI? | Our\r
		What DNS names or IP addresses | ca.example, 10.0.0.1\r
		What IP and port will your new CA bind to? | :8443\r
		What would you like to name the CA's first provisioner? | me@example.com\r
		Choose a password for your CA keys and first provisioner | chosen\r
	END
	[ "$status" -eq 0 ] || { cat talk; false; }
	talks "Your PKI is ready to go."
	[ "$(jq -c '[.dnsNames,.address,.authority.provisioners[0].name]' new/config/ca.json)" = '[["ca.example","10.0.0.1"],":8443","me@example.com"]' ]
	openssl pkey -in new/secrets/root_ca_key -passin pass:chosen -noout
	openssl x509 -in new/certs/root_ca.crt -noout -subject | grep -q "O = Our"
}

@test "init: a password is made where none is typed, and it is the one" {
	export STEPPATH="$PWD/new"
	play step ca init --name Our --dns ca.example --address :8443 --provisioner me <<-'END'
		leave empty and we'll generate one | \r
	END
	[ "$status" -eq 0 ]
	made=$(sed -n 's/^Password: //p' talk)
	[ "${#made}" -eq 32 ]
	openssl pkey -in new/secrets/intermediate_ca_key -passin "pass:$made" -noout
	printf %s "$made" >made.txt
	step ca token x --offline --password-file made.txt >/dev/null
}

@test "init over an existing CA: every file is asked for, and one no leaves all" {
	export STEPPATH="$PWD/new"
	step ca init --name Our --dns ca.example --address :8443 --provisioner me --password-file "$CA_DIR/password.txt" 2>/dev/null
	before=$(find new -type f -exec sha256sum {} + | sort)
	play step ca init --name Other --dns ca.example --address :8443 --provisioner me --password-file $CA_DIR/password.txt <<-END
		Would you like to overwrite $STEPPATH/certs/root_ca.crt [y/n] | y\r
		Would you like to overwrite $STEPPATH/ | n\r
	END
	[ "$status" -eq 1 ]
	[ "$before" = "$(find new -type f -exec sha256sum {} + | sort)" ]
	play step ca init --name Other --dns ca.example --address :8443 --provisioner me --password-file $CA_DIR/password.txt <<-END
		Would you like to overwrite $STEPPATH/ | y\r
		Would you like to overwrite $STEPPATH/ | y\r
		Would you like to overwrite $STEPPATH/ | y\r
		Would you like to overwrite $STEPPATH/ | y\r
		Would you like to overwrite $STEPPATH/ | y\r
		Would you like to overwrite $STEPPATH/ | y\r
	END
	[ "$status" -eq 0 ]
	openssl x509 -in new/certs/root_ca.crt -noout -subject | grep -q "O = Other"
	openssl verify -CAfile new/certs/root_ca.crt new/certs/intermediate_ca.crt
}

@test "the CA asks for its key's password" {
	cp -a "$CA_DIR" copy
	sed -i "s#$CA_DIR#$PWD/copy#g" copy/step/config/ca.json
	rm -rf copy/step/db
	play step-ca copy/step/config/ca.json <<-'END'
		Please enter the password to decrypt the CA key | wrong\r
		Please enter the password to decrypt the CA key | p4ssword\r
		Serving HTTPS | !kill -TERM $PID
	END
	[ "$status" -eq 0 ]
	refute grep -q "p4ssword" talk
}

@test "labels and ticks have their colours on a terminal, and none elsewhere" {
	export TERM=xterm
	play step ca certificate c.local c.crt c.key <<-'END'
		Please enter the password to decrypt the provisioner key | p4ssword\r
	END
	[ "$status" -eq 0 ]
	grep -qF "$(printf '\033[32m\033[32m✔\033[0m \033[1mCertificate\033[0m\033[1m:\033[0m c.crt')" talk
	export NO_COLOR=1
	play step ca certificate d.local d.crt d.key <<-'END'
		Please enter the password to decrypt the provisioner key | p4ssword\r
	END
	grep -q "^✔ Certificate: d.crt" talk
}
