"""Machines: the computers under the nodes. A cell each, under the node's name; the world racks them.

    name number     who it is                       power      is the plug in the wall?
    cpu memory      what the hardware offers,       boot       how often it was switched on, for boot ids
    pods storage      as quantities                 images     name -> {size, since, pinned, used} on its disk
    inodes pids       numbers, if they are unusual
    labels taints   what its kubelet registers      pulling    until when the disk is busy with a pull
                      the node with                 addresses  {last, used}: its pods', see network.py

    kubelet           its KubeletConfiguration, see kubelet/configuration.py
    runtime           which it has, see runtimes.py     proxy, cni, unrouted      see cluster/network.py
    runtime_down      since when its service is stopped

Nobody in the cluster can read a machine: components see what its kubelet reports, and after a power cut
nothing.
"""

from typing import Any

from cluster.objects import quantity

Machine = dict[str, Any]
STORAGE = "100Gi"
INODE_RATIO = 16 * 1024  # Bytes of a file system for each inode, as mke2fs makes them.
PIDS = 4_194_304  # kernel.pid_max of a 64-bit system.
SYSTEM_FILES, SYSTEM_INODES = 2 << 30, 60_000  # Of the system itself; on a small disk a quarter of it.
SYSTEM_PIDS = 140  # Processes and threads of kernel, kubelet, runtime and journal.


def disk(machine: Machine) -> int:
    """Bytes of its file system."""
    return quantity.value(str(machine.get("storage", STORAGE)))


def inodes(machine: Machine) -> int:
    return int(machine.get("inodes") or disk(machine) // INODE_RATIO)


def pids(machine: Machine) -> int:
    """How many processes there can be."""
    return int(machine.get("pids") or PIDS)


def system_files(machine: Machine) -> tuple[int, int]:
    """(bytes, inodes) that the system takes of the disk."""
    return min(SYSTEM_FILES, disk(machine) // 4), min(SYSTEM_INODES, inodes(machine) // 4)


def address(machine: Machine) -> str:
    """The machine's IP: 10.0.0.1 is the control plane's, number 1 has 10.0.0.2.

    >>> address({"number": 1}), address({"number": 300})
    ('10.0.0.2', '10.0.1.45')
    """
    number = int(machine["number"]) + 1
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
