"""wget and curl: one request over HTTP, and what each of them says about it.

Mirrors:  busybox wget 1.37, curl 8
Left out: certificates are taken for granted; redirects are not followed; several URLs at once.
"""

import re

from cluster.runtime.live.commands.call import Call, UsageError
from cluster.runtime.live.commands.connection import (
    CONNECTED,
    NO_SERVER,
    REFUSED,
    SILENT,
    SYN_TIME,
    UNKNOWN,
    UNREACHABLE,
    Reached,
    answered_within,
    connect,
    remembered,
    seconds_of,
    waited_for,
)

URL = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>\[[0-9a-fA-F:]+\]|[^/:?]+)(?::(?P<port>\d{1,5}))?(?P<path>[/?].*)?"
)
PATIENCE = 900.0  # Seconds for an answer, if nothing is said.
TLS_PORTS = (443, 6443, 8443, 10250)
CURL_LONG = {
    "max-time": "m", "connect-timeout": "C", "silent": "s", "fail": "f", "head": "I", "include": "i", "output": "o",
    "request": "X", "header": "H", "data": "d", "write-out": "w", "user-agent": "A", "location": "L", "insecure": "k",
    "show-error": "S", "verbose": "v", "user": "u", "cacert": "c", "retry": "R",
}  # fmt: skip
WGET_LONG = {"timeout": "T", "quiet": "q", "output-document": "O", "spider": "p", "no-check-certificate": "k",
             "tries": "t", "header": "H", "post-data": "d", "server-response": "S"}  # fmt: skip


def _parsed(call: Call, longs: dict[str, str], flags: str, valued: str) -> tuple[dict[str, str], list[str]]:
    """Options by letter, long ones too. Errors: UsageError."""
    args = []
    for word in call.args:
        name, equals, value = word[2:].partition("=")
        if word.startswith("--") and name in longs:
            args.append(f"-{longs[name]}{value}" if equals else f"-{longs[name]}")
        else:
            args.append(word)
    call.args = args
    return call.options(flags, valued)


def fetch(call: Call) -> int:
    """curl, wget: one request."""
    if call.name == "curl":
        options, words = _parsed(call, CURL_LONG, "sSfILvkGgi", "oXHdmAuwCcR")
        seconds = seconds_of(options.get("m") or options.get("C"), SYN_TIME)
    else:
        options, words = _parsed(call, WGET_LONG, "qSckp", "OTtUHd")
        seconds = seconds_of(options.get("T"), SYN_TIME)
    if not words:
        raise UsageError("no URL specified")
    match = URL.fullmatch(words[0])
    if match is None:
        return call.failed(f"bad URL: {words[0]}")
    host, tls = match["host"], match["scheme"] == "https"
    port = int(match["port"] or (443 if tls else 80))
    method = "HEAD" if "I" in options or "p" in options else options.get("X", "POST" if "d" in options else "GET")
    sent, path = options.get("d", ""), match["path"] or "/"
    agent = options.get("A") or ("curl/8.14.1" if call.name == "curl" else "Wget")
    path = path if path[:1] == "/" else f"/{path}"
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: {agent}\r\n"
    if "H" in options and ":" in options["H"]:
        head += options["H"].replace("\r", "").replace("\n", "") + "\r\n"
    request = f"{head}Connection: close\r\nContent-Length: {len(sent)}\r\n\r\n{sent}"
    reached = remembered(call) or connect(call, host, port, request)
    waited_for(call, reached, seconds)
    if reached.fate != CONNECTED:
        return (
            _curl_failed(call, reached, host, port, seconds)
            if call.name == "curl"
            else _wget_failed(call, reached, host, port, "T" in options)
        )
    if not answered_within(call, reached, seconds_of(options.get("m" if call.name == "curl" else "T"), PATIENCE)):
        if call.name == "wget":
            call.err("wget: download timed out\n")
            return 1
        waited = f"{seconds_of(options.get('m'), PATIENCE) * 1000:.0f}"
        call.err(f"curl: (28) Operation timed out after {waited} milliseconds with 0 bytes received\n")
        return 28
    if tls and (port not in TLS_PORTS or not reached.answer):
        return _no_tls(call)
    return _show(call, reached, options, words[0], host, port)


def _no_tls(call: Call) -> int:
    if call.name == "curl":
        call.err("curl: (35) TLS connect error: error:0A00010B:SSL routines::wrong version number\n")
        return 35
    call.err("wget: error getting response: Connection reset by peer\n")
    return 1


def _curl_failed(call: Call, reached: Reached, host: str, port: int, seconds: float) -> int:
    waited = f"{seconds * 1000:.0f}"
    code, text = {
        UNKNOWN: (6, f"Could not resolve host: {host}"),
        NO_SERVER: (28, f"Resolving timed out after {waited} milliseconds"),
        REFUSED: (7, f"Failed to connect to {host} port {port} after 0 ms: Could not connect to server"),
        UNREACHABLE: (7, f"Failed to connect to {host} port {port} after 3062 ms: No route to host"),
        SILENT: (28, f"Connection timed out after {waited} milliseconds"),
    }[reached.fate]
    call.err(f"curl: ({code}) {text}\n")
    return code


def _wget_failed(call: Call, reached: Reached, host: str, port: int, limited: bool) -> int:
    if reached.fate in (UNKNOWN, NO_SERVER):
        call.err(f"wget: bad address '{host}'\n" if port == 80 else f"wget: bad address '{host}:{port}'\n")
        return 1
    call.err(f"Connecting to {host}:{port} ({reached.address}:{port})\n" if port != 80 else
             f"Connecting to {host} ({reached.address}:{port})\n")  # fmt: skip
    if reached.fate == SILENT and limited:
        call.err("wget: download timed out\n")
        return 1
    why = {REFUSED: "Connection refused", UNREACHABLE: "Host is unreachable", SILENT: "Operation timed out"}
    call.err(f"wget: can't connect to remote host ({reached.address}): {why[reached.fate]}\n")
    return 1


def _show(call: Call, reached: Reached, options: dict[str, str], url: str, host: str, port: int) -> int:
    answer = reached.answer
    head, _, body = answer.partition("\r\n\r\n")
    code = int([*head.split(" "), "0", "0"][1][:3] or 0) if head.startswith("HTTP/") else 0
    if call.name == "wget":
        if "q" not in options:
            call.err(f"Connecting to {host if port == 80 else f'{host}:{port}'} ({reached.address}:{port})\n")
        return _wget_shows(call, options, url, code, head, body)
    if not code:
        empty = "(52) Empty reply from server"
        call.err(f"curl: {'(1) Received HTTP/0.9 when not allowed' if answer else empty}\n")
        return 1 if answer else 52
    if "f" in options and code >= 400:
        call.err(f"curl: (22) The requested URL returned error: {code}\n")
        return 22
    if "v" in options:
        call.err(f"* Connected to {host} ({reached.address}) port {port}\n< " + head.replace("\r\n", "\n< ") + "\n<\n")
    if "I" in options or "i" in options:
        call.out(head + "\r\n\r\n")
    text = body if "I" not in options else ""
    if "o" in options:
        if options["o"] != "/dev/null":
            call.files.write(call.path(options["o"]), text)
    else:
        call.out(text)
    if "w" in options:
        took = f"{reached.took / 1_000_000:.6f}"
        written = options["w"].replace("%{http_code}", str(code)).replace("\\n", "\n")
        call.out(written.replace("%{time_total}", took).replace("%{time_starttransfer}", took))
    return 0


def _wget_shows(call: Call, options: dict[str, str], url: str, code: int, head: str, body: str) -> int:
    loud = "q" not in options
    if "S" in options:
        call.err("".join(f"  {line}\n" for line in head.splitlines()))
    if not code:
        call.err("wget: error getting response\n")
        return 1
    if code >= 400:
        call.err(f"wget: server returned error: {head.splitlines()[0]}\n")
        return 1
    if "p" in options:
        if loud:
            call.err("remote file exists\n")
        return 0
    target = options.get("O") or url.partition("?")[0].rpartition("/")[2]
    target = target if options.get("O") or ("/" in url.partition("://")[2] and target) else "index.html"
    if target == "-":
        if loud:
            call.err("writing to stdout\n")
        call.out(body)
        if loud:
            call.err(f"-                    100% |{'*' * 32}| {len(body):5}  0:00:00 ETA\nwritten to stdout\n")
        return 0
    if target != "/dev/null":
        call.files.write(call.path(target), body)
    if loud:
        call.err(f"saving to '{target}'\n{target:<20} 100% |{'*' * 32}| {len(body):5}  0:00:00 ETA\n'{target}' saved\n")
    return 0
