"""Resource quantities: `250m` of CPU, `64Mi` of memory, exactly.

A quantity is a decimal number and a suffix: decimal (n u m k M G T P E), binary (Ki Mi Gi Ti Pi Ei) or an exponent. The
API stores the canonical text: `0.5` is `500m`, `1024Mi` is `1Gi`, `1e3` stays an exponent; a text in whole steps of
three digits is left alone (`1.250`). In lists of resources (requests, capacity, quotas) amounts are rounded up to
thousandths.

Source:   k8s.io/apimachinery/pkg/api/resource/quantity.go
Left out: what Go's arithmetic does beyond 18 digits.
"""

import re
from functools import lru_cache

MUST_MATCH = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
BAD_SUFFIX = "unable to parse quantity's suffix"
NANO = 10**9  # The smallest amount there is; anything smaller is rounded up to it.
_PATTERN = re.compile(r"([+-]?)([0-9]*)\.?([0-9]*)([eE][+-]?[0-9]+|Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?)")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_BY_EXPONENT = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BY_POWER = {power: suffix for suffix, power in _BINARY.items()} | {0: ""}
_LARGEST = ((1 << 63) - 1) * NANO
_DIGITS = _FAR = 60  # Digits, and powers of ten: more than anything needs, and cheap to calculate with.
_PLAUSIBLE = re.compile(r"[+-]?[0-9]*\.?[0-9]*[eEinumkKMGTP]*[-+]?[0-9]*")


@lru_cache(maxsize=8192)
def parse(text: str) -> tuple[int, str]:
    """(value in billionths, form): form is `decimal`, `binary` or `exponent`. Errors: ValueError naming the text."""
    whole, fraction, suffix = _parts(text)
    digits = (whole + fraction)[:_DIGITS] or "0"
    number, scale = int(digits), 9 - len(fraction) + max(len(whole + fraction) - _DIGITS, 0)
    if suffix in _BINARY:
        form, number = "binary", number * 1024 ** _BINARY[suffix]
    else:
        form = "decimal" if suffix in _DECIMAL else "exponent"
        scale += _exponent(suffix)
    scale = max(-_FAR, min(_FAR, scale))
    nano = number * 10**scale if scale >= 0 else -(-number // 10**-scale)
    nano = min(nano, _LARGEST) if form == "binary" else nano
    return -nano if text.startswith("-") else nano, form


def _parts(text: str) -> tuple[str, str, str]:
    """(whole digits without leading zeros, digits after the point, suffix). Errors: ValueError."""
    match = _PATTERN.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"quantity {text!r} is not a number with one of n u m k M G T P E Ki Mi Gi Ti Pi Ei")
    _, whole, fraction, suffix = match.groups()
    return whole.lstrip("0"), fraction, suffix


def _exponent(suffix: str) -> int:
    return _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:6])


@lru_cache(maxsize=8192)
def canonical(text: str) -> str:
    """The text that the API stores. Errors: ValueError.

    >>> [canonical(text) for text in ("0.5", "1024Mi", "1.5Gi", "100", "1e3", "2000m", "1000k", "0.5Ki", "1.250")]
    ['500m', '1Gi', '1536Mi', '100', '1e3', '2', '1M', '512', '1.250']
    """
    return text if _is_left_alone(text, finest=-9) else written(*parse(text))


@lru_cache(maxsize=8192)
def canonical_resource(text: str) -> str:
    """The text that a list of resources stores: never finer than thousandths. Errors: ValueError.

    >>> canonical_resource("1u"), canonical_resource("250m")
    ('1m', '250m')
    """
    if _is_left_alone(text, finest=-3):
        return text
    nano, form = parse(text)
    return written(-(-nano // 10**6) * 10**6, form)


def _is_left_alone(text: str, finest: int) -> bool:
    """Go's short cut: texts that look canonical to it stay as they are."""
    whole, fraction, suffix = _parts(text)
    digits = (whole or "0") + fraction
    if suffix in _BINARY:
        room = 14 - len(digits) - 3 * _BINARY[suffix]
        return not fraction and room >= 0 and int(digits) % 8 != 0
    scale = _exponent(suffix) - len(fraction)
    fits = len(digits) <= 18 and scale >= finest
    return fits and scale % 3 == 0 and digits[0] != "0" and not digits.endswith("000")


def refusal(text: str) -> str:
    """What the real server says of a text that is no quantity."""
    return BAD_SUFFIX if text and _PLAUSIBLE.fullmatch(text) else MUST_MATCH


def written(nano: int, form: str) -> str:
    """A value in its shortest form without a fraction."""
    if form == "binary" and abs(nano) >= 1024 * NANO and nano % NANO == 0:
        return _binary(nano // NANO)
    if nano == 0:
        return "0"
    number, exponent = nano, -9
    while number % 1000 == 0 and exponent < 18:
        number, exponent = number // 1000, exponent + 3
    if form == "exponent":
        return f"{number}e{exponent}" if exponent else str(number)
    return f"{number}{_BY_EXPONENT[exponent]}"


def _binary(value: int) -> str:
    power = 0
    while value % 1024 == 0 and power < 6:
        value, power = value // 1024, power + 1
    return f"{value}{_BY_POWER[power]}"


@lru_cache(maxsize=8192)
def value(text: str) -> int:
    """Whole units, rounded up: bytes of memory, number of pods. Errors: ValueError.

    >>> value("64Mi"), value("1500m")
    (67108864, 2)
    """
    return -(-parse(text)[0] // NANO)


@lru_cache(maxsize=8192)
def milli(text: str) -> int:
    """Thousandths, rounded up: CPU in millicores. Errors: ValueError.

    >>> milli("250m"), milli("2")
    (250, 2000)
    """
    return -(-parse(text)[0] // 10**6)
