"""What each component says of what it did: one file a component, one line each in SPEAKERS and WITNESSES.

    speakers     of what a component wrote in one step         by the names of its writers, actors
    witnesses    of what happened to machines and processes    by the kind of physical event

All of it is derived from what is committed. Nobody says anything of what did not happen, and a component that does not
run does nothing that could be said of it. Messages, files and keys are those of 1.37 as far as we know them; line
numbers are of some release near it and say no more than that there is one.

kube-apiserver and kube-controller-manager speak as with --v=3, the others as with --v=2.

Left out: what they say of things that leave no trace here (reads, caches, retries, leases, timings), and what they say
          when they end in order: a process that is stopped here is killed.
Read next: saying.py; ../journal.py, which asks.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cluster.logstore.voices import controllers, etcd, kubelet, processes, scheduler
from cluster.logstore.voices.saying import Said, Step

Speaker = Callable[[Step], Iterator[Said]]
Witness = Callable[[str, str, Mapping[str, Any]], Iterator[Said]]  # Of a kind of event, its subject and its body.

SPEAKERS: dict[str, Speaker] = {
    "kube-scheduler": scheduler.speak,
    "kube-controller-manager": controllers.speak,
    "cloud-controller-manager": controllers.speak,
    "kubelet": kubelet.speak,
    "elector": processes.speak,
}
WITNESSES: dict[str, Witness] = {
    "node-add": kubelet.power,
    "power-on": kubelet.power,
    "process-start": processes.started,
    "component-restart": processes.restarted,
    "etcd-leader": etcd.elected,
    "etcd-start": etcd.started,
}
