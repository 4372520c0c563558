"""Tables as files in the server's data directory, so that whoever owns the disk owns the data.

    mysql      <data>/<database>/<table>.ibd                      users: <data>/mysql.ibd
    postgres   <data>/base/<oid>/<number>; which table that is: <data>/base/<oid>/1259 (pg_class)
               <data>/global/1262 (pg_database), <data>/global/1260 (pg_authid)

A table's file is JSON: its columns, keys and rows. What a transaction has changed stays in `pending` until it commits.

Mirrors:  where InnoDB and PostgreSQL keep the same things; the format inside is ours
"""

import zlib
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from cluster.runtime.live.files import FileError, Files
from cluster.runtime.live.servers.sql.errors import MYSQL, SqlError
from cluster.runtime.live.servers.sql.values import Column, Value, kept, restored

FIRST_OID = 16384
BUILT_IN = {"information_schema": True, "mysql": True, "performance_schema": True, "sys": True}


@dataclass
class Key:
    """`name`: PRIMARY or as the server called it; `columns`: their names."""

    name: str
    columns: list[str]
    unique: bool = True
    primary: bool = False


@dataclass
class Foreign:
    """`columns` must be found in `others` of the table `table`; `on_delete`: "", cascade or set null."""

    name: str
    columns: list[str]
    table: str
    others: list[str]
    on_delete: str = ""


@dataclass
class Table:
    """`next`: the number that an `auto` column gives next; `checks`: constraint -> SQL text."""

    name: str
    columns: list[Column]
    keys: list[Key] = field(default_factory=list)
    foreign: list[Foreign] = field(default_factory=list)
    checks: dict[str, str] = field(default_factory=dict)
    next: int = 1
    owner: str = ""
    rows: list[list[Value]] = field(default_factory=list)

    def place(self, name: str) -> int | None:
        """Of a column; names are not looked at for their case, as MySQL does."""
        lowered = name.lower()
        return next((n for n, column in enumerate(self.columns) if column.name.lower() == lowered), None)

    @property
    def primary(self) -> Key | None:
        return next((key for key in self.keys if key.primary), None)


class Store:
    """The data directory of one server. `pending`: path -> content, "" for a file that goes away."""

    def __init__(self, files: Files, directory: str, dialect: str) -> None:
        self.files, self.directory, self.dialect = files, directory, dialect
        self.work = 0  # Values of tables read and written.
        self.pending: dict[str, str] | None = None
        self.seen: dict[str, int] = {}  # Path -> checksum of what this transaction first read.

    # --- files ----------------------------------------------------------------------------------------------

    def _read(self, path: str) -> str | None:
        if self.pending is not None:
            if path in self.pending:
                return self.pending[path] or None
            if path not in self.seen:
                self.seen[path] = self._checksum(path)
        return self._content(path)

    def _content(self, path: str) -> str | None:
        try:
            return self.files.read(path)
        except FileError:
            return None

    def _checksum(self, path: str) -> int:
        return zlib.crc32((self._content(path) or "").encode("latin-1"))

    def write(self, path: str, content: str, about: str = "") -> None:
        """Errors: SqlError."""
        if self.pending is not None:
            self._read(path)
            self.pending[path] = content
            return
        try:
            if content:
                self.files.mkdir(path.rpartition("/")[0], parents=True, mode=0o700)
                self.files.write(path, content, mode=0o600)
            elif self.files.stat(path) is not None:
                self.files.remove(path)
        except FileError as error:
            name = "read only" if "Read-only" in str(error) else "full"
            raise SqlError(name, table=about, file=path.removeprefix(self.directory + "/")) from None

    def begin(self, state: dict[str, Any] | None = None) -> None:
        """A transaction starts, or goes on from `state`."""
        self.pending = dict(state["pending"]) if state else {}
        self.seen = dict(state["seen"]) if state else {}

    def state(self) -> dict[str, Any]:
        return {"pending": self.pending or {}, "seen": self.seen}

    def commit(self) -> None:
        """Errors: SqlError if somebody else has changed what this transaction changes."""
        pending, self.pending = self.pending or {}, None
        for path in pending:
            if self.seen.get(path) != self._checksum(path):
                raise SqlError("conflict")
        for path, content in pending.items():
            self.write(path, content)

    def rollback(self) -> None:
        self.pending = None

    def _json(self, path: str) -> Any:
        content = self._read(path)
        if content is None:
            return None
        try:
            return orjson.loads(content.encode("latin-1"))
        except orjson.JSONDecodeError:
            raise SqlError("gone", file=path.removeprefix(self.directory + "/")) from None

    def _put_json(self, path: str, value: Any, about: str = "") -> None:
        self.write(path, orjson.dumps(value).decode("latin-1"), about)

    # --- databases ------------------------------------------------------------------------------------------

    @property
    def is_made(self) -> bool:
        mark = "mysql.ibd" if self.dialect == MYSQL else "PG_VERSION"
        return self.files.stat(f"{self.directory}/{mark}") is not None

    def databases(self) -> list[str]:
        """Those that users have made, and PostgreSQL's own."""
        if self.dialect != MYSQL:
            return sorted(self._oids())
        found = [name for name in self._listing(self.directory) if self.files.is_directory(f"{self.directory}/{name}")]
        return [name for name in found if name not in BUILT_IN and not name.startswith((".", "#", "lost+found"))]

    def has_database(self, name: str) -> bool:
        if self.dialect != MYSQL:
            return name in self._oids()
        if name.lower() in BUILT_IN:
            return True
        hidden = not name or "/" in name or name.startswith((".", "#", "lost+found"))
        return not hidden and self.files.is_directory(f"{self.directory}/{name}")

    def create_database(self, name: str, owner: str = "") -> None:
        if self.dialect == MYSQL:
            self.make_directory(f"{self.directory}/{name}")
            return
        databases = self._databases()
        oid = max([FIRST_OID - 1, *(int(one["oid"]) for one in databases.values())]) + 1
        databases[name] = {"oid": oid, "owner": owner}
        self._put_json(f"{self.directory}/global/1262", databases)
        self.make_directory(f"{self.directory}/base/{oid}")

    def drop_database(self, name: str) -> None:
        path = f"{self.directory}/{name}"
        if self.dialect != MYSQL:
            databases = self._databases()
            path = f"{self.directory}/base/{databases.pop(name)['oid']}"
            self._put_json(f"{self.directory}/global/1262", databases)
        if self.files.stat(path) is not None:
            self.files.remove(path)

    def owner(self, database: str) -> str:
        return str(self._databases().get(database, {}).get("owner", "postgres"))

    def make_directory(self, path: str) -> None:
        try:
            self.files.mkdir(path, parents=True, mode=0o750)
        except FileError as error:
            raise SqlError("read only" if "Read-only" in str(error) else "full", table="", file=path) from None

    def _databases(self) -> dict[str, dict[str, Any]]:
        return self._json(f"{self.directory}/global/1262") or {}

    def _oids(self) -> dict[str, str]:
        return {name: str(one["oid"]) for name, one in self._databases().items()}

    def _listing(self, path: str) -> list[str]:
        try:
            return self.files.listing(path)
        except FileError:
            return []

    # --- tables ---------------------------------------------------------------------------------------------

    def tables(self, database: str) -> list[str]:
        if self.dialect != MYSQL:
            return sorted(self._relations(database))
        path = f"{self.directory}/{database}"
        names = {f"{path}/{name}" for name in self._listing(path)}
        for changed, content in (self.pending or {}).items():
            (names.add if content else names.discard)(changed)
        own = (name[len(path) + 1 :] for name in names if name.startswith(path + "/"))
        return sorted(name[:-4] for name in own if name.endswith(".ibd"))

    def table(self, database: str, name: str) -> Table | None:
        path = self._path(database, name)
        found = self._json(path) if path else None
        if found is None:
            return None
        columns = [Column(**one) for one in found["columns"]]
        self.work += len(columns) * len(found["rows"])
        rows = [[restored(value, column) for value, column in zip(row, columns, strict=True)] for row in found["rows"]]
        keys = [Key(**one) for one in found["keys"]]
        foreign = [Foreign(**one) for one in found["foreign"]]
        return Table(name, columns, keys, foreign, found["checks"], found["next"], found["owner"], rows)

    def put(self, database: str, table: Table) -> None:
        """Errors: SqlError if the disk is full."""
        path = self._path(database, table.name)
        if not path:
            relations = self._relations(database)
            number = max([FIRST_OID, int(self._oids()[database]), *map(int, relations.values())]) + 1
            relations[table.name] = str(number)
            self._put_json(self._class_of(database), relations)
            path = self._path(database, table.name)
        rows = [[kept(value) for value in row] for row in table.rows]
        self.work += len(table.columns) * len(rows)
        content = {
            "columns": [asdict(one) for one in table.columns], "keys": [asdict(one) for one in table.keys],
            "foreign": [asdict(one) for one in table.foreign], "checks": table.checks, "next": table.next,
            "owner": table.owner, "rows": rows,
        }  # fmt: skip
        self._put_json(path, content, table.name)

    def drop(self, database: str, name: str) -> None:
        self.write(self._path(database, name), "")
        if self.dialect != MYSQL:
            relations = self._relations(database)
            relations.pop(name, None)
            self._put_json(self._class_of(database), relations)

    def rename(self, database: str, table: Table, name: str) -> None:
        self.drop(database, table.name)
        table.name = name
        self.put(database, table)

    def _path(self, database: str, name: str) -> str:
        if self.dialect == MYSQL:
            return f"{self.directory}/{database}/{name}.ibd"
        number = self._relations(database).get(name)
        return f"{self.directory}/base/{self._oids()[database]}/{number}" if number else ""

    def _class_of(self, database: str) -> str:
        return f"{self.directory}/base/{self._oids().get(database, '0')}/1259"

    def _relations(self, database: str) -> dict[str, str]:
        return self._json(self._class_of(database)) or {}

    # --- users ----------------------------------------------------------------------------------------------

    @property
    def _users_path(self) -> str:
        return f"{self.directory}/{'mysql.ibd' if self.dialect == MYSQL else 'global/1260'}"

    def users(self) -> dict[str, dict[str, Any]]:
        """`name@host` (MySQL) or name -> {password, super, grants: databases}."""
        return self._json(self._users_path) or {}

    def put_users(self, users: dict[str, dict[str, Any]]) -> None:
        self._put_json(self._users_path, users)
