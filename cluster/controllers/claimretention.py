"""What becomes of a StatefulSet's claims: kept, or deleted with the set or with their pods. Told by who owns them.

    whenDeleted  whenScaled    owner of the claim
    Retain       Retain        nobody: claims, and what is on the disks, outlive everything
    Delete       Retain        the set: they go when it goes
    Retain       Delete        a pod that is beyond the end: they go when it goes
    Delete       Delete        a pod that is beyond the end; of the others, the set

The garbage collector does the rest: it deletes what has lost its owner.

Mirrors:  kubernetes/pkg/controller/statefulset/stateful_set_utils.go (isClaimOwnerUpToDate,
          updateClaimOwnerRefForSetAndPod, hasStaleOwnerRef)
"""

from cluster.objects import Manifest, meta


def policy_of(stateful: Manifest) -> tuple[bool, bool]:
    """(delete them with the set?, delete them when it shrinks?)"""
    said = stateful["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    return said.get("whenDeleted") == "Delete", said.get("whenScaled") == "Delete"


def owners_for(claim: Manifest, stateful: Manifest, pod: Manifest, beyond: bool) -> list[Manifest] | None:
    """The claim's owners as they should be; None: they are. `beyond`: the pod is one too many."""
    with_set, when_scaled = policy_of(stateful)
    wants_pod = when_scaled and beyond
    wants_set = with_set and not wants_pod
    before = meta.owners(claim)
    foreign = has_foreign_controller(claim, stateful, pod)
    if foreign:
        wants_set = wants_pod = False
    if (_has(before, stateful), _has(before, pod)) == (wants_set, wants_pod):
        return None
    after = [owner for owner in before if owner["uid"] not in (meta.uid(stateful), meta.uid(pod))]
    after += [meta.owner_reference(owner) for owner, on in ((stateful, wants_set), (pod, wants_pod)) if on]
    return after


def has_foreign_controller(claim: Manifest, stateful: Manifest, pod: Manifest) -> bool:
    """Somebody else manages the claim: the policy is not for it."""
    mine = (meta.uid(stateful), meta.uid(pod))
    others = [owner for owner in meta.owners(claim) if owner["uid"] not in mine and not _was_pod(owner, pod)]
    return any(owner.get("controller") for owner in others)


def is_stale(claim: Manifest, stateful: Manifest, pod_name: str) -> bool:
    """It belongs to an earlier pod of this name and is about to go: a new pod has to wait for that."""
    _, when_scaled = policy_of(stateful)
    return when_scaled and any(owner["kind"] == "Pod" and owner["name"] == pod_name for owner in meta.owners(claim))


def _has(owners: list[Manifest], owner: Manifest) -> bool:
    return any(each["uid"] == meta.uid(owner) for each in owners)


def _was_pod(owner: Manifest, pod: Manifest) -> bool:
    return bool(owner["kind"] == "Pod" and owner["name"] == meta.name(pod))
