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
Left out: decorators but property, staticmethod, classmethod and functions of the script; yield within an expression;
          metaclasses, match, async, imports of files, input(), threads, sockets, http.server's handlers; whatever is
          not in METHODS and MODULES.
Limits:   100,000 steps, 20,000 lines, texts and numbers of 64 Ki characters, 10,000 elements of a list, 40 calls within
          one another; scripts of 64 KiB and 60 levels. An operation looks at 100,000 elements at most, those of its
          elements counted, and 64 of them are a step. A script that needs more steps is silent from then on.
"""

import ast
import operator
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

from cluster.runtime import noise
from cluster.runtime.programs.program import MILLISECOND, SECOND, Line, Process
from cluster.runtime.programs.python_library import Builtins, method_of, modules
from cluster.runtime.programs.python_loops import decided, frozen, growth
from cluster.runtime.programs.python_objects import OBJECT, Class, File, Function, Lazy, Object, Set, Super, Thrown
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
    Module,
    Scope,
    Stream,
    Type,
    bound,
    items_of,
    kind_of,
    line_of,
    reckoned,
    sized,
    weight,
)
from cluster.runtime.programs.shell import Exits, Horizon, RunsForever

BUFFER = 8192
NOWHERE = "/dev/null/script"  # Python's parser opens the file of this name for the line of an error; it can't exist.
warnings.filterwarnings("ignore", category=SyntaxWarning, module=NOWHERE)
START_UP = 30 * MILLISECOND
TURNS = 3  # Of a loop that are looked at before it is jumped over …
LOOKED_AT = 64  # … and so many turns later again.
TOO_MUCH = f"orrery: an operation on more than {MAX_WEIGHT} elements is not modelled"

TESTS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not, ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
OWN_TESTS: Mapping[type[ast.cmpop], tuple[str, str]] = {  # Methods of the left side, and of the right.
    ast.Eq: ("__eq__", "__eq__"), ast.NotEq: ("__ne__", "__ne__"), ast.Lt: ("__lt__", "__gt__"),
    ast.LtE: ("__le__", "__ge__"), ast.Gt: ("__gt__", "__lt__"), ast.GtE: ("__ge__", "__le__"),
}  # fmt: skip
OWN_SUMS: Mapping[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.Pow: "pow", ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor",
}  # fmt: skip


END = object()


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
        self.handled: list[Exception] = []  # Exceptions that are being handled, which `raise` raises again.
        self.write_file: Callable[[str, str, bool], None] | None = None  # (path, text, is it added?)
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
        self.decided, self.decides = decided(tree)
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
        said = self.text(raised.error)
        name = kind_of(raised.error.object) if isinstance(raised.error, Thrown) else type(raised.error).__name__
        self.say(name + (f": {said}" if said else ""), "stderr")
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
            values = self.items(value)
            star = next((n for n, one in enumerate(target.elts) if isinstance(one, ast.Starred)), None)
            if star is not None:
                behind = len(target.elts) - star - 1
                if len(values) < star + behind:
                    few = f"(expected at least {star + behind}, got {len(values)})"
                    raise ValueError(f"not enough values to unpack {few}")
                middle = len(values) - behind
                values = [*values[:star], values[star:middle], *values[middle:]]
            if len(values) != len(target.elts):
                lacks = len(values) < len(target.elts)
                count = f"expected {len(target.elts)}" + (f", got {len(values)}" if lacks else "")
                raise ValueError(f"{'not enough' if lacks else 'too many'} values to unpack ({count})")
            for one, part in zip(target.elts, values, strict=True):
                self._assign(one, part, scope)
        elif isinstance(target, ast.Subscript):
            holder, key = self.value(target.value, scope), self._key(target.slice, scope)
            if isinstance(holder, Object) and (own := self.special(holder, "__setitem__")) is not None:
                self.call(own, [key, value], {})
                return
            if isinstance(key, slice):
                value = self.items(value)
            if not isinstance(holder, list | dict):
                raise TypeError(f"'{type(holder).__name__}' object does not support item assignment")
            holder[key] = value
            sized(holder)
        elif isinstance(target, ast.Attribute):
            owner = self.value(target.value, scope)
            self.set_attribute(owner, target.attr, value)
        elif isinstance(target, ast.Starred):
            self._assign(target.value, value, scope)
        else:
            self._unknown(target, scope)

    def set_attribute(self, owner: Any, name: str, value: Any) -> None:
        if isinstance(owner, Class):
            owner.content[name] = value
        elif not isinstance(owner, Object):
            raise AttributeError(f"'{kind_of(owner)}' object has no attribute '{name}'")
        elif isinstance(own := self._above(owner.kind, name), Function) and own.style == "property":
            raise AttributeError(f"property '{name}' of '{owner.kind.name}' object has no setter")
        else:
            owner.values[name] = value

    def _do_If(self, node: ast.If, scope: Scope) -> None:
        self._block(node.body if self.true(self.value(node.test, scope)) else node.orelse, scope)

    def _do_For(self, node: ast.For, scope: Scope) -> None:
        for item in self.iterate(self.value(node.iter, scope)):
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
        self.volatile, turns = False, 0
        while endless or self.true(self.value(node.test, scope)):
            self.step()
            try:
                self._block(node.body, scope)
            except _Continue:
                pass
            except _Break:
                return
            turns += 1
            if turns > LOOKED_AT and turns % LOOKED_AT > TURNS:  # It has not gone on evenly: look now and then.
                marks.clear()
            elif endless and not self.buffer and not (self.volatile and self.decides):
                marks = [*marks[-TURNS:], (self.now, frozen(self.globals, scope))]
                self._jump(marks, scope)
        self._block(node.orelse, scope)

    def _jump(self, marks: list[tuple[int, dict[str, Any]]], scope: Scope) -> None:
        """Leave out turns that are like the last ones."""
        if len(marks) <= TURNS or len(took := {b[0] - a[0] for a, b in pairwise(marks)}) != 1:
            return
        grown = growth([state for _, state in marks], self.decided)
        duration = took.pop()
        if grown is None:
            return
        if duration == 0 or self.until is None:
            raise RunsForever  # Nothing is decided by what grows, so nothing ends the loop.
        turns = (self.seek - self.now) // duration - 1
        if turns < 1:
            return
        self.now += turns * duration
        for name, step in grown.items():
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
        made: Any = self._function(node, scope)
        for decorator in reversed(node.decorator_list):
            style = decorator.id if isinstance(decorator, ast.Name) else ""
            if style in ("property", "staticmethod", "classmethod"):
                made.style = style
            else:
                made = self.call(self.value(decorator, scope), [made], {})
        scope.put(node.name, made)

    def _function(self, node: ast.FunctionDef | ast.Lambda, scope: Scope) -> Function:
        made = Function(node, scope, [self.value(one, scope) for one in node.args.defaults])
        for name, one in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
            if one is not None:
                made.keywords[name.arg] = self.value(one, scope)
        return made

    def _do_ClassDef(self, node: ast.ClassDef, scope: Scope) -> None:
        if node.decorator_list or node.keywords:
            raise NotImplementedError("orrery: decorators and metaclasses of classes are not modelled")
        bases = [self.value(base, scope) for base in node.bases]
        for base in bases:
            if not isinstance(base, Class) and not (isinstance(base, type) and issubclass(base, Exception)):
                name = getattr(base, "name", kind_of(base))
                raise NotImplementedError(f"orrery: classes derived from {name} are not modelled")
        inner = Scope(scope)
        self._block(node.body, inner)
        made = Class(node.name, dict(inner), [base for base in bases if base is not OBJECT])
        for one in made.content.values():
            if isinstance(one, Function):
                one.owner = made
        scope.put(node.name, made)

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
            elif isinstance(target, ast.Attribute):
                owner = self.value(target.value, scope)
                if not isinstance(owner, Object) or target.attr not in owner.values:
                    raise AttributeError(f"'{kind_of(owner)}' object has no attribute '{target.attr}'")
                del owner.values[target.attr]
            elif isinstance(target, ast.Name):
                scope.find(target.id)
                scope.pop(target.id, None)
            else:
                self._unknown(target, scope)

    def _do_Assert(self, node: ast.Assert, scope: Scope) -> None:
        if not self.true(self.value(node.test, scope)):
            raise AssertionError(*([self.value(node.msg, scope)] if node.msg else []))

    def _do_Raise(self, node: ast.Raise, scope: Scope) -> None:
        if node.exc is None:
            raise self.handled[-1] if self.handled else RuntimeError("No active exception to reraise")
        value = self.value(node.exc, scope)
        if isinstance(value, Class | type):
            value = self.call(value, [], {})
        if isinstance(value, Object) and value.kind.thrown is not None:
            value = Thrown(value)
        if not isinstance(value, Exception):
            raise TypeError("exceptions must derive from BaseException")
        raise value

    def _do_Try(self, node: ast.Try, scope: Scope) -> None:
        try:
            try:
                self._block(node.body, scope)
            except Raised as raised:
                handler = self._handler(node, raised.error, scope)
                if handler is None:
                    raise
                with self._handling(handler, raised.error, scope):
                    self._block(handler.body, scope)
            else:
                self._block(node.orelse, scope)
        except (Raised, Exits, _Break, _Continue, _Return):
            self._block(node.finalbody, scope)
            raise
        self._block(node.finalbody, scope)

    @contextmanager
    def _handling(self, handler: ast.ExceptHandler, error: Exception, scope: Scope) -> Iterator[None]:
        if handler.name:
            scope.put(handler.name, error.object if isinstance(error, Thrown) else error)
        self.handled.append(error)
        try:
            yield
        finally:
            self.handled.pop()

    def _handler(self, node: ast.Try, error: Exception, scope: Scope) -> ast.ExceptHandler | None:
        for handler in node.handlers:
            wanted = self.value(handler.type, scope) if handler.type is not None else Exception
            kinds = wanted if isinstance(wanted, tuple) else (wanted,)
            if any(self.is_a(error, kind) for kind in kinds):
                return handler
        return None

    def is_a(self, value: Any, kind: Any) -> bool:
        """isinstance(), for values, exceptions and their kinds."""
        if isinstance(value, Thrown):
            value = value.object
        if isinstance(value, Object):
            return value.kind.is_a(kind) or kind is OBJECT
        if kind is OBJECT:
            return True
        if isinstance(kind, type):
            return isinstance(value, kind)
        names = {kind_of(value), *(base.__name__ for base in type(value).__mro__)}
        return not isinstance(kind, Class) and getattr(kind, "name", "") in names

    def _do_With(self, node: ast.With, scope: Scope) -> None:
        self._with(node.items, node.body, scope)

    def _with(self, items: list[ast.withitem], body: list[ast.stmt], scope: Scope) -> None:
        if not items:
            self._block(body, scope)
            return
        manager = self.value(items[0].context_expr, scope)
        if isinstance(manager, File):
            entered, leave = manager, self.attribute(manager, "close")
        else:
            enter, leave = self.special(manager, "__enter__"), self.special(manager, "__exit__")
            if enter is None or leave is None:
                missing = "__enter__" if enter is None else "__exit__"
                raise TypeError(
                    f"'{kind_of(manager)}' object does not support the context manager protocol (missed {missing}"
                    " method)"
                )
            entered = self.call(enter, [], {})
        if items[0].optional_vars is not None:
            self._assign(items[0].optional_vars, entered, scope)
        nothing = [] if isinstance(manager, File) else [None, None, None]
        try:
            self._with(items[1:], body, scope)
        except Raised as raised:
            error = raised.error.object if isinstance(raised.error, Thrown) else raised.error
            kind = error.kind if isinstance(error, Object) else type(error)
            swallowed = self.call(leave, [kind, error, None] if nothing else [], {})
            if not (nothing and self.true(swallowed)):
                raise
            return
        except (Exits, _Break, _Continue, _Return):
            self.call(leave, nothing, {})
            raise
        self.call(leave, nothing, {})

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
        return sized(self._elements(node.elts, scope))

    def _elements(self, nodes: list[ast.expr], scope: Scope) -> list[Any]:
        found: list[Any] = []
        for one in nodes:
            if isinstance(one, ast.Starred):
                found += self.items(self.value(one.value, scope))
            else:
                found.append(self.value(one, scope))
        return found

    def _of_Set(self, node: ast.Set, scope: Scope) -> Set:
        found = self._elements(node.elts, scope)
        self.weigh(found)
        return Set(found)

    def _of_NamedExpr(self, node: ast.NamedExpr, scope: Scope) -> Any:
        value = self.value(node.value, scope)
        scope.put(node.target.id, value)
        return value

    def _of_Tuple(self, node: ast.Tuple, scope: Scope) -> tuple[Any, ...]:
        return tuple(sized(self._elements(node.elts, scope)))

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
        name = OWN_SUMS.get(kind, "")
        if isinstance(left, Object) and (own := self.special(left, f"__{name}__")) is not None:
            return self.call(own, [right], {})
        if isinstance(right, Object) and (own := self.special(right, f"__r{name}__")) is not None:
            return self.call(own, [left], {})
        self.weigh(left, right)
        return reckoned(kind, left, right)

    def _of_UnaryOp(self, node: ast.UnaryOp, scope: Scope) -> Any:
        value = self.value(node.operand, scope)
        kind = type(node.op)
        if kind is ast.Not:
            return not self.true(value)
        signs: dict[Any, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
        return signs.get(kind, operator.invert)(value)

    def _of_BoolOp(self, node: ast.BoolOp, scope: Scope) -> Any:
        value: Any = None
        for one in node.values:
            value = self.value(one, scope)
            if self.true(value) != isinstance(node.op, ast.And):
                return value
        return value

    def _of_Compare(self, node: ast.Compare, scope: Scope) -> bool:
        left = self.value(node.left, scope)
        for sign, one in zip(node.ops, node.comparators, strict=True):
            right = self.value(one, scope)
            if not self._compared(type(sign), left, right):
                return False
            left = right
        return True

    def _compared(self, sign: type[ast.cmpop], left: Any, right: Any) -> bool:
        if sign in (ast.In, ast.NotIn):
            if isinstance(right, Object) and (own := self.special(right, "__contains__")) is not None:
                return self.true(self.call(own, [left], {})) == (sign is ast.In)
            if isinstance(right, Object | Lazy | File):
                right = self.items(right)
            self.weigh(left, *(() if isinstance(right, dict | Set) else (right,)))
        elif sign in OWN_TESTS and (isinstance(left, Object) or isinstance(right, Object)):
            return self._own_test(sign, left, right)
        elif sign not in (ast.Is, ast.IsNot):
            self.weigh(left, right)
        return bool(TESTS[sign](left, right))

    def _own_test(self, sign: type[ast.cmpop], left: Any, right: Any) -> bool:
        """By a method of the script's."""
        for name, one, other in ((OWN_TESTS[sign][0], left, right), (OWN_TESTS[sign][1], right, left)):
            if isinstance(one, Object) and (own := self.special(one, name)) is not None:
                return self.true(self.call(own, [other], {}))
        if sign is ast.NotEq:
            return not self._own_test(ast.Eq, left, right)
        if sign is ast.Eq:
            return left is right
        signs = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
        raise TypeError(f"'{signs[sign]}' not supported between instances of '{kind_of(left)}' and '{kind_of(right)}'")

    def true(self, value: Any) -> bool:
        """bool()"""
        if isinstance(value, Object):
            for name in ("__bool__", "__len__"):
                if (own := self.special(value, name)) is not None:
                    return bool(self.call(own, [], {}))
        return bool(value)

    def _of_IfExp(self, node: ast.IfExp, scope: Scope) -> Any:
        return self.value(node.body if self.true(self.value(node.test, scope)) else node.orelse, scope)

    def _of_Lambda(self, node: ast.Lambda, scope: Scope) -> Function:
        return self._function(node, scope)

    def _of_Subscript(self, node: ast.Subscript, scope: Scope) -> Any:
        holder = self.value(node.value, scope)
        if isinstance(holder, Object) and (own := self.special(holder, "__getitem__")) is not None:
            return self.call(own, [self._key(node.slice, scope)], {})
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

    def _of_ListComp(self, node: ast.ListComp, scope: Scope) -> list[Any]:
        found: list[Any] = []
        for inner in self._turns(node.generators, Scope(scope)):
            found.append(self.value(node.elt, inner))
            sized(found)
        return found

    def _of_SetComp(self, node: ast.SetComp, scope: Scope) -> Set:
        found = Set()
        for inner in self._turns(node.generators, Scope(scope)):
            found.add(self._key(node.elt, inner))
            sized(found)
        return found

    def _of_DictComp(self, node: ast.DictComp, scope: Scope) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for inner in self._turns(node.generators, Scope(scope)):
            found[self._key(node.key, inner)] = self.value(node.value, inner)
            sized(found)
        return found

    def _of_GeneratorExp(self, node: ast.GeneratorExp, scope: Scope) -> Lazy:
        """It is gone through when somebody does; what it goes through is looked at now."""
        first = self.iterate(self.value(node.generators[0].iter, scope))
        turns = self._turns(node.generators, Scope(scope), first)
        return Lazy("generator <genexpr>", (self.value(node.elt, inner) for inner in turns))

    def _turns(
        self, parts: list[ast.comprehension], scope: Scope, first: Iterator[Any] | None = None
    ) -> Iterator[Scope]:
        """The scope, once for each combination of the values of the `for`s."""
        if not parts:
            yield scope
            return
        for item in self.iterate(self.value(parts[0].iter, scope)) if first is None else first:
            self.step()
            self._assign(parts[0].target, item, scope)
            if all(self.true(self.value(test, scope)) for test in parts[0].ifs):
                yield from self._turns(parts[1:], scope)

    # --- going through things -------------------------------------------------------------------------------

    def iterate(self, value: Any) -> Iterator[Any]:
        """Its items, one by one. Errors: TypeError, and what the script's own methods raise."""
        if isinstance(value, Lazy):
            return self._resumed(value)
        if isinstance(value, File):
            return iter(lambda: line_of(value), "")
        if isinstance(value, Object):
            if (own := self.special(value, "__iter__")) is not None:
                found = self.call(own, [], {})
                return self._asked(found) if isinstance(found, Object) else self.iterate(found)
            raise TypeError(f"'{kind_of(value)}' object is not iterable")
        return iter(items_of(value))

    def _asked(self, value: Object) -> Iterator[Any]:
        """By its own __next__."""
        following = self.special(value, "__next__")
        if following is None:
            raise TypeError(f"iter() returned non-iterator of type '{kind_of(value)}'")
        while True:
            self.step()
            try:
                one = self.call(following, [], {})
            except Raised as raised:
                if self.is_a(raised.error, StopIteration):
                    return
                raise
            yield one

    def _resumed(self, value: Lazy) -> Iterator[Any]:
        """It runs on as if it were called."""
        while True:
            self.step()
            if self.calls >= MAX_CALLS:
                raise RuntimeError(f"orrery: more than {MAX_CALLS} calls within one another")
            self.calls += 1
            try:
                one = next(value.steps, END)
            finally:
                self.calls -= 1
            if one is END:
                return
            yield one

    def items(self, value: Any) -> list[Any]:
        """All of them. Errors: RuntimeError if they are too many."""
        if not isinstance(value, Lazy | File | Object):
            return items_of(value)
        found: list[Any] = []
        for one in self.iterate(value):
            found.append(one)
            sized(found)
        return found

    def _generated(self, nodes: list[ast.stmt], scope: Scope) -> Iterator[Any]:
        """The body of a function that yields: like `_block`, but that it can stop at a `yield`."""
        for node in nodes:
            if not _yields(node):
                self.do(node, scope)
                continue
            self.step()
            if isinstance(node, ast.For):
                yield from self._generated_for(node, scope)
            elif isinstance(node, ast.While):
                while self._tried(node, partial(self._test, node, scope)):
                    self.step()
                    try:
                        yield from self._generated(node.body, scope)
                    except _Continue:
                        continue
                    except _Break:
                        break
            elif isinstance(node, ast.If):
                true = self._tried(node, partial(self._test, node, scope))
                yield from self._generated(node.body if true else node.orelse, scope)
            elif isinstance(node, ast.Try):
                yield from self._generated_try(node, scope)
            elif isinstance(node, ast.Expr | ast.Assign) and isinstance(node.value, ast.Yield | ast.YieldFrom):
                yield from self._generated_yield(node, scope)
            else:
                error = NotImplementedError("orrery: yield is modelled as a statement, in for, while, if and try")
                raise Raised(error, node.lineno)

    def _test(self, node: ast.While | ast.If, scope: Scope) -> bool:
        return self.true(self.value(node.test, scope))

    def _generated_yield(self, node: ast.Expr | ast.Assign, scope: Scope) -> Iterator[Any]:
        given = node.value
        assert isinstance(given, ast.Yield | ast.YieldFrom)
        inner = given.value
        value = self._tried(node, lambda: self.value(inner, scope)) if inner is not None else None
        if isinstance(given, ast.YieldFrom):
            yield from self._tried(node, lambda: self.iterate(value))
        else:
            yield value
        for target in node.targets if isinstance(node, ast.Assign) else []:
            self._assign(target, None, scope)

    def _generated_for(self, node: ast.For, scope: Scope) -> Iterator[Any]:
        for item in self._tried(node, lambda: self.iterate(self.value(node.iter, scope))):
            self.step()
            self._tried(node, partial(self._assign, node.target, item, scope))
            try:
                yield from self._generated(node.body, scope)
            except _Continue:
                continue
            except _Break:
                return
        yield from self._generated(node.orelse, scope)

    def _generated_try(self, node: ast.Try, scope: Scope) -> Iterator[Any]:
        try:
            try:
                yield from self._generated(node.body, scope)
            except Raised as raised:
                handler = self._handler(node, raised.error, scope)
                if handler is None:
                    raise
                with self._handling(handler, raised.error, scope):
                    yield from self._generated(handler.body, scope)
            else:
                yield from self._generated(node.orelse, scope)
        except (Raised, Exits, _Break, _Continue, _Return):
            yield from self._generated(node.finalbody, scope)
            raise
        yield from self._generated(node.finalbody, scope)

    def _tried(self, node: ast.stmt, act: Callable[[], Any]) -> Any:
        """What `act` gives; its error is the script's, at this statement."""
        try:
            return act()
        except (Raised, Exits, Horizon, RunsForever):
            raise
        except Exception as error:
            raise Raised(_known(error), node.lineno) from None

    def _body(self, function: Function, scope: Scope) -> Iterator[Any]:
        try:
            yield from self._generated(function.node.body, scope)  # type: ignore[arg-type]
        except _Return:
            return

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
            if name == "__class__":
                return owner.kind
            if name == "__dict__":
                return owner.values
            found = self._above(owner.kind, name)
            if found is not END:
                return self._bound(found, owner, owner.kind)
        elif isinstance(owner, Super):
            found = self._above(owner.of if isinstance(owner.of, Class) else owner.of.kind, name, owner.kind)
            if found is not END:
                return self._bound(found, owner.of, owner.kind)
            if name == "__init__":
                return Builtin("__init__", lambda *given: self._begun(owner.of, given))
            if name in ("__str__", "__repr__"):
                shown = self.text if name == "__str__" else repr
                return Builtin(name, lambda: shown(Thrown(owner.of)) if owner.of.kind.thrown else repr(owner.of))
        elif isinstance(owner, Class):
            found = self._above(owner, name)
            if found is not END:
                return self._bound(found, None, owner)
            if name in ("__name__", "__qualname__"):
                return owner.name
        elif isinstance(owner, Exception) and name == "args":
            return owner.args
        elif isinstance(owner, type) and name == "__name__":
            return owner.__name__
        elif (isinstance(owner, File) and name in ("name", "mode", "closed")) or (
            isinstance(owner, datetime) and name in FIELDS[datetime]
        ):
            return getattr(owner, name)
        elif isinstance(owner, Type | Class | Function | Builtin) and name == "__name__":
            return owner.name
        elif name in METHODS.get(type(owner), ()):
            return method_of(self, owner, name)
        raise AttributeError(f"'{kind_of(owner)}' object has no attribute '{name}'")

    def _above(self, kind: Class, name: str, after: Class | None = None) -> Any:
        """What a name means for objects of a class; END: nothing."""
        try:
            return kind.find(name, after)
        except LookupError:
            return END

    def _bound(self, found: Any, owner: Any, kind: Class) -> Any:
        """A thing of a class, as one gets it from an object (or from the class: None)."""
        if not isinstance(found, Function) or found.style == "staticmethod":
            return found
        if found.style == "classmethod":
            return found.of(owner.kind if isinstance(owner, Object) else owner or kind)
        if owner is None:
            return found
        return self.call(found.of(owner), [], {}) if found.style == "property" else found.of(owner)

    def special(self, value: Any, name: str) -> Any:
        """An object's own `__name__` as a method of it, or None."""
        found = self._above(value.kind, name) if isinstance(value, Object) else END
        return found.of(value) if isinstance(found, Function) else None

    def _begun(self, made: Object, given: tuple[Any, ...]) -> None:
        """What `super().__init__` of an exception, or of a class without one above, does."""
        if made.kind.thrown is not None:
            made.values["args"] = tuple(given)
        elif given:
            raise TypeError("object.__init__() takes exactly one argument (the instance to initialize)")

    def _super(self, scope: Scope) -> Super:
        inside: Scope | None = scope
        while inside is not None and inside.method is None:
            inside = inside.outer
        if inside is None or inside.method is None or inside.method[0] is None:
            raise RuntimeError("super(): no arguments")
        return Super(*inside.method)  # type: ignore[arg-type]

    def _of_Call(self, node: ast.Call, scope: Scope) -> Any:
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.keywords:
            return self._super(scope)
        called = self.value(node.func, scope)
        given = self._elements(node.args, scope)
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
            if called.thrown is not None:
                made.values["args"] = tuple(given)
            begin = self.special(made, "__init__")
            if begin is not None:
                self._call_own(begin, given, named)
            elif (given or named) and called.thrown is None:
                raise TypeError(f"{called.name}() takes no arguments")
            return made
        if isinstance(called, Object) and (own := self.special(called, "__call__")) is not None:
            return self.call(own, given, named)
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
        given = [function.bound, *given] if function.bound is not None else given
        scope.update(bound(function, given, named))
        if function.owner is not None and given:
            scope.method = (function.owner, given[0])
        if not isinstance(function.node, ast.Lambda) and any(_yields(one) for one in function.node.body):
            return Lazy(f"generator {function.name}", self._body(function, scope))
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
        if isinstance(value, Thrown) and self.special(value.object, "__str__") is not None:
            value = value.object
        if isinstance(value, Object):
            for name in ("__str__", "__repr__"):
                if (own := self.special(value, name)) is not None:
                    return str(self._call_own(own, [], {}))
            if value.kind.thrown is not None:
                value = Thrown(value)
        if isinstance(value, Exception):
            if weight(value.args) > MAX_WEIGHT:
                return TOO_MUCH
            inside = value.args[0] if len(value.args) == 1 and not isinstance(value, KeyError) else None
            return self.text(inside) if inside is not None else str(value)
        return self.shown(value) if not isinstance(value, str) else value

    def shown(self, value: Any) -> str:
        """repr()"""
        if isinstance(value, int) and value.bit_length() > 14_000:
            raise ValueError("Exceeds the limit (4300 digits) for integer string conversion")
        self.weigh(value)
        if isinstance(value, datetime):
            return value.replace(tzinfo=None).isoformat(" ")
        return sized(self._shown(value, 0))  # type: ignore[no-any-return]

    def _shown(self, value: Any, level: int) -> str:
        """repr() with the script's own in it."""
        if isinstance(value, Object) and level < MAX_CALLS and (own := self.special(value, "__repr__")) is not None:
            return str(self._call_own(own, [], {}))
        if level >= MAX_CALLS or isinstance(value, Object) or not _has_own(value):
            return repr(value)
        inner = [self._shown(one, level + 1) for one in value]
        if isinstance(value, dict):
            return (
                "{"
                + ", ".join(f"{a}: {self._shown(value[b], level + 1)}" for a, b in zip(inner, value, strict=True))
                + "}"
            )
        opening, closing = ("[", "]") if isinstance(value, list) else ("(", ",)" if len(inner) == 1 else ")")
        return opening + ", ".join(inner) + closing


def _known(error: Exception) -> Exception:
    """A host's error as the script's."""
    return error if isinstance(error, Thrown) or type(error).__name__ in ERRORS else RuntimeError(str(error))


def _loaded(target: ast.expr) -> ast.expr:
    """The same place, to be read."""
    if isinstance(target, ast.Name):
        return ast.Name(target.id, ast.Load())
    if isinstance(target, ast.Subscript):
        return ast.Subscript(target.value, target.slice, ast.Load())
    return ast.Attribute(target.value, target.attr, ast.Load()) if isinstance(target, ast.Attribute) else target


@lru_cache(maxsize=4096)
def _yields(node: ast.AST) -> bool:
    """Is there a `yield` in it, functions within it aside?"""
    if isinstance(node, ast.Yield | ast.YieldFrom):
        return True
    if isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
        return False
    return any(_yields(child) for child in ast.iter_child_nodes(node))


def _has_own(value: Any) -> bool:
    """Is there an object of the script in a list, tuple or dict, however deep? (It has been weighed.)"""
    todo, seen = [value], set[int]()
    while todo:
        one = todo.pop()
        if isinstance(one, Object):
            return True
        if isinstance(one, list | tuple | dict) and id(one) not in seen:
            seen.add(id(one))
            todo += [*one, *one.values()] if isinstance(one, dict) else one
    return False
