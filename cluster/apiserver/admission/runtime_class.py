"""RuntimeClass: a pod names another container runtime; what it costs, and which nodes have it, comes with the class.

Mirrors:  kubernetes/plugin/pkg/admission/runtimeclass/admission.go, pkg/util/tolerations
"""

from typing import Any

from cluster.apiserver.admission.attributes import CREATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.objects import Manifest, errors

MISMATCH = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
UNFOUNDED = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"


def admit(server: Any, attributes: Attributes) -> Manifest:
    """Give the pod its class's overhead, node selector and tolerations. Errors: Forbidden."""
    pod = attributes.obj
    found = _class_of(server, attributes)
    if found is None:
        return pod
    spec, overhead, scheduling = pod["spec"], _overhead(found), found.get("scheduling")
    new = {**spec}
    if overhead is not None:
        if spec.get("overhead") and spec["overhead"] != overhead:
            raise _forbidden(attributes, MISMATCH)
        new["overhead"] = overhead
    if scheduling:
        selector = _selector(attributes, scheduling.get("nodeSelector") or {}, spec.get("nodeSelector") or {})
        tolerations = merged([*(spec.get("tolerations") or []), *(scheduling.get("tolerations") or [])])
        new |= {"nodeSelector": selector} if selector else {}
        new |= {"tolerations": tolerations} if tolerations else {}
    return pod if new == spec else {**pod, "spec": new}


def check(server: Any, attributes: Attributes) -> None:
    """Nobody may give a pod an overhead of his own. Errors: Forbidden."""
    given = attributes.obj["spec"].get("overhead")
    if not given and not attributes.obj["spec"].get("runtimeClassName"):
        return
    found = _class_of(server, attributes)
    overhead = _overhead(found) if found is not None else None
    if overhead is None:
        if given is not None:
            raise _forbidden(attributes, UNFOUNDED)
    elif (given or {}) != overhead:
        raise _forbidden(attributes, MISMATCH)


def _class_of(server: Any, attributes: Attributes) -> Manifest | None:
    wanted = attributes.obj["spec"].get("runtimeClassName")
    if not wanted:
        return None
    found: Manifest | None = server.informers.get("RuntimeClass", "", wanted)
    if found is None:
        raise _forbidden(attributes, f'pod rejected: RuntimeClass "{wanted}" not found')
    return found


def _overhead(found: Manifest) -> Manifest | None:
    return (found["overhead"].get("podFixed") or {}) if found.get("overhead") is not None else None


def _selector(attributes: Attributes, wanted: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    for key, value in wanted.items():
        if given.get(key, value) != value:
            theirs = f"runtimeClass.scheduling.nodeSelector[{key}] = {value}"
            raise _forbidden(attributes, f"conflict: {theirs}; pod.spec.nodeSelector[{key}] = {given[key]}")
    return {**given, **wanted}


def merged(tolerations: list[Manifest]) -> list[Manifest]:
    """Without those that another one covers; of equal ones the first stays."""
    kept: list[Manifest] = []
    for number, each in enumerate(tolerations):
        wider = [other for other in tolerations[number + 1 :] if other != each and _covers(other, each)]
        if not wider and not any(_covers(other, each) for other in kept):
            kept.append(each)
    return kept


def _covers(wide: Manifest, narrow: Manifest) -> bool:
    """Does `wide` tolerate everything that `narrow` does?"""
    if wide == narrow:
        return True
    key, operator = wide.get("key", ""), wide.get("operator", "")
    if narrow.get("key", "") != key and (key or operator != "Exists"):
        return False
    if wide.get("effect") and wide["effect"] != narrow.get("effect"):
        return False
    seconds, longest = narrow.get("tolerationSeconds"), wide.get("tolerationSeconds")
    if wide.get("effect") == "NoExecute" and longest is not None and (seconds is None or seconds > longest):
        return False
    if operator == "Exists":
        return True
    return narrow.get("operator") == "Equal" and narrow.get("value", "") == wide.get("value", "")


def _forbidden(attributes: Attributes, message: str) -> errors.ApiError:
    return errors.Forbidden("", "pods", attributes.name, message)


PLUGIN = Plugin("RuntimeClass", mutate=admit, validate=check, kinds=("Pod",), operations=(CREATE,))
