"""How a pod's containers ended, or why they can't start, in sentences: what `kubectl describe` says below State and
Last State, and the last line that each printed.

Left out: which probe failed (an event says it); endings before the last one.
"""

import re
import signal
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from cluster.kubelet import committed
from cluster.models import Cluster
from cluster.objects import Manifest, pods, times
from dashboard import observed

STARTING = ("ContainerCreating", "PodInitializing", "CrashLoopBackOff")  # They say nothing of their own.
UNSTARTED = ("StartError", "ContainerCannotRun")
OF_SIGNALS = 128  # Exit codes above it: that, and the number of a signal.
BACK_OFF = re.compile(r"back-off (\S+) restarting")


def of(cluster: Cluster, pod: Manifest) -> list[dict[str, Any]]:
    """[{text, at, more, line, wait, bad}], the pod's own first. `at`: simulated time; `more`: the kubelet's words;
    `line`: what the container printed last; `wait`: what comes next.
    """
    status = pod.get("status") or {}
    found = []
    if status.get("phase") == "Failed" and status.get("reason"):
        text = _("The pod failed: %(reason)s.") % {"reason": status["reason"]}
        found = [{"text": text, "at": None, "more": status.get("message", ""), "line": "", "wait": "", "bad": True}]
    records = {each["id"]: each for each in observed.records(cluster, pods.uid_at_node(pod))}
    silent = observed.unreachable(cluster, pod)
    for each in _ended(pod):
        known = [] if silent else [records[each["id"]]] if each["id"] in records else []
        last = committed.tail(known, 1, cluster.sim_now, cluster.epoch)
        at = max(times.parse(each["at"]) - cluster.epoch, 0) if each["at"] else None
        found.append({**each, "at": at, "line": last[0].text if last else ""})
    return found


def _ended(pod: Manifest) -> Iterator[dict[str, Any]]:
    """Of each container that ended badly, or again and again, or waits for something that has a name."""
    status, specs = pod.get("status") or {}, {each["name"]: each for each in pods.everyone(pod)}
    inits = status.get("initContainerStatuses") or []
    for each in [*inits, *(status.get("containerStatuses") or [])]:
        state, name = each.get("state") or {}, each["name"]
        ended = state.get("terminated") or (each.get("lastState") or {}).get("terminated")
        waiting = state.get("waiting") or {}
        if ended and not (each in inits and ended["exitCode"] == 0):
            yield {
                "text": _ending(name, ended, specs.get(name, {})),
                "at": ended["finishedAt"],
                "more": ended.get("message", ""),
                "wait": _wait(each, waiting),
                "bad": ended["exitCode"] != 0,
                "id": ended.get("containerID", "").rpartition("//")[2],
            }
        if waiting.get("reason") and waiting["reason"] not in STARTING:
            text = _("%(name)s can't start: %(reason)s.") % {"name": name, "reason": waiting["reason"]}
            yield {"text": text, "at": "", "more": waiting.get("message", ""), "wait": "", "bad": True, "id": ""}


def _ending(name: str, ended: Manifest, container: Manifest) -> str:
    code, reason = ended["exitCode"], ended.get("reason", "")
    limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    words = {"name": name, "code": code, "reason": reason, "limit": limit}
    if reason == "OOMKilled" and limit:
        return _("%(name)s wanted more memory than its limit of %(limit)s, and was killed (%(reason)s).") % words
    if reason == "OOMKilled":
        return _("%(name)s was killed, since its node had no memory left (%(reason)s).") % words
    if reason in UNSTARTED:
        return _("%(name)s could not be started (%(reason)s, exit code %(code)s).") % words
    if ended.get("signal") or code > OF_SIGNALS:
        words["signal"] = _signal(ended.get("signal") or code - OF_SIGNALS)
        return _("%(name)s was ended by the signal %(signal)s (exit code %(code)s).") % words
    if code == 0:
        return _("%(name)s ended by itself, with exit code 0.") % words
    return _("%(name)s ended with exit code %(code)s (%(reason)s).") % words


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _wait(status: Manifest, waiting: Manifest) -> str:
    """How often it was tried, and how long until it is again."""
    words = {"n": status.get("restartCount", 0)}
    if found := BACK_OFF.match(waiting.get("message", "")):
        return _("Restarts: %(n)s. The kubelet waits %(wait)s before the next one.") % {**words, "wait": found[1]}
    return _("Restarts: %(n)s.") % words if words["n"] else ""
