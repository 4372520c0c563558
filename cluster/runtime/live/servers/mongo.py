"""mongo: databases of collections of documents, each collection a file below /data/db.

    <data>/<database>/<collection>.wt    {"documents": [...], "indexes": [[name, keys, unique] …]}
    <data>/admin/system.users.wt         users, if MONGO_INITDB_ROOT_USERNAME and _PASSWORD made one at the first start

Documents are extended JSON: ObjectIds as {"$oid": …}, dates as {"$date": …}.

Mirrors:  mongod 8: insert, find, update, delete, count, distinct, aggregate (match, group, sort, limit, skip, project)
Left out: replica sets (rs.status() says so), transactions, other stages and operators, text search, change streams,
          scripts of docker-entrypoint-initdb.d, real clients from outside of the cluster. Of indexes only
          unique ones act.
Limits:   100,000 documents looked at in a command; what files.py says of a disk.
"""

from collections.abc import Callable, Iterable
from typing import Any

import orjson
import re2

from cluster.runtime import noise
from cluster.runtime.live.answers import Answer
from cluster.runtime.live.files import FileError
from cluster.runtime.live.servers import wire
from cluster.runtime.live.servers.place import Place

DATA, MARK = "/data/db", "WiredTiger"
MOST = 100_000
Document = dict[str, Any]
MISSING = object()
NUMERIC = ("$inc", "$mul", "$min", "$max")


class Failed(Exception):
    """A command's error: `str()` its message; `code` and `name` as mongod has them."""

    def __init__(self, message: str, code: int, name: str) -> None:
        super().__init__(message)
        self.code, self.name = code, name


def serve(place: Place, port: int, given: str) -> Answer | None:
    asked = wire.asked(given)
    if asked is None:
        return Answer("", len(given), True)  # It hangs up on what it does not understand.
    try:
        _authenticated(place, asked)
        said = Mongo(place, str(asked.get("database") or "test")).run(asked["command"])
    except Failed as failed:
        said = {"ok": 0, "errmsg": str(failed), "code": failed.code, "codeName": failed.name}
    except (ArithmeticError, AttributeError, FileError, LookupError, RecursionError, TypeError, ValueError):
        text = "orrery: these arguments are not understood"  # Whatever somebody types, a step has to end.
        said = {"ok": 0, "errmsg": text, "code": 9, "codeName": "FailedToParse"}
    return Answer(wire.said({"version": place.version, **said}), len(given), True)


def start(place: Place) -> dict[str, Any]:
    """A data directory is made, or found."""
    if place.files.stat(f"{DATA}/{MARK}") is not None:
        return {"data": "kept"}
    user, password = (place.setting(f"MONGO_INITDB_ROOT_{name}") for name in ("USERNAME", "PASSWORD"))
    if bool(user) != bool(password):
        return {"data": "refused"}
    try:
        place.files.mkdir(DATA, parents=True)
        place.files.write(f"{DATA}/{MARK}", "WiredTiger\nWiredTiger 12.0.0\n")
        if user:
            server = Mongo(place, "admin")
            server.put("system.users", [{"_id": f"admin.{user}", "user": user, "pwd": password, "roles": ["root"]}], [])
    except (FileError, Failed):
        return {"data": "no space"}
    return {"data": "new", **({"user": user} if user else {})}


def _authenticated(place: Place, asked: dict[str, Any]) -> None:
    """Errors: Failed. Whoever gives no name may only ask whether it is there, if there are users."""
    users = {one["user"]: one["pwd"] for one in Mongo(place, "admin").documents("system.users")}
    name = str(asked.get("user") or "")
    if name and users.get(name, MISSING) != asked.get("password"):
        raise Failed("Authentication failed.", 18, "AuthenticationFailed")
    command = next(iter(asked["command"]), "")
    if users and not name and command not in ("ping", "hello", "buildInfo", "connectionStatus"):
        raise Failed(f"Command {command} requires authentication", 13, "Unauthorized")


class Mongo:
    """One command of one database. Errors of all: Failed."""

    def __init__(self, place: Place, database: str) -> None:
        self.place, self.database = place, database

    def run(self, command: Document) -> Document:
        name = next(iter(command), "")
        handler = COMMANDS.get(name)
        if handler is None:
            raise Failed(f"no such command: '{name}'", 59, "CommandNotFound")
        return {**handler(self, command), "ok": 1}

    # --- files ----------------------------------------------------------------------------------------------

    def path(self, collection: str, database: str = "") -> str:
        if not collection or "/" in collection or "$" in collection:
            raise Failed(f"Invalid collection name: {collection}", 73, "InvalidNamespace")
        return f"{DATA}/{database or self.database}/{collection}.wt"

    def content(self, collection: str, database: str = "") -> Document:
        try:
            found = orjson.loads(self.place.files.read(self.path(collection, database)).encode("latin-1"))
        except (FileError, orjson.JSONDecodeError):
            return {"documents": [], "indexes": []}
        return dict(found)

    def documents(self, collection: str) -> list[Document]:
        found: list[Document] = self.content(collection)["documents"]
        return found

    def put(self, collection: str, documents: list[Document], indexes: list[Any] | None = None) -> None:
        indexes = self.content(collection)["indexes"] if indexes is None else indexes
        content = orjson.dumps({"documents": documents, "indexes": indexes}).decode("latin-1")
        try:
            self.place.files.mkdir(f"{DATA}/{self.database}", parents=True)
            self.place.files.write(self.path(collection), content)
        except FileError as error:
            raise Failed(f"28: {error}", 14031, "OutOfDiskSpace") from None

    def collections(self, database: str = "") -> list[str]:
        try:
            names = self.place.files.listing(f"{DATA}/{database or self.database}")
        except FileError:
            return []
        return [name[:-3] for name in names if name.endswith(".wt") and not name.startswith("system.")]

    def databases(self) -> list[str]:
        names = self.place.files.listing(DATA)
        own = [name for name in names if self.place.files.is_directory(f"{DATA}/{name}") and self.collections(name)]
        return sorted({*own, "admin", "config", "local"})

    # --- identity -------------------------------------------------------------------------------------------

    def new_id(self) -> Document:
        """An ObjectId: seconds, five digits of the process, a counter."""
        count = int(self.place.memory.get("ids", noise.mix(self.place.seed, 3) % 0xFFFFFF)) + 1
        self.place.memory["ids"] = count & 0xFFFFFF
        process = noise.hexadecimal(10, noise.mix(self.place.seed, 4))
        return {"$oid": f"{int(self.place.now.timestamp()):08x}{process}{count & 0xFFFFFF:06x}"}

    def check_unique(self, collection: str, documents: list[Document]) -> None:
        for name, keys, unique in [["_id_", {"_id": 1}, True], *self.content(collection)["indexes"]]:
            if not unique:
                continue
            seen: dict[bytes, None] = {}
            for document in documents:
                values = {key: value_at(document, key) for key in keys}
                shown = {key: None if value is MISSING else value for key, value in values.items()}
                mark = orjson.dumps(shown)
                if mark in seen:
                    inside = ", ".join(f"{key}: {_brief(value)}" for key, value in shown.items())
                    where = f"{self.database}.{collection} index: {name} dup key: {{ {inside} }}"
                    raise Failed(f"E11000 duplicate key error collection: {where}", 11000, "DuplicateKey")
                seen[mark] = None


def _brief(value: Any) -> str:
    if isinstance(value, dict) and "$oid" in value:
        return f"ObjectId('{value['$oid']}')"
    return orjson.dumps(value).decode()


# --- matching ---------------------------------------------------------------------------------------------------


def value_at(document: Any, path: str) -> Any:
    """What is at `a.b.0`; MISSING if nothing is."""
    for part in path.split("."):
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdecimal() and int(part) < len(document):
            document = document[int(part)]
        elif isinstance(document, list):
            found = [value for one in document if (value := value_at(one, part)) is not MISSING]
            document = found if found else MISSING
        else:
            return MISSING
    return document


def order_of(value: Any) -> tuple[Any, ...]:
    """MongoDB's order of all types."""
    if value is MISSING or value is None:
        return (0,)
    if isinstance(value, bool):
        return (6, value)
    if isinstance(value, int | float):
        return (1, value)
    if isinstance(value, str):
        return (2, value)
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("$oid", "$date"):
        return (5 if "$oid" in value else 7, str(next(iter(value.values()))))
    if isinstance(value, dict):
        return (3, tuple((name, order_of(one)) for name, one in value.items()))
    return (4, tuple(map(order_of, value))) if isinstance(value, list) else (9, str(value))


def matches(document: Document, query: Document) -> bool:
    """
    >>> matches({"a": 5, "t": ["x"]}, {"a": {"$gt": 3}, "t": "x"}), matches({"a": 1}, {"$or": [{"a": 2}]})
    (True, False)
    """
    for name, wanted in query.items():
        if name == "$and":
            holds = all(matches(document, one) for one in wanted)
        elif name in ("$or", "$nor"):
            holds = any(matches(document, one) for one in wanted) == (name == "$or")
        elif name.startswith("$"):
            raise Failed(f"unknown top level operator: {name}", 2, "BadValue")
        else:
            holds = _holds(value_at(document, name), wanted)
        if not holds:
            return False
    return True


def _is_operator(name: str) -> bool:
    return name.startswith("$") and name not in ("$oid", "$date")


def _holds(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict) and wanted and all(_is_operator(name) for name in wanted):
        return all(_operator(name, value, one, wanted) for name, one in wanted.items())
    return _equal(value, wanted)


def _equal(value: Any, wanted: Any) -> bool:
    if order_of(value) == order_of(wanted):
        return True
    inside = isinstance(value, list) and not isinstance(wanted, list)
    return inside and any(order_of(one) == order_of(wanted) for one in value)


def _operator(name: str, value: Any, wanted: Any, whole: Document) -> bool:
    several = value if isinstance(value, list) else [value]
    if name in ("$gt", "$gte", "$lt", "$lte"):
        return any(_compared(name, one, wanted) for one in several)
    if name == "$not":
        return not _holds(value, wanted)
    if name == "$elemMatch":
        return isinstance(value, list) and any(
            matches(one, wanted) if isinstance(one, dict) else _holds(one, wanted) for one in value
        )
    flags = whole.get("$options", "")
    tests: dict[str, Callable[[], bool]] = {
        "$eq": lambda: _equal(value, wanted),
        "$ne": lambda: not _equal(value, wanted),
        "$in": lambda: any(_equal(value, one) for one in wanted),
        "$nin": lambda: not any(_equal(value, one) for one in wanted),
        "$exists": lambda: (value is not MISSING) == bool(wanted),
        "$size": lambda: isinstance(value, list) and len(value) == wanted,
        "$all": lambda: all(_equal(value, one) for one in wanted),
        "$regex": lambda: any(isinstance(one, str) and _found(wanted, flags, one) for one in several),
        "$options": lambda: True,
    }
    if name not in tests:
        raise Failed(f"unknown operator: {name}", 2, "BadValue")
    return tests[name]()


def _compared(name: str, value: Any, wanted: Any) -> bool:
    left, right = order_of(value), order_of(wanted)
    if left[0] != right[0]:
        return False
    return {"$gt": left > right, "$gte": left >= right, "$lt": left < right, "$lte": left <= right}[name]


def _found(pattern: str, options: str, text: str) -> bool:
    flags = "".join(one for one in options if one in "ims")
    try:
        return re2.search(f"(?{flags}){pattern}" if flags else str(pattern), text) is not None
    except re2.error:
        raise Failed("Regular expression is invalid", 51091, "Location51091") from None


# --- changing ---------------------------------------------------------------------------------------------------


def _put_at(document: Document, path: str, value: Any) -> None:
    *above, last = path.split(".")
    for part in above:
        if not isinstance(document.get(part), dict):
            document[part] = {}
        document = document[part]
    if value is MISSING:
        document.pop(last, None)
    else:
        document[last] = value


def changed(document: Document, update: Document, now: str, new: bool = False) -> Document:
    """A document after an update. Errors: Failed."""
    if not any(name.startswith("$") for name in update):
        return {"_id": document.get("_id"), **update} if "_id" in document else dict(update)
    found: Document = orjson.loads(orjson.dumps(document))
    for name, fields in update.items():
        for path, given in fields.items():
            before = value_at(found, path)
            if name == "$setOnInsert" and not new:
                continue
            if name not in CHANGES:
                raise Failed(f"Unknown modifier: {name}. Expected a valid update modifier", 9, "FailedToParse")
            if name in NUMERIC and before is not MISSING and not isinstance(before, int | float):
                text = (
                    f"Cannot apply {name} to a value of non-numeric type. {{_id: {_brief(found.get('_id'))}}} has the"
                )
                raise Failed(f"{text} field '{path}' of non-numeric type", 14, "TypeMismatch")
            if name == "$rename":
                _put_at(found, path, MISSING)
                _put_at(found, given, before)
            else:
                _put_at(found, path, {"$date": now} if name == "$currentDate" else CHANGES[name](before, given))
    return found


def _pushed(before: Any, given: Any) -> list[Any]:
    added = given["$each"] if isinstance(given, dict) and "$each" in given else [given]
    return [*(before if isinstance(before, list) else []), *added]


def _added(before: Any, given: Any) -> list[Any]:
    found = list(before) if isinstance(before, list) else []
    for one in given["$each"] if isinstance(given, dict) and "$each" in given else [given]:
        if not any(order_of(one) == order_of(known) for known in found):
            found.append(one)
    return found


def _pulled(before: Any, given: Any) -> Any:
    return [one for one in before if not _holds(one, given)] if isinstance(before, list) else before


CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "$set": lambda before, given: given,
    "$setOnInsert": lambda before, given: given,
    "$unset": lambda before, given: MISSING,
    "$inc": lambda before, given: given if before is MISSING else before + given,
    "$mul": lambda before, given: 0 if before is MISSING else before * given,
    "$min": lambda before, given: given if before is MISSING else min(before, given),
    "$max": lambda before, given: given if before is MISSING else max(before, given),
    "$push": _pushed,
    "$addToSet": _added,
    "$pull": _pulled,
    "$pop": lambda before, given: before[:-1] if given == 1 else before[1:],
    "$rename": lambda before, given: before,
    "$currentDate": lambda before, given: before,
}


# --- commands ---------------------------------------------------------------------------------------------------


def _insert(mongo: Mongo, command: Document) -> Document:
    name = command["insert"]
    added = [one if "_id" in one else {"_id": mongo.new_id(), **one} for one in command["documents"]]
    documents = [*mongo.documents(name), *added]
    mongo.check_unique(name, documents)
    mongo.put(name, documents)
    return {"n": len(added), "ids": [one["_id"] for one in added]}


def _found_in(mongo: Mongo, name: str, query: Document) -> list[Document]:
    documents = mongo.documents(name)
    if len(documents) > MOST:
        raise Failed("operation exceeded time limit", 50, "MaxTimeMSExpired")
    return [one for one in documents if matches(one, query)]


def _sorted(documents: list[Document], sort: Document) -> list[Document]:
    for key, way in reversed(list(sort.items())):
        documents = sorted(documents, key=lambda one: order_of(value_at(one, key)), reverse=way == -1)
    return documents


def _find(mongo: Mongo, command: Document) -> Document:
    found = _sorted(_found_in(mongo, command["find"], command.get("filter") or {}), command.get("sort") or {})
    found = found[command.get("skip") or 0 :]
    found = found[: command["limit"]] if command.get("limit") else found
    return {"documents": [projected(one, command.get("projection") or {}) for one in found]}


def projected(document: Document, wanted: Document) -> Document:
    if not wanted:
        return document
    kept = [name for name, on in wanted.items() if on and name != "_id"]
    if kept or (wanted.get("_id") and len(wanted) == 1):
        found: Document = {"_id": document["_id"]} if wanted.get("_id", 1) and "_id" in document else {}
        for name in kept:
            value = value_at(document, name)
            if value is not MISSING:
                _put_at(found, name, value)
        return found
    copy: Document = orjson.loads(orjson.dumps(document))
    for name in wanted:
        _put_at(copy, name, MISSING)
    return copy


def _update(mongo: Mongo, command: Document) -> Document:
    name, query, update = command["update"], command["q"], command["u"]
    now = mongo.place.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    documents, matched, modified = mongo.documents(name), 0, 0
    for place, one in enumerate(documents):
        if not matches(one, query) or (matched and not command.get("multi")):
            continue
        matched += 1
        documents[place] = after = changed(one, update, now)
        modified += after != one
    if not matched and command.get("upsert"):
        plain = {
            key: value
            for key, value in query.items()
            if not key.startswith("$") and not (isinstance(value, dict) and any(map(_is_operator, value)))
        }
        made = changed({}, {"$set": plain}, now) if plain else {}
        made = changed(made, update, now, True)
        made = made if "_id" in made and made["_id"] is not None else {"_id": mongo.new_id(), **made}
        mongo.check_unique(name, [*documents, made])
        mongo.put(name, [*documents, made])
        return {"matched": 0, "modified": 0, "upserted": made["_id"]}
    if modified:
        mongo.check_unique(name, documents)
        mongo.put(name, documents)
    return {"matched": matched, "modified": modified, "upserted": None}


def _delete(mongo: Mongo, command: Document) -> Document:
    documents, gone, kept = mongo.documents(command["delete"]), 0, []
    for one in documents:
        if matches(one, command["q"]) and (not gone or command.get("multi")):
            gone += 1
        else:
            kept.append(one)
    if gone:
        mongo.put(command["delete"], kept)
    return {"n": gone}


def _aggregate(mongo: Mongo, command: Document) -> Document:
    found = _found_in(mongo, command["aggregate"], {})
    for stage in command["pipeline"]:
        if len(stage) != 1:
            wrong = "A pipeline stage specification object must contain exactly one field."
            raise Failed(wrong, 40323, "Location40323")
        name, given = next(iter(stage.items()))
        if name == "$match":
            found = [one for one in found if matches(one, given)]
        elif name == "$sort":
            found = _sorted(found, given)
        elif name in ("$limit", "$skip"):
            found = found[:given] if name == "$limit" else found[given:]
        elif name == "$count":
            found = [{given: len(found)}]
        elif name == "$project":
            found = [projected(one, given) for one in found]
        elif name == "$group":
            found = _grouped(found, given)
        else:
            raise Failed(f"Unrecognized pipeline stage name: '{name}'", 40324, "Location40324")
    return {"documents": found}


def _worth(expression: Any, document: Document) -> Any:
    if isinstance(expression, str) and expression.startswith("$"):
        value = value_at(document, expression[1:])
        return None if value is MISSING else value
    if isinstance(expression, dict):
        return {name: _worth(one, document) for name, one in expression.items()}
    return expression


def _grouped(documents: Iterable[Document], given: Document) -> list[Document]:
    groups: dict[bytes, tuple[Any, list[Document]]] = {}
    for one in documents:
        key = _worth(given.get("_id"), one)
        groups.setdefault(orjson.dumps(key), (key, []))[1].append(one)
    return [{"_id": key, **{name: _gathered(how, members) for name, how in given.items() if name != "_id"}}
            for key, members in groups.values()]  # fmt: skip


def _gathered(how: Document, members: list[Document]) -> Any:
    name, expression = next(iter(how.items()))
    values = [_worth(expression, one) for one in members]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    ways: dict[str, Callable[[], Any]] = {
        "$sum": lambda: sum(numbers),
        "$avg": lambda: sum(numbers) / len(numbers) if numbers else None,
        "$min": lambda: min((value for value in values if value is not None), key=order_of, default=None),
        "$max": lambda: max((value for value in values if value is not None), key=order_of, default=None),
        "$first": lambda: values[0],
        "$last": lambda: values[-1],
        "$push": lambda: values,
        "$addToSet": lambda: _added([], {"$each": values}),
        "$count": lambda: len(members),
    }
    if name not in ways:
        raise Failed(f"unknown group operator '{name}'", 15952, "Location15952")
    return ways[name]()


def _distinct(mongo: Mongo, command: Document) -> Document:
    values: list[Any] = []
    for one in _found_in(mongo, command["distinct"], command.get("query") or {}):
        value = value_at(one, command["key"])
        found = [] if value is MISSING else value if isinstance(value, list) else [value]
        values = _added(values, {"$each": found})
    return {"values": sorted(values, key=order_of)}


def _drop(mongo: Mongo, command: Document) -> Document:
    path = mongo.path(command["drop"])
    there = mongo.place.files.stat(path) is not None
    if there:
        mongo.place.files.remove(path)
    return {"dropped": there}


def _drop_database(mongo: Mongo, command: Document) -> Document:
    path = f"{DATA}/{mongo.database}"
    if mongo.place.files.stat(path) is not None:
        mongo.place.files.remove(path)
    return {"dropped": mongo.database}


def _create_index(mongo: Mongo, command: Document) -> Document:
    name, keys = command["createIndexes"], command["key"]
    called = command.get("name") or "_".join(f"{key}_{way}" for key, way in keys.items())
    content = mongo.content(name)
    known = [one for one in content["indexes"] if one[0] != called]
    mongo.put(name, content["documents"], [*known, [called, keys, bool(command.get("unique"))]])
    mongo.check_unique(name, content["documents"])
    return {"name": called}


def _list_databases(mongo: Mongo, command: Document) -> Document:
    sizes = []
    for name in mongo.databases():
        paths = [mongo.path(one, name) for one in mongo.collections(name)]
        sizes.append({"name": name, "sizeOnDisk": 40_960 + sum(len(mongo.place.files.read(path)) for path in paths)})
    return {"databases": sizes}


def _create(mongo: Mongo, command: Document) -> Document:
    if command["create"] in mongo.collections():
        where = f"{mongo.database}.{command['create']}"
        raise Failed(f"Collection {where} already exists.", 48, "NamespaceExists")
    mongo.put(command["create"], [], [])
    return {}


def _no_replication(mongo: Mongo, command: Document) -> Document:
    raise Failed("not running with --replSet", 76, "NoReplicationEnabled")


def _not_started(mongo: Mongo, command: Document) -> Document:
    raise Failed("This node was not started with replication enabled.", 76, "NoReplicationEnabled")


def _create_user(mongo: Mongo, command: Document) -> Document:
    admin, name = Mongo(mongo.place, "admin"), command["createUser"]
    users = admin.documents("system.users")
    if any(one["user"] == name for one in users):
        raise Failed(f'User "{name}@{mongo.database}" already exists', 51003, "Location51003")
    user = {"_id": f"{mongo.database}.{name}", "user": name, "pwd": command.get("pwd", "")}
    admin.put("system.users", [*users, {**user, "roles": command.get("roles") or []}])
    return {}


COMMANDS: dict[str, Callable[[Mongo, Document], Document]] = {
    "ping": lambda mongo, command: {},
    "hello": lambda mongo, command: {"isWritablePrimary": True, "maxWireVersion": 25, "readOnly": False},
    "buildInfo": lambda mongo, command: {"version": mongo.place.version},
    "connectionStatus": lambda mongo, command: {"authInfo": {"authenticatedUsers": [], "authenticatedUserRoles": []}},
    "serverStatus": lambda mongo, command: {"host": mongo.place.hostname, "process": "mongod"},
    "insert": _insert,
    "find": _find,
    "count": lambda mongo, command: {"n": len(_found_in(mongo, command["count"], command.get("query") or {}))},
    "update": _update,
    "delete": _delete,
    "aggregate": _aggregate,
    "distinct": _distinct,
    "drop": _drop,
    "dropDatabase": _drop_database,
    "create": _create,
    "createIndexes": _create_index,
    "listIndexes": lambda mongo, command: {"indexes": [
        {"v": 2, "key": keys, "name": name, **({"unique": True} if unique and name != "_id_" else {})}
        for name, keys, unique in [["_id_", {"_id": 1}, True], *mongo.content(command["listIndexes"])["indexes"]]
    ]},
    "listCollections": lambda mongo, command: {"collections": mongo.collections()},
    "listDatabases": _list_databases,
    "replSetGetStatus": _no_replication,
    "replSetGetConfig": _no_replication,
    "replSetInitiate": _not_started,
    "createUser": _create_user,
    "usersInfo": lambda mongo, command: {"users": [{"user": one["user"], "roles": one["roles"]} for one in
                                                   Mongo(mongo.place, "admin").documents("system.users")]},
}  # fmt: skip
