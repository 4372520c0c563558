"""The dialogue over CRI: what the kubelet of a machine asked its runtime, call by call, and what it was answered.

    <node>/<nn>    [number, asked, took, call, about, request, answer]    the last KEPT calls of each machine, in a ring

`asked` and `took` are microseconds; `took` None: nobody knows yet when it will be answered. `about` is the pod
(`namespace/name`), the container of it (`namespace/name/container`) or the image.

Mirrors:  k8s.io/cri-api/pkg/apis/runtime/v1/api.proto (service RuntimeService, ImageService)
Left out: what a kubelet asks again and again: Version, Status, ListPodSandbox, ListContainers, ListImages, ImageFsInfo,
          the statistics, ExecSync of a probe, and the status of what goes on as before; ReopenContainerLog.
Limits:   KEPT calls a machine, the oldest forgotten first; TEXT characters of a request or an answer.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cluster.engine.cells import Cells

Record = dict[str, Any]
KEPT = 64
TEXT = 1_000
CUT = "rpc error: code = Unavailable desc = error reading from server: EOF"


def about(record: Record) -> str:
    """The pod, or the container of it, that a record is of."""
    return "/".join(record[part] for part in ("namespace", "pod", "name") if part in record)


class CriCall(NamedTuple):
    """One call, as in its cell."""

    number: int
    asked: int
    took: int | None
    call: str
    about: str
    request: str = ""
    answer: str = ""

    @property
    def answered(self) -> int | None:
        return None if self.took is None else self.asked + self.took

    @property
    def failed(self) -> bool:
        return self.answer.startswith("rpc error:")


class Dialogue:
    """The calls to one machine's runtime. `on` False: nobody writes them down."""

    def __init__(self, node: str, cells: Cells, on: bool = True) -> None:
        self.node, self.cells, self.on = node, cells, on
        self._next: int | None = None  # Found in the cells when first needed.

    def note(
        self, asked: int, call: str, about: str, request: str = "", answer: str = "", took: int | None = 0
    ) -> None:
        """One more call."""
        if not self.on:
            return
        if self._next is None:
            self._next = 1 + max((value[0] for _, value in self.cells.prefixed(f"{self.node}/")), default=-1)
        number, self._next = self._next, self._next + 1
        key = f"{self.node}/{number % KEPT:02d}"
        self.cells[key] = [number, asked, took, call, about, request[:TEXT], answer[:TEXT]]

    def note_of(
        self, record: Record, asked: int, call: str, more: str = "", answer: str = "", took: int | None = 0
    ) -> None:
        """One more call, about a container or a sandbox."""
        kind = "container_id" if "program" in record else "pod_sandbox_id"
        self.note(asked, call, about(record), f"{kind}: {record['id']}{more}", answer, took)

    def answered(self, call: str, about: str, at: int) -> None:
        """All such calls that nobody had answered are answered `at`."""
        if not self.on:
            return
        for number in range(KEPT):
            key = f"{self.node}/{number:02d}"
            value = self.cells.get(key)
            if value is not None and value[2] is None and value[3] == call and value[4] == about:
                self.cells[key] = [*value[:2], max(at - value[1], 0), *value[3:]]


def of(cells: Mapping[str, Any], horizon: int) -> list[CriCall]:
    """The calls among `cells` that were made by `horizon`, in the order in which they were; see `is_open`."""
    calls = (CriCall(*value) for value in cells.values())
    return sorted((call for call in calls if call.asked <= horizon), key=lambda call: (call.asked, call.number))


def is_open(call: CriCall, horizon: int) -> bool:
    """Is its answer still to come?"""
    return call.answered is None or call.answered > horizon


def cut(node: str, cells: Cells, now: int) -> None:
    """The machine has no power: what was under way got no answer, what was to be asked next was not."""
    for key, value in list(cells.prefixed(f"{node}/")):
        call = CriCall(*value)
        if call.asked > now:
            cells.pop(key)
        elif is_open(call, now):
            cells[key] = [*call[:2], now - call.asked, *call[3:6], CUT]


def forget(node: str, cells: Cells) -> None:
    """The machine is gone for good."""
    for key in [key for key, _ in cells.prefixed(f"{node}/")]:
        cells.pop(key)


def strings(words: Iterable[str]) -> str:
    """Words as a request shows them."""
    return "[" + ", ".join(words) + "]"
