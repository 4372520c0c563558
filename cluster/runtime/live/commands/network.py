"""Commands of the network, as far as a container reaches: its own ports. Others don't answer, and the commands say so.

Mirrors:  busybox wget, curl
Left out: other pods, Services and names; TLS.
"""

import re

from cluster.runtime.live.commands.call import Call, UsageError
from cluster.runtime.live.kernel import SIGTERM
from cluster.runtime.programs.nginx import version as nginx_version

OWN = ("localhost", "127.0.0.1", "::1", "0.0.0.0")
URL = re.compile(r"(?:(?P<scheme>https?)://)?(?P<host>\[[0-9a-fA-F:]+\]|[^/:]+)(?::(?P<port>\d{1,5}))?(?P<path>/.*)?")
NOT_YET = "orrery: only this container's own ports can be reached from here"


def fetch(call: Call) -> int:
    """curl, wget: GET of a port of this container."""
    if call.name == "curl":
        options, words = call.options("sSfILvkGgi", "oXHdmAuw", ("max-time", "silent", "fail", "connect-timeout"))
    else:
        options, words = call.options("qSc", "OTtU", ("spider", "quiet", "timeout", "no-check-certificate"))
    if not words:
        raise UsageError("no URL specified")
    match = URL.fullmatch(words[0])
    host = (match["host"] if match else words[0]).strip("[]")
    if match is None or host not in (*OWN, *call.kernel.container.addresses):
        if call.name == "curl":
            call.err(f"curl: (6) Could not resolve host: {host} ({NOT_YET})\n")
            return 6
        call.err(f"wget: bad address '{host}' ({NOT_YET})\n")
        return 1
    port = int(match["port"] or (443 if match["scheme"] == "https" else 80))
    method = "HEAD" if "I" in options or "spider" in options else options.get("X", "POST" if "d" in options else "GET")
    sent = options.get("d", "")
    agent = "curl/8.14.1" if call.name == "curl" else "Wget"
    head = f"{method} {match['path'] or '/'} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: {agent}\r\n"
    head += "Connection: close\r\n"
    answer = call.kernel.container.answer(port, f"{head}Content-Length: {len(sent)}\r\n\r\n{sent}")
    if answer is None:
        return _refused(call, host, port)
    return _show(call, answer, options, words[0])


def _refused(call: Call, host: str, port: int) -> int:
    if call.name == "curl":
        call.err(f"curl: (7) Failed to connect to {host} port {port} after 0 ms: Could not connect to server\n")
        return 7
    call.err(
        f"Connecting to {host}:{port} (127.0.0.1:{port})\nwget: can't connect to remote host: Connection refused\n"
    )
    return 1


def _show(call: Call, answer: str, options: dict[str, str], url: str) -> int:
    head, _, body = answer.partition("\r\n\r\n")
    code = int([*head.split(" "), "0", "0"][1][:3] or 0) if head.startswith("HTTP/") else 0
    if call.name == "wget":
        if "q" not in options:
            call.err(f"Connecting to {url}\n")
        if code >= 400:
            call.err(f"wget: server returned error: {head.splitlines()[0]}\n")
            return 1
        if "spider" in options:
            return 0
        target = options.get("O") or url.rpartition("/")[2] or "index.html"
        if target == "-":
            call.out(body)
        else:
            call.files.write(call.path(target), body)
        return 0
    if "f" in options and code >= 400:
        call.err(f"curl: (22) The requested URL returned error: {code}\n")
        return 22
    if "I" in options or "i" in options:
        call.out(head + "\r\n\r\n")
    text = body if "I" not in options else ""
    if "o" in options:
        if options["o"] != "/dev/null":
            call.files.write(call.path(options["o"]), text)
    else:
        call.out(text)
    if "w" in options:
        call.out(options["w"].replace("%{http_code}", str(code)).replace("\\n", "\n"))
    return 0


def unreachable(call: Call) -> int:
    """nslookup, ping, nc, telnet …"""
    return call.failed(NOT_YET)


def redis_cli(call: Call) -> int:
    """redis-cli: one command, or one a line of the input."""
    options, words = call.options("", "hpn")
    port = int(options["p"]) if options.get("p", "").isdecimal() and len(options["p"]) < 6 else 6379
    host = options.get("h", "127.0.0.1")
    lines = [words] if words else [line.split() for line in call.read_all().split("\n") if line.strip()]
    for line in lines[:1_000]:
        request = f"*{len(line)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in line)
        known = host in (*OWN, *call.kernel.container.addresses)
        answer = call.kernel.container.answer(port, request) if known else None
        if answer is None:
            why = "Connection refused" if known else NOT_YET
            call.err(f"Could not connect to Redis at {host}:{port}: {why}\n")
            return 1
        call.out(_reply_text(answer))
    return 0


def _reply_text(answer: str) -> str:
    """As redis-cli prints it when nobody watches: without types."""
    kind, rest = answer[:1], answer[1:]
    if kind == "$":
        size, _, text = rest.partition("\r\n")
        return "\n" if size == "-1" else text[: int(size)] + "\n"
    if kind == "*":
        return "".join(f"{item}\n" for item in rest.split("\r\n")[2::2])
    return rest.replace("\r\n", "\n")


def nginx(call: Call) -> int:
    """nginx -v, -t, -s reload: what one asks the running server's binary."""
    options, _ = call.options("vtVqT", "sgc")
    if "v" in options or "V" in options:
        call.err(f"nginx version: nginx/{nginx_version(call.kernel.container.process.image)}\n")
    elif "t" in options or "T" in options:
        call.err("nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n")
        call.err("nginx: configuration file /etc/nginx/nginx.conf test is successful\n")
    elif options.get("s") in ("stop", "quit"):
        call.kernel.kill(1, SIGTERM)
    elif "s" not in options:
        return call.failed("[emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)")
    return 0


NETWORK = {
    "redis-cli": redis_cli,
    "nginx": nginx,
    "curl": fetch,
    "wget": fetch,
    **dict.fromkeys(("nslookup", "ping", "nc", "telnet", "dig", "host"), unreachable),
}
