"""Formats of strings: which are known, and what they look like.

Mirrors:  k8s.io/kube-openapi/pkg/validation/strfmt, k8s.io/apiextensions-apiserver/pkg/apiserver/validation/formats.go
"""

import base64
import binascii
import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_network
from urllib.parse import urlsplit

from cluster.apiserver import regexes
from cluster.objects import names, times

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_UUID = r"[0-9a-f]{8}-?[0-9a-f]{4}-?%s[0-9a-f]{3}-?%s[0-9a-f]{3}-?[0-9a-f]{12}"
_DURATION = re.compile(r"\s*\d+(\.\d+)?\s*(ns|us|µs|μs|ms|s|m|h|d|w|[a-z]{1,16})?\s*")
_GO_DURATION = re.compile(r"[-+]?(\d{1,20}(\.\d{0,20})?(ns|us|µs|μs|ms|s|m|h)){1,20}")
_UNITS = (
    "ns", "us", "µs", "μs", "ms", "s", "sec", "secs", "second", "seconds", "m", "min", "mins", "minute", "minutes", "h",
    "hr", "hour", "hours", "d", "day", "days", "w", "wk", "week", "weeks", "milli", "micro", "nano",
)  # fmt: skip
_HOST = re.compile(r"[a-zA-Z0-9\u00a1-\uffff][a-zA-Z0-9\u00a1-\uffff-]{0,62}(\.[a-zA-Z0-9\u00a1-\uffff-]{1,63})*\.?")
_MAC = re.compile(r"([0-9a-fA-F]{2}[:-]){5,7}[0-9a-fA-F]{2}|([0-9a-fA-F]{4}\.){2,3}[0-9a-fA-F]{4}")
_HEX_COLOR = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_RGB = re.compile(r"rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)")
_EMAIL = re.compile(r"[^\s@<>()]{1,64}@[A-Za-z0-9.-]{1,255}")
_SSN = re.compile(r"\d{3}[- ]?\d{2}[- ]?\d{4}")


def _moment(text: str) -> bool:
    if not _RFC3339.fullmatch(text):
        return False
    try:
        times.parse(text.upper())
    except ValueError:
        return False
    return True


def _date(text: str) -> bool:
    return bool(_DATE.fullmatch(text)) and _moment(f"{text}T00:00:00Z")


def _duration(text: str) -> bool:
    if _GO_DURATION.fullmatch(text) or text in ("0", "+0", "-0"):
        return True
    found = _DURATION.fullmatch(text)
    return found is not None and found.group(2) in _UNITS


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def test(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return test


def _cidr(text: str) -> bool:
    return "/" in text and "%" not in text and _parses(lambda each: ip_network(each, strict=False))(text)


def _uri(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(text) and (bool(parts.scheme) or text.startswith("/"))


def _base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _regex(text: str) -> bool:
    return _parses(regexes.compiled)(text)


def _uuid(version: str, variant: str) -> Callable[[str], bool]:
    pattern = re.compile(_UUID % (version, variant), re.IGNORECASE)
    return lambda text: pattern.fullmatch(text) is not None


def _full(pattern: "re.Pattern[str]") -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


def _card(text: str) -> bool:
    digits = [int(char) for char in text if char.isascii() and char.isdigit()]
    if not 13 <= len(digits) <= 19:
        return False
    doubled = [digit * 2 - 9 * (digit > 4) if n % 2 else digit for n, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _isbn10(text: str) -> bool:
    text = text.replace("-", "").replace(" ", "")
    if not re.fullmatch(r"\d{9}[\dXx]", text):
        return False
    return sum((10 - n) * (10 if char in "Xx" else int(char)) for n, char in enumerate(text)) % 11 == 0


def _isbn13(text: str) -> bool:
    text = text.replace("-", "").replace(" ", "")
    if not re.fullmatch(r"[0-9]{13}", text):
        return False
    return sum(int(char) * (3 if n % 2 else 1) for n, char in enumerate(text)) % 10 == 0


def _rgb(text: str) -> bool:
    found = _RGB.fullmatch(text)
    return found is not None and all(int(part) < 256 for part in found.groups())


FORMATS: dict[str, Callable[[str], bool]] = {
    "byte": _base64,
    "uri": _uri,
    "email": _full(_EMAIL),
    "hostname": lambda text: len(text) <= 255 and bool(_HOST.fullmatch(text)),
    "ipv4": _parses(IPv4Address),
    "ipv6": lambda text: "%" not in text and _parses(IPv6Address)(text),
    "cidr": _cidr,
    "mac": _full(_MAC),
    "uuid": _uuid("[0-9a-f]", "[0-9a-f]"),
    "uuid3": _uuid("3", "[0-9a-f]"),
    "uuid4": _uuid("4", "[89ab]"),
    "uuid5": _uuid("5", "[89ab]"),
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "creditcard": _card,
    "ssn": _full(_SSN),
    "hexcolor": _full(_HEX_COLOR),
    "rgbcolor": _rgb,
    "date": _date,
    "duration": _duration,
    "datetime": _moment,
    "date-time": _moment,
    "bsonobjectid": lambda text: bool(re.fullmatch(r"[0-9a-fA-F]{24}", text)),
    "password": lambda text: True,
    "regex": _regex,
    "k8s-short-name": lambda text: not names.name_problems(text, "label"),
    "k8s-long-name": lambda text: not names.name_problems(text, "subdomain"),
}
NUMBERS = {"int32": 1 << 31, "int64": 1 << 63}


def matches(name: str, text: str) -> bool:
    """Has `text` the format? Unknown formats say nothing."""
    test = FORMATS.get(name)
    return test is None or test(text)
