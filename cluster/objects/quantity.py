"""Resource quantities: `250m` of CPU, `64Mi` of memory, exactly.

A quantity is a decimal number and a suffix: decimal (n u m k M G T P E), binary (Ki Mi Gi Ti Pi Ei) or an exponent. The
API stores the canonical text: `0.5` is `500m`, `1024Mi` is `1Gi`, `1e3` stays an exponent.

Source: k8s.io/apimachinery/pkg/api/resource/quantity.go
"""

import re
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

MUST_MATCH = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_PATTERN = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)([eE][+-]?\d+|Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?)")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_BY_EXPONENT = {exponent: suffix for suffix, exponent in _DECIMAL.items()}


@lru_cache(maxsize=8192)
def parse(text: str) -> tuple[Decimal, str]:
    """(value, form): form is `decimal`, `binary` or `exponent`. Errors: ValueError naming the text."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f"quantity {text!r} is not a number with one of n u m k M G T P E Ki Mi Gi Ti Pi Ei")
    sign, digits, suffix = match.groups()
    number = Decimal(sign + digits)
    if suffix in _BINARY:
        return number * (1024 ** _BINARY[suffix]), "binary"
    if suffix[:1] in ("e", "E") and len(suffix) > 1:
        return number * Decimal(10) ** int(suffix[1:]), "exponent"
    return number * Decimal(10) ** _DECIMAL[suffix], "decimal"


@lru_cache(maxsize=8192)
def canonical(text: str) -> str:
    """The text that the API stores.

    >>> [canonical(text) for text in ("0.5", "1024Mi", "1.5Gi", "100", "1e3", "2000m", "1000k")]
    ['500m', '1Gi', '1536Mi', '100', '1e3', '2', '1M']
    """
    value, form = parse(text)
    if form == "binary":
        if abs(value) < 1024 or value != int(value):
            form = "decimal"
        else:
            return _binary(int(value))
    nano = int((value * 10**9).to_integral_value(ROUND_CEILING))
    if nano == 0:
        return "0"
    exponent = -9
    while nano % 10 == 0:
        nano //= 10
        exponent += 1
    while exponent % 3:
        nano, exponent = nano * 10, exponent - 1
    while exponent > 18:
        nano, exponent = nano * 1000, exponent - 3
    if form == "exponent":
        return f"{nano}e{exponent}" if exponent else str(nano)
    return f"{nano}{_BY_EXPONENT[exponent]}"


def _binary(value: int) -> str:
    if value == 0:
        return "0"
    power = 0
    while value % 1024 == 0 and power < 6:
        value //= 1024
        power += 1
    suffix = next((name for name, p in _BINARY.items() if p == power), "")
    return f"{value}{suffix}"


@lru_cache(maxsize=8192)
def value(text: str) -> int:
    """Whole units, rounded up: bytes of memory, number of pods.

    >>> value("64Mi"), value("1500m")
    (67108864, 2)
    """
    return int(parse(text)[0].to_integral_value(ROUND_CEILING))


@lru_cache(maxsize=8192)
def milli(text: str) -> int:
    """Thousandths, rounded up: CPU in millicores.

    >>> milli("250m"), milli("2")
    (250, 2000)
    """
    return int((parse(text)[0] * 1000).to_integral_value(ROUND_CEILING))
