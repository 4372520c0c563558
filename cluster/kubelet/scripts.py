"""Annotations that script a pod's containers, for lessons and tests: whatever the image, this is how it goes.

    orrery.dev/script: hold                 the pod stays Pending (ContainerCreating)
    orrery.dev/script: keep-running         its containers never end by themselves
    orrery.dev/script: exit 3               they end at once with code 3
    orrery.dev/script: exit 3 after 10s     … ten seconds after their start (s, m, h; fractions too)
    orrery.dev/script.<container>: …        only that container; goes before the one above

A container that ends is restarted, or not, by the pod's restartPolicy, as any other.

In a laboratory cluster (ORRERY_LAB=1, the world's option `lab`) the annotations of the recordings mean what
they meant there: `lab/hold` holds, `lab/fail` exits with 1 after a second, `lab/keep-running` goes on;
containers of other Jobs' pods exit with 0 after a second, and everything else keeps running, whatever its
image would do.

Mirrors:  nothing in Kubernetes; in a laboratory, the stages of KWOK that the recordings used
"""

import re
from typing import Any

from cluster.objects import Manifest, meta

PREFIX = "orrery.dev/script"
HOLD: dict[str, Any] = {"do": "hold"}
RUN: dict[str, Any] = {"do": "run"}
EXIT = re.compile(r"exit (\d{1,3})(?: after (\d+(?:\.\d+)?)(s|m|h))?")
UNITS = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}
FORMS = "hold, keep-running, exit CODE, exit CODE after SECONDSs"


class ScriptError(ValueError):
    """An annotation that is none of the forms above; `str()` names it."""


def script_for(pod: Manifest, container: str, lab: bool) -> dict[str, Any] | None:
    """The script of one container, None if it just runs its program. Errors: ScriptError."""
    annotations = meta.annotations(pod)
    if annotations:
        for key in (f"{PREFIX}.{container}", PREFIX):
            if key in annotations:
                return parse(key, annotations[key])
    return _laboratory(pod, annotations) if lab else None


def is_held(pod: Manifest, lab: bool) -> bool:
    """Shall the whole pod stay Pending?"""
    annotations = meta.annotations(pod)
    if not annotations:
        return False
    return annotations.get(PREFIX) == "hold" or (lab and "lab/hold" in annotations)


def parse(key: str, text: str) -> dict[str, Any]:
    """
    >>> parse("orrery.dev/script", "exit 3 after 1.5s")
    {'do': 'exit', 'code': 3, 'after': 1500000}
    """
    if text == "hold":
        return HOLD
    if text == "keep-running":
        return RUN
    match = EXIT.fullmatch(text.strip())
    if match is None or int(match[1]) > 255:
        raise ScriptError(f'annotation {key}: "{text}" is not one of: {FORMS}')
    return {"do": "exit", "code": int(match[1]), "after": int(float(match[2] or 0) * UNITS[match[3] or "s"])}


def _laboratory(pod: Manifest, annotations: dict[str, str]) -> dict[str, Any]:
    if "lab/fail" in annotations:
        return {"do": "exit", "code": 1, "after": UNITS["s"]}
    owner = meta.controller_of(pod)
    if owner is not None and owner["kind"] == "Job" and "lab/keep-running" not in annotations:
        return {"do": "exit", "code": 0, "after": UNITS["s"]}
    return RUN
