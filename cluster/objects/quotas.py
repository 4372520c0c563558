"""Quotas: what each object of a namespace uses of what a ResourceQuota limits.

A quota limits names: `pods`, `requests.cpu`, `services.nodeports`, `count/deployments.apps`. Each kind of object knows
which names it uses, and how much of them. Two parties ask: admission, before an object is let in, and the quota
controller, which counts anew what is there.

Kinds are named as quotas name them: `pods`, `deployments.apps`.

Mirrors:  kubernetes/pkg/quota/v1/evaluator/core (pods.go, services.go, persistent_volume_claims.go),
          k8s.io/apiserver/pkg/quota/v1/generic/evaluator.go
Left out: claims of devices (resource.k8s.io).
"""

from collections.abc import Iterable

from cluster.objects import Manifest, amounts, labels, pods, quantity, times
from cluster.objects.amounts import NONE, ONE, Amount, Amounts
from cluster.objects.times import SECOND

COUNT = "count/"
COMPUTE = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
OF_PODS = frozenset(
    (
        *COMPUTE, "pods", "count/pods", "ephemeral-storage", "requests.ephemeral-storage", "limits.ephemeral-storage",
    )
)  # fmt: skip
OF_SERVICES = frozenset(("services", "count/services", "services.nodeports", "services.loadbalancers"))
OF_CLAIMS = frozenset(("persistentvolumeclaims", "count/persistentvolumeclaims", "requests.storage"))
BY_NAME = ("configmaps", "resourcequotas", "replicationcontrollers", "secrets")  # Known before count/ was.
OF_CLASS = ".storageclass.storage.k8s.io/"
HUGE = ("hugepages-", "requests.hugepages-")
PODS, SERVICES, CLAIMS = "pods", "services", "persistentvolumeclaims"


def measured(resource: str, names: Iterable[str]) -> list[str]:
    """Those of `names` that objects of `resource` use.

    >>> measured("pods", ["pods", "configmaps", "requests.cpu"]), measured("secrets", ["count/secrets"])
    (['pods', 'requests.cpu'], ['count/secrets'])
    """
    if resource == PODS:
        return [n for n in names if n in OF_PODS or n.startswith(HUGE) or _is_extended(n)]
    if resource == SERVICES:
        return [n for n in names if n in OF_SERVICES]
    if resource == CLAIMS:
        return [n for n in names if n in OF_CLAIMS or _of_class(n)]
    own = (COUNT + resource, resource) if resource in BY_NAME else (COUNT + resource,)
    return [n for n in names if n in own]


def resource_of(name: str) -> str:
    """Whose objects use `name`: `deployments.apps` of `count/deployments.apps`; empty if nobody's do."""
    if name.startswith(COUNT):
        return name.removeprefix(COUNT)
    for resource in (PODS, SERVICES, CLAIMS):
        if measured(resource, (name,)):
            return resource
    return name if name in BY_NAME else ""


def is_charged(resource: str, operation: str, subresource: str) -> bool:
    """Can such a request change what is used? Creations can, and changes of what has more than a count."""
    if subresource:
        return (resource, subresource, operation) == (PODS, "resize", "update")
    return operation == "create" or (operation == "update" and resource in (SERVICES, CLAIMS))


def usage(resource: str, obj: Manifest, now: int) -> Amounts:
    """What `obj` uses. `now`: microseconds since 1970."""
    used = {COUNT + resource: ONE}
    if resource == PODS:
        return _pod(obj, used) if is_counted(obj, now) else used
    if resource == SERVICES:
        return _service(obj, used)
    if resource == CLAIMS:
        return _claim(obj, used)
    return {**used, resource: ONE} if resource in BY_NAME else used


# --- pods -------------------------------------------------------------------------------------------------------


def is_counted(pod: Manifest, now: int) -> bool:
    """Does the pod use anything? Not once it ended, nor when its node is too lost to let it go in time."""
    if pods.is_terminal(pod):
        return False
    metadata = pod["metadata"]
    if "deletionTimestamp" not in metadata or "deletionGracePeriodSeconds" not in metadata:
        return True
    return now <= times.parse(metadata["deletionTimestamp"]) + metadata["deletionGracePeriodSeconds"] * SECOND


def _pod(pod: Manifest, used: Amounts) -> Amounts:
    return used | _computing(amounts.requests_of(pod), amounts.limits_of(pod))


def _computing(requests: Amounts, limits: Amounts) -> Amounts:
    used = {PODS: ONE}
    for name in ("cpu", "memory", "ephemeral-storage"):
        if name in requests:
            used[name] = used[f"requests.{name}"] = requests[name]
        if name in limits:
            used[f"limits.{name}"] = limits[name]
    for name, amount in requests.items():
        if name.startswith("hugepages-"):
            used[name] = used[f"requests.{name}"] = amount
        elif "/" in name and not is_native(name):
            used[f"requests.{name}"] = amount
    return used


def is_native(name: str) -> bool:
    """Is the resource Kubernetes' own?"""
    return "/" not in name or "kubernetes.io/" in name


def _is_extended(name: str) -> bool:
    return name.startswith("requests.") and not is_native(name)


def missing(pod: Manifest, names: Iterable[str]) -> dict[str, list[str]]:
    """What a pod must say and does not, if a quota limits `names`: name to the containers that are silent, sorted."""
    needed = sorted(name for name in names if name in COMPUTE)
    whole = pod["spec"].get("resources") or {}
    if whole:
        said = _computing(*(amounts.parse(whole.get(part)) for part in ("requests", "limits")))
        needed = [name for name in needed if name not in said]
    found: dict[str, list[str]] = {}
    for container in (*pods.containers(pod), *(pod["spec"].get("initContainers") or ())) if needed else ():
        own = container.get("resources") or {}
        said = _computing(*(amounts.parse(own.get(part)) for part in ("requests", "limits")))
        for name in needed:
            if name not in said:
                found.setdefault(name, []).append(container["name"])
    return {name: sorted(set(found[name])) for name in sorted(found)}


# --- services and claims ----------------------------------------------------------------------------------------


def _service(service: Manifest, used: Amounts) -> Amounts:
    spec = service.get("spec") or {}
    ports, kind = spec.get("ports") or [], spec.get("type", "ClusterIP")
    nodeports = balancers = 0
    if kind in ("NodePort", "LoadBalancer"):
        nodeports, balancers = len(ports), int(kind == "LoadBalancer")
        if balancers and spec.get("allocateLoadBalancerNodePorts") is False:
            nodeports = sum(1 for port in ports if port.get("nodePort"))
    counts = {SERVICES: 1, "services.nodeports": nodeports, "services.loadbalancers": balancers}
    return used | {name: Amount(number * quantity.NANO) for name, number in counts.items()}


def storage_class(claim: Manifest) -> str:
    """The class a claim asks for; the annotation of old times goes first."""
    old = (claim["metadata"].get("annotations") or {}).get("volume.beta.kubernetes.io/storage-class")
    return str(old if old is not None else (claim.get("spec") or {}).get("storageClassName") or "")


def _claim(claim: Manifest, used: Amounts) -> Amounts:
    own = {CLAIMS: ONE}
    asked = amounts.parse(((claim.get("spec") or {}).get("resources") or {}).get("requests")).get("storage")
    given = amounts.parse((claim.get("status") or {}).get("allocatedResources")).get("storage", NONE)
    if asked is not None:
        most = given if given.nano > asked.nano else asked
        own["requests.storage"] = Amount(-(-most.nano // quantity.NANO) * quantity.NANO, most.form)
    name = storage_class(claim)
    return used | own | ({f"{name}{OF_CLASS}{part}": amount for part, amount in own.items()} if name else {})


def _of_class(name: str) -> bool:
    return name.endswith((f"{OF_CLASS}{CLAIMS}", f"{OF_CLASS}requests.storage"))


# --- scopes -----------------------------------------------------------------------------------------------------


def matches(quota: Manifest, resource: str, obj: Manifest) -> bool:
    """Is the object within the quota's scopes? Without scopes everything is; with them most kinds are not."""
    spec = quota.get("spec") or {}
    scopes = [{"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes") or ()]
    scopes += (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    return all(_in_scope(scope, resource, obj) for scope in scopes)


def _in_scope(scope: Manifest, resource: str, obj: Manifest) -> bool:
    name = scope.get("scopeName")
    if resource == CLAIMS and name == "VolumeAttributesClass":
        return any(_selects(scope, {name: value}) for value in _attribute_classes(obj)) or (
            not _attribute_classes(obj) and _selects(scope, {})
        )
    if resource != PODS:
        return False
    spec = obj["spec"]
    if name in ("Terminating", "NotTerminating"):
        ends = spec.get("activeDeadlineSeconds") is not None and spec["activeDeadlineSeconds"] >= 0
        return ends == (name == "Terminating")
    if name in ("BestEffort", "NotBestEffort"):
        return (pods.qos_class(obj) == "BestEffort") == (name == "BestEffort")
    if name == "PriorityClass":
        chosen = spec.get("priorityClassName") or ""
        return _selects(scope, {name: chosen} if chosen else {})
    return name == "CrossNamespacePodAffinity" and _looks_abroad(spec)


def _selects(scope: Manifest, values: dict[str, str]) -> bool:
    operator = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}.get(scope["operator"], "in")
    return labels.Requirement(scope["scopeName"], operator, tuple(scope.get("values") or ())).matches(values)


def _attribute_classes(claim: Manifest) -> list[str]:
    status = claim.get("status") or {}
    found = (
        (claim.get("spec") or {}).get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName"),
    )
    return [name for name in found if name]


def _looks_abroad(spec: Manifest) -> bool:
    """Do affinity terms look into other namespaces?"""
    affinity = spec.get("affinity") or {}
    terms: list[Manifest] = []
    for kind in ("podAffinity", "podAntiAffinity"):
        part = affinity.get(kind) or {}
        terms += part.get("requiredDuringSchedulingIgnoredDuringExecution") or []
        weighted = part.get("preferredDuringSchedulingIgnoredDuringExecution") or []
        terms += [one.get("podAffinityTerm") or {} for one in weighted]
    return any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms)
