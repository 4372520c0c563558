"""Puts a new cluster's add-ons into kube-system, as `kubeadm init` and an administrator do: once, when it is new.

Nobody puts back what somebody deletes later.

Mirrors:  kubernetes/cmd/kubeadm/app/phases/addons
"""

from functools import lru_cache
from typing import Any

import orjson
import yaml

from cluster.addons import ADDONS
from cluster.engine.controller import Component
from cluster.objects import Manifest, errors, users

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
OPTION = "addons"  # Of a cluster: names of those that it begins with.


@lru_cache(maxsize=32)
def manifests(name: str) -> tuple[Manifest, ...]:
    """The objects of an add-on, in the order in which they are created."""
    return tuple(yaml.safe_load_all(ADDONS[name].read_text()))


def problem_of(wanted: Any) -> str:
    """What is wrong with a list of add-ons, in one line; empty: nothing."""
    known = ", ".join(ADDONS)
    if not isinstance(wanted, list) or any(not isinstance(name, str) for name in wanted):
        return f"addons is {wanted!r}; it must be a list of names of: {known}"
    unknown = [name for name in wanted if name not in ADDONS]
    return f"addons: there is no {unknown[0]!r}; known: {known}" if unknown else ""


class Installer(Component):
    """Queue keys: names of add-ons."""

    name = "addons"
    role = "addons"
    user = users.ADMIN.name
    reaction = 0

    def start(self) -> None:
        wanted = self.options.get(OPTION)
        for name in wanted if isinstance(wanted, list) else ():
            self.queue.add(name)

    def process(self, key: str) -> None:
        for obj in manifests(key):
            try:
                self.client.create(_as_applied(obj))
            except errors.AlreadyExists:
                continue


def _as_applied(obj: Manifest) -> Manifest:
    """With the note that `kubectl apply` leaves, so that a newer version can be applied over it."""
    note = {APPLIED: orjson.dumps(obj).decode() + "\n"}
    return {**obj, "metadata": {**obj["metadata"], "annotations": note}}
