"""VolumeBinding: a pod goes where its volumes are, or where they can be.

    claim bound                   its volume may be within reach of some nodes only
    unbound, class Immediate      the binder is at work: no node will do until it has finished
    unbound, WaitForFirstConsumer a node is good if a free volume there fits, or one can be made there

For a pod that waits for volumes the choice of a node comes first. Reserve and PreBind then make it true: the chosen
free volumes are pointed at the claims, and claims whose volume is to be made are told the node. The binder and the
provisioner do the rest; the pod is bound to its node when all its claims are bound, or tried anew after ten minutes.

Mirrors:  kubernetes/pkg/scheduler/framework/plugins/volumebinding (volume_binding.go, binder.go)
Left out: the score by free capacity, which is off by default; an assume cache: our writes are seen at once.
Read next: cluster/scheduler/binding.py, where pods wait.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from cluster.engine.client import Client
from cluster.engine.clock import SECOND
from cluster.engine.informer import Informers
from cluster.objects import Manifest, labels, meta, quantity
from cluster.objects.nodeterms import keys_of
from cluster.objects.storage import (
    NO_PROVISIONER,
    SELECTED_NODE,
    affinity_terms,
    best_match_at,
    claim_names,
    class_of,
    is_fully_bound,
    is_made_for,
    is_within_reach,
    phase,
    pointed_at,
    request,
    topology_allows,
    waits_for_consumer,
)
from cluster.scheduler.framework import SKIP, ClusterEvent, Plugin, PreBindError, Rejection
from cluster.scheduler.snapshot import NodeInfo, Numbers, View

UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
OUT_OF_REACH, NOTHING_FREE, NO_ROOM, VOLUME_GONE = 1, 2, 4, 8
REASONS = {  # In the order in which they are told.
    OUT_OF_REACH: "node(s) didn't match PersistentVolume's node affinity",
    NOTHING_FREE: "node(s) didn't find available persistent volumes to bind",
    NO_ROOM: "node(s) did not have enough free storage",
    VOLUME_GONE: "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
}

BIND_TIMEOUT = 600  # Seconds that a pod waits for its volumes.

Plan = dict[str, list[list[str]]]  # {"bind": [[claim key, volume]], "provision": [[claim key]]}: plain data.


class Ask(NamedTuple):
    """The pod's claims. `volumes`: those of the bound ones, None where it is gone; `free`: candidates by class."""

    volumes: list[Manifest | None]
    unbound: list[Manifest]
    free: dict[str, list[Manifest]]
    place: tuple[str, ...]  # The labels of a node that decide.
    by_name: bool  # The node's name does, too.


class VolumeBinding(Plugin):
    name = "VolumeBinding"
    local = False
    events = frozenset(
        {
            ("StorageClass", "add"),
            ("StorageClass", "update"),
            ("PersistentVolumeClaim", "add"),
            ("PersistentVolumeClaim", "update"),
            ("PersistentVolume", "add"),
            ("PersistentVolume", "update"),
            ("Node", "add"),
            ("Node", "update"),
            ("CSINode", "add"),
            ("CSIDriver", "update"),
            ("CSIStorageCapacity", "add"),
            ("CSIStorageCapacity", "update"),
        }
    )

    def __init__(
        self,
        informers: Informers,
        client: Callable[[], Client] | None = None,
        args: Mapping[str, Any] | None = None,
    ) -> None:
        """`client`: for the writes of PreBind; a scheduler that only thinks needs none. `args`: bindTimeoutSeconds."""
        self._informers, self._client = informers, client
        self.timeout = (args or {}).get("bindTimeoutSeconds", BIND_TIMEOUT) * SECOND
        informers.add_index("PersistentVolume", "class", lambda volume: [class_of(volume)])

    # --- may it go there? ---------------------------------------------------------------------------------------

    def prefilter(self, pod: Manifest, nodes: Any) -> Any:
        volumes = pod["spec"].get("volumes")
        if not volumes:
            return SKIP
        found: list[Manifest] = []
        for name, ephemeral in claim_names(pod):
            claim = self._informers.get("PersistentVolumeClaim", meta.namespace(pod), name)
            problem = self._problem(pod, name, claim, ephemeral)
            if problem or claim is None:
                return Rejection(self.name, (problem,))
            found.append(claim)
        if not found:
            return SKIP
        bound = [claim for claim in found if is_fully_bound(claim)]
        unbound = [claim for claim in found if not is_fully_bound(claim)]
        if not all(self._is_delayed(claim) for claim in unbound):
            return Rejection(self.name, (UNBOUND,))
        return self._ask(bound, unbound)

    def _problem(self, pod: Manifest, name: str, claim: Manifest | None, ephemeral: bool) -> str:
        """Why no node will do as long as the claim is as it is; empty if it is all right."""
        if claim is None:
            if ephemeral:
                return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
            return f'persistentvolumeclaim "{name}" not found'
        if phase(claim) == "Lost":
            volume = claim["spec"].get("volumeName", "")
            return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"'
        if meta.is_deleting(claim):
            return f'persistentvolumeclaim "{name}" is being deleted'
        if ephemeral and not is_made_for(claim, pod):
            what = f"PVC {meta.key(claim)} was not created for pod {meta.key(pod)}"
            return f"{what} (pod is not owner)"
        return ""

    def _is_delayed(self, claim: Manifest) -> bool:
        entry = self._informers.get("StorageClass", "", class_of(claim))
        return not claim["spec"].get("volumeName") and waits_for_consumer(entry)

    def _ask(self, bound: list[Manifest], unbound: list[Manifest]) -> Ask:
        volumes = [self._informers.get("PersistentVolume", "", claim["spec"]["volumeName"]) for claim in bound]
        unbound.sort(key=lambda claim: quantity.value(request(claim)))  # The smallest first.
        free = {name: self._informers.by_index("PersistentVolume", "class", name) for name in map(class_of, unbound)}
        terms = [term for volume in volumes if volume is not None for term in affinity_terms(volume)]
        terms += [term for volumes in free.values() for volume in volumes for term in affinity_terms(volume)]
        keys = keys_of(terms)
        for name in free:
            keys |= self._keys_of_class(name)
        by_name = any(term.get("matchFields") for term in terms)
        by_name = by_name or any(SELECTED_NODE in meta.annotations(claim) for claim in unbound)
        return Ask(volumes, unbound, free, tuple(sorted(keys)), by_name)

    def _keys_of_class(self, name: str) -> set[str]:
        entry = self._informers.get("StorageClass", "", name) or {}
        allowed = entry.get("allowedTopologies") or ()
        keys = {one.get("key", "") for term in allowed for one in term.get("matchLabelExpressions") or ()}
        for capacity in self._informers.list("CSIStorageCapacity"):
            selector = capacity.get("nodeTopology") or {}
            if capacity.get("storageClassName") == name:
                keys |= {*(selector.get("matchLabels") or ())}
                keys |= {one["key"] for one in selector.get("matchExpressions") or ()}
        return keys

    def filter(self, ask: Ask, node: NodeInfo) -> Rejection | None:
        bits = self._bits(ask, node)
        return self.rejection(ask, bits) if bits else None

    def filter_all(self, ask: Ask, view: View) -> Numbers:
        """Nodes alike in the labels that decide are asked about once."""
        if ask.by_name:
            return np.array([self._bits(ask, node) for node in view.nodes()], np.int64)

        def place(node: NodeInfo) -> tuple[str | None, ...]:
            return tuple(node.labels.get(key) for key in ask.place)

        return view.per_group(f"volumes {ask.place}", place, lambda node: self._bits(ask, node))

    def rejection(self, ask: Ask, bits: int) -> Rejection:
        return Rejection(self.name, tuple(reason for bit, reason in REASONS.items() if bits & bit))

    def _bits(self, ask: Ask, node: NodeInfo) -> int:
        """What is wrong with the node; 0: nothing."""
        found = 0
        for volume in ask.volumes:
            if volume is None:
                found |= VOLUME_GONE
            elif not is_within_reach(volume, node.labels, node.name):
                found |= OUT_OF_REACH
        return found | self._choose(ask, node.labels, node.name)[0] if ask.unbound else found

    def _choose(self, ask: Ask, node_labels: dict[str, str], node: str) -> tuple[int, Plan]:
        """(what is missing, what is to be done) for the unbound claims on one node."""
        plan: Plan = {"bind": [], "provision": []}
        to_make = []
        for claim in ask.unbound:
            selected = meta.annotations(claim).get(SELECTED_NODE)
            if selected is not None and selected != node:
                return NOTHING_FREE, plan
            taken = [volume for _, volume in plan["bind"]]
            volume = None
            if selected is None:
                volume = best_match_at(ask.free[class_of(claim)], claim, node_labels, node, taken)
            if volume is None:
                to_make.append(claim)
            else:
                plan["bind"].append([meta.key(claim), meta.name(volume)])
        for claim in to_make:
            missing = self._cannot_make(claim, node_labels)
            if missing:
                return missing, plan
            plan["provision"].append([meta.key(claim)])
        return 0, plan

    def _cannot_make(self, claim: Manifest, node_labels: dict[str, str]) -> int:
        """Why no volume for the claim can be made there; 0 if one can."""
        entry = self._informers.get("StorageClass", "", class_of(claim)) or {}
        provisioner = entry.get("provisioner", "")
        if not provisioner or provisioner == NO_PROVISIONER:
            return NOTHING_FREE
        if not topology_allows(entry.get("allowedTopologies"), node_labels):
            return NOTHING_FREE
        return 0 if self._has_room(claim, entry, node_labels) else NO_ROOM

    def _has_room(self, claim: Manifest, entry: Manifest, node_labels: dict[str, str]) -> bool:
        """Only drivers that publish their capacity can have too little of it."""
        driver = self._informers.get("CSIDriver", "", entry["provisioner"])
        if driver is None or not driver["spec"].get("storageCapacity"):
            return True
        wanted = quantity.value(request(claim))
        for capacity in self._informers.list("CSIStorageCapacity"):
            limit = capacity.get("maximumVolumeSize") or capacity.get("capacity")
            topology = capacity.get("nodeTopology")
            if capacity.get("storageClassName") != meta.name(entry) or limit is None or topology is None:
                continue
            if quantity.value(limit) >= wanted and labels.matches(topology, node_labels):
                return True
        return False

    # --- making it true -----------------------------------------------------------------------------------------

    def preflight(self, pod: Manifest, node: str) -> Plan | None:
        """What PreBind will have to do before the pod can be bound to `node`; None: nothing."""
        if not pod["spec"].get("volumes"):
            return None
        ask, there = self.prefilter(pod, None), self._informers.get("Node", "", node)
        if not isinstance(ask, Ask) or not ask.unbound or there is None:
            return None
        return self._choose(ask, meta.labels(there), node)[1]

    def prebind(self, pod: Manifest, node: str, plan: Plan) -> None:
        """Point volumes at claims, and tell claims the node. Errors: ApiError."""
        assert self._client is not None, "this scheduler has nobody to write with"
        client = self._client()
        for key, name in plan["bind"]:
            claim = self._informers.by_key("PersistentVolumeClaim", key)
            volume = self._informers.get("PersistentVolume", "", name)
            if claim is not None and volume is not None:
                client.update(pointed_at(volume, claim))
        for (key,) in plan["provision"]:
            claim = self._informers.by_key("PersistentVolumeClaim", key)
            if claim is not None and meta.annotations(claim).get(SELECTED_NODE) != node:
                annotations = {**meta.annotations(claim), SELECTED_NODE: node}
                client.update({**claim, "metadata": {**claim["metadata"], "annotations": annotations}})

    def is_done(self, pod: Manifest, node: str, plan: Plan) -> bool:
        """Are all claims of the plan bound? Errors: PreBindError if they never will be, on this node."""
        there = self._informers.get("Node", "", node)
        if there is None:
            raise PreBindError(f'binding volumes: failed to get node "{node}": node "{node}" not found')
        bound = [self._is_bound(key, name, there) for key, name in plan["bind"]]
        return all(bound + [self._is_provisioned(key, there) for (key,) in plan["provision"]])

    def _claim(self, key: str, what: str) -> Manifest:
        claim = self._informers.by_key("PersistentVolumeClaim", key)
        if claim is None:
            raise PreBindError(f'binding volumes: failed to check {what}: could not find pvc "{key}"')
        return claim

    def _is_bound(self, key: str, name: str, node: Manifest) -> bool:
        volume = self._informers.get("PersistentVolume", "", name)
        if volume is None:
            raise PreBindError(f'binding volumes: failed to check binding: could not find pv "{name}"')
        self._check_reach(volume, node)
        if not (volume["spec"].get("claimRef") or {}).get("uid"):
            raise PreBindError(f'binding volumes: ClaimRef got reset for pv "{name}"')
        return is_fully_bound(self._claim(key, "binding"))

    def _is_provisioned(self, key: str, node: Manifest) -> bool:
        claim = self._claim(key, "provisioning pvc")
        if meta.annotations(claim).get(SELECTED_NODE) != meta.name(node):
            raise PreBindError(f'binding volumes: provisioning failed for PVC "{meta.name(claim)}"')
        volume = self._informers.get("PersistentVolume", "", claim["spec"].get("volumeName") or "")
        if volume is not None:
            self._check_reach(volume, node)
        return is_fully_bound(claim)

    def _check_reach(self, volume: Manifest, node: Manifest) -> None:
        if not is_within_reach(volume, meta.labels(node), meta.name(node)):
            where = f'pv "{meta.name(volume)}" node affinity doesn\'t match node "{meta.name(node)}"'
            raise PreBindError(f"binding volumes: {where}: no matching NodeSelectorTerms")

    # --- what may help ------------------------------------------------------------------------------------------

    def wakes(self, pod: Manifest, event: ClusterEvent) -> bool:
        new, old = event.new or {}, event.old
        if event.kind == "PersistentVolumeClaim":
            names = {name for name, _ in claim_names(pod)}
            return meta.namespace(new) == meta.namespace(pod) and meta.name(new) in names
        if event.kind == "Node":
            return old is None or meta.labels(old) != meta.labels(new)
        if event.kind == "StorageClass":
            return old is None or old.get("allowedTopologies") != new.get("allowedTopologies")
        if event.kind == "CSIDriver":
            had = ((old or {}).get("spec") or {}).get("storageCapacity")
            return bool(had) and not new["spec"].get("storageCapacity")
        if event.kind == "CSIStorageCapacity":
            return old is None or any(_more(old, new, field) for field in ("capacity", "maximumVolumeSize"))
        return True


def _more(old: Manifest, new: Manifest, field: str) -> bool:
    return quantity.value(new.get(field) or "0") > quantity.value(old.get(field) or "0")
