# A PostgreSQL of the test's own: a cluster in a folder of its own, run by an unprivileged user (initdb refuses root),
# reached by a Unix socket in that folder and by TCP on a port that nobody had. What is known of it stands in PG_DIR
# (port), because bats runs each test in a process of its own.

pg_bin() {
	local dir
	for dir in /usr/lib/postgresql/*/bin; do
		[ -x "$dir/initdb" ] && echo "$dir" && return
	done
	return 1
}

pg_as() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=postgres --regid=postgres --clear-groups --inh-caps=-all -- "$@"
	else
		"$@"
	fi
}

pg_url() {
	echo "postgresql://step@127.0.0.1:$(cat "$PG_DIR/port")/${1:-ca}"
}

# pg_sql SQL [DATABASE]: what it gives, columns parted by |
pg_sql() {
	PGOPTIONS="-c search_path=perennial" psql -XqAt -v ON_ERROR_STOP=1 -h "$PG_DIR" -p "$(cat "$PG_DIR/port")" -U step -d "${2:-ca}" -c "$1"
}

pg_folder() {
	PG_DIR=$(mktemp -d "${TMPDIR:-/tmp}/perennial-pg-XXXXXX")
	export PG_DIR
	[ "$(id -u)" != 0 ] || chown postgres:postgres "$PG_DIR"
	chmod 755 "$PG_DIR"
}

# pg_start at a port that nobody has
pg_start_somewhere() {
	local try
	for try in 1 2 3 4 5 6 7 8; do
		echo $((20000 + (RANDOM * 32768 + RANDOM) % 12000)) >"$PG_DIR/port"
		pg_start 2>/dev/null && return
	done
	return 1
}

# pg_init: a cluster with the role step and the database ca in a new folder, PG_DIR. It serves TLS.
pg_init() {
	pg_folder
	(cd / && pg_as "$(pg_bin)/initdb" -D "$PG_DIR/data" -U step --auth=trust --no-sync --no-instructions -E UTF8 \
		--locale=C >"$PG_DIR.log" 2>&1) || { cat "$PG_DIR.log"; return 1; }
	pg_as openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
		-addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
		-keyout "$PG_DIR/data/server.key" -out "$PG_DIR/data/server.crt" 2>/dev/null || return 1
	chmod 600 "$PG_DIR/data/server.key"
	# The unit tests' servers share a machine of two cores with much else.
	pg_as tee -a "$PG_DIR/data/postgresql.conf" >/dev/null <<-CONF
		listen_addresses = '127.0.0.1'
		shared_buffers = 16MB
		max_connections = 60
		max_wal_size = 64MB
		autovacuum = off
		ssl = on
	CONF
	pg_start_somewhere
	pg_sql "CREATE DATABASE ca" postgres
}

# pg_follow DIR NAME: the server of PG_DIR, which does not run, begins anew as a standby, of this name, of the one in DIR.
pg_follow() {
	rm -rf "$PG_DIR/data"
	(cd / && pg_as "$(pg_bin)/pg_basebackup" -D "$PG_DIR/data" --no-sync -c fast -h "$1" -p "$(cat "$1/port")" -U step) || return 1
	pg_as touch "$PG_DIR/data/standby.signal"
	pg_as tee "$PG_DIR/data/postgresql.auto.conf" >/dev/null <<-CONF
		primary_conninfo = 'host=$1 port=$(cat "$1/port") user=step application_name=$2'
		synchronous_standby_names = ''
	CONF
}

pg_promote() {
	(cd / && pg_as "$(pg_bin)/pg_ctl" -D "$PG_DIR/data" -w -t 60 promote >/dev/null)
}

# pg_set NAME VALUE: of a server that runs. It writes no log, so it does not wait for a standby either.
pg_set() {
	pg_sql "ALTER SYSTEM SET $1 = '$2'" postgres && pg_sql "SELECT pg_reload_conf()" postgres
}

# The server and all its processes: pg_signal STOP, pg_signal CONT
pg_signal() {
	local pid
	pid=$(head -1 "$PG_DIR/data/postmaster.pid")
	kill "-$1" "$pid" $(ps -o pid= --ppid "$pid")
}

pg_start() {
	(cd / && pg_as "$(pg_bin)/pg_ctl" -D "$PG_DIR/data" -w -t 60 -l "$PG_DIR/data/log" -o "-p $(cat "$PG_DIR/port") -k $PG_DIR" start \
		>/dev/null 3>&- 4>&-)
}

# pg_stop [fast|immediate]
pg_stop() {
	(cd / && pg_as "$(pg_bin)/pg_ctl" -D "$PG_DIR/data" -w -m "${1:-fast}" stop >/dev/null 2>&1)
}

# Ends the server and all its processes as a power cut would, but for the page cache.
pg_kill() {
	local pid i
	pid=$(head -1 "$PG_DIR/data/postmaster.pid")
	kill -STOP "$pid" # so that it starts nothing new meanwhile
	kill -KILL $(ps -o pid= --ppid "$pid") "$pid" 2>/dev/null || true
	for ((i = 0; i < 3000; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.02
	done
	rm -f "$PG_DIR/data/postmaster.pid"
}

pg_end() {
	[ -n "${PG_DIR:-}" ] || return 0
	[ ! -e "$PG_DIR/data/postmaster.pid" ] || { pg_signal CONT 2>/dev/null; pg_stop immediate; }
	rm -rf "$PG_DIR" "$PG_DIR.log"
}
