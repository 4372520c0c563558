"""What admissionregistration.k8s.io prints.

Mirrors:  kubernetes/pkg/printers/internalversion/printers.go
"""

from cluster.apiserver.table.columns import Column
from cluster.apiserver.table.printer import Printer, field, simple, sizes
from cluster.objects import Manifest

GROUP, UNSET = "admissionregistration.k8s.io", "<unset>"


def _param_kind(policy: Manifest) -> str:
    kind = (policy.get("spec") or {}).get("paramKind")
    return f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind is not None else UNSET


def _param_ref(binding: Manifest) -> str:
    """`namespace/name`; a parameter without namespace may be in any, as far as one can tell from here."""
    reference = (binding.get("spec") or {}).get("paramRef")
    if reference is None:
        return UNSET
    if reference.get("name"):
        return f"{reference.get('namespace') or '*'}/{reference['name']}"
    return _go_selector(reference["selector"]) if reference.get("selector") is not None else UNSET


def _go_selector(selector: Manifest) -> str:
    """As Go prints the pointer to the struct."""
    labels = selector.get("matchLabels") or {}
    expressions = [
        "LabelSelectorRequirement{"
        f"Key:{e.get('key', '')},Operator:{e.get('operator', '')},Values:[{' '.join(e.get('values') or [])}],"
        "}"
        for e in selector.get("matchExpressions") or []
    ]
    shown = "".join(f"{key}: {value}," for key, value in sorted(labels.items()))
    listed = "".join(f"{expression}," for expression in expressions)
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{shown}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{listed}}},}}"
    )


def _hooks() -> Printer:
    text = "Webhooks indicates the number of webhooks registered in this configuration"
    return simple((Column("Webhooks", "integer", text=text), sizes("webhooks")))


def _policy(rules: str, text: str) -> Printer:
    param = "ParamKind specifies the kind of resources used to parameterize this policy"
    return simple(
        (Column(rules, "integer", text=text), lambda obj: len((obj.get("spec") or {}).get(rules.lower()) or [])),
        (Column("ParamKind", text=param), _param_kind),
    )


def _binding() -> Printer:
    policy = "PolicyName indicates the policy definition which the policy binding binded to"
    param = "ParamRef indicates the param resource which sets the configuration param"
    return simple(
        (Column("PolicyName", text=policy), field("spec.policyName")), (Column("ParamRef", text=param), _param_ref)
    )


PRINTERS: dict[tuple[str, str], Printer] = {
    (GROUP, "MutatingWebhookConfiguration"): _hooks(),
    (GROUP, "ValidatingWebhookConfiguration"): _hooks(),
    (GROUP, "ValidatingAdmissionPolicy"): _policy(
        "Validations", "Validations indicates the number of validation rules defined in this configuration"
    ),
    (GROUP, "MutatingAdmissionPolicy"): _policy(
        "Mutations", "Mutation indicates the number of mutations rules defined in this configuration"
    ),
    (GROUP, "ValidatingAdmissionPolicyBinding"): _binding(),
    (GROUP, "MutatingAdmissionPolicyBinding"): _binding(),
}
