"""Load generators as the page reads them: a custom kind, so everything here asks by its definition's name.

Read next: panels/traffic.py, which shows them; cluster/addons/traffic/operator.py, which looks after them.
"""

from collections.abc import Iterator

from cluster.addons.traffic.operator import OBJECTS
from cluster.flows import figures
from cluster.models import Cluster
from cluster.objects import Manifest, conditions, meta
from dashboard import observed, reads

ADDON, PLURAL, VERSION, KIND = "load-generators", "loadgenerators", "traffic.orrery.dev/v1", "LoadGenerator"
STEPS = (0, *(n * 10**tens for tens in range(4) for n in (1, 2, 3, 5, 7)), 10_000, 20_000, 50_000)  # Of the slider.


def is_installed(cluster: Cluster) -> bool:
    definition = reads.get(cluster, "CustomResourceDefinition", "", OBJECTS)
    return definition is not None and conditions.is_true(definition, "Established")


def listing(cluster: Cluster) -> list[Manifest]:
    """All LoadGenerators, in order of their keys; none if nobody has defined the kind."""
    return list(reads.custom(cluster, VERSION.partition("/")[0], PLURAL))


def target(service: str, port: str) -> str:
    """The URL of a Service's port, as its own namespace names it."""
    return f"http://{service}" + (f":{port}" if port != "80" else "")


def get(cluster: Cluster, key: str) -> Manifest | None:
    return next((wish for wish in listing(cluster) if meta.key(wish) == key), None)


def senders(cluster: Cluster, wish: Manifest) -> list[observed.Record]:
    """The containers that send for a LoadGenerator, those that have ended, too."""
    found = figures.senders(observed.records(cluster), meta.namespace(wish), meta.name(wish), cluster.epoch)
    return list(found)


def position(rate: int) -> int:
    """Where the slider stands for a rate: at the nearest of its steps.

    >>> position(0), position(1), position(42), position(999_999)
    (0, 1, 9, 23)
    """
    return min(range(len(STEPS)), key=lambda step: (abs(STEPS[step] - rate), step))


def ports(service: Manifest) -> Iterator[int]:
    """The numbers of a Service's ports that speak TCP."""
    if service["spec"].get("type") != "ExternalName":
        for port in service["spec"].get("ports") or ():
            if port.get("protocol", "TCP") == "TCP":
                yield int(port["port"])
