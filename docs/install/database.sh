#!/bin/sh
# Runs once, when the database is made: the service's own login, neither a superuser nor one that bypasses row-level
# security (the service refuses to start with either), and its database.
set -eu
password=$(cat "${UPSTREAM_PASSWORD_FILE:-/run/secrets/upstream_password}")
psql --set ON_ERROR_STOP=1 --set password="$password" --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
CREATE ROLE upstream LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE upstream OWNER upstream;
SQL
