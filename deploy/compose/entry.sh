#!/bin/sh
# Gives a command the secrets as Casebook takes them, for the role in DATABASE_ROLE, and runs it.
set -eu

secret() {
    cat "/run/secrets/$1"
}

database() {
    echo "postgres://$1:$(secret "$1")@$2:5432/casebook"
}

CASEBOOK_SECRET_KEY=$(secret casebook_secret_key)
DATABASE_URL=$(database "$DATABASE_ROLE" primary)
export CASEBOOK_SECRET_KEY DATABASE_URL
if [ "$DATABASE_ROLE" = casebook_application ]; then
    DATABASE_READER_URL=$(database casebook_reader primary)
    DATABASE_REPLICA_URL=$(database casebook_reader replica)
    export DATABASE_READER_URL DATABASE_REPLICA_URL
fi
exec "$@"
