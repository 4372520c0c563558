"""The series that a cluster's Prometheus keeps: numbered by their labels, samples in blocks.

    scrape       one row of one column, at once; what rules made of it is a second one of the same instant
    compaction   HEAD scrapes become one block of HEAD columns
    folding      blocks that ended RAW ago are kept at a resolution of five minutes (blocks.folded)
    retention    the oldest blocks go, by age and by bytes: --storage.tsdb.retention.time and .size

Mirrors:  prometheus/tsdb (head, blocks, postings); folding: thanos/pkg/compact/downsample, Prometheus has none
Left out: write-ahead log (a row is one transaction), out-of-order samples, exemplars; labels of series whose samples
          are gone stay, and count among MOST_SERIES.
Read next: blocks.py.
"""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
import orjson
from django.db.models.functions import Length
from numpy.typing import NDArray

from cluster.models import MetricBlock, MetricSeries
from cluster.monitoring import blocks
from cluster.monitoring.blocks import Block, Folds
from cluster.monitoring.functions import Folded, Samples
from cluster.monitoring.promql import Execution, Labels, Matcher

HEAD = 40  # Scrapes that wait for a block: 10 minutes at the usual interval.
RAW = 3 * 3600 * 1000  # Milliseconds of simulated time: how long every sample is kept …
RETENTION = 15 * 24 * 3600 * 1000  # … and anything at all, if nothing is said.
MOST_BYTES = 512 << 20  # A cluster's blocks, if nothing or more is said.
MOST_SERIES = 500_000  # A cluster's; samples of further ones are refused.
MOST_SAMPLES = 50_000_000  # One query may load, as Prometheus allows.
ALL_FOLDED = 0  # What a folded block's row says of its columns.
KEPT = 8  # Indexes of clusters that a process keeps.
MOST_DECODED = 64 << 20  # Bytes of decoded blocks that a process keeps.


class Index:
    """Labels of a cluster's series by number, and the numbers of each label's values."""

    def __init__(self, cluster: int) -> None:
        self.cluster = cluster
        self.labels: list[Labels] = []
        self.numbers: dict[str, int] = {}
        self._spelt: dict[bytes, int] = {}  # The same by labels in another order, as scrapers bring them.
        self.values: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))

    def catch_up(self) -> None:
        """Learn the series that others have added."""
        rows = MetricSeries.objects.filter(cluster_id=self.cluster, number__gte=len(self.labels)).order_by("number")
        for text in rows.values_list("labels", flat=True):
            self._learn(text)

    def is_of_another_life(self) -> bool:
        """Is the last series that we know no longer there? Then the cluster was reset."""
        if not self.labels:
            return False
        last = MetricSeries.objects.filter(cluster_id=self.cluster, number=len(self.labels) - 1)
        return orjson.dumps(self.labels[-1]).decode() != last.values_list("labels", flat=True).first()

    def _learn(self, text: str) -> None:
        labels, number = orjson.loads(text), len(self.labels)
        self.labels.append(labels)
        self.numbers[text] = number
        for name, value in labels.items():
            self.values[name][value].append(number)

    def numbered(self, wanted: list[Labels]) -> tuple[list[int], int]:
        """A number for each, new ones included; -1 for those above MOST_SERIES, and how many these are."""
        spelt = [orjson.dumps(labels) for labels in wanted]  # In the order in which a family names its labels.
        found = [self._spelt.get(each, -1) for each in spelt]
        if -1 not in found:
            return found, 0
        unknown = [place for place, number in enumerate(found) if number < 0]
        numbers, refused = self._numbered([wanted[place] for place in unknown])
        for place, number in zip(unknown, numbers, strict=True):
            found[place] = number
            if number >= 0:
                self._spelt[spelt[place]] = number
        return found, refused

    def _numbered(self, wanted: list[Labels]) -> tuple[list[int], int]:
        texts = [orjson.dumps(labels, option=orjson.OPT_SORT_KEYS).decode() for labels in wanted]
        new = list(dict.fromkeys(text for text in texts if text not in self.numbers))
        room = max(MOST_SERIES - len(self.labels), 0)
        first = len(self.labels)
        MetricSeries.objects.bulk_create(
            (
                MetricSeries(cluster_id=self.cluster, number=first + at, labels=text)
                for at, text in enumerate(new[:room])
            ),
            batch_size=5_000,
        )
        for text in new[:room]:
            self._learn(text)
        return [self.numbers.get(text, -1) for text in texts], len(new[room:])

    def matching(self, matchers: list[Matcher]) -> list[int]:
        """Errors: BadData."""
        found: set[int] | None = None
        for matcher in matchers:
            accepts, values = matcher.accepts(), dict(self.values.get(matcher.name, {}))  # Others catch up meanwhile.
            if accepts(""):  # Series without the label match, too.
                drop = {number for value, numbers in values.items() if not accepts(value) for number in numbers}
                found = (set(range(len(self.labels))) if found is None else found) - drop
            else:
                keep = {number for value, numbers in values.items() if accepts(value) for number in numbers}
                found = keep if found is None else found & keep
        return sorted(range(len(self.labels)) if found is None else found)


_indexes: dict[int, Index] = {}


def index_of(cluster: int) -> Index:
    """This process's index, caught up."""
    found = _indexes.pop(cluster, None)
    if found is None or found.is_of_another_life():
        found = Index(cluster)
    found.catch_up()
    _indexes[cluster] = found
    while len(_indexes) > KEPT:
        del _indexes[next(iter(_indexes))]
    return found


class _Decoded:
    """Blocks that this process has decoded lately, by their row. Scrapes are asked for again and again by rules."""

    def __init__(self, most: int) -> None:
        self.blocks: OrderedDict[int, Block] = OrderedDict()
        self._most, self._size, self._lock = most, 0, threading.Lock()

    def get(self, key: int) -> Block | None:
        with self._lock:
            found = self.blocks.get(key)
            if found is not None:
                self.blocks.move_to_end(key)
            return found

    def keep(self, key: int, block: Block) -> Block:
        with self._lock:
            if key not in self.blocks:
                self.blocks[key] = block
                self._size += block.values.nbytes + block.numbers.nbytes
                while self._size > self._most and len(self.blocks) > 1:
                    _, old = self.blocks.popitem(last=False)
                    self._size -= old.values.nbytes + old.numbers.nbytes
        return block

    def clear(self) -> None:
        with self._lock:
            self.blocks.clear()
            self._size = 0


_decoded = _Decoded(MOST_DECODED)


def _within(folds: Folds, rows: NDArray[np.intp], low: int, high: int) -> Folds:
    """Those of some rows and of columns `low` to before `high`, counted from `low`."""
    inside = (folds.columns >= low) & (folds.columns < high)
    picked = (matrix[rows][:, inside] for matrix in folds[1:])
    return Folds(folds.columns[inside] - np.int32(low), *picked)


def _spread(
    found: Block, values: NDArray[np.float64], present: NDArray[np.bool_], folds: list[tuple[Block, Folds]]
) -> Folded:
    """What each column stands for: itself, where nothing was left out before it."""
    spread = Folded(
        values.copy(), present.astype(np.float64), values.copy(), values.copy(), np.full(values.shape, np.nan)
    )
    for part, each in folds:
        rows = np.searchsorted(found.numbers, part.numbers)[:, None]
        columns = (np.searchsorted(found.times, part.times[0]) + each.columns)[None, :]
        for into, matrix in zip(spread, each[1:], strict=True):
            into[rows, columns] = matrix
    return spread


def forget_uncommitted() -> None:
    """A transaction was rolled back: its rows' numbers will be those of others."""
    _decoded.clear()
    _indexes.clear()


class Store:
    """One cluster's. Satisfies promql.Storage."""

    def __init__(self, cluster: int) -> None:
        self.cluster, self.index = cluster, index_of(cluster)

    @staticmethod
    def series(cluster: int) -> int:
        """How many series are known."""
        return MetricSeries.objects.filter(cluster_id=cluster).count()

    def select(self, matchers: list[Matcher], start: int, end: int) -> Samples:
        """Errors: BadData, Execution."""
        chosen = np.array(self.index.matching(matchers), np.int32)
        parts: list[Block] = []
        folds: list[tuple[Block, Folds]] = []
        total = 0
        for block in self._blocks(start, end):
            places = np.searchsorted(block.numbers, chosen)
            places = places[block.numbers[np.minimum(places, block.numbers.size - 1)] == chosen]
            low, high = np.searchsorted(block.times, (start, end + 1))
            if block.folds is not None:  # Between which samples a window's ends lie is asked for, too.
                low, high = max(low - 1, 0), min(high + 1, block.times.size)
            total += places.size * int(high - low)
            if total > MOST_SAMPLES:
                raise Execution("query processing would load too many samples into memory in query execution")
            if places.size and high > low:
                everything = places.size == block.numbers.size
                values = block.values[:, low:high] if everything else block.values[places, low:high]
                parts.append(Block(block.numbers[places], block.times[low:high], values))
                if block.folds is not None:
                    folds.append((parts[-1], _within(block.folds, places, int(low), int(high))))
            elif high > low:  # A scrape that saw none of them: they ended.
                parts.append(Block(chosen[:0], block.times[low:high], blocks.absent(0, int(high - low))))
        found = blocks.merged(parts) if parts else Block(chosen[:0], np.zeros(0, np.int64), blocks.absent(0, 0))
        labels = [self.index.labels[number] for number in found.numbers]
        present = found.present
        values = np.where(present, found.values, 0.0)
        folded = _spread(found, values, present, folds) if folds else None
        return Samples(labels, found.times, values, present, folded)

    def _blocks(self, start: int, end: int) -> Iterator[Block]:
        """Those that have something of that time, oldest first. What was decoded once is kept: rows never change."""
        rows = MetricBlock.objects.filter(cluster_id=self.cluster, end__gte=start, start__lte=end)
        keys = list(rows.order_by("start", "pk").values_list("pk", flat=True))
        missing = [key for key in keys if key not in _decoded.blocks]
        bodies = dict(MetricBlock.objects.filter(pk__in=missing).values_list("pk", "body")) if missing else {}
        for key in keys:
            block = _decoded.get(key)
            if block is None:
                body = bodies.get(key)
                if body is None:
                    body = MetricBlock.objects.filter(pk=key).values_list("body", flat=True).first()
                if body is None:
                    continue  # Compacted or forgotten in this moment.
                block = _decoded.keep(key, blocks.decode(bytes(body)))
            if block.numbers.size:
                yield block

    def append(self, at: int, samples: list[tuple[Labels, float]]) -> int:
        """One scrape of everything, at `at` milliseconds. The number of series that there was no room for."""
        numbers, refused = self.index.numbered([labels for labels, _ in samples])
        places, values = np.array(numbers, np.int32), np.array([value for _, value in samples], np.float64)
        order = np.argsort(places, kind="stable")
        places = places[order]
        kept = (places >= 0) & np.append(np.diff(places) != 0, True)  # What is said twice counts as said the last time.
        block = Block(places[kept], np.array([at], np.int64), values[order][kept].reshape(-1, 1))
        body = blocks.encode(block)
        MetricBlock.objects.create(cluster_id=self.cluster, start=at, end=at, columns=1, body=body)
        return refused

    def tidy(self, now: int, age: int = RETENTION, size: int = MOST_BYTES) -> None:
        """Compaction, folding and retention. `now`, `age`: milliseconds; `size`: bytes."""
        mine = MetricBlock.objects.filter(cluster_id=self.cluster)
        instants = sorted(set(mine.filter(columns=1).values_list("start", flat=True)))
        if len(instants) >= HEAD:
            head = list(mine.filter(columns=1, start__lte=instants[HEAD - 1]).order_by("start", "pk"))
            block = blocks.merged([blocks.decode(bytes(row.body)) for row in head])
            mine.filter(pk__in=[row.pk for row in head]).delete()
            body = blocks.encode(block)
            MetricBlock.objects.create(
                cluster_id=self.cluster, start=head[0].start, end=head[-1].end, columns=HEAD, body=body
            )
            self._drop_excess(size)
        old = mine.filter(columns=HEAD, end__lt=now - RAW).order_by("start").first()
        if old is not None:
            body = blocks.encode(blocks.folded(blocks.decode(bytes(old.body))))
            old.delete()
            MetricBlock.objects.create(
                cluster_id=self.cluster, start=old.start, end=old.end, columns=ALL_FOLDED, body=body
            )
        mine.filter(end__lt=now - age).delete()

    def _drop_excess(self, most: int) -> None:
        """Forget the oldest blocks, until the others have `most` bytes."""
        mine = MetricBlock.objects.filter(cluster_id=self.cluster)
        total, excess = 0, []
        for key, size in mine.order_by("-end").values_list("pk", Length("body")):
            total += size
            if total > most:
                excess.append(key)
        mine.filter(pk__in=excess).delete()

    def last(self) -> tuple[int, Mapping[int, float]]:
        """When was the last scrape, and what did it find, by number of series? (-1, {}): never."""
        mine = MetricBlock.objects.filter(cluster_id=self.cluster)
        row = mine.order_by("-end").first()
        if row is None:
            return -1, {}
        block = blocks.merged([blocks.decode(bytes(each.body)) for each in mine.filter(end=row.end)])
        there = block.present[:, -1]
        return int(row.end), dict(zip(block.numbers[there].tolist(), block.values[there, -1].tolist(), strict=True))
