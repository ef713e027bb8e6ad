# What the systemd unit leans on, without systemd: exit statuses, and what its ExecStopPost writes down.

bats_require_minimum_version 1.5.0
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
	issue fresh.local
	before=$(serial fresh.local.crt)
}

# result SERVICE_RESULT EXIT_CODE EXIT_STATUS
result() {
	SERVICE_RESULT=$1 EXIT_CODE=$2 EXIT_STATUS=$3 step ca unit-result cert-renewer@fresh.service fresh.local.crt
}

due() {
	run step certificate needs-renewal fresh.local.crt
	[ "$status" -eq "$1" ]
}

@test "a missing certificate is 2, and 255 for an ExecCondition" {
	run step certificate needs-renewal none.crt
	[ "$status" -eq 2 ]
	run step certificate needs-renewal --exec-condition none.crt
	[ "$status" -eq 255 ]
	[ "$output" = "stat none.crt: no such file or directory" ]
	STEP_EXEC_CONDITION=1 run step certificate needs-renewal none.crt
	[ "$status" -eq 255 ]
	STEP_EXEC_CONDITION=1 due 1
	echo junk >junk.crt
	STEP_EXEC_CONDITION=1 run step certificate needs-renewal junk.crt
	[ "$status" -eq 255 ]
}

@test "a failed ExecStartPost is owed until it has worked, by one certificate" {
	due 1
	run result exit-code exited 0
	[ "$status" -eq 0 ]
	[[ "$output" == "cert-renewer@fresh.service: the certificate is new, and what had to follow it has failed (exit-code)."* ]]
	due 0
	STEP_OWED_FIRST=1 step ca renew --force fresh.local.crt fresh.local.key # the next run: nothing new
	[ "$(serial fresh.local.crt)" = "$before" ]
	due 0
	result exit-code exited 0 # it failed again
	due 0
	result success exited 0
	due 1
	STEP_OWED_FIRST=1 step ca renew --force fresh.local.crt fresh.local.key
	[ "$(serial fresh.local.crt)" != "$before" ]
}

@test "by force a new certificate comes whatever is owed, and the unit's part stays owed for it" {
	result exit-code exited 0
	step ca renew --force --exec "sh -c 'echo ran >>ran'" fresh.local.crt fresh.local.key
	newer=$(serial fresh.local.crt)
	[ "$newer" != "$before" ]
	[ "$(cat ran)" = ran ]
	due 0
	end=$(date -u +%FT%TZ -d "$(openssl x509 -noout -enddate -in fresh.local.crt | cut -d= -f2)")
	[ "$(jq -r '.owed[0].until' .fresh.local.crt.state)" = "$end" ]
	STEP_OWED_FIRST=1 step ca renew --force fresh.local.crt fresh.local.key
	[ "$(serial fresh.local.crt)" = "$newer" ]
	result success exited 0
	due 1
}

@test "what is no failed ExecStartPost owes nothing" {
	for row in "success exited 0" "exec-condition exited 0" "exec-condition '' ''" "exit-code exited 1" "exit-code '' ''" \
		"signal killed TERM" "timeout killed KILL" "'' '' ''"; do
		eval "result $row"
		due 1
	done
	[ ! -e .fresh.local.crt.state ]
	for kind in timeout signal core-dump oom-kill; do
		result $kind exited 0
		due 0
		result success exited 0
		due 1
	done
}

@test "an owed deployment of one unit is not another's to cross off" {
	result exit-code exited 0
	SERVICE_RESULT=success EXIT_CODE=exited EXIT_STATUS=0 step ca unit-result other.service fresh.local.crt
	due 0
	run env SERVICE_RESULT=exit-code EXIT_CODE=exited EXIT_STATUS=0 step ca unit-result x.service none.crt
	[ "$status" -eq 1 ]
	[[ "$output" == *"none.crt"* ]]
}
