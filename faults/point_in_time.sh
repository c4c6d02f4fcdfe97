#!/usr/bin/env bash
# Point-in-time recovery of PostgreSQL, tried once for real: a cluster of its own (initdb) in a temporary folder on
# PORT (54329), with WAL archiving and a base backup. Writes, notes a moment, deletes everything, loses the cluster,
# and recovers to the moment. Prints what was there at each step; ends with 1 unless what came back is what was there.
# Needs PostgreSQL's server programs (14 or newer); as root it runs them as the user postgres. Touches nothing else.
set -euo pipefail
PORT=${PORT:-54329}
BIN=$(dirname "$(find /usr/lib/postgresql -name initdb | sort -V | tail -1)")
HOME_OF_IT=$(mktemp -d)
chmod 755 "$HOME_OF_IT"
if [ "$(id -u)" = 0 ]; then
    chown postgres "$HOME_OF_IT"
    as() { runuser -u postgres -- "$@"; }
else
    as() { "$@"; }
fi
cd "$HOME_OF_IT"
sql() { as psql -X -q -At -h "$HOME_OF_IT" -p "$PORT" -d "${2:-casebook}" -v ON_ERROR_STOP=1 -c "$1"; }
stop() { as "$BIN/pg_ctl" -D "$HOME_OF_IT/$1" -m immediate -w stop >/dev/null 2>&1 || true; }
trap 'stop main; stop recovered; rm -rf "$HOME_OF_IT"' EXIT
say() { printf '%s  %s\n' "$(date -u +%T)" "$1"; }

as "$BIN/initdb" -D "$HOME_OF_IT/main" --auth=trust --encoding=UTF8 >/dev/null
as mkdir archive
as tee -a main/postgresql.conf >/dev/null <<END
port = $PORT
listen_addresses = '127.0.0.1'
unix_socket_directories = '$HOME_OF_IT'
wal_level = replica
archive_mode = on
# Written aside and renamed, and never over a file that is there: an archive must not lie.
archive_command = 'test ! -f $HOME_OF_IT/archive/%f && cp %p $HOME_OF_IT/archive/%f.part && sync $HOME_OF_IT/archive/%f.part && mv $HOME_OF_IT/archive/%f.part $HOME_OF_IT/archive/%f'
archive_timeout = 60
END
as "$BIN/pg_ctl" -D "$HOME_OF_IT/main" -l "$HOME_OF_IT/main.log" -w start >/dev/null
say "a cluster on port $PORT, archiving its WAL"
sql 'CREATE DATABASE casebook' postgres
sql 'CREATE TABLE written (n int PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())'
sql 'INSERT INTO written (n) SELECT generate_series(1, 1000)'
as "$BIN/pg_basebackup" -h "$HOME_OF_IT" -p "$PORT" -D "$HOME_OF_IT/base" -X none --checkpoint=fast 2>/dev/null
as "$BIN/pg_verifybackup" -n "$HOME_OF_IT/base" >/dev/null
say "base backup taken and verified, with $(sql 'SELECT count(*) FROM written') rows"
sql 'INSERT INTO written (n) SELECT generate_series(1001, 1500)'
good=$(sql 'SELECT count(*) FROM written')
sleep 1
moment=$(sql 'SELECT clock_timestamp()')
say "$good rows at $moment: the moment to come back to"
sleep 1
sql 'DELETE FROM written WHERE n > 10'
say "somebody deletes: $(sql 'SELECT count(*) FROM written') rows"
sql "SELECT pg_switch_wal()" >/dev/null
for _ in $(seq 100); do
    [ "$(sql "SELECT count(*) FROM pg_stat_archiver WHERE last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1)")" = 1 ] && break
    sleep 0.2
done
stop main
rm -rf main
say "the cluster is lost; $(ls archive | wc -l) files of WAL are in the archive"

started=$(date +%s)
as cp -a base recovered
as tee -a recovered/postgresql.conf >/dev/null <<END
restore_command = 'cp $HOME_OF_IT/archive/%f %p'
recovery_target_time = '$moment'
recovery_target_action = 'promote'
END
as touch recovered/recovery.signal
as "$BIN/pg_ctl" -D "$HOME_OF_IT/recovered" -l "$HOME_OF_IT/recovered.log" -w -t 120 start >/dev/null
for _ in $(seq 300); do
    [ "$(sql 'SELECT pg_is_in_recovery()')" = f ] && break
    sleep 0.2
done
came_back=$(sql 'SELECT count(*) FROM written')
grep -h 'recovery stopping\|last completed transaction' recovered.log || true
say "recovered in $(($(date +%s) - started)) s: $came_back rows, it had $good"
sql 'INSERT INTO written (n) VALUES (0)'
say "and it can be written"
[ "$came_back" = "$good" ]
