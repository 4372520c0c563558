"""Pod specs: what is refused, in the real words and in the real order.

A template's spec and a pod's own follow the same rules; what was defaulted is already there (podspec.py).

Mirrors:  kubernetes/pkg/apis/core/validation/validation.go (ValidatePodSpec, ValidatePodUpdate)
Left out: Windows.
Read next: podvolumes.py and podcontext.py for volumes and for what surrounds the containers; podparts.py for changes.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from cluster.apiserver.registry import podcontext, podparts, podvolumes
from cluster.apiserver.registry.metadata import (
    duplicate,
    forbidden,
    invalid,
    label_problems,
    not_found,
    not_supported,
    raw_invalid,
    required,
)
from cluster.apiserver.registry.resource import Problem
from cluster.apiserver.registry.selectors import selector_problems, shown
from cluster.objects import Manifest, quantity
from cluster.objects.names import name_problems, qualified_problems

RESTART = ("Always", "OnFailure", "Never")
DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
PULL = ("Always", "IfNotPresent", "Never")
PROTOCOLS = ("SCTP", "TCP", "UDP")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
MESSAGES = ("FallbackToLogsOnError", "File")
PREEMPTION, SYSTEMS = ("Never", "PreemptLowerPriority"), ("linux", "windows")
PROPAGATION = ("Bidirectional", "HostToContainer", "None")
STANDARD = ("cpu", "memory", "ephemeral-storage")
HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
NODE_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
POD_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
MAX_PORT, MAX_INT = 65535, 2**31 - 1
ENV_NAME = "a valid environment variable name must consist only of printable ASCII characters other than '='"
KEYLESS = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
_SUBSCRIPTED = re.compile(r"metadata\.(labels|annotations)\['.+'\]")


def in_range(value: int, low: int, high: int) -> str:
    """What is wrong with a number that must lie between two others; empty if nothing is."""
    return "" if low <= value <= high else f"must be between {low} and {high}, inclusive"


def problems(spec: Manifest, where: str = "spec") -> list[Problem]:
    """Every problem of a pod spec, in the order in which the real validation finds them."""
    found = [*podvolumes.problems(spec.get("volumes") or [], f"{where}.volumes")]
    found += podcontext.resource_claims(spec.get("resourceClaims") or [], f"{where}.resourceClaims")
    if not spec.get("containers"):
        found.append(required(f"{where}.containers"))
    taken: set[str] = set()
    around = Around.of(spec)
    for kind in ("containers", "initContainers"):
        for number, container in enumerate(spec.get(kind) or []):
            found += _container(container, f"{where}.{kind}[{number}]", taken, around, kind == "initContainers")
    found += podparts.ephemeral_problems(spec, f"{where}.ephemeralContainers", taken)
    if spec.get("restartPolicy") not in RESTART:
        found.append(not_supported(f"{where}.restartPolicy", spec.get("restartPolicy", ""), RESTART))
    if spec.get("dnsPolicy") not in DNS:
        found.append(not_supported(f"{where}.dnsPolicy", spec.get("dnsPolicy", ""), DNS))
    found += label_problems(spec.get("nodeSelector") or {}, f"{where}.nodeSelector")
    found += podcontext.of_pod(spec, where)
    found += _affinity(spec.get("affinity") or {}, f"{where}.affinity")
    found += podcontext.dns(spec, f"{where}.dnsConfig")
    found += _readiness_gates(spec.get("readinessGates") or [], f"{where}.readinessGates")
    found += _gates(spec, where)
    found += _spreading(spec.get("topologySpreadConstraints") or [], f"{where}.topologySpreadConstraints")
    found += _names(spec, where)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and (problem := in_range(deadline, 1, MAX_INT)):
        found.append(invalid(f"{where}.activeDeadlineSeconds", deadline, problem))
    found += _tolerations(spec.get("tolerations") or [], f"{where}.tolerations")
    found += podcontext.host_aliases(spec.get("hostAliases") or [], f"{where}.hostAliases")
    found += _choices(spec, where)
    return found


class Around(NamedTuple):
    """What a container's rules look at outside of it. `grace`: seconds that the pod has to end."""

    volumes: frozenset[str]
    claims: frozenset[str]
    host_network: bool
    grace: int

    @classmethod
    def of(cls, spec: Manifest) -> "Around":
        volumes, claims = (
            frozenset(one.get("name", "") for one in spec.get(part) or []) for part in ("volumes", "resourceClaims")
        )
        grace = spec.get("terminationGracePeriodSeconds")
        return cls(volumes, claims, bool(spec.get("hostNetwork")), 30 if grace is None else grace)


def _readiness_gates(gates: list[Manifest], where: str) -> Iterator[Problem]:
    for number, gate in enumerate(gates):
        kind = gate.get("conditionType", "")
        yield from (invalid(f"{where}[{number}].conditionType", kind, p) for p in qualified_problems(kind))


def _choices(spec: Manifest, where: str) -> Iterator[Problem]:
    """Names of classes, and words of which only some are known."""
    for name in ("priorityClassName", "runtimeClassName"):
        if value := spec.get(name):
            yield from (invalid(f"{where}.{name}", value, problem) for problem in name_problems(value, "subdomain"))
    if spec.get("preemptionPolicy") is not None and spec["preemptionPolicy"] not in PREEMPTION:
        yield not_supported(f"{where}.preemptionPolicy", spec["preemptionPolicy"], PREEMPTION)
    for name, amount in sorted((spec.get("overhead") or {}).items()):
        if quantity.parse(amount)[0] < 0:
            yield invalid(f"{where}.overhead[{name}]", amount, "must be greater than or equal to 0")
    system = spec.get("os")
    if system is not None and system.get("name") not in SYSTEMS:
        name = system.get("name", "")
        yield not_supported(f"{where}.os.name", name, SYSTEMS) if name else required(f"{where}.os.name")


# --- volumes and containers -------------------------------------------------------------------------------------


def _container(container: Manifest, where: str, taken: set[str], around: Around, is_init: bool) -> list[Problem]:
    found: list[Problem] = []
    name, image = container.get("name", ""), container.get("image", "")
    if not name:
        found.append(required(f"{where}.name"))
    else:
        found += [invalid(f"{where}.name", name, problem) for problem in name_problems(name, "label")]
        if name in taken:
            found.append(duplicate(f"{where}.name", name))
        taken.add(name)
    if not image:
        found.append(required(f"{where}.image"))
    elif image != image.strip():
        found.append(invalid(f"{where}.image", image, "must not have leading or trailing whitespace"))
    found += _course(container, where, around.grace, is_init)
    if container.get("terminationMessagePolicy") not in MESSAGES:
        policy = container.get("terminationMessagePolicy", "")
        found.append(not_supported(f"{where}.terminationMessagePolicy", policy, MESSAGES))
    found += _ports(container.get("ports") or [], f"{where}.ports", around.host_network)
    found += _environment(container.get("env") or [], f"{where}.env")
    found += _environment_from(container.get("envFrom") or [], f"{where}.envFrom")
    found += _mounts(container.get("volumeMounts") or [], f"{where}.volumeMounts", around.volumes)
    found += _devices(container, f"{where}.volumeDevices", around.volumes)
    if container.get("imagePullPolicy") not in PULL:
        found.append(not_supported(f"{where}.imagePullPolicy", container.get("imagePullPolicy", ""), PULL))
    found += _resources(container.get("resources") or {}, f"{where}.resources")
    found += podcontext.used_claims(container, where, around.claims)
    found += podcontext.of_container(container.get("securityContext") or {}, f"{where}.securityContext")
    return found


def _course(container: Manifest, where: str, grace: int, is_init: bool) -> Iterator[Problem]:
    """Hooks and probes, which only containers have that stay: not those that prepare the pod and end."""
    stays = not is_init or container.get("restartPolicy") == "Always"
    for part in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(part) is None:
            continue
        if not stays:
            yield forbidden(f"{where}.{part}", "may not be set for init containers without restartPolicy=Always")
        elif part == "lifecycle":
            yield from podcontext.lifecycle(container[part], f"{where}.{part}", grace)
        else:
            yield from _probe(container[part], f"{where}.{part}", once=part != "readinessProbe")


def _probe(probe: Manifest, where: str, once: bool) -> Iterator[Problem]:
    """`once`: a single success must do (liveness and start-up)."""
    handlers = [handler for handler in HANDLERS if probe.get(handler) is not None]
    if not handlers:
        yield required(where, "must specify a handler type")
    yield from (forbidden(f"{where}.{handler}", "may not specify more than 1 handler type") for handler in handlers[1:])
    for handler in handlers[:1]:
        port = probe[handler].get("port")
        if handler == "exec" and not probe["exec"].get("command"):
            yield required(f"{where}.exec.command")
        elif handler == "httpGet":
            yield from podcontext.http_get(probe["httpGet"], f"{where}.httpGet")
        elif handler != "exec" and not isinstance(port, str) and (problem := in_range(port or 0, 1, MAX_PORT)):
            yield invalid(f"{where}.{handler}.port", port or 0, problem)
    for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        if (probe.get(name) or 0) < 0:
            yield invalid(f"{where}.{name}", probe[name], "must be greater than or equal to 0")
    if once and probe.get("successThreshold", 1) != 1:
        yield invalid(f"{where}.successThreshold", probe["successThreshold"], "must be 1")
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and not once:
        yield invalid(f"{where}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes")
    elif grace is not None and grace <= 0:
        yield invalid(f"{where}.terminationGracePeriodSeconds", grace, "must be greater than 0")


def _ports(ports: list[Manifest], where: str, host_network: bool) -> Iterator[Problem]:
    names: set[str] = set()
    for number, port in enumerate(ports):
        field, name, inside, outside = (
            f"{where}[{number}]",
            port.get("name"),
            port.get("containerPort"),
            port.get("hostPort"),
        )
        if name:
            yield from (invalid(f"{field}.name", name, problem) for problem in port_name_problems(name))
            if name in names:
                yield duplicate(f"{field}.name", name)
            names.add(name)
        if not inside:
            yield required(f"{field}.containerPort")
        elif problem := in_range(inside, 1, MAX_PORT):
            yield invalid(f"{field}.containerPort", inside, problem)
        if outside and (problem := in_range(outside, 1, MAX_PORT)):
            yield invalid(f"{field}.hostPort", outside, problem)
        elif host_network and outside != inside:
            yield invalid(f"{field}.hostPort", outside or 0, "must match `containerPort` when `hostNetwork` is true")
        if port.get("protocol") not in PROTOCOLS:
            yield not_supported(f"{field}.protocol", port.get("protocol", ""), PROTOCOLS)


def port_name_problems(name: str) -> list[str]:
    """What is wrong with the name of a port; empty if nothing is."""
    found = [] if len(name) <= 15 else ["must be no more than 15 characters"]
    if not re.fullmatch(r"[-a-z0-9]+", name):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", name):
        found.append("must contain at least one letter (a-z)")
    if "--" in name:
        found.append("must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return found


def _environment(entries: list[Manifest], where: str) -> Iterator[Problem]:
    for number, entry in enumerate(entries):
        name, field = entry.get("name", ""), f"{where}[{number}]"
        if not name:
            yield required(f"{field}.name")
        elif "=" in name or not all(" " <= char <= "~" for char in name):
            yield invalid(f"{field}.name", name, ENV_NAME)
        source = entry.get("valueFrom")
        if source is None:
            continue
        if not source:
            yield invalid(
                f"{field}.valueFrom",
                "",
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
            )
        elif entry.get("value"):
            yield invalid(f"{field}.valueFrom", "", "may not be specified when `value` is not empty")
        elif len(source) > 1:
            yield invalid(f"{field}.valueFrom", "", "may not have more than one field specified at a time")
        if "fieldRef" in source:
            yield from _field_path(source["fieldRef"].get("fieldPath", ""), f"{field}.valueFrom.fieldRef")
        for kind in ("configMapKeyRef", "secretKeyRef"):
            if kind in source and not source[kind].get("key"):
                yield required(f"{field}.valueFrom.{kind}.key")


def _environment_from(sources: list[Manifest], where: str) -> Iterator[Problem]:
    for number, source in enumerate(sources):
        field, prefix = f"{where}[{number}]", source.get("prefix", "")
        if prefix and ("=" in prefix or not all(" " <= char <= "~" for char in prefix)):
            yield invalid(f"{field}.prefix", prefix, ENV_NAME)
        kinds = [kind for kind in ("configMapRef", "secretRef") if source.get(kind) is not None]
        yield from (required(f"{field}.{kind}.name") for kind in kinds if not source[kind].get("name"))
        if not kinds:
            yield invalid(field, "", "must specify one of: `configMapRef` or `secretRef`")
        if len(kinds) > 1:
            yield invalid(field, "", "may not have more than one field specified at a time")


def _field_path(path: str, where: str) -> Iterator[Problem]:
    if not path:
        yield required(f"{where}.fieldPath")
    elif path not in POD_FIELDS and not _SUBSCRIPTED.fullmatch(path):
        yield invalid(f"{where}.fieldPath", path, f"error converting fieldPath: field label not supported: {path}")


def _mounts(mounts: list[Manifest], where: str, volumes: frozenset[str]) -> Iterator[Problem]:
    paths: set[str] = set()
    for number, mount in enumerate(mounts):
        field, name, path = f"{where}[{number}]", mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            yield required(f"{field}.name")
        elif name not in volumes:
            yield not_found(f"{field}.name", name)
        if not path:
            yield required(f"{field}.mountPath")
        elif path in paths:
            yield invalid(f"{field}.mountPath", path, "must be unique")
        paths.add(path)
        inner, expression = mount.get("subPath", ""), mount.get("subPathExpr", "")
        for part, text in (("subPath", inner), ("subPathExpr", expression)):
            if text.startswith("/"):
                yield invalid(f"{field}.{part}", text, "must be a relative path")
            if ".." in text.split("/"):
                yield invalid(f"{field}.{part}", text, "must not contain '..'")
        if inner and expression:
            yield invalid(f"{field}.subPathExpr", expression, "subPathExpr and subPath are mutually exclusive")
        if mount.get("mountPropagation") is not None and mount["mountPropagation"] not in PROPAGATION:
            yield not_supported(f"{field}.mountPropagation", mount["mountPropagation"], PROPAGATION)


def _devices(container: Manifest, where: str, volumes: frozenset[str]) -> Iterator[Problem]:
    mounted = {mount.get("name") for mount in container.get("volumeMounts") or []}
    paths: set[str] = set()
    for number, device in enumerate(container.get("volumeDevices") or []):
        field, name, path = f"{where}[{number}]", device.get("name", ""), device.get("devicePath", "")
        if not name:
            yield required(f"{field}.name")
        elif name not in volumes:
            yield not_found(f"{field}.name", name)
        if not path:
            yield required(f"{field}.devicePath")
        elif path in paths:
            yield invalid(f"{field}.devicePath", path, "must be unique")
        paths.add(path)
        if name in mounted:
            yield invalid(f"{field}.name", name, "must not already exist in volumeMounts")


def _resources(resources: Manifest, where: str) -> Iterator[Problem]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for part, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in sorted(amounts.items()):
            field, number = f"{where}.{part}[{name}]", quantity.parse(amount)[0]
            yield from (invalid(field, name, problem) for problem in qualified_problems(name))
            if "/" not in name and name not in STANDARD and not name.startswith("hugepages-"):
                yield invalid(field, name, "must be a standard resource type or fully qualified")
                yield invalid(field, name, "must be a standard resource for containers")
            if number < 0:
                yield invalid(field, amount, "must be greater than or equal to 0")
            if "/" in name and number % quantity.NANO:
                yield invalid(field, amount, "must be an integer")
    for name, amount in sorted(requests.items()):
        if name in limits and quantity.parse(amount)[0] > quantity.parse(limits[name])[0]:
            yield invalid(f"{where}.requests", amount, f"must be less than or equal to {name} limit of {limits[name]}")


# --- where a pod may run ----------------------------------------------------------------------------------------


def _affinity(affinity: Manifest, where: str) -> Iterator[Problem]:
    node = affinity.get("nodeAffinity") or {}
    hard = node.get("requiredDuringSchedulingIgnoredDuringExecution")
    field = f"{where}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
    if hard is not None and not hard.get("nodeSelectorTerms"):
        yield required(field, "must have at least one node selector term")
    for number, term in enumerate((hard or {}).get("nodeSelectorTerms") or []):
        yield from _node_term(term, f"{field}[{number}]")
    soft = f"{where}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"
    for number, choice in enumerate(node.get("preferredDuringSchedulingIgnoredDuringExecution") or []):
        yield from _weight(choice, f"{soft}[{number}]")
        yield from _node_term(choice.get("preference") or {}, f"{soft}[{number}].preference")
    for kind in ("podAffinity", "podAntiAffinity"):
        yield from _pod_affinity(affinity.get(kind) or {}, f"{where}.{kind}")


def _pod_affinity(terms: Manifest, where: str) -> Iterator[Problem]:
    hard, soft = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
    for number, term in enumerate(terms.get(hard) or []):
        yield from _pod_term(term, f"{where}.{hard}[{number}]")
    for number, choice in enumerate(terms.get(soft) or []):
        yield from _weight(choice, f"{where}.{soft}[{number}]")
        yield from _pod_term(choice.get("podAffinityTerm") or {}, f"{where}.{soft}[{number}].podAffinityTerm")


def _weight(choice: Manifest, where: str) -> Iterator[Problem]:
    if not 1 <= choice.get("weight", 0) <= 100:
        yield invalid(f"{where}.weight", choice.get("weight", 0), "must be in the range 1-100")


def _pod_term(term: Manifest, where: str) -> Iterator[Problem]:
    yield from selector_problems(term.get("labelSelector"), f"{where}.labelSelector")
    yield from selector_problems(term.get("namespaceSelector"), f"{where}.namespaceSelector")
    key = term.get("topologyKey", "")
    if not key:
        yield required(f"{where}.topologyKey", "can not be empty")
    yield from (invalid(f"{where}.topologyKey", key, problem) for problem in qualified_problems(key))


def _node_term(term: Manifest, where: str) -> Iterator[Problem]:
    for kind in ("matchExpressions", "matchFields"):
        for number, expression in enumerate(term.get(kind) or []):
            yield from _node_requirement(expression, f"{where}.{kind}[{number}]")


def _node_requirement(expression: Manifest, where: str) -> Iterator[Problem]:
    operator, values = expression.get("operator", ""), expression.get("values") or []
    if operator in ("In", "NotIn") and not values:
        yield required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist") and values:
        yield forbidden(f"{where}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif operator in ("Gt", "Lt") and len(values) != 1:
        yield required(f"{where}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
    elif operator not in NODE_OPERATORS:
        yield invalid(f"{where}.operator", operator, "not a valid selector operator")
    key = expression.get("key", "")
    yield from (invalid(f"{where}.key", key, problem) for problem in qualified_problems(key))


def _spreading(constraints: list[Manifest], where: str) -> Iterator[Problem]:
    actions = ("DoNotSchedule", "ScheduleAnyway")
    for number, constraint in enumerate(constraints):
        field = f"{where}[{number}]"
        if constraint.get("maxSkew", 0) <= 0:
            yield invalid(f"{field}.maxSkew", constraint.get("maxSkew", 0), "must be greater than zero")
        if not constraint.get("topologyKey"):
            yield required(f"{field}.topologyKey", "can not be empty")
        action = constraint.get("whenUnsatisfiable", "")
        if action not in actions:
            yield not_supported(f"{field}.whenUnsatisfiable", action, actions)
        yield from selector_problems(constraint.get("labelSelector"), f"{field}.labelSelector")


def _gates(spec: Manifest, where: str) -> Iterator[Problem]:
    for number, gate in enumerate(spec.get("schedulingGates") or []):
        name = gate.get("name", "")
        yield from (
            invalid(f"{where}.schedulingGates[{number}]", name, problem) for problem in qualified_problems(name)
        )
    if spec.get("schedulingGates") and spec.get("nodeName"):
        yield forbidden(f"{where}.nodeName", "cannot be set until all schedulingGates have been cleared")


def _names(spec: Manifest, where: str) -> Iterator[Problem]:
    for name, rule in (
        ("serviceAccountName", "subdomain"),
        ("nodeName", "subdomain"),
        ("hostname", "label"),
        ("subdomain", "label"),
    ):
        if value := spec.get(name):
            yield from (invalid(f"{where}.{name}", value, problem) for problem in name_problems(value, rule))


def _tolerations(tolerations: list[Manifest], where: str) -> Iterator[Problem]:
    for number, toleration in enumerate(tolerations):
        field, operator = f"{where}[{number}]", toleration.get("operator") or "Equal"
        key, value, effect = (toleration.get(part, "") for part in ("key", "value", "effect"))
        if key:
            yield from (invalid(f"{field}.key", key, problem) for problem in qualified_problems(key))
        elif operator != "Exists":
            yield invalid(f"{field}.operator", toleration.get("operator", ""), KEYLESS)
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            yield invalid(f"{field}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
        if operator == "Exists" and value:
            yield invalid(f"{field}.operator", value, "value must be empty when `operator` is 'Exists'")
        elif operator not in ("Exists", "Equal", "Lt", "Gt"):
            yield not_supported(f"{field}.operator", operator, ("Equal", "Exists"))
        if effect and effect not in EFFECTS:
            yield not_supported(f"{field}.effect", effect, EFFECTS)


# --- changes ----------------------------------------------------------------------------------------------------

MUTABLE_MESSAGE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def update_problems(old: Manifest, new: Manifest) -> list[Problem]:
    """A pod's spec is fixed, but for images, a shorter deadline, more tolerations and fewer gates.

    The real message goes on with a diff of Go structs, which we can't and need not print.
    """
    if old is new:
        return []
    for kind in ("containers", "initContainers"):
        if len(old.get(kind) or []) != len(new.get(kind) or []):
            return [forbidden(f"spec.{kind}", "pod updates may not add or remove containers")]
    found = [*_deadline(old, new), *_fewer_tolerations(old, new), *_more_gates(old, new)]
    if not found and old.get("schedulingGates"):
        wider = [*_wider_selector(old, new)]
        if wider:
            return wider
        old = {**old, "nodeSelector": new.get("nodeSelector")}  # Until it is ready, a pod may become choosier.
    if not found and _fixed(old) != _fixed(new):
        found.append(forbidden("spec", MUTABLE_MESSAGE))
    return found


def _deadline(old: Manifest, new: Manifest) -> Iterator[Problem]:
    before, after, where = (
        old.get("activeDeadlineSeconds"),
        new.get("activeDeadlineSeconds"),
        "spec.activeDeadlineSeconds",
    )
    if before is None or before == after:
        return
    if after is None:
        yield invalid(where, "", "must not update from a positive integer to nil value")
    elif after > before:
        yield invalid(where, after, f"must be less than or equal to previous value {before}")


def _fewer_tolerations(old: Manifest, new: Manifest) -> Iterator[Problem]:
    after = new.get("tolerations") or []
    if any(toleration not in after for toleration in old.get("tolerations") or []):
        yield forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")


def _more_gates(old: Manifest, new: Manifest) -> Iterator[Problem]:
    before = old.get("schedulingGates") or []
    if any(gate not in before for gate in new.get("schedulingGates") or []):
        yield forbidden("spec.schedulingGates", "only deletion is allowed, but found new scheduling gates")


def _wider_selector(old: Manifest, new: Manifest) -> Iterator[Problem]:
    before, after = old.get("nodeSelector") or {}, new.get("nodeSelector") or {}
    if any(after.get(key) != value for key, value in before.items()):
        message = "only additions are allowed to spec.nodeSelector (no modifications or deletions allowed)"
        yield raw_invalid("spec.nodeSelector", shown(after), message)


def _fixed(spec: Manifest) -> Any:
    changing = ("activeDeadlineSeconds", "tolerations", "schedulingGates")
    rest = {k: v for k, v in spec.items() if k not in changing and v is not None}
    for kind in ("containers", "initContainers"):
        if kind in rest:
            rest[kind] = [{k: v for k, v in container.items() if k != "image"} for container in rest[kind]]
    return rest
