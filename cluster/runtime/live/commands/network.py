"""Commands of the network: nc, ping, telnet, clients of servers, and tools that look at a node's packet rules.

Mirrors:  busybox 1.37, iptables-save, ipvsadm, nft
Read next: connection.py, fetch.py, names.py, rediscli.py.
"""

from cluster.runtime.live.commands import resolver
from cluster.runtime.live.commands.call import Call, UsageError, number
from cluster.runtime.live.commands.connection import (
    CONNECTED,
    REFUSED,
    SECOND,
    SILENT,
    SYN_TIME,
    UNREACHABLE,
    connect,
    remembered,
    seconds_of,
    waited_for,
)
from cluster.runtime.live.commands.databases import DATABASES
from cluster.runtime.live.commands.fetch import fetch
from cluster.runtime.live.commands.names import NAMES
from cluster.runtime.live.commands.rediscli import redis_cli
from cluster.runtime.live.kernel import SIGTERM
from cluster.runtime.programs.nginx import version as nginx_version


def netcat(call: Call) -> int:
    """nc [-z] [-v] [-u] [-w SECONDS] HOST PORT: knock, or send the input and print what comes back."""
    options, words = call.options("zvunNlk", "wip")
    if "l" in options:
        return call.failed("orrery: listening is left to the images of servers")
    if len(words) < 2 or not words[1].isdecimal():
        raise UsageError("HOST and PORT are needed")
    name, port = words[0], number(words[1])
    data = "" if "z" in options else call.read_all()
    reached = remembered(call) or connect(call, name, port, data, "UDP" if "u" in options else "TCP")
    waited_for(call, reached, seconds_of(options.get("w"), SYN_TIME))
    where = f"{name} ({reached.address}:{port})"
    if reached.fate != CONNECTED:
        why = {REFUSED: "Connection refused", UNREACHABLE: "Host is unreachable", SILENT: "Operation timed out"}
        if reached.fate in why:
            call.err(f"nc: {where}: {why[reached.fate]}\n")
        else:
            call.err(f"nc: bad address '{name}'\n")
        return 1
    if "v" in options:
        call.err(f"{where} open\n")
    call.out(reached.answer)
    return 0


def ping(call: Call) -> int:
    """ping [-c COUNT] [-W SECONDS] HOST"""
    options, words = call.options("qn46", "cWwiIs")
    if not words:
        raise UsageError("no host")
    name, count = words[0], number(options.get("c", ""), 0)
    local = call.local
    found = resolver.resolve(call, name) if "address" not in local else None
    if found is not None:
        if not found.address:
            if found.silent:
                call.sleep(resolver.PATIENCE * 2)
            call.err(f"ping: bad address '{name}'\n")
            return 1
        local |= {"address": found.address, "sent": 0, "got": 0, "next": call.now}
        call.out(f"PING {name} ({found.address}): 56 data bytes\n")
    address = local["address"]
    while True:
        if call.now < local["next"]:
            local["until"] = local["next"]
            call.sleep(0)
        if count and local["sent"] >= count:
            break
        reached = connect(call, address, 0, "", "ICMP")
        if reached.fate == CONNECTED:
            call.out(f"64 bytes from {address}: seq={local['sent']} ttl=62 time=0.{100 + local['sent'] % 50} ms\n")
            local["got"] += 1
        local["sent"] += 1
        local["next"] = call.now + SECOND
        local.pop("until", None)
    lost = 100 * (local["sent"] - local["got"]) // max(local["sent"], 1)
    call.out(
        f"\n--- {name} ping statistics ---\n{local['sent']} packets transmitted, {local['got']} packets received,"
        f" {lost}% packet loss\n"
    )
    if local["got"]:
        times = [100 + n % 50 for n in range(local["sent"])]
        low, mean, high = min(times), sum(times) // len(times), max(times)
        call.out(f"round-trip min/avg/max = 0.{low}/0.{mean}/0.{high} ms\n")
    return 0 if local["got"] else 1


def telnet(call: Call) -> int:
    """telnet HOST [PORT]: does somebody listen?"""
    _, words = call.options("", "")
    if not words:
        raise UsageError("no host")
    name, port = words[0], number(words[1], 23) if len(words) > 1 else 23
    reached = remembered(call) or connect(call, name, port, "")
    waited_for(call, reached, SYN_TIME)
    if reached.fate != CONNECTED:
        why = {REFUSED: "Connection refused", UNREACHABLE: "Host is unreachable", SILENT: "Connection timed out"}
        shown = f"can't connect to remote host ({reached.address}): {why[reached.fate]}" if reached.fate in why else ""
        return call.failed(shown or f"bad address '{name}'")
    call.out(f"Connected to {name}\nConnection closed by foreign host\n")
    return 0


# --- clients of servers -----------------------------------------------------------------------------------------


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


def packet_rules(call: Call) -> int:
    """iptables-save, ipvsadm, nft: what a kube-proxy wrote; a privileged container on its node's network may look."""
    if call.kernel.container.view is None:
        return call.failed("Permission denied (you must be root: look from a kube-proxy's pod, or a privileged one)", 4)
    call.out(call.kernel.container.view(call.name))
    return 0


NETWORK = {
    **NAMES, **DATABASES, "redis-cli": redis_cli, "nginx": nginx, "curl": fetch, "wget": fetch, "nc": netcat,
    "ncat": netcat, "ping": ping, "telnet": telnet, **dict.fromkeys(("iptables-save", "ipvsadm", "nft"), packet_rules),
}  # fmt: skip
