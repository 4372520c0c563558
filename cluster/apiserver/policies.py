"""The environment in which policies' expressions are compiled: which variables there are, and of which types.

    object, oldObject, params, namespaceObject    whatever they are: checked when evaluated
    request, variables, authorizer                known

Mirrors:  k8s.io/apiserver/pkg/admission/plugin/cel (compile.go), pkg/cel/library/authz.go
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from cluster.apiserver import cel
from cluster.apiserver.cel import Budget, CompileError, EvalError
from cluster.apiserver.cel.functions import FIELDS, add, add_member
from cluster.apiserver.cel.values import Opaque
from cluster.objects import Manifest

EXPRESSION_LIMIT, POLICY_LIMIT = 200_000, 400_000  # Steps of one expression, and of one policy with one binding.


class Shape:
    """An object type with these fields."""

    def __init__(self, title: str, **fields: Any) -> None:
        self.title, self.fields = title, fields

    def field(self, name: str) -> Any:
        return self.fields.get(name)

    def __str__(self) -> str:
        return self.title


_KIND = Shape("kubernetes.GroupVersionKind", group="string", version="string", kind="string")
_RESOURCE = Shape("kubernetes.GroupVersionResource", group="string", version="string", resource="string")
_USER = Shape(
    "kubernetes.UserInfo", username="string", uid="string", groups=("list", "string"),
    extra=("map", "string", ("list", "string")),
)  # fmt: skip
REQUEST = Shape(
    "kubernetes.AdmissionRequest", kind=_KIND, resource=_RESOURCE, subResource="string", requestKind=_KIND,
    requestResource=_RESOURCE, requestSubResource="string", name="string", namespace="string", operation="string",
    userInfo=_USER, dryRun="bool", options="dyn",
)  # fmt: skip
MESSAGES: dict[str, tuple[str, ...] | None] = {"Object": None, "JSONPatch": ("op", "path", "from", "value")}
TYPES: dict[str, Any] = {
    "object": "dyn", "oldObject": "dyn", "request": REQUEST, "namespaceObject": "dyn", "authorizer": "authorizer",
}  # fmt: skip


@lru_cache(maxsize=2048)
def compiled(
    text: str, wanted: tuple[Any, ...], has_params: bool, variables: tuple[tuple[str, Any], ...]
) -> cel.Program:
    """One expression of a policy. `variables`: names and types of those before it. Errors: CompileError."""
    known = Shape("kubernetes.variables")
    known.fields = dict(variables)
    types = {**TYPES, "variables": known, **({"params": "dyn"} if has_params else {})}
    return cel.compile(text, types, wanted, MESSAGES)


def expressions(spec: Manifest) -> list[tuple[str, str, tuple[Any, ...]]]:
    """(place, text, what it may be) of every expression of a policy, of either kind, but its variables."""
    found: list[tuple[str, str, tuple[Any, ...]]] = []
    for number, each in enumerate(spec.get("matchConditions") or []):
        found.append((f"spec.matchConditions[{number}].expression", each.get("expression", ""), ("bool",)))
    for number, each in enumerate(spec.get("validations") or []):
        found.append((f"spec.validations[{number}].expression", each.get("expression", ""), ("bool",)))
        found.append((f"spec.validations[{number}].messageExpression", each.get("messageExpression", ""), ("string",)))
    for number, each in enumerate(spec.get("auditAnnotations") or []):
        wanted = ("string", "null_type")
        found.append((f"spec.auditAnnotations[{number}].valueExpression", each.get("valueExpression", ""), wanted))
    for number, each in enumerate(spec.get("mutations") or []):
        for part, made in (("jsonPatch", ("list", "dyn")), ("applyConfiguration", "dyn")):
            text = (each.get(part) or {}).get("expression", "")
            found.append((f"spec.mutations[{number}].{part}.expression", text, (made,)))
    return [(place, text, wanted) for place, text, wanted in found if text.strip()]


def types_of(spec: Manifest) -> tuple[tuple[str, Any], ...]:
    """Names and types of a policy's variables; each may use those before it. Errors: CompileError."""
    known: tuple[tuple[str, Any], ...] = ()
    for each in spec.get("variables") or []:
        program = compiled(each.get("expression", ""), (), spec.get("paramKind") is not None, known)
        known = (*known, (each.get("name", ""), program.type))
    return known


def problems(spec: Manifest) -> list[tuple[str, str, str]]:
    """(place, text, problem) of every expression that does not compile."""
    has_params, found = spec.get("paramKind") is not None, []
    known: tuple[tuple[str, Any], ...] = ()
    for number, each in enumerate(spec.get("variables") or []):
        text = each.get("expression", "")
        try:
            made = compiled(text, (), has_params, known).type if text.strip() else "dyn"
        except CompileError as error:
            found.append((f"spec.variables[{number}].expression", text, f"compilation failed: {error}"))
            made = "dyn"
        known = (*known, (each.get("name", ""), made))
    for place, text, wanted in expressions(spec):
        if ".matchConditions[" in place:
            known_here: tuple[tuple[str, Any], ...] = ()
        else:
            known_here = known
        try:
            compiled(text, wanted, has_params, known_here)
        except CompileError as error:
            told = str(error)
            if ": must evaluate to" in told:
                told = f"must evaluate to {' or '.join(map(cel.name_of, wanted))}"
            else:
                told = f"compilation failed: {told}"
            found.append((place, text, told))
    return found


class Lazy(dict):  # type: ignore[type-arg]
    """Values that are computed when somebody looks, once: a policy's `variables`."""

    def __init__(self, makers: Mapping[str, Callable[[], Any]]) -> None:
        super().__init__()
        self._makers = makers

    def __contains__(self, key: object) -> bool:
        return key in self._makers

    def __getitem__(self, key: str) -> Any:
        if not dict.__contains__(self, key):
            self[key] = self._makers[key]()
        return super().__getitem__(key)


# --- authorizer -------------------------------------------------------------------------------------------------


class Question(NamedTuple):
    """What is asked about, so far. `decide(user, question, verb) -> (allowed, reason)`."""

    decide: Callable[["Question", str], tuple[bool, str]]
    account: str = ""  # User name of the service account that is asked about; empty: who sent the request.
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    target: tuple[str, str, str, str, str] = ("", "", "", "", "")  # Group … name of the request itself.

    @property
    def fields(self) -> dict[str, Any]:
        group, resource, subresource, namespace, name = self.target
        asked = self._replace(group=group, resource=resource, subresource=subresource, namespace=namespace, name=name)
        return {"requestResource": Opaque("resourcecheck", asked)}


def _with(part: str, type_: str) -> Callable[..., Any]:
    return lambda budget, asked, value: Opaque(type_, asked.content._replace(**{part: value}))


def _account(budget: Budget, asked: Opaque, namespace: str, name: str) -> Opaque:
    return Opaque("authorizer", asked.content._replace(account=f"system:serviceaccount:{namespace}:{name}"))


def _path(budget: Budget, asked: Opaque, path: str) -> Opaque:
    if not path:
        raise EvalError("path must not be empty")
    return Opaque("pathcheck", asked.content._replace(path=path))


def _check(budget: Budget, asked: Opaque, verb: str) -> Opaque:
    budget.spend(1_000)
    return Opaque("decision", asked.content.decide(asked.content, verb))


def _escaped_key(budget: Budget, key: str) -> str:
    budget.spend(len(key) // 10)
    return key.replace("~", "~0").replace("/", "~1")


add("jsonpatch.escapeKey", ("string",), "string", _escaped_key)
add_member("path", ("authorizer", "string"), "pathcheck", _path)
add_member("serviceAccount", ("authorizer", "string", "string"), "authorizer", _account)
add_member("group", ("authorizer", "string"), "groupcheck", _with("group", "groupcheck"))
add_member("resource", ("groupcheck", "string"), "resourcecheck", _with("resource", "resourcecheck"))
for _part in ("subresource", "namespace", "name"):
    add_member(_part, ("resourcecheck", "string"), "resourcecheck", _with(_part, "resourcecheck"))
for _type in ("pathcheck", "resourcecheck"):
    add_member("check", (_type, "string"), "decision", _check)
add_member("allowed", ("decision",), "bool", lambda budget, a: a.content[0])
add_member("reason", ("decision",), "string", lambda budget, a: a.content[1])
add_member("errored", ("decision",), "bool", lambda budget, a: False)
add_member("error", ("decision",), "string", lambda budget, a: "")
FIELDS["authorizer"] = {"requestResource": "resourcecheck"}
