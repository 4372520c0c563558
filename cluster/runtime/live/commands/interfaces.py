"""What a container sees of its network: ip, ifconfig, route, as a bridge plugin of CNI makes it.

A pod has one interface, eth0, in its node's /24, whose first address is the way out; its hardware address is made of
the pod's address, as that plugin does it.

Mirrors:  busybox 1.37: networking/ip.c, ifconfig.c, route.c
Left out: changing anything, counters of packets, IPv6 but for the loopback; netstat, ss, traceroute.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from cluster.runtime.live.commands.call import Call, UsageError

LOOPBACK = ("lo", "127.0.0.1", 8, "00:00:00:00:00:00")


class Interface(NamedTuple):
    name: str
    address: str
    prefix: int
    hardware: str

    @property
    def network(self) -> str:
        return self.address if self.prefix == 8 else self.address.rpartition(".")[0]


def _interfaces(call: Call) -> list[Interface]:
    found = [Interface(*LOOPBACK)]
    for address in call.kernel.container.addresses[:1]:
        hardware = "0a:58:" + ":".join(f"{int(part):02x}" for part in address.split("."))
        found.append(Interface("eth0", address, 24, hardware))
    return found


def ip(call: Call) -> int:
    """ip [-4] [-o] [-br] [-j] address | link | route [show] [dev] [NAME]"""
    options = [word for word in call.args if word[:1] == "-"]
    words = [word for word in call.args if word[:1] != "-"]
    what = next((one for one in ("address", "link", "route") if words and one.startswith(words[0])), "")
    if not what:
        raise UsageError("orrery: ip knows address, link and route")
    rest = [word for word in words[1:] if word not in ("show", "list", "ls", "dev")]
    if rest and rest[0] in ("add", "del", "set", "change", "replace", "flush"):
        call.err("ip: RTNETLINK answers: Operation not permitted\n")
        return 2
    chosen = [one for one in _interfaces(call) if not rest or one.name == rest[0]]
    if what == "route":
        call.out("".join(_routes(one) for one in chosen if one.name != "lo"))
    elif not chosen:
        return call.failed(f"can't find device '{rest[0]}'")
    elif "-j" in options or "-json" in options:
        call.out(json.dumps([_data(one) for one in chosen]) + "\n")
    else:
        places = {one.name: n for n, one in enumerate(_interfaces(call), 1)}
        shown = _brief if set(options) & {"-br", "-brief"} else _shown
        call.out("".join(shown(one, places[one.name], what == "link", "-4" in options) for one in chosen))
    return 0


def _shown(one: Interface, place: int, link: bool, four: bool) -> str:
    own = one.name == "lo"
    flags, mtu, kind = ("LOOPBACK,UP,LOWER_UP", 65536, "loopback") if own else (
        "BROADCAST,MULTICAST,UP,LOWER_UP,M-DOWN", 1500, "ether")  # fmt: skip
    lines = [
        f"{place}: {one.name if own else 'eth0@if2'}: <{flags}> mtu {mtu} qdisc noqueue {'qlen 1000' if own else ''}"
    ]
    if not four:
        lines.append(f"    link/{kind} {one.hardware} brd {'00:00:00:00:00:00' if own else 'ff:ff:ff:ff:ff:ff'}")
    for address in _addresses(one, four) if not link else ():
        lines += [f"    {address}", "       valid_lft forever preferred_lft forever"]
    return "\n".join(lines) + "\n"


def _addresses(one: Interface, four: bool) -> list[str]:
    if one.name != "lo":
        return [f"inet {one.address}/{one.prefix} brd {one.network}.255 scope global {one.name}"]
    return ["inet 127.0.0.1/8 scope host lo", *([] if four else ["inet6 ::1/128 scope host "])]


def _brief(one: Interface, place: int, link: bool, four: bool) -> str:
    name, state = ("lo", "UNKNOWN") if one.name == "lo" else ("eth0@if2", "UP")
    return f"{name:<16} {state:<14} {one.hardware if link else f'{one.address}/{one.prefix}'} \n"


def _data(one: Interface) -> dict[str, Any]:
    address = {"family": "inet", "local": one.address, "prefixlen": one.prefix}
    return {"ifname": one.name, "address": one.hardware, "addr_info": [address]}


def _routes(one: Interface) -> str:
    return (
        f"default via {one.network}.1 dev {one.name} \n"
        f"{one.network}.0/{one.prefix} dev {one.name} scope link  src {one.address} \n"
    )


def ifconfig(call: Call) -> int:
    _, words = call.options("a")
    chosen = [one for one in reversed(_interfaces(call)) if not words or one.name == words[0]]
    if not chosen:
        return call.failed(f"{words[0]}: error fetching interface information: Device not found")
    for one in chosen:
        if one.name == "lo":
            call.out("lo        Link encap:Local Loopback  \n          inet addr:127.0.0.1  Mask:255.0.0.0\n"
                     "          inet6 addr: ::1/128 Scope:Host\n          UP LOOPBACK RUNNING  MTU:65536  Metric:1\n\n"
                     )  # fmt: skip
            continue
        call.out(
            f"{one.name:<9} Link encap:Ethernet  HWaddr {one.hardware.upper()}  \n"
            f"          inet addr:{one.address}  Bcast:{one.network}.255  Mask:255.255.255.0\n"
            "          UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1\n\n"
        )
    return 0


def route(call: Call) -> int:
    """route [-n]"""
    options, _ = call.options("ne")
    call.out("Kernel IP routing table\nDestination     Gateway         Genmask         Flags Metric Ref    Use Iface\n")
    anywhere, nowhere = ("0.0.0.0", "0.0.0.0") if "n" in options else ("default", "*")
    for one in _interfaces(call)[1:]:
        call.out(f"{anywhere:<15} {one.network + '.1':<15} {'0.0.0.0':<15} UG    0      0        0 {one.name}\n")
        call.out(f"{one.network + '.0':<15} {nowhere:<15} {'255.255.255.0':<15} U     0      0        0 {one.name}\n")
    return 0


INTERFACES: dict[str, Callable[[Call], int]] = {"ip": ip, "ifconfig": ifconfig, "route": route}
