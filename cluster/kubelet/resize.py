"""Other resources for pods that run: what their kubelet has granted, what is still to be granted, and what went wrong.

    desired     in the pod's spec                      allocated   what the node has granted: others' room ends there
    actual      what the containers' cgroups say

    desired -> fits?  no, never: PodResizePending, Infeasible         no, not now: PodResizePending, Deferred
                      yes: allocated, PodResizeInProgress, ResizeStarted -> actual, ResizeCompleted
    a limit on memory below what is used: PodResizeInProgress, Error, tried again every ten seconds

Deferred ones are tried again whenever a pod goes or takes less, and every three minutes: first those that ask for no
more, then by priority, Guaranteed before Burstable, and the longest waiting. What is granted is remembered only while
it differs from what is desired or actual; otherwise the pod's status says it.

Mirrors:  kubernetes/pkg/kubelet/allocation/allocation_manager.go, pkg/kubelet/kuberuntime/kuberuntime_manager.go
          (doPodResizeAction, validateMemoryResizeAction), pkg/kubelet/events
Left out: resources of a pod as a whole; a pod of which nothing ran yet when it was resized gets what it desires.
Read next: containers.py, which changes the limits.
"""

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from cluster.engine.cells import Section
from cluster.engine.clock import MINUTE, SECOND, Clock
from cluster.engine.recorder import Recorder
from cluster.kubelet import admission
from cluster.objects import Manifest, amounts, meta, pods
from cluster.objects.amounts import NONE

RETRY_EVERY = 3 * MINUTE
SEEN_AFTER = SECOND  # So long after a change the kubelet finds that it has come about …
TRY_AGAIN = 10 * SECOND  # … and so long after one that failed it tries again.
WAITING = "waiting"  # In the memory: uids of those that are Deferred.
PENDING, PROGRESS = "PodResizePending", "PodResizeInProgress"
DEFERRED, INFEASIBLE, ERROR = "Deferred", "Infeasible", "Error"

Resources = dict[str, Manifest]  # By container.
State = dict[str, Any]


class Resizer:
    """Of one kubelet. In `memory`, under a pod's uid: {allocated, desired, since, and, by condition: [reason, message,
    generation]}; and who is WAITING.
    """

    def __init__(self, memory: Section, clock: Clock, recorder: Recorder) -> None:
        self.memory, self.clock, self.recorder = memory, clock, recorder
        self.node: Callable[[], Manifest | None] = lambda: None
        self.here: Callable[[], Iterable[Manifest]] = list
        self.sync: Callable[[Manifest], None] = lambda pod: None  # Its status has to be reported, its limits changed.

    # --- what others ask ------------------------------------------------------------------------------------

    def granted(self, pod: Manifest) -> Manifest:
        """The pod as far as it was granted: whoever works on it sees these resources."""
        state = self.memory.get(meta.uid(pod))
        allocated = state["allocated"] if state is not None else self._reported(pod)
        return _with(pod, allocated) if allocated and allocated != _desired(pod) else pod

    def conditions(self, uid: str) -> list[tuple[str, str, str, int]]:
        """(type, reason, message, generation) of what is reported of a resize."""
        state = self.memory.get(uid) or {}
        return [(type_, *state[type_]) for type_ in (PENDING, PROGRESS) if type_ in state]

    def is_waiting(self) -> bool:
        """Is there anything that is tried again by itself?"""
        return bool(self.memory.get(WAITING))

    def forget(self, uid: str) -> None:
        self._store(uid, {})

    # --- deciding -------------------------------------------------------------------------------------------

    def notice(self, pod: Manifest) -> None:
        """The pod may desire something else than before: if so, see at once whether that can be."""
        if int(pod["metadata"].get("generation") or 1) < 2 or not (pod.get("status") or {}).get("startTime"):
            return
        uid, desired = meta.uid(pod), _desired(pod)
        if pods.is_terminal(pod):
            self.forget(uid)
            return
        state = self.memory.get(uid)
        allocated = state["allocated"] if state is not None else self._reported(pod)
        if state is not None and state.get("desired") == desired:
            return  # That was decided already.
        if not allocated or allocated == desired:
            if state is not None and PENDING in state:  # It has changed its mind.
                self._store(uid, {name: value for name, value in state.items() if name not in (PENDING, "desired")})
                self.sync(pod)
            return
        self._decide(pod, {**(state or {"allocated": allocated}), "desired": desired})

    def retry(self) -> None:
        """Somebody may have made room."""
        uids = frozenset(self.memory.get(WAITING) or ())
        waiting = [pod for pod in self.here() if meta.uid(pod) in uids and pods.is_alive(pod)]
        for pod in sorted(waiting, key=self._rank):
            state = self.memory.get(meta.uid(pod))
            if state["desired"] == _desired(pod):
                self._decide(pod, state)
            else:  # It has changed its mind, and nobody has looked yet.
                self.notice(pod)

    def _rank(self, pod: Manifest) -> tuple[bool, int, bool, int, str]:
        state = self.memory.get(meta.uid(pod))
        before = amounts.requests_of(_with(pod, state["allocated"]))
        after = amounts.requests_of(pod)
        more = any(after.get(name, NONE).nano > before.get(name, NONE).nano for name in ("cpu", "memory"))
        priority = int(pod["spec"].get("priority") or 0)
        return more, -priority, pods.qos_class(pod) != "Guaranteed", state["since"], meta.key(pod)

    def _decide(self, pod: Manifest, state: State) -> None:
        """Grant what the pod desires, or say why not."""
        generation = int(pod["metadata"].get("generation") or 1)
        refused = self._refusal(pod)
        if refused is None:
            done = {name: value for name, value in state.items() if name not in (PENDING, PROGRESS)}
            granted = {"allocated": _desired(pod), "desired": _desired(pod), PROGRESS: ["", "", generation]}
            self._store(meta.uid(pod), {**done, **granted})
            self._say(pod, "Normal", "ResizeStarted", "started", generation)
            self.sync(pod)
            return
        reason, message = refused
        verdict = [reason, message, generation]
        if state.get(PENDING) != verdict:
            self._store(meta.uid(pod), {**state, PENDING: verdict, "since": state.get("since", self.clock.now)})
            self._say(pod, "Warning", f"Resize{reason}", reason, generation, message)
            self.sync(pod)

    def _refusal(self, pod: Manifest) -> tuple[str, str] | None:
        """(reason, message), if the pod can't have what it desires."""
        node = self.node()
        if node is None:
            return None
        too_much = admission.beyond(pod, node)
        if too_much:
            return INFEASIBLE, too_much
        others = [
            self.granted(each) for each in self.here() if meta.uid(each) != meta.uid(pod) and not pods.is_terminal(each)
        ]
        try:
            admission.check_resources(pod, node, others)
        except admission.Refused as refusal:
            return DEFERRED, refusal.said
        return None

    # --- carrying out ---------------------------------------------------------------------------------------

    def settle(self, pod: Manifest, problem: str) -> bool:
        """The limits were changed, or `problem` says why they could not be. Is there anything to report?"""
        uid = meta.uid(pod)
        state = self.memory.get(uid)
        if state is None or PROGRESS not in state:
            return False
        generation = state[PROGRESS][2]
        if problem:
            failed = [ERROR, problem, generation]
            if state[PROGRESS] == failed:
                return False
            self._store(uid, {**state, PROGRESS: failed})
            self._say(pod, "Warning", "ResizeError", "error", generation, problem)
            return True
        self._store(uid, {name: value for name, value in state.items() if name != PROGRESS})
        self._say(pod, "Normal", "ResizeCompleted", "completed", generation)
        return True

    def is_in_progress(self, uid: str) -> bool:
        return PROGRESS in (self.memory.get(uid) or {})

    def _store(self, uid: str, state: State) -> None:
        """Only what the status does not say."""
        if PENDING in state or PROGRESS in state:
            self.memory[uid] = state
        else:
            self.memory.pop(uid)
        waiting = set(before := self.memory.get(WAITING) or ()) - {uid}
        if (state.get(PENDING) or [""])[0] == DEFERRED:
            waiting.add(uid)
        if waiting != set(before):
            self.memory[WAITING] = sorted(waiting)
            if not waiting:
                self.memory.pop(WAITING)

    def _reported(self, pod: Manifest) -> Resources:
        """What was granted, as the status says: of containers that run."""
        status = pod.get("status") or {}
        known = {
            each["name"]: each["resources"]
            for field in ("containerStatuses", "initContainerStatuses")
            for each in status.get(field) or ()
            if each.get("resources")
        }
        return {name: known.get(name, resources) for name, resources in _desired(pod).items()} if known else {}

    def _say(self, pod: Manifest, type_: str, reason: str, what: str, generation: int, problem: str = "") -> None:
        self.recorder.event(pod, type_, reason, said(pod, what, generation, problem))


def said(pod: Manifest, what: str, generation: int, problem: str = "") -> str:
    """The message of an event about a resize."""
    summary: dict[str, Any] = {}
    for field in ("initContainers", "containers"):
        found = [{"name": each["name"], "resources": _sorted(each)} for each in pod["spec"].get(field) or ()]
        if found:
            summary[field] = found
    summary |= {"generation": generation, **({"error": problem} if problem else {})}
    return f"Pod resize {what}: {orjson.dumps(summary).decode()}"


def _sorted(container: Manifest) -> Manifest:
    """As Go writes resources: limits before requests, names in order."""
    resources = container.get("resources") or {}
    return {part: dict(sorted(resources[part].items())) for part in ("limits", "requests") if resources.get(part)}


def below_usage(limits: Iterable[tuple[str, int, int]], whole: tuple[int, int] | None) -> str:
    """What is said of limits on memory that would be below what is used; the empty string: none is.

    `limits`: (container, new limit, usage); `whole`: likewise of the pod, if all its containers have a limit.
    """
    found = []
    if whole is not None and whole[1] > whole[0]:
        found.append(f"attempting to set pod memory limit ({whole[0]}) below current usage ({whole[1]})")
    for name, limit, used in limits:
        if used > limit:
            found.append(f'attempting to set container "{name}" memory limit ({limit}) below current usage ({used})')
    if not found:
        return ""
    return f"cannot decrease memory limits: {found[0] if len(found) == 1 else '[' + ', '.join(found) + ']'}"


def _resizable(pod: Manifest) -> list[Manifest]:
    """Containers, and sidecars."""
    sidecars = [each for each in pod["spec"].get("initContainers") or () if each.get("restartPolicy") == "Always"]
    return [*sidecars, *pod["spec"]["containers"]]


def _desired(pod: Manifest) -> Resources:
    return {each["name"]: each.get("resources") or {} for each in _resizable(pod)}


def _with(pod: Manifest, resources: Resources) -> Manifest:
    """The pod, its containers with other resources."""

    def changed(container: Manifest) -> Manifest:
        own = resources.get(container["name"])
        return container if own is None else {**container, "resources": own}

    kinds = [kind for kind in ("initContainers", "containers") if pod["spec"].get(kind)]
    return {**pod, "spec": {**pod["spec"], **{kind: [changed(each) for each in pod["spec"][kind]] for kind in kinds}}}
