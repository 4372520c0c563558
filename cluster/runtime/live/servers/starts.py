"""How servers with data start: what they find in their data directory, what they make there, and what they say of it.

What is returned stands in the container's record as `boot`, so that the log can be worked out from it later:

    data       new: it was made now; kept: it was there; refused: no password; lost+found: it can't be made
    scripts    of docker-entrypoint-initdb.d: [name, what became of it, what was printed]
    failed     a script failed, and the container ends

The directory is there as soon as the container has started, although the first boot takes some seconds.

Mirrors:  docker-library/mysql, docker-library/postgres, mariadb-docker (docker-entrypoint.sh)
Left out: compressed scripts (the log says that they are not run); waiting in shell scripts.
"""

from collections.abc import Callable
from typing import Any

from cluster.runtime import noise
from cluster.runtime.live.files import FileError
from cluster.runtime.live.servers.place import Place
from cluster.runtime.live.servers.sql import parsing
from cluster.runtime.live.servers.sql.errors import MYSQL, POSTGRES, SqlError
from cluster.runtime.live.servers.sql.server import Session, decoded
from cluster.runtime.live.servers.sql.store import Store
from cluster.runtime.programs.databases import major_of, postgres_data

SCRIPTS = "/docker-entrypoint-initdb.d"
MYSQL_DATA = "/var/lib/mysql"
MOST_PRINTED = 4_000  # Characters of what scripts print that are kept.


def mysql_data(place: Place) -> str:
    """The data directory that --datadir names, or the usual one."""
    named = (word.partition("=")[2] for word in place.argv if word.startswith("--datadir="))
    return next(named, MYSQL_DATA).rstrip("/")


# --- mysql, mariadb ---------------------------------------------------------------------------------------------


def mysql(place: Place) -> dict[str, Any]:
    directory = mysql_data(place)
    store = Store(place.files, directory, MYSQL)
    if store.is_made:
        return {"data": "kept"}
    root = place.setting("MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD")
    empty = ("MYSQL_ALLOW_EMPTY_PASSWORD", "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD")
    if place.setting("MYSQL_RANDOM_ROOT_PASSWORD", "MARIADB_RANDOM_ROOT_PASSWORD"):
        root = noise.hexadecimal(32, noise.mix(place.seed, 5))
    elif not root and not place.setting(*empty):
        return {"data": "refused"}
    if place.setting("MYSQL_USER") == "root" and "Maria" not in place.version:
        return {"data": "refused"}
    try:
        return _new_mysql(place, store, root)
    except SqlError:
        return {"data": "no space"}


def _new_mysql(place: Place, store: Store, root: str) -> dict[str, Any]:
    host = place.setting("MYSQL_ROOT_HOST", "MARIADB_ROOT_HOST") or "%"
    accounts = ("root@localhost", f"root@{host}")
    users: dict[str, dict[str, Any]] = {name: {"password": root, "super": True, "grants": ["*"]} for name in accounts}
    user, password = (place.setting(f"MARIADB_{name}", f"MYSQL_{name}") for name in ("USER", "PASSWORD"))
    database = place.setting("MARIADB_DATABASE", "MYSQL_DATABASE")
    if user and password:
        users[f"{user}@%"] = {"password": password, "super": False, "grants": [database] if database else []}
    for name in ("mysql", "performance_schema", "sys"):
        store.make_directory(f"{store.directory}/{name}")
    store.put_users(users)
    for name in ("ibdata1", "auto.cnf"):
        store.write(f"{store.directory}/{name}", "[auto]\n")
    if database:
        store.create_database(database)
    return {"data": "new", **_scripts(place, MYSQL, store.directory, "root@localhost", database)}


# --- postgres ---------------------------------------------------------------------------------------------------


def postgres(place: Place) -> dict[str, Any]:
    directory = postgres_data(place.version, place.env)
    store = Store(place.files, directory, POSTGRES)
    if major_of(place.version) >= 18 and _old_mount(place):
        return {"data": "old mount"}
    if store.is_made:
        made_by = place.files.read(f"{directory}/PG_VERSION").strip()
        if made_by != place.version.partition(".")[0]:
            return {"data": "other version", "version": made_by}
        return {"data": "kept"}
    password = place.setting("POSTGRES_PASSWORD")
    if not password and place.env.get("POSTGRES_HOST_AUTH_METHOD") != "trust":
        return {"data": "refused"}
    there = _listing(place, directory)
    if there:
        return {"data": "lost+found" if "lost+found" in there else "not empty"}
    try:
        return _new_postgres(place, store, password)
    except SqlError:
        return {"data": "no space"}


def _old_mount(place: Place) -> bool:
    """Images from 18 on want their volume one directory higher."""
    return any(mount.path == "/var/lib/postgresql/data" for mount in place.files.mounts)


def _listing(place: Place, directory: str) -> list[str]:
    try:
        return place.files.listing(directory)
    except FileError:
        return []


def _new_postgres(place: Place, store: Store, password: str) -> dict[str, Any]:
    user = place.setting("POSTGRES_USER") or "postgres"
    database = place.setting("POSTGRES_DB") or user
    method = place.env.get("POSTGRES_HOST_AUTH_METHOD") or "scram-sha-256"
    trusts = "local   all   all                 trust\nhost    all   all   127.0.0.1/32  trust\n"
    store.write(f"{store.directory}/PG_VERSION", place.version.partition(".")[0] + "\n")
    store.write(f"{store.directory}/postgresql.conf", "listen_addresses = '*'\nmax_connections = 100\n")
    store.write(f"{store.directory}/pg_hba.conf", f"{trusts}host    all   all   all           {method}\n")
    store.put_users({user: {"password": password or None, "super": True, "login": True}})
    store.create_database("postgres", user)
    if database != "postgres":
        store.create_database(database, user)
    return {"data": "new", **_scripts(place, POSTGRES, store.directory, user, database)}


# --- scripts ----------------------------------------------------------------------------------------------------


def _scripts(place: Place, dialect: str, directory: str, user: str, database: str) -> dict[str, Any]:
    """Run what is in docker-entrypoint-initdb.d, in order of names; the first error ends it."""
    done: list[list[Any]] = []
    for name in _listing(place, SCRIPTS):
        if not name.endswith((".sql", ".sh")):
            done.append([name, "not run" if name.endswith((".gz", ".xz", ".zst", ".bz2")) else "ignoring", []])
            continue
        run = _shell_script if name.endswith(".sh") else _script
        printed, failed = run(place, dialect, directory, user, database, name)
        done.append([name, "running", printed])
        if failed:
            return {"scripts": done, "failed": True}
    return {"scripts": done} if done else {}


def _script(place: Place, dialect: str, directory: str, user: str, database: str, name: str) -> tuple[list[str], bool]:
    """(what it prints, did it fail?)."""
    path = f"{SCRIPTS}/{name}"
    text = decoded(place.files.read(path))
    session = Session(place, dialect, directory, user, database, f"boot {name}")
    printed: list[str] = []
    line, at = 1, 0
    for piece in parsing.split(text, dialect == MYSQL):
        at = text.find(piece, at)
        line = text.count("\n", 0, at) + 1
        at += len(piece)
        try:
            result = session.run(piece)
        except SqlError as error:
            return [*printed, *_complaint(error.words(dialect), dialect, path, line)], True
        if dialect == POSTGRES and result.tag and sum(map(len, printed)) < MOST_PRINTED:
            printed.append(result.tag)
    place.memory.pop("open", None)
    return printed, False


def _shell_script(
    place: Place, dialect: str, directory: str, user: str, database: str, name: str
) -> tuple[list[str], bool]:
    code, text = place.script(f"{SCRIPTS}/{name}")
    place.memory.pop("open", None)
    printed = text[:MOST_PRINTED].rstrip("\n").split("\n") if text else []
    if code is None:
        return [*printed, f"orrery: {name} waits for something; what it had done until then stays"], False
    return printed, code != 0


def _complaint(words: Any, dialect: str, path: str, line: int) -> list[str]:
    if dialect == MYSQL:
        return [(f"ERROR {words.number} ({words.state}) at line {line}: {words.mysql}")]
    detail = [f"DETAIL:  {words.detail}"] if words.detail else []
    return [f"psql:{path}:{line}: ERROR:  {words.postgres}", *detail]


STARTS: dict[str, Callable[[Place], dict[str, Any]]] = {"mysql": mysql, "mariadb": mysql, "postgres": postgres}
