"""psql, pg_isready, pg_dump, createdb, dropdb.

Mirrors:  the clients of PostgreSQL 18
Left out: .psqlrc, \\copy, variables in statements, most backslash commands, pg_dump's formats other than plain text.
Read next: dialogue.py, tables.py; servers/sql/ for what answers.
"""

import re
from typing import Any
from urllib.parse import unquote, urlsplit

from cluster.runtime.live.commands.call import Call, UsageError, number
from cluster.runtime.live.commands.connection import CONNECTED, REFUSED, SILENT, SYN_TIME, UNREACHABLE, Reached
from cluster.runtime.live.commands.dialogue import charge, exchange, line, on_terminal, password, session_of
from cluster.runtime.live.commands.tables import aligned, expanded, numeric_of, unaligned
from cluster.runtime.live.files import FileError
from cluster.runtime.live.servers import wire
from cluster.runtime.live.servers.sql.parsing import blank, pieces

SOCKET = "/var/run/postgresql"
VALUED = {
    "host": "h", "port": "p", "username": "U", "dbname": "d", "command": "c", "file": "f", "variable": "v", "set": "v",
    "field-separator": "F", "timeout": "t", "output": "o", "table": "T", "owner": "O", "pset": "P", "format": "G",
}  # fmt: skip
FLAGS = {
    "tuples-only": "t", "no-align": "A", "quiet": "q", "no-password": "w", "password": "W", "no-psqlrc": "X",
    "list": "l",
    "expanded": "x", "if-exists": "I", "echo-all": "a", "single-transaction": "1", "clean": "k", "csv": "C",
    "no-owner": "Q", "inserts": "i", "data-only": "D", "schema-only": "s",
}  # fmt: skip
COPY = re.compile(r"\s*copy\s+(?:public\.)?(\S+)\s*\(([^)]*)\)\s*from\s+stdin\s*", re.IGNORECASE)


# --- options and the connection ---------------------------------------------------------------------------------


def _settings(call: Call, valued: str, flags: str) -> dict[str, Any]:
    """What the command line says, once. `do`: -c and -f in their order. Errors: UsageError."""
    found: dict[str, Any] | None = call.local.get("settings")
    if found is not None:
        return found
    found = {"words": [], "do": [], "v": {}}
    args = list(call.args)
    while args:
        word = args.pop(0)
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name in VALUED and VALUED[name] in valued + "T":
                _set(found, VALUED[name], value if equals else _next(call, word, args))
            elif name in FLAGS:
                found[FLAGS[name]] = "1"
            else:
                raise UsageError(
                    f"unrecognized option '{word}'\n{call.name}: hint: Try \"{call.name} --help\" for more information."
                )
        elif word[:1] == "-" and len(word) > 1:
            letters = word[1:]
            while letters:
                letter, letters = letters[0], letters[1:]
                if letter in valued:
                    _set(found, letter, letters or _next(call, word, args))
                    break
                if letter not in flags:
                    raise UsageError(
                        f"invalid option -- '{letter}'\n{call.name}: hint: Try \"{call.name} --help\" for more"
                        " information."
                    )
                found[letter] = "1"
        else:
            found["words"].append(word)
    call.local["settings"] = found
    return found


def _set(found: dict[str, Any], letter: str, value: str) -> None:
    if letter in "cf":
        found["do"].append([letter, value])
    elif letter == "v":
        name, _, text = value.partition("=")
        found["v"][name] = text
    else:
        found[letter] = value


def _next(call: Call, word: str, args: list[str]) -> str:
    if not args:
        raise UsageError(f"option requires an argument -- '{word.lstrip('-')}'")
    return args.pop(0)


def _target(call: Call, settings: dict[str, Any], words: bool = True) -> None:
    """Host, port, user, database and password, from options, a URI, words and variables."""
    if "host" in settings:
        return
    env, given = call.env, list(settings["words"]) if words else []
    uri = settings.get("d") or (given[0] if given else "")
    if uri.startswith(("postgres://", "postgresql://")):
        parts = urlsplit(uri)
        settings["d"] = unquote(parts.path.lstrip("/"))
        settings.setdefault("h", parts.hostname or "")
        settings.setdefault("p", str(parts.port or ""))
        settings.setdefault("U", unquote(parts.username or ""))
        settings["password"] = unquote(parts.password) if parts.password else None
        given = given[1:] if given and given[0] == uri else given
    elif given and "d" not in settings:
        settings["d"] = given.pop(0)
    if given and "U" not in settings:
        settings["U"] = given.pop(0)
    settings["host"] = settings.get("h") or env.get("PGHOST", "")
    settings["port"] = number(settings.get("p") or env.get("PGPORT", ""), 5432)
    settings["user"] = settings.get("U") or env.get("PGUSER") or "root"
    settings["database"] = settings.get("d") or env.get("PGDATABASE") or settings["user"]
    if settings.get("password") is None:
        settings["password"] = env.get("PGPASSWORD")


def _ask(call: Call, settings: dict[str, Any], **fields: Any) -> tuple[Reached, dict[str, Any]]:
    about = {
        "user": settings["user"], "password": settings["password"], "database": settings["database"],
        "session": session_of(call), "local": not settings["host"] or settings["host"].startswith("/"), **fields,
    }  # fmt: skip
    host = settings["host"] if not about["local"] else "localhost"
    reached = exchange(call, host, settings["port"], wire.request(**about))
    answer = wire.answered(reached.answer) if reached.fate == CONNECTED else {}
    if answer is None:
        answer = {"error": {"text": "unsupported frontend protocol"}, "fatal": True}
    charge(call, answer or {})
    return reached, answer


def _connected(call: Call, settings: dict[str, Any]) -> dict[str, Any] | int:
    """The server's answer to nothing, or the exit code. Errors: Blocked while a password is typed."""
    if settings.get("W") and settings["password"] is None:
        settings["password"] = password(call, "Password: ")
    if settings.get("asks"):
        settings["password"] = password(call, f"Password for user {settings['user']}: ")
        settings["asks"] = False
    reached, answer = _ask(call, settings)
    if reached.fate != CONNECTED:
        call.err(f"{call.name}: error: {_failure(settings, reached)}\n")
        return 2
    if "error" not in answer:
        return answer
    error, where = answer["error"], _where(settings, reached)
    if error.get("code") == "28P01" and settings["password"] is None:
        if on_terminal(call) and not settings.get("w"):
            settings["asks"] = True
            return _connected(call, settings)
        call.err(f"{call.name}: error: {where}fe_sendauth: no password supplied\n")
        return 2
    call.err(f"{call.name}: error: {where}FATAL:  {error['text']}\n")
    return 2


def _where(settings: dict[str, Any], reached: Reached) -> str:
    host, port = settings["host"], settings["port"]
    if not host or host.startswith("/"):
        return f'connection to server on socket "{host or SOCKET}/.s.PGSQL.{port}" failed: '
    return f'connection to server at "{host}" ({reached.address}), port {port} failed: '


def _failure(settings: dict[str, Any], reached: Reached) -> str:
    host = settings["host"]
    if reached.fate not in (REFUSED, SILENT, UNREACHABLE):
        return f'could not translate host name "{host}" to address: Name or service not known'
    why = {SILENT: "Connection timed out", UNREACHABLE: "No route to host"}.get(reached.fate, "Connection refused")
    ask = "running on that host and accepting TCP/IP connections"
    if not host:
        why, ask = "No such file or directory", "running locally and accepting connections on that socket"
    return f"{_where(settings, reached)}{why}\n\tIs the server {ask}?"


# --- psql -------------------------------------------------------------------------------------------------------


def psql(call: Call) -> int:
    """psql [-h HOST] [-p PORT] [-U USER] [-d DATABASE] [-tAqwWXxl] [-v NAME=VALUE] [-c STATEMENTS] [-f FILE]"""
    settings, local = _settings(call, "hpUdcfvFoP", "tAqwWXnlxa1"), call.local
    _target(call, settings)
    if "version" not in local:
        answer = _connected(call, settings)
        if isinstance(answer, int):
            return answer
        local |= {"version": answer["version"], "super": answer.get("super"), "transaction": ""}
        talks = on_terminal(call) and not settings["do"] and not settings.get("l")
        if talks and not settings.get("q"):
            call.out(_greeting(answer["version"]))
        local["talks"] = talks
    if local["talks"]:
        return _conversation(call, settings)
    if "todo" not in local:
        local["todo"] = _todo(call, settings)
    code = _worked_off(call, settings)
    return code if code else call.code


def _greeting(version: str) -> str:
    own = f"{version} (Debian {version}-1.pgdg13+1)"
    return f'psql ({own})\nType "help" for help.\n\n'


def _todo(call: Call, settings: dict[str, Any]) -> list[list[Any]]:
    """[statement or backslash command, name of the file, line] of all that is to be done."""
    if settings.get("l"):
        return [["\\l", "-c", 1]]
    found: list[list[Any]] = []
    for letter, value in settings["do"]:
        if letter == "c":
            one = value.strip()
            found += [[one, "-c", 1]] if one.startswith("\\") else _statements(one, "-c")
        else:
            try:
                found += _statements(call.files.read(call.path(value)), value)
            except FileError as error:
                call.err(f"{call.name}: error: {value}: {error}\n")
                call.local["code"] = 1
                return []
    return found if settings["do"] else _statements(call.read_all(), "")


def _statements(text: str, name: str) -> list[list[Any]]:
    """Statements, backslash commands of their own lines, and COPY with the lines that follow it."""
    found: list[list[Any]] = []
    lines, pending, first = text.split("\n"), "", 1
    at = 0
    while at < len(lines):
        one, at = lines[at], at + 1
        if one.lstrip().startswith("\\") and blank(pending):
            found.append([one.strip(), name, at])
            continue
        first = at if blank(pending) else first
        pending += one + "\n"
        done, rest = pieces(pending, False)
        for piece in done:
            if match := COPY.fullmatch(re.sub(r"--[^\n]*\n", "", piece)):
                end = lines.index("\\.", at) if "\\." in lines[at:] else len(lines)
                found.append([_inserted(match, lines[at:end]), name, at])
                at = end + 1
            elif not blank(piece):
                found.append([piece.strip(), name, first])
        pending = rest if done else pending
    if not blank(pending):
        found.append([pending.strip(), name, first])
    return found


def _inserted(match: "re.Match[str]", lines: list[str]) -> str:
    """COPY's lines as an INSERT; our server has no COPY of its own."""
    rows = []
    for one in lines:
        values = (None if text == "\\N" else re.sub(r"\\(.)", _unescaped, text) for text in one.split("\t"))
        rows.append("(" + ", ".join("NULL" if v is None else "'" + v.replace("'", "''") + "'" for v in values) + ")")
    return f"/* copy */ INSERT INTO {match[1]} ({match[2]}) VALUES " + ", ".join(rows) if rows else "/* copy */"


def _unescaped(match: "re.Match[str]") -> str:
    return {"t": "\t", "n": "\n"}.get(match[1], match[1])


def _worked_off(call: Call, settings: dict[str, Any]) -> int:
    """Do what is to be done; the exit code if it has to end. Errors: Blocked."""
    todo = call.local["todo"]
    while todo:
        text, name, at_line = todo[0]
        if text.startswith("\\"):
            code = _backslash(call, settings, text)
            todo.pop(0)
            if code is not None:
                return code
            continue
        reached, answer = _ask(call, settings, sql=text)
        todo.pop(0)
        if reached.fate != CONNECTED or answer.get("fatal"):
            call.err("server closed the connection unexpectedly\n\tThis probably means the server terminated"
                     " abnormally\n"
                     "\tbefore or while processing the request.\n")  # fmt: skip
            return 2
        _show(call, settings, answer, text)
        if "error" in answer:
            prefix = f"psql:{name}:{at_line}: " if name not in ("", "-c") else ""
            call.err(prefix + _error_text(answer["error"]))
            if name == "-c":
                return 1
            if settings["v"].get("ON_ERROR_STOP") in ("1", "on", "true"):
                return 3
    return 0


def _error_text(error: dict[str, Any]) -> str:
    text = f"ERROR:  {error['text']}\n"
    statement, at = error.get("statement") or "", error.get("at")
    if at is not None and statement:
        before = statement[:at]
        number_ = before.count("\n") + 1
        start = before.rfind("\n") + 1
        whole = statement[start:].partition("\n")[0]
        head = f"LINE {number_}: "
        text += f"{head}{whole}\n{' ' * (len(head) + at - start)}^\n"
    text += f"DETAIL:  {error['detail']}\n" if error.get("detail") else ""
    return text + (f"HINT:  {error['hint']}\n" if error.get("hint") else "")


def _show(call: Call, settings: dict[str, Any], answer: dict[str, Any], text: str = "") -> None:
    settings["database"] = answer.get("database") or settings["database"]
    call.local["transaction"] = answer.get("transaction", "")
    for result in answer["results"]:
        for notice in result["notices"]:
            call.err(f"{notice}\n" if notice.startswith("WARNING") else f"NOTICE:  {notice}\n")
        if result["columns"] is not None:
            call.out(_rows(settings, result))
            if result["tag"].startswith(("INSERT", "UPDATE", "DELETE")) and not settings.get("q"):
                call.out(f"{result['tag']}\n\n" if not settings.get("t") else f"{result['tag']}\n")
        elif result["after"]:
            call.out(f"{result['after']}\n")
        elif result["tag"] and not settings.get("q"):
            copied = text.startswith("/* copy */")
            call.out(f"COPY {result['affected']}\n" if copied else f"{result['tag']}\n")


def _rows(settings: dict[str, Any], result: dict[str, Any]) -> str:
    columns, rows, only = result["columns"], result["rows"], bool(settings.get("t"))
    if settings.get("A"):
        return unaligned(columns, rows, only, settings.get("F", "|"))
    if settings.get("x"):
        return expanded(columns, rows)
    described = result["tag"] == "\\d"
    text = aligned(columns, rows, numeric_of(result), result["said"], only, footer=not described)
    return text.rstrip("\n") + ("\n" + result["after"] if result["after"] else "") + "\n\n" if described else text


# --- conversation -----------------------------------------------------------------------------------------------


def _conversation(call: Call, settings: dict[str, Any]) -> int:
    local = call.local
    while True:
        if local.get("todo"):
            code = _worked_off(call, settings)
            if code:
                return code
        pending = local.setdefault("pending", "")
        typed = line(call, _prompt(call, settings, bool(pending)))
        if typed is None:
            local["pending"] = ""
            call.out("\n")
            continue
        if not typed or (not pending and typed.strip() in ("exit", "quit", "\\q")):
            call.out("" if typed else "\\q\n")
            return 0
        if not pending and typed.strip() == "help":
            call.out("You are using psql, the command-line interface to PostgreSQL.\nType:  \\copyright for"
                     " distribution terms\n"
                     "       \\h for help with SQL commands\n       \\? for help with psql commands\n"
                     "       \\g or terminate with semicolon to execute query\n       \\q to quit\n")  # fmt: skip
            continue
        if typed.lstrip().startswith("\\"):
            if typed.strip() == "\\r":
                call.out("Query buffer reset (cleared).\n")
                local["pending"] = ""
                continue
            local["todo"] = [[typed.strip(), "", 1]]
            continue
        text = re.sub(r"\\g\s*$", ";", pending + typed)
        done, rest = pieces(text, False)
        local["todo"] = [[piece.strip(), "", 1] for piece in done if not blank(piece)]
        local["pending"] = "" if blank(rest) else rest


def _prompt(call: Call, settings: dict[str, Any], more: bool) -> str:
    mark = {"T": "*", "E": "!"}.get(call.local["transaction"], "")
    return f"{settings['database']}{'-' if more else '='}{mark}{'#' if call.local['super'] else '>'} "


def _backslash(call: Call, settings: dict[str, Any], text: str) -> int | None:
    """A command of psql itself; the exit code if that is its end. Errors: Blocked."""
    words = text[1:].rstrip(";").split()
    name, rest = (words[0], words[1:]) if words else ("", [])
    if name == "q":
        return 0
    if name in ("c", "connect"):
        _reconnect(call, settings, rest)
        return None
    if name in ("x", "t", "a"):
        letter = {"x": "x", "t": "t", "a": "A"}[name]
        settings[letter] = "" if settings.get(letter) else "1"
        label = {"x": "Expanded display is", "t": "Tuples only is", "a": "Output format is"}[name]
        state = "on." if settings[letter] else "off."
        call.out(f"{label} {state}\n" if name != "a" else f"{label} {'unaligned' if settings['A'] else 'aligned'}.\n")
    elif name == "echo":
        call.out(" ".join(rest) + "\n")
    elif name == "conninfo":
        via = f'via socket in "{SOCKET}"' if not settings["host"] else f'on host "{settings["host"]}"'
        call.out(f'You are connected to database "{settings["database"]}" as user "{settings["user"]}" {via} at port'
                 f' "{settings["port"]}".\n')  # fmt: skip
    elif name in ("i", "ir") and rest:
        try:
            call.local["todo"][1:1] = _statements(call.files.read(call.path(rest[0])), rest[0])
        except FileError as error:
            call.err(f"{rest[0]}: {error}\n")
    elif name == "timing":
        call.out("Timing is on.\n")
    elif name in ("?", "h", "copyright", "set", "unset", "pset", "encoding", "restrict", "unrestrict"):
        call.out(
            "orrery: \\l \\c \\d \\dt \\di \\ds \\du \\dn \\x \\t \\a \\i \\echo \\conninfo \\q are known here\n"
            if name in "?h"
            else ""
        )
    else:
        return _meta(call, settings, name, rest)
    return None


def _reconnect(call: Call, settings: dict[str, Any], rest: list[str]) -> None:
    wanted = {**settings, "database": rest[0] if rest and rest[0] != "-" else settings["database"]}
    if len(rest) > 1 and rest[1] != "-":
        wanted["user"] = rest[1]
    reached, answer = _ask(call, wanted)
    if reached.fate != CONNECTED or "error" in answer:
        why = f"FATAL:  {answer['error']['text']}" if "error" in answer else "Connection refused"
        call.err(f"{_where(wanted, reached)}{why}\nPrevious connection kept\n")
        return
    settings |= {"database": wanted["database"], "user": wanted["user"]}
    call.local["super"] = answer.get("super")
    call.out(f'You are now connected to database "{settings["database"]}" as user "{settings["user"]}".\n')


def _meta(call: Call, settings: dict[str, Any], name: str, rest: list[str]) -> int | None:
    reached, answer = _ask(call, settings, meta=[name, rest[0] if rest else ""])
    if reached.fate != CONNECTED:
        call.err("server closed the connection unexpectedly\n")
        return 2
    if "error" in answer:
        if answer["error"].get("code") == "0A000":
            call.err(f"invalid command \\{name}\nTry \\? for help.\n")
        else:
            call.err(_error_text(answer["error"]))
        return None
    for result in answer["results"]:
        if result["columns"] is None:
            call.err(f"{result['after']}\n")
        else:
            call.out(_rows(settings, result))
    return None


# --- the small ones ---------------------------------------------------------------------------------------------


def pg_isready(call: Call) -> int:
    """pg_isready [-h HOST] [-p PORT] [-U USER] [-d DATABASE] [-t SECONDS] [-q]: 0 ready, 2 no response."""
    settings = _settings(call, "hpUdt", "q")
    _target(call, settings, words=False)
    host, port = settings["host"], settings["port"]
    reached = exchange(call, host or "localhost", port, "", min(number(settings.get("t", ""), 3), SYN_TIME))
    if not settings.get("q"):
        state = "accepting connections" if reached.fate == CONNECTED else "no response"
        call.out(f"{host or SOCKET}:{port} - {state}\n")
    return 0 if reached.fate == CONNECTED else 2


def createdb(call: Call) -> int:
    """createdb [-h HOST] [-p PORT] [-U USER] [-O OWNER] [NAME]"""
    settings = _settings(call, "hpUO", "wWe")
    settings.setdefault("d", "postgres")
    _target(call, settings, words=False)
    name = settings["words"][0] if settings["words"] else settings["user"]
    owner = f' OWNER "{settings["O"]}"' if settings.get("O") else ""
    return _one(call, settings, f'CREATE DATABASE "{name}"{owner}', "database creation failed")


def dropdb(call: Call) -> int:
    """dropdb [-h HOST] [-p PORT] [-U USER] [--if-exists] NAME"""
    settings = _settings(call, "hpU", "wWei")
    settings.setdefault("d", "postgres")
    _target(call, settings, words=False)
    if not settings["words"]:
        raise UsageError(
            'error: missing required argument database name\ndropdb: hint: Try "dropdb --help" for more information.'
        )
    exists = "IF EXISTS " if settings.get("I") else ""
    return _one(call, settings, f'DROP DATABASE {exists}"{settings["words"][0]}"', "database removal failed")


def _one(call: Call, settings: dict[str, Any], statement: str, failed: str) -> int:
    answer = _connected(call, settings) if "connected" not in call.local else {}
    if isinstance(answer, int):
        return 1
    call.local["connected"] = True
    reached, answer = _ask(call, settings, sql=statement)
    if reached.fate != CONNECTED or "error" in answer:
        call.err(f"{call.name}: error: {failed}: {_error_text(answer['error']) if answer else 'no connection'}")
        return 1
    return 0


def pg_dump(call: Call) -> int:
    """pg_dump [-h HOST] [-p PORT] [-U USER] [-t TABLE] [DATABASE]"""
    settings = _settings(call, "hpUdft", "wWOxcs")
    _target(call, settings)
    if "connected" not in call.local:
        answer = _connected(call, settings)
        if isinstance(answer, int):
            return 1
        call.local["connected"] = answer["version"]
    reached, answer = _ask(call, settings, meta=["dump", settings.get("t") or settings.get("T") or ""])
    if reached.fate != CONNECTED or "error" in answer:
        call.err("pg_dump: error: connection to server was lost\n")
        return 1
    version = call.local["connected"]
    made_by = f"-- Dumped from database version {version}\n-- Dumped by pg_dump version {version}\n"
    text = f"--\n-- PostgreSQL database dump\n--\n\n{made_by}\n"
    text += answer["results"][0]["after"] + "\n--\n-- PostgreSQL database dump complete\n--\n\n"
    target = next((value for letter, value in settings["do"] if letter == "f"), "")
    if target:
        call.files.write(call.path(target), text)
    else:
        call.out(text)
    return 0


POSTGRES = {"psql": psql, "pg_isready": pg_isready, "createdb": createdb, "dropdb": dropdb, "pg_dump": pg_dump}
