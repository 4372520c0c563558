"""LimitRanger: what a container asks for if its author says nothing, and how much one may ask for.

A LimitRange completes first (mutating) and judges last (validating), so its own defaults are judged, too. What it set
is written on the pod, for whoever wonders where the numbers come from.

Mirrors:  kubernetes/plugin/pkg/admission/limitranger/admission.go
"""

from collections.abc import Iterator
from typing import Any

from cluster.apiserver.admission.attributes import CREATE, UPDATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.objects import Manifest, amounts, errors, quantity
from cluster.objects.amounts import Amount, Amounts
from cluster.objects.memo import IdentityMemo

ANNOTATION = "kubernetes.io/limit-ranger"
_memo = IdentityMemo(512)


# --- completing -------------------------------------------------------------------------------------------------


def complete(server: Any, attributes: Attributes) -> Manifest:
    """The pod with the requests and limits of its namespace's LimitRanges where it has none."""
    pod = attributes.obj
    for limit_range in server.informers.list("LimitRange", attributes.namespace):
        pod = _completed(pod, limit_range)
    return pod


def _completed(pod: Manifest, limit_range: Manifest) -> Manifest:
    spec, said = _memo.get(pod["spec"], limit_range["metadata"]["resourceVersion"] + limit_range["metadata"]["uid"],
                           lambda spec: _with_defaults(spec, limit_range))  # fmt: skip
    if not said:
        return pod
    metadata = pod["metadata"]
    annotations = {**(metadata.get("annotations") or {}), ANNOTATION: "LimitRanger plugin set: " + "; ".join(said)}
    return {**pod, "metadata": {**metadata, "annotations": annotations}, "spec": spec}


def _with_defaults(spec: Manifest, limit_range: Manifest) -> tuple[Manifest, list[str]]:
    """(spec, what was set): one sentence a container and kind of amount."""
    defaults: dict[str, dict[str, str]] = {"requests": {}, "limits": {}}
    for limit in (limit_range.get("spec") or {}).get("limits") or ():
        if limit.get("type") == "Container":
            defaults["requests"] |= limit.get("defaultRequest") or {}
            defaults["limits"] |= limit.get("default") or {}
    said: list[str] = []
    lists = {}
    for part, noun in (("containers", "container"), ("initContainers", "init container")):
        if spec.get(part):
            lists[part] = [_container(container, noun, defaults, said) for container in spec[part]]
    return ({**spec, **lists} if said else spec), said


def _container(container: Manifest, noun: str, defaults: dict[str, dict[str, str]], said: list[str]) -> Manifest:
    resources = {**(container.get("resources") or {})}
    before = len(said)
    for part, word in (("requests", "request"), ("limits", "limit")):
        given = resources.get(part) or {}
        if new := sorted(defaults[part].keys() - given.keys()):
            resources[part] = dict(sorted({**given, **{name: defaults[part][name] for name in new}}.items()))
            said.append(f"{', '.join(new)} {word} for {noun} {container.get('name', '')}")
    return {**container, "resources": resources} if len(said) > before else container


# --- judging ----------------------------------------------------------------------------------------------------


def judge(server: Any, attributes: Attributes) -> None:
    """Errors: Forbidden, naming everything that is too much or too little."""
    if attributes.old is not None and "deletionTimestamp" in attributes.old["metadata"]:
        return
    for limit_range in server.informers.list("LimitRange", attributes.namespace):
        problems = list(dict.fromkeys(_problems(attributes, limit_range)))
        if problems:
            listed = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
            raise errors.Forbidden(attributes.resource.group, attributes.resource.plural, attributes.name, listed)


def _problems(attributes: Attributes, limit_range: Manifest) -> Iterator[str]:
    obj = attributes.obj
    for limit in (limit_range.get("spec") or {}).get("limits") or ():
        kind, spec = limit.get("type", ""), obj.get("spec") or {}
        if attributes.resource.cache == "PersistentVolumeClaim":
            if kind == "PersistentVolumeClaim":
                yield from _claim_problems(spec, limit)
        elif kind == "Container":
            for container in (*spec.get("containers", ()), *(spec.get("initContainers") or ())):
                resources = container.get("resources") or {}
                yield from _bounds(kind, limit, *(amounts.parse(resources.get(p)) for p in ("requests", "limits")))
        elif kind == "Pod":
            yield from _bounds(kind, limit, amounts.requests_of(obj), amounts.limits_of(obj))


def _claim_problems(spec: Manifest, limit: Manifest) -> Iterator[str]:
    requests, kind = amounts.parse((spec.get("resources") or {}).get("requests")), "PersistentVolumeClaim"
    for name, least in _sorted(limit, "min"):
        yield from _too_little(name, kind, least, requests, {})
    for name, most in _sorted(limit, "max"):
        start, asked = f"maximum {name} usage per {kind} is {most}", requests.get(name)
        if asked is None:
            yield f"{start}.  No request is specified"
        elif asked.nano > most.nano:
            yield f"{start}, but request is {asked}"


def _bounds(kind: str, limit: Manifest, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, least in _sorted(limit, "min"):
        yield from _too_little(name, kind, least, requests, limits)
    for name, most in _sorted(limit, "max"):
        yield from _too_much(name, kind, most, requests, limits)
    for name, ratio in _sorted(limit, "maxLimitRequestRatio"):
        yield from _too_elastic(name, kind, ratio, requests, limits)


def _sorted(limit: Manifest, part: str) -> list[tuple[str, Amount]]:
    return sorted(amounts.parse(limit.get(part)).items())


def _too_little(name: str, kind: str, least: Amount, requests: Amounts, limits: Amounts) -> Iterator[str]:
    start, asked, most = f"minimum {name} usage per {kind} is {least}", requests.get(name), limits.get(name)
    if asked is None:
        yield f"{start}.  No request is specified"
    elif asked.nano < least.nano:
        yield f"{start}, but request is {asked}"
    elif most is not None and most.nano < least.nano:
        yield f"{start}, but limit is {most}"


def _too_much(name: str, kind: str, most: Amount, requests: Amounts, limits: Amounts) -> Iterator[str]:
    start, asked, limit = f"maximum {name} usage per {kind} is {most}", requests.get(name), limits.get(name)
    if limit is None:
        yield f"{start}.  No limit is specified"
    elif limit.nano > most.nano:
        yield f"{start}, but limit is {limit}"
    elif asked is not None and asked.nano > most.nano:
        yield f"{start}, but request is {asked}"


def _too_elastic(name: str, kind: str, ratio: Amount, requests: Amounts, limits: Amounts) -> Iterator[str]:
    start = f"{name} max limit to request ratio per {kind} is {ratio}"
    asked, limit = requests.get(name), limits.get(name)
    if asked is None or not asked.nano:
        yield f"{start}, but no request is specified or request is 0"
    elif limit is None or not limit.nano:
        yield f"{start}, but no limit is specified or limit is 0"
    elif limit.nano * quantity.NANO > ratio.nano * asked.nano:
        yield f"{start}, but provided ratio is {limit.nano / asked.nano:f}"


PLUGINS = (
    Plugin("LimitRanger", mutate=complete, validate=judge, kinds=("Pod",), operations=(CREATE,)),
    Plugin("LimitRanger", validate=judge, kinds=("Pod",), operations=(UPDATE,), subresources=("resize",)),
    Plugin("LimitRanger", validate=judge, kinds=("PersistentVolumeClaim",), operations=(CREATE, UPDATE)),
)
