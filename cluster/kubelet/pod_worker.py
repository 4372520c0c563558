"""One pod, from the moment it is bound to this node to its end: what is due now, and when to look again.

    run        sandbox -> init containers one by one -> containers -> end of those that end -> again, or done
    terminate  SIGTERM to all, wait for the last (or for SIGKILL), report, let the API server forget the pod
    vanish     the pod was deleted by force: nobody is left to report to, but its containers still have to go

Level-driven: each call looks at the pod, its container records and the small plan (what was begun and when it
will be finished), does what is due and sets one timer for the next thing. A lost plan, after a restart, is
made anew from the records.

Few writes: ContainerCreating when the pod arrives, Running when its containers run, and one at each end. In a
laboratory (see scripts.py) the kubelet is as terse as the recordings' was: no ContainerCreating, no last
words.

Mirrors:  kubernetes/pkg/kubelet/kubelet.go (SyncPod, SyncTerminatingPod, SyncTerminatedPod), pod_workers.go
Read next: containers.py, what happens to one container; pod_status.py, what is reported.
"""

from collections.abc import Callable, Sequence

from cluster.engine.client import Client
from cluster.engine.clock import SECOND, Clock
from cluster.engine.informer import Informers
from cluster.engine.recorder import Recorder
from cluster.kubelet import admission, environment, eviction, pod_status, probes, scripts, shutdown
from cluster.kubelet.containers import Containers, Plan, grace_of
from cluster.kubelet.node_status import NO_NETWORK
from cluster.objects import Manifest, conditions, meta, times
from cluster.runtime.containers import Record
from cluster.runtime.cri import Runtime
from cluster.runtime.network import NoAddressLeft, setup_failed

RETRY = 10 * SECOND  # Until a missing ConfigMap or a full address range is looked at again.
MOUNT_PATIENCE = 123 * SECOND  # podAttachAndMountTimeout: so long nothing is said of volumes that don't come.
LEAST_GRACE = 2 * SECOND  # What a sidecar gets that had to wait for the others.
FORCED_GRACE = 2 * SECOND  # What a pod gets that was deleted by force.
TERMINAL = ("Succeeded", "Failed")


class PodWorker:
    """Does the work of one kubelet's pods. `host`: the machine's address; `lab`: see scripts.py."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        informers: Informers,
        recorder: Recorder,
        runtime: Runtime,
        host: str,
        lab: bool,
    ) -> None:
        self.client, self.clock, self.informers, self.recorder = client, clock, informers, recorder
        self.runtime, self.host, self.lab = runtime, host, lab
        self.containers = Containers(clock, informers, recorder, runtime, host, lab)
        self.is_shutting_down: Callable[[], bool] = lambda: False
        self.here: Callable[[], list[Manifest]] = list  # The pods of this node.
        self.publish: Callable[[Manifest], Manifest] = client.update_status  # Whom a status is told …
        self.forget: Callable[[Manifest], object] = lambda pod: None  # … and that a pod has ended that was to go.
        self.granted: Callable[[Manifest], Manifest] = lambda pod: pod  # With the resources that it was granted.
        self.resizing: Callable[[str], list[tuple[str, str, str, int]]] = lambda uid: []
        self.pressures: Callable[[], Sequence[str]] = tuple  # Conditions of what the machine is short of.

    # --- the three ways -------------------------------------------------------------------------------------

    def run(self, pod: Manifest, plan: Plan, cidr: str | None, has_plugin: bool = True) -> None:
        """Bring a living pod forward. `cidr`: where its address comes from; `has_plugin`: can pods get any at all?"""
        if (pod.get("status") or {}).get("phase") in TERMINAL:
            plan.clear()
            self.runtime.stop_pod_sandbox(meta.uid(pod))
            return
        if plan.expelled:
            self._expel(pod, plan)
            return
        if plan.gone_at is not None:
            self.finish(pod, plan)  # Its sidecars are about to end.
            return
        if not self.lab and not self._is_admitted(pod):
            return
        if self._is_expired(pod, plan):
            why = "Pod was active on the node longer than the specified deadline"
            self.recorder.event(pod, "Normal", "DeadlineExceeded", why)
            plan.expelled = ["DeadlineExceeded", why]
            self._expel(pod, plan)
            return
        if scripts.is_held(pod, self.lab):
            if not self.lab:
                self.report(pod, plan)
            return
        if self.containers.has_ended(pod):
            self.finish(pod, plan)  # It died with its machine, and may not start again.
            return
        sandbox = self._sandbox(pod, plan, cidr, has_plugin)
        if sandbox is None:
            self.report(pod, plan)
            return
        fresh = sandbox["created"] > self.clock.now
        self.containers.advance(pod, plan, sandbox)
        if self._is_over(pod, plan):
            self.finish(pod, plan)
        elif plan.changed or plan.unsaid or (fresh and not self.lab) or self._has_gates(pod):
            self.report(pod, plan)

    def _has_gates(self, pod: Manifest) -> bool:
        """Does somebody else have a say in whether it is ready? Then any look may find something to report."""
        return bool(pod["spec"].get("readinessGates")) and bool((pod.get("status") or {}).get("containerStatuses"))

    def terminate(self, pod: Manifest, plan: Plan) -> None:
        """End a pod that is being deleted."""
        uid = meta.uid(pod)
        grace = int(pod["metadata"].get("deletionGracePeriodSeconds") or 0) * SECOND
        clean_up = self.runtime.clean_up_time(uid)
        if not self._have_ended(pod, plan, grace, clean_up):
            if plan.changed:
                self.report(pod, plan)
            return
        if self.runtime.container_records(uid) and not self.lab:
            self.report(pod, plan, ending=True)
        self.runtime.stop_pod_sandbox(uid, clean_up if plan.ends else 0)
        plan.clear()
        self.forget(pod)

    def vanish(self, uid: str, plan: Plan) -> None:
        """Clean up after a pod whose object is gone."""
        if plan.gone_at is None:
            self.containers.stop(None, plan, FORCED_GRACE, uid)
            plan.gone_at = self._end_of(plan)
        elif self.containers.hasten(plan, uid):
            plan.gone_at = self._end_of(plan)
        if self.clock.now < plan.gone_at:
            return
        self.containers.finish_all(plan, uid)
        self.runtime.remove_pod_sandbox(uid)
        plan.clear()

    def _have_ended(self, pod: Manifest, plan: Plan, grace: int, clean_up: int = 0) -> bool:
        """End all containers within `grace`, the sidecars after the rest; each time there is something to clean up."""
        uid, now = meta.uid(pod), self.clock.now
        if plan.gone_at is None or now + grace < plan.deadline:
            plan.deadline = now + grace
            self.containers.stop(pod, plan, grace)
            plan.gone_at = self._end_of(plan) + (clean_up if plan.ends else 0)
        elif self.containers.hasten(plan, uid):
            plan.gone_at = self._end_of(plan) + clean_up
        if now < plan.gone_at:
            return False
        self.containers.finish_all(plan, uid)
        if self.containers.stop(pod, plan, max(plan.deadline - now, LEAST_GRACE)):
            plan.gone_at, plan.changed = self._end_of(plan) + clean_up, True
            return False
        return True

    def _end_of(self, plan: Plan) -> int:
        """When the last of the containers that were stopped will be gone."""
        return max((end[0] for end in plan.ends.values()), default=self.clock.now)

    def _is_admitted(self, pod: Manifest) -> bool:
        """Look once whether the pod may run here; if not, it has failed."""
        status, uid = pod.get("status") or {}, meta.uid(pod)
        if status.get("startTime") or uid in self.runtime.containers:
            return True
        node = self.informers.get("Node", "", pod["spec"]["nodeName"])
        if node is None:
            return True
        try:
            if self.is_shutting_down():
                raise admission.Refused(shutdown.REFUSED, shutdown.REFUSAL)
            here = [self.granted(each) for each in self.here()]
            admission.check(pod, node, here, self.pressures())
        except admission.Refused as refusal:
            self.recorder.event(pod, "Warning", refusal.reason, refusal.said)
            failed = {"phase": "Failed", "reason": refusal.reason, "message": refusal.message}
            self.publish({**pod, "status": {**status, **failed, "startTime": self.clock.stamp()}})
            return False
        return True

    def _is_expired(self, pod: Manifest, plan: Plan) -> bool:
        """Has it been active for as long as activeDeadlineSeconds lets it?"""
        seconds = pod["spec"].get("activeDeadlineSeconds")
        if seconds is None:
            return False
        if plan.expires is None:
            began = (pod.get("status") or {}).get("startTime")
            start = times.parse(began) - self.clock.epoch if began else self.clock.now
            plan.expires = start + int(seconds) * SECOND
        return self.clock.now >= plan.expires

    def _expel(self, pod: Manifest, plan: Plan) -> None:
        """End a pod that nobody deletes; it has failed when its last container has ended."""
        own = eviction.GRACE if plan.expelled[0] == eviction.EVICTED else grace_of(pod)
        plan.expires = None
        if self._have_ended(pod, plan, own if plan.grace is None else plan.grace):
            self.report(pod, plan)
            self.runtime.stop_pod_sandbox(meta.uid(pod))
            plan.clear()

    # --- parts of running -----------------------------------------------------------------------------------

    def _sandbox(self, pod: Manifest, plan: Plan, cidr: str | None, has_plugin: bool) -> Record | None:
        """The pod's sandbox, made now if need be; None: it can't be made yet."""
        uid = meta.uid(pod)
        sandbox = self.runtime.sandbox(uid)
        if sandbox is not None:
            return sandbox
        problem = environment.missing_volume(pod, self.informers)
        if problem is not None:
            self.recorder.event(pod, "Warning", "FailedMount", problem)
            plan.retry_at = self.clock.now + (SECOND // 2 if plan.fresh else RETRY)
            return None
        waiting = environment.unattached_volume(pod, pod["spec"]["nodeName"], self.informers)
        if waiting is not None:
            self._wait_for_volume(pod, plan, waiting)
            return None
        own = not pod["spec"].get("hostNetwork")
        if own and not has_plugin:
            self.recorder.event(pod, "Warning", "NetworkNotReady", f"network is not ready: {NO_NETWORK}")
            plan.retry_at = self.clock.now + RETRY
            return None
        if own and cidr is None:
            plan.retry_at = self.clock.now + RETRY
            return None
        if self.runtime.container_records(uid):
            plan.clear()
            message = "Pod sandbox changed, it will be killed and re-created."
            self.recorder.event(pod, "Normal", "SandboxChanged", message)
        try:
            return self.runtime.run_pod_sandbox(uid, meta.namespace(pod), meta.name(pod), cidr if own else None)
        except NoAddressLeft as error:
            message = f"Failed to create pod sandbox: {setup_failed(uid, str(error))}"
            self.recorder.event(pod, "Warning", "FailedCreatePodSandBox", message)
            plan.retry_at = self.clock.now + RETRY
            return None

    def _wait_for_volume(self, pod: Manifest, plan: Plan, volume: str) -> None:
        """A volume is not attached yet. The kubelet looks often, and complains after two minutes."""
        started = (pod.get("status") or {}).get("startTime")
        if started and self.clock.unix() - times.parse(started) >= MOUNT_PATIENCE:
            where = f"unmounted volumes=[{volume}], unattached volumes=[], failed to process volumes=[]"
            message = f"Unable to attach or mount volumes: {where}: context deadline exceeded"
            self.recorder.event(pod, "Warning", "FailedMount", message)
            plan.retry_at = self.clock.now + RETRY
        else:
            plan.retry_at = self.clock.now + SECOND

    def _is_over(self, pod: Manifest, plan: Plan) -> bool:
        """Will nothing of this pod run again? Sidecars don't count: they end with the rest."""
        if not plan.changed or not plan.steps.keys() <= self.containers.sidecars(pod).keys():
            return False
        records = self.containers.latest(meta.uid(pod))
        mains = [records.get(container["name"]) for container in pod["spec"]["containers"]]
        if plan.failed:
            return True
        return all(record is not None and record["ended"] is not None for record in mains)

    def finish(self, pod: Manifest, plan: Plan) -> None:
        """The pod has done its work, or failed for good. What still runs, its sidecars, is ended."""
        ended = self._have_ended(pod, plan, grace_of(pod))
        if ended or plan.changed or plan.unsaid:
            self.report(pod, plan)
        if ended:
            self.runtime.stop_pod_sandbox(meta.uid(pod))
            plan.clear()

    def report(self, pod: Manifest, plan: Plan, ending: bool = False) -> Manifest:
        """Write the pod's status, if there is news. Errors: ApiError, and then it is made the next time."""
        uid = meta.uid(pod)
        sandbox = self.runtime.sandbox(uid)
        ready = sandbox is not None and sandbox["created"] <= self.clock.now
        view = pod_status.View(
            now=self.clock.stamp(),
            epoch=self.clock.epoch,
            host=self.host,
            address=sandbox["ip"] if sandbox is not None and ready else None,
            records=self.containers.by_name(uid),
            waiting=plan.waiting,
            unready=frozenset(
                [name for name, at in plan.ready.items() if at > self.clock.now]
                + [name for name, states in plan.probes.items() if not probes.is_ready(states)]
            ),
            unstarted=frozenset(name for name, states in plan.probes.items() if not probes.is_up(states)),
            runtime=self.runtime.name,
            ending=ending,
            failed=plan.expelled,
            resizing=self.resizing(uid),
        )
        status = pod_status.build(pod, view)
        if self.lab and conditions.get(pod, "PodScheduled") is None:  # KWOK left that condition to the scheduler.
            status = {**status, "conditions": conditions.drop(status["conditions"], "PodScheduled")}
        if self.lab and status["phase"] in TERMINAL:  # KWOK leaves the conditions of an ended pod as they were.
            status = {**status, "conditions": (pod.get("status") or {}).get("conditions") or status["conditions"]}
        plan.unsaid = True
        reported = self.publish({**pod, "status": status})
        plan.unsaid = False
        return reported
