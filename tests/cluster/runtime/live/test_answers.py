"""What ports answer."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.runtime.live import answers
from cluster.runtime.live.files import FileError
from cluster.runtime.programs import PROGRAMS
from cluster.runtime.programs.program import Process, Response

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
FILES = {"/usr/share/nginx/html/index.html": "<h1>hi</h1>", "/usr/share/nginx/html/a.css": "x{}"}


def read(path: str) -> str:
    if path not in FILES:
        raise FileError("No such file or directory")
    return FILES[path]


def a_server(program: str, *ports: int) -> answers.Server:
    return answers.Server(
        program,
        "1.29.3",
        "acme/shop",
        "pod-1",
        NOW,
        NOW,
        read,
        lambda path: path == "/usr/share/nginx/html",
        list(ports),
        {"nginx": (80,), "redis": (6379,)}.get(program, ()),
    )


def ask(program: str, port: int, text: str) -> answers.Answer:
    return answers.answer(a_server(program, port), port, text, {})


@pytest.mark.parametrize(
    ("request_line", "status", "body"),
    [
        ("GET / HTTP/1.1", "200 OK", "<h1>hi</h1>"),
        ("GET /index.html?x=1 HTTP/1.1", "200 OK", "<h1>hi</h1>"),
        ("GET /a%2Ecss HTTP/1.1", "200 OK", "x{}"),
        ("HEAD / HTTP/1.1", "200 OK", ""),
        ("GET /../../etc/passwd HTTP/1.1", "404 Not Found", None),
        ("POST / HTTP/1.1", "405 Not Allowed", None),
        ("nonsense", "400 Bad Request", None),
    ],
)
def test_nginx_answers_as_its_image_does(request_line: str, status: str, body: str | None):
    answer = ask("nginx", 80, f"{request_line}\r\nHost: x\r\nUser-Agent: t\r\n\r\n")

    head, _, text = answer.data.partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status}\r\nServer: nginx/1.29.3\r\nDate: Wed, 25 Nov 2026 12:00:00 GMT\r\n")
    assert body is None or text == body
    assert len(answer.log) == 1


def test_python_lists_directories_and_serves_files():
    server = a_server("python")
    server.is_directory = lambda path: path in ("/", "/usr", "/usr/share/nginx/html")
    server.listing = {"/": ["a&b", "usr"], "/usr/share/nginx/html": ["index.html"]}.get

    def get(target: str) -> tuple[str, str]:
        data = answers.answer(server, 8000, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n", {}).data
        return data.split("\r\n")[0], data.partition("\r\n\r\n")[2]

    status, page = get("/")
    assert status == "HTTP/1.1 200 OK"
    assert '<li><a href="a&amp;b">a&amp;b</a></li>\n<li><a href="usr/">usr/</a></li>' in page
    assert get("/usr/share/nginx/html/") == ("HTTP/1.1 200 OK", "<h1>hi</h1>")
    assert get("/usr/share/nginx/html/a.css") == ("HTTP/1.1 200 OK", "x{}")
    assert get("/usr")[0] == "HTTP/1.1 301 Moved Permanently"
    assert get("/../../etc/shadow")[0] == "HTTP/1.1 404 Not Found"


def test_a_request_may_come_in_pieces_and_two_at_once():
    request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    assert ask("nginx", 80, request[:10]).taken == 0
    both = ask("nginx", 80, request * 2)
    assert (both.taken, len(both.log), both.over) == (2 * len(request), 2, False)


@pytest.mark.parametrize(
    ("program", "declared", "port", "listens"),
    [("nginx", 80, 80, True), ("nginx", 80, 81, False), ("generic", 8080, 8080, True), ("busybox", 80, 80, False)],
)
def test_only_servers_listen(program: str, declared: int, port: int, listens: bool):
    assert answers.is_listening(a_server(program, declared), port) is listens


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["nginx", "redis", "generic"]), st.binary(max_size=200))
def test_any_bytes_get_an_answer_or_patience(program: str, data: bytes):
    text = data.decode("latin-1")

    answer = ask(program, 80, text)

    assert 0 <= answer.taken <= len(text)


@pytest.mark.parametrize(
    ("name", "target", "status", "body"),
    [
        ("metrics-server", "/livez", 200, "ok"),
        ("metrics-server", "/readyz?verbose", 200, "ok"),
        ("metrics-server", "/apis", 401, '"message":"Unauthorized"'),
        ("coredns", "/health", 200, "OK"),
        ("coredns", "/ready", 200, "OK"),
        ("coredns", "/metrics", 200, "coredns_build_info{"),
        ("coredns", "/", 404, "404 page not found"),
        ("kube-proxy", "/healthz", 200, '"nodeEligible": true'),
        ("kube-proxy", "/metrics", 200, "kubernetes_build_info{"),
        ("kube-proxy", "/", 404, "404 page not found"),
    ],
)
def test_add_ons_say_how_they_are(name: str, target: str, status: int, body: str):
    program = PROGRAMS[name](Process("image"))
    server = a_server(name)
    server.respond = lambda method, target: program.respond(0, method, target)

    said = answers.answer(server, program.ports()[0], f"GET {target} HTTP/1.1\r\n\r\n", {}).data

    assert said.startswith(f"HTTP/1.1 {status} ")
    assert body in said


def test_metrics_server_listens_where_its_flag_says_so():
    ports = [PROGRAMS["metrics-server"](Process("image", argv=argv)).ports() for argv in ((), ("--secure-port=4443",))]

    assert ports == [(10250,), (4443,)]


def test_a_bug_in_a_server_hangs_up_and_is_logged():
    def broken(*given: object) -> None:
        raise ZeroDivisionError

    for part in ("respond", "visit", "reply", "own"):
        server = a_server("web", 80)
        setattr(server, part, broken)

        answer = answers.answer(server, 80, "GET / HTTP/1.1\r\n\r\n", {})

        assert (answer.data, answer.over) == ("", True)
        assert answer.log == ("orrery: this command has a bug here: ZeroDivisionError",)


@pytest.mark.parametrize(
    ("status", "reason"), [(418, "I'm a Teapot"), (503, "Service Unavailable"), (413, "Request Entity Too Large"),
                           (405, "Method Not Allowed"), (799, "Unknown")],
)  # fmt: skip
def test_every_status_has_its_reason(status: int, reason: str):
    server = a_server("web", 80)
    server.respond = lambda method, target: Response(status, "x")

    assert answers.answer(server, 80, "GET / HTTP/1.1\r\n\r\n", {}).data.startswith(f"HTTP/1.1 {status} {reason}\r\n")
