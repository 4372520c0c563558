"""CEL, the expression language of Kubernetes' validation rules and admission policies.

    text ──> syntax.py (tree) ──> checker.py (types, or what is wrong) ──> program.py (closures) ──> value

    compile(text, variables, wanted)   Errors: CompileError, as cel-go tells it
    Program.evaluate(values, budget)   Errors: EvalError; Exhausted when the budget is spent

An evaluation costs steps, not seconds: the same expression and the same values cost the same everywhere, so a world
that ran out of budget once runs out of it again when it is replayed. Nothing here can loop for ever, look at a clock,
or do anything but compute a value.

Mirrors:  github.com/google/cel-go, k8s.io/apiserver/pkg/cel (library, environment)
Left out: estimating the cost of a rule before it runs, protobuf messages, resource.k8s.io's functions.
Read next: syntax.py, values.py, functions.py. Why this is ours: docs/decisions.
"""

from cluster.apiserver.cel.program import Program, compile, name_of
from cluster.apiserver.cel.syntax import CompileError
from cluster.apiserver.cel.values import Budget, EvalError, Exhausted

__all__ = ["Budget", "CompileError", "EvalError", "Exhausted", "Program", "compile", "name_of"]
