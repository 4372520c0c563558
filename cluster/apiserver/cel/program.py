"""From a tree to a program: types are checked and closures are made in one walk.

A closure is `run(variables, budget) -> value`. Types are strings (`int`, `dyn` …), ("list", T), ("map", K, V),
("optional", T), or a `Shape`: an object of which the fields are known. Where the type is known before, a wrong field
or operator is refused when the rule is written; where it is `dyn`, when it is evaluated.

Mirrors:  github.com/google/cel-go/checker, interpreter
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from cluster.apiserver.cel import functions, kubernetes, texts
from cluster.apiserver.cel.functions import GLOBAL, MEMBER, Overload
from cluster.apiserver.cel.syntax import CompileError, Expr, parse
from cluster.apiserver.cel.values import (
    NONE,
    Budget,
    EvalError,
    Opaque,
    Optional,
    TypeValue,
    Uint,
    key_of,
    type_of,
)

Variables = dict[str, Any]
Run = Callable[[Variables, Budget], Any]
Type = Any


class Shape(Protocol):
    """The type of an object whose fields are known."""

    def field(self, name: str) -> Type | None:
        """The type of a field; None: there is no such field."""

    def __str__(self) -> str: ...


LIBRARIES = (functions, texts, kubernetes)  # Each has put its functions into the tables.
TYPES = ("int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type", "dyn")
_SIMPLE = {*TYPES, "duration", "timestamp", "quantity", "url", "ip", "cidr", "semver", "format"}


class Program:
    """An expression that can be evaluated. `type`: of its value; `uses`: names of the variables that it looks at."""

    def __init__(self, text: str, run: Run, type_: Type, uses: frozenset[str]) -> None:
        self.text, self._run, self.type, self.uses = text, run, type_, uses

    def evaluate(self, variables: Variables, budget: Budget) -> Any:
        """Errors: EvalError; Exhausted when the budget is spent."""
        try:
            return self._run(variables, budget)
        except RecursionError:
            raise EvalError("the value is nested too deep") from None
        except (OverflowError, MemoryError) as error:
            raise EvalError(str(error)) from None


Messages = Mapping[str, tuple[str, ...] | None]


def compile(
    text: str, variables: Mapping[str, Type], wanted: tuple[Type, ...] = (), messages: Messages | None = None
) -> Program:
    """`variables`: names to types; `wanted`: what the value may be, anything if empty. Errors: CompileError.

    `messages`: types of which objects may be made, with their fields; None: any.
    """
    compiler = _Compiler(text, variables, messages or {})
    tree = parse(text)
    type_, run = compiler.compile(tree, dict(variables))
    if wanted and not any(_fits(type_, each, {}) for each in wanted):
        raise CompileError(text, tree.at, f"must evaluate to {' or '.join(map(name_of, wanted))}")
    return Program(text, run, type_, frozenset(compiler.used))


def name_of(type_: Type) -> str:
    """A type as cel-go writes it."""
    if isinstance(type_, tuple):
        named = {"optional": "optional_type"}.get(type_[0], type_[0])
        return f"{named}({', '.join(map(name_of, type_[1:]))})"
    if isinstance(type_, str):
        known = {"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration", "null_type": "null"}
        known |= {"quantity": "kubernetes.Quantity", "url": "kubernetes.URL", "ip": "net.IP", "cidr": "net.CIDR"}
        return known.get(type_, type_)
    return str(type_)


def _fits(given: Type, wanted: Type, bound: dict[str, Type]) -> bool:
    """Can a value of type `given` be where `wanted` is asked for? Binds type parameters."""
    if isinstance(wanted, str) and len(wanted) == 1:
        known = bound.get(wanted)
        if known is None or known == "dyn":
            bound[wanted] = given
            return True
        return given == "dyn" or _same(given, known)
    return given == "dyn" or wanted == "dyn" or _same(given, wanted, bound)


def _same(given: Type, wanted: Type, bound: dict[str, Type] | None = None) -> bool:
    bound = {} if bound is None else bound
    if given == "null_type" or wanted == "null_type":  # null is compared with whatever may be null.
        other = wanted if given == "null_type" else given
        return other not in ("int", "uint", "double", "bool", "string", "bytes") or given == wanted
    if isinstance(given, tuple) and isinstance(wanted, tuple):
        return given[0] == wanted[0] and all(_fits(g, w, bound) for g, w in zip(given[1:], wanted[1:], strict=True))
    if isinstance(given, tuple) or isinstance(wanted, tuple):
        shape, other = (wanted, given) if isinstance(given, tuple) else (given, wanted)
        return not isinstance(shape, str) and other[0] == "map"  # An object of unknown fields.
    return bool(given == wanted) or not (isinstance(given, str) or isinstance(wanted, str))


def _resolved(type_: Type, bound: dict[str, Type]) -> Type:
    if isinstance(type_, str):
        return bound.get(type_, "dyn") if len(type_) == 1 else type_
    return (type_[0], *(_resolved(each, bound) for each in type_[1:])) if isinstance(type_, tuple) else type_


class _Compiler:
    def __init__(self, text: str, variables: Mapping[str, Type], messages: Messages) -> None:
        self.text, self.used, self.messages = text, set[str](), messages
        self.outer = set(variables)

    def fail(self, at: int, problem: str) -> CompileError:
        return CompileError(self.text, at, problem)

    def compile(self, expr: Expr, scope: dict[str, Type]) -> tuple[Type, Run]:
        return getattr(self, f"_{expr.what}")(expr, scope)  # type: ignore[no-any-return]

    def _literal(self, expr: Expr, scope: dict[str, Type]) -> tuple[Type, Run]:
        value = expr.value
        if isinstance(value, tuple):
            value = Uint(value[1])
        named = type_of(value)
        return named, lambda variables, budget: value

    def _name(self, expr: Expr, scope: dict[str, Type]) -> tuple[Type, Run]:
        name = expr.value
        if name not in scope:
            if name in TYPES:
                found = TypeValue(name)
                return "type", lambda variables, budget: found
            raise self.fail(expr.at, f"undeclared reference to '{name}' (in container '')")
        if name in self.outer:
            self.used.add(name)

        def run(variables: Variables, budget: Budget) -> Any:
            budget.spend()
            value = variables.get(name, variables)
            if value is variables:
                raise EvalError(f"no such attribute(s): {name}")
            return value() if callable(value) else value  # Some are made when somebody looks.

        return scope[name], run

    def _select(self, expr: Expr, scope: dict[str, Type]) -> tuple[Type, Run]:
        assert expr.target is not None
        qualified = self._qualified(expr, scope)
        if qualified is not None:
            return "type", lambda variables, budget: qualified
        type_, target = self.compile(expr.target, scope)
        field, optional = expr.value, expr.optional
        inner = type_[1] if isinstance(type_, tuple) and type_[0] == "optional" else type_
        made = self._field_type(inner, field, expr.at)
        if inner is not type_:
            optional = True

        def run(variables: Variables, budget: Budget) -> Any:
            budget.spend()
            value = target(variables, budget)
            if isinstance(value, Optional):
                if not value.present:
                    return NONE
                found = value.value
                if isinstance(found, dict) and field in found:
                    return Optional(found[field], True)
                return NONE
            if isinstance(value, Opaque):
                value = getattr(value.content, "fields", None)
            if not isinstance(value, dict):
                raise EvalError(f"no such key: {field}" if value is None else f"unsupported field selection: {field}")
            if field not in value:
                if optional:
                    return NONE
                raise EvalError(f"no such key: {field}")
            return Optional(value[field], True) if optional else value[field]

        return (("optional", made) if optional else made), run

    def _qualified(self, expr: Expr, scope: dict[str, Type]) -> TypeValue | None:
        """`google.protobuf.Duration` and the like."""
        parts, node = [], expr
        while node.what == "select" and node.target is not None:
            parts.append(str(node.value))
            node = node.target
        if node.what != "name" or node.value in scope:
            return None
        name = ".".join((str(node.value), *reversed(parts)))
        return TypeValue(name) if name in _TYPE_NAMES else None

    def _field_type(self, type_: Type, field: str, at: int) -> Type:
        if type_ == "dyn":
            return "dyn"
        if isinstance(type_, tuple) and type_[0] == "map":
            return type_[2]
        if not isinstance(type_, (str, tuple)):
            found = type_.field(field)
            if found is not None:
                return found
            raise self.fail(at, f"undefined field '{field}'")
        if isinstance(type_, str) and field in functions.FIELDS.get(type_, ()):
            return functions.FIELDS[type_][field]
        raise self.fail(at, f"type '{name_of(type_)}' does not support field selection")

    def _has(self, expr: Expr, scope: dict[str, Type]) -> tuple[Type, Run]:
        assert expr.target is not None
        type_, target = self.compile(expr.target, scope)
        field = expr.value
        inner = type_[1] if isinstance(type_, tuple) and type_[0] == "optional" else type_
        self._field_type(inner, field, expr.at)

        def run(variables: Variables, budget: Budget) -> bool:
            budget.spend()
            value = target(variables, budget)
            if isinstance(value, Optional):
                value = value.value
            if not isinstance(value, dict):
                raise EvalError(f"no such key: {field}")
            return field in value

        return "bool", run

    # --- calls --------------------------------------------------------------------------------------------------

    def _call(self, expr: Expr, scope: dict[str, Type]) -> tuple[Type, Run]:
        name, target, args = expr.value, expr.target, expr.args
        table: dict[str, list[Overload]] = GLOBAL
        if target is not None:
            parts = _path(target)
            namespaced = f"{parts}.{name}" if parts and parts.split(".")[0] not in scope else ""
            if namespaced in GLOBAL:
                name = namespaced
            else:
                table, args = MEMBER, [target, *args]
        overloads = table.get(name)
        if overloads is None:
            raise self.fail(expr.at, f"undeclared reference to '{name}' (in container '')")
        compiled = [self.compile(each, scope) for each in args]
        types = [type_ for type_, _ in compiled]
        chosen, result = [], None
        for each in overloads:
            bound: dict[str, Type] = {}
            if len(each.args) == len(types) and all(map(lambda g, w: _fits(g, w, bound), types, each.args)):
                chosen.append(each)
                made = _resolved(each.result, bound)
                result = made if result is None or result == made else "dyn"
        if not chosen:
            shown = ", ".join(map(name_of, types if table is GLOBAL else types[1:]))
            applied = f"'({shown})'" if table is GLOBAL else f"'{name_of(types[0])}.({shown})'"
            raise self.fail(expr.at, f"found no matching overload for '{name}' applied to {applied}")
        runs = [run for _, run in compiled]
        invoke = functions.call

        def run(variables: Variables, budget: Budget) -> Any:
            return invoke(chosen, budget, [each(variables, budget) for each in runs])

        return result, run

    def _and(self, expr: Expr, scope: dict[str, Type]) -> tuple[Type, Run]:
        return self._logic(expr, scope, False)

    def _or(self, expr: Expr, scope: dict[str, Type]) -> tuple[Type, Run]:
        return self._logic(expr, scope, True)

    def _logic(self, expr: Expr, scope: dict[str, Type], decides: bool) -> tuple[Type, Run]:
        """A term that decides makes up for an error in another one."""
        terms = []
        for each in expr.args:
            type_, run = self.compile(each, scope)
            if not _fits(type_, "bool", {}):
                operator = "_||_" if decides else "_&&_"
                told = f"found no matching overload for '{operator}' applied to '({name_of(type_)})'"
                raise self.fail(expr.at, told)
            terms.append(run)

        def logic(variables: Variables, budget: Budget) -> bool:
            failed: EvalError | None = None
            for term in terms:
                budget.spend()
                try:
                    value = term(variables, budget)
                    if not isinstance(value, bool):
                        raise EvalError("no such overload")
                    if value is decides:
                        return decides
                except EvalError as error:
                    failed = failed or error
            if failed is not None:
                raise failed
            return not decides

        return "bool", logic

    def _if(self, expr: Expr, scope: dict[str, Type]) -> tuple[Type, Run]:
        (kind, test), (first, yes), (second, no) = (self.compile(each, scope) for each in expr.args)
        if not _fits(kind, "bool", {}) or not (_fits(first, second, {}) or _fits(second, first, {})):
            shown = ", ".join(map(name_of, (kind, first, second)))
            raise self.fail(expr.at, f"found no matching overload for '_?_:_' applied to '({shown})'")

        def run(variables: Variables, budget: Budget) -> Any:
            budget.spend()
            chosen = test(variables, budget)
            if not isinstance(chosen, bool):
                raise EvalError("no such overload")
            return (yes if chosen else no)(variables, budget)

        return first if first == second else "dyn", run

    def _list(self, expr: Expr, scope: dict[str, Type]) -> tuple[Type, Run]:
        compiled = [self.compile(each, scope) for each in expr.args]
        runs = [run for _, run in compiled]

        def run(variables: Variables, budget: Budget) -> list[Any]:
            budget.spend(len(runs) + 1)
            return [each(variables, budget) for each in runs]

        return ("list", _common([type_ for type_, _ in compiled])), run

    def _map(self, expr: Expr, scope: dict[str, Type]) -> tuple[Type, Run]:
        compiled = [self.compile(each, scope) for each in expr.args]
        keys, values = compiled[::2], compiled[1::2]
        pairs = [(key, value) for (_, key), (_, value) in zip(keys, values, strict=True)]

        def run(variables: Variables, budget: Budget) -> dict[Any, Any]:
            budget.spend(len(pairs) + 1)
            return {key_of(key(variables, budget)): value(variables, budget) for key, value in pairs}

        return ("map", _common([t for t, _ in keys]), _common([t for t, _ in values])), run

    def _message(self, expr: Expr, scope: dict[str, Type]) -> tuple[Type, Run]:
        """An object of a type that the environment knows. Its fields become a map; a type may check their names."""
        assert expr.target is not None
        path = _path(expr.target)
        known = next((name for name in self.messages if path == name or path.startswith(f"{name}.")), None)
        if known is None or path.split(".")[0] in scope:
            raise self.fail(expr.at, f"undeclared reference to '{path}' (in container '')")
        allowed = self.messages[known]
        compiled = [self.compile(each, scope) for each in expr.args]
        for name in expr.names:
            if allowed is not None and name not in allowed:
                raise self.fail(expr.at, f"undefined field '{name}'")
        pairs = [(name, run) for name, (_, run) in zip(expr.names, compiled, strict=True)]

        def run(variables: Variables, budget: Budget) -> dict[str, Any]:
            budget.spend(len(pairs) + 1)
            return {name: each(variables, budget) for name, each in pairs}

        return "dyn", run

    # --- folds --------------------------------------------------------------------------------------------------

    def _bind(self, expr: Expr, scope: dict[str, Type]) -> tuple[Type, Run]:
        name = expr.names[0]
        bound, made = self.compile(expr.args[0], scope)
        type_, body = self._inside(expr.args[1], {**scope, name: bound}, expr.names)

        def run(variables: Variables, budget: Budget) -> Any:
            return body({**variables, name: made(variables, budget)}, budget)

        return type_, run

    def _inside(self, expr: Expr, scope: dict[str, Type], names: tuple[str, ...]) -> tuple[Type, Run]:
        """Compile where `names` hide variables of the same name."""
        hidden = self.outer & set(names)
        self.outer -= hidden
        try:
            return self.compile(expr, scope)
        finally:
            self.outer |= hidden

    def _fold(self, expr: Expr, scope: dict[str, Type]) -> tuple[Type, Run]:
        assert expr.target is not None
        over, source = self.compile(expr.target, scope)
        kind, names = expr.value, expr.names
        if kind in ("optMap", "optFlatMap"):
            return self._optional_fold(expr, scope, over, source)
        types = self._element_types(over, len(names), expr)
        bodies = [self._inside(e, {**scope, **dict(zip(names, types, strict=True))}, names) for e in expr.args]
        needs_bool = bodies[:1] if kind in ("all", "exists", "exists_one", "filter") else bodies[:-1]
        for type_, _ in needs_bool:
            if not _fits(type_, "bool", {}):
                raise self.fail(expr.args[0].at, f"expected type 'bool' but found '{name_of(type_)}'")
        runs = [run for _, run in bodies]
        last = bodies[-1][0]
        result: Type = {
            "filter": over if isinstance(over, tuple) and over[0] == "list" else ("list", types[0]),
            "map": ("list", last),
            "transformList": ("list", last),
            "transformMap": ("map", types[0], last),
            "sortBy": over,
        }.get(kind, "bool")
        fold = _FOLDS[kind]

        def run(variables: Variables, budget: Budget) -> Any:
            items = source(variables, budget)
            inner = dict(variables)
            if isinstance(items, dict):
                pairs = list(items.items()) if len(names) == 2 else [(key,) for key in items]
            elif isinstance(items, list):
                pairs = list(enumerate(items)) if len(names) == 2 else [(item,) for item in items]
            else:
                raise EvalError("no such overload")

            def turn(pair: tuple[Any, ...], body: Run) -> Any:
                budget.spend()
                for name, value in zip(names, pair, strict=True):
                    inner[name] = value
                return body(inner, budget)

            return fold(pairs, runs, turn)

        return result, run

    def _element_types(self, over: Type, count: int, expr: Expr) -> list[Type]:
        if over == "dyn":
            return ["dyn"] * count
        if isinstance(over, tuple) and over[0] == "list":
            return ["int", over[1]] if count == 2 else [over[1]]
        if isinstance(over, tuple) and over[0] == "map":
            return [over[1], over[2]][:count]
        if not isinstance(over, (str, tuple)):
            return ["string", "dyn"][:count]
        told = f"expression of type '{name_of(over)}' cannot be range of a comprehension"
        told += " (must be list, map, or dynamic)"
        raise self.fail(expr.target.at if expr.target else expr.at, told)

    def _optional_fold(self, expr: Expr, scope: dict[str, Type], over: Type, source: Run) -> tuple[Type, Run]:
        inner = over[1] if isinstance(over, tuple) and over[0] == "optional" else "dyn"
        type_, body = self._inside(expr.args[0], {**scope, expr.names[0]: inner}, expr.names)
        name, flat = expr.names[0], expr.value == "optFlatMap"

        def run(variables: Variables, budget: Budget) -> Any:
            value = source(variables, budget)
            if not isinstance(value, Optional):
                raise EvalError("no such overload")
            if not value.present:
                return NONE
            made = body({**variables, name: value.value}, budget)
            return made if flat else Optional(made, True)

        return (type_ if flat else ("optional", type_)), run


def _path(expr: Expr) -> str:
    """`ip` or `format.x` of names and fields; empty for anything else."""
    if expr.what == "name":
        return str(expr.value)
    if expr.what == "select" and expr.target is not None:
        before = _path(expr.target)
        return f"{before}.{expr.value}" if before else ""
    return ""


def _common(types: list[Type]) -> Type:
    if not types:
        return "dyn"
    return types[0] if all(each == types[0] for each in types) else "dyn"


_TYPE_NAMES = (
    "google.protobuf.Duration", "google.protobuf.Timestamp", "kubernetes.Quantity", "kubernetes.URL", "net.IP",
    "net.CIDR", "kubernetes.Semver",
)  # fmt: skip

Turn = Callable[[tuple[Any, ...], Run], Any]
Pairs = list[tuple[Any, ...]]


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise EvalError("no such overload")
    return value


def _quantified(decides: bool) -> Callable[[Pairs, list[Run], Turn], bool]:
    def fold(pairs: Pairs, runs: list[Run], turn: Turn) -> bool:
        failed: EvalError | None = None
        for pair in pairs:
            try:
                if _truth(turn(pair, runs[0])) is decides:
                    return decides
            except EvalError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return not decides

    return fold


def _exactly_one(pairs: Pairs, runs: list[Run], turn: Turn) -> bool:
    return sum(_truth(turn(pair, runs[0])) for pair in pairs) == 1


def _filtered(pairs: Pairs, runs: list[Run], turn: Turn) -> list[Any]:
    return [pair[0] for pair in pairs if _truth(turn(pair, runs[0]))]


def _mapped(pairs: Pairs, runs: list[Run], turn: Turn) -> list[Any]:
    """With two bodies the first one filters."""
    return [turn(pair, runs[-1]) for pair in pairs if len(runs) == 1 or _truth(turn(pair, runs[0]))]


def _map_made(pairs: Pairs, runs: list[Run], turn: Turn) -> dict[Any, Any]:
    return {pair[0]: turn(pair, runs[-1]) for pair in pairs if len(runs) == 1 or _truth(turn(pair, runs[0]))}


def _sorted_by(pairs: Pairs, runs: list[Run], turn: Turn) -> list[Any]:
    keys = [turn(pair, runs[0]) for pair in pairs]
    ordered = texts.sort_keys(keys)
    return [pairs[n][0] for n in sorted(range(len(pairs)), key=ordered.__getitem__)]


_FOLDS: dict[str, Callable[[Pairs, list[Run], Turn], Any]] = {
    "all": _quantified(False),
    "exists": _quantified(True),
    "exists_one": _exactly_one,
    "filter": _filtered,
    "map": _mapped,
    "transformList": _mapped,
    "transformMap": _map_made,
    "sortBy": _sorted_by,
}
