"""Values of Python scripts that have a life of their own: classes and objects, exceptions of the script, sets, what is
gone through one by one.

A set keeps its elements in the order in which they came, unless all are whole numbers: those stand as CPython has them.
The order of texts is a matter of chance in the real thing, and nothing here may be.

Read next: python_code.py.
"""

import ast
from collections.abc import Iterable, Iterator
from typing import Any

MAX_BASES = 20


class Function:
    """Of the script. `bound`: the object whose method it is; `owner`: its class; `style`: a decorator of Python's."""

    def __init__(self, node: ast.FunctionDef | ast.Lambda, scope: Any, defaults: list[Any], bound: Any = None) -> None:
        self.node, self.scope, self.defaults, self.bound = node, scope, defaults, bound
        self.name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
        self.owner: Class | None = None
        self.keywords: dict[str, Any] = {}  # Defaults of what may only be given by name.
        self.style = ""

    def of(self, owner: Any) -> "Function":
        """The same, as a method of an object."""
        made = Function(self.node, self.scope, self.defaults, owner)
        made.owner, made.keywords = self.owner, self.keywords
        return made

    def __repr__(self) -> str:
        if self.bound is not None:
            name = f"{self.owner.name}." if self.owner is not None else ""
            return f"<bound method {name}{self.name} of {self.bound!r}>"
        return f"<function {self.name} at 0x7f0000000000>"


class Class:
    """Of the script: its methods and values. `bases`: what it is derived from, classes and Python's own exceptions."""

    def __init__(self, name: str, content: dict[str, Any], bases: list[Any]) -> None:
        self.name, self.content, self.bases = name, content, bases
        if len(bases) > MAX_BASES or sum(len(base.order) for base in bases if isinstance(base, Class)) > MAX_BASES:
            raise TypeError(f"orrery: more than {MAX_BASES} classes above one another")
        self.order: list[Any] = [self, *_merged([_order_of(base) for base in bases] + [list(bases)])]

    def find(self, name: str, after: "Class | None" = None) -> Any:
        """What a name means, here or in a class above. Errors: LookupError."""
        order = self.order if after is None else self.order[self.order.index(after) + 1 :]
        for one in order:
            if isinstance(one, Class) and name in one.content:
                return one.content[name]
        raise LookupError(name)

    @property
    def thrown(self) -> type[Exception] | None:
        """Python's own exception that it is derived from."""
        return next((one for one in self.order if not isinstance(one, Class)), None)

    def is_a(self, other: Any) -> bool:
        if isinstance(other, Class):
            return other in self.order
        return isinstance(other, type) and self.thrown is not None and issubclass(self.thrown, other)

    def __repr__(self) -> str:
        return f"<class '__main__.{self.name}'>"


def _order_of(base: Any) -> list[Any]:
    return list(base.order) if isinstance(base, Class) else [base]


def _merged(orders: list[list[Any]]) -> list[Any]:
    """The classes above a class, nearest first: nobody before those that are derived from it. Errors: TypeError."""
    found: list[Any] = []
    while orders := [order for order in orders if order]:
        head = next((o[0] for o in orders if not any(o[0] in other[1:] for other in orders)), None)
        if head is None:
            raise TypeError("Cannot create a consistent method resolution order (MRO) for bases")
        found.append(head)
        orders = [[one for one in order if one is not head] for order in orders]
    return found


OBJECT = Class("object", {}, [])


class Object:
    """Of a class of the script."""

    def __init__(self, kind: Class) -> None:
        self.kind, self.values = kind, dict[str, Any]()

    def __repr__(self) -> str:
        if self.kind.thrown is not None:
            return f"{self.kind.name}({', '.join(map(repr, self.values.get('args', ())))})"
        return f"<__main__.{self.kind.name} object at 0x7f0000000000>"


class Super:
    """What `super()` gives: `of`'s methods as they are above `kind`."""

    def __init__(self, kind: Class, of: Any) -> None:
        self.kind, self.of = kind, of


class Thrown(Exception):
    """An exception of a class of the script, while it is under way."""

    def __init__(self, thrown: Object) -> None:
        super().__init__(*thrown.values.get("args", ()))
        self.object = thrown


class Lazy:
    """Gone through once: a generator, a generator expression, zip, map, iter …"""

    def __init__(self, kind: str, steps: Iterator[Any]) -> None:
        self.kind, self.steps = kind, steps

    def __repr__(self) -> str:
        return f"<{self.kind} object at 0x7f0000000000>"


class File:
    """An open file: its lines, or what is written to it until it is closed."""

    def __init__(self, name: str, mode: str, text: str) -> None:
        self.name, self.mode, self.closed, self.at, self.text = name, mode, False, 0, text

    def __repr__(self) -> str:
        return f"<_io.TextIOWrapper name={self.name!r} mode={self.mode!r} encoding='UTF-8'>"


class Set:
    """A set, frozen or not."""

    def __init__(self, items: Iterable[Any] = (), frozen: bool = False) -> None:
        self.content: dict[Any, None] = dict.fromkeys(items)
        self.frozen = frozen

    def __iter__(self) -> Iterator[Any]:
        return iter(set(self.content) if all(type(one) is int for one in self.content) else self.content)

    def __len__(self) -> int:
        return len(self.content)

    def __contains__(self, one: Any) -> bool:
        return one in self.content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Set) and self.content.keys() == other.content.keys()

    def __hash__(self) -> int:
        if not self.frozen:
            raise TypeError("unhashable type: 'set'")
        return hash(frozenset(self.content))

    def __le__(self, other: Any) -> bool:
        return _other(other, "<=").content.keys() >= self.content.keys()

    def __ge__(self, other: Any) -> bool:
        return _other(other, ">=").content.keys() <= self.content.keys()

    def __lt__(self, other: Any) -> bool:
        return self <= other and len(self) < len(other)

    def __gt__(self, other: Any) -> bool:
        return self >= other and len(self) > len(other)

    def __or__(self, other: Any) -> "Set":
        return Set([*self.content, *_other(other, "|").content], self.frozen)

    def __and__(self, other: Any) -> "Set":
        return Set([one for one in self.content if one in _other(other, "&").content], self.frozen)

    def __sub__(self, other: Any) -> "Set":
        return Set([one for one in self.content if one not in _other(other, "-").content], self.frozen)

    def __xor__(self, other: Any) -> "Set":
        return (self - other) | (_other(other, "^") - self)

    def __repr__(self) -> str:
        name, inside = "frozenset" if self.frozen else "set", ", ".join(map(repr, self))
        if not inside:
            return f"{name}()"
        return f"frozenset({{{inside}}})" if self.frozen else f"{{{inside}}}"

    # --- methods, by the names that scripts know ------------------------------------------------------------------

    def add(self, one: Any) -> None:
        self.content[one] = None

    def discard(self, one: Any) -> None:
        self.content.pop(one, None)

    def remove(self, one: Any) -> None:
        del self.content[one]

    def pop(self) -> Any:
        if not self.content:
            raise KeyError("pop from an empty set")
        one = next(iter(self))
        del self.content[one]
        return one

    def clear(self) -> None:
        self.content.clear()

    def copy(self) -> "Set":
        return Set(self.content, self.frozen)

    def update(self, *others: Iterable[Any]) -> None:
        for other in others:
            self.content.update(dict.fromkeys(other))

    def union(self, *others: Iterable[Any]) -> "Set":
        return Set([*self.content, *(one for other in others for one in other)], self.frozen)

    def intersection(self, *others: Iterable[Any]) -> "Set":
        found = self.copy()
        for other in others:
            found = found & Set(other)
        return found

    def difference(self, *others: Iterable[Any]) -> "Set":
        return self - Set(one for other in others for one in other)

    def symmetric_difference(self, other: Iterable[Any]) -> "Set":
        return self ^ Set(other)

    def issubset(self, other: Iterable[Any]) -> bool:
        return self <= Set(other)

    def issuperset(self, other: Iterable[Any]) -> bool:
        return self >= Set(other)

    def isdisjoint(self, other: Iterable[Any]) -> bool:
        return not self & Set(other)


FROZEN_METHODS = (
    "union", "intersection", "difference", "symmetric_difference", "issubset", "issuperset", "isdisjoint", "copy",
)  # fmt: skip
SET_METHODS = (*FROZEN_METHODS, "add", "discard", "remove", "pop", "clear", "update")


def _other(other: Any, sign: str) -> Set:
    if not isinstance(other, Set):
        raise TypeError(f"unsupported operand type(s) for {sign}: 'set' and '{type(other).__name__}'")
    return other
