"""HorizontalPodAutoscaler controller: as many replicas as the load asks for.

Every 15 seconds, and at once when one is new, each autoscaler looks at the scale of its target and at its metrics:

    metrics ──replicacalculator──▶ wanted ──scalingpolicy──▶ allowed now ──▶ PUT deployments/scale

The largest proposal of all its metrics counts. If one can't be had, nothing is scaled down. What was recommended and
done lately is remembered for as long as somebody may ask.

Mirrors:  kubernetes/pkg/controller/podautoscaler/horizontal.go
Left out: metrics of the types Pods, Object and External: no adapter serves their APIs here, so they are answered as a
          cluster without one does.
Read next: replicacalculator.py, scalingpolicy.py.
"""

from fractions import Fraction
from typing import Any, NamedTuple

from cluster.controllers import replicacalculator, scalingpolicy
from cluster.controllers.replicacalculator import Proposal, Sample, Target, Tolerances, Unknown
from cluster.engine.clock import SECOND
from cluster.engine.controller import Controller
from cluster.objects import Manifest, conditions, labels, meta, quantity, times
from cluster.objects.autoscalers import FIELDS
from cluster.objects.errors import ApiError

PERIOD = 15 * SECOND
METRICS = "metrics.k8s.io"
NO_CUSTOM = "no custom metrics API (custom.metrics.k8s.io) registered"


class Failure(Exception):
    """A metric is not to be had. `reason` of the condition and the event; `str()` of both; `whole`: for the summary."""

    def __init__(self, reason: str, message: str, whole: str) -> None:
        super().__init__(message)
        self.reason, self.whole = reason, whole


class Wanted(NamedTuple):
    """What the metrics ask for. `metric`: whose proposal it is; `shown`: status.currentMetrics."""

    replicas: int
    metric: str
    shown: list[Manifest]


class Look:
    """One look at one autoscaler: its status as it will be written."""

    def __init__(self, scaler: Manifest, now: str) -> None:
        self.scaler, self.now = scaler, now
        self.status: dict[str, Any] = {**(scaler.get("status") or {})}

    def say(self, type_: str, status: str, reason: str, message: str) -> None:
        """Set a condition; its transition time stays while its status does."""
        known = conditions.get({"status": self.status}, type_)
        since = known["lastTransitionTime"] if known is not None and known["status"] == status else self.now
        condition = {"type": type_, "status": status, "lastTransitionTime": since, "reason": reason, "message": message}
        self.status["conditions"] = conditions.put(self.status.get("conditions"), condition)

    def count(self, current: int, desired: int, shown: list[Manifest]) -> None:
        self.status |= {"observedGeneration": meta.generation(self.scaler), "currentReplicas": current}
        self.status |= {"desiredReplicas": desired, "currentMetrics": shown or None}
        if not current:
            self.status.pop("currentReplicas")


class HorizontalPodAutoscalerController(Controller):
    name = "horizontal-pod-autoscaler-controller"
    source = "horizontal-pod-autoscaler"
    kind = "HorizontalPodAutoscaler"

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """A new one is looked at soon; changes of the others wait for the next look."""
        if old is None or new is None or meta.uid(old) != meta.uid(new):
            super()._changed(old, new)
        if old is not None and (new is None or meta.uid(old) != meta.uid(new)):
            self.memory.pop(meta.uid(old))

    def process(self, key: str) -> None:
        scaler = self.informers.by_key(self.kind, key)
        if scaler is None:
            return
        self.queue.add_after(key, PERIOD)
        self.reconcile(scaler)

    def failed(self, key: str, error: ApiError) -> None:
        """The next look is planned already."""
        self.queue.forget(key)

    def reconcile(self, scaler: Manifest) -> None:
        look = Look(scaler, self.clock.stamp())
        try:
            self._look(scaler, look)
        finally:
            self._report(scaler, look)

    def _report(self, scaler: Manifest, look: Look) -> None:
        if look.status != (scaler.get("status") or {}):
            self.client.update_status({**scaler, "status": look.status})

    # --- one look -----------------------------------------------------------------------------------------------

    def _look(self, scaler: Manifest, look: Look) -> None:
        spec = scaler["spec"]
        try:
            scale = self._scale_of(scaler)
        except ApiError as error:
            self.recorder.event(scaler, "Warning", "FailedGetScale", error.message)
            problem = f"the HPA controller was unable to get the target's current scale: {error.message}"
            look.say("AbleToScale", "False", "FailedGetScale", problem)
            return
        able = "the HPA controller was able to get the target's current scale"
        look.say("AbleToScale", "True", "SucceededGetScale", able)
        current, least, most = scale["spec"].get("replicas", 0), spec.get("minReplicas", 1), spec["maxReplicas"]
        history = self._history(scaler, current)
        shown: list[Manifest] = []
        desired, why = current, ""
        if current == 0 and least != 0:
            message = "scaling is disabled since the replica count of the target is zero"
            look.say("ScalingActive", "False", "ScalingDisabled", message)
        elif current > most:
            desired, why = most, "Current number of replicas above Spec.MaxReplicas"
        elif current < least:
            desired, why = least, "Current number of replicas below Spec.MinReplicas"
        else:
            wanted = self._wanted(scaler, look, scale, current)
            if wanted is None:
                return
            shown = wanted.shown
            now = self.clock.unix()
            limited, history = scalingpolicy.limit(spec, history, current, wanted.replicas, now)
            look.say("AbleToScale", "True", *limited.held)
            look.say("ScalingLimited", "True" if limited.is_limited else "False", *limited.bounded)
            desired = limited.replicas
            why = f"{wanted.metric} above target" if wanted.replicas > current else ""
            why = "All metrics below target" if wanted.replicas < current else why
        if desired != current:
            history = self._rescale(scaler, look, current, desired, why, history, shown)
        look.count(current, desired, shown)
        self.memory[meta.uid(scaler)] = history

    def _history(self, scaler: Manifest, current: int) -> scalingpolicy.History:
        known = self.memory.get(meta.uid(scaler))
        if known is not None:
            return known  # type: ignore[no-any-return]
        return {**scalingpolicy.nothing(), "recommendations": [[self.clock.unix(), current]]}

    def _target(self, scaler: Manifest) -> tuple[str, str, str]:
        """(kind, group, name) of what is scaled."""
        reference = scaler["spec"]["scaleTargetRef"]
        group, _, _ = reference.get("apiVersion", "").rpartition("/")
        return reference["kind"], group, reference["name"]

    def _scale_of(self, scaler: Manifest) -> Manifest:
        kind, group, name = self._target(scaler)
        return self.client.read_scale(kind, group, meta.namespace(scaler), name)

    def _rescale(
        self,
        scaler: Manifest,
        look: Look,
        current: int,
        desired: int,
        why: str,
        history: scalingpolicy.History,
        shown: list[Manifest],
    ) -> scalingpolicy.History:
        """Errors: ApiError, after it was told."""
        kind, group, name = self._target(scaler)
        try:
            self.client.scale(kind, group, meta.namespace(scaler), name, desired)
        except ApiError as error:
            told = f"New size: {desired}; reason: {why}; error: {error.message}"
            self.recorder.event(scaler, "Warning", "FailedRescale", told)
            problem = f"the HPA controller was unable to update the target scale: {error.message}"
            look.say("AbleToScale", "False", "FailedUpdateScale", problem)
            look.count(current, look.status.get("desiredReplicas", 0), shown)
            raise
        able = f"the HPA controller was able to update the target scale to {desired}"
        look.say("AbleToScale", "True", "SucceededRescale", able)
        self.recorder.event(scaler, "Normal", "SuccessfulRescale", f"New size: {desired}; reason: {why}")
        look.status["lastScaleTime"] = look.now
        return scalingpolicy.changed(history, current, desired, self.clock.unix())

    # --- metrics ------------------------------------------------------------------------------------------------

    def _wanted(self, scaler: Manifest, look: Look, scale: Manifest, current: int) -> Wanted | None:
        """The largest proposal. None: it can't be known, and that was said."""
        specs = scaler["spec"].get("metrics") or []
        shown: list[Manifest] = [{"type": ""} for _ in specs]
        chosen = self._pods(scaler, look, scale)
        if chosen is None:
            look.count(current, look.status.get("desiredReplicas", 0), shown)
            return None
        replicas, metric, failures = 0, "", []
        for number, spec in enumerate(specs):
            try:
                proposal, name, shown[number] = self._measure(scaler, spec, current, chosen)
            except Failure as failure:
                self.recorder.event(scaler, "Warning", failure.reason, str(failure))
                failures.append(failure)
                continue
            if not metric or proposal.replicas > replicas:
                replicas, metric = proposal.replicas, name
        if failures and (len(failures) >= len(specs) or replicas < current):
            first = failures[0]
            problem = f"the HPA was unable to compute the replica count: {first}"
            look.say("ScalingActive", "False", first.reason, problem)
            look.count(current, look.status.get("desiredReplicas", 0), shown)
            head = f"invalid metrics ({len(failures)} invalid out of {len(specs)})"
            message = f"{head}, first error is: {first.whole}"
            self.recorder.event(scaler, "Warning", "FailedComputeMetricsReplicas", message)
            return None
        found = f"the HPA was able to successfully calculate a replica count from {metric}"
        look.say("ScalingActive", "True", "ValidMetricFound", found)
        return Wanted(replicas, metric, shown)

    def _pods(self, scaler: Manifest, look: Look, scale: Manifest) -> list[Manifest] | None:
        """The target's pods. None: they can't be told from others, and that was said."""
        text = (scale.get("status") or {}).get("selector", "")
        if not text:
            reason, problem = "InvalidSelector", "the HPA target's scale is missing a selector"
            self._complain(scaler, look, "SelectorRequired", "selector is required", reason, problem)
            return None
        selector = labels.parse(text)
        namespace = meta.namespace(scaler)
        chosen = [pod for pod in self.informers.list("Pod", namespace) if selector.matches(meta.labels(pod))]
        rivals = self._scalers_of(namespace, chosen)
        if len(rivals) > 1:
            message = f"pods by selector {text} are controlled by multiple HPAs: [{' '.join(rivals)}]"
            self._complain(scaler, look, "AmbiguousSelector", message, "AmbiguousSelector", message)
            return None
        return chosen

    def _complain(self, scaler: Manifest, look: Look, said: str, message: str, reason: str, problem: str) -> None:
        self.recorder.event(scaler, "Warning", said, message)
        look.say("ScalingActive", "False", reason, problem)
        self.recorder.event(scaler, "Warning", "FailedComputeMetricsReplicas", message)

    def _scalers_of(self, namespace: str, chosen: list[Manifest]) -> list[str]:
        """Keys of the autoscalers whose targets select one of these pods."""
        found = []
        for other in self.informers.list(self.kind, namespace):
            try:
                text = (self._scale_of(other).get("status") or {}).get("selector", "")
            except ApiError:
                continue
            selector = labels.parse(text) if text else None
            if selector is not None and any(selector.matches(meta.labels(pod)) for pod in chosen):
                found.append(meta.key(other))
        return sorted(found)

    def _measure(
        self, scaler: Manifest, spec: Manifest, current: int, chosen: list[Manifest]
    ) -> tuple[Proposal, str, Manifest]:
        """(what one metric asks for, its name, its place in the status). Errors: Failure."""
        field = FIELDS[spec["type"]]
        if spec["type"] not in ("Resource", "ContainerResource"):
            raise _not_served(scaler, spec["type"], spec[field])
        source = spec[field]
        resource, container = source["name"], source.get("container", "")
        target = _target_of(source["target"])
        try:
            samples = self._samples(meta.namespace(scaler), resource, container, chosen)
            proposal = replicacalculator.propose(
                current, target, resource, container, _tolerances(scaler["spec"]), chosen, samples, self.clock.unix()
            )
        except Unknown as error:
            used = "utilization" if target.percent is not None else "usage"
            message = f"failed to get {resource} {used}: {error}"
            sort = "container metric" if container else "resource metric"
            reason = "FailedGetContainerResourceMetric" if container else "FailedGetResourceMetric"
            raise Failure(reason, message, f"failed to get {resource} {sort} value: {message}") from error
        name = f"{resource} container resource" if container else f"{resource} resource"
        name += " utilization (percentage of request)" if target.percent is not None else ""
        now: Manifest = {"averageValue": quantity.written(proposal.amount * 1_000_000, "decimal")}
        if proposal.percent is not None:
            now["averageUtilization"] = proposal.percent
        shown = {"name": resource} | ({"container": container} if container else {}) | {"current": now}
        return proposal, name, {"type": spec["type"], field: shown}

    def _samples(self, namespace: str, resource: str, container: str, chosen: list[Manifest]) -> dict[str, Sample]:
        """What the pods use, from the metrics API. Errors: Unknown."""
        head = f"unable to get metrics for resource {resource}: "
        try:
            listed = self.client.list_aggregated(METRICS, "pods", namespace)
        except ApiError as error:
            raise Unknown(f"{head}unable to fetch metrics from resource metrics API: {error.message}") from error
        names = {meta.name(pod) for pod in chosen}
        mine = [measured for measured in listed if meta.name(measured) in names]
        if not mine:
            raise Unknown(f"{head}no metrics returned from resource metrics API")
        found = {}
        for measured in mine:
            parts = [c for c in measured["containers"] if not container or c["name"] == container]
            amounts = [quantity.milli(part["usage"][resource]) for part in parts if resource in part["usage"]]
            if amounts and len(amounts) == len(parts):
                window = int(float(measured["window"].rstrip("s")) * SECOND)
                found[meta.name(measured)] = Sample(sum(amounts), times.parse(measured["timestamp"]), window)
        return found


def _target_of(target: Manifest) -> Target:
    if target.get("averageValue") is not None:
        return Target(None, quantity.milli(target["averageValue"]))
    return Target(target.get("averageUtilization"), None)


def _tolerances(spec: Manifest) -> Tolerances:
    behavior, found = spec.get("behavior") or {}, Tolerances()
    for side, field in (("scaleDown", "down"), ("scaleUp", "up")):
        given = (behavior.get(side) or {}).get("tolerance")
        if given is not None:
            nano, _ = quantity.parse(given)
            found = found._replace(**{field: Fraction(nano, quantity.NANO)})
    return found


def _not_served(scaler: Manifest, type_: str, source: Manifest) -> Failure:
    """What a cluster without an adapter for such metrics says."""
    name = source["metric"]["name"]
    if type_ == "External":
        namespace = meta.namespace(scaler)
        missing = f"the server could not find the requested resource (get {name}.external.metrics.k8s.io)"
        head = f"unable to get external metric {namespace}/{name}/{_selector_text(source['metric'].get('selector'))}"
        message = f"{head}: unable to fetch metrics from external metrics API: {missing}"
        return Failure("FailedGetExternalMetric", message, f"failed to get {name} external metric value: {message}")
    message = f"unable to get metric {name}: "
    if type_ == "Object":
        described = source["describedObject"]
        message += f"{described['kind']} on {meta.namespace(scaler)} {described['name']}/"
        message += f"unable to fetch metrics from custom metrics API: {NO_CUSTOM}"
        return Failure("FailedGetObjectMetric", message, f"failed to get object metric value: {message}")
    message += f"unable to fetch metrics from custom metrics API: {NO_CUSTOM}"
    return Failure("FailedGetPodsMetric", message, f"failed to get pods metric value: {message}")


def _selector_text(selector: Manifest | None) -> str:
    """A selector as Go prints it."""
    if selector is None:
        return "nil"
    pairs = " ".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    rest = "MatchExpressions:[]LabelSelectorRequirement{},}"
    return f"&LabelSelector{{MatchLabels:map[string]string{{{pairs}}},{rest}"
