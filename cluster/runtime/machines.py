"""Machines: the computers under the nodes. A cell each, under the node's name.

    power    is the plug in the wall?            boot     how often it was switched on; a new boot id for each
    cpu memory pods storage                      what the hardware offers, as quantities
    address  its IP                              labels, taints   what its kubelet registers the node with
    images   name -> {size, id} on its disk      pulling  until when the disk is busy with a pull

Nobody in the cluster can read a machine: components see what its kubelet reports, and after a power cut
nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Machine = dict[str, Any]


def a_machine(
    name: str,
    index: int,
    cpu: str = "4",
    memory: str = "8Gi",
    pods: str = "110",
    storage: str = "100Gi",
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Mapping[str, str]] = (),
) -> Machine:
    """A new computer, switched on. `index`: its number in the cluster, which makes its address."""
    return {
        "name": name,
        "power": True,
        "boot": 1,
        "cpu": cpu,
        "memory": memory,
        "pods": pods,
        "storage": storage,
        "address": address(index),
        "labels": dict(labels or {}),
        "taints": [dict(taint) for taint in taints],
        "images": {},
        "pulling": 0,
    }


def address(index: int) -> str:
    """The IP of machine number `index`: 10.0.0.1 is the control plane's.

    >>> address(0), address(300)
    ('10.0.0.2', '10.0.1.46')
    """
    number = index + 2
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
