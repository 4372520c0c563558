"""mysql, mysqladmin, mysqldump, and the same under MariaDB's names.

Mirrors:  the clients of MySQL 8.4 and MariaDB 11
Left out: option files, history, completion, most commands with a backslash, mysqladmin's rarer commands.
Read next: dialogue.py, tables.py; servers/sql/ for what answers.
"""

import re
from typing import Any

from cluster.runtime.live.commands.call import Call, UsageError, number
from cluster.runtime.live.commands.connection import CONNECTED, REFUSED, SILENT, UNREACHABLE, Reached
from cluster.runtime.live.commands.dialogue import charge, exchange, line, on_terminal, password, session_of
from cluster.runtime.live.commands.tables import boxed, numeric_of, tabbed, vertical
from cluster.runtime.live.files import FileError
from cluster.runtime.live.servers import wire
from cluster.runtime.live.servers.sql.parsing import blank, pieces
from cluster.runtime.programs.databases import MYSQL_SOCKET

ERRNO = {REFUSED: 111, UNREACHABLE: 113, SILENT: 110}
VALUED = {"user": "u", "host": "h", "port": "P", "database": "D", "execute": "e", "socket": "S"}
FLAGS = {
    "batch": "B", "skip-column-names": "N", "silent": "s", "table": "t", "vertical": "E", "force": "f", "verbose": "v",
    "raw": "r", "no-beep": "b", "all-databases": "A", "databases": "B",
}  # fmt: skip
INSECURE = "[Warning] Using a password on the command line interface can be insecure."
GREETING = """Welcome to the MySQL monitor.  Commands end with ; or \\g.
Your MySQL connection id is 8
Server version: {version} MySQL Community Server - GPL

Copyright (c) 2000, 2025, Oracle and/or its affiliates.

Oracle is a registered trademark of Oracle Corporation and/or its
affiliates. Other names may be trademarks of their respective
owners.

Type 'help;' or '\\h' for help. Type '\\c' to clear the current input statement.

"""
MARIADB_GREETING = """Welcome to the MariaDB monitor.  Commands end with ; or \\g.
Your MariaDB connection id is 4
Server version: {version} mariadb.org binary distribution

Copyright (c) 2000, 2018, Oracle, MariaDB Corporation Ab and others.

Type 'help;' or '\\h' for help. Type '\\c' to clear the current input statement.

"""


def _is_maria(call: Call) -> bool:
    return "mariadb" in call.kernel.container.process.image


# --- options ----------------------------------------------------------------------------------------------------


def _settings(call: Call, default_database: bool = True) -> dict[str, Any]:
    """What the command line says, once. Errors: UsageError, Blocked while a password is typed."""
    found: dict[str, Any] | None = call.local.get("settings")
    if found is None:
        found = call.local["settings"] = _parsed(call)
        if default_database and found["words"]:
            found["D"] = found["words"][0]
    if found.get("ask"):
        found["p"] = password(call, "Enter password: ")
        found["ask"] = False
    return found


def _parsed(call: Call) -> dict[str, Any]:
    found: dict[str, Any] = {"words": [], "p": call.env.get("MYSQL_PWD"), "h": call.env.get("MYSQL_HOST", "localhost")}
    args = list(call.args)
    while args:
        word = args.pop(0)
        name, equals, value = word[2:].partition("=")
        if word in ("-p", "--password") or word.startswith(("-p", "--password=")):
            given = word[2:] if not word.startswith("--") else value
            if given and not _is_maria(call):
                call.err(f"{call.name}: {INSECURE}\n")
            found |= {"p": given, "ask": not given and not equals}
        elif word.startswith("--"):
            if name in VALUED:
                found[VALUED[name]] = value if equals else _next(call, word, args)
            else:
                found[FLAGS.get(name, name)] = value or "1"
        elif word[:1] == "-" and len(word) > 1:
            if word[1] in VALUED.values():
                found[word[1]] = word[2:] or _next(call, word, args)
            else:
                found |= dict.fromkeys(word[1:], "1")
        else:
            found["words"].append(word)
    if found["h"] == "localhost" and found.get("protocol", "").lower() == "tcp":
        found["h"] = "127.0.0.1"
    return found


def _next(call: Call, word: str, args: list[str]) -> str:
    if not args:
        raise UsageError(f"[ERROR] {call.name}: option '{word}' requires an argument.")
    return args.pop(0)


# --- the connection ---------------------------------------------------------------------------------------------


def _ask(call: Call, settings: dict[str, Any], **fields: Any) -> tuple[Reached, dict[str, Any]]:
    host = settings["h"]
    about = {
        "user": settings.get("u") or "root", "password": settings.get("p"), "database": settings.get("D", ""),
        "session": session_of(call), "local": host == "localhost", **fields,
    }  # fmt: skip
    reached = exchange(call, host, number(settings.get("P", ""), 3306), wire.request(**about))
    answer = wire.answered(reached.answer) if reached.fate == CONNECTED else None
    if reached.fate == CONNECTED and answer is None:
        answer = {"error": {"number": 2013, "state": "HY000", "text": "Lost connection to MySQL server at 'reading"
                                                                      " initial"
                  " communication packet', system error: 0"}, "fatal": True}  # fmt: skip
    charge(call, answer or {})
    return reached, answer or {}


def _no_server(call: Call, reached: Reached, settings: dict[str, Any]) -> tuple[str, str]:
    """(number and state, text) of a connection that did not come about."""
    host, port = settings["h"], number(settings.get("P", ""), 3306)
    maria = _is_maria(call)
    if host == "localhost":
        socket = "/run/mysqld/mysqld.sock" if maria else MYSQL_SOCKET
        server = "local server" if maria else "local MySQL server"
        return "2002 (HY000)", f"Can't connect to {server} through socket '{socket}' (2)"
    if reached.fate in ERRNO:
        if maria:
            return "2002 (HY000)", f"Can't connect to server on '{host}' ({ERRNO[reached.fate]})"
        return "2003 (HY000)", f"Can't connect to MySQL server on '{host}:{port}' ({ERRNO[reached.fate]})"
    return "2005 (HY000)", f"Unknown {'' if maria else 'MySQL '}server host '{host}' (-2)"


# --- mysql ------------------------------------------------------------------------------------------------------


def mysql(call: Call) -> int:
    """mysql [-u USER] [-p[PASSWORD]] [-h HOST] [-P PORT] [-N] [-B] [-t] [DATABASE] [-e STATEMENTS]"""
    settings, local = _settings(call), call.local
    if settings.get("V") or settings.get("version"):
        call.out(
            f"{call.name}  Ver {'15.2 Distrib 11.8.5-MariaDB' if _is_maria(call) else '8.4.7 for Linux on x86_64'}\n"
        )
        return 0
    talks = on_terminal(call) and "e" not in settings
    if "version" not in local:
        reached, answer = _ask(call, settings)
        if reached.fate != CONNECTED:
            call.err("ERROR {}: {}\n".format(*_no_server(call, reached, settings)))
            return 1
        if "error" in answer:
            return _said_error(call, answer["error"])
        local["version"] = answer["version"]
        if talks:
            call.out((MARIADB_GREETING if _is_maria(call) else GREETING).format(version=answer["version"]))
    if talks:
        return _conversation(call, settings)
    if "todo" not in local:
        local["todo"] = _todo(settings["e"] if "e" in settings else call.read_all())
    while local["todo"]:
        number_, text, mark = local["todo"][0]
        reached, answer = _ask(call, settings, sql=text)
        local["todo"].pop(0)
        if reached.fate != CONNECTED:
            return _said_error(call, _lost(), number_)
        settings["D"] = answer.get("database", settings.get("D", ""))
        for result in answer["results"]:
            _print(call, settings, result, mark)
        if "error" in answer:
            local["code"] = _said_error(call, answer["error"], number_)
            if not settings.get("f"):
                return 1
    return call.code


def _lost() -> dict[str, Any]:
    return {"number": 2013, "state": "HY000", "text": "Lost connection to MySQL server during query"}


def _said_error(call: Call, error: dict[str, Any], at_line: int = 0) -> int:
    where = f" at line {at_line}" if at_line else ""
    shown = f"ERROR {error['number']} ({error['state']}){where}: {error['text']}\n"
    call.err(shown)
    return 1


def _todo(text: str) -> list[list[Any]]:
    """[line, statement, \\G or ""] of each statement."""
    text = re.sub(r"\\([gG])", lambda match: "\x01;" if match[1] == "G" else ";", text)
    text = re.sub(r"(?mi)^\s*(use\s+[^\s;]+)\s*$", r"\1;", text)
    done, rest = pieces(text)
    found, place = [], 1
    for piece in [*done, rest]:
        lead = len(piece) - len(piece.lstrip())
        first = place + piece.count("\n", 0, lead)
        place += piece.count("\n")
        if not blank(piece.replace("\x01", "")):
            found.append([first, piece.replace("\x01", "").strip(), "G" if "\x01" in piece else ""])
    return found


def _print(call: Call, settings: dict[str, Any], result: dict[str, Any], mark: str = "") -> None:
    if result["columns"] is None:
        return
    rows, names = result["rows"], not settings.get("N")
    if mark == "G" or settings.get("E"):
        call.out(vertical(result["columns"], rows))
    elif (on_terminal(call, 1) and not settings.get("B") and not settings.get("s")) or settings.get("t"):
        call.out(boxed(result["columns"], rows, numeric_of(result), names) if rows else "")
    elif rows:
        call.out(tabbed(result["columns"], rows, names))


def _conversation(call: Call, settings: dict[str, Any]) -> int:
    local = call.local
    while True:
        if local.get("running"):
            _run_typed(call, settings)
        pending = local.setdefault("pending", "")
        typed = line(call, "    -> " if pending else _prompt(call, settings))
        if typed is None:
            local["pending"] = ""
            call.out("\n")
            continue
        bare = typed.strip().rstrip(";").strip().lower()
        if not typed or (not pending and bare in ("exit", "quit", "\\q")):
            call.out("Bye\n")
            return 0
        local["pending"] = _taken(call, settings, pending, typed, bare)


def _taken(call: Call, settings: dict[str, Any], pending: str, typed: str, bare: str) -> str:
    """A line was typed: what waits for its end now."""
    if typed.rstrip().endswith("\\c"):
        return ""
    if not pending and bare in ("help", "\\h", "?", "\\?"):
        call.out("\nFor information about MySQL products and services, visit:\n   http://www.mysql.com/\n\n"
                 "List of all MySQL commands:\nexit, quit, use, source, status, help; end statements with"
                 " ;\n\n")  # fmt: skip
        return ""
    if not pending and bare in ("status", "\\s"):
        user = settings.get("u") or "root"
        call.out(f"--------------\nCurrent database:\t{settings.get('D', '')}\nCurrent"
                 f" user:\t\t{user}@{settings['h']}\n"
                 f"Server version:\t\t{call.local['version']}\n--------------\n\n")  # fmt: skip
        return ""
    if not pending and re.match(r"(?i)(use\s+\S+|\\u\s+\S+)\s*;?\s*$", typed.strip()):
        name = typed.split()[1].rstrip(";")
        call.local["running"] = [[1, f"use {name}", ""]]
        return ""
    if not pending and re.match(r"(source|\\\.)\s+\S", typed):
        try:
            call.local["running"] = _todo(call.files.read(call.path(typed.split()[1].rstrip(";"))))
        except FileError:
            call.err(f"ERROR: \nFailed to open file '{typed.split()[1]}', error: 2\n")
        return ""
    text = pending + typed
    done, rest = pieces(re.sub(r"\\([gG])", lambda match: "\x01;" if match[1] == "G" else ";", text))
    if done:
        call.local["running"] = _todo(";".join([*done, ""]).replace("\x01;", "\\G"))
        return "" if blank(rest) else rest
    return "" if not text.strip() else text


def _prompt(call: Call, settings: dict[str, Any]) -> str:
    return f"MariaDB [{settings.get('D') or '(none)'}]> " if _is_maria(call) else "mysql> "


def _run_typed(call: Call, settings: dict[str, Any]) -> None:
    running = call.local["running"]
    while running:
        _, text, mark = running[0]
        reached, answer = _ask(call, settings, sql=text)
        running.pop(0)
        if reached.fate != CONNECTED:
            _said_error(call, _lost())
            running.clear()
            return
        settings["D"] = answer.get("database", settings.get("D", ""))
        for result in answer["results"]:
            _print(call, settings, result, mark)
            call.out(_count(result))
        if "error" in answer:
            _said_error(call, answer["error"])


def _count(result: dict[str, Any]) -> str:
    """The line behind a statement's result."""
    if result["tag"] == "USE":
        return "Database changed\n"
    if result["columns"] is not None:
        rows = len(result["rows"])
        return f"{rows} row{'' if rows == 1 else 's'} in set (0.00 sec)\n\n" if rows else "Empty set (0.00 sec)\n\n"
    rows = result["affected"]
    info = f"{result['info']}\n" if result["info"] else ""
    return f"Query OK, {rows} row{'' if rows == 1 else 's'} affected (0.01 sec)\n{info}\n"


# --- mysqladmin, mysqldump --------------------------------------------------------------------------------------


def mysqladmin(call: Call) -> int:
    """mysqladmin [-u USER] [-p[PASSWORD]] [-h HOST] [-P PORT] COMMAND: ping, status, create DB, drop DB …"""
    settings = _settings(call, default_database=False)
    words = settings["words"]
    if not words:
        raise UsageError("orrery: a command is needed, such as ping")
    do = {"create": f"create database `{words[-1]}`", "drop": f"drop database `{words[-1]}`",
          "processlist": "show processlist", "variables": "show variables"}.get(words[0], "")  # fmt: skip
    if not do and words[0] not in ("ping", "status", "version"):
        call.err(f"{call.name}: Unknown command: '{words[0]}'\n")
        return 1
    reached, answer = _ask(call, settings, sql=do)
    if reached.fate != CONNECTED or answer.get("fatal"):
        return _admin_failed(call, settings, reached, answer, words)
    if "error" in answer:
        call.err(
            f"{call.name}: {'CREATE' if words[0] == 'create' else 'DROP'} DATABASE failed; error:"
            f" '{answer['error']['text']}'\n"
        )
        return 1
    if words[0] == "ping":
        call.out("mysqld is alive\n")
    elif words[0] in ("status", "version"):
        call.out(f"Uptime: 60  Threads: 2  Questions: 6  Slow queries: 0  Server version: {answer['version']}\n")
    for result in answer["results"]:
        if result["columns"] is not None:
            call.out(boxed(result["columns"], result["rows"], numeric_of(result)))
    if words[0] == "drop":
        call.out(f'Database "{words[-1]}" dropped\n')
    return 0


def _admin_failed(
    call: Call, settings: dict[str, Any], reached: Reached, answer: dict[str, Any], words: list[str]
) -> int:
    """A server that refuses the user is alive: ping is content with that."""
    host, port, more = settings["h"], number(settings.get("P", ""), 3306), ""
    if "error" in answer:
        error = answer["error"]["text"]
    elif host == "localhost":
        error = _no_server(call, reached, settings)[1]
        more = f"Check that mysqld is running and that the socket: '{MYSQL_SOCKET}' exists!\n"
    else:
        error = _no_server(call, reached, settings)[1]
        more = f"Check that mysqld is running on {host} and that the port is {port}.\n"
        more += f"You can check this by doing 'telnet {host} {port}'\n"
    call.err(f"{call.name}: connect to server at '{host}' failed\nerror: '{error}'\n{more}")
    return 0 if "error" in answer and words == ["ping"] else 1


def mysqldump(call: Call) -> int:
    """mysqldump [-u USER] [-p[PASSWORD]] [-h HOST] DATABASE [TABLES] | --databases NAMES | --all-databases"""
    settings, local = _settings(call, default_database=False), call.local
    words = settings["words"]
    every, several = bool(settings.get("A")), bool(settings.get("B"))
    if not words and not every:
        call.out(f"Usage: {call.name} [OPTIONS] database [tables]\nOR     {call.name} [OPTIONS] --databases [OPTIONS]"
                 " DB1"
                 f" [DB2 DB3...]\nOR     {call.name} [OPTIONS] --all-databases [OPTIONS]\n")  # fmt: skip
        return 1
    if "dump" not in local:
        local["dump"] = {"databases": words if several else words[:1], "text": [], "tables": None}
    dump = local["dump"]
    if every and not dump["databases"]:
        found = _rows(call, settings, "show databases")
        if found is None:
            return 2
        dump["databases"] = [
            row[0] for row in found if row[0] not in ("information_schema", "performance_schema", "sys", "mysql")
        ]
    while dump["databases"]:
        settings["D"] = dump["databases"][0]
        if dump["tables"] is None:
            found = _rows(call, settings, "show tables")
            if found is None:
                return 2
            wanted = words[1:] if not several and not every else []
            dump["tables"] = wanted or [row[0] for row in found]
            if several or every:
                dump["text"].append(
                    f"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `{settings['D']}`;\n\nUSE `{settings['D']}`;\n"
                )
        while dump["tables"]:
            text = _dumped(call, settings, dump["tables"][0])
            if text is None:
                return 2
            dump["text"].append(text)
            dump["tables"].pop(0)
        dump["databases"].pop(0)
        dump["tables"] = None
    call.out(f"-- MySQL dump 10.13  Distrib 8.4.7, for Linux (x86_64)\n--\n-- Host: {settings['h']}    Database:"
             f" {words[0] if words else ''}\n-- {'-' * 54}\n\n" + "\n".join(dump["text"])
             + f"\n-- Dump completed on {call.date:%Y-%m-%d %H:%M:%S}\n")  # fmt: skip
    return 0


def _rows(call: Call, settings: dict[str, Any], *statements: str) -> list[list[str | None]] | None:
    """The rows of the last statement; None: it failed, and that was said."""
    reached, answer = _ask(call, settings, sql=";".join(statements))
    if reached.fate != CONNECTED or "error" in answer:
        error = answer.get("error")
        if error is not None:
            head, text = f"{error['number']}", error["text"]
            what = "Got error" if answer.get("fatal") else "Couldn't execute"
        else:
            head, text = _no_server(call, reached, settings)
            head, what = head.partition(" ")[0], "Got error"
        call.err(f"{call.name}: {what}: {head}: {text} when trying to connect\n" if what == "Got error"
                 else f"{call.name}: Couldn't find table or database: {text} ({head})\n")  # fmt: skip
        return None
    return [row for result in answer["results"][-1:] for row in result["rows"]]


def _dumped(call: Call, settings: dict[str, Any], table: str) -> str | None:
    """Definition and rows of a table, in one exchange."""
    reached, answer = _ask(call, settings, sql=f"show create table `{table}`;select * from `{table}`")
    if reached.fate != CONNECTED or "error" in answer:
        call.err(f'{call.name}: Couldn\'t find table: "{table}"\n')
        return None
    made, rows = answer["results"][0]["rows"][0][1], answer["results"][1]
    text = f"--\n-- Table structure for table `{table}`\n--\n\nDROP TABLE IF EXISTS `{table}`;\n{made};\n\n"
    text += f"--\n-- Dumping data for table `{table}`\n--\n\nLOCK TABLES `{table}` WRITE;\n"
    values = ",".join(
        "(" + ",".join(_quoted(v, n) for v, n in zip(row, numeric_of(rows), strict=True)) + ")" for row in rows["rows"]
    )
    text += f"INSERT INTO `{table}` VALUES {values};\n" if values else ""
    return text + "UNLOCK TABLES;\n"


def _quoted(value: str | None, numeric: bool) -> str:
    if value is None or numeric:
        return "NULL" if value is None else value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


MYSQL = {
    "mysqladmin": mysqladmin, "mysql": mysql, "mysqldump": mysqldump,
    "mariadb": mysql, "mariadb-admin": mysqladmin, "mariadb-dump": mysqldump,
}  # fmt: skip
