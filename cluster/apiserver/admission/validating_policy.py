"""ValidatingAdmissionPolicy: rules in CEL about any request, written by the cluster's administrators.

A policy says what is checked, a binding where and how hard (Deny, Warn, Audit), and perhaps with which parameters: any
object, of any kind. Without a binding a policy does nothing.

    matchConstraints → matchResources → params → matchConditions → validations → decision

A cluster without policies pays one look into a dict a request.

Mirrors:  k8s.io/apiserver/pkg/admission/plugin/policy/{generic,validating}
Left out: audit annotations go nowhere, as there is no audit log.
Read next: cluster/apiserver/policies.py for what an expression may use.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from cluster.apiserver import cel, policies, registry
from cluster.apiserver.admission.attributes import CREATE, Attributes
from cluster.apiserver.admission.plugin import ANY, Plugin
from cluster.apiserver.authorization import Ask
from cluster.apiserver.cel import Budget, CompileError, EvalError, Exhausted
from cluster.apiserver.cel.values import Opaque
from cluster.apiserver.policies import EXPRESSION_LIMIT, POLICY_LIMIT, Lazy, Question
from cluster.apiserver.registry import Resource
from cluster.objects import Manifest, errors, labels, meta, users

POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
OWN_GROUP = "admissionregistration.k8s.io"  # Policies never judge policies: nobody could mend a bad one.
NEVER = ("tokenreviews", "selfsubjectreviews", "subjectaccessreviews", "selfsubjectaccessreviews",
         "localsubjectaccessreviews", "selfsubjectrulesreviews")  # fmt: skip
CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}
MOST_PARAMS = 100  # Objects that a binding may judge one request with.


class Denial(NamedTuple):
    """Why a request fails a policy. `reason`: of the answer."""

    message: str
    reason: str = ""


def check(server: Any, attributes: Attributes) -> None:
    """Errors: Forbidden, Invalid … as the policy says."""
    found = server.informers.kind(POLICY).objects
    if not found:
        return
    resource = attributes.resource
    if resource.group == OWN_GROUP or resource.plural in NEVER:
        return
    bindings = server.informers.list(BINDING)
    for policy in server.informers.list(POLICY):
        for binding in bindings:
            if (binding.get("spec") or {}).get("policyName") == meta.name(policy):
                _judge(server, attributes, policy, binding)


def _judge(server: Any, attributes: Attributes, policy: Manifest, binding: Manifest) -> None:
    """One policy as one binding wants it."""
    spec = policy["spec"]
    seen = as_matched(server, attributes, spec.get("matchConstraints"))
    if seen is None or not matches(server, attributes, binding["spec"].get("matchResources"), seen, True):
        return
    try:
        found = parameters(server, attributes, spec, binding["spec"])
    except NoParameters as error:
        denials = [] if spec.get("failurePolicy") == "Ignore" else [Denial(str(error))]
        _conclude(attributes, policy, binding, denials)
        return
    for params in found:
        _conclude(attributes, policy, binding, _denials(server, attributes, policy, params, seen))


def _conclude(attributes: Attributes, policy: Manifest, binding: Manifest, denials: list[Denial]) -> None:
    """Deny with the first, or warn of all. Errors: ApiError."""
    actions = binding["spec"].get("validationActions") or []
    if denials and "Deny" in actions:
        names = f"ValidatingAdmissionPolicy '{meta.name(policy)}' with binding '{meta.name(binding)}'"
        raise refusal(attributes, f"{names} denied request: {denials[0].message}", denials[0].reason or "Invalid")
    if "Warn" in actions:
        words = f"Validation failed for ValidatingAdmissionPolicy '{meta.name(policy)}'"
        attributes.warnings += [f"{words} with binding '{meta.name(binding)}': {each.message}" for each in denials]


def refusal(attributes: Attributes, message: str, reason: str) -> errors.ApiError:
    resource = attributes.resource
    error = errors.Forbidden(resource.group, resource.plural, attributes.name, message, [{"message": message}])
    error.status, error.reason = CODES.get(reason, 422), reason
    return error


# --- which requests ---------------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """The request as a rule matched it: perhaps as another version of its kind."""

    resource: Resource
    obj: Manifest | None
    old: Manifest | None


def as_matched(server: Any, attributes: Attributes, rules: Manifest | None) -> Seen | None:
    """The request, if the policy is about it."""
    created = attributes.operation == CREATE
    plain = Seen(attributes.resource, attributes.obj if attributes.operation != "delete" else None,
                 None if created else attributes.old or attributes.obj)  # fmt: skip
    if matches(server, attributes, rules, plain, False):
        return _presented(plain, attributes.resource)
    if (rules or {}).get("matchPolicy") == "Exact":
        return None
    for other in server.kinds.resources:
        if other.cache == attributes.resource.cache and other.api_version != attributes.resource.api_version:
            same = plain._replace(resource=other)
            if matches(server, attributes, rules, same, False):
                return _presented(same, other)
    return None


def _presented(seen: Seen, resource: Resource) -> Seen:
    obj = registry.present(resource, seen.obj) if seen.obj is not None else None
    return Seen(resource, obj, registry.present(resource, seen.old) if seen.old is not None else None)


def matches(server: Any, attributes: Attributes, rules: Manifest | None, seen: Seen, is_binding: bool) -> bool:
    """`rules`: MatchResources. A binding without rules about resources takes what its policy takes."""
    if rules is None:
        return is_binding
    resource, name = seen.resource, attributes.name
    if any(_is_meant(rule, attributes, resource, name) for rule in rules.get("excludeResourceRules") or ()):
        return False
    wanted = rules.get("resourceRules") or ()
    if (wanted or not is_binding) and not any(_is_meant(rule, attributes, resource, name) for rule in wanted):
        return False
    return _namespace_fits(server, attributes, rules.get("namespaceSelector")) and _object_fits(
        rules.get("objectSelector"), seen
    )


def _is_meant(rule: Manifest, attributes: Attributes, resource: Resource, name: str) -> bool:
    names = rule.get("resourceNames") or ()
    full = f"{resource.plural}/{attributes.subresource}" if attributes.subresource else resource.plural
    scope = rule.get("scope") or "*"
    return (
        (not names or name in names)
        and _listed(rule.get("operations"), attributes.operation.upper())
        and _listed(rule.get("apiGroups"), resource.group)
        and _listed(rule.get("apiVersions"), resource.version)
        and scope in ("*", "Namespaced" if resource.namespaced else "Cluster")
        and any(_is_resource(each, full) for each in rule.get("resources") or ())
    )


def _listed(choices: list[str] | None, value: str) -> bool:
    return bool(choices) and ("*" in choices or value in choices)  # type: ignore[operator]


def _is_resource(pattern: str, full: str) -> bool:
    if pattern in ("*/*", full):
        return True
    plural, _, part = full.partition("/")
    wanted, slash, wanted_part = pattern.partition("/")
    if wanted not in ("*", plural):
        return False
    return wanted_part in ("*", part) if slash else not part


def _namespace_fits(server: Any, attributes: Attributes, selector: Manifest | None) -> bool:
    if not selector:
        return True
    if attributes.resource.cache == "Namespace":
        return labels.matches(selector, meta.labels(attributes.obj or attributes.old or {}))
    if not attributes.namespace:
        return True
    namespace = server.informers.get("Namespace", "", attributes.namespace)
    return namespace is not None and labels.matches(selector, meta.labels(namespace))


def _object_fits(selector: Manifest | None, seen: Seen) -> bool:
    if not selector:
        return True
    return any(labels.matches(selector, meta.labels(each)) for each in (seen.obj, seen.old) if each is not None)


# --- parameters -------------------------------------------------------------------------------------------------


class NoParameters(Exception):
    """The binding's parameters can't be had, and it says that this is a failure."""


def parameters(server: Any, attributes: Attributes, spec: Manifest, binding: Manifest) -> list[Manifest | None]:
    """What the policy is evaluated with, once each; none: the policy does not apply. Errors: NoParameters."""
    kind, reference = spec.get("paramKind"), binding.get("paramRef")
    if not kind or not reference:
        return [None]
    wrong = "failed to configure binding: "
    resource = server.kinds.find(kind.get("kind", ""), kind.get("apiVersion", ""))
    if resource is None:
        raise NoParameters(f"failed to configure policy: failed to find resource referenced by paramKind: '{kind}'")
    namespace = reference.get("namespace", "")
    if resource.namespaced and not namespace:
        namespace = attributes.namespace
        if not namespace:
            raise NoParameters(f"{wrong}cannot use namespaced paramRef in policy binding that matches cluster-scoped"
                                " resources")  # fmt: skip
    elif not resource.namespaced and namespace:
        raise NoParameters(f"{wrong}paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
    found = _referenced(server, resource, namespace, reference)
    if not found and reference.get("parameterNotFoundAction", "Deny") == "Deny":
        raise NoParameters(f"{wrong}no params found for policy binding with `Deny` parameterNotFoundAction")
    return [registry.present(resource, each) for each in found[:MOST_PARAMS]]


def _referenced(server: Any, resource: Resource, namespace: str, reference: Manifest) -> list[Manifest]:
    if reference.get("name"):
        one = server.informers.get(resource.cache, namespace if resource.namespaced else "", reference["name"])
        return [one] if one is not None else []
    selector = reference.get("selector")
    listed = server.informers.list(resource.cache, namespace or None)
    return [each for each in listed if not selector or labels.matches(selector, meta.labels(each))]


# --- evaluation -------------------------------------------------------------------------------------------------


def _denials(
    server: Any, attributes: Attributes, policy: Manifest, params: Manifest | None, seen: Seen
) -> list[Denial]:
    """Every validation that fails; errors count as the policy's failurePolicy says."""
    spec, budget = policy["spec"], Budget(POLICY_LIMIT)
    strict = spec.get("failurePolicy") != "Ignore"
    run = Evaluation(spec, variables_of(server, attributes, params, seen), budget)
    try:
        if not all(run.value(each["expression"], ("bool",), False) for each in spec.get("matchConditions") or ()):
            return []
    except (CompileError, EvalError, Exhausted) as error:
        return [Denial(problem_of(error))] if strict else []
    return list(_failed(spec, run, strict))


def meets(server: Any, attributes: Attributes, conditions: list[Manifest], resource: Resource) -> bool:
    """Do all matchConditions hold for the request as that version? One that says no counts before one that fails.

    Errors: Forbidden, saying which could not be decided.
    """
    created, gone = attributes.operation == CREATE, attributes.operation == "delete"
    seen = Seen(resource, None if gone else attributes.obj, None if created else attributes.old or attributes.obj)
    variables = variables_of(server, attributes, None, _presented(seen, resource))
    run, problems = Evaluation({}, variables, Budget(POLICY_LIMIT)), []
    for condition in conditions:
        try:
            if run.value(condition["expression"], ("bool",), False) is not True:
                return False
        except (CompileError, EvalError, Exhausted) as error:
            problems.append(problem_of(error))
    if problems:
        listed = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
        raise errors.Forbidden(attributes.resource.group, attributes.resource.plural, attributes.name, listed)
    return True


def _failed(spec: Manifest, run: "Evaluation", strict: bool) -> Iterator[Denial]:
    for validation in spec.get("validations") or ():
        text = validation["expression"].strip()
        try:
            if run.value(validation["expression"], ("bool",)) is True:
                continue
        except (CompileError, EvalError) as error:
            if strict:
                yield Denial(f"expression '{text}' resulted in error: {problem_of(error)}")
            continue
        except Exhausted as error:
            if strict:
                yield Denial(problem_of(error))
            return
        yield Denial(_message(validation, run), validation.get("reason") or "")


def _message(validation: Manifest, run: "Evaluation") -> str:
    plain = (validation.get("message") or "").strip() or f"failed expression: {validation['expression'].strip()}"
    if not validation.get("messageExpression"):
        return plain
    try:
        made = run.value(validation["messageExpression"], ("string",))
    except (CompileError, EvalError, Exhausted):
        return plain
    usable = isinstance(made, str) and made.strip() and "\n" not in made and len(made) <= 5_120
    return made.strip() if usable else plain


def problem_of(error: Exception) -> str:
    if isinstance(error, Exhausted):
        return "validation failed due to running out of cost budget, no further validation rules will be run"
    return str(error)


class Evaluation:
    """One policy on one request: its variables are computed when they are looked at, once."""

    def __init__(self, spec: Manifest, variables: dict[str, Any], budget: Budget) -> None:
        self.spec, self.budget, self.variables = spec, budget, variables
        self.has_params = spec.get("paramKind") is not None
        names = {each["name"]: each["expression"] for each in spec.get("variables") or ()}
        makers = {name: lambda text=text: self.value(text, ()) for name, text in names.items()}
        self.variables["variables"] = Lazy(makers)

    def value(self, text: str, wanted: tuple[Any, ...], with_variables: bool = True) -> Any:
        """Errors: CompileError, EvalError, Exhausted."""
        known = policies.types_of(self.spec) if with_variables else ()
        program: cel.Program = policies.compiled(text, wanted, self.has_params, known)
        own = Budget(min(EXPRESSION_LIMIT, self.budget.left))
        try:
            return program.evaluate(self.variables, own)
        finally:
            self.budget.left -= own.limit - max(own.left, 0)


def variables_of(server: Any, attributes: Attributes, params: Manifest | None, seen: Seen) -> dict[str, Any]:
    namespace = server.informers.get("Namespace", "", attributes.namespace) if attributes.namespace else None
    return {
        "object": seen.obj,
        "oldObject": seen.old,
        "params": params,
        "namespaceObject": namespace,
        "request": _request(attributes, seen),
        "authorizer": Opaque("authorizer", _question(server, attributes)),
    }


def _request(attributes: Attributes, seen: Seen) -> Manifest:
    asked, resource = attributes.resource, seen.resource
    return {
        "kind": _kind(resource),
        "resource": {"group": resource.group, "version": resource.version, "resource": resource.plural},
        "subResource": attributes.subresource,
        "requestKind": _kind(asked),
        "requestResource": {"group": asked.group, "version": asked.version, "resource": asked.plural},
        "requestSubResource": attributes.subresource,
        "name": attributes.name,
        "namespace": attributes.namespace,
        "operation": attributes.operation.upper(),
        "userInfo": {"uid": "", "groups": [], "extra": {}, **attributes.user.info()},
        "dryRun": attributes.dry_run,
        "options": {},
    }


def _kind(resource: Resource) -> Manifest:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _question(server: Any, attributes: Attributes) -> Question:
    """`authorizer`: what the sender of the request, or a service account, may do."""

    def decide(asked: Question, verb: str) -> tuple[bool, str]:
        user = users.named(asked.account) if asked.account else attributes.user
        if asked.path:
            answer = server.authorizer.decide(Ask(user, verb, path=asked.path))
        else:
            where = {"group": asked.group, "version": "*", "resource": asked.resource, "subresource": asked.subresource}
            answer = server.authorizer.decide(Ask(user, verb, **where, namespace=asked.namespace, name=asked.name))
        return answer.allowed, answer.reason

    resource = attributes.resource
    target = (resource.group, resource.plural, attributes.subresource, attributes.namespace, attributes.name)
    return Question(decide, target=target)


PLUGIN = Plugin("ValidatingAdmissionPolicy", validate=check, subresources=ANY)
