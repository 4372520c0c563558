"""Draining a node as `kubectl drain` does it: ask first, cordon, evict what is there, wait until it is gone.

    questions   pods with an emptyDir lose it; nobody makes a pod without a controller again; a DaemonSet's stay
    evictions   one request a pod; a refusal by a disruption budget is tried again every five seconds
    rounds      the page asks for them one by one: whoever closes it stops the drain, as Ctrl-C stops kubectl

Mirrors:  k8s.io/kubectl/pkg/drain (filters.go, drain.go, cordon.go)
Left out: --pod-selector, --disable-eviction, --timeout, --skip-wait-for-delete-timeout; DaemonSet pods whose DaemonSet
          is gone.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from cluster.objects import Manifest, meta, pods
from dashboard.webui.client import Client
from dashboard.webui.writes import WRITES

MIRROR = "kubernetes.io/config.mirror"
OPTIONS = {
    "daemonsets": "--ignore-daemonsets",
    "emptydir": "--delete-emptydir-data",
    "force": "--force",
}
FATAL = {
    "daemonsets": "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)",
    "emptydir": "cannot delete Pods with local storage (use --delete-emptydir-data to override)",
    "force": "cannot delete Pods that declare no controller (use --force to override)",
}
AGAIN = "will retry after 5s"
MOST = 500  # Pods of a node.


class Answer(NamedTuple):
    """What a pod's eviction came to. `state`: evicted, terminating, refused, failed or gone."""

    state: str
    said: str = ""


def round_of(server: Client, node: str, values: Mapping[str, str] | None) -> dict[str, Any]:
    """Look at the node; with `values`, the form's, also do the next round. For the template."""
    options = {name: bool(values.get(name)) if values else name == "daemonsets" for name in OPTIONS}
    grace = (values or {}).get("grace", "")
    here = f"api/v1/nodes/{node}"
    state: dict[str, Any] = {"node": node, "options": options, "grace": grace, "line": _line(node, options, grace)}
    state |= {"started": False, "over": False, "problem": "", "rows": [], "asked": []}
    if values is not None and not values.get("asked"):
        cordoned = WRITES["cordon"](server, here, {})
        if cordoned.status >= 400:
            return state | {"problem": cordoned.message}
    listed = server.get("api/v1/pods", {"fieldSelector": f"spec.nodeName={node}", "limit": str(MOST)})
    if listed.status != 200:
        return state | {"problem": listed.message}
    there = sorted(listed.body["items"], key=meta.key)
    if values is None:
        return state | {"rows": [_previewed(each) for each in there]}
    return state | _round(server, there, node, values, options, grace)


def _line(node: str, options: Mapping[str, bool], grace: str) -> str:
    flags = [OPTIONS[name] for name, chosen in options.items() if chosen]
    return " ".join(["kubectl drain", node, *flags, *([f"--grace-period={grace}"] if grace else [])])


def questions(pod: Manifest) -> list[str]:
    """Which options have to be chosen before this pod may go."""
    owner = meta.controller_of(pod)
    if owner is not None and owner["kind"] == "DaemonSet":
        return ["daemonsets"]
    if pods.is_terminal(pod):
        return []
    found = ["emptydir"] if any("emptyDir" in each for each in pod["spec"].get("volumes") or ()) else []
    return found + ([] if owner is not None else ["force"])


def _is_mirror(pod: Manifest) -> bool:
    return MIRROR in meta.annotations(pod)


def _row(pod: Manifest, **more: Any) -> dict[str, Any]:
    namespace, name = meta.namespace(pod), meta.name(pod)
    path = f"api/v1/namespaces/{namespace}/pods/{name}"
    return {"namespace": namespace, "name": name, "api": path, "questions": [], "said": "", **more}


def _previewed(pod: Manifest) -> dict[str, Any]:
    return _row(pod, state="mirror" if _is_mirror(pod) else "", questions=questions(pod))


def _round(
    server: Client, there: list[Manifest], node: str, values: Mapping[str, str], options: Mapping[str, bool], grace: str
) -> dict[str, Any]:
    candidates = [each for each in there if not _is_mirror(each)]
    open_questions = {
        name: [meta.key(pod) for pod in candidates if name in questions(pod)] for name in OPTIONS if not options[name]
    }
    fatal = [f"{FATAL[name]}: {', '.join(keys)}" for name, keys in open_questions.items() if keys]
    if fatal:
        why = f"[{', '.join(fatal)}]" if len(fatal) > 1 else fatal[0]
        problem = f'error: unable to drain node "{node}" due to error: {why}, continuing command...'
        return {"problem": problem, "rows": [_previewed(each) for each in there]}
    wanted = [each for each in candidates if "daemonsets" not in questions(each)]
    before = dict.fromkeys(_asked(values))
    asked = [*before, *(_identity(each) for each in wanted if _identity(each) not in before)]
    outcomes = {_identity(each): _evict(server, each, grace) for each in wanted}
    rows = []
    for identity in asked:
        key, _, _uid = identity.partition("=")
        namespace, name = meta.split_key(key)
        answer = outcomes.get(identity, Answer("gone"))
        path = f"api/v1/namespaces/{namespace}/pods/{name}"
        rows.append({"namespace": namespace, "name": name, "api": path, "state": answer.state, "said": answer.said})
    failed = [row["said"] for row in rows if row["state"] == "failed"]
    gone = sum(row["state"] == "gone" for row in rows)
    return {
        "started": True,
        "over": bool(failed) or gone == len(rows),
        "problem": "\n".join(failed),
        "rows": rows,
        "asked": asked or ["-"],
        "gone": gone,
        "all": len(rows),
    }


def _asked(values: Mapping[str, str]) -> Iterable[str]:
    return [each for each in values.get("asked", "").split() if "=" in each]


def _identity(pod: Manifest) -> str:
    return f"{meta.key(pod)}={meta.uid(pod)}"


def _evict(server: Client, pod: Manifest, grace: str) -> Answer:
    """One eviction; what is being deleted already is waited for."""
    if meta.is_deleting(pod):
        return Answer("terminating")
    namespace, name = meta.namespace(pod), meta.name(pod)
    options = {"gracePeriodSeconds": int(grace)} if grace.isdecimal() and len(grace) < 8 else {}
    where = {"name": name, "namespace": namespace}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": where, "deleteOptions": options}
    answer = server.write("POST", f"api/v1/namespaces/{namespace}/pods/{name}/eviction", orjson.dumps(body))
    if answer.status < 400:
        return Answer("evicted")
    if answer.status == 404:
        return Answer("gone")
    retried = answer.status == 429
    said = f'error when evicting pods/"{name}" -n "{namespace}"{f" ({AGAIN})" if retried else ""}: {answer.message}'
    causes = (answer.body.get("details") or {}).get("causes") or ()
    why = " ".join(str(each.get("message", "")) for each in causes)
    return Answer("refused" if retried else "failed", f"{said} {why}".strip())
