"""Machines: the computers under the nodes. A cell each, under the node's name; the world racks them.

    name number     who it is                       power      is the plug in the wall?
    cpu memory      what the hardware offers,       boot       how often it was switched on, for boot ids
    pods storage      as quantities                 images     name -> {size, since, pinned} on its disk
    labels taints   what its kubelet registers      pulling    until when the disk is busy with a pull
                      the node with                 addresses  {last, used}: its pods', see network.py

    runtime           which it has, see runtimes.py     proxy, cni, unrouted      see cluster/network.py
    runtime_down      since when its service is stopped

Nobody in the cluster can read a machine: components see what its kubelet reports, and after a power cut
nothing.
"""

from typing import Any

Machine = dict[str, Any]
STORAGE = "100Gi"


def address(machine: Machine) -> str:
    """The machine's IP: 10.0.0.1 is the control plane's, number 1 has 10.0.0.2.

    >>> address({"number": 1}), address({"number": 300})
    ('10.0.0.2', '10.0.1.45')
    """
    number = int(machine["number"]) + 1
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
