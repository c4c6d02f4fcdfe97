#!/bin/sh
# Once for each version, as the owner of the tables: migrations and files, then what the other roles may.
set -eu
python manage.py prepare
python manage.py grant_roles --application casebook_application --reader casebook_reader --run
