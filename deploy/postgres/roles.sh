#!/bin/sh
# Once, when the cluster is made: a role and a schema for each service.
set -eu
password=$(cat /run/secrets/postgres_password)
for service in users orders payments notifications functions sandbox; do
    psql -q -v ON_ERROR_STOP=1 -U postgres -d purser <<SQL
CREATE ROLE purser_$service LOGIN PASSWORD '$password';
CREATE SCHEMA $service AUTHORIZATION purser_$service;
ALTER ROLE purser_$service SET search_path = $service;
SQL
done
