"""The operator of LoadGenerators: runs a Deployment for each, and says in its status what comes of its requests.

    LoadGenerator --owns--> Deployment --owns--> ReplicaSet --owns--> pods that send

A pod watches its LoadGenerator itself (`load-generator --from=NAME`), so another rate, target or timeout needs no new
pod and no operator; only `replicas` is the operator's. It works while a pod with load-operator in its image runs; when
the last is gone, LoadGenerators that are there go on, nothing is made of new ones, and statuses stand still.

    Available    are there as many pods as wanted?
    Succeeding   is all answered, but for one in a thousand? If not, the reason is that of the commonest failure

Mirrors:  the usual way of such a controller (kubebuilder's), grafana/k6-operator
Read next: cluster/flows/ for where figures come from.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from cluster.engine.clock import SECOND
from cluster.engine.controller import Controller, Surroundings
from cluster.objects import Manifest, conditions, meta
from cluster.objects.errors import ApiError

OBJECTS, LABEL = "loadgenerators.traffic.orrery.dev", "traffic.orrery.dev/load-generator"
PROGRAM = "load-operator"
IMAGE = "orrery/load-generator:1.0"
STATUS = "status|"
TELL_EVERY = SECOND
Figures = Mapping[str, Any]  # See cluster/flows/figures.py.


class Operator(Controller):
    """Queue keys: `namespace/name` to make what is wanted, `status|namespace/name` to tell how it goes."""

    name = "load-operator"
    role = "addons"
    user = "system:serviceaccount:kube-system:load-operator"
    kind = OBJECTS
    reaction = 50_000

    def __init__(
        self, around: Surroundings, runs: Callable[[], bool], figures: Callable[[str, str], Figures], name: str = ""
    ) -> None:
        """`runs`: is there a container of it? `figures`: of a LoadGenerator, by namespace and name."""
        self._runs, self._figures = runs, figures
        super().__init__(around, name)

    def watch(self) -> None:
        self.informers.subscribe("Deployment", self._deployment_changed, self.name)
        self.informers.on_custom(self._follow, self.name)

    def _follow(self, cache: str) -> None:
        if cache == OBJECTS:
            self.informers.subscribe(OBJECTS, self._wish_changed, self.name)

    def start(self) -> None:
        """Nothing to list: its container has not started yet."""

    def _wish_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if old is None or new is None or old["spec"] != new["spec"]:
            self.queue.add(meta.key(new or old or {}))

    def _deployment_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        owner = meta.controller_of(new or old or {})
        if owner is not None and owner["kind"] == "LoadGenerator":
            self.queue.add(f"{meta.namespace(new or old or {})}/{owner['name']}")

    def program_changed(self, program: str) -> None:
        """A container of it has started or ended: one that starts lists what there is."""
        if program == PROGRAM:
            for wish in self.informers.list(OBJECTS):
                self.queue.add(meta.key(wish))

    def figures_changed(self, key: str) -> None:
        """What comes of a LoadGenerator's requests is another thing now: it is told soon, once for all changes."""
        self.queue.add_after(STATUS + key, TELL_EVERY)

    def process(self, key: str) -> None:
        wish = self.informers.by_key(OBJECTS, key.removeprefix(STATUS))
        if wish is None or meta.is_deleting(wish) or not self._runs():
            return
        if not key.startswith(STATUS):
            self._make(wish)
        self._tell(wish)

    def _make(self, wish: Manifest) -> None:
        """The Deployment, with as many replicas as wanted."""
        namespace, name, wanted = meta.namespace(wish), meta.name(wish), wish["spec"]["replicas"]
        found = self.informers.get("Deployment", namespace, deployment_of(name))
        if found is None:
            try:
                self.client.create(deployment(wish))
            except ApiError as error:
                self.recorder.event(wish, "Warning", "FailedCreate", f"Error creating: {error}")
                raise
            made = f"Created Deployment {namespace}/{deployment_of(name)}"
            self.recorder.event(wish, "Normal", "Created", made)
        elif _is_ours(found, wish) and found["spec"].get("replicas") != wanted:
            self.client.patch("Deployment", namespace, meta.name(found), {"spec": {"replicas": wanted}})

    def _tell(self, wish: Manifest) -> None:
        status = self._status(wish)
        if status != (wish.get("status") or {}):
            self.client.update_status({**wish, "status": status})

    def _status(self, wish: Manifest) -> Manifest:
        namespace, name = meta.namespace(wish), meta.name(wish)
        found = self.informers.get("Deployment", namespace, deployment_of(name))
        ours = found is not None and _is_ours(found, wish)
        running = (found.get("status") or {}) if found is not None and ours else {}
        figures, wanted = self._figures(namespace, name), wish["spec"]["replicas"]
        ready = running.get("availableReplicas", 0)
        status: Manifest = {
            "observedGeneration": wish["metadata"].get("generation", 1),
            "replicas": running.get("replicas", 0),
            "readyReplicas": ready,
            "selector": f"{LABEL}={name}",
            "requestsPerSecond": figures["answered"],
            "errorsPerSecond": figures["errors"],
        }
        if figures["latency"]:
            status["latency"] = dict(figures["latency"])
        if figures["outcomes"]:
            outcomes = figures["outcomes"].items()
            status["outcomes"] = [{"outcome": outcome, "perSecond": rate} for outcome, rate in outcomes]
        if found is not None and not ours:
            said = f"deployments.apps {deployment_of(name)!r} belongs to somebody else".replace("'", '"')
            available = ("False", "NameTaken", said)
        elif ready >= wanted:
            available = ("True", "PodsAvailable", f"{ready} of {wanted} pods are available")
        else:
            available = ("False", "PodsUnavailable", f"{ready} of {wanted} pods are available")
        told = [("Available", *available), ("Succeeding", *succeeding(wish, figures, ready))]
        status["conditions"] = self._conditions(wish, told)
        return status

    def _conditions(self, wish: Manifest, told: list[tuple[str, str, str, str]]) -> list[Manifest]:
        """With the time of the last transition of each."""
        made = []
        for type_, state, reason, message in told:
            known = conditions.get(wish, type_) or {}
            since = known.get("lastTransitionTime") if known.get("status") == state else None
            about = {"type": type_, "status": state, "reason": reason, "message": message}
            generation = wish["metadata"].get("generation", 1)
            made.append({**about, "observedGeneration": generation, "lastTransitionTime": since or self.clock.stamp()})
        return made


def succeeding(wish: Manifest, figures: Figures, ready: int) -> tuple[str, str, str]:
    """The condition Succeeding: (status, reason, message)."""
    if not ready:
        return "Unknown", "NoPods", "no pod of it is available"
    if figures["failing"]:
        return "False", reason_of(figures["failure"]), figures["said"]
    if not wish["spec"]["requestsPerSecond"]:
        return "Unknown", "Idle", "no requests are wanted"
    if figures["behind"]:
        wanted, sent = wish["spec"]["requestsPerSecond"], figures["answered"]
        return "True", "FallingBehind", f"{sent:g} of {wanted} requests per second: all connections wait for answers"
    if figures["errors"]:
        return "True", "NearlyAllAnswered", f"fewer than one request in a thousand fails: {figures['said']}"
    return "True", "AllAnswered", "every request is answered"


def reason_of(failure: str) -> str:
    """A condition's reason.

    >>> reason_of("connection refused"), reason_of("i/o timeout"), reason_of("503")
    ('ConnectionRefused', 'IOTimeout', 'HTTP503')
    """
    if failure.isdecimal():
        return f"HTTP{failure}"
    words = re.findall(r"[A-Za-z0-9]+", failure)
    return "".join(word.upper() if len(word) == 1 else word[0].upper() + word[1:] for word in words) or "Failed"


def deployment_of(name: str) -> str:
    return f"{name}-load-generator"


def deployment(wish: Manifest) -> Manifest:
    """The pods of a LoadGenerator. They watch it by name, so they need not change with it."""
    name, labels = meta.name(wish), {"app.kubernetes.io/name": "load-generator", LABEL: meta.name(wish)}
    container = {
        "name": "load-generator",
        "image": IMAGE,
        "args": [f"--from={name}"],
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": deployment_of(name),
            "namespace": meta.namespace(wish),
            "labels": labels,
            "ownerReferences": [meta.owner_reference(wish)],
        },
        "spec": {
            "replicas": wish["spec"]["replicas"],
            "selector": {"matchLabels": {LABEL: name}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 2},
            },
        },
    }


def _is_ours(found: Manifest, wish: Manifest) -> bool:
    owner = meta.controller_of(found)
    return owner is not None and owner["uid"] == meta.uid(wish)
