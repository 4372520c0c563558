"""mongosh: what is typed is a little JavaScript; `db` sends commands.

Mirrors:  mongosh 2
Left out: everything that javascript.py leaves out, helpers other than below, load(), history, completion.
Read next: cluster/runtime/programs/javascript.py; servers/mongo.py for what answers.
"""

import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cluster.runtime import noise
from cluster.runtime.live.commands.call import Call, number
from cluster.runtime.live.commands.connection import CONNECTED, REFUSED, SILENT, UNREACHABLE
from cluster.runtime.live.commands.dialogue import exchange, line, on_terminal, password
from cluster.runtime.live.files import FileError
from cluster.runtime.live.servers import wire
from cluster.runtime.programs.javascript import UNDEFINED, More, Parser, Runner, ScriptError, text_of

VALUED = {"-u": "user", "-p": "password", "--username": "user", "--password": "password", "--host": "host",
          "--port": "port",
          "--eval": "eval", "--file": "file", "-f": "file", "--authenticationDatabase": "source"}  # fmt: skip
WIDTH = 80
WHY = {REFUSED: "ECONNREFUSED", UNREACHABLE: "EHOSTUNREACH", SILENT: "ETIMEDOUT"}
IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*")


class Shell:
    """What one statement sees. Answers are written down, so that a statement that has to wait may start again."""

    def __init__(self, call: Call, settings: dict[str, Any]) -> None:
        self.call, self.settings, self.asked = call, settings, 0

    def command(self, fields: dict[str, Any], database: str = "") -> dict[str, Any]:
        """Errors: ScriptError; Blocked while nobody answers."""
        journal: list[dict[str, Any]] = self.call.local.setdefault("journal", [])
        if self.asked == len(journal):
            journal.append(self._sent(fields, database or self.settings["database"]))
        answer = journal[self.asked]
        self.asked += 1
        if not answer.get("ok"):
            name = answer.get("codeName", "")
            raise ScriptError(f"MongoServerError{f'[{name}]' if name else ''}: {answer['errmsg']}")
        return answer

    def _sent(self, fields: dict[str, Any], database: str) -> dict[str, Any]:
        settings = self.settings
        about = {
            "user": settings.get("user"),
            "password": settings.get("password"),
            "database": database,
            "command": fields,
        }
        reached = exchange(self.call, settings["host"], settings["port"], wire.request(**about))
        if reached.fate != CONNECTED:
            why = WHY.get(reached.fate)
            where = f"{reached.address or settings['host']}:{settings['port']}"
            text = f"MongoNetworkError: connect {why} {where}" if why else ""
            raise ScriptError(text or f"MongoNetworkError: getaddrinfo ENOTFOUND {settings['host']}")
        answer = wire.answered(reached.answer)
        if answer is None:
            raise ScriptError("MongoNetworkError: connection closed")
        return answer

    def print(self, *values: Any) -> Any:
        text = " ".join(one if isinstance(one, str) else inspected(one) for one in values)
        self.call.local.setdefault("said", []).append(text)
        return UNDEFINED


class Db:
    def __init__(self, shell: Shell, name: str) -> None:
        self.shell, self.name = shell, name

    def member(self, name: str) -> Any:
        shell, ask = self.shell, lambda fields: self.shell.command(fields, self.name)
        known = {
            "getName": lambda: self.name,
            "getCollection": lambda name: Collection(self, name),
            "getCollectionNames": lambda: ask({"listCollections": 1})["collections"],
            "getSiblingDB": lambda name: Db(shell, name),
            "createCollection": lambda name, options=None: _ok(ask({"create": name})),
            "dropDatabase": lambda: {"ok": 1, "dropped": ask({"dropDatabase": 1})["dropped"]},
            "runCommand": lambda fields: _plain(ask(fields if isinstance(fields, dict) else {fields: 1})),
            "adminCommand": lambda fields: _plain(
                shell.command(fields if isinstance(fields, dict) else {fields: 1}, "admin")
            ),
            "version": lambda: ask({"buildInfo": 1})["version"],
            "hello": lambda: _plain(ask({"hello": 1})),
            "isMaster": lambda: _plain(ask({"hello": 1})),
            "serverStatus": lambda: _plain(ask({"serverStatus": 1})),
            "createUser": lambda user: _ok(ask({"createUser": user["user"], **user})),
            "getUsers": lambda: {"users": ask({"usersInfo": 1})["users"], "ok": 1},
            "auth": self._auth,
        }
        return known.get(name) or Collection(self, name)

    def _auth(self, user: str, secret: str) -> dict[str, Any]:
        self.shell.settings |= {"user": user, "password": secret}
        self.shell.command({"ping": 1}, "admin")
        return {"ok": 1}


class Collection:
    def __init__(self, db: Db, name: str) -> None:
        self.db, self.name = db, name

    def _ask(self, **fields: Any) -> dict[str, Any]:
        return self.db.shell.command(fields, self.db.name)

    def member(self, name: str) -> Any:
        found = getattr(self, f"js_{name}", None)
        return found if found is not None else Collection(self.db, f"{self.name}.{name}")

    def js_insertOne(self, document: Any) -> Any:
        ids = self._ask(insert=self.name, documents=[document])["ids"]
        return {"acknowledged": True, "insertedId": ids[0]}

    def js_insertMany(self, documents: list[Any]) -> Any:
        ids = self._ask(insert=self.name, documents=documents)["ids"]
        return {"acknowledged": True, "insertedIds": {str(n): one for n, one in enumerate(ids)}}

    def js_insert(self, given: Any) -> Any:
        return self.js_insertMany(given if isinstance(given, list) else [given])

    def js_find(self, query: Any = None, projection: Any = None) -> "Cursor":
        return Cursor(self, {"find": self.name, "filter": query or {}, "projection": projection or {}})

    def js_findOne(self, query: Any = None, projection: Any = None) -> Any:
        found = self._ask(find=self.name, filter=query or {}, projection=projection or {}, limit=1)["documents"]
        return found[0] if found else None

    def js_countDocuments(self, query: Any = None) -> Any:
        return self._ask(count=self.name, query=query or {})["n"]

    js_count = js_estimatedDocumentCount = js_countDocuments

    def _update(self, query: Any, update: Any, options: Any, multi: bool) -> Any:
        upsert = bool((options or {}).get("upsert"))
        done = self._ask(update=self.name, q=query, u=update, multi=multi, upsert=upsert)
        counts = {"matchedCount": done["matched"], "modifiedCount": done["modified"]}
        made = done["upserted"]
        return {"acknowledged": True, "insertedId": made, **counts, "upsertedCount": int(made is not None)}

    def js_updateOne(self, query: Any, update: Any, options: Any = None) -> Any:
        if not any(name.startswith("$") for name in update):
            raise ScriptError("MongoInvalidArgumentError: Update document requires atomic operators")
        return self._update(query, update, options, False)

    def js_updateMany(self, query: Any, update: Any, options: Any = None) -> Any:
        if not any(name.startswith("$") for name in update):
            raise ScriptError("MongoInvalidArgumentError: Update document requires atomic operators")
        return self._update(query, update, options, True)

    def js_replaceOne(self, query: Any, document: Any, options: Any = None) -> Any:
        return self._update(query, document, options, False)

    def js_deleteOne(self, query: Any) -> Any:
        return {"acknowledged": True, "deletedCount": self._ask(delete=self.name, q=query)["n"]}

    def js_deleteMany(self, query: Any) -> Any:
        return {"acknowledged": True, "deletedCount": self._ask(delete=self.name, q=query, multi=True)["n"]}

    js_remove = js_deleteMany

    def js_drop(self) -> Any:
        return self._ask(drop=self.name)["dropped"]

    def js_distinct(self, key: str, query: Any = None) -> Any:
        return self._ask(distinct=self.name, key=key, query=query or {})["values"]

    def js_aggregate(self, *stages: Any) -> "Cursor":
        pipeline = stages[0] if stages and isinstance(stages[0], list) else list(stages)
        return Cursor(self, {"aggregate": self.name, "pipeline": pipeline})

    def js_createIndex(self, keys: Any, options: Any = None) -> Any:
        given = options or {}
        return self._ask(createIndexes=self.name, key=keys, unique=bool(given.get("unique")), name=given.get("name"))[
            "name"
        ]

    def js_getIndexes(self) -> Any:
        return self._ask(listIndexes=self.name)["indexes"]


class Cursor:
    def __init__(self, collection: Collection, fields: dict[str, Any]) -> None:
        self.collection, self.fields = collection, fields

    def documents(self) -> list[Any]:
        found: list[Any] = self.collection.db.shell.command(self.fields, self.collection.db.name)["documents"]
        return found

    def _with(self, **fields: Any) -> "Cursor":
        return Cursor(self.collection, {**self.fields, **fields})

    def member(self, name: str) -> Any:
        known: dict[str, Any] = {
            "sort": lambda sort: self._with(sort=sort),
            "limit": lambda count: self._with(limit=count),
            "skip": lambda count: self._with(skip=count),
            "projection": lambda wanted: self._with(projection=wanted),
            "pretty": lambda: self,
            "toArray": self.documents,
            "forEach": lambda do: [do(one) for one in self.documents()] and UNDEFINED,
            "map": lambda do: [do(one) for one in self.documents()],
            "count": lambda: len(self.documents()),
            "size": lambda: len(self.documents()),
            "itcount": lambda: len(self.documents()),
            "hasNext": lambda: bool(self.documents()),
            "next": lambda: next(iter(self.documents()), None),
        }
        return known.get(name, UNDEFINED)


class Replicas:
    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def member(self, name: str) -> Any:
        commands = {"status": "replSetGetStatus", "initiate": "replSetInitiate", "conf": "replSetGetConfig"}
        if name not in commands:
            return UNDEFINED
        return lambda *options: _plain(self.shell.command({commands[name]: options[0] if options else 1}, "admin"))


def _plain(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "version"}


def _ok(answer: dict[str, Any]) -> dict[str, Any]:
    return {"ok": 1}


def _member(owner: Any, name: str) -> Any:
    if isinstance(owner, Db | Collection | Cursor | Replicas):
        return owner.member(name)
    if isinstance(owner, dict) and "$oid" in owner and name in ("toString", "toHexString", "str"):
        return lambda: owner["$oid"]
    if name == "toString":
        return lambda: text_of(owner)
    return UNDEFINED


# --- output -----------------------------------------------------------------------------------------------------


def inspected(value: Any, indent: int = 0) -> str:
    """As Node's util.inspect shows it.

    >>> inspected({"a": 1, "b": ["x", None]})
    "{ a: 1, b: [ 'x', null ] }"
    """
    if isinstance(value, str):
        quote = "'" if "'" not in value else '"'
        return quote + value.replace("\\", "\\\\").replace("\n", "\\n") + quote
    if isinstance(value, dict) and len(value) == 1 and "$oid" in value:
        return f"ObjectId('{value['$oid']}')"
    if isinstance(value, dict) and len(value) == 1 and "$date" in value:
        return f"ISODate('{value['$date']}')"
    if isinstance(value, Cursor):
        return inspected(value.documents(), indent)
    if isinstance(value, dict):
        parts = [f"{name if IDENTIFIER.fullmatch(name) else inspected(name)}: {inspected(one, indent + 2)}"
                 for name, one in value.items()]  # fmt: skip
        return _wrapped(parts, "{", "}", indent, _levels(value))
    if isinstance(value, list):
        return _wrapped([inspected(one, indent + 2) for one in value], "[", "]", indent, _levels(value))
    if isinstance(value, Db | Collection):
        return value.name if isinstance(value, Db) else f"{value.db.name}.{value.name}"
    return "[Function]" if callable(value) else text_of(value)


def _levels(value: Any) -> int:
    inner = list(value.values()) if isinstance(value, dict) else value
    below = [
        _levels(one) for one in inner if isinstance(one, dict | list) and not (isinstance(one, dict) and "$oid" in one)
    ]
    return 1 + max(below, default=0)


def _wrapped(parts: list[str], start: str, end: str, indent: int, levels: int) -> str:
    if not parts:
        return start + end
    length = sum(map(len, parts)) + 2 * len(parts) + 11 + indent
    if length <= WIDTH and levels <= 3 and not any("\n" in part for part in parts):
        return f"{start} {', '.join(parts)} {end}"
    inner = " " * (indent + 2)
    return f"{start}\n{inner}" + f",\n{inner}".join(parts) + f"\n{' ' * indent}{end}"


# --- the command ------------------------------------------------------------------------------------------------


def mongosh(call: Call) -> int:
    """mongosh [URI | DATABASE] [--host HOST] [--port PORT] [-u USER] [-p PASSWORD] [--quiet] [--eval CODE] [FILE]"""
    local = call.local
    if "settings" not in local:
        _options(call)
    settings = local["settings"]
    if settings.get("password") == "\0":
        settings["password"] = password(call, "Enter password: ")
    if "version" not in local:
        shell = Shell(call, settings)
        try:
            local["version"] = shell.command({"ping": 1})["version"]
        except ScriptError as error:
            call.err(f"{error}\n".replace("MongoServerError[AuthenticationFailed]", "MongoServerError"))
            return 1
        local["journal"] = []
        if not settings.get("quiet"):
            call.out(_greeting(call, settings, local["version"]))
    if on_terminal(call) and not local["todo"] and not settings.get("ran"):
        return _conversation(call, settings)
    if not local["todo"] and not settings.get("ran"):
        local["todo"] = [["", call.read_all()]]
    settings["ran"] = True
    while local["todo"]:
        name, text = local["todo"][0]
        code = _script(call, settings, text, name)
        local["todo"].pop(0)
        if code:
            return code
    return 0


def _options(call: Call) -> None:
    found: dict[str, Any] = {"host": "127.0.0.1", "port": 27017, "database": "test"}
    todo: list[list[str]] = []
    args = list(call.args)
    while args:
        word = args.pop(0)
        name, equals, value = word.partition("=")
        if name in VALUED:
            if word == "-p" and (not args or args[0].startswith("-")):
                found["password"] = "\0"
                continue
            given = value if equals else (args.pop(0) if args else "")
            if VALUED[name] == "eval":
                todo.append(["eval", given])
            elif VALUED[name] == "file":
                todo.append(_file(call, given))
            else:
                found[VALUED[name]] = given
        elif word.startswith("-p") and not word.startswith("--"):
            found["password"] = word[2:]
        elif word.startswith("-"):
            found[word.lstrip("-")] = True
        elif word.startswith("mongodb"):
            _uri(found, word)
        elif word.endswith(".js"):
            todo.append(_file(call, word))
        else:
            host, slash, database = word.rpartition("/")
            found |= {"database": database or "test", **({"host": host.partition(":")[0]} if slash else {})}
    found["port"] = number(str(found["port"]), 27017)
    if ":" in str(found["host"]):
        host, _, port = str(found["host"]).partition(":")
        found |= {"host": host, "port": number(port, 27017)}
    call.local |= {"settings": found, "todo": todo}


def _file(call: Call, name: str) -> list[str]:
    try:
        return ["file", call.files.read(call.path(name))]
    except FileError:
        return ["file", f"throw_missing('{name}')"]


def _uri(found: dict[str, Any], text: str) -> None:
    parts = urlsplit(text)
    host = parts.netloc.rpartition("@")[2].split(",")[0]
    found |= {"host": host.partition(":")[0], "port": host.partition(":")[2] or "27017"}
    found["database"] = parts.path.lstrip("/") or "test"
    if parts.username:
        found |= {"user": unquote(parts.username), "password": unquote(parts.password or "")}
    found["source"] = parse_qs(parts.query).get("authSource", ["admin"])[0]


def _greeting(call: Call, settings: dict[str, Any], version: str) -> str:
    number_ = noise.hexadecimal(24, noise.mix(call.kernel.container.process.seed, int(call.proc["pid"])))
    where = f"mongodb://{'<credentials>@' if settings.get('user') else ''}{settings['host']}:{settings['port']}/"
    options = "?directConnection=true&serverSelectionTimeoutMS=2000&appName=mongosh+2.5.9"
    return (
        f"Current Mongosh Log ID:\t{number_}\nConnecting to:\t\t{where}{options}\nUsing MongoDB:\t\t{version}\n"
        "Using Mongosh:\t\t2.5.9\n\nFor mongosh info see: https://www.mongodb.com/docs/mongodb-shell/\n\n"
    )


def _script(call: Call, settings: dict[str, Any], text: str, name: str) -> int:
    """Lines of helpers (`show dbs`, `use x`) and JavaScript. 1: something went wrong."""
    local = call.local
    if "pieces" not in local:
        local["pieces"] = _pieces(text)
    while local["pieces"]:
        piece = local["pieces"][0]
        try:
            value, failed = _evaluated(call, settings, piece)
        except More as error:
            value, failed = str(error), True
        local["pieces"].pop(0)
        if failed:
            call.err(f"{value}\n")
            if name:
                return 1
        elif value and name != "file" and (not name or not local["pieces"]):
            call.out(f"{value}\n")
    del local["pieces"]
    return 0


def _pieces(text: str) -> list[str]:
    """Helpers stand on lines of their own."""
    found, pending = list[str](), ""
    for one in text.split("\n"):
        if re.match(r"\s*(show\s+\w+|use\s+[\w-]+)\s*;?\s*$", one) and not pending.strip():
            found.append(one.strip())
            continue
        pending += one + "\n"
        try:
            Parser(pending).program()
        except More:
            continue
        except ScriptError:
            pass
        if pending.strip():
            found.append(pending)
        pending = ""
    return [*found, pending] if pending.strip() else found


def _evaluated(call: Call, settings: dict[str, Any], text: str) -> tuple[str, bool]:
    """(what is printed, was it an error?) Errors: More, Blocked."""
    local = call.local
    local["said"] = []
    shell = Shell(call, settings)
    names = {**_names(call, shell, settings), **local.get("variables", {})}
    try:
        helper = _helper(shell, settings, text.strip().rstrip(";"))
        if helper is not None:
            value = helper
        else:
            runner = Runner(names, _member)
            found = runner.run(text)
            value = "" if found is UNDEFINED else inspected(found) if not isinstance(found, str) else found
            runner.weigh(*names.values())  # They are going to be kept.
            local["variables"] = {name: one for name, one in names.items() if _is_plain(one) and name not in _FIXED}
    except More:
        raise
    except ScriptError as error:
        value, failed = str(error), True
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        value, failed = "TypeError: orrery: these arguments are not understood", True
    else:
        failed = False
    said = "".join(f"{one}\n" for one in local.pop("said"))
    local["journal"] = []
    call.out(said)
    return value, failed


_FIXED = ("db", "rs", "print", "printjson", "ObjectId", "ISODate", "Date", "NumberInt", "NumberLong", "JSON", "Math")


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _names(call: Call, shell: Shell, settings: dict[str, Any]) -> dict[str, Any]:
    now = call.date.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "db": Db(shell, settings["database"]),
        "rs": Replicas(shell),
        "print": shell.print,
        "printjson": lambda value: shell.print(inspected(value)),
        "ObjectId": lambda text="": {"$oid": text or noise.hexadecimal(24, noise.mix(call.now, int(call.proc["pid"])))},
        "ISODate": lambda text=now: {"$date": text},
        "Date": lambda text=now: {"$date": text},
        "NumberInt": lambda value: int(value),
        "NumberLong": lambda value: int(value),
        "JSON": {"stringify": lambda value, *more: _json(value)},
    }


def _json(value: Any) -> str:
    return inspected(value).replace("'", '"')


def _helper(shell: Shell, settings: dict[str, Any], text: str) -> str | None:
    """show …, use …, exit's friends; None: it is JavaScript."""
    words = text.split()
    if len(words) == 2 and words[0] == "use":
        settings["database"] = words[1]
        return f"switched to db {words[1]}"
    if len(words) == 2 and words[0] == "show":
        if words[1] in ("dbs", "databases"):
            found = shell.command({"listDatabases": 1}, "admin")["databases"]
            width = max(len(one["name"]) for one in found)
            return "\n".join(f"{one['name']:<{width}}  {_size(one['sizeOnDisk'])}" for one in found)
        if words[1] in ("collections", "tables"):
            return "\n".join(shell.command({"listCollections": 1})["collections"])
        if words[1] == "users":
            return inspected(shell.command({"usersInfo": 1})["users"])
        raise ScriptError(
            f"MongoshInvalidInputError: [COMMON-10001] '{words[1]}' is not a valid argument for \"show\"."
        )
    return None


def _size(count: int) -> str:
    return f"{count / 1024:.2f} KiB"


def _conversation(call: Call, settings: dict[str, Any]) -> int:
    local = call.local
    while True:
        if local.get("typed"):
            text = local["typed"]
            try:
                value, _ = _evaluated(call, settings, text)
            except More:
                local["more"] = text
            else:
                call.out(f"{value}\n" if value else "")
            local["typed"] = ""
        prompt = "... " if local.get("more") else f"{settings['database']}> "
        typed = line(call, prompt)
        if typed is None:
            local["more"] = ""
            call.out("\n")
            continue
        if not typed or typed.strip().rstrip(";").rstrip("()") in ("exit", "quit"):
            return 0
        local["typed"] = (local.get("more") or "") + typed if typed.strip() else ""
        local["more"] = ""


MONGO = {"mongosh": mongosh, "mongo": mongosh}
