"""DaemonSet controller: one pod on every node that it fits on.

The controller decides which nodes those are, and the scheduler only confirms: each pod is made for one node and says so
in its affinity. Most taints of a node in trouble are tolerated, since a daemon is what looks after nodes.

    node joins -> fits? -> a pod for it        template changes -> old pods go, maxUnavailable at a time

Mirrors:  kubernetes/pkg/controller/daemon/{daemon_controller,update}.go
Read next: revisions.py for the templates that were.
"""

from typing import Any, NamedTuple

from cluster.controllers.revisions import HASH, History
from cluster.controllers.rounding import scaled
from cluster.engine.clock import SECOND
from cluster.engine.controller import Controller
from cluster.objects import Manifest, labels, meta, nodes, pods, times
from cluster.objects.errors import ApiError, Forbidden, NotFound
from cluster.objects.memo import IdentityMemo

GENERATION, POD_GENERATION = "deprecated.daemonset.template.generation", "pod-template-generation"
BURST = 250  # Pods created or deleted in one step.
FAILED_WAIT = SECOND  # Between the end of a pod that failed and its deletion, doubling …
FAILED_MOST = 15 * 60 * SECOND  # … up to so long.
_EXECUTE, _SCHEDULE = "NoExecute", "NoSchedule"
TOLERATED = (
    ("node.kubernetes.io/not-ready", _EXECUTE),
    ("node.kubernetes.io/unreachable", _EXECUTE),
    ("node.kubernetes.io/disk-pressure", _SCHEDULE),
    ("node.kubernetes.io/memory-pressure", _SCHEDULE),
    ("node.kubernetes.io/pid-pressure", _SCHEDULE),
    ("node.kubernetes.io/unschedulable", _SCHEDULE),
)


class Fit(NamedTuple):
    """May a pod begin on a node, and may one that is there stay?"""

    begins: bool
    stays: bool


Places = list[tuple[str, Fit]]  # Every node.
Placed = dict[str, list[Manifest]]  # Pods by the node that each is for.


class DaemonSetController(Controller):
    name = "daemonset-controller"
    kind = "DaemonSet"
    owns = ("Pod", "ControllerRevision")
    _acted = False  # Within one step: were pods created or deleted?

    def watch(self) -> None:
        super().watch()
        self.informers.subscribe("Node", self._node_changed, self.name)

    def _node_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is None or (old is not None and _place(old) == _place(new)):
            return
        for daemonset in self.informers.list(self.kind):
            if old is None or fit(daemonset, old) != fit(daemonset, new):
                self.queue.add(meta.key(daemonset))

    def reconcile(self, daemonset: Manifest) -> None:
        """Put pods where they belong, replace old ones, report."""
        if meta.is_deleting(daemonset):
            return
        history = History(self.client, self.informers, daemonset, HASH)
        current = history.current()
        text = meta.labels(current).get(HASH, "")
        places = [(meta.name(node), fit(daemonset, node)) for node in self.informers.list("Node")]
        self._acted, placed = False, self._by_node(daemonset)
        failure = self._manage(daemonset, places, placed, text)
        if failure is None and daemonset["spec"]["updateStrategy"].get("type") == "RollingUpdate":
            placed = self._by_node(daemonset) if self._acted else placed
            failure = self._update(daemonset, places, placed, text)
        placed = self._by_node(daemonset) if self._acted else placed
        used = {f"{meta.name(daemonset)}-{meta.labels(pod).get(HASH, '')}" for pod in self.owned("Pod", daemonset)}
        history.truncate(used | {meta.name(current)}, daemonset["spec"].get("revisionHistoryLimit", 10))
        self._report(daemonset, places, placed, text)
        if failure is not None:
            raise failure

    # --- which nodes --------------------------------------------------------------------------------------------

    def _by_node(self, daemonset: Manifest) -> Placed:
        """The set's pods by the node that each is for, oldest first."""
        found: dict[str, list[Manifest]] = {}
        for pod in self.owned("Pod", daemonset):
            node = target_of(pod)
            if node:
                found.setdefault(node, []).append(pod)
        return found

    def _manage(self, daemonset: Manifest, places: Places, placed: Placed, text: str) -> ApiError | None:
        wanted: list[str] = []
        surplus: list[Manifest] = []
        for name, place in places:
            here = placed.get(name, [])
            if place.begins and not here:
                wanted.append(name)
            elif place.stays:
                surplus += self._surplus(daemonset, here, name, text)
            else:
                surplus += [pod for pod in here if not meta.is_deleting(pod)]
        for name, here in placed.items():  # Made for a node that went before the scheduler had a look.
            if self.informers.get("Node", "", name) is None:
                surplus += [pod for pod in here if not pods.is_scheduled(pod) and not meta.is_deleting(pod)]
        return self._apply(daemonset, surplus, wanted, text)

    def _surplus(self, daemonset: Manifest, here: list[Manifest], node: str, text: str) -> list[Manifest]:
        """Pods of one node that must go: those that ended, and all but the oldest."""
        gone, running = [], []
        for pod in here:
            if meta.is_deleting(pod):
                continue
            if not pods.is_terminal(pod):
                running.append(pod)
            elif pods.phase(pod) == "Succeeded":
                message = f"Found succeeded daemon pod {meta.key(pod)} on node {node}, will try to delete it"
                self.recorder.event(daemonset, "Normal", "SucceededDaemonPod", message)
                gone.append(pod)
            elif self._failed_long_enough(daemonset, node):
                message = f"Found failed daemon pod {meta.key(pod)} on node {node}, will try to kill it"
                self.recorder.event(daemonset, "Warning", "FailedDaemonPod", message)
                gone.append(pod)
        if not _surge(daemonset):
            return [*gone, *running[1:]]
        new = [pod for pod in running if meta.labels(pod).get(HASH) == text]
        old = [pod for pod in running if meta.labels(pod).get(HASH) != text]
        gone += new[1:] + old[1:]
        if new and old and (not pods.is_ready(old[0]) or self._is_available(daemonset, new[0])):
            gone.append(old[0])
        return gone

    def _failed_long_enough(self, daemonset: Manifest, node: str) -> bool:
        """Pods that fail again and again are replaced ever more slowly."""
        key, now = f"{meta.uid(daemonset)}/{node}", self.clock.now
        last, wait = self.memory.get(key, (None, FAILED_WAIT))
        if last is not None and now < last + wait:
            self.queue.add_after(meta.key(daemonset), last + wait - now, f"{meta.name(daemonset)} tries {node} again")
            return False
        quiet = last is None or now > last + 2 * FAILED_MOST
        self.memory[key] = [now, FAILED_WAIT if quiet else min(2 * wait, FAILED_MOST)]
        return True

    def gone(self, key: str) -> None:
        there = {meta.uid(daemonset) for daemonset in self.informers.list(self.kind)}
        for known in [known for known in self.memory if known.partition("/")[0] not in there]:
            self.memory.pop(known)

    # --- updates ------------------------------------------------------------------------------------------------

    def _update(self, daemonset: Manifest, places: Places, placed: Placed, text: str) -> ApiError | None:
        """Replace pods of old templates, a few nodes at a time."""
        names = [name for name, place in places if place.begins]
        surge, unavailable = _limits(daemonset, len(names))
        known = [*placed, *(name for name in names if name not in placed)]
        if surge:
            return self._surge_over(daemonset, {name: placed.get(name, []) for name in known}, surge, text)
        down, broken, candidates = 0, [], []
        for name in known:
            new, old, clear = _updated(placed.get(name, []), text)
            if not clear or (new is None) == (old is None):
                down += 1
            elif new is not None:
                down += not self._is_available(daemonset, new)
            elif old is not None and not self._is_available(daemonset, old):
                broken.append(old)
            elif old is not None:
                candidates.append(old)
        return self._apply(daemonset, [*broken, *candidates[: max(0, unavailable - down)]], [], text)

    def _surge_over(
        self, daemonset: Manifest, placed: dict[str, list[Manifest]], surge: int, text: str
    ) -> ApiError | None:
        """The new pod comes first, the old one goes when it is available."""
        extra, over = 0, list[Manifest]()
        urgent, candidates = list[str](), list[str]()
        for name, here in placed.items():
            new, old, clear = _updated(here, text)
            if not clear:
                extra += 1
            elif old is None:
                continue
            elif new is None:
                (candidates if self._is_available(daemonset, old) else urgent).append(name)
            elif self._is_available(daemonset, new):
                over.append(old)
            else:
                extra += 1
        return self._apply(daemonset, over, [*urgent, *candidates[: max(0, surge - extra)]], text)

    def _is_available(self, daemonset: Manifest, pod: Manifest) -> bool:
        wait = daemonset["spec"].get("minReadySeconds", 0) * SECOND
        if not pods.is_ready(pod):
            return False
        left = times.parse(pods.ready_since(pod)) + wait - self.clock.unix() if wait else 0
        if left > 0:
            note = f"pods of {meta.name(daemonset)} become available"
            self.queue.add_after(meta.key(daemonset), left, note)
        return left <= 0

    # --- pods ---------------------------------------------------------------------------------------------------

    def _apply(self, daemonset: Manifest, surplus: list[Manifest], wanted: list[str], text: str) -> ApiError | None:
        """Create and delete. Returns the error that stopped it."""
        self._acted = self._acted or bool(wanted or surplus)
        for name in wanted[:BURST]:
            try:
                pod = self.client.create(pod_for(daemonset, name, text))
            except ApiError as error:
                if isinstance(error, Forbidden) and "being terminated" in error.message:
                    return None
                self.recorder.event(daemonset, "Warning", "FailedCreate", f"Error creating: {error.message}")
                return error
            self.recorder.event(daemonset, "Normal", "SuccessfulCreate", f"Created pod: {meta.name(pod)}")
        for pod in surplus[:BURST]:
            try:
                self.client.delete("Pod", meta.namespace(pod), meta.name(pod), uid=meta.uid(pod))
            except NotFound:
                continue
            except ApiError as error:
                self.recorder.event(daemonset, "Warning", "FailedDelete", f"Error deleting: {error.message}")
                return error
            self.recorder.event(daemonset, "Normal", "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}")
        if len(wanted) > BURST or len(surplus) > BURST:
            self.queue.add(meta.key(daemonset))
        return None

    # --- the report ---------------------------------------------------------------------------------------------

    def _report(self, daemonset: Manifest, places: Places, placed: Placed, text: str) -> None:
        desired = current = wrong = ready = updated = available = 0
        for name, place in places:
            here = placed.get(name, [])
            if not place.begins:
                wrong += bool(here)
                continue
            desired += 1
            if here:
                current += 1
                ready += pods.is_ready(here[0])
                available += self._is_available(daemonset, here[0])
                updated += meta.labels(here[0]).get(HASH) == text
        status: dict[str, Any] = {
            "currentNumberScheduled": current,
            "numberMisscheduled": wrong,
            "desiredNumberScheduled": desired,
            "numberReady": ready,
            "observedGeneration": meta.generation(daemonset),
        }
        for name, number in (
            ("updatedNumberScheduled", updated),
            ("numberAvailable", available),
            ("numberUnavailable", desired - available),
        ):
            if number:
                status[name] = number
        kept = {name: value for name, value in (daemonset.get("status") or {}).items() if name in _KEPT}
        current_one = self.informers.by_key(self.kind, meta.key(daemonset))
        if current_one is not None and meta.uid(current_one) == meta.uid(daemonset):
            self.client.update_status({**current_one, "status": {**status, **kept}})


_KEPT = ("collisionCount", "conditions")


def _place(node: Manifest) -> tuple[Any, ...]:
    """What of a node decides who may be there."""
    return meta.labels(node), nodes.taints(node), meta.name(node)


_fits = IdentityMemo(65_536)  # By node, and the set in its generation: a set of 5,000 nodes looks at all of them often.
_tolerations = IdentityMemo(256)


def fit(daemonset: Manifest, node: Manifest) -> Fit:
    """May the set's pods run on that node?"""
    which = (meta.uid(daemonset), meta.generation(daemonset))
    found: Fit = _fits.get(node, which, lambda node: _fit(daemonset, node))
    return found


def _fit(daemonset: Manifest, node: Manifest) -> Fit:
    spec = daemonset["spec"]["template"].get("spec") or {}
    if spec.get("nodeName") not in (None, "", meta.name(node)) or not _is_chosen(spec, node):
        return Fit(False, False)
    pod = {"spec": {"tolerations": _tolerations.get(spec, None, tolerations)}}
    strange = [
        taint["effect"]
        for taint in nodes.taints(node)
        if taint["effect"] in (_EXECUTE, _SCHEDULE) and not pods.tolerates(pod, taint)
    ]
    return Fit(not strange, _EXECUTE not in strange)


def _is_chosen(spec: Manifest, node: Manifest) -> bool:
    """Do the node selector and the required node affinity allow it?"""
    found = meta.labels(node)
    if any(found.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED)
    if affinity is None:
        return True
    return any(_term_matches(term, node) for term in affinity.get("nodeSelectorTerms") or ())


_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def _term_matches(term: Manifest, node: Manifest) -> bool:
    by_label, by_field = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not by_label and not by_field:
        return False
    name = {"metadata.name": meta.name(node)}
    return _all(by_label, meta.labels(node)) and _all(by_field, name)


def _all(expressions: list[Manifest], found: dict[str, str]) -> bool:
    return not expressions or labels.matches({"matchExpressions": expressions}, found)


def tolerations(spec: Manifest) -> list[Manifest]:
    """The template's tolerations and those that every daemon has."""
    more = (("node.kubernetes.io/network-unavailable", _SCHEDULE),) if spec.get("hostNetwork") else ()
    added = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in (*TOLERATED, *more)]
    given = spec.get("tolerations") or []
    return [*given, *(toleration for toleration in added if toleration not in given)]


def target_of(pod: Manifest) -> str:
    """The node that a pod is on, or is for."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    affinity = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED) or {}
    for term in affinity.get("nodeSelectorTerms") or ():
        for requirement in term.get("matchFields") or ():
            if requirement.get("key") == "metadata.name" and len(requirement.get("values") or ()) == 1:
                return str(requirement["values"][0])
    return ""


def _updated(here: list[Manifest], text: str) -> tuple[Manifest | None, Manifest | None, bool]:
    """(pod of the present template, pod of an old one, is there at most one of each?)"""
    alive = [pod for pod in here if not meta.is_deleting(pod)]
    new = [pod for pod in alive if meta.labels(pod).get(HASH) == text]
    old = [pod for pod in alive if meta.labels(pod).get(HASH) != text]
    return (new[0] if new else None), (old[0] if old else None), len(new) < 2 and len(old) < 2


def _surge(daemonset: Manifest) -> bool:
    rolling = daemonset["spec"]["updateStrategy"].get("rollingUpdate") or {}
    return rolling.get("maxSurge", 0) not in (0, "0%")


def _limits(daemonset: Manifest, desired: int) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) of so many nodes."""
    rolling = daemonset["spec"]["updateStrategy"].get("rollingUpdate") or {}
    surge = scaled(rolling.get("maxSurge", 0), desired, round_up=True)
    unavailable = scaled(rolling.get("maxUnavailable", 1), desired, round_up=True)
    return surge, unavailable if surge or unavailable else 1


def pod_for(daemonset: Manifest, node: str, text: str) -> Manifest:
    """The set's pod for one node."""
    template = daemonset["spec"]["template"]
    given, spec = template.get("metadata") or {}, template.get("spec") or {}
    generation = meta.annotations(daemonset).get(GENERATION, "1")
    metadata: Manifest = {"generateName": f"{meta.name(daemonset)}-", "namespace": meta.namespace(daemonset)}
    metadata["labels"] = {**(given.get("labels") or {}), HASH: text, POD_GENERATION: generation}
    metadata |= {part: given[part] for part in ("annotations", "finalizers") if given.get(part)}
    metadata["ownerReferences"] = [meta.owner_reference(daemonset)]
    own = {"key": "metadata.name", "operator": "In", "values": [node]}
    affinity = spec.get("affinity") or {}
    required = {"nodeSelectorTerms": [{"matchFields": [own]}]}
    placed = {**affinity, "nodeAffinity": {**(affinity.get("nodeAffinity") or {}), _REQUIRED: required}}
    body = {**spec, "affinity": placed, "tolerations": tolerations(spec)}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": body}
