#!/bin/bash
# What the official image does with POSTGRES_DB, POSTGRES_PASSWORD_FILE and /docker-entrypoint-initdb.d.
set -eu
data=/var/lib/postgresql/data
as() { setpriv --reuid postgres --regid postgres --clear-groups env HOME=/var/lib/postgresql "$@"; }
mkdir -p $data /var/run/postgresql
chown postgres:postgres $data /var/run/postgresql
chmod 700 $data
if [ ! -f $data/PG_VERSION ]; then
    cp "$POSTGRES_PASSWORD_FILE" /tmp/password
    chown postgres /tmp/password
    as initdb -D $data -U postgres -A scram-sha-256 --auth-local=trust --pwfile=/tmp/password -E UTF8 --locale=C.UTF-8 > /dev/null
    rm /tmp/password
    echo 'host all all all scram-sha-256' >> $data/pg_hba.conf
    as pg_ctl -D $data -o '-c listen_addresses=' -w start > /dev/null
    as psql -q -U postgres -d postgres -c "CREATE DATABASE $POSTGRES_DB"
    for script in /docker-entrypoint-initdb.d/*.sh; do as sh "$script"; done
    as pg_ctl -D $data -m fast -w stop > /dev/null
fi
[ "$1" = postgres ] || exec "$@"
shift
exec setpriv --reuid postgres --regid postgres --clear-groups postgres -D $data -c listen_addresses='*' "$@"
