"""Lifecycle hooks: what a container's makers want to have done right after its start, and right before its end.

    postStart    a command in the container, a request to it, or a sleep; if it fails, the container is killed
    preStop      likewise before SIGTERM, within the grace period; if it fails, that is only said

Mirrors:  kubernetes/pkg/kubelet/lifecycle/handlers.go
Left out: a container counts as running while the command of its postStart still runs; how long a preStop takes is read
          from its command (all that it sleeps: `sleep 15`), since whoever stops a container has to know when SIGTERM
          will come.
"""

import re

from cluster.engine.clock import MINUTE, SECOND
from cluster.kubelet import probes
from cluster.kubelet.probes import Asked
from cluster.objects import Manifest
from cluster.runtime.containers import Record

SLEEP = re.compile(r"(?:^|[\s;&|({])sleep\s+([0-9]+(?:\.[0-9]+)?)([smhd]?)(?![\w.])")
UNITS = {"": SECOND, "s": SECOND, "m": MINUTE, "h": 60 * MINUTE, "d": 24 * 60 * MINUTE}


def run(asked: Asked, pod: Manifest, container: Manifest, record: Record, hook: str) -> bool:
    """Do what `postStart` or `preStop` says; False: it failed. True also if there is no such hook."""
    handler = ((container.get("lifecycle") or {}).get(hook)) or {}
    if "exec" in handler:
        argv = [str(word) for word in handler["exec"].get("command") or ()]
        try:
            code = asked.run_command(record, argv, hook, left_alone=True).code
        except ValueError:
            return False
        return code in (None, 0)
    try:
        if "httpGet" in handler:
            return bool(probes.get(asked, pod, container, record, handler["httpGet"]).well)
        if "tcpSocket" in handler:
            return bool(probes.connect(asked, pod, container, record, handler["tcpSocket"]).well)
    except ValueError:
        return False  # It has no such port.
    return True


def pre_stop_time(container: Manifest | None) -> int:
    """How long the preStop hook takes, as far as it says so: a sleep. Microseconds."""
    hook = ((container or {}).get("lifecycle") or {}).get("preStop") or {}
    if "sleep" in hook:
        return int(hook["sleep"]["seconds"]) * SECOND
    words = " ".join((hook.get("exec") or {}).get("command") or ())
    return sum(int(float(number[:12]) * UNITS[unit]) for number, unit in SLEEP.findall(words))
