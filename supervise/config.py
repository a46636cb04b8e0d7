"""Configuration: read once from the environment; a bad value stops the start with a sentence."""

import importlib.util
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from supervise import cipher

PROJECT = Path(__file__).resolve().parent.parent
#: All that a demo has stands in this folder of the instance folder.
DEMO_FOLDER = "demo"
DEMO_DATABASE = "demo.sqlite3"
#: An upload larger than this is refused before it is read.
UPLOAD_BYTES_MAX = 64 * 1024 * 1024
_SECRET_BYTES_MIN = 32


class ConfigError(Exception):
    """The environment does not allow a start; the message says what to set."""


def first_line(error: Exception) -> str:
    """Return what a driver's *error* says first: the rest quotes statements and links to manuals."""
    return (str(error).splitlines() or [type(error).__name__])[0]


@dataclass(frozen=True)
class Settings:
    """What the environment decides. ``demo`` has its own database and keys in ``instance/demo``."""

    database_url: str
    instance: Path
    keyring: cipher.Keyring
    secret_key: str
    demo: bool
    #: Cookies are Secure with the __Host- prefix; off only for plain http on the own machine.
    secure_cookies: bool
    #: Where the newest seal of the ledger is anchored, outside the database.
    anchor_file: Path
    #: What reads the records (``duckdb`` in this process, ``spark``), and the folder or URI below which they lie.
    evidence_engine: str = "duckdb"
    #: None: ``evidence`` in the instance folder.
    evidence_uri: str | None = None
    #: Spark's cluster; ``local[2]`` is a JVM beside this process with two threads.
    spark_master: str = "local[2]"
    #: Proxies in front of the app whose X-Forwarded headers are believed.
    trusted_proxies: int = 0
    #: The names under which browsers reach the app; empty: whatever name they say.
    hosts: tuple[str, ...] = ()
    #: Cost of a password hash (argon2id): passes over the memory, and how much of it.
    password_rounds: int = 3
    password_memory_kib: int = 65_536


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings.

    ``SUPERVISE_DEMO=1`` makes what it needs in ``instance/demo/`` and takes nothing else; otherwise ``DATABASE_URL``,
    ``SUPERVISE_KEY_FILE`` and ``SECRET_KEY_FILE`` must be given.

    Raises:
        ConfigError: with a sentence that says what to set.
    """
    demo = _flag(environ, "SUPERVISE_DEMO", default=False)
    instance = Path(environ.get("SUPERVISE_INSTANCE", PROJECT / "instance")).absolute()
    if demo:
        instance /= DEMO_FOLDER
        environ = _demo_environment(environ, instance)
    try:
        instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"SUPERVISE_INSTANCE: the folder {instance} cannot be made ({error.strerror})") from error
    _refuse_unwritable_folder("SUPERVISE_INSTANCE", instance)
    key_file, secret_file = _key_files(environ, instance, demo=demo)
    url = environ.get("DATABASE_URL", "")
    if not url:
        raise ConfigError("set DATABASE_URL, e.g. sqlite:////srv/supervise/supervise.sqlite3 or postgresql://...")
    try:
        keyring = cipher.read_key_file(key_file)
    except cipher.KeyFileError as error:
        raise ConfigError(f"{error}; `python -m supervise make-keys {key_file}` makes one") from error
    return Settings(
        database_url=database_url(url),
        instance=instance,
        keyring=keyring,
        secret_key=_secret(secret_file),
        demo=demo,
        secure_cookies=_flag(environ, "SUPERVISE_SECURE_COOKIES", default=not demo),
        anchor_file=_anchor_file(environ, instance),
        evidence_engine=_evidence_engine(environ),
        evidence_uri=environ.get("EVIDENCE_URI") or None,
        spark_master=environ.get("SPARK_MASTER", "local[2]"),
        trusted_proxies=_count(environ, "SUPERVISE_TRUSTED_PROXIES"),
        hosts=_hosts(environ),
    )


def _demo_environment(environ: Mapping[str, str], instance: Path) -> Mapping[str, str]:
    """Keep a demo's database and keys apart from all others: it is thrown away without a second look."""
    for name in ("DATABASE_URL", "SUPERVISE_KEY_FILE", "SECRET_KEY_FILE", "SUPERVISE_ANCHOR_FILE", "EVIDENCE_URI"):
        if name in environ:
            raise ConfigError(
                f"the demo has its own database and keys, but {name} is set: unset it, or start without the demo"
            )
    return {**environ, "DATABASE_URL": f"sqlite:///{instance / DEMO_DATABASE}"}


def database_url(url: str) -> str:
    """Return *url* with the driver named: psycopg for PostgreSQL.

    Raises:
        ConfigError: for any other database, for a URL that is none, and for a file that cannot be written.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"postgres", "postgresql", "postgresql+psycopg", "sqlite"}:
        # Never more of it: a password stands behind the scheme.
        raise ConfigError(f"DATABASE_URL must begin with sqlite:// or postgresql://, not {scheme.partition(':')[0]}")
    named = url if scheme == "sqlite" else f"postgresql+psycopg://{rest}"
    try:
        database = make_url(named).database
    except (ArgumentError, ValueError) as error:
        raise ConfigError("DATABASE_URL is not written as postgresql://user:password@host:port/database") from error
    if scheme == "sqlite":
        _refuse_unusable_file(database)
    return named


def _refuse_unusable_file(name: str | None) -> None:
    """Refuse what SQLite would take for a database that is gone with the process, or could not write to."""
    if not name or name == ":memory:" or name.startswith("file:"):
        raise ConfigError("DATABASE_URL names no file: sqlite:////srv/supervise/supervise.sqlite3 has four slashes")
    path = Path(name)
    if path.is_dir():
        raise ConfigError(f"DATABASE_URL names {path}, which is a folder: name a file in it")
    # SQLite keeps its write-ahead log beside the file.
    _refuse_unwritable_folder("DATABASE_URL", path.parent)
    if path.exists() and not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        raise ConfigError(f"DATABASE_URL names {path}, which this user may not read and write")


def _refuse_unwritable_folder(setting: str, folder: Path) -> None:
    if not folder.is_dir():
        raise ConfigError(f"{setting}: there is no folder {folder}")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise ConfigError(f"{setting}: this user may not write in the folder {folder}")


def _anchor_file(environ: Mapping[str, str], instance: Path) -> Path:
    path = Path(environ.get("SUPERVISE_ANCHOR_FILE", instance / "anchors.txt"))
    if path.is_dir() or (path.exists() and not os.access(path, os.R_OK | os.W_OK, effective_ids=True)):
        raise ConfigError(f"SUPERVISE_ANCHOR_FILE names {path}, which is no file that this user may read and write")
    return path


def _evidence_engine(environ: Mapping[str, str]) -> str:
    name = environ.get("EVIDENCE_ENGINE", "duckdb")
    if name not in {"duckdb", "spark"}:
        raise ConfigError(f"EVIDENCE_ENGINE must be duckdb or spark, not {name!r}")
    if name == "spark" and importlib.util.find_spec("pyspark") is None:
        raise ConfigError(
            "EVIDENCE_ENGINE is spark, but pyspark is not installed: pip install -r requirements-spark.txt"
        )
    uri = environ.get("EVIDENCE_URI", "")
    if name == "duckdb" and "://" in uri.removeprefix("file://"):
        raise ConfigError(f"EVIDENCE_URI names {uri}: DuckDB reads a folder of this machine; Spark reads other URIs")
    if uri and "://" not in uri.removeprefix("file://"):
        _refuse_unwritable_folder("EVIDENCE_URI", Path(uri.removeprefix("file://")))
    return name


def _key_files(environ: Mapping[str, str], instance: Path, *, demo: bool) -> tuple[Path, Path]:
    key_file = Path(environ.get("SUPERVISE_KEY_FILE", instance / "keys.json"))
    secret_file = Path(environ.get("SECRET_KEY_FILE", instance / "secret_key"))
    if demo:
        if not key_file.exists():
            cipher.make_key_file(key_file)
        if not secret_file.exists():
            secret_file.touch(mode=0o600)
            secret_file.write_text(secrets.token_hex(32), encoding="ascii")
    return key_file, secret_file


def _secret(path: Path) -> str:
    if not path.is_file():
        raise ConfigError(f"SECRET_KEY_FILE names {path}, which does not exist")
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"the secret in {path} can be read by others: chmod 600 {path}")
    try:
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the secret in {path} cannot be read as text: {error}") from error
    if len(secret) < _SECRET_BYTES_MIN:
        raise ConfigError(f"the secret in {path} is shorter than {_SECRET_BYTES_MIN} characters")
    return secret


def _flag(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = environ.get(name, "1" if default else "0")
    if value not in {"0", "1"}:
        raise ConfigError(f"{name} must be 0 or 1, not {value!r}")
    return value == "1"


def _hosts(environ: Mapping[str, str]) -> tuple[str, ...]:
    hosts = tuple(host.strip() for host in environ.get("SUPERVISE_HOSTS", "").split(",") if host.strip())
    if any(sign in host for host in hosts for sign in "/: \t*"):
        raise ConfigError("SUPERVISE_HOSTS lists names without scheme and port, such as supervise.example.cn,10.0.0.5")
    return hosts


def _count(environ: Mapping[str, str], name: str) -> int:
    value = environ.get(name, "0")
    if value not in {"0", "1", "2", "3"}:
        raise ConfigError(f"{name} must be 0, 1, 2 or 3, not {value!r}")
    return int(value)
