"""Every outside value Casebook takes, read from the environment once, here.

Safe by default: without any variable set it refuses to start, because it has no secret key.
`.env.example` lists each variable with its default; `make run` sets the few a first look needs.
"""

import os
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from .database_file import PrivateConnection

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str | None = None) -> str:
    """The value of an environment variable; an unset or empty one falls back to `default`.

    Raises ImproperlyConfigured where there is no default: a half-configured server is worse than
    none.
    """
    value = os.environ.get(name) or default
    if value is None:
        raise ImproperlyConfigured(
            f"{name} is not set. See .env.example, or start Casebook with `make run`."
        )
    return value


def env_flag(name: str, default: bool) -> bool:
    """A yes/no variable: 1 or 0, and nothing else."""
    value = env(name, "1" if default else "0")
    if value not in ("0", "1"):
        raise ImproperlyConfigured(f"{name} must be 0 or 1, not {value!r}.")
    return value == "1"


def env_choice(name: str, choices: list[str]) -> str:
    """One of a few words; the first is the default."""
    value = env(name, choices[0])
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def env_number(name: str, default: int) -> int:
    """A whole number, zero or more."""
    value = env(name, str(default))
    if not value.isdecimal():
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.")
    return int(value)


def env_list(name: str, default: str = "") -> list[str]:
    """A comma-separated list."""
    return [item.strip() for item in (os.environ.get(name) or default).split(",") if item.strip()]


def env_networks(name: str, default: str) -> list[str]:
    """A comma-separated list of network addresses, such as 127.0.0.1 or 10.0.0.0/8."""
    networks = env_list(name, default)
    for network in networks:
        try:
            ip_network(network)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} holds addresses or networks: {error}.") from None
    return networks


# The one difference under tests: no key is needed, http is plain, static files are not collected
# first.
TESTING = "PYTEST_VERSION" in os.environ

# Core: https://docs.djangoproject.com/en/5.2/ref/settings/
DEBUG = env_flag("CASEBOOK_DEBUG", False)
SECRET_KEY = env("CASEBOOK_SECRET_KEY", "for tests only" if TESTING else None)
SECRET_KEY_FALLBACKS = env_list("CASEBOOK_SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env_list("CASEBOOK_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("CASEBOOK_ORIGINS")
ROOT_URLCONF = "evidence.urls"
FORCE_SCRIPT_NAME = ""  # Casebook lives at the root of its host, whatever a request says
WSGI_APPLICATION = "evidence.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "evidence.entrance.EntranceConfig",  # django.contrib.admin, with a site of our own
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_filters",
    "django_htmx",
    "csp",
    "corsheaders",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "simple_history",
    "evidence",
]

MIDDLEWARE = [
    "evidence.middleware.head_middleware",
    "evidence.observing.metrics_page",
    "evidence.observing.observed",
    "evidence.roles.reading_role",  # before whatever asks the database
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "evidence.api.throttling.rate_limited",
    "evidence.work_limits.bounded_time_middleware",
    "evidence.work_limits.work_budget_middleware",
    "evidence.outage.outage_middleware",  # before all that asks a database
    "evidence.middleware.null_byte_middleware",
    "evidence.middleware.database_unavailable_middleware",
    "django_htmx.middleware.HtmxMiddleware",  # before what keeps answers, which differ for htmx
    "evidence.web.pinned.pinned_middleware",  # before what keeps answers, by the data they are of
    "evidence.middleware.cached_response_middleware",
    # before what compresses: files are kept as they are sent
    "evidence.work_limits.expensive_work_middleware",
    "evidence.middleware.NegotiatedGZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",  # asks nothing before somebody asks who is logged in
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Both do nothing until somebody logs in or writes, and ask no database before.
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
    "evidence.web.pinned_links.link_middleware",  # last, so that it reads pages as they are made
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "evidence.context_processors.default_context",
            ],
            "builtins": ["evidence.templatetags.casebook"],
        },
    },
]

# Database: https://docs.djangoproject.com/en/5.2/ref/databases/
# SQLite is the embedded default; DATABASE_URL=postgres://... chooses PostgreSQL.
DATABASE_URL = env("DATABASE_URL", f"sqlite:///{BASE_DIR / 'var' / 'casebook.sqlite3'}")
# Readers are answered from the replica while it is fresh, and while the primary is away.
DATABASE_REPLICA_URL = env("DATABASE_REPLICA_URL", "")
DATABASES = {
    "default": dj_database_url.parse(DATABASE_URL, conn_max_age=60, conn_health_checks=True)
}
if DATABASE_REPLICA_URL:
    DATABASES["replica"] = dj_database_url.parse(
        DATABASE_REPLICA_URL, conn_max_age=60, conn_health_checks=True
    )
    if DATABASES["replica"]["ENGINE"] != DATABASES["default"]["ENGINE"]:
        raise ImproperlyConfigured("DATABASE_REPLICA_URL is no replica of DATABASE_URL.")
    DATABASES["replica"]["TEST"] = {"MIRROR": "default"}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    Path(DATABASES["default"]["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    DATABASES["default"]["OPTIONS"] = {
        "factory": PrivateConnection,
        # WAL lets readers go on while a curator saves; NORMAL is safe under WAL; a writer waits 10
        # s for another instead of failing; IMMEDIATE takes the write lock at the start, so that a
        # transaction which reads first is not refused in the middle. Recursive triggers are those
        # that fire for rows which REPLACE deletes: without them it would go round the guards.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA "
        "foreign_keys=ON; PRAGMA busy_timeout=10000; PRAGMA recursive_triggers=ON;",
        "transaction_mode": "IMMEDIATE",
    }
    if DATABASE_REPLICA_URL:  # a copy that is put in place anew, under the same name
        copy = DATABASES["replica"]
        copy["NAME"] = f"file:{Path(copy['NAME']).absolute()}?mode=rw"  # never made by us
        copy["OPTIONS"] = {
            "factory": PrivateConnection,
            "init_command": "PRAGMA query_only=ON; PRAGMA busy_timeout=1000;",
        }
        copy["CONN_MAX_AGE"] = 0
else:
    # A database that is away is answered with a 503 after five seconds, not after minutes.
    DATABASES["default"].setdefault("OPTIONS", {})["connect_timeout"] = 5
    if DATABASE_REPLICA_URL:  # readers wait for it, and there is another
        options = DATABASES["replica"].setdefault("OPTIONS", {})
        # It refuses to write, should it be promoted. A line that is cut is noticed.
        given = options.get("options", "")
        options["options"] = f"{given} -c default_transaction_read_only=on".strip()
        options |= {"connect_timeout": 2, "tcp_user_timeout": 3000}

# A database that hangs is noticed by asking it once a second: see models/reading.py. Tests make and
# drop databases, which a connection beside theirs would hold.
WATCH_DATABASES = bool(DATABASE_REPLICA_URL) or not (
    TESTING or DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"
)

# For public pages, a role that can only read (PostgreSQL alone): see roles.py.
READER = "reader"
DATABASE_READER_URL = env("DATABASE_READER_URL", "")
if DATABASE_READER_URL:
    DATABASES[READER] = dj_database_url.parse(
        DATABASE_READER_URL, conn_max_age=60, conn_health_checks=True
    )
    if {each["ENGINE"] for each in DATABASES.values()} != {"django.db.backends.postgresql"}:
        raise ImproperlyConfigured("DATABASE_READER_URL needs PostgreSQL: SQLite has no roles.")
    DATABASES[READER].setdefault("OPTIONS", {})["connect_timeout"] = 5
    DATABASES[READER]["TEST"] = {"MIRROR": "default"}

# Cache: in the process by default, shared through Redis where several processes or machines serve.
# It holds whole answers by data version, code and question: see middleware.py.
REDIS_URL = env("REDIS_URL", "")
CACHES = {
    "default": {"BACKEND": "evidence.shared_cache.SharedCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 1000},
    }
}

# Counting: `snapshot` from memory, `database` by SQL, `auto` from memory up to so many patients in
# a collection.
COHORT_ENGINE = env_choice("CASEBOOK_ENGINE", ["auto", "snapshot", "database"])
SNAPSHOT_PATIENTS = env_number("CASEBOOK_SNAPSHOT_PATIENTS", 2_000_000)
SNAPSHOTS = Path(
    env("CASEBOOK_SNAPSHOTS", str(BASE_DIR / "var" / "snapshots"))
)  # of large collections, for all workers

# Files that only curators see, such as papers; in every backup.
PRIVATE_FILES = Path(env("CASEBOOK_PRIVATE_FILES", str(BASE_DIR / "var" / "private")))
# Backups: where, how many stay, and after how many days the others go (0: no such limit).
BACKUPS = Path(env("CASEBOOK_BACKUPS", str(BASE_DIR / "var" / "backups")))
BACKUPS_KEEP = env_number("CASEBOOK_BACKUPS_KEEP", 30)
BACKUPS_DAYS = env_number("CASEBOOK_BACKUPS_DAYS", 0)

# Seconds since the database could last be asked, for which kept answers are given while it is away.
STALE_SECONDS = env_number("CASEBOOK_STALE_SECONDS", 600)
# 0 makes every answer anew, which is for measuring and for editing templates.
CACHE_RESPONSES = env_flag("CASEBOOK_KEEP_ANSWERS", not DEBUG)

# The API: reading by anybody, from anywhere; no cookies are looked at, so a page of another origin
# gains nothing. requests of one network address; 0: no limit
API_PER_MINUTE = env_number("CASEBOOK_API_PER_MINUTE", 600)
# Corrections that one network address may suggest in an hour; 0: no limit.
SUGGESTIONS_PER_HOUR = env_number("CASEBOOK_SUGGESTIONS_PER_HOUR", 20)
# What one asker may cost the others: work_limits.py. Seconds of computing that one network address
# may use in a minute; 0: no limit.
WORK_PER_MINUTE = env_number("CASEBOOK_WORK_PER_MINUTE", 0 if TESTING else 30)
# From so many patients on, some answers of a collection are made in a few slots.
EXPENSIVE_PATIENTS = env_number("CASEBOOK_EXPENSIVE_PATIENTS", 5000)
EXPENSIVE_SLOTS = env_number("CASEBOOK_SLOTS", 2)
FILE_SECONDS = env_number("CASEBOOK_FILE_SECONDS", 120)  # that making one file may take
PAGE_SECONDS = env_number("CASEBOOK_PAGE_SECONDS", 30)  # and any other answer; 0: no limit
FILES_MEGABYTES = env_number("CASEBOOK_FILES_MB", 512)  # of files that are kept
WORK_FOLDER = Path(env("CASEBOOK_FILES", str(BASE_DIR / "var" / "files")))
# What a proxy says of a visitor (https or not, from where) is believed of these addresses alone,
# and only where there is a proxy; gunicorn_conf.py and api/throttling.py ask here.
BEHIND_PROXY = env_flag("CASEBOOK_BEHIND_PROXY", False)
PROXIES = env_networks("CASEBOOK_PROXIES", "127.0.0.1,::1") if BEHIND_PROXY else []
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "evidence.api.errors.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "NUM_PROXIES": 1 if BEHIND_PROXY else 0,  # of those in front, the last: see api/throttling.py
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Casebook API",
    "VERSION": "1",
    "DESCRIPTION": "Patient-level evidence on JAK inhibitors in systemic sclerosis, for "
    "programs. Read only, no key. The same question, spelled in the same words, gives the same "
    "patients on pages, in files and here. Published and simulated collections are never mixed. "
    "Casebook informs; it does not advise.",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SORT_OPERATIONS": False,
    "SORT_OPERATION_PARAMETERS": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": ["evidence.api.schema.with_values"],
}
CORS_ALLOW_ALL_ORIGINS = True
CORS_ALLOW_METHODS = ["GET", "HEAD", "OPTIONS"]
# the API and what is downloaded, with what describes it
CORS_URLS_REGEX = (
    r"^/(api/.*|[\w/-]+\."
    r"((csv|tsv)(-metadata\.json)?|jsonl|xlsx|(parquet\.)?zip|sqlite|ris|bib|json))$"
)
CORS_EXPOSE_HEADERS = [
    "Age",
    "Cache-Status",
    "ETag",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Content-Disposition",
    "Link",
    "X-Request-ID",
]

# Accounts (curators only: reading needs none). So many wrong passwords for one name from one
# network address, and neither is listened to for so many minutes; 0 failures: no limit.
LOGIN_REDIRECT_URL = "admin:index"
LOGIN_FAILURES = env_number("CASEBOOK_LOGIN_FAILURES", 5)
LOGIN_WAIT = timedelta(minutes=env_number("CASEBOOK_LOGIN_WAIT", 15))
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first, so that it can refuse
    "django.contrib.auth.backends.ModelBackend",
]
AXES_ENABLED = LOGIN_FAILURES > 0
AXES_FAILURE_LIMIT = LOGIN_FAILURES
AXES_COOLOFF_TIME = LOGIN_WAIT
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # trying on does not make the wait longer
AXES_CLIENT_IP_CALLABLE = "evidence.entrance.login_address"
AXES_CLIENT_STR_CALLABLE = "evidence.entrance.login_words"
AXES_LOCKOUT_CALLABLE = "evidence.entrance.locked_out"
AXES_ENABLE_ACCESS_FAILURE_LOG = True  # both are shown on /admin/audit/
AXES_DISABLE_ACCESS_LOG = False
# What is not kept of a failed login: what somebody had typed when their session ended, and tokens.
AXES_SENSITIVE_PARAMETERS = ["username", "held", "csrfmiddlewaretoken"]
AXES_VERBOSE = False
CSRF_FAILURE_VIEW = "evidence.entrance.csrf_failure"
# A session ends so long after its login, whatever is done in it meanwhile.
SESSION_COOKIE_AGE = env_number("CASEBOOK_SESSION_HOURS", 12) * 60 * 60
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in (
        ("UserAttributeSimilarityValidator", {}),
        ("MinimumLengthValidator", {"min_length": 12}),
        ("CommonPasswordValidator", {}),
        ("NumericPasswordValidator", {}),
    )
] + [{"NAME": f"evidence.entrance.{name}"} for name in ("NotOurName", "DifferentCharacters")]
# The second factor: asked of those who have set one up, or of every curator.
REQUIRE_TOTP = env_flag("CASEBOOK_REQUIRE_TOTP", False)
OTP_TOTP_ISSUER = "Casebook"

# Language and time: records hold dates without hours; times are stored in UTC.
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
# English only: nothing is translated, and a page would ask for it hundreds of times
USE_I18N = False
USE_TZ = True

# Static files: hashed names, compressed at collection, cached for good by the browser.
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static" if TESTING else BASE_DIR / "var" / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

FIXTURE_DIRS = [BASE_DIR / "fixtures"]

# Security: https://docs.djangoproject.com/en/5.2/topics/security/
# CASEBOOK_HTTPS=0 is for a first look on one's own machine, over plain http.
HTTPS = env_flag("CASEBOOK_HTTPS", not (DEBUG or TESTING))
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # probes come over plain http from inside
SECURE_PROXY_SSL_HEADER = None  # gunicorn reads it from named proxies; Django would from everybody
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Secure-casebook-session" if HTTPS else "casebook-session"
CSRF_COOKIE_NAME = "__Secure-casebook-csrf" if HTTPS else "casebook-csrf"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000  # a grid of 300 patients, sent without script

# Plotly adds one empty <style> element and fills it by script. The hash, of an empty text, allows
# this and nothing else; the browser tests fail if an upgrade changes it.
EMPTY_STYLE = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF, EMPTY_STYLE],
        "img-src": [SELF, "data:", "blob:"],  # Plotly's picture download is a blob
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# The log, see logs.py: `plain` for people, `json` for programs, which gets a line for each request
# unless told otherwise.
LOG_FORMAT = env_choice("CASEBOOK_LOG", ["plain", "json"])
LOG_REQUESTS = env_flag("CASEBOOK_ACCESS_LOG", LOG_FORMAT == "json")
SLOW_SECONDS = env_number("CASEBOOK_SLOW_MS", 2000) / 1000  # 0: nothing is called slow
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"lines": {"()": f"evidence.logs.{LOG_FORMAT.capitalize()}Lines"}},
    "filters": {"routes": {"()": "evidence.logs.NamesRoutes"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "lines",
            "filters": ["routes"],
        }
    },
    "root": {"handlers": ["console"], "level": env("CASEBOOK_LOG_LEVEL", "INFO")},
}
# Counters for Prometheus at /metrics, for these addresses or networks alone.
METRICS = env_flag("CASEBOOK_METRICS", False)
METRICS_FROM = env_networks("CASEBOOK_METRICS_FROM", "127.0.0.1,::1")
