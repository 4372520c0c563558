"""What a server's port answers: to `kubectl port-forward`, to the API server's proxy, to curl inside the pod.

A connection is a text of bytes that came and a function that says what goes back. Servers that know their protocol
answer with their program's own words; a port that a pod declares and nobody knows gets a page that says what it is.

    nginx    files of /usr/share/nginx/html on port 80, 403 and 404 pages, HEAD and keep-alive
    python -m http.server    files and lists of directories
    mysql, mariadb, postgres, redis, mongo, and sites on top of them    what servers/ says
    web servers of tutorials, add-ons    what their programs say (`respond` in programs/)
    others   a page of the generic server on every declared port

Mirrors:  nginx 1.29 as the official image configures it
Left out: configuration files, virtual hosts, TLS, POST, ranges, authentication.
"""

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.client import responses
from typing import Any, NamedTuple

from cluster.runtime.live.files import FileError, Files, normal
from cluster.runtime.live.kernel import BUG
from cluster.runtime.programs.program import Response

DECLARED = ("generic",)  # Listen where their pod says so.
MAX_HEAD = 32 * 1024
MAX_BODY = 1024 * 1024
TYPES = {
    "html": "text/html", "htm": "text/html", "css": "text/css", "js": "application/javascript", "txt": "text/plain",
    "json": "application/json", "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg", "xml": "text/xml",
}  # fmt: skip
REASONS = {  # What is said here, whatever words the host's Python has for it; it renames some from release to release.
    **{int(code): phrase for code, phrase in responses.items()},
    413: "Request Entity Too Large", 414: "Request URI Too Long", 416: "Requested Range Not Satisfiable",
    422: "Unprocessable Entity",
}  # fmt: skip
OF_NGINX = {
    302: "Moved Temporarily",
    405: "Not Allowed",
    414: "Request-URI Too Large",
    503: "Service Temporarily Unavailable",
}


@dataclass
class Server:
    """The program behind a port, as far as it is asked. `read`: a file's content; `declared`: the pod's ports."""

    program: str
    version: str
    image: str
    hostname: str
    started: datetime
    now: datetime
    read: Callable[[str], str]
    is_directory: Callable[[str], bool]
    declared: list[int] = field(default_factory=list)
    ports: tuple[int, ...] = ()  # Of the program itself.
    respond: Callable[[str, str], Response | None] = lambda method, target: None  # (method, target) to its own page.
    reply: Callable[[int, str], tuple[str, bool] | None] = lambda port, given: None  # To its own protocol.
    listens: bool = True
    speaks: Callable[[int], str] = lambda port: "http"  # What a port of it understands …
    health: Callable[[str], str] = lambda service: "SERVING"  # … and gRPC's health check of a service.
    listing: Callable[[str], list[str]] = lambda path: []  # Names in a directory.
    root: str = "/"  # Of a server of files.
    own: "Own | None" = None  # Of servers that remember (see servers/).
    files: Files | None = None
    visit: Callable[[str, str, str], Response | None] = lambda method, target, body: None  # Of sites with a database.


class Answer(NamedTuple):
    """`data`: what goes back; `taken`: how much of the input is done with; `over`: the connection is; `log`: lines."""

    data: str
    taken: int
    over: bool = False
    log: tuple[str, ...] = ()


Own = Callable[[int, str, dict[str, Any], str], "Answer | None"]  # (port, given, memory, client); None: not its own.


def is_listening(server: Server, port: int) -> bool:
    """Would a connection to `port` be accepted?"""
    ports = (*server.ports, *(server.declared if server.program in DECLARED else ()))
    return server.listens and port in ports


def answer(server: Server, port: int, given: str, memory: dict[str, Any], client: str = "127.0.0.1") -> Answer:
    """What a connection gets back for all that came and was not answered yet. `memory`: the program's own.

    A bug of ours in a server hangs up; the world must not end of it.
    """
    try:
        return _answered(server, port, given, memory, client)
    except Exception as error:
        return Answer("", len(given), True, (f"{BUG}: {type(error).__name__}",))


def _answered(server: Server, port: int, given: str, memory: dict[str, Any], client: str) -> Answer:
    if server.own is not None and (own := server.own(port, given, memory, client)) is not None:
        return own
    said = server.reply(port, given)
    if said is not None:
        return Answer(said[0], len(given), said[1])
    data: list[str] = []
    log: list[str] = []
    taken = 0
    while True:
        one = _http(server, port, given[taken:], client)
        if one is None:
            break
        data.append(one.data)
        taken += one.taken
        log += one.log
        if one.over:
            return Answer("".join(data), taken, True, tuple(log))
    return Answer("".join(data), taken, False, tuple(log))


# --- HTTP -------------------------------------------------------------------------------------------------------


def _http(server: Server, port: int, given: str, client: str) -> Answer | None:
    """One request out of `given`; None: it is not whole yet."""
    end = given.find("\r\n\r\n")
    if end < 0:
        if len(given) > MAX_HEAD or (given and not given.lstrip("\r\n")[:1].isalpha() and given.strip("\r\n")):
            return _page(server, client, "", "-", 400, close=True)._replace(taken=len(given))
        return None
    lines = given[:end].split("\r\n")
    words = lines[0].split(" ")
    headers = {name.lower().strip(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    length = headers.get("content-length", "0")
    size = int(length) if length.isdigit() and len(length) < 10 else 0
    taken = end + 4 + size
    if size > MAX_BODY:
        return _page(server, client, lines[0], headers.get("user-agent", "-"), 413, close=True)._replace(
            taken=len(given)
        )
    if len(given) < taken:
        return None
    agent = headers.get("user-agent", "-")
    if len(words) != 3 or not words[2].startswith("HTTP/1"):
        return _page(server, client, lines[0], agent, 400, close=True)._replace(taken=taken)
    close = headers.get("connection", "").lower() == "close" or words[2] == "HTTP/1.0"
    own = OWN.get(server.program)
    made = own(server, words[0], words[1], lines[0], agent, client, close) if own else None
    page = None if made else server.visit(words[0], words[1], given[end + 4 : taken])
    page = page or (None if made else server.respond(words[0], words[1]))
    if page is not None:
        # A location is on a line of its own: what it came from may not add lines.
        moved = {"Location": "".join(one for one in page.location if one >= " ")} if page.location else {}
        text = _message(page.status, page.type, page.body, moved, {}, server.now, close, words[0])
        made = Answer(text, 0, close)
    made = made or _generic(server, port, words[0], words[1], close)
    return made._replace(taken=taken)


def _nginx(server: Server, method: str, target: str, line: str, agent: str, client: str, close: bool) -> Answer:
    path = normal("/" + _decoded(target.partition("?")[0]))
    if method not in ("GET", "HEAD"):
        return _page(server, client, line, agent, 405, close)
    file, missing = "/usr/share/nginx/html" + ("" if path == "/" else path), 404
    if server.is_directory(file):
        if not target.partition("?")[0].endswith("/"):
            return _page(server, client, line, agent, 301, close, {"Location": f"{target}/"})
        file, missing = file + "/index.html", 403  # It may not list the directory.
    try:
        content = server.read(file)
    except FileError:
        return _page(server, client, line, agent, missing, close, method=method)
    kind = TYPES.get(file.rpartition(".")[2], "application/octet-stream")
    extra = {"Last-Modified": http_date(server.started), "ETag": f'"{len(content):x}"', "Accept-Ranges": "bytes"}
    text = _message(200, kind, content, {"Server": f"nginx/{server.version}"}, extra, server.now, close, method)
    return Answer(text, 0, close, (_access(server, client, line, agent, 200, 0 if method == "HEAD" else len(content)),))


def _python(server: Server, method: str, target: str, line: str, agent: str, client: str, close: bool) -> Answer:
    """python -m http.server: a file, a directory's index.html, or the list of what is in a directory."""
    asked = normal("/" + _decoded(target.partition("?")[0]))
    path = normal(f"{server.root}/{asked}")
    kept, status, kind = {"Server": "SimpleHTTP/0.6 Python/3.13.7"}, 200, "text/html; charset=utf-8"
    if method not in ("GET", "HEAD"):
        status, body = 501, f"Unsupported method ({method!r})\n"
    elif server.is_directory(path) and not target.partition("?")[0].endswith("/"):
        status, body, kept["Location"] = 301, "", f"{asked}/"
    elif server.is_directory(path) and "index.html" not in server.listing(path):
        title, names = f"Directory listing for {asked.rstrip('/')}/", server.listing(path)
        shown = [f"{name}/" if server.is_directory(normal(f"{path}/{name}")) else name for name in names]
        rows = "".join(f'<li><a href="{html.escape(name)}">{html.escape(name)}</a></li>\n' for name in shown)
        body = f"<!DOCTYPE HTML>\n<html>\n<title>{html.escape(title)}</title>\n<h1>{html.escape(title)}</h1>\n<hr>\n"
        body += f"<ul>\n{rows}</ul>\n<hr>\n</html>\n"
    else:
        try:
            body = server.read(normal(f"{path}/index.html") if server.is_directory(path) else path)
            kind = "text/html" if server.is_directory(path) else TYPES.get(path.rpartition(".")[2], "text/plain")
        except FileError:
            status, body = 404, "<h1>Error response</h1>\n<p>Error code: 404</p>\n<p>Message: File not found.</p>\n"
    log = f'{client} - - [{server.now:%d/%b/%Y %H:%M:%S}] "{_printable(line)}" {status} -'
    return Answer(_message(status, kind, body, kept, {}, server.now, close, method), 0, close, (log,))


OWN = {"nginx": _nginx, "python": _python}  # Servers of files.


def _page(
    server: Server, client: str, line: str, agent: str, code: int, close: bool,
    extra: Mapping[str, str] | None = None, method: str = "GET",
) -> Answer:  # fmt: skip
    """nginx's own page for an error."""
    name = f"nginx/{server.version}" if server.program == "nginx" else "orrery"
    title = f"{code} {_reason(code, name)}"
    body = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        f"<hr><center>{name}</center>\r\n</body>\r\n</html>\r\n"
    )
    text = _message(code, "text/html", body, {"Server": name}, extra or {}, server.now, close, method)
    log = (_access(server, client, line, agent, code, len(body)),) if server.program == "nginx" else ()
    return Answer(text, 0, close, log)


def _generic(server: Server, port: int, method: str, target: str, close: bool) -> Answer:
    body = (
        f'orrery: port {port} of {server.hostname}\n\nNo program is known for the image "{server.image}"; a generic'
        f" server stands in for it.\nIt was asked: {method} {target}\n"
    )
    return Answer(_message(200, "text/plain", body, {"Server": "orrery"}, {}, server.now, close, method), 0, close)


def _message(
    code: int, kind: str, body: str, first: Mapping[str, str], extra: Mapping[str, str], now: datetime,
    close: bool, method: str,
) -> str:  # fmt: skip
    headers = {**first, "Date": http_date(now), "Content-Type": kind, "Content-Length": str(len(body))}
    headers |= {"Connection": "close" if close else "keep-alive", **extra}
    reason = _reason(code, first.get("Server", ""))
    head = f"HTTP/1.1 {code} {reason}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return head + "\r\n" + ("" if method == "HEAD" else body)


def _reason(code: int, server: str) -> str:
    words = {**REASONS, **OF_NGINX} if server.startswith("nginx") else REASONS
    return words.get(code, "Unknown")


def _access(server: Server, client: str, line: str, agent: str, code: int, size: int) -> str:
    """A line of nginx's access log."""
    moment = f"{server.now:%d/%b/%Y:%H:%M:%S} +0000"
    line, agent = (_printable(text) for text in (line, agent))
    return f'{client} - - [{moment}] "{line}" {code} {size} "-" "{agent}" "-"'


def _printable(text: str) -> str:
    return "".join(one if " " <= one != '"' and one <= "~" else f"\\x{ord(one):02X}" for one in text[:2_000])


def http_date(moment: datetime) -> str:
    return f"{moment:%a, %d %b %Y %H:%M:%S} GMT"


def _decoded(text: str) -> str:
    """`%2F` and the like."""
    parts = text.split("%")
    found = parts[0]
    for part in parts[1:]:
        digits = part[:2]
        good = len(digits) == 2 and all(one in "0123456789abcdefABCDEF" for one in digits)
        found += chr(int(digits, 16)) + part[2:] if good else "%" + part
    return found
