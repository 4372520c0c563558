"""A line as Kubernetes' components write it: klog's text format with structured values.

    I1125 19:41:23.000000       1 schedule_one.go:314] "Successfully bound pod to node" pod="default/web-1"

Mirrors:  k8s.io/klog/v2 (InfoS, ErrorS; internal/serialize)
Left out: Go's escapes of what cannot be printed, where they differ from JSON's.
"""

import json
from collections.abc import Mapping
from datetime import datetime

Value = str | int | bool
PID = 1  # What a component sees as its process id in its container; klog prints it where glog had a thread's.


def line(severity: str, moment: datetime, source: str, message: str, values: Mapping[str, Value]) -> str:
    """One entry. `severity`: I, W, E or F; `source`: file.go:line.

    >>> line("I", datetime(2026, 11, 25, 19, 41, 23), "kubelet.go:2", "SyncLoop ADD", {"pod": "a/b", "n": 2})
    'I1125 19:41:23.000000       1 kubelet.go:2] "SyncLoop ADD" pod="a/b" n=2'
    """
    pairs = "".join(f" {name}{rendered(value)}" for name, value in values.items())
    return f"{severity}{moment:%m%d %H:%M:%S.%f} {PID:7d} {source}] {quoted(message)}{pairs}"


def rendered(value: Value) -> str:
    """A value with its sign: text of several lines stands indented between =< and >."""
    if isinstance(value, bool):
        return f"={str(value).lower()}"
    if isinstance(value, int):
        return f"={value}"
    if "\n" not in value:
        return f"={quoted(value)}"
    return "=<\n" + "".join(f"\t{part}\n" for part in value.split("\n")) + " >"


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
