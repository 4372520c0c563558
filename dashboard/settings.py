"""Settings of one installation. Everything that differs between two of them is an environment variable.

    ORRERY_HOME    where the state lives (default `.orrery` beside manage.py)
    DATABASE_URL   PostgreSQL instead of the SQLite file in ORRERY_HOME
    REDIS_URL      a Redis of yours instead of the embedded one
    HOST, PORT     where Daphne listens (default 127.0.0.1:8000; https on PORT + 443)
    DNS_PORT       where a real DNS server answers for the clusters, on the loopback (default PORT + 53; 0: nowhere)
    WORKERS        Celery workers (default 1)
    TURNS=tasks    every turn of a component is a Celery task of its own
    ORRERY_LAB=1   pods obey the annotations that the recordings' pods obey
    ORRERY_SLEEP_AFTER, ORRERY_MAX_MB, ORRERY_BUSY_TIMEOUT    see below

Nothing here imports Twisted: workers are forked from a process that has read this file, and need none of it.
"""

import hashlib
import ipaddress
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

import dj_database_url

BASE_DIR = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("ORRERY_HOME") or BASE_DIR / ".orrery").absolute()
HOST = os.environ.get("HOST") or "127.0.0.1"


def number_of(name: str, default: int, lowest: int, highest: int) -> int:
    """A whole number from the environment. Errors: ValueError naming the variable and what it may be."""
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or not lowest <= int(text) <= highest:
        raise ValueError(f"{name} is {text!r}; it must be a whole number from {lowest} to {highest}")
    return int(text)


PORT = number_of("PORT", 8000, 1, 65_535 - 443)
TLS_PORT = number_of("TLS_PORT", PORT + 443, 1, 65_535)
DNS_PORT = number_of("DNS_PORT", PORT + 53, 0, 65_535)
WORKERS = number_of("WORKERS", 2, 1, 64)
TURNS = os.environ.get("TURNS") or "drive"
SLEEP_AFTER = number_of("ORRERY_SLEEP_AFTER", 600, 1, 10**9)  # Seconds without page, watch, follow or write.
if TURNS not in ("drive", "tasks"):
    raise ValueError(f"TURNS is {TURNS!r}; it must be drive or tasks")


def kept_secret(name: str) -> str:
    """The text of a file that is made up at the first look, and that only its owner may read."""
    path = HOME / name
    HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
    except FileExistsError:
        pass
    return path.read_text().strip()


def embedded_socket() -> Path:
    """Where the embedded server listens. A socket's path may have 104 characters; a deep home gets one elsewhere."""
    path = HOME / "redis.sock"
    if len(os.fsencode(path)) < 100:
        return path
    return Path(tempfile.gettempdir()) / f"orrery-{hashlib.sha256(os.fsencode(HOME)).hexdigest()[:16]}" / "redis.sock"


def is_loopback(host: str) -> bool:
    """Can only this machine connect to `host`?"""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


SECRET_KEY = kept_secret("secret")
DEBUG = os.environ.get("DEBUG") == "1"

# Whoever can reach us can do everything, so only this machine can; or else the URL must hold a token nobody can guess.
URL_TOKEN = "" if is_loopback(HOST) else kept_secret("url-token")
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"] if is_loopback(HOST) else ["*"]
CSRF_TRUSTED_ORIGINS: list[str] = []
CSRF_COOKIE_SAMESITE = "Strict"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 3 * 1024 * 1024

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.staticfiles",
    "cluster",
    "dashboard",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "dashboard.urls"
ASGI_APPLICATION = "dashboard.asgi.application"
APPEND_SLASH = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.template.context_processors.static",
            ]
        },
    }
]

# --- State -------------------------------------------------------------------------------------------------------

BUSY_TIMEOUT = number_of("ORRERY_BUSY_TIMEOUT", 10, 1, 600)  # Seconds that a writer waits for another one.
HISTORY = number_of("ORRERY_HISTORY", 3_600, 60, 100_000_000)  # Simulated seconds of history that are kept.
DISK_LIMIT = number_of("ORRERY_MAX_MB", 0, 0, 1_000_000)  # Megabytes that the SQLite file may have; 0: the disk.
PAGE = 16_384  # Bytes; must be said before the first table. 3.6 times less work per write than with 4,096.
SQLITE_PRAGMAS = (
    f"PRAGMA page_size={PAGE}; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8000;"
    " PRAGMA wal_autocheckpoint=16000"  # Pages, if the supervisor, whose business it is, should be too slow.
)


if DISK_LIMIT:
    SQLITE_PRAGMAS += f"; PRAGMA max_page_count={DISK_LIMIT * 1024 * 1024 // PAGE}"


def database() -> dict[str, Any]:
    """PostgreSQL if DATABASE_URL says so, else a SQLite file whose writers queue up instead of failing."""
    url = os.environ.get("DATABASE_URL") or f"sqlite:///{HOME / 'orrery.sqlite3'}"
    found = dict(dj_database_url.parse(url, conn_max_age=600))
    if "sqlite3" in str(found["ENGINE"]):
        options = {"transaction_mode": "IMMEDIATE", "timeout": BUSY_TIMEOUT, "init_command": SQLITE_PRAGMAS}
        found |= {"OPTIONS": options, "TEST": {"NAME": HOME / "test.sqlite3"}}
    return found


DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- The bus: Celery's broker, the inboxes, the fan-out ----------------------------------------------------------

EMBEDDED_REDIS = not os.environ.get("REDIS_URL")
REDIS_URL = os.environ.get("REDIS_URL") or f"unix://{embedded_socket()}"
BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}}

# --- Words and files ---------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("pt-br", "Português (Brasil)")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATICFILES_DIRS = [path for path in (BASE_DIR / "static",) if path.exists()]
STATIC_ROOT = HOME / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "dashboard.statics.Storage"},
}
WHITENOISE_MAX_AGE = 3600

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(processName)s %(name)s %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("LOG_LEVEL") or "WARNING"},
    "loggers": {"django.server": {"level": "ERROR"}, "django.request": {"level": "ERROR"}},
}
