"""admissionregistration.k8s.io: who is asked before an object is stored. Webhooks, and policies with their bindings.

Only the kinds: whether a write is sent to a webhook or judged by a policy is admission's business.

Mirrors:  kubernetes/pkg/apis/admissionregistration/{v1/defaults.go, validation/validation.go}
Left out: compiling the expressions of webhooks' matchConditions.
"""

import re
from collections.abc import Iterator
from typing import Any

from cluster.apiserver import policies
from cluster.apiserver.registry.metadata import duplicate, forbidden, invalid, not_supported, raw_invalid, required
from cluster.apiserver.registry.resource import Change, Check, Problem, Resource, Subresource
from cluster.apiserver.registry.rules import (
    as_json,
    choice,
    client_problems,
    condition_problems,
    dns1035,
    dns1035_problems,
    subdomain,
    too_many,
)
from cluster.apiserver.registry.selectors import selector_problems
from cluster.objects import Manifest
from cluster.objects.names import name_problems, qualified_problems

GROUP = "admissionregistration.k8s.io"
FAILURE_POLICIES, MATCH_POLICIES = ("Fail", "Ignore"), ("Equivalent", "Exact")
SCOPES, SIDE_EFFECTS = ("*", "Cluster", "Namespaced"), ("None", "NoneOnDryRun")
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
MUTATING_OPERATIONS = ("*", "CONNECT", "CREATE", "UPDATE")
REINVOCATIONS, REVIEW_VERSIONS = ("IfNeeded", "Never"), ("v1", "v1beta1")
MAX_CONDITIONS, MAX_ANNOTATIONS = 64, 20


# --- defaults ---------------------------------------------------------------------------------------------------


def _default_hooks(**more: Any) -> Change:
    """Webhooks with what they don't say; `more`: what only mutating ones have."""
    missing = {"failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 10, **more}

    def default(configuration: Manifest) -> Manifest:
        hooks = configuration.get("webhooks") or []
        return {**configuration, "webhooks": [_hook(hook, missing) for hook in hooks]} if hooks else configuration

    return default


def _hook(hook: Manifest, missing: Manifest) -> Manifest:
    new = {"namespaceSelector": {}, "objectSelector": {}, **missing, **hook}
    if "rules" in hook:
        new["rules"] = [_scoped(rule) for rule in hook["rules"]]
    service = (hook.get("clientConfig") or {}).get("service")
    if service is not None and "port" not in service:
        new["clientConfig"] = {**hook["clientConfig"], "service": {**service, "port": 443}}
    return new


def _scoped(rule: Manifest) -> Manifest:
    return rule if rule.get("scope") else {**rule, "scope": "*"}


def _default_policy(policy: Manifest) -> Manifest:
    spec = {"failurePolicy": "Fail", **(policy.get("spec") or {})}
    if spec.get("matchConstraints") is not None:
        spec["matchConstraints"] = _matching(spec["matchConstraints"])
    return {**policy, "spec": spec}


def _default_binding(binding: Manifest) -> Manifest:
    spec = binding.get("spec") or {}
    if spec.get("matchResources") is None:
        return binding
    return {**binding, "spec": {**spec, "matchResources": _matching(spec["matchResources"])}}


def _matching(resources: Manifest) -> Manifest:
    new = {"namespaceSelector": {}, "objectSelector": {}, "matchPolicy": "Equivalent", **resources}
    for part in ("resourceRules", "excludeResourceRules"):
        if part in new:
            new[part] = [_scoped(rule) for rule in new[part]]
    return new


# --- rules about what is matched --------------------------------------------------------------------------------


def _rule(rule: Manifest, where: str) -> Iterator[Problem]:
    operations = rule.get("operations") or []
    if not operations:
        yield required(f"{where}.operations")
    yield from _alone(operations, f"{where}.operations", "operations")
    for number, operation in enumerate(operations):
        if operation not in OPERATIONS:
            yield not_supported(f"{where}.operations[{number}]", operation, OPERATIONS)
    for name, what in (("apiGroups", "API groups"), ("apiVersions", "API versions")):
        if not rule.get(name):
            yield required(f"{where}.{name}")
        yield from _alone(rule.get(name) or [], f"{where}.{name}", what)
    for number, version in enumerate(rule.get("apiVersions") or []):
        if not version:
            yield required(f"{where}.apiVersions[{number}]")
    yield from _resources(rule.get("resources") or [], f"{where}.resources")
    scope = rule.get("scope")
    if scope is not None and scope not in SCOPES:
        yield not_supported(f"{where}.scope", scope, SCOPES)


def _alone(values: list[str], where: str, what: str) -> Iterator[Problem]:
    if len(values) > 1 and "*" in values:
        yield raw_invalid(where, as_json(values), f"if '*' is present, must not specify other {what}")


def _resources(resources: list[str], where: str) -> Iterator[Problem]:
    """`pods`, `pods/status`, `pods/*`, `*/status`, `*`, `*/*`: a wider one makes the narrower ones pointless."""
    if not resources:
        yield required(where)
    all_of: dict[str, None] = {}  # x of x/*
    everywhere: dict[str, None] = {}  # x of */x
    plain = False  # The last entry without a sub-resource decides, as in the real one.
    for number, entry in enumerate(resources):
        field = f"{where}[{number}]"
        if not entry:
            yield required(field)
            continue
        resource, slash, part = entry.partition("/")
        if not slash:
            plain = entry != "*"
            continue
        if resource in all_of:
            yield invalid(field, entry, f"if '{resource}/*' is present, must not specify {entry}")
        if part in everywhere:
            yield invalid(field, entry, f"if '*/{part}' is present, must not specify {entry}")
        if part == "*":
            all_of[resource] = None
        if resource == "*":
            everywhere[part] = None
    if len(resources) > 1 and "*/*" in resources:
        yield raw_invalid(where, as_json(resources), "if '*/*' is present, must not specify other resources")
    if "*" in resources and plain:
        message = "if '*' is present, must not specify other resources without subresources"
        yield raw_invalid(where, as_json(resources), message)


def _conditions(conditions: list[Manifest], where: str) -> Iterator[Problem]:
    if len(conditions) > MAX_CONDITIONS:
        yield too_many(where, len(conditions), MAX_CONDITIONS)
    seen: dict[str, None] = {}
    for number, condition in enumerate(conditions):
        name = condition.get("name", "")
        if not condition.get("expression", "").strip():
            yield required(f"{where}[{number}].expression")
        if not name:
            yield required(f"{where}[{number}].name")
        yield from (invalid(f"{where}[{number}].name", name, p) for p in (qualified_problems(name) if name else ()))
        if name in seen:
            yield duplicate(f"{where}[{number}].name", name)
        elif name:
            seen[name] = None


# --- webhook configurations -------------------------------------------------------------------------------------


def _hook_problems(configuration: Manifest) -> list[Problem]:
    found: list[Problem] = []
    names: dict[str, None] = {}
    for number, hook in enumerate(configuration.get("webhooks") or []):
        where, name = f"webhooks[{number}]", hook.get("name", "")
        found += _one_hook(hook, where)
        found += _review_versions(hook.get("admissionReviewVersions") or [], f"{where}.admissionReviewVersions")
        if name in names:
            found.append(duplicate(f"{where}.name", name))
        elif name:
            names[name] = None
    return found


def _one_hook(hook: Manifest, where: str) -> Iterator[Problem]:
    yield from _qualified(f"{where}.name", hook.get("name", ""))
    for number, rule in enumerate(hook.get("rules") or []):
        yield from _rule(rule, f"{where}.rules[{number}]")
    for name, choices in (("failurePolicy", FAILURE_POLICIES), ("matchPolicy", MATCH_POLICIES)):
        if hook[name] not in choices:
            yield not_supported(f"{where}.{name}", hook[name], choices)
    effects = hook.get("sideEffects")
    if effects is None:
        yield required(f"{where}.sideEffects", f"must specify one of {', '.join(SIDE_EFFECTS)}")
    elif effects not in SIDE_EFFECTS:
        yield not_supported(f"{where}.sideEffects", effects, SIDE_EFFECTS)
    if not 1 <= hook["timeoutSeconds"] <= 30:
        message = "the timeout value must be between 1 and 30 seconds"
        yield invalid(f"{where}.timeoutSeconds", hook["timeoutSeconds"], message)
    for name in ("namespaceSelector", "objectSelector"):
        yield from selector_problems(hook.get(name), f"{where}.{name}")
    policy = hook.get("reinvocationPolicy")
    if policy is not None and policy not in REINVOCATIONS:
        yield not_supported(f"{where}.reinvocationPolicy", policy, REINVOCATIONS)
    yield from client_problems(hook.get("clientConfig") or {}, f"{where}.clientConfig")
    yield from _conditions(hook.get("matchConditions") or [], f"{where}.matchConditions")


def _qualified(field: str, name: str) -> list[Problem]:
    """A webhook's name has three parts at least: somebody's own domain is in it."""
    if not name:
        return [required(field)]
    problems = name_problems(name, "subdomain")
    if problems:
        return [invalid(field, name, ",".join(problems))]
    if name.count(".") < 2:
        return [invalid(field, name, "should be a domain with at least three segments separated by dots")]
    return []


def _review_versions(versions: list[str], where: str) -> Iterator[Problem]:
    if not versions:
        yield required(where, f"must specify one of {', '.join(REVIEW_VERSIONS)}")
        return
    for number, version in enumerate(versions):
        if version in versions[:number]:
            yield invalid(f"{where}[{number}]", version, "duplicate version")
            continue
        yield from (invalid(f"{where}[{number}]", version, problem) for problem in dns1035_problems(version))
    if not any(version in REVIEW_VERSIONS for version in versions):
        message = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        yield raw_invalid(where, as_json(versions), message)


# --- policies ---------------------------------------------------------------------------------------------------

_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_RESERVED = (
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let",
    "loop", "package", "namespace", "return", "var", "void", "while",
)  # fmt: skip
REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
MISSING = "validations or auditAnnotations must contain at least one item"


def _policy_head(spec: Manifest, operations: tuple[str, ...]) -> Iterator[Problem]:
    """What both kinds of policies have: when they apply, and the variables of their expressions."""
    policy = spec.get("failurePolicy")
    if policy not in FAILURE_POLICIES:
        yield not_supported("spec.failurePolicy", policy, FAILURE_POLICIES)
    if spec.get("paramKind") is not None:
        yield from _param_kind(spec["paramKind"], "spec.paramKind")
    where, constraints = "spec.matchConstraints", spec.get("matchConstraints")
    if constraints is None:
        yield required(where)
    else:
        yield from _match(constraints, where)
        if not constraints.get("resourceRules"):
            yield required(f"{where}.resourceRules")
        yield from _only(operations, constraints, where)
    yield from _conditions(spec.get("matchConditions") or [], "spec.matchConditions")
    for number, variable in enumerate(spec.get("variables") or []):
        yield from _variable(variable, f"spec.variables[{number}]")


def _only(operations: tuple[str, ...], resources: Manifest, where: str) -> Iterator[Problem]:
    for rule in resources.get("resourceRules") or []:
        for operation in rule.get("operations") or []:
            if operation not in operations:
                yield not_supported(f"{where}.resourceRules.operations", operation, operations)


def _param_kind(kind: Manifest, where: str) -> Iterator[Problem]:
    text, name = kind.get("apiVersion", ""), kind.get("kind", "")
    group, _, version = text.rpartition("/")
    if not text:
        yield required(f"{where}.apiVersion")
    elif text.count("/") > 1:
        yield invalid(f"{where}.apiVersion", text, f"unexpected GroupVersion string: {text}")
    else:
        problems = name_problems(group, "subdomain") if group else ()
        if problems:
            yield invalid(f"{where}.apiVersion", group, ",".join(problems))
        if version:
            yield from dns1035(f"{where}.apiVersion", version)
        else:
            yield invalid(f"{where}.apiVersion", text, "version must be specified")
    if not name:
        yield required(f"{where}.kind")
        return
    problems = dns1035_problems(name.lower())
    if problems:
        message = f"may have mixed case, but should otherwise match: {','.join(problems)}"
        yield invalid(f"{where}.kind", name, message)


def _match(resources: Manifest, where: str) -> Iterator[Problem]:
    if resources["matchPolicy"] not in MATCH_POLICIES:
        yield not_supported(f"{where}.matchPolicy", resources["matchPolicy"], MATCH_POLICIES)
    for name in ("namespaceSelector", "objectSelector"):
        yield from selector_problems(resources[name], f"{where}.{name}")
    for part in ("resourceRules", "excludeResourceRules"):
        for number, rule in enumerate(resources.get(part) or []):
            yield from _named_rule(rule, f"{where}.{part}[{number}]")


def _named_rule(rule: Manifest, where: str) -> Iterator[Problem]:
    names = rule.get("resourceNames") or []
    for number, name in enumerate(names):
        yield from (invalid(f"{where}.resourceNames[{number}]", name, p) for p in name_problems(name, "path"))
        if name in names[:number]:
            yield duplicate(f"{where}.resourceNames[{number}]", name)
    yield from _rule(rule, where)


def _variable(variable: Manifest, where: str) -> Iterator[Problem]:
    name = variable.get("name", "")
    if not name.strip():
        yield required(f"{where}.name", "name is not specified")
    elif not _IDENTIFIER.fullmatch(name) or name in _RESERVED:
        yield invalid(f"{where}.name", name, "must be a valid CEL identifier")
    if not variable.get("expression", "").strip():
        yield required(f"{where}.expression", "expression is not specified")


def _validating_problems(policy: Manifest) -> list[Problem]:
    spec = policy.get("spec") or {}
    found = list(_policy_head(spec, OPERATIONS))
    validations, annotations = spec.get("validations") or [], spec.get("auditAnnotations") or []
    if not validations and not annotations:
        return [*found, required("spec.validations", MISSING), required("spec.auditAnnotations", MISSING)]
    for number, validation in enumerate(validations):
        found += _validation(validation, f"spec.validations[{number}]")
    if len(annotations) > MAX_ANNOTATIONS:
        message = f"must not have more than {MAX_ANNOTATIONS} auditAnnotations"
        found.append(raw_invalid("spec.auditAnnotations", as_json(annotations), message))
    keys: dict[str, None] = {}
    for number, annotation in enumerate(annotations):
        where, key = f"spec.auditAnnotations[{number}]", annotation.get("key", "")
        found += _annotation(policy["metadata"].get("name", ""), annotation, where)
        if key in keys:
            found.append(duplicate(f"{where}.key", key))
        keys[key] = None
    return [*found, *(invalid(place, text, problem) for place, text, problem in policies.problems(spec))]


def _validation(validation: Manifest, where: str) -> Iterator[Problem]:
    message, said = validation.get("message", ""), validation.get("messageExpression", "")
    if not validation.get("expression", "").strip():
        yield required(f"{where}.expression", "expression is not specified")
    if said and not said.strip():
        yield invalid(f"{where}.messageExpression", said, "must be non-empty if specified")
    if message and not message.strip():
        yield invalid(f"{where}.message", message, "must be non-empty if specified")
    elif "\n" in message.strip():
        yield invalid(f"{where}.message", message, "must not contain line breaks")
    reason = validation.get("reason")
    if reason is not None and reason not in REASONS:
        yield not_supported(f"{where}.reason", reason, REASONS)


def _annotation(policy: str, annotation: Manifest, where: str) -> Iterator[Problem]:
    whole = f"{policy}/{annotation.get('key', '')}"  # As it will stand in the audit log.
    yield from (invalid(f"{where}.key", whole, problem) for problem in qualified_problems(whole))
    if not annotation.get("valueExpression", "").strip():
        yield required(f"{where}.valueExpression", "valueExpression is not specified")


def _mutating_problems(policy: Manifest) -> list[Problem]:
    spec = policy.get("spec") or {}
    found = list(_policy_head(spec, MUTATING_OPERATIONS))
    mutations = spec.get("mutations") or []
    if not mutations:
        found.append(required("spec.mutations", "mutations must contain at least one item"))
    for number, mutation in enumerate(mutations):
        found += _mutation(mutation, f"spec.mutations[{number}]")
    found += choice("spec.reinvocationPolicy", spec.get("reinvocationPolicy", ""), REINVOCATIONS)
    return [*found, *(invalid(place, text, problem) for place, text, problem in policies.problems(spec))]


_PARTS = {"JSONPatch": ("jsonPatch", "applyConfiguration"), "ApplyConfiguration": ("applyConfiguration", "jsonPatch")}


def _mutation(mutation: Manifest, where: str) -> Iterator[Problem]:
    kind = mutation.get("patchType", "")
    if kind not in _PARTS:
        yield from choice(f"{where}.patchType", kind, ("ApplyConfiguration", "JSONPatch"))
        return
    wanted, other = _PARTS[kind]
    if mutation.get(wanted) is None:
        yield required(f"{where}.{wanted}", f"must be specified when patchType is {kind}")
    elif not mutation[wanted].get("expression", "").strip():
        yield required(f"{where}.{wanted}.expression")
    if mutation.get(other) is not None:
        yield invalid(f"{where}.{other}", f"{{{other}}}", f"must not be specified when patchType is {kind}")


def _policy_status(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    if subresource != "status":
        return []
    status = new.get("status") or {}
    found: list[Problem] = []
    for number, warning in enumerate((status.get("typeChecking") or {}).get("expressionWarnings") or []):
        for part in ("warning", "fieldRef"):
            if not warning.get(part, "").strip():
                found.append(required(f"status.typeChecking.expressionWarnings[{number}].{part}"))
    return [*found, *condition_problems(status.get("conditions") or [], "status.conditions")]


# --- bindings ---------------------------------------------------------------------------------------------------

ACTIONS = ("Audit", "Deny", "Warn")
TWICE = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API response and"
    " headers serves no purpose)"
)


def _binding_problems(operations: tuple[str, ...], with_actions: bool) -> Check:
    def check(binding: Manifest) -> list[Problem]:
        spec = binding.get("spec") or {}
        name = spec.get("policyName", "")
        found = subdomain("spec.policyName", name) if name else [required("spec.policyName")]
        if spec.get("paramRef") is not None:
            found += _param_ref(spec["paramRef"], "spec.paramRef")
        if spec.get("matchResources") is not None:
            found += _match(spec["matchResources"], "spec.matchResources")
            found += _only(operations, spec["matchResources"], "spec.matchResources")
        if with_actions:
            found += _actions(spec.get("validationActions") or [], "spec.validationActions")
        return found

    return check


def _actions(actions: list[str], where: str) -> Iterator[Problem]:
    for number, action in enumerate(actions):
        if action not in ACTIONS:
            yield not_supported(f"{where}[{number}]", action, ACTIONS)
        if action in actions[:number]:
            yield duplicate(f"{where}[{number}]", action)
    if "Deny" in actions and "Warn" in actions:
        yield raw_invalid(where, as_json(actions), TWICE)
    if not actions:
        yield required(where)


def _param_ref(reference: Manifest, where: str) -> Iterator[Problem]:
    name, selector = reference.get("name", ""), reference.get("selector")
    exclusive = "name and selector are mutually exclusive"
    if name:
        yield from (invalid(f"{where}.name", name, problem) for problem in name_problems(name, "path"))
        if selector is not None:
            yield forbidden(f"{where}.name", exclusive)
    if selector is not None:
        yield from selector_problems(selector, f"{where}.selector")
        if name:
            yield forbidden(f"{where}.selector", exclusive)
    if not name and selector is None:
        yield required(where, "one of name or selector must be specified")
    action = reference.get("parameterNotFoundAction", "")
    yield from choice(f"{where}.parameterNotFoundAction", action, ("Deny", "Allow"))


# --- the kinds --------------------------------------------------------------------------------------------------


def _kind(kind: str, plural: str, default: Change, validate: Check, **more: Any) -> Resource:
    return Resource(
        GROUP, "v1", kind, plural, namespaced=False, categories=("api-extensions",), generation=True,
        unconditional=False, default=default, validate=validate, **more,
    )  # fmt: skip


RESOURCES = (
    _kind(
        "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", _default_hooks(reinvocationPolicy="Never"),
        _hook_problems, spec_fields=("webhooks",),
    ),
    _kind(
        "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", _default_hooks(), _hook_problems,
        spec_fields=("webhooks",),
    ),
    _kind(
        "ValidatingAdmissionPolicy", "validatingadmissionpolicies", _default_policy, _validating_problems,
        has_status=True, subresources={"status": Subresource("ValidatingAdmissionPolicy")},
        on_create=lambda policy: {**policy, "status": {}}, validate_update=_policy_status,
    ),
    _kind(
        "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", _default_binding,
        _binding_problems(OPERATIONS, with_actions=True),
    ),
    _kind("MutatingAdmissionPolicy", "mutatingadmissionpolicies", _default_policy, _mutating_problems),
    _kind(
        "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", _default_binding,
        _binding_problems(MUTATING_OPERATIONS, with_actions=False),
    ),
)  # fmt: skip
