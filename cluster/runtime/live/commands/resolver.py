"""Names and addresses, as the C library of a container looks them up: /etc/hosts, then the servers of /etc/resolv.conf.

Mirrors:  getaddrinfo(3), resolv.conf(5) (search, ndots, three servers)
Left out: AAAA, options rotate, attempts and timeout: a server that does not answer costs five seconds.
"""

from ipaddress import IPv4Address
from typing import NamedTuple

from cluster.runtime.live.commands.call import Call, number
from cluster.runtime.live.files import FileError
from cluster.runtime.live.kernel import Answered

PATIENCE = 5_000_000  # Microseconds until a server counts as silent.
MOST_SERVERS = 3


class Found(NamedTuple):
    """`address` empty: none was found; `silent`: because nobody answered. `name`: as it is called in full."""

    address: str = ""
    name: str = ""
    silent: bool = False


class Config(NamedTuple):
    servers: list[str]
    search: list[str]
    ndots: int

    def candidates(self, host: str) -> list[str]:
        """What is asked for, in order: names with few dots are first looked for below the search domains."""
        if host.endswith("."):
            return [host]
        longer = [f"{host}.{domain}." for domain in self.search]
        return [*longer, f"{host}."] if host.count(".") < self.ndots else [f"{host}.", *longer]


def is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


def config(call: Call) -> Config:
    """/etc/resolv.conf."""
    servers, search, ndots = [], [], 1
    for words in _lines(call, "/etc/resolv.conf"):
        if words[0] == "nameserver" and len(words) > 1 and is_address(words[1]):
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            search = words[1:]
        elif words[0] == "options":
            for word in words[1:]:
                if word.startswith("ndots:"):
                    ndots = min(number(word[6:], 1), 15)
    return Config(servers[:MOST_SERVERS], search, ndots)


def resolve(call: Call, host: str) -> Found:
    """The address of a name, as most programs look it up."""
    if is_address(host):
        return Found(host, host)
    if host in ("localhost", call.kernel.container.process.hostname):
        return Found("127.0.0.1", host)
    for words in _lines(call, "/etc/hosts"):
        if host in words[1:] and is_address(words[0]):
            return Found(words[0], host)
    conf = config(call)
    silent = not conf.servers
    for server in conf.servers:
        for name in conf.candidates(host):
            answer = ask(call, server, name, "A")
            if answer is None:
                silent = True
                break
            found = [value for _, type_, value in answer[1] if type_ == "A"]
            if found:
                return Found(found[0], name.rstrip("."))
        else:
            return Found()
    return Found(silent=silent)


def ask(call: Call, server: str, name: str, type_: str) -> Answered | None:
    """One question to a name server; None: it does not answer."""
    return call.kernel.container.query(int(call.proc["pid"]), server, name, type_)


def _lines(call: Call, path: str) -> list[list[str]]:
    try:
        text = call.files.read(path)
    except FileError:
        return []
    return [words for line in text.split("\n") if (words := line.partition("#")[0].split())]
