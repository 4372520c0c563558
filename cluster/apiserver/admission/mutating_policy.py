"""MutatingAdmissionPolicy: changes in CEL to any request, written by the cluster's administrators.

    ApplyConfiguration   Object{metadata: Object.metadata{labels: {"a": "b"}}}    laid over the object
    JSONPatch            [JSONPatch{op: "add", path: "/metadata/labels/a", value: "b"}]

What is matched, and with which parameters, is the same as for validating policies. A policy that wants to be asked
again (reinvocationPolicy IfNeeded) is, once, if one after it changed something.

Mirrors:  k8s.io/apiserver/pkg/admission/plugin/policy/mutating (plugin.go, dispatcher.go, patch)
Read next: validating_policy.py, patches/structured.py.
"""

import math
from base64 import b64encode
from typing import Any

from cluster.apiserver import registry
from cluster.apiserver.admission import validating_policy as validating
from cluster.apiserver.admission.attributes import CREATE, UPDATE, Attributes
from cluster.apiserver.admission.plugin import ANY, Plugin
from cluster.apiserver.cel import Budget, CompileError, EvalError, Exhausted
from cluster.apiserver.cel import functions as cel_functions
from cluster.apiserver.cel.values import Optional, Uint, number
from cluster.apiserver.patches import jsonpatch, structured
from cluster.apiserver.policies import POLICY_LIMIT
from cluster.objects import Manifest, errors, meta

POLICY, BINDING = "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"
MOST_OPERATIONS = 1_000


def change(server: Any, attributes: Attributes) -> Manifest:
    """The object as all policies want it. Errors: as a policy's failurePolicy says."""
    if not server.informers.kind(POLICY).objects:
        return attributes.obj
    resource = attributes.resource
    if resource.group == validating.OWN_GROUP or resource.plural in validating.NEVER:
        return attributes.obj
    listed, bindings = server.informers.list(POLICY), server.informers.list(BINDING)
    changed_last = _round(server, attributes, listed, bindings)
    again = [each for each in listed[:changed_last] if each["spec"].get("reinvocationPolicy") == "IfNeeded"]
    if again:
        _round(server, attributes, again, bindings)
    return attributes.obj


def _round(server: Any, attributes: Attributes, listed: list[Manifest], bindings: list[Manifest]) -> int:
    """Apply each policy. Returns how many come before the last one that changed something."""
    last = 0
    for number_, policy in enumerate(listed):
        for binding in bindings:
            if (binding.get("spec") or {}).get("policyName") != meta.name(policy):
                continue
            before = attributes.obj
            attributes.obj = _applied(server, attributes, policy, binding)
            if attributes.obj != before:
                last = number_
    return last


def _applied(server: Any, attributes: Attributes, policy: Manifest, binding: Manifest) -> Manifest:
    """The object as one policy with one binding wants it."""
    spec = policy["spec"]
    seen = validating.as_matched(server, attributes, spec.get("matchConstraints"))
    wanted = binding["spec"].get("matchResources")
    if seen is None or seen.obj is None or not validating.matches(server, attributes, wanted, seen, True):
        return attributes.obj
    try:
        for params in validating.parameters(server, attributes, spec, binding["spec"]):
            seen = validating.as_matched(server, attributes, spec.get("matchConstraints"))
            if seen is not None:
                attributes.obj = _mutated(server, attributes, spec, params, seen)
    except (CompileError, EvalError, Exhausted, structured.Atomic, validating.NoParameters, errors.ApiError) as error:
        if spec.get("failurePolicy") == "Ignore":
            return attributes.obj
        names = f"policy '{meta.name(policy)}' with binding '{meta.name(binding)}'"
        told = error.message if isinstance(error, errors.ApiError) else validating.problem_of(error)
        raise validating.refusal(attributes, f"{names} denied request: {told}", "Invalid") from error
    return attributes.obj


def _mutated(
    server: Any, attributes: Attributes, spec: Manifest, params: Manifest | None, seen: validating.Seen
) -> Manifest:
    """All mutations, one after the other. Errors: EvalError, Exhausted, Atomic, ApiError."""
    variables = validating.variables_of(server, attributes, params, seen)
    run = validating.Evaluation(spec, variables, Budget(POLICY_LIMIT))
    if not all(run.value(each["expression"], ("bool",), False) for each in spec.get("matchConditions") or ()):
        return attributes.obj
    resource, obj = seen.resource, seen.obj
    for mutation in spec.get("mutations") or ():
        if mutation.get("patchType") == "JSONPatch":
            made = plain(run.value(mutation["jsonPatch"]["expression"], (("list", "dyn"),)), run.budget)
            if not isinstance(made, list) or len(made) > MOST_OPERATIONS:
                raise EvalError(f"a JSON patch is a list of at most {MOST_OPERATIONS} operations")
            changed = jsonpatch.apply(obj, made)
        else:
            made = plain(run.value(mutation["applyConfiguration"]["expression"], ("dyn",)), run.budget)
            if not isinstance(made, dict):
                raise EvalError("an apply configuration must be an Object")
            changed = structured.merged(obj, made, registry.type_of(resource))
        if not isinstance(changed, dict) or not isinstance(changed.get("metadata"), dict):
            raise EvalError("the patched object is no object")
        for part in ("kind", "apiVersion"):
            if changed.get(part) != obj[part]:  # type: ignore[index]
                raise EvalError(f"a policy may not change {part}")
        obj = registry.default(resource, registry.decode(resource, changed).obj)
        run = validating.Evaluation(spec, {**variables, "object": obj}, run.budget)
    return registry.store_form(resource, obj)  # type: ignore[arg-type]


def plain(value: Any, budget: Budget) -> Any:
    """A value of CEL as JSON. Errors: EvalError; Exhausted, as parts that stand in many places are written there."""
    budget.spend()
    if isinstance(value, dict):
        return {str(key): plain(each, budget) for key, each in value.items() if not _is_absent(each)}
    if isinstance(value, list):
        return [plain(each, budget) for each in value if not _is_absent(each)]
    if isinstance(value, Optional):
        return plain(value.value, budget)
    if isinstance(value, float) and not math.isfinite(value):
        raise EvalError("a number that JSON does not have")
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Uint):
        return number(value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return cel_functions.text(value)


def _is_absent(value: Any) -> bool:
    return isinstance(value, Optional) and not value.present


PLUGIN = Plugin("MutatingAdmissionPolicy", mutate=change, operations=(CREATE, UPDATE), subresources=ANY)
