"""Python in simulated time: the part of the language that scripts of lessons are written in.

Python's own parser makes the tree, and this module walks it, statement by statement; nothing is ever evaluated by the
host. Values are plain: None, bool, int, float, str, bytes, list, tuple, dict and set, functions and objects of the
script's own classes. A value's methods are those in METHODS, modules are those in MODULES; everything else is the
real error of Python, or a NotImplementedError that says what is not modelled.

    time.sleep(5)         passes time                          print(…)      a line, when the buffer is written
    while True: …         that leaves all as it found it (counters may grow evenly, as long as nothing is decided by
                          them) is not run turn by turn: the time asked for is reached by one jump

What is printed to something that is no terminal is kept until 8 KiB have come together, as the real one does it:
`python -u`, PYTHONUNBUFFERED, flush=True and the end write it at once.

Mirrors:  CPython 3.13
Left out: generators, decorators, with but for files, match, async, inheritance, sets, imports of files, input(),
          threads, sockets; whatever is not in METHODS and MODULES.
Limits:   100,000 steps, 20,000 lines, texts and numbers of 64 Ki characters, 10,000 elements of a list, 40 calls within
          one another; scripts of 64 KiB and 60 levels. An operation looks at 100,000 elements at most, those of its
          elements counted, and 64 of them are a step. A script that needs more steps is silent from then on.
"""

import ast
import operator
import re
import sys
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any

from cluster.runtime import noise
from cluster.runtime.programs.program import MILLISECOND, SECOND, Line, Process
from cluster.runtime.programs.python_library import Builtins, method_of, modules
from cluster.runtime.programs.python_values import (
    ERRORS,
    FIELDS,
    MAX_CALLS,
    MAX_LEVELS,
    MAX_LINES,
    MAX_SOURCE,
    MAX_STEPS,
    MAX_WEIGHT,
    METHODS,
    PLAIN,
    WEIGHT_OF_A_STEP,
    Builtin,
    Class,
    Function,
    Module,
    Object,
    Scope,
    Stream,
    Type,
    bound,
    items_of,
    kind_of,
    reckoned,
    sized,
    weight,
)
from cluster.runtime.programs.shell import Exits, Horizon, RunsForever

BUFFER = 8192
NOWHERE = "/dev/null/script"  # Python's parser opens the file of this name for the line of an error; it can't exist.
warnings.filterwarnings("ignore", category=SyntaxWarning, module=NOWHERE)
START_UP = 30 * MILLISECOND
TURNS = 3  # Of a loop that are looked at before it is jumped over.
MAX_SHOWN = 2_000  # Characters, and elements, of a value that is compared with its last turn's.
TOO_MUCH = f"orrery: an operation on more than {MAX_WEIGHT} elements is not modelled"

TESTS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not, ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Return(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class Raised(Exception):
    """An exception of the script. `line`: where it was raised."""

    def __init__(self, error: Exception, line: int) -> None:
        self.error, self.line = error, line


@lru_cache(maxsize=512)
def parse(source: str) -> ast.Module:
    """Errors: SyntaxError."""
    if len(source) > MAX_SOURCE:
        raise SyntaxError(f"orrery: scripts of more than {MAX_SOURCE} characters are not run")
    try:
        tree = ast.parse(source, NOWHERE)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error) or "too deeply nested") from None
    levels = 0
    level: list[ast.AST] = [tree]
    while level := [child for node in level for child in ast.iter_child_nodes(node)]:
        levels += 1
        if levels > MAX_LEVELS:
            raise SyntaxError(f"orrery: more than {MAX_LEVELS} levels within one another")
    return tree


class Script:
    """One run. `seek`: lines before it are not wanted; `until`: the time that is asked for, None: to the end."""

    def __init__(
        self, source: str, name: str, process: Process, argv: list[str], seek: int = 0, until: int | None = None,
        read: Callable[[str], str] | None = None, unbuffered: bool = False,
    ) -> None:  # fmt: skip
        self.source, self.name, self.process, self.argv = source, name, process, argv
        self.seek, self.until, self.read = seek, until, read
        self.now = process.started + START_UP
        self.lines: list[Line] = []
        self.unbuffered = unbuffered or bool(process.env.get("PYTHONUNBUFFERED"))
        self.buffer, self.partial = list[str](), {"stdout": "", "stderr": ""}
        self.steps = self.calls = self.drawn = 0
        self.volatile = False
        self.globals = Scope(Scope())
        self.globals["__name__"] = "__main__"
        self.modules = modules(self)
        assert self.globals.outer is not None
        self.globals.outer.update(Builtins(self).table())

    def run(self) -> int:
        """Its exit code; `lines` has what it printed since `seek`. Errors: Horizon, RunsForever."""
        try:
            tree = parse(self.source)
        except SyntaxError as error:
            return self._syntax_error(error)
        self.decided, self.decides = _decided(tree)
        try:
            for node in tree.body:
                self.do(node, self.globals)
        except Exits as end:
            self.flush()
            return end.code
        except Raised as raised:
            self.flush()
            return self._uncaught(raised)
        except (_Break, _Continue, _Return):
            return self._syntax_error(SyntaxError("'break' outside loop"))
        self.flush()
        return 0

    def _syntax_error(self, error: SyntaxError) -> int:
        self.say(f'  File "{self.name}", line {error.lineno or 1}', "stderr")
        text = self.source.split("\n")[(error.lineno or 1) - 1 :][:1]
        if text and text[0].strip():
            self.say(f"    {text[0].strip()}", "stderr")
        self.say(f"{type(error).__name__}: {error.msg}", "stderr")
        return 1

    def _uncaught(self, raised: Raised) -> int:
        self.say("Traceback (most recent call last):", "stderr")
        self.say(f'  File "{self.name}", line {raised.line}, in <module>', "stderr")
        text = self.source.split("\n")[raised.line - 1 : raised.line] if self.name != "<string>" else []
        if text:
            self.say(f"    {text[0].strip()}", "stderr")
        said = described(raised.error)
        self.say(type(raised.error).__name__ + (f": {said}" if said else ""), "stderr")
        return 1

    # --- output and time ------------------------------------------------------------------------------------

    def say(self, text: str, stream: str) -> None:
        if self.now >= self.seek:
            self.lines.append(Line(self.now, stream, text))
            if len(self.lines) > MAX_LINES:
                raise RunsForever

    def write(self, text: str, stream: str, flush: bool = False) -> None:
        """Whole lines go on; the rest waits for its end."""
        whole = self.partial[stream] + text
        *lines, self.partial[stream] = whole.split("\n")
        if stream == "stderr" or self.unbuffered:
            for line in lines:
                self.say(line, stream)
            return
        self.buffer += lines
        if flush or sum(map(len, self.buffer)) + len(self.buffer) > BUFFER:
            self.flush(end=False)

    def flush(self, end: bool = True) -> None:
        for line in self.buffer:
            self.say(line, "stdout")
        self.buffer.clear()
        if end:
            for stream in ("stdout", "stderr"):
                rest, self.partial[stream] = self.partial[stream], ""
                if rest:
                    self.say(rest, stream)

    def sleep(self, seconds: Any) -> None:
        if not isinstance(seconds, int | float):
            raise TypeError(f"'{type(seconds).__name__}' object cannot be interpreted as an integer")
        if seconds < 0 or seconds != seconds:
            raise ValueError("sleep length must be non-negative")
        self.now += min(int(seconds * SECOND) + 60, 1 << 60)
        self.drawn = 0
        if self.until is not None and self.now >= self.until:
            raise Horizon
        if self.now > 1 << 59:
            raise RunsForever

    def leave(self, code: Any = 0) -> None:
        """sys.exit()"""
        if isinstance(code, str):
            self.write(code + "\n", "stderr")
            code = 1
        raise Exits(int(code or 0) & 255)

    def random(self) -> int:
        """64 bits that belong to this moment."""
        self.volatile = True
        self.drawn += 1
        return noise.mix(self.process.seed, self.now, self.drawn)

    def step(self, count: int = 1) -> None:
        self.steps += count
        if self.steps > MAX_STEPS:
            raise RunsForever

    def weigh(self, *values: Any) -> None:
        """They are going to be looked through: that takes steps. Errors: RuntimeError if it is too much."""
        found = weight(values)
        self.step(min(found, MAX_WEIGHT) // WEIGHT_OF_A_STEP)
        if found > MAX_WEIGHT:
            raise RuntimeError(TOO_MUCH)

    def _key(self, node: ast.expr, scope: Scope) -> Any:
        """What stands in brackets."""
        key = self.value(node, scope)
        if isinstance(key, tuple):
            self.weigh(key)
        return key

    # --- statements -----------------------------------------------------------------------------------------

    def do(self, node: ast.stmt, scope: Scope) -> None:
        self.step()
        try:
            getattr(self, f"_do_{type(node).__name__}", self._unknown)(node, scope)
        except (Raised, Exits, Horizon, RunsForever, _Break, _Continue, _Return):
            raise
        except Exception as error:
            raise Raised(_known(error), getattr(node, "lineno", 1)) from None

    def _unknown(self, node: ast.AST, scope: Scope) -> Any:
        raise NotImplementedError(f"orrery: {type(node).__name__} is not modelled")

    def _block(self, nodes: list[ast.stmt], scope: Scope) -> None:
        for node in nodes:
            self.do(node, scope)

    def _do_Expr(self, node: ast.Expr, scope: Scope) -> None:
        self.value(node.value, scope)

    def _do_Pass(self, node: ast.Pass, scope: Scope) -> None:
        pass

    def _do_Assign(self, node: ast.Assign, scope: Scope) -> None:
        value = self.value(node.value, scope)
        for target in node.targets:
            self._assign(target, value, scope)

    def _do_AnnAssign(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self._assign(node.target, self.value(node.value, scope), scope)

    def _do_AugAssign(self, node: ast.AugAssign, scope: Scope) -> None:
        holder: Any = node.target
        before = self.value(_loaded(holder), scope)
        self._assign(holder, self._sum(type(node.op), before, self.value(node.value, scope)), scope)

    def _assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            scope.put(target.id, value)
        elif isinstance(target, ast.Tuple | ast.List):
            values = items_of(value)
            if len(values) != len(target.elts):
                few = len(values) < len(target.elts)
                count = f"expected {len(target.elts)}" + (f", got {len(values)}" if few else "")
                raise ValueError(f"{'not enough' if few else 'too many'} values to unpack ({count})")
            for one, part in zip(target.elts, values, strict=True):
                self._assign(one, part, scope)
        elif isinstance(target, ast.Subscript):
            holder, key = self.value(target.value, scope), self._key(target.slice, scope)
            if not isinstance(holder, list | dict):
                raise TypeError(f"'{type(holder).__name__}' object does not support item assignment")
            holder[key] = value
            sized(holder)
        elif isinstance(target, ast.Attribute):
            owner = self.value(target.value, scope)
            if not isinstance(owner, Object):
                raise AttributeError(f"'{kind_of(owner)}' object has no attribute '{target.attr}'")
            owner.values[target.attr] = value
        else:
            self._unknown(target, scope)

    def _do_If(self, node: ast.If, scope: Scope) -> None:
        self._block(node.body if self.value(node.test, scope) else node.orelse, scope)

    def _do_For(self, node: ast.For, scope: Scope) -> None:
        for item in items_of(self.value(node.iter, scope)):
            self.step()
            self._assign(node.target, item, scope)
            try:
                self._block(node.body, scope)
            except _Continue:
                continue
            except _Break:
                return
        self._block(node.orelse, scope)

    def _do_While(self, node: ast.While, scope: Scope) -> None:
        endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        marks: list[tuple[int, dict[str, Any]]] = []
        self.volatile = False
        while endless or self.value(node.test, scope):
            self.step()
            try:
                self._block(node.body, scope)
            except _Continue:
                pass
            except _Break:
                return
            if endless and not self.buffer and not (self.volatile and self.decides):
                marks = [*marks[-TURNS:], (self.now, _frozen(self.globals, scope))]
                self._jump(marks, scope)
        self._block(node.orelse, scope)

    def _jump(self, marks: list[tuple[int, dict[str, Any]]], scope: Scope) -> None:
        """Leave out turns that are like the last ones."""
        if len(marks) <= TURNS or len(took := {b[0] - a[0] for a, b in pairwise(marks)}) != 1:
            return
        growth = _growth([state for _, state in marks], self.decided)
        duration = took.pop()
        if growth is None:
            return
        if duration == 0 or self.until is None:
            raise RunsForever  # Nothing is decided by what grows, so nothing ends the loop.
        turns = (self.seek - self.now) // duration - 1
        if turns < 1:
            return
        self.now += turns * duration
        for name, step in growth.items():
            holder = scope if name in scope else self.globals
            holder[name] += turns * step
        marks.clear()

    def _do_Break(self, node: ast.Break, scope: Scope) -> None:
        raise _Break

    def _do_Continue(self, node: ast.Continue, scope: Scope) -> None:
        raise _Continue

    def _do_Return(self, node: ast.Return, scope: Scope) -> None:
        raise _Return(self.value(node.value, scope) if node.value is not None else None)

    def _do_FunctionDef(self, node: ast.FunctionDef, scope: Scope) -> None:
        if node.decorator_list:
            raise NotImplementedError("orrery: decorators are not modelled")
        scope.put(node.name, Function(node, scope, [self.value(one, scope) for one in node.args.defaults]))

    def _do_ClassDef(self, node: ast.ClassDef, scope: Scope) -> None:
        inner = Scope(scope)
        self._block(node.body, inner)
        bases = [base.id if isinstance(base, ast.Name) else ast.unparse(base) for base in node.bases]
        scope.put(node.name, Class(node.name, dict(inner), bases))

    def _do_Global(self, node: ast.Global, scope: Scope) -> None:
        scope.elsewhere |= set(node.names)

    _do_Nonlocal = _do_Global  # type: ignore[assignment]

    def _do_Delete(self, node: ast.Delete, scope: Scope) -> None:
        for target in node.targets:
            if isinstance(target, ast.Subscript):
                holder = self.value(target.value, scope)
                if not isinstance(holder, list | dict):
                    raise TypeError(f"'{kind_of(holder)}' object doesn't support item deletion")
                del holder[self._key(target.slice, scope)]
            elif isinstance(target, ast.Name):
                scope.find(target.id)
                scope.pop(target.id, None)
            else:
                self._unknown(target, scope)

    def _do_Assert(self, node: ast.Assert, scope: Scope) -> None:
        if not self.value(node.test, scope):
            raise AssertionError(*([self.value(node.msg, scope)] if node.msg else []))

    def _do_Raise(self, node: ast.Raise, scope: Scope) -> None:
        value = self.value(node.exc, scope) if node.exc is not None else RuntimeError("No active exception to reraise")
        if isinstance(value, type) and issubclass(value, Exception):
            value = value()
        if not isinstance(value, Exception):
            raise TypeError("exceptions must derive from BaseException")
        raise value

    def _do_Try(self, node: ast.Try, scope: Scope) -> None:
        try:
            self._block(node.body, scope)
        except Raised as raised:
            handler = self._handler(node, raised.error, scope)
            if handler is None:
                self._block(node.finalbody, scope)
                raise
            if handler.name:
                scope.put(handler.name, raised.error)
            self._block(handler.body, scope)
        else:
            self._block(node.orelse, scope)
        self._block(node.finalbody, scope)

    def _handler(self, node: ast.Try, error: Exception, scope: Scope) -> ast.ExceptHandler | None:
        for handler in node.handlers:
            wanted = self.value(handler.type, scope) if handler.type is not None else Exception
            kinds = wanted if isinstance(wanted, tuple) else (wanted,)
            if all(isinstance(kind, type) for kind in kinds) and isinstance(error, kinds):
                return handler
        return None

    def _do_With(self, node: ast.With, scope: Scope) -> None:
        for item in node.items:
            value = self.value(item.context_expr, scope)
            if not isinstance(value, Module):
                raise NotImplementedError("orrery: with is modelled for files only")
            if item.optional_vars is not None:
                self._assign(item.optional_vars, value, scope)
        self._block(node.body, scope)

    def _do_Import(self, node: ast.Import, scope: Scope) -> None:
        for name in node.names:
            found = self._module(name.name)
            scope.put(name.asname or name.name.partition(".")[0], found if name.asname else self._top(name.name, found))

    def _top(self, name: str, found: Module) -> Module:
        """`import http.server` binds http."""
        top, _, below = name.partition(".")
        return Module(top, {below: found, **self.modules.get(top, {})}) if below else found

    def _do_ImportFrom(self, node: ast.ImportFrom, scope: Scope) -> None:
        module = self._module(node.module or "")
        for name in node.names:
            if name.name not in module.content:
                raise ImportError(f"cannot import name '{name.name}' from '{module.name}'")
            scope.put(name.asname or name.name, module.content[name.name])

    def _module(self, name: str) -> Module:
        if name not in self.modules and name.partition(".")[0] in sys.stdlib_module_names:
            raise NotImplementedError(f"orrery: the module '{name}' is not modelled")
        if name not in self.modules:
            raise ModuleNotFoundError(f"No module named '{name}'")
        return Module(name, self.modules[name])

    # --- expressions ----------------------------------------------------------------------------------------

    def value(self, node: ast.expr, scope: Scope) -> Any:
        self.step()
        return getattr(self, f"_of_{type(node).__name__}", self._unknown)(node, scope)

    def _of_Constant(self, node: ast.Constant, scope: Scope) -> Any:
        if not isinstance(node.value, PLAIN):
            raise NotImplementedError("orrery: complex numbers are not modelled")
        return node.value

    def _of_Name(self, node: ast.Name, scope: Scope) -> Any:
        return scope.find(node.id)

    def _of_List(self, node: ast.List, scope: Scope) -> list[Any]:
        return sized([self.value(one, scope) for one in node.elts])

    def _of_Tuple(self, node: ast.Tuple, scope: Scope) -> tuple[Any, ...]:
        return tuple(self.value(one, scope) for one in node.elts)

    def _of_Dict(self, node: ast.Dict, scope: Scope) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                found.update(self.value(value, scope))
            else:
                found[self._key(key, scope)] = self.value(value, scope)
        return found

    def _of_JoinedStr(self, node: ast.JoinedStr, scope: Scope) -> str:
        return sized("".join(str(self.value(one, scope)) for one in node.values))

    def _of_FormattedValue(self, node: ast.FormattedValue, scope: Scope) -> str:
        value = self.value(node.value, scope)
        if node.conversion in (ord("r"), ord("a")):
            value = self.shown(value)
        elif node.conversion == ord("s"):
            value = self.text(value)
        spec = str(self.value(node.format_spec, scope)) if node.format_spec is not None else ""
        return self.formatted(value, spec)

    def formatted(self, value: Any, spec: str) -> str:
        if any(len(digits) > 3 for digits in re.findall(r"\d+", spec)) and not isinstance(value, datetime):
            raise ValueError("orrery: formats of more than 999 characters are not modelled")
        return format(value if spec and isinstance(value, (*PLAIN, datetime)) else self.text(value), spec)

    def _of_BinOp(self, node: ast.BinOp, scope: Scope) -> Any:
        return self._sum(type(node.op), self.value(node.left, scope), self.value(node.right, scope))

    def _sum(self, kind: type[ast.operator], left: Any, right: Any) -> Any:
        self.weigh(left, right)
        return reckoned(kind, left, right)

    def _of_UnaryOp(self, node: ast.UnaryOp, scope: Scope) -> Any:
        value = self.value(node.operand, scope)
        kind = type(node.op)
        if kind is ast.Not:
            return not value
        signs: dict[Any, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
        return signs.get(kind, operator.invert)(value)

    def _of_BoolOp(self, node: ast.BoolOp, scope: Scope) -> Any:
        value: Any = None
        for one in node.values:
            value = self.value(one, scope)
            if bool(value) != isinstance(node.op, ast.And):
                return value
        return value

    def _of_Compare(self, node: ast.Compare, scope: Scope) -> bool:
        left = self.value(node.left, scope)
        for sign, one in zip(node.ops, node.comparators, strict=True):
            right = self.value(one, scope)
            if isinstance(sign, ast.In | ast.NotIn) and isinstance(right, dict):
                self.weigh(left)
            elif not isinstance(sign, ast.Is | ast.IsNot):
                self.weigh(left, right)
            if not TESTS[type(sign)](left, right):
                return False
            left = right
        return True

    def _of_IfExp(self, node: ast.IfExp, scope: Scope) -> Any:
        return self.value(node.body if self.value(node.test, scope) else node.orelse, scope)

    def _of_Lambda(self, node: ast.Lambda, scope: Scope) -> Function:
        return Function(node, scope, [self.value(one, scope) for one in node.args.defaults])

    def _of_Subscript(self, node: ast.Subscript, scope: Scope) -> Any:
        holder = self.value(node.value, scope)
        if not isinstance(holder, str | bytes | list | tuple | dict):
            raise TypeError(f"'{kind_of(holder)}' object is not subscriptable")
        key = self._key(node.slice, scope)
        if isinstance(key, slice):
            self.step(len(holder) // WEIGHT_OF_A_STEP)
        return holder[key]

    def _of_Slice(self, node: ast.Slice, scope: Scope) -> slice:
        return slice(
            *(self.value(one, scope) if one is not None else None for one in (node.lower, node.upper, node.step))
        )

    def _of_ListComp(self, node: ast.ListComp | ast.GeneratorExp, scope: Scope) -> list[Any]:
        found: list[Any] = []
        self._comprehended(node.generators, Scope(scope), lambda inner: found.append(self.value(node.elt, inner)))
        return sized(found)

    _of_GeneratorExp = _of_ListComp

    def _of_DictComp(self, node: ast.DictComp, scope: Scope) -> dict[Any, Any]:
        found: dict[Any, Any] = {}

        def add(inner: Scope) -> None:
            found[self._key(node.key, inner)] = self.value(node.value, inner)

        self._comprehended(node.generators, Scope(scope), add)
        return sized(found)

    def _comprehended(self, parts: list[ast.comprehension], scope: Scope, add: Callable[[Scope], None]) -> None:
        if not parts:
            add(scope)
            return
        for item in items_of(self.value(parts[0].iter, scope)):
            self.step()
            self._assign(parts[0].target, item, scope)
            if all(self.value(test, scope) for test in parts[0].ifs):
                self._comprehended(parts[1:], scope, add)

    def _of_Attribute(self, node: ast.Attribute, scope: Scope) -> Any:
        return self.attribute(self.value(node.value, scope), node.attr)

    def attribute(self, owner: Any, name: str) -> Any:
        if isinstance(owner, Module | Stream):
            if name not in owner.content:
                raise AttributeError(f"module '{owner.name}' has no attribute '{name}'")
            return owner.content[name]
        if isinstance(owner, Object):
            if name in owner.values:
                return owner.values[name]
            found = owner.kind.content.get(name)
            if isinstance(found, Function):
                return Function(found.node, found.scope, found.defaults, bound=owner)
            if name in owner.kind.content:
                return found
        elif isinstance(owner, Class) and name in owner.content:
            return owner.content[name]
        elif isinstance(owner, datetime) and name in FIELDS[datetime]:
            return getattr(owner, name)
        elif isinstance(owner, Type | Class | Function | Builtin) and name == "__name__":
            return owner.name
        elif name in METHODS.get(type(owner), ()):
            return method_of(self, owner, name)
        raise AttributeError(f"'{kind_of(owner)}' object has no attribute '{name}'")

    def _of_Call(self, node: ast.Call, scope: Scope) -> Any:
        called = self.value(node.func, scope)
        given: list[Any] = []
        for one in node.args:
            if isinstance(one, ast.Starred):
                given += items_of(self.value(one.value, scope))
            else:
                given.append(self.value(one, scope))
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value, scope)
            named |= value if keyword.arg is None else {keyword.arg: value}
        return self.call(called, given, named)

    def call(self, called: Any, given: list[Any], named: dict[str, Any]) -> Any:
        if isinstance(called, Function):
            return self._call_own(called, given, named)
        if isinstance(called, Class):
            made = Object(called)
            begin = called.content.get("__init__")
            if isinstance(begin, Function):
                self._call_own(Function(begin.node, begin.scope, begin.defaults, bound=made), given, named)
            return made
        if not getattr(called, "shallow", False):  # It looks at what is in its arguments.
            self.weigh(*given, *named.values())
        if isinstance(called, type) and issubclass(called, Exception):
            return called(*given)
        if not callable(called):
            raise TypeError(f"'{kind_of(called)}' object is not callable")
        return called(*given, **named)

    def _call_own(self, function: Function, given: list[Any], named: dict[str, Any]) -> Any:
        if self.calls >= MAX_CALLS:
            raise RuntimeError(f"orrery: more than {MAX_CALLS} calls within one another")
        scope = Scope(function.scope)
        scope.update(bound(function, [function.bound, *given] if function.bound is not None else given, named))
        self.calls += 1
        try:
            if isinstance(function.node, ast.Lambda):
                return self.value(function.node.body, scope)
            self._block(function.node.body, scope)
        except _Return as end:
            return end.value
        finally:
            self.calls -= 1
        return None

    # --- texts ----------------------------------------------------------------------------------------------

    def text(self, value: Any) -> str:
        """str()"""
        if isinstance(value, Object) and isinstance(own := value.kind.content.get("__str__"), Function):
            return str(self._call_own(Function(own.node, own.scope, own.defaults, bound=value), [], {}))
        if isinstance(value, Exception):
            return described(value)
        return self.shown(value) if not isinstance(value, str) else value

    def shown(self, value: Any) -> str:
        """repr()"""
        if isinstance(value, int) and value.bit_length() > 14_000:
            raise ValueError("Exceeds the limit (4300 digits) for integer string conversion")
        self.weigh(value)
        if isinstance(value, datetime):
            return value.replace(tzinfo=None).isoformat(" ")
        return sized(repr(value))  # type: ignore[no-any-return]


def _known(error: Exception) -> Exception:
    """A host's error as the script's."""
    return error if type(error).__name__ in ERRORS else RuntimeError(str(error))


def _loaded(target: ast.expr) -> ast.expr:
    """The same place, to be read."""
    if isinstance(target, ast.Name):
        return ast.Name(target.id, ast.Load())
    if isinstance(target, ast.Subscript):
        return ast.Subscript(target.value, target.slice, ast.Load())
    return ast.Attribute(target.value, target.attr, ast.Load()) if isinstance(target, ast.Attribute) else target


def described(error: Exception) -> str:
    return str(error) if weight(error.args) <= MAX_WEIGHT else TOO_MUCH


# --- loops that are jumped over ---------------------------------------------------------------------------------


def _decided(tree: ast.Module) -> tuple[set[str], bool]:
    """(names by which something is decided, is anything decided at all?): conditions, ranges, keys, operands of %."""
    found: set[str] = set()
    decides = False
    for node in ast.walk(tree):
        parts: list[ast.AST] = []
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            parts = [node.test]
        elif isinstance(node, ast.For):
            parts = [node.iter]
        elif isinstance(node, ast.comprehension):
            parts = [node.iter, *node.ifs]
        elif isinstance(node, ast.Subscript):
            parts = [node.slice]
        elif isinstance(node, ast.BoolOp | ast.Compare | ast.Try | ast.Assert):
            parts = [node] if not isinstance(node, ast.Try) else []
            decides = True
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod | ast.Pow):
            parts = [node]
        decides = decides or any(not isinstance(part, ast.Constant) for part in parts)
        found |= {one.id for part in parts for one in ast.walk(part) if isinstance(one, ast.Name)}
    return found, decides


def _frozen(*scopes: Scope) -> dict[str, Any]:
    """All variables: whole numbers as they are, everything else as its text; what has no text, by its kind."""
    found: dict[str, Any] = {}
    for scope in scopes:
        for name, value in scope.items():
            if isinstance(value, int) and not isinstance(value, bool):
                found[name] = value
            elif isinstance(value, (*PLAIN, Object)):
                content = value.values if isinstance(value, Object) else value
                shown = repr(content) if weight([content], MAX_SHOWN) <= MAX_SHOWN else ""
                found[name] = shown if 0 < len(shown) < MAX_SHOWN else object()
            else:
                found[name] = kind_of(value)
    return found


def _growth(states: list[dict[str, Any]], decided: set[str]) -> dict[str, int] | None:
    """How much each whole number grew every turn; None: something else changed, or decides."""
    found: dict[str, int] = {}
    if any(state.keys() != states[0].keys() for state in states):
        return None
    for name, first in states[0].items():
        values = [state[name] for state in states]
        if all(value == first and type(value) is type(first) for value in values):
            continue
        if name in decided or not all(isinstance(value, int) for value in values):
            return None
        steps = {b - a for a, b in pairwise(values)}
        if len(steps) != 1:
            return None
        found[name] = steps.pop()
    return found
