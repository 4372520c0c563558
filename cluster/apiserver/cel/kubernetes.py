"""The functions that Kubernetes adds to CEL: quantities, URLs, IP addresses, networks, versions, named formats.

Mirrors:  k8s.io/apiserver/pkg/cel/library
Left out: formats beyond FORMATS.
"""

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from cluster.apiserver.cel.functions import Impl, add, add_member, paid
from cluster.apiserver.cel.values import INT_MAX, NONE, Budget, EvalError, Opaque, Optional
from cluster.objects import quantity
from cluster.objects.names import name_problems, qualified_problems

# --- Kubernetes: quantities -------------------------------------------------------------------------------------


def _quantity(given: str) -> Opaque:
    try:
        return Opaque("quantity", quantity.parse(given)[0])
    except ValueError:
        raise EvalError(quantity.MUST_MATCH) from None


def _succeeds(make: Callable[[Any], Any]) -> Impl:
    def run(budget: Budget, given: str) -> bool:
        budget.spend(len(given) // 10)
        try:
            make(given)
        except EvalError:
            return False
        return True

    return run


def _whole(value: Opaque) -> bool:
    return value.content % quantity.NANO == 0 and abs(value.content) // quantity.NANO <= INT_MAX  # type: ignore[no-any-return]


def _as_integer(budget: Budget, value: Opaque) -> int:
    if not _whole(value):
        raise EvalError("cannot convert value to integer")
    return int(value.content) // quantity.NANO


def _compared(a: Opaque, b: Opaque) -> int:
    return (a.content > b.content) - (a.content < b.content)


add("quantity", ("string",), "quantity", paid(_quantity))
add("isQuantity", ("string",), "bool", _succeeds(_quantity))
add_member("sign", ("quantity",), "int", lambda budget, a: (a.content > 0) - (a.content < 0))
add_member("isInteger", ("quantity",), "bool", lambda budget, a: _whole(a))
add_member("asInteger", ("quantity",), "int", _as_integer)
add_member("asApproximateFloat", ("quantity",), "double", lambda budget, a: a.content / quantity.NANO)
for _name, _step in (("add", 1), ("sub", -1)):
    add_member(_name, ("quantity", "quantity"), "quantity",
            lambda budget, a, b, by=_step: Opaque("quantity", a.content + by * b.content))  # fmt: skip
    add_member(_name, ("quantity", "int"), "quantity",
            lambda budget, a, b, by=_step: Opaque("quantity", a.content + by * b * quantity.NANO))  # fmt: skip
for _type in ("quantity", "semver"):
    add_member("isGreaterThan", (_type, _type), "bool", lambda budget, a, b: _compared(a, b) > 0)
    add_member("isLessThan", (_type, _type), "bool", lambda budget, a, b: _compared(a, b) < 0)
    add_member("compareTo", (_type, _type), "int", lambda budget, a, b: _compared(a, b))

# --- Kubernetes: URLs, addresses, versions, formats -------------------------------------------------------------


def _url(given: str) -> Opaque:
    try:
        parts = urlsplit(given)
        _ = parts.port
    except ValueError as error:
        raise EvalError(f"URL parse error during conversion from string: {error}") from None
    if not (parts.scheme or given.startswith("/")) or " " in given:
        told = f'parse "{given}": invalid URI for request'
        raise EvalError(f"URL parse error during conversion from string: {told}")
    return Opaque("url", given)


def _query(budget: Budget, value: Opaque) -> dict[str, list[str]]:
    budget.spend(len(value.content) // 10)
    return parse_qs(urlsplit(value.content).query, keep_blank_values=True)


add("url", ("string",), "url", paid(_url))
add("isURL", ("string",), "bool", _succeeds(_url))
add_member("getScheme", ("url",), "string", lambda budget, a: urlsplit(a.content).scheme)
add_member("getHost", ("url",), "string", lambda budget, a: urlsplit(a.content).netloc.rpartition("@")[2])
add_member("getHostname", ("url",), "string", lambda budget, a: urlsplit(a.content).hostname or "")
add_member("getPort", ("url",), "string", lambda budget, a: str(urlsplit(a.content).port or ""))
add_member("getEscapedPath", ("url",), "string", lambda budget, a: urlsplit(a.content).path)
add_member("getQuery", ("url",), ("map", "string", ("list", "string")), _query)


def _ip(given: str) -> Opaque:
    try:
        if "%" in given or given.lower().startswith("::ffff:"):
            raise ValueError
        return Opaque("ip", ip_address(given))
    except ValueError:
        raise EvalError(f"IP Address {given!r} parse error during conversion from string") from None


def _cidr(given: str) -> Opaque:
    try:
        if "/" not in given or "%" in given:
            raise ValueError
        address, _, bits = given.partition("/")
        if not bits.isdigit():
            raise ValueError
        return Opaque("cidr", _Network(ip_address(address), ip_network(given, strict=False)))
    except ValueError:
        raise EvalError(f"network address parse error during conversion from string: {given!r}") from None


class _Network(NamedTuple):
    address: IPv4Address | IPv6Address
    network: Any

    def __str__(self) -> str:
        return f"{self.address}/{self.network.prefixlen}"


def _contains_ip(budget: Budget, network: Opaque, given: Any) -> bool:
    address = _ip(given) if isinstance(given, str) else given
    return address.content.version == network.content.network.version and address.content in network.content.network


def _contains_cidr(budget: Budget, network: Opaque, given: Any) -> bool:
    inner = (_cidr(given) if isinstance(given, str) else given).content.network
    outer = network.content.network
    return bool(inner.version == outer.version and inner.subnet_of(outer))


add("ip", ("string",), "ip", paid(_ip))
add("isIP", ("string",), "bool", _succeeds(_ip))
add("ip.isCanonical", ("string",), "bool", paid(lambda a: str(_ip(a).content) == a))
add("cidr", ("string",), "cidr", paid(_cidr))
add("isCIDR", ("string",), "bool", _succeeds(_cidr))
add_member("family", ("ip",), "int", lambda budget, a: a.content.version)
add_member("isUnspecified", ("ip",), "bool", lambda budget, a: a.content.is_unspecified)
add_member("isLoopback", ("ip",), "bool", lambda budget, a: a.content.is_loopback)
add_member("isLinkLocalMulticast", ("ip",), "bool", lambda budget, a: _is_local_multicast(a.content))
add_member("isLinkLocalUnicast", ("ip",), "bool", lambda budget, a: a.content.is_link_local)
add_member("isGlobalUnicast", ("ip",), "bool", lambda budget, a: not (
    a.content.is_unspecified or a.content.is_loopback or a.content.is_multicast or a.content.is_link_local
    or str(a.content) == "255.255.255.255"))  # fmt: skip


def _is_local_multicast(address: Any) -> bool:
    network = "224.0.0.0/24" if address.version == 4 else "ff02::/16"
    return address in ip_network(network)


for _type in ("string", "ip"):
    add_member("containsIP", ("cidr", _type), "bool", _contains_ip)
for _type in ("string", "cidr"):
    add_member("containsCIDR", ("cidr", _type), "bool", _contains_cidr)
add_member("ip", ("cidr",), "ip", lambda budget, a: Opaque("ip", a.content.address))
add_member("masked", ("cidr",), "cidr",
        lambda budget, a: Opaque("cidr", _Network(a.content.network.network_address, a.content.network)))  # fmt: skip
add_member("prefixLength", ("cidr",), "int", lambda budget, a: a.content.network.prefixlen)

_SEMVER = re.compile(
    r"(0|[1-9][0-9]{0,17})\.(0|[1-9][0-9]{0,17})\.(0|[1-9][0-9]{0,17})(?:-([0-9A-Za-z.-]{1,200}))?(?:\+[0-9A-Za-z.-]{1,200})?"
)


def _semver(given: str) -> Opaque:
    found = _SEMVER.fullmatch(given)
    if found is None:
        raise EvalError(f"No Major.Minor.Patch elements found: {given!r}")
    major, minor, patch, before = found.groups()
    parts = [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in before.split(".")] if before else [(2, 0, "")]
    return Opaque("semver", (int(major), int(minor), int(patch), tuple(parts)))


add("semver", ("string",), "semver", paid(_semver))
add("isSemver", ("string",), "bool", _succeeds(_semver))
for _number, _name in enumerate(("major", "minor", "patch")):
    add_member(_name, ("semver",), "int", lambda budget, a, at=_number: a.content[at])


def _format_problems(name: str, given: str) -> list[str]:
    if name in ("dns1123Label", "dns1123Subdomain", "dns1035Label"):
        return list(name_problems(given, "subdomain" if name == "dns1123Subdomain" else "label"))
    if name == "qualifiedName":
        return list(qualified_problems(given))
    if name == "uuid":
        is_uuid = re.fullmatch(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", given)
        return [] if is_uuid else ["does not match the UUID format"]
    if name == "labelValue":
        return [] if re.fullmatch(r"(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?", given) else ["is no label value"]
    return [f"unknown format {name}"]


def _format_check(budget: Budget, form: Opaque, given: str) -> Optional:
    budget.spend(len(given) // 10)
    found = _format_problems(form.content, given)
    return Optional(found, True) if found else NONE


FORMATS = ("dns1123Label", "dns1123Subdomain", "dns1035Label", "qualifiedName", "labelValue", "uuid")
for _name in FORMATS:
    add(f"format.{_name}", (), "format", lambda budget, name=_name: Opaque("format", name))
add_member("validate", ("format", "string"), ("optional", ("list", "string")), _format_check)
