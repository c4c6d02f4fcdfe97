"""Casebook's settings with another route table, and without keeping answers."""

from evidence.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.peers.plain_site"
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
