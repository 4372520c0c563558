"""nslookup, dig, host, getent: what a name server says.

Mirrors:  busybox nslookup, dig and host of bind 9.20, getent of glibc
Left out: dig +trace, zone transfers; busybox's habit of telling of every name that it did not find.
"""

from collections.abc import Sequence
from typing import NamedTuple

from cluster.runtime.live.commands import resolver
from cluster.runtime.live.commands.call import Call, UsageError


class Asked(NamedTuple):
    """What was found. `code`: NOERROR, NXDOMAIN …; empty: nobody answers."""

    code: str
    records: list[tuple[str, str, str]]
    extra: list[tuple[str, str, str]]


def _ask_all(call: Call, servers: Sequence[str], names: list[str], type_: str) -> tuple[str, Asked]:
    """(server, answer): the first name that exists, from the first server that answers."""
    for server in servers:
        last = Asked("", [], [])
        for name in names:
            answer = resolver.ask(call, server, name, type_)
            if answer is None:
                last = Asked("", [], [])
                break
            last = Asked(*answer)
            if last.code == "NOERROR" and (last.records or len(names) == 1):
                return server, last
        if last.code:
            return server, last
    return servers[0] if servers else "", Asked("", [], [])


def _reversed(text: str) -> str:
    return ".".join(reversed(text.split("."))) + ".in-addr.arpa."


def nslookup(call: Call) -> int:
    """nslookup [-type=T] NAME [SERVER]"""
    words, type_ = [], "A"
    for word in call.args:
        if word.startswith(("-type=", "-query=", "-q=")):
            type_ = word.partition("=")[2].upper()
        elif not word.startswith("-"):
            words.append(word)
    if not words:
        raise UsageError("no name")
    conf, host = resolver.config(call), words[0]
    servers: Sequence[str] = conf.servers
    if len(words) > 1:
        servers = [found.address] if (found := resolver.resolve(call, words[1])).address else []
    if resolver.is_address(host):
        names, type_ = [_reversed(host)], "PTR"
    else:
        names = conf.candidates(host)
    server, answer = _ask_all(call, servers, names, type_)
    if not answer.code:
        call.sleep(resolver.PATIENCE * 2)
        call.out(";; connection timed out; no servers could be reached\n\n")
        return 1
    mark = ":" if call.kernel.container.process.image.rpartition("/")[2].startswith(("busybox", "alpine")) else "#"
    call.out(f"Server:\t\t{server}\nAddress:\t{server}{mark}53\n\n")
    if answer.code != "NOERROR":
        call.out(f"** server can't find {names[-1].rstrip('.') if type_ != 'PTR' else names[0]}: {answer.code}\n\n")
        return 1
    if not answer.records:
        call.out(f"*** Can't find {host}: No answer\n\n")
        return 1
    lines = []
    for name, kind, value in answer.records:
        bare = name.rstrip(".")
        lines.append({
            "A": f"Name:\t{bare}\nAddress: {value}", "PTR": f"{bare}\tname = {value}",
            "CNAME": f"{bare}\tcanonical name = {value.rstrip('.')}", "SRV": f"{bare}\tservice = {value}",
            "TXT": f"{bare}\ttext = {value}",
        }.get(kind, f"{bare}\t{kind} {value}"))  # fmt: skip
    call.out("\n".join(lines) + "\n\n")
    return 0


def dig(call: Call) -> int:
    """dig [@SERVER] [-x ADDRESS] NAME [TYPE] [+short] [+search]"""
    conf, server, type_, short, search, names = resolver.config(call), "", "A", False, False, []
    args = list(call.args)
    while args:
        word = args.pop(0)
        if word.startswith("@"):
            server = resolver.resolve(call, word[1:]).address
        elif word == "-x" and args:
            names, type_ = [_reversed(args.pop(0))], "PTR"
        elif word in ("-t", "-p") and args:
            type_ = args.pop(0).upper() if word == "-t" else type_
        elif word.startswith("+"):
            short, search = short or word == "+short", search or word == "+search"
        elif word.upper() in ("A", "AAAA", "SRV", "PTR", "CNAME", "TXT", "NS", "SOA", "ANY"):
            type_ = word.upper()
        elif not word.startswith("-"):
            names = [word]
    if not names:
        raise UsageError("no name")
    asked = conf.candidates(names[0]) if search and type_ != "PTR" else [names[0].rstrip(".") + "."]
    server, answer = _ask_all(call, [server] if server else conf.servers, asked, type_)
    if not answer.code:
        call.sleep(resolver.PATIENCE * 3)
        call.out(f";; communications error to {server}#53: timed out\n;; no servers could be reached\n")
        return 9
    if short:
        call.out("".join(f"{value}\n" for _, _, value in answer.records))
        return 0
    shown = answer.records[0][0] if answer.records and search else asked[-1]
    more = len(answer.extra) + 1
    lines = [
        f"; <<>> DiG 9.20.11 <<>> {' '.join(call.args)}", ";; global options: +cmd", ";; Got answer:",
        f";; ->>HEADER<<- opcode: QUERY, status: {answer.code}, id: {int(call.proc['pid']) * 7919 % 65536}",
        f";; flags: qr aa rd; QUERY: 1, ANSWER: {len(answer.records)}, AUTHORITY: 0, ADDITIONAL: {more}", "",
        ";; QUESTION SECTION:", f";{shown}\t\tIN\t{type_}", "",
    ]  # fmt: skip
    for title, records in (("ANSWER", answer.records), ("ADDITIONAL", answer.extra)):
        if records:
            listed = [f"{name}\t30\tIN\t{kind}\t{value}" for name, kind, value in records]
            lines += [f";; {title} SECTION:", *listed, ""]
    when = f"{call.date:%a %b %d %H:%M:%S} UTC {call.date:%Y}"
    lines += [";; Query time: 1 msec", f";; SERVER: {server}#53({server}) (UDP)", f";; WHEN: {when}", "", ""]
    call.out("\n".join(lines))
    return 0


def host(call: Call) -> int:
    """host NAME [SERVER]"""
    _, words = call.options("av", "t")
    if not words:
        raise UsageError("no name")
    conf, name = resolver.config(call), words[0]
    reverse = resolver.is_address(name)
    names = [_reversed(name)] if reverse else conf.candidates(name)
    servers: Sequence[str] = [resolver.resolve(call, words[1]).address] if len(words) > 1 else conf.servers
    _, answer = _ask_all(call, servers, names, "PTR" if reverse else "A")
    if not answer.code:
        call.sleep(resolver.PATIENCE * 2)
        call.out(";; connection timed out; no servers could be reached\n")
        return 1
    if answer.code != "NOERROR" or not answer.records:
        call.out(f"Host {name} not found: 3(NXDOMAIN)\n")
        return 1
    words_of = {"A": "has address", "PTR": "domain name pointer", "CNAME": "is an alias for"}
    call.out("".join(f"{n.rstrip('.')} {words_of.get(kind, kind)} {value}\n" for n, kind, value in answer.records))
    return 0


def getent(call: Call) -> int:
    """getent hosts NAME"""
    if len(call.args) < 2 or call.args[0] not in ("hosts", "ahosts"):
        raise UsageError("only hosts is known")
    found = resolver.resolve(call, call.args[1])
    if not found.address:
        return 2
    call.out(f"{found.address:<15} {found.name}\n")
    return 0


NAMES = {"nslookup": nslookup, "dig": dig, "host": host, "getent": getent}
