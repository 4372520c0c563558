"""What CEL computes with: JSON values as they are, and the few types that JSON does not have.

int, float, str, bytes, bool, None, list and dict are Python's; lists and maps are never changed. Equality is CEL's:
1 == 1.0, but true is no number.

Mirrors:  github.com/google/cel-go/common/types
"""

from dataclasses import dataclass
from typing import Any

INT_MIN, INT_MAX, UINT_MAX = -(1 << 63), (1 << 63) - 1, (1 << 64) - 1


class EvalError(Exception):
    """Evaluation failed: `no such key: x`, `division by zero`, `index out of bounds: 3`."""


class Exhausted(Exception):
    """The budget is spent."""


class Budget:
    """Steps that an evaluation may take. One step is about one operation, or ten characters or elements looked at."""

    __slots__ = ("left", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = self.left = limit

    def spend(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left < 0:
            raise Exhausted


@dataclass(frozen=True, slots=True)
class Uint:
    value: int


@dataclass(frozen=True, slots=True)
class Duration:
    """`ns`: nanoseconds."""

    ns: int


@dataclass(frozen=True, slots=True)
class Timestamp:
    """`ns`: nanoseconds since 1970."""

    ns: int


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value of a Kubernetes library: quantity, url, ip, cidr, semver. `content`: comparable plain data."""

    type: str
    content: Any


@dataclass(frozen=True, slots=True)
class Optional:
    value: Any = None
    present: bool = False


@dataclass(frozen=True, slots=True)
class TypeValue:
    name: str


class SetList(list):  # type: ignore[type-arg]
    """A list of list type set: order does not matter, and + joins."""


class MapList(list):  # type: ignore[type-arg]
    """A list of list type map: elements are told by their keys; + replaces and joins. `keys`: their names."""

    keys: tuple[str, ...] = ()


NONE = Optional()


def type_of(value: Any) -> str:
    """The CEL name of a value's type."""
    if isinstance(value, Opaque):
        return _OPAQUE.get(value.type, value.type)
    if isinstance(value, list):
        return "list"
    return _NAMES.get(type(value), "dyn")


_NAMES = {
    bool: "bool", int: "int", float: "double", str: "string", bytes: "bytes", type(None): "null_type", dict: "map",
    Uint: "uint", Duration: "google.protobuf.Duration", Timestamp: "google.protobuf.Timestamp",
    Optional: "optional_type", TypeValue: "type",
}  # fmt: skip
_OPAQUE = {
    "quantity": "kubernetes.Quantity", "url": "kubernetes.URL", "ip": "net.IP", "cidr": "net.CIDR",
    "semver": "kubernetes.Semver", "format": "kubernetes.NamedFormat",
}  # fmt: skip


def is_number(value: Any) -> bool:
    return (isinstance(value, (int, float)) and not isinstance(value, bool)) or isinstance(value, Uint)


def number(value: Any) -> Any:
    return value.value if isinstance(value, Uint) else value


def equal(a: Any, b: Any, budget: Budget) -> bool:
    """CEL's ==, at a cost of its size."""
    budget.spend()
    if is_number(a) and is_number(b):
        return bool(number(a) == number(b))
    if isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return False
        if isinstance(a, SetList) or isinstance(b, SetList):
            return all(contains(b, item, budget) for item in a)
        if isinstance(a, MapList):
            return all(contains(b, item, budget) for item in a)
        return all(equal(x, y, budget) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and all(key in b and equal(value, b[key], budget) for key, value in a.items())
    if type(a) is not type(b):
        return False
    if isinstance(a, Optional):
        return a.present == b.present and (not a.present or equal(a.value, b.value, budget))
    if isinstance(a, str):
        budget.spend(len(a) // 10)
    return bool(a == b)


def contains(items: list[Any], value: Any, budget: Budget) -> bool:
    return any(equal(item, value, budget) for item in items)


def key_of(value: Any) -> Any:
    """A value as the key of a map. Errors: EvalError."""
    if isinstance(value, Uint):
        return value.value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, (str, bool, int)):
        return value
    raise EvalError(f"unsupported key type: {type_of(value)}")


def in_range(value: int) -> int:
    """Errors: EvalError, if it is no int64."""
    if not INT_MIN <= value <= INT_MAX:
        raise EvalError("integer overflow")
    return value
