"""The containers of one pod: which may start, what each is waiting for, and what happens when it ends.

A container's way, each arrow one timer:

    (nothing) -> start        its image is there, or will be when the pull is over
    (nothing) -> pull-failed  -> give-up -> (again after the back-off)
    running   -> end          when its program will end, if it will
    ended     -> again        restartPolicy says so; the first time at once …
              -> show -> again  … later only after a back-off, which `kubectl get pods` shows
    running   -> restart      a probe failed: when it will be gone; it is started again in the same breath

Everything that is begun and not finished stands in the plan, which is saved with the turn: plain data.

Mirrors:  kubernetes/pkg/kubelet/kuberuntime/kuberuntime_manager.go (computePodActions, SyncPod),
          kuberuntime_container.go (startContainer, killContainer), pkg/kubelet/images/image_manager.go
Left out: the preStop of a sidecar begins when its turn comes to end, not together with those of the others.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cluster.engine.clock import SECOND, Clock
from cluster.engine.informer import Informers
from cluster.engine.recorder import Recorder
from cluster.kubelet import environment, hooks, probes, resize, restarts, scripts
from cluster.kubelet.probes import Asked, Prober
from cluster.kubelet.sessions import extra_of
from cluster.objects import Manifest, meta, pods
from cluster.runtime import images, noise, usage
from cluster.runtime.containers import Record, StartError
from cluster.runtime.cri import KILLED, Runtime
from cluster.runtime.programs.program import Exit

NOTICED_AFTER = SECOND  # The kubelet relists its containers every second.
GIVES_UP_AFTER = 2 * SECOND  # From ErrImagePull to ImagePullBackOff.
LOOKS_AGAIN_AFTER = 10 * SECOND

ENDS = ("end", "restart")
Step = list[Any]  # [what, when, …]


@dataclass
class Plan:
    """What a kubelet has begun for a pod and not finished. Saved as plain data, unless it is empty."""

    steps: dict[str, Step] = field(default_factory=dict)  # By container.
    waiting: dict[str, list[str]] = field(default_factory=dict)  # By container: [reason, message].
    ready: dict[str, int] = field(default_factory=dict)  # In a laboratory: when a running container becomes ready.
    probes: dict[str, Any] = field(default_factory=dict)  # By running container: see probes.py.
    restarts: dict[str, list[int]] = field(default_factory=dict)  # Back-offs.
    pulls: dict[str, list[int]] = field(default_factory=dict)
    ends: dict[str, list[Any]] = field(default_factory=dict)  # How stopped containers will end.
    deadline: int = 0
    expires: int | None = None  # When the pod has been active for as long as it may.
    expelled: list[str] = field(default_factory=list)  # [reason, message, perhaps a DisruptionTarget's reason].
    grace: int | None = None  # Of who is expelled, if it is not its own.
    gone_at: int | None = None
    retry_at: int | None = None
    failed: bool = False  # An init container failed for good.
    unsaid: bool = False  # The last report was refused: it is still to be made.
    stuck: str = ""  # Not saved: why containers can't be given other limits.
    fresh: bool = True  # Not saved: there was no plan.
    changed: bool = False  # Not saved: something happened in this step.

    @classmethod
    def load(cls, saved: dict[str, Any] | None) -> "Plan":
        if saved is None:
            return cls()
        plan = cls(fresh=False)
        for name, value in saved.items():
            setattr(plan, name, dict(value) if isinstance(value, dict) else value)
        for name, kinds in plan.probes.items():
            plan.probes[name] = {kind: dict(state) for kind, state in kinds.items()}
        return plan

    def save(self) -> dict[str, Any] | None:
        """Only what is not empty; None if nothing is under way."""
        saved = {
            "steps": self.steps,
            "waiting": self.waiting,
            "ready": self.ready,
            "probes": self.probes,
            "restarts": self.restarts,
            "pulls": self.pulls,
            "ends": self.ends,
            "deadline": self.deadline,
            "expires": self.expires,
            "expelled": self.expelled,
            "grace": self.grace,
            "gone_at": self.gone_at,
            "retry_at": self.retry_at,
            "failed": self.failed,
            "unsaid": self.unsaid,
        }
        kept = {name: value for name, value in saved.items() if value or (value == 0 and name in ("gone_at", "grace"))}
        return {name: value for name, value in kept.items() if value is not False} or None

    def clear(self) -> None:
        self.steps, self.waiting, self.ready, self.ends, self.probes = {}, {}, {}, {}, {}
        self.restarts, self.pulls = {}, {}
        self.deadline, self.gone_at, self.retry_at, self.failed = 0, None, None, False
        self.expires, self.expelled, self.grace = None, [], None

    def next_due(self, now: int) -> int | None:
        """When to look again; None: only when something changes."""
        if self.gone_at is not None:
            return self.gone_at
        times = [step[1] for step in self.steps.values()]
        times += [at for at in self.ready.values() if at > now]
        if self.probes and (probe := probes.next_due(self.probes)) is not None:
            times.append(probe)
        times += [at for at in (self.retry_at, self.expires) if at is not None]
        return min(times, default=None)


class Containers:
    """Works on the containers of whatever pod it is given; keeps nothing itself."""

    def __init__(
        self, clock: Clock, informers: Informers, recorder: Recorder, runtime: Runtime, host: str, lab: bool
    ) -> None:
        self.clock, self.informers, self.recorder, self.runtime = clock, informers, recorder, runtime
        self.host, self.lab = host, lab
        self.prober: Prober | None = None  # Set before the first pod comes.
        self.logs: dict[str, Any] = {}  # How they are rotated, if not as usual: see the record's `rotate`.
        self.on_pulled: Callable[[], None] = lambda: None  # The list of images on the node has grown.
        self.on_started: Callable[[Record], None] = lambda record: None
        self.on_hungrier: Callable[[Record], None] = lambda record: None  # It may take more memory than before.
        self.on_stopping: Callable[[Record, int], None] = lambda record, after: None  # SIGTERM so long from now.

    def probe_with(self, asked: Asked) -> None:
        """Who asks containers from now on."""
        self.prober = Prober(self.clock, asked)

    # --- looking --------------------------------------------------------------------------------------------

    def by_name(self, uid: str) -> dict[str, list[Record]]:
        """Records of a pod by container, oldest first."""
        found: dict[str, list[Record]] = {}
        for record in self.runtime.list_containers(uid):
            found.setdefault(record["name"], []).append(record)
        return found

    def latest(self, uid: str) -> dict[str, Record]:
        return {record["name"]: record for record in self.runtime.list_containers(uid)}

    # --- going forward --------------------------------------------------------------------------------------

    def advance(self, pod: Manifest, plan: Plan, sandbox: Record) -> None:
        """Do what is due, then begin what may begin."""
        now, uid = self.clock.now, meta.uid(pod)
        plan.retry_at = None
        for name in [name for name, at in plan.ready.items() if at <= now]:
            del plan.ready[name]
            plan.changed = True
        self._notice_exits(plan, uid)
        if plan.probes:
            self._probe(pod, plan)
        for container in pods.everyone(pod):
            step = plan.steps.get(container["name"])
            if step is not None and step[1] <= now:
                del plan.steps[container["name"]]
                self._perform(pod, plan, container, step, sandbox)
        known = self.latest(uid)
        records = {name: r for name, r in known.items() if r["created"] >= sandbox["created"]}
        if plan.fresh and records:
            self._recall(pod, plan, records)
        first = self._startable(pod, plan, records)
        if first is not None:
            before = known.get(first["name"])  # Of an earlier sandbox.
            attempt = before["attempt"] + 1 if before is not None else 0
            self._prepare(pod, plan, first, attempt, max(sandbox["created"], now))
        for container in pod["spec"].get("ephemeralContainers") or ():  # Each once, whatever the others do.
            if container["name"] not in known and container["name"] not in plan.steps:
                self._prepare(pod, plan, container, 0, max(sandbox["created"], now))
        if not self.lab:
            plan.stuck = self.resize(pod, plan)

    def _notice_exits(self, plan: Plan, uid: str) -> None:
        """Processes that ended, or will, because of what somebody typed."""
        for record in self.runtime.list_containers(uid):
            end = record.get("exit")
            if end is None or record["ended"] is not None:
                continue
            step = plan.steps.get(record["name"])
            if step is None or step[0] not in ENDS or step[1] > end[0]:
                plan.steps[record["name"]] = [step[0] if step is not None and step[0] in ENDS else "end", *end]

    def has_ended(self, pod: Manifest) -> bool:
        """Is the pod's sandbox gone, and with it the last container that might have run?"""
        uid = meta.uid(pod)
        if self.runtime.sandbox(uid) is not None:
            return False
        records = self.latest(uid)
        mains = [(container, records.get(container["name"])) for container in pod["spec"]["containers"]]
        dead = [(c, record) for c, record in mains if record is not None and record["ended"] is not None]
        return len(dead) == len(mains) and not any(self._is_restarted(pod, c, record) for c, record in dead)

    def _recall(self, pod: Manifest, plan: Plan, records: dict[str, Record]) -> None:
        """After a restart of the kubelet alone: find out what the containers are about to do."""
        for container in pods.everyone(pod):
            record = records.get(container["name"])
            if record is None:
                continue
            if record["ended"] is None:
                self._expect_end(plan, record)
                self._begin_probes(plan, container, record)
            elif not (self._is_init(pod, container) and record["code"] == 0):
                plan.changed = True
                self._after_end(pod, plan, container, record)

    def _startable(self, pod: Manifest, plan: Plan, records: dict[str, Record]) -> Manifest | None:
        """The next container to begin in this sandbox: one after the other, init containers first."""
        if plan.failed:
            return None
        for container in pod["spec"].get("initContainers") or ():
            name = container["name"]
            record = records.get(name)
            if name in plan.steps and (record is None or not _is_sidecar(container)):
                return None
            if record is None:
                return None if self._is_held(pod, container) else container
            up = record["started"] is not None and probes.is_up(plan.probes.get(name))
            done = up if _is_sidecar(container) else record["code"] == 0
            if not done:
                return None
        for container in pod["spec"]["containers"]:
            name = container["name"]
            step = plan.steps.get(name)
            if step is not None and step[0] == "start":
                return None  # The kubelet starts them one by one.
            if step is None and name not in records and not self._is_held(pod, container):
                return container
        return None

    def _is_held(self, pod: Manifest, container: Manifest) -> bool:
        """Do annotations say that this container never starts?"""
        try:
            return scripts.script_for(pod, container["name"], self.lab) == scripts.HOLD
        except scripts.ScriptError:
            return False  # It will be reported at the start.

    def _perform(self, pod: Manifest, plan: Plan, container: Manifest, step: Step, sandbox: Record) -> None:
        """What a timer was set for."""
        what, name = step[0], container["name"]
        if what == "start":
            self._start(pod, plan, container, step, sandbox)
        elif what == "pull-failed":
            self._pull_failed(pod, plan, container, step[2])
        elif what == "give-up":
            self._give_up(pod, plan, container, step[2], step[3])
        elif what in ENDS:
            record = self.latest(meta.uid(pod))[name]
            self._end_with(plan, pod, name)
            # Who kills a container to start it again reports when that is done.
            quiet = what == "restart" and pod["spec"].get("restartPolicy", "Always") != "Never"
            plan.changed = plan.changed or not quiet
            plan.ready.pop(name, None)
            plan.probes.pop(name, None)
            if plan.probes:  # Somebody may have asked one of its ports.
                probes.wake(plan.probes, pod, self.latest(meta.uid(pod)), self.clock.now)
            self._after_end(
                pod, plan, container, self.runtime.finish_container(record, Exit(step[1], *step[2:])), at_once=quiet
            )
        elif what == "show":
            self._show_backoff(pod, plan, container, step[2], step[3])
        else:  # "again"
            before = self.latest(meta.uid(pod)).get(name)
            attempt = before["attempt"] + 1 if before is not None else 0
            self._prepare(pod, plan, container, attempt, self.clock.now)

    # --- images ---------------------------------------------------------------------------------------------

    def _prepare(self, pod: Manifest, plan: Plan, container: Manifest, attempt: int, not_before: int) -> None:
        """See to the image, and plan the start."""
        name, reference = container["name"], container["image"]
        try:
            image = images.resolve(reference)
        except images.InvalidImageName as error:
            message = f'Failed to apply default image tag "{reference}": {error}'
            self._say(pod, container, "Warning", "InspectFailed", message)
            self._stuck(pod, plan, container, "InvalidImageName", message)
            return
        policy = container.get("imagePullPolicy") or "IfNotPresent"
        at = max(not_before, self.clock.now)
        present = self.runtime.image_status(image.name, at)
        needed = self.runtime.start_time(meta.uid(pod), name, attempt)
        if present and (policy != "Always" or self.runtime.preloaded):
            plan.steps[name] = ["start", not_before + needed, attempt, None]
            return
        if policy == "Never":
            message = f'Container image "{reference}" is not present with pull policy of Never'
            self._say(pod, container, "Warning", "ErrImageNeverPull", message)
            self._stuck(pod, plan, container, "ErrImageNeverPull", message)
            return
        self._say(pod, container, "Normal", "Pulling", f'Pulling image "{reference}"')
        pull = self.runtime.pull_image(image, at)
        over = at + pull.duration
        if pull.error:
            plan.steps[name] = ["pull-failed", over, pull.error]
        else:
            facts = [pull.duration - pull.waiting, pull.duration, pull.size]
            plan.steps[name] = ["start", over + needed, attempt, facts]

    def _pull_failed(self, pod: Manifest, plan: Plan, container: Manifest, error: str) -> None:
        name, reference, now = container["name"], container["image"], self.clock.now
        self._say(pod, container, "Warning", "Failed", f'Failed to pull image "{reference}": {error}')
        self._say(pod, container, "Warning", "Failed", "Error: ErrImagePull")
        self._wait(plan, name, "ErrImagePull", error)
        plan.pulls[name] = backoff = restarts.doubled(plan.pulls.get(name), now, now)
        plan.steps[name] = ["give-up", now + GIVES_UP_AFTER, now + backoff[0], error]

    def _give_up(self, pod: Manifest, plan: Plan, container: Manifest, until: int, error: str) -> None:
        message = f'Back-off pulling image "{container["image"]}"'
        self._say(pod, container, "Normal", "BackOff", message)
        self._say(pod, container, "Warning", "Failed", "Error: ImagePullBackOff")
        self._wait(plan, container["name"], "ImagePullBackOff", f"{message}: ErrImagePull: {error}")
        plan.steps[container["name"]] = ["again", until]

    def _stuck(self, pod: Manifest, plan: Plan, container: Manifest, reason: str, message: str) -> None:
        """Nothing can be done but to look again later."""
        self._say(pod, container, "Warning", "Failed", f"Error: {reason}")
        self._wait(plan, container["name"], reason, message)
        plan.steps[container["name"]] = ["again", self.clock.now + LOOKS_AGAIN_AFTER]

    # --- starting -------------------------------------------------------------------------------------------

    def _start(self, pod: Manifest, plan: Plan, container: Manifest, step: Step, sandbox: Record) -> None:
        name, reference, uid = container["name"], container["image"], meta.uid(pod)
        _, _, attempt, pulled = step
        self._say(pod, container, "Normal", "Pulled", pulled_message(reference, pulled))
        if pulled is not None:
            self.on_pulled()
        try:
            script = scripts.script_for(pod, name, self.lab)
            addresses = {"podIP": sandbox["ip"], "hostIP": self.host}
            env = environment.variables(pod, container, self.informers, addresses)
        except (scripts.ScriptError, environment.ConfigError) as error:
            self._say(pod, container, "Warning", "Failed", f"Error: {error}")
            self._wait(plan, name, "CreateContainerConfigError", str(error))
            plan.steps[name] = ["again", self.clock.now + LOOKS_AGAIN_AFTER]
            return
        problem = self._target_problem(uid, container)
        if problem:
            self._say(pod, container, "Warning", "Failed", f"Error: {problem}")
            self._wait(plan, name, "CreateContainerError", problem)
            plan.steps[name] = ["again", self.clock.now + LOOKS_AGAIN_AFTER]
            return
        command = [environment.expanded(text, env) for text in container.get("command") or ()]
        args = [environment.expanded(text, env) for text in container.get("args") or ()]
        limit = environment.memory_limit(container)
        self._forget(uid, name, attempt - 2)
        record = self.runtime.create_container(
            uid, name, attempt, reference, command, args, env, limit, script, {**extra_of(pod, container), **self.logs}
        )
        self._say(pod, container, "Normal", "Created", "Container created")
        plan.changed = True
        plan.waiting.pop(name, None)
        try:
            record = self.runtime.start_container(record)
        except StartError as error:
            self._say(pod, container, "Warning", "Failed", f"Error: {error}")
            self._after_end(pod, plan, container, self.latest(uid)[name], ["RunContainerError", str(error)])
            return
        self._say(pod, container, "Normal", "Started", "Container started")
        self.on_started(record)
        self.on_hungrier(record)
        if not self._post_start(pod, plan, container, record):
            return
        self._expect_end(plan, record)
        self._begin_probes(plan, container, record)

    def _target_problem(self, uid: str, container: Manifest) -> str:
        """Why it can't share the processes of the container that it is aimed at; the empty string: it can."""
        name = container.get("targetContainerName")
        if not name:
            return ""
        target = self.latest(uid).get(name)
        if target is None:
            return f"unable to find target container {name}"
        if target["started"] is not None and target["ended"] is None:
            return ""
        own = noise.hexadecimal(64, target["seed"], self.clock.now)
        state = f'invalid target container: container "{target["id"]}" is not running - in state CONTAINER_EXITED'
        return f'failed to generate container "{own}" spec: failed to generate spec: {state}'

    def _end_with(self, plan: Plan, pod: Manifest, target: str) -> None:
        """Process 1 of a container has ended: the kernel kills all that live in its namespace."""
        for container in pod["spec"].get("ephemeralContainers") or ():
            record = self.latest(meta.uid(pod)).get(container["name"])
            if container.get("targetContainerName") == target and record is not None and record["ended"] is None:
                plan.steps[container["name"]] = ["end", self.clock.now, KILLED, "Error", ""]

    def _post_start(self, pod: Manifest, plan: Plan, container: Manifest, record: Record) -> bool:
        """Run the hook. If it fails, the container is killed: False."""
        if self.prober is None or hooks.run(self.prober.asked, pod, container, record, "postStart"):
            return True
        self._say(pod, container, "Warning", "FailedPostStartHook", "PostStartHook failed")
        self._say(pod, container, "Normal", "Killing", "FailedPostStartHook")
        latest = self.latest(meta.uid(pod))[container["name"]]
        self._kill(pod, plan, container, latest, grace_of(pod), "end")
        return False

    def _kill(self, pod: Manifest, plan: Plan, container: Manifest, record: Record, grace: int, step: str) -> None:
        """Stop one container of a pod that stays; `step`: what follows its end ("end" or "restart")."""
        end = self._stop(pod, container, record, grace)
        plan.steps[container["name"]] = [step, max(end.at, self.clock.now), *end[1:]]

    def _stop(self, pod: Manifest | None, container: Manifest | None, record: Record, grace: int) -> Exit:
        """preStop, SIGTERM, and SIGKILL after `grace` microseconds: how it will end."""
        stopping = record["stopped"] is not None
        if self.prober is not None and pod is not None and container is not None and grace and not stopping:
            if not hooks.run(self.prober.asked, pod, container, record, "preStop"):
                self._say(pod, container, "Warning", "FailedPreStopHook", "PreStopHook failed")
            record = self.latest(record["uid"])[record["name"]]  # The hook may have left something in it.
        hook = min(hooks.pre_stop_time(container), grace)
        if not stopping and hook < grace:
            self.on_stopping(record, hook)
            record = self.latest(record["uid"])[record["name"]]
        return self.runtime.stop_container(record, grace, hook)

    def _begin_probes(self, plan: Plan, container: Manifest, record: Record) -> None:
        if self.lab or self.prober is None:  # KWOK tries none; it only waits as long as they would wait.
            if delay := _readiness_delay(container):
                plan.ready[container["name"]] = self.clock.now + delay
        elif states := probes.begin(container, record):
            plan.probes[container["name"]] = states

    def _probe(self, pod: Manifest, plan: Plan) -> None:
        """Try the probes that are due; kill what does not live."""
        if self.prober is None:
            return
        records = self.latest(meta.uid(pod))
        for container in pods.everyone(pod):
            states, record = plan.probes.get(container["name"]), records.get(container["name"])
            if not states or record is None or record["ended"] is not None:
                continue
            tried = self.prober.try_due(pod, container, record, states)
            for kind, outcome in tried.said:
                self._say(pod, container, "Warning", probes.reason(outcome), probes.message(kind, outcome))
            plan.changed = plan.changed or tried.changed
            if tried.failed:
                self._condemn(pod, plan, container, record, tried.failed)

    def _condemn(self, pod: Manifest, plan: Plan, container: Manifest, record: Record, kind: str) -> None:
        """A liveness or startup probe failed: SIGTERM, and SIGKILL after the grace period."""
        name, policy = container["name"], pod["spec"].get("restartPolicy", "Always")
        again = ", will be restarted" if policy != "Never" else ""
        told = f"Container {name} failed {kind} probe{again}"
        if self._is_init(pod, container):
            told = f"Init container {name} failed {kind} probe"  # A sidecar: it is always restarted.
        self._say(pod, container, "Normal", "Killing", told)
        seconds = container[f"{kind}Probe"].get("terminationGracePeriodSeconds")
        grace = grace_of(pod) if seconds is None else int(seconds) * SECOND
        self._kill(pod, plan, container, record, grace, "restart")
        del plan.probes[name]

    def _expect_end(self, plan: Plan, record: Record) -> None:
        end = self.runtime.expected_end(record)
        if end is not None:
            plan.steps[record["name"]] = ["end", end.at, end.code, end.reason, end.message]

    def _forget(self, uid: str, name: str, attempt: int) -> None:
        """Two containers of a name are kept: the running one and, for `logs --previous`, the one before."""
        if attempt >= 0:
            record = self.runtime.container_status(uid, name, attempt)
            if record is not None:
                self.runtime.remove_container(record)

    # --- other resources than before ------------------------------------------------------------------------

    def resize(self, pod: Manifest, plan: Plan) -> str:
        """Limits of running containers follow the pod's, in place or by a restart, as resizePolicy says.

        Returns why they can't, if they can't; the pod has the resources that it was granted.
        """
        running = [(each, record) for each, record in self._running(pod) if _limits(record) != _wanted(each)]
        problem = self._memory_in_use(pod, running)
        for container, record in running if not problem else ():
            self._resize_one(pod, plan, container, record)
        return problem

    def is_as_granted(self, pod: Manifest) -> bool:
        """Has every container that runs, or is about to run again, the limits of the pod?"""
        stopping = any(r["ended"] is None and r["stopped"] is not None for r in self.latest(meta.uid(pod)).values())
        return not stopping and all(_limits(record) == _wanted(each) for each, record in self._running(pod))

    def _running(self, pod: Manifest) -> list[tuple[Manifest, Record]]:
        records = self.latest(meta.uid(pod))
        found = [(each, records[each["name"]]) for each in pods.everyone(pod) if each["name"] in records]
        return [(c, r) for c, r in found if r["ended"] is None and r["stopped"] is None and r["started"] is not None]

    def _memory_in_use(self, pod: Manifest, changes: list[tuple[Manifest, Record]]) -> str:
        """What is said if a limit on memory would fall below what is used."""
        lower = []
        for container, record in changes:
            limit, before = _wanted(container)["memory"], record["memory"]
            if limit is not None and (before is None or limit < before) and not _restarts(container, {"memory"}):
                lower.append((container["name"], limit, self._memory_of(record)))
        if not lower:
            return ""
        running = self._running(pod)
        limits = [_wanted(container)["memory"] for container, _ in running]
        whole = sum(limit or 0 for limit in limits), sum(self._memory_of(record) for _, record in running)
        return resize.below_usage(lower, whole if all(limit is not None for limit in limits) else None)

    def _memory_of(self, record: Record) -> int:
        return usage.at(record, self.clock.now, self.clock.epoch).memory_bytes

    def _resize_one(self, pod: Manifest, plan: Plan, container: Manifest, record: Record) -> None:
        wanted, had = _wanted(container), _limits(record)
        changed = {name for name in wanted if wanted[name] != had[name]}
        plan.changed = True
        self.runtime.update_container_resources(record, wanted["memory"], wanted["cpu"])
        self.on_hungrier(self.latest(meta.uid(pod))[container["name"]])
        if _restarts(container, changed):
            self._say(pod, container, "Normal", "Killing", f"Container {container['name']} resize requires restart")
            latest = self.latest(meta.uid(pod))[container["name"]]
            self._kill(pod, plan, container, latest, grace_of(pod), "end")
            plan.probes.pop(container["name"], None)
        elif "memory" in changed:
            self._expect_end(plan, self.latest(meta.uid(pod))[container["name"]])

    # --- ending ---------------------------------------------------------------------------------------------

    def _after_end(
        self, pod: Manifest, plan: Plan, container: Manifest, record: Record, waiting: list[str] | None = None,
        at_once: bool = False,
    ) -> None:  # fmt: skip
        """A container is dead: again, later again, or never. `at_once`: nobody has to notice first."""
        name, now = container["name"], self.clock.now
        if not self._is_restarted(pod, container, record):
            if self._is_init(pod, container) and record["code"] != 0:
                plan.failed = True
            return
        if waiting is not None:
            plan.waiting[name] = waiting
        backoff, died = plan.restarts.get(name), record["ended"]
        delay = restarts.wait_before_restart(backoff, died)
        if delay == 0:
            plan.restarts[name] = restarts.doubled(backoff, died, now)
            plan.steps[name] = ["again", now + (0 if at_once else NOTICED_AFTER)]
        else:
            plan.restarts[name] = restarts.doubled(backoff, died, died + delay)
            plan.steps[name] = ["show", now + NOTICED_AFTER, max(died + delay, now + NOTICED_AFTER), delay]

    def _show_backoff(self, pod: Manifest, plan: Plan, container: Manifest, until: int, delay: int) -> None:
        name = container["name"]
        where = f"{meta.name(pod)}_{meta.namespace(pod)}({meta.uid(pod)})"
        message = f"Back-off restarting failed container {name} in pod {where}"
        self._say(pod, container, "Warning", "BackOff", message)
        message = f"back-off {restarts.go_duration(delay)} restarting failed container={name} pod={where}"
        self._wait(plan, name, "CrashLoopBackOff", message)
        plan.steps[name] = ["again", until]

    def _is_restarted(self, pod: Manifest, container: Manifest, record: Record) -> bool:
        policy = pod["spec"].get("restartPolicy", "Always")
        if _is_ephemeral(pod, container):
            return False
        if self._is_init(pod, container):
            if _is_sidecar(container):
                return True
            policy = "OnFailure" if policy == "Always" else policy
        return policy == "Always" or (policy == "OnFailure" and record["code"] != 0)

    def stop(self, pod: Manifest | None, plan: Plan, grace: int, uid: str = "") -> bool:
        """SIGTERM to those whose turn it is; `plan.ends` says how they will end. False: nothing runs any more.

        Sidecars serve until all others have ended; then the last of them goes first. `pod` None: its object is gone.
        """
        now = self.clock.now
        plan.steps, plan.waiting, plan.retry_at = {}, {}, None
        specs = {container["name"]: container for container in pods.everyone(pod)} if pod else {}
        known = self.latest(uid or meta.uid(pod or {}))
        running = {name: r for name, r in known.items() if r["ended"] is None and r["started"] is not None}
        lasting = [name for name in self.sidecars(pod) if name in running] if pod else []
        first = [name for name in running if name not in lasting] or lasting[-1:]
        for name in first:
            if pod is not None and name not in plan.ends:
                self._say(pod, specs[name], "Normal", "Killing", f"Stopping container {name}")
            end = self._stop(pod, specs.get(name), running[name], grace)
            if name in plan.ends and plan.ends[name][0] <= end.at:
                continue
            plan.ends[name] = [max(end.at, now), *end[1:]]
        return bool(first)

    def sidecars(self, pod: Manifest) -> dict[str, None]:
        """Names of its sidecars, in order."""
        return {each["name"]: None for each in pod["spec"].get("initContainers") or () if _is_sidecar(each)}

    def hasten(self, plan: Plan, uid: str) -> bool:
        """Has one that was stopped ended sooner than had to be expected: by its trap?"""
        records, sooner = self.latest(uid), False
        for name, end in plan.ends.items():
            left = records[name].get("exit") if name in records and records[name]["ended"] is None else None
            if left and left[0] < end[0]:
                plan.ends[name], sooner = list(left), True
        return sooner

    def finish_all(self, plan: Plan, uid: str) -> bool:
        """Those that were stopped have ended. Returns whether the pod ever had a container."""
        records = self.latest(uid)
        for name, end in plan.ends.items():
            if records[name]["ended"] is None:
                self.runtime.finish_container(records[name], Exit(*end))
        return bool(records)

    # --- saying ---------------------------------------------------------------------------------------------

    def _say(self, pod: Manifest, container: Manifest, type_: str, reason: str, message: str) -> None:
        field_name = "initContainers" if self._is_init(pod, container) else "containers"
        if _is_ephemeral(pod, container):
            field_name = "ephemeralContainers"
        self.recorder.event(pod, type_, reason, message, f"spec.{field_name}{{{container['name']}}}")

    def _wait(self, plan: Plan, name: str, reason: str, message: str) -> None:
        plan.waiting[name] = [reason, message]
        plan.changed = True

    def _is_init(self, pod: Manifest, container: Manifest) -> bool:
        return any(container is other for other in pod["spec"].get("initContainers") or ())


def _wanted(container: Manifest) -> dict[str, int | None]:
    """Limits by the pod: bytes, millicores."""
    return {"memory": environment.memory_limit(container), "cpu": environment.cpu_limit(container)}


def _limits(record: Record) -> dict[str, int | None]:
    """Limits by the container's cgroup."""
    return {name: record.get(name) for name in ("memory", "cpu")}


def _restarts(container: Manifest, changed: set[str]) -> bool:
    """Does it want to be restarted when one of these changes?"""
    rules = {rule["resourceName"]: rule["restartPolicy"] for rule in container.get("resizePolicy") or ()}
    return any(rules.get(name) == "RestartContainer" for name in changed)


def _is_ephemeral(pod: Manifest, container: Manifest) -> bool:
    return any(container is other for other in pod["spec"].get("ephemeralContainers") or ())


def _is_sidecar(container: Manifest) -> bool:
    return container.get("restartPolicy") == "Always"


def _readiness_delay(container: Manifest) -> int:
    """In a laboratory probes succeed at their first try, which is not before their initial delay."""
    delays = [
        (container.get(probe) or {}).get("initialDelaySeconds") or 0 for probe in ("startupProbe", "readinessProbe")
    ]
    return int(sum(delays)) * SECOND


def pulled_message(reference: str, pulled: list[int] | None) -> str:
    """What is said when the image is there. `pulled`: duration without and with waiting, and size."""
    if pulled is None:
        return f'Container image "{reference}" already present on machine and can be accessed by the pod'
    alone, together, size = pulled
    return (
        f'Successfully pulled image "{reference}" in {restarts.go_milliseconds(alone)} '
        f"({restarts.go_milliseconds(together)} including waiting). Image size: {size} bytes."
    )


def grace_of(pod: Manifest) -> int:
    """Microseconds between SIGTERM and SIGKILL, as the pod asks."""
    return int(pod["spec"].get("terminationGracePeriodSeconds", 30)) * SECOND
