# What every end-to-end test needs: the real programs in PATH, a STEPPATH of its own, no settings of the caller's.
# BUILD_DIR names the folder with the programs (default: build-test of this checkout).

BUILD_DIR=${BUILD_DIR:-$BATS_TEST_DIRNAME/../../build-test}
BUILD_DIR=$(cd "$BUILD_DIR" && pwd)
PATH="$BUILD_DIR:$PATH"
for name in $(compgen -e STEP) NO_COLOR CLICOLOR_FORCE STATE_DIRECTORY; do
	unset "$name"
done
export STEP_NON_INTERACTIVE=1

# need_cmd NAME...: skips the test where a program is missing.
need_cmd() {
	local name
	for name in "$@"; do
		command -v "$name" >/dev/null || skip "$name is not installed"
	done
}

# A folder and a STEPPATH for one test; bats removes them.
fresh_dir() {
	cd "$BATS_TEST_TMPDIR"
	export STEPPATH="$BATS_TEST_TMPDIR/.step"
}

# step_run ARGS...: runs step with nothing on stdin; $status, $out and $err hold what came of it.
step_run() {
	status=0
	step "$@" </dev/null >.out 2>.err || status=$?
	out=$(cat .out)
	err=$(cat .err)
}

# refute COMMAND...: fails where the command does not say no: it succeeds, crashes, hangs (124 of timeout), is not found, or
# cannot read what it is to look at. (`! command` would never fail a test.)
refute() {
	local ended=0 most=98
	case $1 in grep | cmp | test | pgrep) most=1 ;; esac
	"$@" || ended=$?
	[ "$ended" -ge 1 ] && [ "$ended" -le "$most" ] && return
	echo "ended with $ended, and should have said no: $*"
	return 1
}

# absent FILE...: none of them exists.
absent() {
	local file
	for file in "$@"; do
		refute test -e "$file" || return 1
	done
}

# expect STATUS [ERR]: the status of step_run and, where given, all it said on stderr.
expect() {
	[ "$status" -eq "$1" ] && { [ $# -lt 2 ] || [ "$err" = "$2" ]; } && return
	printf 'status %s, expected %s\nstdout: %s\nstderr: %s\n' "$status" "$1" "$out" "$err"
	[ $# -lt 2 ] || printf 'expected stderr: %s\n' "$2"
	return 1
}
