"""An independent client that writes down what it was told, and the questions one may ask of its ledger afterwards."""

import threading
from collections.abc import Callable

from cluster import inbox
from cluster.models import REVISION_BITS, Cluster, Input, Revision
from tests.serving.installation import Installation, a_config_map, creation


class Ledger:
    """`told`: the status each name's creation was answered with. 0: asked and not answered yet."""

    def __init__(self, installation: Installation, cluster: str = "default", size: int = 0) -> None:
        self.installation, self.cluster, self._text = installation, cluster, "x" * size
        self.told: dict[str, int] = {}
        self._threads: list[threading.Thread] = []

    def write_in_background(self, writers: int, each: int, prefix: str = "entry") -> None:
        """`writers` threads create `each` ConfigMaps, one after another."""
        for writer in range(writers):
            thread = threading.Thread(target=self._write, args=(writer, each, prefix))
            self._threads.append(thread)
            thread.start()

    def _write(self, writer: int, each: int, prefix: str) -> None:
        for number in range(each):
            self.write(f"{prefix}-{writer}-{number}")

    def write(self, name: str) -> int:
        self.told[name] = 0
        answer = self.installation.ask(creation(a_config_map(name, text=self._text), "configmaps"), self.cluster)
        self.told[name] = answer.status
        return answer.status

    @property
    def is_finished(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def count(self, what: Callable[[int], bool]) -> int:
        return sum(1 for status in list(self.told.values()) if what(status))

    # --- afterwards ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Every acknowledged write is in the log exactly once, every other one at most once."""
        log = creations(self.cluster)
        lost = [name for name, status in self.told.items() if status == 201 and log.get(name, 0) != 1]
        twice = [name for name in log if log[name] > 1]
        assert not lost, f"acknowledged, but not in the log: {lost}"
        assert not twice, f"in the log more than once: {twice}"


def creations(cluster: str) -> dict[str, int]:
    """How often each ConfigMap of namespace `default` was created, by name."""
    prefix = "/registry/configmaps/default/"
    rows = Cluster.objects.get(name=cluster).log.filter(key__startswith=prefix, verb="create")
    found: dict[str, int] = {}
    for key in rows.values_list("key", flat=True):
        name = key.removeprefix(prefix)
        found[name] = found.get(name, 0) + 1
    return found


def assert_one_history(cluster: str) -> None:
    """Revisions without gaps, steps and times that never go back, inputs in order, and owners that never interleave."""
    row = Cluster.objects.get(name=cluster)
    last = row.pk << REVISION_BITS | row.revision  # It may go on while we look.
    revisions = Revision.objects.filter(cluster=row, id__lte=last).order_by("id")
    log = list(revisions.values_list("id", "step", "sim_time"))
    numbers = [identity & ((1 << REVISION_BITS) - 1) for identity, _, _ in log]
    assert numbers == list(range(row.first_revision + 1, row.revision + 1))
    assert log == sorted(log, key=lambda entry: (entry[1], entry[2], entry[0]))
    inputs = list(
        Input.objects.filter(cluster=row, ordinal__lte=row.inputs)
        .order_by("ordinal")
        .values_list("ordinal", "epoch", "step")
    )
    assert [ordinal for ordinal, _, _ in inputs] == list(range(1, row.inputs + 1))
    epochs = [epoch for _, epoch, _ in inputs]
    assert epochs == sorted(epochs), "two owners wrote by turns"


def pause(installation: Installation, cluster: str = "default") -> inbox.Answer:
    return installation.ask({"type": "clock", "op": "pause"}, cluster)
