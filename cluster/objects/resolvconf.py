"""/etc/resolv.conf: whom a container asks for the address of a name, and for which names.

    >>> usual("shop").candidates("web")
    ['web.shop.svc.cluster.local.', 'web.svc.cluster.local.', 'web.cluster.local.', 'web.']

Mirrors:  resolv.conf(5) (nameserver, search, domain, ndots)
Left out: options rotate, attempts and timeout
"""

from collections.abc import Collection
from ipaddress import IPv4Address
from typing import NamedTuple

DOMAIN = "cluster.local"
CLUSTER_DNS = "10.96.0.10"
MOST_SERVERS = 3
MOST_DOTS = 15


class ResolvConf(NamedTuple):
    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    ndots: int = 1

    def candidates(self, host: str) -> list[str]:
        """What is asked for, in order: names with few dots are first looked for below the search domains."""
        if host.endswith("."):
            return [host]
        longer = [f"{host}.{domain}." for domain in self.search]
        return [*longer, f"{host}."] if host.count(".") < self.ndots else [f"{host}.", *longer]


def search_domains(namespace: str) -> tuple[str, ...]:
    """Those of a pod that asks the cluster's DNS."""
    return f"{namespace}.svc.{DOMAIN}", f"svc.{DOMAIN}", DOMAIN


def usual(namespace: str) -> ResolvConf:
    """What a pod has whose spec says nothing about DNS."""
    return ResolvConf((CLUSTER_DNS,), search_domains(namespace), 5)


def written(servers: Collection[str], search: Collection[str], options: Collection[str]) -> str:
    """The file. Nothing stands in it twice."""
    lines = [f"search {' '.join(dict.fromkeys(search))}"] if search else []
    lines += [f"nameserver {server}" for server in dict.fromkeys(servers)]
    return "\n".join([*lines, *([f"options {' '.join(options)}"] if options else []), ""])


def usually_written(namespace: str) -> str:
    conf = usual(namespace)
    return written(conf.servers, conf.search, [f"ndots:{conf.ndots}"])


def parsed(text: str) -> ResolvConf:
    """What a resolver makes of the file; a line that it does not understand says nothing to it."""
    servers: list[str] = []
    search: list[str] = []
    ndots = 1
    for line in text.split("\n"):
        word, *rest = line.partition("#")[0].split() or [""]
        if word == "nameserver" and rest and is_address(rest[0]):
            servers.append(rest[0])
        elif word in ("search", "domain"):
            search = rest
        elif word == "options":
            dots = [one[6:] for one in rest if one.startswith("ndots:") and one[6:].isdecimal()]
            ndots = min(int(dots[-1][:3]), MOST_DOTS) if dots else ndots
    return ResolvConf(tuple(servers[:MOST_SERVERS]), tuple(search), ndots)


def is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
