#!/bin/sh
# Takes a copy of the primary where there is none yet, and follows it.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    PGPASSWORD=$(cat /run/secrets/casebook_replicator)
    export PGPASSWORD
    pg_basebackup -R -X stream --checkpoint=fast -h primary -U casebook_replicator -D "$PGDATA"
    chmod 0700 "$PGDATA"
fi
exec postgres
