"""Small web servers that tutorials use: each says on which ports it listens and what it answers.

    kubernetes-bootcamp:v1   Hello Kubernetes bootcamp! | Running on: web-1 | v=1          8080
    hello-app:1.0            Hello, world!  Version: 1.0.0  Hostname: web-1                8080
    httpd                    It works!                                                     80
    php:apache               403: there is nothing to serve                                80
    node-hello:1.0           Hello Kubernetes!                                             8080
    http-echo -text=hi       hi                                                            5678, or -listen=:PORT
    whoami                   Hostname, and the request                                     80
    echo-server, echoserver  Request served by web-1, and the request                      8080, or PORT
    hpa-example              OK!, at 200 millicores for each request a second              80
    wordpress, gb-frontend, mongo-express   sites with a database: live/servers/sites.py    80, 8081
    agnhost liveness         /healthz: 200 for ten seconds, then 500; /started, /redirect?loc=   8080
    agnhost grpc-health-checking   SERVING, until --delay-unhealthy-sec are over           5000 (gRPC), 8080
    agnhost netexec          /hostname, /echo?msg=, /healthz, /clientip                    8080, or --http-port=
    agnhost serve-hostname   its name                                                      9376

A server is one entry of `SERVERS`, by the name that the catalogue (images.py) uses.

Mirrors:  the images of the same names, as far as lessons look at them
Left out: POST bodies, TLS, agnhost's other commands (they wait), /make-serving and /make-not-serving.
"""

import html
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from cluster.runtime.programs.crasher import number
from cluster.runtime.programs.program import MIB, MILLISECOND, SECOND, Exit, Line, Process, Program, Response, ended

ILL_AFTER = 10 * SECOND  # agnhost liveness.
APACHE = 150  # MaxRequestWorkers; a backlog of 511 comes on top.


class Server(NamedTuple):
    """`ports`, `page`: of a process; `page(process, at, target)`. `says`: what it prints when it listens."""

    ports: Callable[[Process], tuple[int, ...]]
    page: Callable[[Process, int, str], Response]
    says: str = ""
    cpu_per_request: float = 0.3  # Millicores for each request a second.
    changes: Callable[[Process, int], int | None] = lambda process, at: None
    speaks: Callable[[Process, int], str] = lambda process, port: "http"
    health: Callable[[Process, int, str], str] = lambda process, at, service: "SERVING"
    code: Callable[[Process], int] = lambda process: 0  # What it ends with at SIGTERM.
    threads: int = Program.threads  # Requests that it works on at once …
    places: int = Program.places  # … and has room for.


def _on(*ports: int) -> Callable[[Process], tuple[int, ...]]:
    return lambda process: ports


def _flag(argv: Sequence[str], name: str, default: str) -> str:
    """The value of `-name=value`, `--name=value` or `-name value`."""
    for place, word in enumerate(argv):
        bare, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and bare == name:
            return value if equals else (argv[place + 1] if place + 1 < len(argv) else default)
    return default


def _port(text: str, default: int) -> tuple[int, ...]:
    digits = text.rpartition(":")[2]
    return (int(digits),) if digits.isdecimal() and 0 < int(digits[:6]) < 65536 else (default,)


def _version(process: Process) -> str:
    return process.image.rpartition(":")[2] if ":" in process.image else "latest"


def _bootcamp(process: Process, at: int, target: str) -> Response:
    version = _version(process).removeprefix("v")
    return Response(200, f"Hello Kubernetes bootcamp! | Running on: {process.hostname} | v={version}\n")


def _hello(process: Process, at: int, target: str) -> Response:
    version = _version(process)
    shown = f"{version}.0" if version.count(".") == 1 else version
    return Response(200, f"Hello, world!\nVersion: {shown}\nHostname: {process.hostname}\n")


def _works(process: Process, at: int, target: str) -> Response:
    if urlsplit(target).path in ("/", "/index.html"):
        return Response(200, "<html><body><h1>It works!</h1></body></html>\n", "text/html")
    return Response(404, "<html><body><h1>Not Found</h1></body></html>\n", "text/html")


def _forbidden(process: Process, at: int, target: str) -> Response:
    """An image of PHP with nothing to serve."""
    status = 403 if urlsplit(target).path == "/" else 404
    reason = "Forbidden" if status == 403 else "Not Found"
    return Response(status, f"<html><body><h1>{reason}</h1></body></html>\n", "text/html")


def _text(process: Process, at: int, target: str) -> Response:
    return Response(200, _flag(process.argv, "text", "hello world") + "\n")


def _whoami(process: Process, at: int, target: str) -> Response:
    return Response(200, f"Hostname: {process.hostname}\nGET {target} HTTP/1.1\n")


def _echo(process: Process, at: int, target: str) -> Response:
    return Response(200, f"Request served by {process.hostname}\n\nGET {target} HTTP/1.1\n")


def _ok(process: Process, at: int, target: str) -> Response:
    return Response(200, "OK!")


def _down(process: Process, at: int, target: str) -> Response:
    """Of a site that needs its database; what it says when it is asked is in live/servers/sites.py."""
    return Response(500, "", "text/html")


def _agnhost_command(process: Process) -> str:
    return next((word for word in process.argv[1:] if not word.startswith("-")), "pause")


def _agnhost_ports(process: Process) -> tuple[int, ...]:
    command = _agnhost_command(process)
    if command == "netexec":
        return _port(_flag(process.argv, "http-port", "8080"), 8080)
    if command == "grpc-health-checking":
        return (_grpc_port(process), *_port(_flag(process.argv, "http-port", "8080"), 8080))
    return {"liveness": (8080,), "serve-hostname": (9376,)}.get(command, ())


def _grpc_port(process: Process) -> int:
    return _port(_flag(process.argv, "port", "5000"), 5000)[0]


def _agnhost(process: Process, at: int, target: str) -> Response:
    command, asked = _agnhost_command(process), urlsplit(target)
    if command == "liveness":
        return _liveness(at - process.started, asked.path, parse_qs(asked.query).get("loc", [""])[0])
    if command == "serve-hostname" or asked.path == "/hostname":
        return Response(200, process.hostname)
    if asked.path == "/echo":
        return Response(200, parse_qs(asked.query).get("msg", [""])[0])
    return Response(200, "" if asked.path == "/healthz" else f"NOW: {process.date(at).isoformat()}")


def _liveness(age: int, path: str, location: str) -> Response:
    """`age`: microseconds since its start; `location`: where /redirect leads."""
    if path == "/started":
        return Response(200, f"{age / SECOND:.6f}s")
    if path == "/redirect":
        return Response(302, f'<a href="{html.escape(location)}">Found</a>.\n\n', "text/html", location)
    if path != "/healthz":
        return Response(404, "404 page not found\n")
    return Response(200, "ok") if age < ILL_AFTER else Response(500, f"error: {age / SECOND:.6f}")


def _ill_from(process: Process) -> int | None:
    """From when on agnhost is not well; None: it stays well."""
    command = _agnhost_command(process)
    if command == "liveness":
        return process.started + ILL_AFTER
    seconds = _flag(process.argv, "delay-unhealthy-sec", "-1") if command == "grpc-health-checking" else "-1"
    return process.started + int(seconds[:9]) * SECOND if seconds.isdecimal() else None


def _agnhost_changes(process: Process, at: int) -> int | None:
    ill = _ill_from(process)
    return ill if ill is not None and at < ill else None


def _agnhost_speaks(process: Process, port: int) -> str:
    return "grpc" if _agnhost_command(process) == "grpc-health-checking" and port == _grpc_port(process) else "http"


def _agnhost_health(process: Process, at: int, service: str) -> str:
    if service not in ("", _flag(process.argv, "service", "")):
        return ""
    ill = _ill_from(process)
    return "SERVING" if ill is None or at < ill else "NOT_SERVING"


SERVERS: Mapping[str, Server] = {
    "bootcamp": Server(
        _on(8080), _bootcamp, "Kubernetes Bootcamp App Started At: {date} | Running On:  {host} ", threads=1, places=511
    ),
    "hello-app": Server(_on(8080), _hello, "{date} Server listening on port 8080"),
    "httpd": Server(
        _on(80), _works, "[{date}] [mpm_event:notice] Apache configured -- resuming normal operations",
        threads=APACHE, places=APACHE + 511,
    ),
    "http-echo": Server(
        lambda p: _port(_flag(p.argv, "listen", ":5678"), 5678), _text, "{date} [INFO] server is listening"
    ),
    "node-hello": Server(_on(8080), lambda process, at, target: Response(200, "Hello Kubernetes!")),
    "php": Server(_on(80), _forbidden, "[{date}] [core:notice] Apache configured -- resuming normal operations"),
    "whoami": Server(_on(80), _whoami, "{date} Starting up on port 80"),
    "echo": Server(lambda p: (number(p.env, "PORT", 8080),), _echo, "Echo server listening."),
    "hpa-example": Server(
        _on(80), _ok, "{date} AH00094: Command line: 'apache2 -D FOREGROUND'", cpu_per_request=200.0,
        threads=APACHE, places=APACHE + 511,
    ),
    "wordpress": Server(
        _on(80), _down, "WordPress not found in /var/www/html - copying now...\nComplete! WordPress has been"
                        " successfully"
        " copied to /var/www/html\nAH00558: apache2: Could not reliably determine the server's fully qualified domain"
        " name\n"
        "[{date}] [core:notice] [pid 1] AH00094: Command line: 'apache2 -D FOREGROUND'",
    ),
    "mongo-express": Server(_on(8081), _down, "Mongo Express server listening at http://0.0.0.0:8081"),
    "gb-frontend": Server(_on(80), _down, "[{date}] [core:notice] [pid 1] AH00094: Command line: 'apache2 -D"
                                          " FOREGROUND'"),
    "agnhost": Server(
        _agnhost_ports, _agnhost, changes=_agnhost_changes, speaks=_agnhost_speaks, health=_agnhost_health,
        code=lambda process: 2 if _agnhost_command(process) == "liveness" else 0,  # Go's way without a handler.
    ),
}  # fmt: skip


class Web(Program):
    """One of `SERVERS`, by the class's `server`."""

    cpu, memory, server = 1, 12 * MIB, ""

    @property
    def _server(self) -> Server:
        return SERVERS[self.server]

    def ports(self) -> tuple[int, ...]:
        return self._server.ports(self.process)

    def after_sigterm(self, at: int) -> Exit | None:
        code, usual = self._server.code(self.process), super().after_sigterm(at)
        return ended(at + MILLISECOND, code) if code else usual

    def speaks(self, port: int) -> str:
        return self._server.speaks(self.process, port)

    def health(self, at: int, service: str) -> str:
        return self._server.health(self.process, at, service)

    def next_change(self, at: int) -> int | None:
        return self._server.changes(self.process, at)

    def respond(self, at: int, method: str, target: str) -> Response:
        return self._server.page(self.process, at, target)

    def at_start(self) -> list[Line]:
        if not self._server.says:
            return []
        date = f"{self.process.date(self.process.started):%Y/%m/%d %H:%M:%S}"
        said = self._server.says.format(date=date, host=self.process.hostname)
        return [self.printed(30 * MILLISECOND, line) for line in said.split("\n")]


def named(name: str) -> type[Web]:
    """The program that is the server of that name."""
    server = SERVERS[name]
    figures = {"cpu_per_request": server.cpu_per_request, "threads": server.threads, "places": server.places}
    return type(name, (Web,), {"server": name, **figures})
