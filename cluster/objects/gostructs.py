"""The ten characters after a Deployment's name: `web-699d5d97ff`.

Controllers name a pod template after a hash of what Go prints of its structs: every field, also the empty ones, with
the names of their types and the difference between a pointer and a value. So the names, types and order of the fields
decide, and how a quantity happens to be kept in memory. The table of types is in data/template.json.gz
(tools/template_hash reads it out of the API's Go modules by reflection); this file prints as Go would.

    {"name": "app", "stdin": true}   →   (v1.Container){Name:(string)app Image:(string) … Stdin:(bool)true …}

Mirrors:  kubernetes/pkg/controller/controller_utils.go (ComputeHash); davecgh/go-spew, as apimachinery's dump.ForHash
Left out: timestamps inside a template: they print as if not set.
Read next: workloads.py, who asks.
"""

import gzip
import re
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from cluster.objects import Manifest, quantity

TEMPLATE = "v1.PodTemplateSpec"
NIL = "<nil>"
_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193
_FNV128_OFFSET, _FNV128_PRIME = 0x6C62272E07BB014262B821756295C58D, (1 << 88) + 0x13B
_SAFE = "bcdfghjklmnpqrstvwxz2456789"
_DATA = Path(__file__).parent / "data" / "template.json.gz"
_ZERO = {"string": "", "bool": "false", "int32": "0", "int64": "0"}
_TIME = "{Time:(time.Time){wall:(uint64)0 ext:(int64)0 loc:(*time.Location)<nil>}}"
_QUANTITY = re.compile(r"([+-]?)([0-9]*)\.?([0-9]*)([eE][+-]?[0-9]+|Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?)")
_FORMATS = {"decimal": "DecimalSI", "binary": "BinarySI", "exponent": "DecimalExponent"}
_POWER = {"": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DIGITS = 18  # As many digits as surely fit into 64 bits.


def fnv32a(data: bytes) -> int:
    """The 32-bit FNV-1a hash, for templates."""
    found = _FNV_OFFSET
    for byte in data:
        found = (found ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return found


def fnv32(data: bytes) -> int:
    """The 32-bit FNV-1 hash, the older one, for revisions."""
    found = _FNV_OFFSET
    for byte in data:
        found = found * _FNV_PRIME & 0xFFFFFFFF ^ byte
    return found


def fnv128a(data: bytes) -> int:
    """The 128-bit FNV-1a hash, for static pods."""
    found = _FNV128_OFFSET
    for byte in data:
        found = (found ^ byte) * _FNV128_PRIME & (1 << 128) - 1
    return found


def encoded(number: int) -> str:
    """A hash in letters and digits that spell no words: `7b9f68cd94`."""
    return "".join(_SAFE[ord(digit) % len(_SAFE)] for digit in str(number))


def hash_of_template(template: Manifest, collisions: int | None = None) -> str:
    """What a controller calls `template`. `collisions`: the owner's status.collisionCount; None: it has none."""
    text = printed(template).encode()
    salt = b"" if collisions is None else collisions.to_bytes(8, "little")
    return encoded(fnv32a(text + salt))


def printed(template: Manifest) -> str:
    """A pod template as Go prints it."""
    return f"({TEMPLATE}){_value(template, TEMPLATE)}"


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(gzip.decompress(_DATA.read_bytes()))
    return found


def _field(value: Any, kind: str) -> str:
    """A value behind its type: `(*int64)30`, `([]string)<nil>`."""
    shown = kind.replace("meta.", "v1.")
    if kind.startswith("*"):
        return f"({shown}){NIL if value is None else _value(value, kind[1:])}"
    return f"({shown}){_value(value, kind)}"


def _value(value: Any, kind: str) -> str:
    """A value without its type, as it stands in lists, in maps and behind pointers."""
    table = _table()
    kind = table["named"].get(kind, kind)
    if kind in table["structs"]:
        return _struct(value or {}, table["structs"][kind])
    if kind.startswith("[]"):
        return "[" + " ".join(_value(item, kind[2:]) for item in value) + "]" if value else NIL
    if kind.startswith("map["):
        return _map(value, kind[kind.index("]") + 1 :]) if value else NIL
    if kind in _SPECIAL:
        return str(_SPECIAL[kind](value))
    if value is None:
        return _ZERO.get(kind, NIL)
    return str(value).lower() if kind == "bool" else str(value)


def _struct(value: Manifest, fields: list[list[str]]) -> str:
    """`fields`: (Go name, JSON name; empty: its fields stand among ours, Go type)."""
    shown = (f"{name}:{_field(value.get(key) if key else value, kind)}" for name, key, kind in fields)
    return "{" + " ".join(shown) + "}"


def _map(value: Manifest, kind: str) -> str:
    return "map[" + " ".join(f"{key}:{_value(value[key], kind)}" for key in sorted(value)) + "]"


def _int_or_string(value: Any) -> str:
    number, text = (0, value) if isinstance(value, str) else (value or 0, "")
    return f"{{Type:(intstr.Type){int(isinstance(value, str))} IntVal:(int32){number} StrVal:(string){text}}}"


def _quantity(text: Any) -> str:
    """An amount as it is kept in memory: 64 bits and a power of ten if they suffice, else a big decimal."""
    small, dec, remembered, form = 0, NIL, "", "DecimalSI"
    scale = 0
    if text == "0":
        remembered = "0"
    elif text is not None:
        nano, kind = quantity.parse(str(text))
        form, fast = _FORMATS[kind], _fast(str(text), kind)
        if fast is not None:
            small, scale, remembered = fast
        else:
            dec = _big(nano)
    return (
        f"{{i:(resource.int64Amount){{value:(int64){small} scale:(resource.Scale){scale}}} "
        f"d:(resource.infDecAmount){{Dec:(*inf.Dec){dec}}} s:(string){remembered} Format:(resource.Format){form}}}"
    )


def _fast(text: str, kind: str) -> tuple[int, int, str] | None:
    """(value, power of ten, the text if it is kept) of an amount that fits into 64 bits; None: it is kept as decimal.

    Whether the text is kept is a matter of what looks canonical at first sight: 128Mi, a multiple of eight, does not.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    sign, whole, fraction, suffix = match.groups()
    whole = whole.lstrip("0") or "0"
    digits, exponent = whole + fraction, _BINARY.get(suffix, 0)
    if kind == "binary":
        if fraction or 15 - len(whole) - exponent * 3 // 10 - 1 < 0:
            return None
        value, scale = int(digits) << exponent, 0
        kept = bool(int(digits) & 7)
    else:
        power = _POWER[suffix] if suffix in _POWER else int(suffix[1:])
        scale = power - len(fraction)
        if len(digits) > _DIGITS or scale < -9:
            return None
        value = int(digits)
        kept = scale % 3 == 0 and not digits.endswith("000") and digits[0] != "0"
    return -value if sign == "-" else value, scale, text if kept else ""


def _big(nano: int) -> str:
    """Go's big decimal: a sign, words of 64 bits, the lowest first, and how many digits stand after the point."""
    words, rest = [], abs(nano)
    while rest:
        words.append(str(rest & (1 << 64) - 1))
        rest >>= 64
    sign = str(nano < 0).lower()
    return f"{{unscaled:(big.Int){{neg:(bool){sign} abs:(big.nat)[{' '.join(words)}]}} scale:(inf.Scale)9}}"


_SPECIAL = {
    "meta.Time": lambda _: _TIME,
    "resource.Quantity": _quantity,
    "intstr.IntOrString": _int_or_string,
}
