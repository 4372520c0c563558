"""Names and addresses, as the C library of a container looks them up: /etc/hosts, then the servers of /etc/resolv.conf.

Mirrors:  getaddrinfo(3), resolv.conf(5) (search, ndots, three servers)
Left out: AAAA, options rotate, attempts and timeout: a server that does not answer costs five seconds.
"""

from typing import NamedTuple

from cluster.objects import resolvconf
from cluster.objects.resolvconf import ResolvConf, is_address
from cluster.runtime.live.commands.call import Call
from cluster.runtime.live.files import FileError
from cluster.runtime.live.kernel import Answered

PATIENCE = 5_000_000  # Microseconds until a server counts as silent.


class Found(NamedTuple):
    """`address` empty: none was found; `silent`: because nobody answered. `name`: as it is called in full."""

    address: str = ""
    name: str = ""
    silent: bool = False


def config(call: Call) -> ResolvConf:
    return resolvconf.parsed(_text(call, "/etc/resolv.conf"))


def resolve(call: Call, host: str) -> Found:
    """The address of a name, as most programs look it up."""
    if is_address(host):
        return Found(host, host)
    if host in ("localhost", call.kernel.container.process.hostname):
        return Found("127.0.0.1", host)
    for words in _hosts(call):
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


def _hosts(call: Call) -> list[list[str]]:
    """The words of each line of /etc/hosts."""
    lines = _text(call, "/etc/hosts").split("\n")
    return [words for line in lines if (words := line.partition("#")[0].split())]


def _text(call: Call, path: str) -> str:
    try:
        return call.files.read(path)
    except FileError:
        return ""
