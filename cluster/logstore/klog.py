"""A line as Kubernetes' components write it: klog's text format with structured values. And etcd's, which is JSON.

    I1125 19:41:23.000000       1 schedule_one.go:314] "Successfully bound pod to node" pod="default/web-1"

Mirrors:  k8s.io/klog/v2 (InfoS, ErrorS; internal/serialize); go.uber.org/zap's JSON encoder as etcd configures it
Left out: Go's escapes of what cannot be printed, where they differ from JSON's.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

Value = str | int | bool | list[Any] | dict[str, Any]
PID = 1  # What a component sees as its process id in its container; klog prints it where glog had a thread's.


def line(
    severity: str, moment: datetime, source: str, message: str, values: Mapping[str, Value], pid: int = PID
) -> str:
    """One entry. `severity`: I, W, E or F; `source`: file.go:line.

    >>> line("I", datetime(2026, 11, 25, 19, 41, 23), "kubelet.go:2", "SyncLoop ADD", {"pod": "a/b", "n": 2})
    'I1125 19:41:23.000000       1 kubelet.go:2] "SyncLoop ADD" pod="a/b" n=2'
    """
    pairs = "".join(f" {name}{rendered(value)}" for name, value in values.items())
    return plain(severity, moment, source, f"{quoted(message)}{pairs}", pid)


def plain(severity: str, moment: datetime, source: str, text: str, pid: int = PID) -> str:
    """One entry of the unstructured kind."""
    return f"{severity}{moment:%m%d %H:%M:%S.%f} {pid:7d} {source}] {text}"


def rendered(value: Value) -> str:
    """A value with its sign: text of several lines stands indented between =< and >; what has parts is JSON.

    >>> rendered(["default/web"]), rendered({"IPv4": "10.96.0.10"})
    ('=["default/web"]', '={"IPv4":"10.96.0.10"}')
    """
    if isinstance(value, bool):
        return f"={str(value).lower()}"
    if isinstance(value, int):
        return f"={value}"
    if not isinstance(value, str):
        return f"={json.dumps(value, ensure_ascii=False, separators=(',', ':'))}"
    if "\n" not in value:
        return f"={quoted(value)}"
    return "=<\n" + "".join(f"\t{part}\n" for part in value.split("\n")) + " >"


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def zap(level: str, moment: datetime, source: str, message: str, values: Mapping[str, Value]) -> str:
    """One entry of etcd's. `level`: info, warn, error.

    >>> zap("info", datetime(2026, 11, 25, 19, 41, 23), "etcdserver/raft.go:1", "ready", {"term": 2})
    '{"level":"info","ts":"2026-11-25T19:41:23.000000Z","caller":"etcdserver/raft.go:1","msg":"ready","term":2}'
    """
    head = {"level": level, "ts": f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z", "caller": source, "msg": message}
    return json.dumps({**head, **values}, ensure_ascii=False, separators=(",", ":"))
