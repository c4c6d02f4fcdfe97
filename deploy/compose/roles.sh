#!/bin/sh
# Run once by the image of PostgreSQL, when its folder is empty: the database, and who may what.
set -eu
for role in casebook_owner casebook_application casebook_reader casebook_replicator; do
    psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --set role="$role" \
        --set password="$(cat "/run/secrets/$role")" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
SQL
done
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" <<'SQL'
ALTER ROLE casebook_replicator REPLICATION;
ALTER ROLE casebook_reader SET statement_timeout = '150s';
CREATE DATABASE casebook OWNER casebook_owner;
\connect casebook
REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;
SQL
echo "host replication casebook_replicator all scram-sha-256" >> "$PGDATA/pg_hba.conf"
