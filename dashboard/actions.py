"""What clicks do. Each action puts requests into the cluster's inbox, as kubectl or a finger on a plug would.

Whatever the cluster answers is passed on in its own words. The `kubectl` line that says the same rides
along in a header, so that it is part of the recorded input: see said.py.
"""

import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import yaml
from django.urls import reverse
from django.utils.translation import gettext as _

from cluster import inbox, outside
from cluster.addons import ADDONS, installer
from cluster.apiserver import registry
from cluster.models import Cluster
from cluster.objects import Manifest, meta
from dashboard import kubelet_flags, loads, opening, reads, stream
from dashboard.panels.panel import View
from dashboard.said import LINE, flag, object_path

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MOST_DOCUMENTS = 100
Values = Mapping[str, str]


@dataclass
class Outcome:
    """`text` for a toast, with a button that undoes it; `lines` for the form that asked; `goto`: a page to open."""

    ok: bool
    text: str = ""
    lines: tuple[str, ...] = ()
    goto: str = ""
    status: int = 200
    undo: dict[str, str] | None = None


def done(text: str = "", goto: str = "") -> Outcome:
    return Outcome(True, text, goto=goto, status=200)


def failed(text: str, form: bool = False) -> Outcome:
    return Outcome(False, text, (text,) if form else (), status=200 if not form else 422)


# --- Asking ------------------------------------------------------------------------------------------------


def told(cluster: Cluster, request: dict[str, Any]) -> inbox.Answer:
    """Put one request into the inbox and wait: the whole answer."""
    answer = outside.call_sync(cluster.name, request)
    stream.announce(cluster.name)
    return answer


def problem_of(answer: inbox.Answer) -> str:
    """What a refusal says."""
    try:
        return str(answer.json().get("message") or answer.json())
    except (ValueError, AttributeError):
        return f"HTTP {answer.status}"


def ask(cluster: Cluster, request: dict[str, Any]) -> tuple[bool, str]:
    """Put one request into the inbox and wait. (went well, what the cluster said)."""
    answer = told(cluster, request)
    return (True, "") if answer.status < 400 else (False, problem_of(answer))


def api(
    cluster: Cluster, method: str, path: str, body: Any, line: str, media: str = "application/json"
) -> tuple[bool, str]:
    """One write through the API server, said as `line`."""
    headers = {"content-type": media, "user-agent": "orrery-page", LINE: line}
    text = "" if body is None else orjson.dumps(body).decode()
    return ask(
        cluster,
        {"type": "api", "method": method, "path": path, "query": "", "headers": headers, "body": text},
    )


def path_of(kind: str, namespace: str, name: str, subresource: str = "") -> str:
    resource = registry.by_kind(kind)
    return object_path(
        resource.api_version, resource.plural, namespace if resource.namespaced else "", name, subresource
    )


def outcome(result: tuple[bool, str], text: str = "") -> Outcome:
    ok, said = result
    return done(text) if ok else failed(said)


# --- Machines ----------------------------------------------------------------------------------------------


def power_off(view: View, values: Values) -> Outcome:
    """Pull the plug. No API call: in real life nobody asks the API server either."""
    node = values.get("node", "")
    result = outcome(ask(view.cluster, {"type": "power-off", "node": node}))
    if result.ok:
        result.text = _("%(node)s has no power. Nobody told the cluster.") % {"node": node}
        result.undo = {"act": "power-on", "node": node, "label": _("Power on")}
    return result


def power_on(view: View, values: Values) -> Outcome:
    return outcome(ask(view.cluster, {"type": "power-on", "node": values.get("node", "")}))


def shutdown(view: View, values: Values) -> Outcome:
    """Shut a machine down in order: its kubelet hears of it, and ends the pods."""
    node = values.get("node", "")
    text = _("%(node)s shuts down. Its kubelet ends the pods first.") % {"node": node}
    return outcome(ask(view.cluster, {"type": "shutdown", "node": node}), text)


def runtime(view: View, values: Values) -> Outcome:
    """Stop a machine's container runtime, or start it."""
    node, operation = values.get("node", ""), values.get("op", "")
    result = outcome(ask(view.cluster, {"type": "runtime", "node": node, "op": operation}))
    if result.ok and operation == "stop":
        result.text = _("The container runtime of %(node)s is stopped. Its containers go on.") % {"node": node}
        result.undo = {"act": "runtime", "node": node, "op": "start", "label": _("Start")}
    return result


def static_pod(view: View, values: Values) -> Outcome:
    """Put a manifest on a machine's disk, or take it away. What its kubelet has against it stands below the form."""
    node, operation, file = (values.get(name, "").strip() for name in ("node", "op", "file"))
    request = {"type": "static-pod", "node": node, "op": operation, "file": file}
    if operation != "add":
        return outcome(ask(view.cluster, request), _("%(file)s is gone. Its pod ends.") % {"file": file})
    text = values.get("text", "").replace("\r\n", "\n")
    answer = told(view.cluster, {**request, "text": text})
    if answer.status >= 400:
        return failed(problem_of(answer), form=True)
    if refused := answer.json()["refused"]:
        return failed(_("Written, but its kubelet does not take it: %(said)s") % {"said": refused}, form=True)
    return done(_("%(file)s is written. Its kubelet reads it now.") % {"file": file})


def route(view: View, values: Values) -> Outcome:
    """Break a route between two machines, or mend it."""
    ends = {name: values.get(name, "") for name in ("from", "to")}
    result = outcome(ask(view.cluster, {"type": "route", **ends, "op": values.get("op", "")}))
    if result.ok and values.get("op") == "break":
        result.text = _("%(from)s no longer reaches the pods of %(to)s.") % ends
        result.undo = {"act": "route", **ends, "op": "mend", "label": _("Mend")}
    return result


# --- The control plane -------------------------------------------------------------------------------------


def etcd(view: View, values: Values) -> Outcome:
    """Stop, start, cut, join, add, remove a member."""
    request = {"type": "etcd", "op": values.get("op", ""), "member": values.get("member", "")}
    return outcome(ask(view.cluster, request))


def component_stop(view: View, values: Values) -> Outcome:
    """Hold a controller, or kill a replica."""
    name = values.get("component", "")
    result = outcome(ask(view.cluster, {"type": "component-stop", "component": name}))
    if result.ok:
        result.text = _("%(name)s is stopped. What it should do waits.") % {"name": name}
        result.undo = {"act": "component-start", "component": name, "label": _("Start")}
    return result


def component_start(view: View, values: Values) -> Outcome:
    return outcome(ask(view.cluster, {"type": "component-start", "component": values.get("component", "")}))


def component_restart(view: View, values: Values) -> Outcome:
    """It crashes and is there again: its queue is lost, and it lists everything anew."""
    return outcome(ask(view.cluster, {"type": "component-restart", "component": values.get("component", "")}))


def replicas(view: View, values: Values) -> Outcome:
    count = values.get("count", "")
    if not count.isdigit():
        return failed(_("Replicas must be a whole number of 0 or more; it is %(value)r.") % {"value": count})
    return outcome(ask(view.cluster, {"type": "replicas", "process": values.get("process", ""), "count": int(count)}))


def scheduler_configure(view: View, values: Values) -> Outcome:
    """Another KubeSchedulerConfiguration. What is wrong with it stands below the form."""
    text = values.get("configuration", "").replace("\r\n", "\n")
    ok, said = ask(view.cluster, {"type": "scheduler-configure", "configuration": text})
    if not ok:
        return failed(said, form=True)
    return done(_("kube-scheduler starts anew with its configuration."))


def node_add(view: View, values: Values) -> Outcome:
    pods = values.get("pods", "")
    if not pods.isdigit():
        return failed(_("Pods must be a whole number; it is %(value)r.") % {"value": pods}, form=True)
    spec = {
        "name": values.get("name", "").strip(),
        "cpu": values.get("cpu", ""),
        "memory": values.get("memory", ""),
        **{name: text for name in ("storage", "zone", "runtime") if (text := values.get(name, "").strip())},
    }
    try:
        kubelet = kubelet_flags.given(shlex.split(values.get("kubelet", "")))
    except ValueError as error:
        return failed(str(error), form=True)
    more = {"kubelet": kubelet} if kubelet else {}
    ok, said = ask(view.cluster, {"type": "node-add", **spec, "pods": int(pods), **more})
    return done(_("%(name)s is booting.") % spec) if ok else failed(said, form=True)


def node_remove(view: View, values: Values) -> Outcome:
    return outcome(ask(view.cluster, {"type": "node-remove", "node": values.get("node", "")}))


def cordon(view: View, values: Values) -> Outcome:
    return set_unschedulable(view, values.get("node", ""), True, f"kubectl cordon {values.get('node', '')}")


def uncordon(view: View, values: Values) -> Outcome:
    return set_unschedulable(view, values.get("node", ""), False, f"kubectl uncordon {values.get('node', '')}")


def set_unschedulable(view: View, node: str, value: bool, line: str) -> Outcome:
    patch = {"spec": {"unschedulable": True if value else None}}
    return outcome(api(view.cluster, "PATCH", path_of("Node", "", node), patch, line, STRATEGIC))


def drain(view: View, values: Values) -> Outcome:
    """Cordon, then evict every pod that is not a DaemonSet's. kubectl would try refused evictions again every
    5 s.
    """
    node = values.get("node", "")
    line = f"kubectl drain {node} --ignore-daemonsets --delete-emptydir-data --force"
    first = set_unschedulable(view, node, True, line)
    if not first.ok:
        return first
    victims = [pod for pod in reads.listing(view.cluster, "Pod") if is_drained(pod, node)]
    refused = [said for ok, said in (evict(view, pod, line) for pod in victims) if not ok]
    if refused:
        counts = {"n": len(refused), "all": len(victims), "said": refused[0]}
        return failed(_("%(n)s of %(all)s evictions were refused: %(said)s Drain again later.") % counts)
    return done(_("%(n)s pods were evicted from %(node)s.") % {"n": len(victims), "node": node})


def is_drained(pod: Manifest, node: str) -> bool:
    owner = meta.controller_of(pod)
    mirror = "kubernetes.io/config.mirror" in meta.annotations(pod)
    return (
        pod["spec"].get("nodeName") == node
        and not meta.is_deleting(pod)
        and not mirror
        and (owner or {}).get("kind") != "DaemonSet"
    )


def evict(view: View, pod: Manifest, line: str) -> tuple[bool, str]:
    where = {"name": meta.name(pod), "namespace": meta.namespace(pod)}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": where}
    return api(view.cluster, "POST", path_of("Pod", where["namespace"], where["name"], "eviction"), eviction, line)


# --- The cloud ---------------------------------------------------------------------------------------------


def cloud(view: View, values: Values) -> Outcome:
    """on, off, ok, slow, fail, down, throttle, quota: the world says what it does not understand."""
    numbers = {name: int(values[name]) for name in CLOUD_NUMBERS if values.get(name, "").isdigit()}
    words = {name: values[name] for name in ("op", "kind") if name in values}
    return outcome(ask(view.cluster, {"type": "cloud", **words, **numbers}))


CLOUD_NUMBERS = ("factor", "percent", "rate", "limit")


def cloud_terminate(view: View, values: Values) -> Outcome:
    node = values.get("node", "")
    text = _("The cloud took %(node)s back. Nobody told the cluster.") % {"node": node}
    return outcome(ask(view.cluster, {"type": "cloud-terminate", "node": node}), text)


# --- Objects -----------------------------------------------------------------------------------------------


def delete(view: View, values: Values) -> Outcome:
    kind, (namespace, name) = values.get("kind", ""), meta.split_key(values.get("key", ""))
    if kind not in reads.kinds():
        return failed(_("There is no kind %(kind)r.") % {"kind": kind})
    line = f"kubectl delete {kind.lower()} {name}{flag(namespace)}"
    return outcome(api(view.cluster, "DELETE", path_of(kind, namespace, name), None, line))


def scale(view: View, values: Values) -> Outcome:
    kind, (namespace, name) = values.get("kind", "Deployment"), meta.split_key(values.get("key", ""))
    replicas, form = values.get("replicas", ""), "form" in values
    if not replicas.isdigit():
        return failed(_("Replicas must be a whole number of 0 or more; it is %(value)r.") % {"value": replicas}, form)
    line = f"kubectl scale {kind.lower()} {name} --replicas={replicas}{flag(namespace)}"
    patch = {"spec": {"replicas": int(replicas)}}
    ok, said = api(view.cluster, "PATCH", path_of(kind, namespace, name, "scale"), patch, line, MERGE)
    return done() if ok else failed(said, form)


def apply(view: View, values: Values) -> Outcome:
    """`kubectl apply -f -`: create what is not there, patch what is. Says what became of each document."""
    try:
        documents = [doc for doc in yaml.load_all(values.get("yaml", ""), Loader=LOADER) if doc is not None]
    except yaml.YAMLError as error:
        return failed(yaml_error(error), form=True)
    if not documents or len(documents) > MOST_DOCUMENTS:
        return failed(
            _("There must be 1 to %(most)s documents; there are %(n)s.")
            % {"most": MOST_DOCUMENTS, "n": len(documents)},
            True,
        )
    lines, ok = [], True
    for number, document in enumerate(documents, 1):
        went_well, said = apply_one(view, document, number)
        ok = ok and went_well
        lines.append(said)
    return Outcome(ok, lines=tuple(lines), status=200 if ok else 422)


def addon_install(view: View, values: Values) -> Outcome:
    """`manage.py addon NAME | kubectl apply -f -`."""
    name = values.get("addon", "")
    if name not in ADDONS:
        return failed(_("There is no add-on %(name)r.") % {"name": name})
    said = [apply_one(view, document, number) for number, document in enumerate(installer.manifests(name), 1)]
    refused = next((text for ok, text in said if not ok), "")
    return failed(refused) if refused else done(_("%(name)s is being installed.") % {"name": name})


def yaml_error(error: yaml.YAMLError) -> str:
    """One line with the place: line 4, column 7."""
    mark = getattr(error, "problem_mark", None)
    where = _("line %(line)s, column %(column)s: ") % {"line": mark.line + 1, "column": mark.column + 1} if mark else ""
    return f"{where}{getattr(error, 'problem', None) or error}"


def apply_one(view: View, document: Any, number: int, line: str = "") -> tuple[bool, str]:
    """(went well, what became of it). `line`: how it is said, if not as `kubectl apply -f NAME.yaml`."""
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        return False, _("Document %(n)s is no object: it needs apiVersion, kind and metadata.") % {"n": number}
    kind, version = str(document.get("kind", "")), str(document.get("apiVersion", ""))
    found = next((r for r in registry.RESOURCES if r.kind == kind and r.api_version == version), None)
    if found is None:
        return apply_custom(view, document, line)
    name = meta.name(document)
    namespace = (meta.namespace(document) or "default") if found.namespaced else ""
    thing = f"{found.kind.lower()}{'.' + found.group if found.group else ''}/{name}"
    line = line or f"kubectl apply -f {name}.yaml{flag(namespace)}"
    annotated = with_last_applied(document)
    if name and reads.get(view.cluster, kind, namespace, name) is not None:
        path, verb = object_path(version, found.plural, namespace, name), _("configured")
        ok, said = api(view.cluster, "PATCH", path, annotated, line, STRATEGIC)
    else:
        path, verb = object_path(version, found.plural, namespace, ""), _("created")
        ok, said = api(view.cluster, "POST", path, annotated, line)
    return ok, f"{thing} {verb}" if ok else f"{thing}: {said}"


def apply_custom(view: View, document: Manifest, line: str) -> tuple[bool, str]:
    """Likewise, of a kind that the cluster has defined itself."""
    kind, version, name = str(document.get("kind", "")), str(document.get("apiVersion", "")), meta.name(document)
    definition = reads.definition_of(view.cluster, kind, version)
    if definition is None:
        return False, f'no matches for kind "{kind}" in version "{version}"'
    group, plural = definition["spec"]["group"], definition["spec"]["names"]["plural"]
    namespace = (meta.namespace(document) or "default") if definition["spec"]["scope"] == "Namespaced" else ""
    thing = f"{kind.lower()}.{group}/{name}"
    line = line or f"kubectl apply -f {name}.yaml{flag(namespace)}"
    there = any(
        meta.name(each) == name and meta.namespace(each) == namespace
        for each in reads.custom(view.cluster, group, plural)
    )
    annotated = with_last_applied(document)
    if there:
        path, verb = object_path(version, plural, namespace, name), _("configured")
        ok, said = api(view.cluster, "PATCH", path, annotated, line, MERGE)
    else:
        path, verb = object_path(version, plural, namespace, ""), _("created")
        ok, said = api(view.cluster, "POST", path, annotated, line)
    return ok, f"{thing} {verb}" if ok else f"{thing}: {said}"


def with_last_applied(document: Manifest) -> Manifest:
    """kubectl leaves this note, so that a later `kubectl apply` knows which fields to take away."""
    note = orjson.dumps(document).decode() + "\n"
    annotations = {**(document["metadata"].get("annotations") or {}), LAST_APPLIED: note}
    return {**document, "metadata": {**document["metadata"], "annotations": annotations}}


# --- Traffic -----------------------------------------------------------------------------------------------


def traffic_install(view: View, values: Values) -> Outcome:
    """Apply the add-on's manifests, as `manage.py addon load-generators | kubectl apply -f -` does."""
    line = f"python manage.py addon {loads.ADDON} | kubectl apply -f -"
    for number, document in enumerate(installer.manifests(loads.ADDON), 1):
        ok, said = apply_one(view, document, number, line)
        if not ok:
            return failed(said)
    return done(_("Load generators are being installed."))


def traffic_send(view: View, values: Values) -> Outcome:
    """A LoadGenerator for a port of a Service, named like it. `key`: of the Service; `port`: its number."""
    if not loads.is_installed(view.cluster):
        return traffic_install(view, values)
    namespace, service = meta.split_key(values.get("key", ""))
    taken = {meta.name(wish) for wish in loads.listing(view.cluster) if meta.namespace(wish) == namespace}
    names = [service, *(f"{service}-{number}" for number in range(2, 2 + MOST_OF_ONE))]
    name = next((name for name in names if name not in taken), names[-1])
    spec = {"target": loads.target(service, values.get("port", "80")), "requestsPerSecond": FIRST_RATE}
    body = {"apiVersion": loads.VERSION, "kind": loads.KIND, "metadata": {"name": name}, "spec": spec}
    line = f"echo '{orjson.dumps(body).decode()}' | kubectl create{flag(namespace)} -f -"
    path = object_path(loads.VERSION, loads.PLURAL, namespace, "")
    return outcome(api(view.cluster, "POST", path, body, line))


FIRST_RATE = 10
MOST_OF_ONE = 20  # Load generators of one Service that find a free name.


def traffic_rate(view: View, values: Values) -> Outcome:
    """Another rate for a LoadGenerator. `key`, `rate`."""
    namespace, name = meta.split_key(values.get("key", ""))
    rate = values.get("rate", "")
    if not rate.isdigit():
        return failed(_("Requests a second must be a whole number of 0 or more; it is %(value)r.") % {"value": rate})
    patch = {"spec": {"requestsPerSecond": int(rate)}}
    line = f"kubectl patch loadgenerator {name}{flag(namespace)} --type merge -p '{orjson.dumps(patch).decode()}'"
    path = object_path(loads.VERSION, loads.PLURAL, namespace, name)
    return outcome(api(view.cluster, "PATCH", path, patch, line, MERGE))


def traffic_stop(view: View, values: Values) -> Outcome:
    """Delete a LoadGenerator. `key`."""
    namespace, name = meta.split_key(values.get("key", ""))
    line = f"kubectl delete loadgenerator {name}{flag(namespace)}"
    return outcome(api(view.cluster, "DELETE", object_path(loads.VERSION, loads.PLURAL, namespace, name), None, line))


# --- Time --------------------------------------------------------------------------------------------------


def clock(view: View, values: Values) -> Outcome:
    """pause, resume, speed, step, skip: the world says what it does not understand."""
    request: dict[str, Any] = {"type": "clock", "op": values.get("op", "")}
    for name in ("value", "by"):
        if name in values:
            request[name] = values[name]
    if values.get("seconds", "").isdigit():
        request["seconds"] = int(values["seconds"])
    return outcome(ask(view.cluster, request))


# --- Clusters ----------------------------------------------------------------------------------------------


def cluster_create(view: View, values: Values) -> Outcome:
    name = values.get("name", "").strip()
    nodes, seed = values.get("nodes", ""), values.get("seed", "")
    if not nodes.isdigit() or not seed.isdigit():
        return failed(_("Nodes and seed must be whole numbers of 0 or more."), form=True)
    request = {
        "type": "create",
        "seed": int(seed),
        "epoch": time.time_ns() // 1000,
        "options": {"nodes": int(nodes), **({"cloud": True} if "cloud" in values else {})},
    }
    answer = (
        inbox.call_sync(name, request) if name else inbox.refusal(400, "BadRequest", _("The cluster needs a name."))
    )
    if answer.status >= 400:
        return failed(str(answer.json().get("message")), form=True)
    if "application" in values:
        give_application(name)
    return done(goto=reverse("page", args=[name]))


def give_application(cluster: str) -> None:
    """The opening scene's application, so that the cluster is not empty. Refusals show in the cluster itself."""
    for manifest in yaml.safe_load_all(opening.APPLICATION):
        inbox.call_sync(cluster, opening.apply_request(manifest))


def cluster_reset(view: View, values: Values) -> Outcome:
    ok, said = ask(view.cluster, {"type": "reset", "epoch": time.time_ns() // 1000})
    if ok and "application" in values:
        give_application(view.cluster.name)
    return done(_("%(name)s begins again.") % {"name": view.cluster.name}) if ok else failed(said, form=True)


def cluster_delete(view: View, values: Values) -> Outcome:
    ok, said = ask(view.cluster, {"type": "delete"})
    return done(goto=reverse("home")) if ok else failed(said, form=True)


ACTIONS: dict[str, Callable[[View, Values], Outcome]] = {
    "addon-install": addon_install,
    "apply": apply,
    "clock": clock,
    "component-restart": component_restart,
    "component-start": component_start,
    "component-stop": component_stop,
    "cloud": cloud,
    "cloud-terminate": cloud_terminate,
    "cluster-create": cluster_create,
    "cluster-delete": cluster_delete,
    "cluster-reset": cluster_reset,
    "cordon": cordon,
    "delete": delete,
    "drain": drain,
    "etcd": etcd,
    "node-add": node_add,
    "node-remove": node_remove,
    "power-off": power_off,
    "replicas": replicas,
    "power-on": power_on,
    "route": route,
    "runtime": runtime,
    "static-pod": static_pod,
    "shutdown": shutdown,
    "scale": scale,
    "scheduler-configure": scheduler_configure,
    "traffic-install": traffic_install,
    "traffic-rate": traffic_rate,
    "traffic-send": traffic_send,
    "traffic-stop": traffic_stop,
    "uncordon": uncordon,
}
