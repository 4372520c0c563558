"""The kubelet's process: registers its node, says every ten seconds that it lives, looks after its own pods.

    register   Node and Lease, when the machine is switched on
    lease      renew kube-node-lease/<node> every 10 s: the heartbeat that node lifecycle awaits
    node       the node's status: when something changed, else every 5 minutes
    <ns>/<name>/<uid>   a pod of this node: see pod_worker.py
    wake|<ns>/<name>/<uid>   a file was written in it: its probes may find something else
    pressure   is the machine short of anything? Only while that can be: see eviction.py
    oom        its memory is used up: the kernel kills, see oom.py
    resizes    has anybody room by now who was resized? See resize.py
    resize|<ns>/<name>/<uid>   has it the limits that it was granted?
    images     is its disk so full that unused ones have to go? Likewise: see image_gc.py
    disk|<ns>/<name>/<uid>   it has written something: more than it may? See local_storage.py
    term|<container>    its preStop hook is over: SIGTERM, to a process 1 that lives
    exec|<session>      a process that somebody started by kubectl exec wants to go on: see sessions.py
    manifests  files of static pods have changed: see static_pods.py
    shutdown   the machine goes down: has the group of pods that is being ended done so? See shutdown.py
    mirror|<ns>/<name>  what the API server shows of one has changed, or could not be made

Renewals fall on whole seconds, a tenth of the nodes on each: so a thousand idle nodes cost ten turns in ten
seconds and not a thousand. Reports fall on the same instants, spread over five minutes.

Mirrors:  kubernetes/pkg/kubelet/kubelet.go (Run, syncLoop), kubelet_node_status.go,
          component-helpers/apimachinery/lease
Left out: resyncs every minute; while its runtime is stopped, a kubelet also rests the probes by http and tcp.
Read next: pod_worker.py, node_status.py.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from cluster.engine.cells import Cells, Section
from cluster.engine.clock import MINUTE, SECOND
from cluster.engine.controller import Component, Surroundings
from cluster.engine.recorder import Recorder
from cluster.kubelet import (
    configuration,
    eviction,
    image_gc,
    local_storage,
    node_status,
    oom,
    probes,
    resize,
    shutdown,
    static_pods,
    volumes,
)
from cluster.kubelet.containers import Plan
from cluster.kubelet.measures import Meter
from cluster.kubelet.pod_worker import PodWorker
from cluster.kubelet.resize import Resizer
from cluster.kubelet.sessions import TERM, TIMER, WAKE, StreamingServer
from cluster.kubelet.static_pods import Scheme, StaticPods
from cluster.objects import Manifest, conditions, meta, pods
from cluster.objects.errors import ApiError, NotFound
from cluster.objects.storage import node_of
from cluster.runtime import machines, rotation
from cluster.runtime.containers import Record
from cluster.runtime.cri import Runtime
from cluster.runtime.sessions import Sessions

LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
RENEW_EVERY = LEASE_SECONDS * SECOND // 4
REPORT_EVERY = 5 * MINUTE
DISK, MANIFESTS, MIRROR, RESIZE, SHUTDOWN = "disk|", "manifests", "mirror|", "resize|", "shutdown"
UPDATE_EVERY = 10 * SECOND  # A new image is reported with the next regular look at the node.


class Kubelet(Component):
    """The kubelet of one machine."""

    role = "kubelets"
    source = "kubelet"
    reaction = 10_000

    def __init__(
        self,
        around: Surroundings,
        node: str,
        machine_cells: Cells,
        runtime: Runtime,
        sessions: Sessions,
        scheme: Scheme,
    ) -> None:
        self.node, self.machines, self.runtime = node, machine_cells, runtime
        super().__init__(around, f"kubelet/{node}", f"system:node:{node}")
        self.recorder = Recorder(self.client, self.clock, self.informers, self.source, node)
        lab = bool(self.options.get("lab"))
        host = machines.address(machine_cells[node])
        self.pods = PodWorker(self.client, self.clock, self.informers, self.recorder, runtime, host, lab)
        self.pods.containers.on_pulled = self.report_images
        self.streams = StreamingServer(node, host, self.informers, self.clock, self.queue, sessions)
        self.streams.on_wrote, self.streams.find = self.written, self.find
        self.disks = sessions.disks
        self.pods.containers.on_started = self.streams.started
        self.pods.containers.on_stopping = self.streams.terminate
        self.pods.containers.on_hungrier = self._is_hungrier
        self.pods.here = self._here
        self.pods.publish, self.pods.forget = self._publish, self._forget
        doors = (scheme, self.memory, self.client, self.informers, self.clock)
        self.static = StaticPods(node, sessions.disks, *doors)
        self.pods.is_shutting_down = self.is_shutting_down
        self.on_shut_down: Callable[[], object] = lambda: None  # Every pod has ended: the power may go.
        self._set_up_pressure(configuration.read(machine_cells[node].get("kubelet")), sessions)
        self._set_up_resizing()
        self.lab = lab
        self.pods.containers.probe_with(self.streams)
        self.phase = self.dice.roll("phase", node) % (REPORT_EVERY // SECOND) * SECOND

    def _set_up_pressure(self, setup: configuration.Configuration, sessions: Sessions) -> None:
        self.meter = Meter(self.node, self.runtime, sessions, self.clock, setup, self.memory)
        self.runtime.on_image = self.watch_pressure
        sessions.room = partial(self.meter.room, self._here)
        sessions.space = lambda: (self.meter.disk, self.meter.disk_left(self._here))
        self.images = image_gc.ImageCollector(self.runtime, self.clock, self.memory, setup)
        self.images.say, self.images.on_deleted = self._warn, self.report_images
        self.eviction = eviction.EvictionManager(self.memory, self.clock, self.meter, setup, self.images)
        self.eviction.on_attempt = lambda what: self._warn("EvictionThresholdMet", f"Attempting to reclaim {what}")
        self.eviction.remove_dead, self.eviction.evict = self._remove_dead, self._evict
        self.eviction.has_ended = lambda uid: self.runtime.sandbox(uid) is None
        self.pods.pressures = self.eviction.conditions
        if (kept := (setup.log_size, setup.log_files)) != (rotation.MAX_SIZE, rotation.MAX_FILES):
            self.pods.containers.logs = {"rotate": list(kept)}

    def _set_up_resizing(self) -> None:
        self.resizes = Resizer(Section(self.agenda.cells, f"{self.name}|m|resized/"), self.clock, self.recorder)
        self.resizes.node = lambda: self.informers.get("Node", "", self.node)
        self.resizes.here, self.resizes.sync = self._here, self._tell_of_resize
        self.pods.granted, self.pods.resizing = self.resizes.granted, self.resizes.conditions

    # --- starting, listening
    # ------------------------------------------------------------------------------------

    def watch(self) -> None:
        self.informers.add_index("Pod", "node", pods.by_node)
        self.informers.add_index("Pod", "files", _files_of)
        self.informers.add_index("Node", "name", _name_of)
        self.informers.add_index("VolumeAttachment", "node", lambda attachment: [node_of(attachment)])
        self.informers.route("Pod", "node", self.node, self._pod_changed, self.name)
        self.informers.route("Node", "name", self.node, self._node_changed, self.name)
        for kind in ("ConfigMap", "Secret"):
            self.informers.subscribe(kind, self._files_changed, self.name)

    def start(self) -> None:
        """The machine was switched on: register, and look at every pod that is still bound here."""
        machine = self.machines[self.node]
        self.machines[self.node] = {**machine, "boot": machine.get("boot", 0) + 1}
        self.queue.add("register")
        self.static.look()
        self._look_at_all()
        self.watch_pressure()

    def _look_at_all(self) -> None:
        known = {meta.uid(pod): pod for pod in self._here()}
        for pod in known.values():
            self.queue.add(_key(pod))
        for uid in self.runtime.list_pod_sandboxes():
            if uid not in known:
                self.queue.add(f"//{uid}")  # It was deleted by force while we were away.
        for mirror in self.static.orphans():
            self.queue.add(MIRROR + meta.key(mirror))

    def runtime_stopped(self) -> None:
        """Nobody answers on the runtime's socket any more. Containers go on; nothing is started or ended here."""
        self.queue.cancel("node")
        self.queue.add_after("node", node_status.DOWN_AFTER + self._until(UPDATE_EVERY))

    def runtime_started(self) -> None:
        """Somebody answers again: catch up with every pod."""
        self._look_at_all()
        self.queue.cancel("node")
        self.queue.add_after("node", self._until(UPDATE_EVERY))

    def stop(self) -> None:
        super().stop()
        self.runtime.interrupt_pulls()

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """A pod came, is to go, or is gone. Our own status reports are no news to us."""
        if (new is None or pods.is_terminal(new) or _differs(old or new, new)) and self.resizes.is_waiting():
            self.queue.add("resizes")  # Somebody may have made room.
        pod = new or old or {}
        if old is None or new is None or _differs(old, new):
            self.queue.add(MIRROR + meta.key(pod) if pods.is_mirror(pod) else _key(pod))
        elif _labelled(old) != _labelled(new) and _files_of(new):  # Its downward API's files are other ones now.
            self.queue.add(WAKE + _key(new))

    def _files_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """A ConfigMap or a Secret came, went or changed: probes of pods that mount it may find something else."""
        obj = new or old or {}
        for pod in self.informers.by_index("Pod", "files", f"{obj['kind']}/{meta.namespace(obj)}/{meta.name(obj)}"):
            if pods.by_node(pod) == [self.node]:
                self.queue.add(WAKE + _key(pod))

    def _node_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """The pod address range came, or a person edited the node."""
        before, after = ((node or {}).get("spec", {}).get("podCIDR") for node in (old, new))
        if new is not None and after != before:
            self.queue.add("node")
        if new is not None and _is_unknown(new):  # Somebody thinks that we are gone.
            self.queue.add_after("node", self._until(UPDATE_EVERY))

    # --- one item -------------------------------------------------------------------------------------------

    def process(self, key: str) -> None:
        if key == "lease":
            self.renew_lease()
        elif key.startswith(TIMER):
            self.streams.process(key.removeprefix(TIMER))
        elif key.startswith(TERM):
            self.streams.told_to_end(key.removeprefix(TERM))
        elif key == "node":
            self.report_node()
        elif key.startswith(DISK):
            self.look_at_storage(key.removeprefix(DISK))
        elif key == "pressure":
            self.look_for_pressure()
        elif key == "resizes":
            self.retry_resizes()
        elif key.startswith(RESIZE):
            self.settle_resize(key.removeprefix(RESIZE))
        elif key == "oom":
            self.kernel_kills()
        elif key == "images":
            self.look_at_images()
        elif key == SHUTDOWN:
            self.go_on_shutting_down()
        elif key == MANIFESTS:
            self.look_at_manifests()
        elif key.startswith(MIRROR):
            self.show(*meta.split_key(key.removeprefix(MIRROR)))
        elif key == "register":
            self.register()
        elif key.startswith(WAKE):
            self.sync_pod(key.removeprefix(WAKE), woken=True)
        else:
            self.sync_pod(key)

    def failed(self, key: str, error: ApiError) -> None:
        """A pod or lease that is gone is no reason to try again; everything else is."""
        if not isinstance(error, NotFound):
            super().failed(key, error)

    def sync_pod(self, key: str, woken: bool = False) -> None:
        """Bring one pod forward, and wake up again when the next thing is due. `woken`: something in it changed."""
        if self.runtime.is_down:
            return  # `runtime_started` looks at every pod.
        namespace, name, uid = key.split("/")
        if self.static.waits(uid):
            return
        pod = self.find(namespace, name, uid) if name else None
        if pod is not None and not self.lab and not meta.is_deleting(pod):
            self.resizes.notice(pod)
            pod = self.resizes.granted(pod)
        saved = self.memory.get(uid)
        plan = Plan.load(saved)
        if woken and pod is not None and plan.probes:
            since = self.clock.now - self.reaction  # It has taken the kubelet so long to hear of it.
            probes.wake(plan.probes, pod, self.pods.containers.latest(uid), since)
        try:
            if pod is None or pods.by_node(pod) != [self.node]:
                self.resizes.forget(uid)
                self.pods.vanish(uid, plan)
            elif meta.is_deleting(pod):
                self.pods.terminate(pod, plan)
            else:
                if self.static.get(uid) is not None:
                    self.show(namespace, name)
                self.pods.run(pod, plan, self.pod_range(), self.has_plugin)
                self._follow_resize(pod, key, plan.stuck)
        finally:  # What was done to containers stays done, also if the report of it is refused.
            self._keep(key, uid, plan, saved is not None)
            if self.is_shutting_down():
                self.queue.add(SHUTDOWN)  # It may have been the one that was waited for.

    def _keep(self, key: str, uid: str, plan: Plan, had: bool) -> None:
        left = plan.save()
        if left is not None:
            self.memory[uid] = left
        elif had:
            self.memory.pop(uid)
        due = plan.next_due(self.clock.now)
        waiting = self.queue.timer(key)
        if waiting is not None and waiting != due:
            self.queue.cancel(key)
        if due is not None and waiting != due:
            self.queue.add_after(key, due - self.clock.now, _note(key, plan, due))

    def find(self, namespace: str, name: str, uid: str) -> Manifest | None:
        """The pod of that uid, as the API server or a file has it; a mirror is none, for nothing of it runs."""
        pod = self.static.get(uid)
        if pod is not None:
            return pod
        pod = self.informers.get("Pod", namespace, name)
        return pod if pod is not None and meta.uid(pod) == uid and not pods.is_mirror(pod) else None

    # --- static pods ----------------------------------------------------------------------------------------

    def look_at_manifests(self) -> None:
        """A file came, went or changed."""
        for pod in self.static.look():
            self.queue.add(_key(pod))

    def show(self, namespace: str, name: str) -> None:
        """Bring a mirror pod in line with the static pod, and try again later if that was refused."""
        if not self.static.reconcile(namespace, name):
            self.queue.beat(f"{MIRROR}{namespace}/{name}", static_pods.TRY_AGAIN)

    def written(self, record: Record) -> None:
        """A process has changed files: its pod's, or those of the machine."""
        self.watch_storage(record)
        pod = self.find(record["namespace"], record["pod"], record["uid"])
        if pod is not None and volumes.are_shared(pod):
            self.queue.add(MANIFESTS)

    def _publish(self, pod: Manifest) -> Manifest:
        """Report the status of a pod; of a static one, too, if the API server shows it. Errors: ApiError."""
        if self.static.get(meta.uid(pod)) is None:
            return self.client.update_status(pod)
        self.static.keep(pod)
        self.static.report(pod)
        return pod

    def _forget(self, pod: Manifest) -> None:
        """A pod has ended that was to go. Errors: ApiError."""
        uid, namespace, name = meta.uid(pod), meta.namespace(pod), meta.name(pod)
        if self.static.get(uid) is None:
            self.client.delete("Pod", namespace, name, grace=0, uid=uid)
            return
        self.runtime.remove_pod_sandbox(uid)
        for waiting in self.static.forget(pod):
            self.queue.add(_key(waiting))
        self.queue.add(f"{MIRROR}{namespace}/{name}")
        self.queue.add(MANIFESTS)

    @property
    def has_plugin(self) -> bool:
        """Is there a network plugin's configuration on the machine's disk?"""
        return self.options.get("cni") != "none" or bool(self.machines[self.node].get("cni"))

    def trouble(self, cidr: str | None) -> str:
        """Why no pod can be started here; the empty string if they can."""
        down = node_status.silence(self.runtime.down_for)
        if self.is_shutting_down():
            return f"[{down}, {shutdown.NOT_READY}]" if down else shutdown.NOT_READY
        return down or ("" if cidr and self.has_plugin else node_status.NO_NETWORK)

    def pod_range(self) -> str | None:
        """The node's podCIDR, once the node IPAM controller has given it one."""
        node = self.informers.get("Node", "", self.node)
        return node["spec"].get("podCIDR") if node is not None else None

    # --- other resources than before ------------------------------------------------------------------------

    def _tell_of_resize(self, pod: Manifest) -> None:
        """Something was decided about it: that has to be reported, and done."""
        plan = Plan.load(self.memory.get(meta.uid(pod)))
        plan.unsaid = True
        self.memory[meta.uid(pod)] = plan.save()
        self.queue.add(_key(pod))
        if self.resizes.is_waiting():
            self.queue.beat("resizes", resize.RETRY_EVERY)
            if self.resizes.is_in_progress(meta.uid(pod)):  # It may take less from now on.
                self.queue.add("resizes")

    def retry_resizes(self) -> None:
        self.resizes.retry()
        if self.resizes.is_waiting():
            self.queue.beat("resizes", resize.RETRY_EVERY)

    def _follow_resize(self, pod: Manifest, key: str, problem: str) -> None:
        """See soon whether it has come about."""
        if self.resizes.is_in_progress(meta.uid(pod)):
            self.queue.beat(RESIZE + key, 0 if problem else resize.SEEN_AFTER)

    def settle_resize(self, key: str) -> None:
        """Say that it has come about, or why it can't; if neither is so, look again."""
        namespace, name, uid = key.split("/")
        pod = self.informers.get("Pod", namespace, name)
        if pod is None or meta.uid(pod) != uid or pods.is_terminal(pod) or not self.resizes.is_in_progress(uid):
            return
        pod, saved = self.resizes.granted(pod), self.memory.get(uid)
        plan = Plan.load(saved)
        problem = self.pods.containers.resize(pod, plan)
        settled = problem or self.pods.containers.is_as_granted(pod)
        try:
            if settled and self.resizes.settle(pod, problem):
                self.pods.report(pod, plan)
        finally:
            self._keep(key, uid, plan, saved is not None)
        if self.resizes.is_in_progress(uid):
            self.queue.beat(RESIZE + key, resize.TRY_AGAIN if problem else resize.SEEN_AFTER)

    # --- the node -------------------------------------------------------------------------------------------

    def register(self) -> None:
        """Create the Node, or take over the one that was left from before the machine went down."""
        node = self.informers.get("Node", "", self.node)
        if node is None:
            status = self._status({}, self.trouble(None))
            node = self.client.create(node_status.initial_node(self.node, self.machines[self.node], status))
            self._tell(node, "Starting", "Starting kubelet.")
            for reason in node_status.news({}, status):
                self._tell(node, reason, f"Node {self.node} status is now: {reason}")
        else:
            boot = self._status({}, self.trouble(self.pod_range()))["nodeInfo"]["bootID"]
            self._tell(node, "Starting", "Starting kubelet.")
            message = f"Node {self.node} has been rebooted, boot id: {boot}"
            self.recorder.event(_nameless(node), "Warning", "Rebooted", message)
            self.report_node()
        self.renew_lease()
        for pod in self.static.pods():
            self.show(meta.namespace(pod), meta.name(pod))

    def report_node(self) -> None:
        """Update the node's status if there is news, or if it has been five minutes."""
        node = self.informers.get("Node", "", self.node)
        if node is None:
            self.queue.add_after("node", REPORT_EVERY)  # Deleted while we run: only a restart registers again.
            return
        old = node.get("status") or {}
        new = self._status(old, self.trouble(node["spec"].get("podCIDR")))
        self.client.update_status({**node, "status": new})
        for reason in node_status.news(old, new):
            self._tell(node, reason, f"Node {self.node} status is now: {reason}")
        before, after = (_is_ready(status) for status in (old, new))
        if after and not before:
            self._tell(node, "NodeReady", f"Node {self.node} status is now: NodeReady")
        elif before and not after:
            self._tell(node, "NodeNotReady", f"Node {self.node} status is now: NodeNotReady")
        self.queue.cancel("node")
        down_for = self.runtime.down_for if self.runtime.is_down else node_status.PLEG_AFTER
        marks = [mark - down_for for mark in (node_status.DOWN_AFTER, node_status.PLEG_AFTER) if down_for < mark]
        self.queue.add_after("node", min(marks, default=self._until(REPORT_EVERY)))

    def report_images(self) -> None:
        """The list of images is part of the node's status."""
        self.queue.add_after("node", self._until(UPDATE_EVERY))

    def _status(self, old: Manifest, trouble: str) -> Manifest:
        machine, seed = self.machines[self.node], self.dice.roll("machine", self.node)
        version = f"{self.runtime.name}://{self.runtime.version}"
        images = self.runtime.list_images()
        now, pressures = self.clock.stamp(), self.eviction.conditions()
        reserved = None if self.lab else self.meter.setup.withheld(self.meter.memory, self.meter.disk)
        return node_status.status_of(old, machine, images, now, seed, version, trouble, pressures, reserved)

    # --- shutting down --------------------------------------------------------------------------------------

    def is_shutting_down(self) -> bool:
        return SHUTDOWN in self.memory

    def shut_down(self) -> None:
        """Somebody shuts the machine down: say so, and end the pods, group by group."""
        self.memory[SHUTDOWN] = {"group": -1, "pods": [], "until": self.clock.now}
        node = self.informers.get("Node", "", self.node)
        if node is not None:
            self._tell(node, shutdown.EVENT, shutdown.DETECTED)
        self.queue.add("node")
        self.queue.add(SHUTDOWN)

    def go_on_shutting_down(self) -> None:
        """Wait for the pods of a group, then end those of the next; after the last the power goes."""
        under_way = self.memory.get(SHUTDOWN)
        if under_way is None:
            return
        active = [pod for pod in self._here() if not pods.is_terminal(pod)]
        ending = {meta.uid(pod) for pod in active}
        if self.clock.now < under_way["until"] and not ending.isdisjoint(under_way["pods"]):
            self.queue.add_after(SHUTDOWN, under_way["until"] - self.clock.now, f"{self.node} goes on shutting down")
            return
        self.queue.cancel(SHUTDOWN)
        for number in range(under_way["group"] + 1, len(shutdown.GROUPS)):
            found = [pod for pod in active if shutdown.group_of(pod) == number]
            if found:
                self._shut_down_group(number, found)
                return
        self.on_shut_down()

    def _shut_down_group(self, number: int, found: list[Manifest]) -> None:
        group, uids = shutdown.GROUPS[number], [meta.uid(pod) for pod in found]
        until = self.clock.now + group.period
        self.memory[SHUTDOWN] = {"group": number, "pods": uids, "until": until}
        for pod in found:
            if not meta.is_deleting(pod) and not self._is_expelled(pod):
                self._expel(pod, shutdown.verdict(), shutdown.grace_of(pod, group))
        self.queue.add(SHUTDOWN)

    # --- what it is short of --------------------------------------------------------------------------------

    def _is_hungrier(self, record: Record) -> None:
        """A container has started, or may take more memory than before."""
        self.watch_pressure(record)
        pod = self.informers.get("Pod", record["namespace"], record["pod"])
        if not self.lab and pod is not None and local_storage.is_tight(pod, self.meter.most_logs):
            self.queue.beat(DISK + _key(pod), self._until(eviction.LOOK_EVERY))

    def watch_pressure(self, newcomer: Record | None = None) -> None:
        """Look at what is left from now on, if it can run short: because of a `newcomer`, or at all."""
        if not self.lab and self.meter.could_run_short(self._here, newcomer):
            self.queue.beat("pressure", self._until(eviction.LOOK_EVERY))
            if self.meter.could_fill_the_disk():
                self.queue.beat("images", self._until(image_gc.EVERY))
            self._look_ahead()

    def _look_ahead(self) -> None:
        """Will memory be used up before the next look? Then somebody dies at that moment."""
        at = oom.runs_over_at(self.meter, self._here, self.clock.now + self._until(eviction.LOOK_EVERY))
        if at is not None:
            self.queue.beat("oom", at - self.clock.now)

    def kernel_kills(self) -> None:
        """As many containers die as have to. Their kubelet notices, and reads the kernel's log."""
        for pod, record, _ in oom.victims(self.meter, self._here):
            self.runtime.kill(record, oom.KILLED, oom.REASON)
            self.queue.add(_key(pod))
            self._warn("SystemOOM", oom.said(record))
        self._look_ahead()

    def look_for_pressure(self) -> None:
        """Evict a pod if something is short, and see when to look again."""
        if self.runtime.is_down:  # It has no figures to give.
            self.queue.beat("pressure", self._until(eviction.LOOK_EVERY))
            return
        if self.eviction.is_evicting():
            self.queue.beat("pressure", eviction.CLEAN_UP_LOOK)
            return
        before = self._reported_pressures()
        self.eviction.look(self._here, lambda: filter(self._is_evictable, self._here()))
        if self.eviction.conditions() != before:
            self.queue.add_after("node", self._until(UPDATE_EVERY))
        self.watch_pressure()
        after = self.eviction.has_to_look_after()
        if self.memory.get("evicting"):
            self.queue.beat("pressure", eviction.CLEAN_UP_LOOK)
        elif after is not None:
            self.queue.beat("pressure", after + (self._until(eviction.LOOK_EVERY) - after) % eviction.LOOK_EVERY)

    def _reported_pressures(self) -> list[str]:
        """As the node's status has them."""
        node = self.informers.get("Node", "", self.node) or {}
        found = (node.get("status") or {}).get("conditions") or ()
        return sorted(each["type"] for each in found if each["type"] in node_status.SHORT and each["status"] == "True")

    def look_at_images(self) -> None:
        """Every five minutes, while the disk could get full."""
        if not self.runtime.is_down:
            self.images.collect(self._here(), self.meter.disk, self.meter.disk_left(self._here))
        if self.meter.could_fill_the_disk():
            self.queue.beat("images", self._until(image_gc.EVERY))

    def _remove_dead(self) -> None:
        """Containers of pods that are over, with what they wrote and printed."""
        for pod in self._here():
            if pods.is_terminal(pod) and self.runtime.sandbox(meta.uid(pod)) is None:
                for record in list(self.runtime.list_containers(meta.uid(pod))):
                    self.runtime.remove_container(record)

    def _evict(self, pod: Manifest, message: str, annotations: dict[str, str], grace: int) -> None:
        self.recorder.event(pod, "Warning", eviction.EVICTED, message, annotations=annotations or None)
        self._expel(pod, [eviction.EVICTED, message, eviction.DISRUPTED], grace)

    def _warn(self, reason: str, message: str) -> None:
        """Say it of the node."""
        node = self.informers.get("Node", "", self.node)
        if node is not None:
            self.recorder.event(_nameless(node), "Warning", reason, message)

    def _expel(self, pod: Manifest, why: list[str], grace: int | None = None) -> None:
        """End a pod that nobody deletes. `why`: see Plan.expelled; `grace`: microseconds, if it is not its own."""
        plan = Plan.load(self.memory.get(meta.uid(pod)))
        plan.expelled, plan.grace = why, grace
        self.memory[meta.uid(pod)] = plan.save()
        self.sync_pod(_key(pod))

    def _is_evictable(self, pod: Manifest) -> bool:
        """Was it taken in here, and is nobody ending it?"""
        taken_in = bool((pod.get("status") or {}).get("startTime"))
        return taken_in and pods.is_alive(pod) and not self._is_expelled(pod)

    def _is_expelled(self, pod: Manifest) -> bool:
        return bool(Plan.load(self.memory.get(meta.uid(pod))).expelled)

    # --- its disk -------------------------------------------------------------------------------------------

    def watch_storage(self, record: Record) -> None:
        """A container has written something: is that too much for its pod, or for the machine's disk?"""
        if self.streams.sessions.allocated:
            self.watch_pressure()
        pod = self.find(record["namespace"], record["pod"], record["uid"])
        if pod is not None and local_storage.is_limited(pod):
            self.queue.beat(DISK + _key(pod), self._until(eviction.LOOK_EVERY))

    def look_at_storage(self, key: str) -> None:
        """Evict a pod that exceeds its own limits."""
        pod = self.find(*key.split("/"))
        if self.runtime.is_down:
            self.queue.beat(DISK + key, self._until(eviction.LOOK_EVERY))
            return
        if pod is None or not self._is_evictable(pod) or eviction.is_critical(pod):
            return
        records = self.runtime.list_containers(meta.uid(pod))
        message = local_storage.excess(pod, records, self.disks, self.meter.log_size)
        if not message and local_storage.is_tight(pod, self.meter.most_logs):
            self.queue.beat(DISK + key, self._until(eviction.LOOK_EVERY))
        if message:
            self.recorder.event(pod, "Warning", eviction.EVICTED, message)
            self._expel(pod, [eviction.EVICTED, message])

    def _here(self) -> list[Manifest]:
        """The pods of this node, static ones last."""
        static = self.static.pods()
        told = self.informers.by_index("Pod", "node", self.node)
        return [pod for pod in told if not pods.is_mirror(pod)] + static

    def renew_lease(self) -> None:
        """The heartbeat."""
        self.queue.beat("lease", self._until(RENEW_EVERY))
        node = self.informers.get("Node", "", self.node)
        if node is None:
            return
        lease = self.informers.get("Lease", LEASE_NAMESPACE, self.node)
        now = self.clock.micro_stamp()
        if lease is not None:
            self.client.update({**lease, "spec": {**lease["spec"], "renewTime": now}})
            return
        owner = {"apiVersion": "v1", "kind": "Node", "name": self.node, "uid": meta.uid(node)}
        metadata = {"name": self.node, "namespace": LEASE_NAMESPACE, "ownerReferences": [owner]}
        spec = {"holderIdentity": self.node, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now}
        self.client.create(
            {"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": metadata, "spec": spec}
        )

    def _until(self, period: int) -> int:
        """Microseconds until this node's next common instant of that period."""
        return period - (self.clock.now - self.phase) % period

    def _tell(self, node: Manifest, reason: str, message: str) -> None:
        self.recorder.event(_nameless(node), "Normal", reason, message)


def _nameless(node: Manifest) -> Manifest:
    """The kubelet refers to its node by name, also where a uid belongs: it says things before it has one."""
    return {**node, "metadata": {"name": meta.name(node), "uid": meta.name(node)}}


def _files_of(pod: Manifest) -> list[str]:
    """Whose contents are files of the pod, if its probes might ask for them."""
    return volumes.sources(pod) if any(probes.defined(each) for each in pods.everyone(pod)) else []


def _labelled(pod: Manifest) -> tuple[Any, Any]:
    return pod["metadata"].get("labels"), pod["metadata"].get("annotations")


def _name_of(obj: Manifest) -> list[str]:
    return [meta.name(obj)]


def _key(pod: Manifest) -> str:
    return f"{meta.namespace(pod)}/{meta.name(pod)}/{meta.uid(pod)}"


def _differs(old: Manifest, new: Manifest) -> bool:
    """Is `new` news for its kubelet?"""
    before, after = old["metadata"], new["metadata"]
    return (
        before.get("generation") != after.get("generation")
        or before.get("deletionTimestamp") != after.get("deletionTimestamp")
        or before.get("uid") != after.get("uid")
        or old["spec"].get("nodeName") != new["spec"].get("nodeName")
        or _gates(old) != _gates(new)
    )


def _gates(pod: Manifest) -> list[Manifest]:
    """The conditions that its readiness gates wait for: others set them."""
    wanted = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    found = (pod.get("status") or {}).get("conditions") or () if wanted else ()
    return [condition for condition in found if condition["type"] in wanted]


def _is_ready(status: Manifest) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ())


NOTES = {
    "pull-failed": "the image of {pod} can't be pulled",
    "give-up": "{pod} goes into ImagePullBackOff",
    "start": "{pod} starts a container",
    "end": "a container of {pod} ends",
    "restart": "a container of {pod} is killed",
    "show": "{pod} goes into CrashLoopBackOff",
    "again": "{pod} is tried again",
}


def _note(key: str, plan: Plan, due: int) -> str | None:
    """Why a person might wait for this timer."""
    namespace, name, _ = key.split("/")
    pod = f"{namespace}/{name}"
    if plan.gone_at is not None:
        return f"{pod} has terminated" if name else None
    what = next((plan.steps[c][0] for c in sorted(plan.steps) if plan.steps[c][1] == due), None)
    if what is None and plan.probes and probes.next_due(plan.probes) == due:
        return f"{pod} is probed" if probes.is_awaited(plan.probes, due) else None
    return NOTES[what].format(pod=pod) if what else f"{pod} is ready"


def _is_unknown(node: Manifest) -> bool:
    ready = conditions.get(node, "Ready")
    return ready is not None and ready["status"] == "Unknown"
