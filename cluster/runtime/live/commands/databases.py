"""mysqladmin, mysql, pg_isready and psql: is the server there, and what it says.

Mirrors:  the clients of MySQL 8.4 and PostgreSQL 18, as far as probes and first steps use them
Left out: SQL beyond `select NUMBER` (programs/databases.py answers for the servers), prompts, names and passwords,
          which are taken and not looked at.
Read next: connection.py.
"""

import re

from cluster.runtime.live.commands.call import Call, UsageError, number
from cluster.runtime.live.commands.connection import (
    CONNECTED,
    REFUSED,
    SILENT,
    SYN_TIME,
    UNREACHABLE,
    Reached,
    connect,
    remembered,
    waited_for,
)
from cluster.runtime.programs.databases import MYSQL_SOCKET, mysql_packet, postgres_message

ERRNO = {REFUSED: 111, UNREACHABLE: 113, SILENT: 110}
POSTGRES_SOCKET = "/var/run/postgresql"
MYSQL_OPTION = re.compile(r"-([uhPDe])(.*)|--(user|host|port|database|execute)(?:=(.*))?", re.DOTALL)
LONG = {"user": "u", "host": "h", "port": "P", "database": "D", "execute": "e"}
INSECURE = "[Warning] Using a password on the command line interface can be insecure."


def mysqladmin(call: Call) -> int:
    """mysqladmin [-u USER] [-p[PASSWORD]] [-h HOST] [-P PORT] ping"""
    options, words = _mysql_words(call)
    host, port = options.get("h", "localhost"), number(options.get("P", ""), 3306)
    if not words:
        raise UsageError("orrery: a command is needed, such as ping")
    reached = _reach(call, host, port, "")
    if reached.fate == CONNECTED:
        if words == ["ping"]:
            call.out("mysqld is alive\n")
            return 0
        error, more = _mysql_error(reached.answer)[1], ""
    elif host == "localhost":
        error = f"Can't connect to local MySQL server through socket '{MYSQL_SOCKET}' (2)"
        more = f"Check that mysqld is running and that the socket: '{MYSQL_SOCKET}' exists!\n"
    else:
        error = _no_mysql(reached, host, port)
        more = f"Check that mysqld is running on {host} and that the port is {port}.\n"
        more += f"You can check this by doing 'telnet {host} {port}'\n"
    call.err(f"mysqladmin: connect to server at '{host}' failed\nerror: '{error}'\n{more}")
    return 1


def mysql(call: Call) -> int:
    """mysql [-u USER] [-p[PASSWORD]] [-h HOST] [-P PORT] [-D] [DATABASE] -e STATEMENT"""
    options, _ = _mysql_words(call)
    host, port, statement = options.get("h", "localhost"), number(options.get("P", ""), 3306), options.get("e", "")
    reached = _reach(call, host, port, mysql_packet("\x03" + statement))
    if reached.fate != CONNECTED:
        local = f"Can't connect to local MySQL server through socket '{MYSQL_SOCKET}' (2)"
        error = f"2002 (HY000): {local}" if host == "localhost" else f"2003 (HY000): {_no_mysql(reached, host, port)}"
        call.err(f"ERROR {error}\n")
        return 1
    code, text = _mysql_error(reached.answer)
    if code:
        call.err(f"ERROR {code} (HY000): {text}\n")
        return 1
    if call.proc["fds"].get("1", [""])[0] == "tty":
        line = f"+{'-' * (len(text) + 2)}+\n"
        call.out(f"{line}| {text} |\n{line}| {text} |\n{line}")
    else:
        call.out(f"{text}\n{text}\n")  # The column is called as its value.
    return 0


def _mysql_words(call: Call) -> tuple[dict[str, str], list[str]]:
    """(options by letter, other words). A password stands right behind its option."""
    found: dict[str, str] = {}
    words: list[str] = []
    args = list(call.args)
    while args:
        word = args.pop(0)
        match = MYSQL_OPTION.fullmatch(word)
        if match is not None:
            value = match[2] or match[4]
            if not value and not args:
                raise UsageError(f"[ERROR] {call.name}: option '{word}' requires an argument.")
            found[match[1] or LONG[match[3]]] = value or args.pop(0)
        elif re.match("-p.|--password=.", word) and "warned" not in call.local:
            call.local["warned"] = True
            call.err(f"{call.name}: {INSECURE}\n")
        elif not word.startswith("-"):
            words.append(word)
    return found, words


def _mysql_error(answer: str) -> tuple[int, str]:
    """(error number, its text) of a packet; (0, the value) of one that holds a row."""
    body = answer[4:]
    if body[:1] == "\xff":
        return ord(body[1]) + 256 * ord(body[2]), body[9:]
    return 0, body[1:]


def _no_mysql(reached: Reached, host: str, port: int) -> str:
    if reached.fate in ERRNO:
        return f"Can't connect to MySQL server on '{host}:{port}' ({ERRNO[reached.fate]})"
    return f"Unknown MySQL server host '{host}' (-2)"


def pg_isready(call: Call) -> int:
    """pg_isready [-h HOST] [-p PORT] [-U USER] [-d DATABASE] [-t SECONDS] [-q]: 0 ready, 2 no response."""
    host, port, options, _ = _postgres_words(call, "q", "hpUdt")
    reached = _reach(call, host, port, "", min(number(options.get("t", ""), 3), SYN_TIME))
    if "q" not in options and "quiet" not in options:
        state = "accepting connections" if reached.fate == CONNECTED else "no response"
        call.out(f"{host or POSTGRES_SOCKET}:{port} - {state}\n")
    return 0 if reached.fate == CONNECTED else 2


def psql(call: Call) -> int:
    """psql [-h HOST] [-p PORT] [-U USER] [-d DATABASE] [-tAqwWX] -c STATEMENT"""
    host, port, options, _ = _postgres_words(call, "tAqwWXn", "hpUdcv")
    statement = options.get("c", options.get("command", ""))
    reached = _reach(call, host, port, postgres_message("Q", f"{statement}\x00"))
    where = f'connection to server at "{host}" ({reached.address}), port {port} failed: '
    if not host:
        where = f'connection to server on socket "{POSTGRES_SOCKET}/.s.PGSQL.{port}" failed: '
    if reached.fate in (REFUSED, SILENT, UNREACHABLE):
        why = {SILENT: "Connection timed out", UNREACHABLE: "No route to host"}.get(reached.fate, "Connection refused")
        why = "No such file or directory" if not host else why
        ask = "running locally and accepting connections on that socket" if not host else "running on that host and"
        ask += "" if not host else " accepting TCP/IP connections"
        call.err(f"psql: error: {where}{why}\n\tIs the server {ask}?\n")
        return 2
    if reached.fate != CONNECTED:
        call.err(f'psql: error: could not translate host name "{host}" to address: Name or service not known\n')
        return 2
    if reached.answer[:1] == "E":
        text = next((one[1:] for one in reached.answer[5:].split("\x00") if one[:1] == "M"), "")
        call.err(f"psql: error: {where}FATAL:  {text}\n")
        return 2
    value = reached.answer[11:]
    if "t" in options:
        call.out(f"{value}\n" if "A" in options else f"{value:>9}\n\n")
    elif "A" in options:
        call.out(f"?column?\n{value}\n(1 row)\n")
    else:
        call.out(f" ?column? \n----------\n{value:>9}\n(1 row)\n\n")
    return 0


def _postgres_words(call: Call, flags: str, valued: str) -> tuple[str, int, dict[str, str], list[str]]:
    """(host, port, options, words); host "": by the socket."""
    longs = ("host", "port", "username", "dbname", "timeout", "quiet", "command", "no-password")
    options, words = call.options(flags, valued, longs)
    host = options.get("h", options.get("host", call.env.get("PGHOST", "")))
    port = options.get("p", options.get("port", call.env.get("PGPORT", "")))
    return host, number(port, 5432), options, words


def _reach(call: Call, host: str, port: int, data: str, patience: float = SYN_TIME) -> Reached:
    """Errors: Blocked while nobody answers."""
    reached = remembered(call) or connect(call, host or "localhost", port, data)
    waited_for(call, reached, patience)
    return reached


DATABASES = {"mysqladmin": mysqladmin, "mysql": mysql, "pg_isready": pg_isready, "psql": psql}
