"""A SQL server: who asks, what may they, their statements one after the other, their transaction.

    request     {user, password, database, session, local, sql | meta | ping}             see wire.py
    answer      {error, fatal, results, database, transaction, version, user, work}

Every statement is all or nothing. Between BEGIN and COMMIT its changes stay in the process's memory under the session's
number; so they are lost with the process, as they should.

Mirrors:  sql_parse.cc and sql_connect.cc of MySQL; postgres.c and auth.c of PostgreSQL
"""

import re
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from cluster.runtime.live.files import FileError
from cluster.runtime.live.servers.place import Place
from cluster.runtime.live.servers.sql import catalogs, parsing
from cluster.runtime.live.servers.sql.changes import Changes
from cluster.runtime.live.servers.sql.definitions import Definitions
from cluster.runtime.live.servers.sql.errors import MYSQL, POSTGRES, SqlError
from cluster.runtime.live.servers.sql.expressions import OPERATORS
from cluster.runtime.live.servers.sql.functions import FUNCTIONS, variable, variables
from cluster.runtime.live.servers.sql.parsing import Plain, Statement, account, unquoted
from cluster.runtime.live.servers.sql.queries import Queries
from cluster.runtime.live.servers.sql.results import Result
from cluster.runtime.live.servers.sql.scope import World
from cluster.runtime.live.servers.sql.store import BUILT_IN, Store, Table
from cluster.runtime.live.servers.sql.values import text_of

MOST_OPEN = 16
MOST_STATEMENTS = 500
STATEMENT, CHARACTER = 1_000, 10  # Steps that reading a statement takes, and each of its characters.
MOST_WORK = 1_000_000  # Of one request: steps of evaluation, and values of tables read and written.
ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
LOCAL = ("127.0.0.1", "::1")
READ_ONLY = (exp.Select, exp.SetOperation, exp.Show, exp.Describe, exp.Values, exp.Subquery)
SETTINGS = ("names", "character_set", "sql_mode", "autocommit", "foreign_key_checks", "unique_checks", "time_zone",
            "sql_notes", "client_encoding", "search_path", "statement_timeout", "lock_timeout", "row_security",
            "standard_conforming_strings", "check_function_bodies", "client_min_messages", "xmloption",
            "default_tablespace", "default_table_access_method", "timezone", "datestyle", "application_name",
            "idle_in_transaction_session_timeout", "old_", "transaction_timeout")  # fmt: skip


class Session:
    """One connection's time with a server: made for a request, gone with its answer. Errors of all: SqlError."""

    def __init__(self, place: Place, dialect: str, directory: str, user: str, database: str, name: str = "") -> None:
        self.place, self.dialect, self.name = place, dialect, name
        self.store = Store(place.files, directory, dialect)
        self.user, self.database, self.stepped = user, database, 0
        self.world = World(dialect, place.now.replace(tzinfo=None), database, user, place.version, place.seed)
        self.world.handlers = {**OPERATORS, **FUNCTIONS}
        self.world.rolled = int(place.memory.get("rolled", 0))
        self.world.last_id = int(self._opened.get("last_id", 0))
        self.queries = Queries(self.world, self._find)
        self.world.select = self.queries.run
        self.world.sequence = self._sequence

    @property
    def _opened(self) -> dict[str, Any]:
        """What the server keeps of this session: an open transaction, the last number given."""
        return dict(self.place.memory.get("open", {}).get(self.name, {}))

    def _keep(self, **changes: Any) -> None:
        known = self.place.memory.setdefault("open", {})
        found = {**known.pop(self.name, {}), **changes}
        found = {name: value for name, value in found.items() if value}
        if found and len(known) >= MOST_OPEN:
            idle = next((name for name, one in known.items() if "state" not in one), None)
            if idle is None:
                raise SqlError("too many")
            del known[idle]
        if found and self.name:
            known[self.name] = found

    @property
    def work(self) -> int:
        """Steps of evaluation, and values of tables that were read and written."""
        return self.stepped + self.store.work

    @property
    def transaction(self) -> str:
        """Empty; T: one is open; E: and has failed."""
        opened = self._opened
        return "" if "state" not in opened else "E" if opened.get("failed") else "T"

    # --- statements -----------------------------------------------------------------------------------------

    def run(self, text: str) -> Result:
        """One statement."""
        try:
            statement = parsing.parse(text, self.dialect)
        except SqlError:
            if self.transaction and self.dialect != MYSQL:
                self._keep(failed=True)
            raise
        tree = statement.tree
        if tree is None:
            return Result()
        if control := self._control(tree):
            return control
        if self.transaction == "E":
            raise SqlError("aborted")
        return self._isolated(statement)

    def _isolated(self, statement: Statement) -> Result:
        """All of it or nothing."""
        opened = self.transaction == "T"
        if opened and self.dialect == MYSQL and self._commits(statement.tree):
            self._end(commit=True)
            opened = False
        self.store.begin(self._opened.get("state") if opened else None)
        self.world.steps = World.steps
        try:
            result = self._execute(statement)
        except SqlError:
            self.store.rollback()
            if opened and self.dialect != MYSQL:
                self._keep(failed=True)
            raise
        except RecursionError:
            self.store.rollback()
            raise SqlError("too complex", depth=parsing.DEEPEST) from None
        except (FileError, *ODD):  # Whatever somebody types, a step has to end.
            self.store.rollback()
            raise SqlError("unsupported", what="this statement") from None
        finally:
            self.stepped += World.steps - self.world.steps
        self.place.memory["rolled"] = self.world.rolled
        if not self.world.rolled:
            self.place.memory.pop("rolled", None)
        if opened:
            self._keep(state=self.store.state())
            self.store.rollback()
        else:
            self.store.commit()
        if self.world.last_id != int(self._opened.get("last_id", 0)):
            self._keep(last_id=self.world.last_id)
        return result

    @staticmethod
    def _commits(tree: Any) -> bool:
        """MySQL ends a transaction before it defines anything."""
        kinds = (exp.Create, exp.Drop, exp.Alter, exp.TruncateTable)
        return isinstance(tree, kinds) or (isinstance(tree, Plain) and tree.kind != "show grants")

    def _control(self, tree: Any) -> Result | None:
        if isinstance(tree, exp.Transaction):
            if self.transaction:
                if self.dialect == MYSQL:
                    self._end(commit=True)
                else:
                    return Result(tag="BEGIN", notices=("WARNING:  there is already a transaction in progress",))
            self._keep(state={"pending": {}, "seen": {}})
            self._keep(state={"pending": {}, "seen": {}, "open": True})
            return Result(tag="BEGIN")
        if isinstance(tree, exp.Commit | exp.Rollback):
            if tree.args.get("savepoint"):
                raise SqlError("unsupported", what="SAVEPOINT")
            commit = isinstance(tree, exp.Commit) and self.transaction != "E"
            if not self.transaction:
                notice = () if self.dialect == MYSQL else ("WARNING:  there is no transaction in progress",)
                return Result(tag="COMMIT" if commit else "ROLLBACK", notices=notice)
            self._end(commit)
            return Result(tag="COMMIT" if commit else "ROLLBACK")
        return None

    def _end(self, commit: bool) -> None:
        state = self._opened.get("state")
        self._keep(state=None, failed=None)
        if commit and state:
            self.store.begin(state)
            self.store.commit()

    def _execute(self, statement: Statement) -> Result:
        tree = statement.tree
        self.world.database = self.database
        if isinstance(tree, Plain):
            return self._plain(tree)
        changes = Changes(self.store, self.world, self.queries, self.database)
        definitions = Definitions(changes, self.user)
        if not isinstance(tree, READ_ONLY):
            self._check_databases(tree)
        if isinstance(tree, exp.Insert):
            return changes.insert(statement)
        handlers: dict[type, Callable[[Any], Result]] = {
            exp.Update: changes.update,
            exp.Delete: changes.delete,
            exp.TruncateTable: changes.truncate,
            exp.Create: definitions.create,
            exp.Drop: definitions.drop,
            exp.Alter: definitions.alter,
            exp.Use: self._use,
            exp.Set: self._set,
            exp.Show: self._show,
            exp.Describe: self._describe,
        }
        if type(tree) in handlers:
            return handlers[type(tree)](tree)
        if isinstance(tree, READ_ONLY):
            names, rows = self.queries.run(tree, None, statement.items)
            return Result(tag=f"SELECT {len(rows)}", columns=names, rows=rows)
        raise SqlError("unsupported", what=str(getattr(tree, "key", "statement")).upper())

    def _use(self, tree: exp.Use) -> Result:
        name = tree.this.name if tree.this is not None else ""
        if self.dialect != MYSQL:
            raise SqlError("syntax", at=0, near="use", line=1, token='or near "use"')
        self.check_database(name)
        self.database = self.world.database = name
        return Result(tag="USE", database=name)

    def _set(self, tree: exp.Set) -> Result:
        for item in tree.expressions:
            inner = item.this
            name = str(item.args.get("kind") or "")
            if isinstance(inner, exp.EQ):
                name = inner.this.name or name
                if isinstance(inner.this, exp.Parameter):
                    raise SqlError("unsupported", what="user variables")
                off = inner.expression.name.lower() in ("0", "off")
                if name.lower() == "autocommit" and off:
                    raise SqlError("unsupported", what="SET autocommit = 0")
            known = name.lower().startswith(SETTINGS) or name.lower() in variables(self.world)
            if not known and name.upper() not in ("TRANSACTION", "CHARACTER SET", ""):
                raise SqlError("no variable", name=name)
        return Result(tag="SET")

    def _show(self, tree: exp.Show) -> Result:
        return catalogs.show(tree, self.store, self.world, self._visible(), self._find_named)

    def _describe(self, tree: exp.Describe) -> Result:
        if not isinstance(tree.this, exp.Table):
            raise SqlError("unsupported", what="EXPLAIN")
        return catalogs.describe(self._find_named(tree.this.db, tree.this.name))

    # --- tables that are read -------------------------------------------------------------------------------

    def _find_named(self, database: str, name: str) -> Table:
        return self._find(database, name, None)

    def _find(self, database: str, name: str, at: int | None) -> Table:
        system = catalogs.system_table(
            database or (self.database if self.dialect == MYSQL else ""), name, self.store, self.world
        )
        if system is not None:
            return system
        where = (database if self.dialect == MYSQL else "") or self.database
        if not where:
            raise SqlError("none selected")
        self.check_database(where)
        found = self.store.table(where, name)
        if found is None:
            shown = f"{database}.{name}" if database and self.dialect != MYSQL else name
            raise SqlError("no table", table=shown, database=where, at=at)
        return found

    def _sequence(self, name: str, what: str) -> int:
        for each in self.store.tables(self.database):
            table = self.store.table(self.database, each)
            if table is not None and any(column.sequence == name for column in table.columns):
                if what == "next":
                    table.next += 1
                    self.store.put(self.database, table)
                return table.next - 1
        raise SqlError("no table", table=name, database=self.database)

    # --- databases and users --------------------------------------------------------------------------------

    @property
    def own(self) -> dict[str, Any]:
        return self.store.users().get(self.user, {})

    def _may(self, database: str) -> bool:
        own = self.own
        return (
            bool(own.get("super"))
            or self.dialect != MYSQL
            or any(
                one in ("*", database) or (one.endswith("%") and database.startswith(one[:-1]))
                for one in own.get("grants", ())
            )
        )

    def _visible(self) -> list[str]:
        own = [name for name in self.store.databases() if self._may(name)]
        built_in = BUILT_IN if self.own.get("super") or "*" in self.own.get("grants", ()) else (
            "information_schema", "performance_schema"
        )  # fmt: skip
        return sorted([*own, *built_in])

    def check_database(self, name: str) -> None:
        if self.dialect == MYSQL and name.lower() not in BUILT_IN and not self._may(name):
            user, _, host = self.user.rpartition("@")
            raise SqlError("denied database", user=user, host=host, database=name)
        if not self.store.has_database(name):
            raise SqlError("no database", database=name)

    def _check_databases(self, tree: Any) -> None:
        if self.dialect != MYSQL:
            return
        for one in tree.find_all(exp.Table):
            where = one.db or self.database
            if where and isinstance(one.this, exp.Identifier) and not isinstance(tree, exp.Use):
                self.check_database(where)

    def _needs(self, what: str, allowed: bool = False) -> None:
        if not (self.own.get("super") or allowed):
            raise SqlError("denied server", what=what)

    def _plain(self, plain: Plain) -> Result:
        if self.transaction == "T" and plain.kind in ("create database", "drop database") and self.dialect != MYSQL:
            raise SqlError("in transaction", command=plain.kind.upper())
        handlers = {
            "create database": self._create_database,
            "drop database": self._drop_database,
            "create user": self._create_user,
            "alter user": self._alter_user,
            "set password": self._alter_user,
            "drop user": self._drop_user,
            "grant": self._grant,
            "revoke": self._grant,
            "show grants": self._show_grants,
            "show": self._show_setting,
            "rename": self._rename,
            "alter owner": self._alter_owner,
        }
        handler = handlers.get(plain.kind)
        if handler is None:  # flush, lock, comment: nothing of ours depends on them.
            return Result(tag=plain.kind.upper())
        return handler(plain)

    def _create_database(self, plain: Plain) -> Result:
        words, name = plain.words, unquoted(plain.words["name"])
        if self.dialect != MYSQL:
            name = name if plain.words["name"].startswith('"') else name.lower()
            self._needs("create database", bool(self.own.get("createdb")))
        elif not self._may(name):
            user, _, host = self.user.rpartition("@")
            raise SqlError("denied database", user=user, host=host, database=name)
        if self.store.has_database(name) or (self.dialect != MYSQL and name in catalogs.TEMPLATES):
            if words.get("if"):
                return Result(tag="CREATE DATABASE", affected=1)
            raise SqlError("database exists", database=name)
        owner = re.search(r"owner\s*=?\s*(\S+)", words.get("options", ""), re.IGNORECASE)
        self.store.create_database(name, unquoted(owner[1]) if owner else self.user)
        return Result(tag="CREATE DATABASE", affected=1)

    def _drop_database(self, plain: Plain) -> Result:
        name = unquoted(plain.words["name"])
        if self.dialect != MYSQL:
            name = name if plain.words["name"].startswith('"') else name.lower()
        if not self.store.has_database(name) or name.lower() in BUILT_IN:
            if plain.words.get("if"):
                return Result(tag="DROP DATABASE", notices=(f'database "{name}" does not exist, skipping',))
            raise SqlError("no database to drop", database=name)
        if self.dialect != MYSQL:
            if name == self.database:
                raise SqlError("open database")
            self._needs("drop database", self.store.owner(name) == self.user)
        else:
            self.check_database(name)
        count = len(self.store.tables(name))
        self.store.drop_database(name)
        gone = "" if name == self.database else None
        self.database = "" if name == self.database else self.database
        return Result(tag="DROP DATABASE", affected=count, database=gone)

    def _account(self, text: str) -> str:
        if self.dialect != MYSQL:
            return unquoted(text) if text.startswith('"') else text.lower()
        return "@".join(account(text))

    def _create_user(self, plain: Plain) -> Result:
        self._needs("CREATE USER" if self.dialect == MYSQL else "create role")
        users, name = self.store.users(), self._account(plain.words["user"])
        tag = "CREATE ROLE"
        if name in users:
            if plain.words.get("if"):
                return Result(tag=tag)
            user, host = account(plain.words["user"])
            raise SqlError("user exists", operation="CREATE USER", user=user, host=host)
        if self.dialect == MYSQL:
            users[name] = {"password": unquoted(plain.words["password"]), "super": False, "grants": []}
        else:
            users[name] = {"login": plain.words["kind"].lower() == "user", **self._options(plain)}
        self.store.put_users(users)
        return Result(tag=tag)

    def _options(self, plain: Plain) -> dict[str, Any]:
        """LOGIN, SUPERUSER, CREATEDB, PASSWORD '…' of PostgreSQL."""
        text, found = plain.words.get("options", ""), dict[str, Any]()
        if match := re.search(r"password\s+'((?:[^']|'')*)'", text, re.IGNORECASE):
            found["password"] = match[1].replace("''", "'")
            text = text.replace(match[0], " ")
        for word in re.findall(r"[a-z]+", text.lower()):
            names = {"superuser": "super", "createdb": "createdb", "login": "login"}
            if word.removeprefix("no") in names:
                found[names[word.removeprefix("no")]] = not word.startswith("no")
        return found

    def _alter_user(self, plain: Plain) -> Result:
        users = self.store.users()
        name = self._account(plain.words["user"]) if plain.words.get("user") else self.user
        self._needs("CREATE USER" if self.dialect == MYSQL else "alter role", name == self.user)
        if name not in users:
            user, host = account(plain.words["user"])
            raise SqlError("no user", operation="ALTER USER", user=user, host=host)
        if self.dialect == MYSQL:
            users[name]["password"] = unquoted(plain.words["password"])
        else:
            users[name] |= self._options(plain)
        self.store.put_users(users)
        return Result(tag="ALTER ROLE")

    def _drop_user(self, plain: Plain) -> Result:
        self._needs("CREATE USER" if self.dialect == MYSQL else "drop role")
        users, name = self.store.users(), self._account(plain.words["user"])
        if name not in users:
            if plain.words.get("if"):
                return Result(tag="DROP ROLE", notices=(f'role "{name}" does not exist, skipping',))
            user, host = account(plain.words["user"])
            raise SqlError("no user", operation="DROP USER", user=user, host=host)
        del users[name]
        self.store.put_users(users)
        return Result(tag="DROP ROLE")

    def _grant(self, plain: Plain) -> Result:
        if self.dialect != MYSQL:
            return Result(tag=plain.words["verb"].upper())  # Privileges on tables are left out.
        self._needs("GRANT")
        users, name, on = self.store.users(), self._account(plain.words["user"]), unquoted(plain.words["on"])
        if name not in users:
            user, host = account(plain.words["user"])
            raise SqlError("no user", operation=plain.kind.upper(), user=user, host=host)
        grants = [one for one in users[name].get("grants", []) if one != on]
        users[name]["grants"] = [*grants, on] if plain.kind == "grant" else grants
        self.store.put_users(users)
        return Result()

    def _show_grants(self, plain: Plain) -> Result:
        asked = plain.words.get("user", "")
        name = self.user if not asked or asked.lower().startswith("current_user") else self._account(asked)
        found = self.store.users().get(name)
        user, _, host = name.rpartition("@")
        if found is None:
            raise SqlError("no user", operation="SHOW GRANTS", user=user, host=host)
        rows = [[f"GRANT USAGE ON *.* TO `{user}`@`{host}`"]]
        if found.get("super"):
            rows = [[f"GRANT ALL PRIVILEGES ON *.* TO `{user}`@`{host}` WITH GRANT OPTION"]]
        rows += [[f"GRANT ALL PRIVILEGES ON {'*' if one == '*' else f'`{one}`'}.* TO `{user}`@`{host}`"]
                 for one in found.get("grants", ())]  # fmt: skip
        return Result(columns=[f"Grants for {name}"], rows=rows)

    def _show_setting(self, plain: Plain) -> Result:
        name = plain.words["name"].lower()
        if name == "all":
            rows = [[one, value] for one, value in variables(self.world).items()]
            return Result(tag="SHOW", columns=["name", "setting"], rows=rows)
        return Result(tag="SHOW", columns=[name], rows=[[variable(name, self.world)]])

    def _rename(self, plain: Plain) -> Result:
        name, to = unquoted(plain.words["table"]), unquoted(plain.words["to"])
        table = self._find_named("", name)
        if self.store.table(self.database, to) is not None:
            raise SqlError("table exists", table=to)
        self.store.rename(self.database, table, to)
        return Result()

    def _alter_owner(self, plain: Plain) -> Result:
        found = self.store.table(self.database, unquoted(plain.words["name"]))
        if found is not None:
            found.owner = unquoted(plain.words["user"])
            self.store.put(self.database, found)
        return Result(tag="ALTER TABLE")


# --- requests ---------------------------------------------------------------------------------------------------


def answer(place: Place, dialect: str, directory: str, asked: dict[str, Any]) -> dict[str, Any]:
    """What a request of ours gets."""
    fields: dict[str, Any] = {"results": [], "version": place.version, "dialect": dialect, "transaction": ""}
    local = bool(asked.get("local")) and place.client in LOCAL
    try:
        user = _authenticated(place, dialect, directory, asked, local)
        session = Session(place, dialect, directory, user, "", str(asked.get("session") or ""))
        _connect(session, dialect, str(asked.get("database") or ""), str(asked.get("user") or ""))
    except SqlError as error:
        return fields | {"error": _error(error, dialect, ""), "fatal": True}
    except (FileError, *ODD):  # Somebody has put something else where its files are.
        return fields | {"error": _error(SqlError("gone", file=directory), dialect, ""), "fatal": True}
    fields |= {"user": user, "super": bool(session.own.get("super"))}
    try:
        if "meta" in asked:
            command, argument = (decoded(str(one)) for one in asked["meta"])
            results = catalogs.meta(command, argument, session.store, session.world)
            fields["results"] = [_plain_result(one, dialect) for one in results]
        for number, text in enumerate(parsing.split(decoded(str(asked.get("sql") or "")), dialect == MYSQL)):
            try:
                if number >= MOST_STATEMENTS or session.work > MOST_WORK:
                    raise SqlError("too much")
                session.stepped += STATEMENT + CHARACTER * len(text)
                fields["results"].append(_plain_result(session.run(text), dialect))
            except SqlError as error:
                fields["error"] = _error(error, dialect, text)
                break
    except SqlError as error:
        fields["error"] = _error(error, dialect, "")
    except (FileError, *ODD):
        fields["error"] = _error(SqlError("gone", file=directory), dialect, "")
    fields |= {"database": session.database, "transaction": session.transaction, "work": session.work}
    return fields


def _connect(session: Session, dialect: str, database: str, user: str) -> None:
    if dialect != MYSQL:
        database = database or user
        if not session.store.has_database(database):
            raise SqlError("no database", database=database)
    elif database:
        session.check_database(database)
    session.database = session.world.database = database


def _authenticated(place: Place, dialect: str, directory: str, asked: dict[str, Any], local: bool) -> str:
    """The account that this is. Errors: SqlError."""
    users = Store(place.files, directory, dialect).users()
    user, password = str(asked.get("user") or ""), asked.get("password")
    if dialect != MYSQL:
        return _role(place, users, user, password, local)
    host = "localhost" if local else place.client
    found = next((name for name in (f"{user}@{host}", f"{user}@%") if name in users), None)
    if found is None and host in LOCAL and f"{user}@localhost" in users:
        found = f"{user}@localhost"
    if found is None or users[found].get("password", "") != (password or ""):
        raise SqlError("denied", user=user, host=host, using="YES" if password else "NO")
    return found


def _role(place: Place, users: dict[str, dict[str, Any]], user: str, password: Any, local: bool) -> str:
    trusts = local or place.client in LOCAL or place.env.get("POSTGRES_HOST_AUTH_METHOD") == "trust"
    if not trusts and (user not in users or users[user].get("password") is None or users[user]["password"] != password):
        raise SqlError("denied", user=user)
    if user not in users:
        raise SqlError("no role", user=user)
    return user


def _plain_result(result: Result, dialect: str) -> dict[str, Any]:
    found = result._asdict()
    found |= {"said": encoded(result.said), "after": encoded(result.after)}
    found["notices"] = [encoded(one) for one in result.notices]
    if result.columns is not None:
        columns = range(len(result.columns))
        found["numeric"] = [
            any(row[n] is not None for row in result.rows)
            and all(
                row[n] is None or (not isinstance(row[n], str | bool) and not hasattr(row[n], "year"))
                for row in result.rows
            )
            for n in columns
        ]
        found["columns"] = [encoded(name) for name in result.columns]
        found["rows"] = [[None if value is None else encoded(text_of(value, dialect) or "") for value in row]
                         for row in result.rows]  # fmt: skip
    return found


def _error(error: SqlError, dialect: str, statement: str) -> dict[str, Any]:
    words = error.words(dialect)
    found: dict[str, Any] = {"statement": encoded(statement), "at": error.at}
    if dialect == MYSQL:
        return found | {"number": words.number, "state": words.state, "text": encoded(words.mysql)}
    texts = {"text": words.postgres, "detail": words.detail, "hint": words.hint}
    return found | {"code": words.code} | {name: encoded(text) for name, text in texts.items()}


def decoded(text: str) -> str:
    """Real characters of what travels as bytes."""
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def encoded(text: str) -> str:
    return text.encode("utf-8", "replace").decode("latin-1")


__all__ = ["MYSQL", "POSTGRES", "Session", "answer"]
