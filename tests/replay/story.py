"""A trace retold so that two runs can be compared: per object what happened in order, what was said, how it ended.

    phase 1, changes of Pod/web-<hash>-<suffix>        added by ReplicaSet/web-<hash> > nodeName=w-<n> > phase=Running …
    phase 1, end state of Deployment/web               metadata.annotations.…revision=1; status.replicas=3; …
    events of ReplicaSet/web-<hash> from replicaset-controller    3 x Normal SuccessfulCreate: Created pod: …
    as made, ReplicaSet/web-<hash>                     the whole object, where the recording has it whole
    answer to step 3                                   429 TooManyRequests …

Steps that follow one another within a second, or that only look, share a phase: what they caused can't be told apart.
Objects with generated names are counted, not named: three pods with the same fate are one line, three times.

Read next: normal.py, what may differ; compare.py.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from tests.replay import normal
from tests.replay.normal import words
from tests.replay.tracing import Flat, Item, flatten

Key = tuple[str, str]
Story = dict[str, Counter[str]]

LOOKS = re.compile(r"kubectl (get|describe|rollout (status|history)) ")
SCALED = re.compile(r"Scaled (?P<way>up|down) replica set (?P<set>\S+) from (?P<first>\d+) to (?P<last>\d+)")
MADE_PARTS = ("labels", "annotations", "finalizers", "ownerReferences")
END_PARTS = re.compile(r"status\.|metadata\.(labels|annotations)|endpoints|ports|subsets|addressType")
ENDPOINTS = ("endpoints", "ports", "subsets", "addressType")
RETOLD = (
    "FailedScheduling",
    "FailedCreate",
    "UnexpectedJob",
    "JobAlreadyActive",
    "ExternalProvisioning",
    "ProvisioningFailed",
)  # Their number depends on how often somebody tried.


def phases(trace: list[Item]) -> list[int]:
    """For each step the number of its phase."""
    numbers: list[int] = []
    last = None
    for step in (item for item in trace if "STEP" in item):
        apart = last is None or (step["t"] - last >= 1 and not LOOKS.match(step["STEP"]))
        numbers.append((numbers[-1] if numbers else 0) + int(apart))
        last = step["t"]
    return numbers


def tell(
    trace: list[Item], numbers: list[int], whole: set[str] | None = None, late: frozenset[Key] = frozenset()
) -> Story:
    """The story of `trace`, its steps in phases as `numbers` says.

    `whole`: names of the `as made` lines to keep; None: one for every object that the trace has whole.
    `late`: objects whose creation nobody saw, since the recorder was still listing when they were made.
    """
    return Teller(trace, numbers, whole, late).story


def seen_late(trace: list[Item]) -> frozenset[Key]:
    """Objects that somebody made in a step, and whose first item is not their creation."""
    first: dict[Key, str] = {}
    for item in trace:
        if "kind" in item:
            first.setdefault((item["kind"], item["name"]), item["type"])
    made = (key for key, type_ in first.items() if type_ != "ADDED")
    return frozenset(key for key in made if key[0] not in ("Node", "Namespace"))


class Teller:
    def __init__(self, trace: list[Item], numbers: list[int], whole: set[str] | None, late: frozenset[Key]) -> None:
        self.parts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.whole, self.late = whole, late
        self.phase, self.step = 1, -1
        self.facts: defaultdict[Key, list[str]] = defaultdict(list)
        self.states: dict[Key, Flat] = {}
        self.touched: dict[Key, None] = {}
        self.newcomers: set[Key] = set()
        for item in trace:
            if "STEP" in item:
                self._next_step(numbers)
            elif "RESPONSE" in item:
                self._answer(item)
            elif "kind" in item:
                self._change(item)
        self._close()
        self._events([item for item in trace if "event" in item])

    @property
    def story(self) -> Story:
        return {name: lines for name, lines in self.parts.items() if lines}

    def _next_step(self, numbers: list[int]) -> None:
        self.step += 1
        if numbers[self.step] != self.phase:
            self._close()
            self.phase = numbers[self.step]

    def _answer(self, item: Item) -> None:
        body = item["body"] if isinstance(item["body"], dict) else {}
        causes = [cause.get("message", "") for cause in (body.get("details") or {}).get("causes") or []]
        line = " ".join(
            [str(item["RESPONSE"]), body.get("reason") or body.get("status") or "", body.get("message") or "", *causes]
        )
        self.parts[f"answer to step {self.step + 1}"][words(line).strip()] += 1

    # --- changes ------------------------------------------------------------------------------------------------

    def _change(self, item: Item) -> None:
        key = (item["kind"], item["name"])
        self.touched[key] = None
        if item["type"] == "ADDED":
            self._added(key, item)
        elif item["type"] == "DELETED":
            self.facts[key].append("deleted")
            self.states.pop(key, None)
        else:
            self._modified(key, item.get("diff") or {}, item.get("removed") or [])

    def _added(self, key: Key, item: Item) -> None:
        if key[0] in normal.NEWCOMERS:
            self.newcomers.add(key)
        seen = brief(item["object"]) if "object" in item else item["brief"]
        owners = ", ".join(sorted(words(owner) for owner in seen.get("owner") or []))
        if key not in self.late:
            self.facts[key].append(f"added by {owners}" if owners else "added")
        if seen.get("nodeName"):
            self.facts[key].append(words(f"spec.nodeName={seen['nodeName']}"))
        metadata = {part: seen[part] for part in ("labels", "annotations") if seen.get(part)}
        body: Item = {"metadata": metadata, "status": seen.get("status") or {}}
        if key[0].startswith("Endpoint") and "object" in item:
            body |= {part: item["object"][part] for part in ENDPOINTS if part in item["object"]}
        self.states[key] = flatten(body)
        if "object" in item and owners:
            self._made(key, item["object"])

    def _made(self, key: Key, obj: Item) -> None:
        name = f"as made, {key[0]}/{words(key[1])}"
        if self.whole is None or name in self.whole:
            metadata = {part: obj["metadata"][part] for part in MADE_PARTS if part in obj["metadata"]}
            leaves = flatten({"metadata": metadata, "spec": obj.get("spec") or {}})
            lines = [
                f"{_path(path)}={words(str(value))}" for path, value in leaves.items() if not _is_chance(key[0], path)
            ]
            self.parts[name]["; ".join(sorted(lines))] = 1

    def _modified(self, key: Key, changed: Flat, removed: list[str]) -> None:
        kind = key[0]
        state = self.states.setdefault(key, {})
        before = dict(state)
        state.update(changed)
        for path in removed:
            state.pop(path, None)
        if kind in normal.BYSTANDERS or key in self.newcomers:
            return
        facts = self.facts[key]
        if "metadata.deletionTimestamp" in changed and "metadata.deletionTimestamp" not in before:
            facts.append("deleting")
        facts += _listed(before, state, changed, removed)
        for path in sorted({*changed, *removed}):
            if self._counts(kind, path) and (path in removed or before.get(path) != changed[path]):
                facts.append(_fact(path, changed[path]) if path in changed else f"{_path(path)} removed")

    def _counts(self, kind: str, path: str) -> bool:
        if LISTED.match(path) or path in ("status", "metadata.deletionTimestamp"):
            return False
        return not normal.is_volatile(kind, path) and not normal.is_settled_only(kind, path)

    # --- the end of a phase -------------------------------------------------------------------------------------

    def _close(self) -> None:
        for key, facts in self.facts.items():
            name = f"phase {self.phase}, changes of {key[0]}/{words(key[1])}"
            if key[0] in normal.UNORDERED:
                for fact in sorted(set(facts)):
                    self.parts[name][fact] += 1
            elif facts:
                self.parts[name][" > ".join(facts)] += 1
        for key in self.touched:
            if key in self.states and key[0] not in normal.BYSTANDERS and key not in self.newcomers:
                end = end_state(key[0], self.states[key])
                self.parts[f"phase {self.phase}, end state of {key[0]}/{words(key[1])}"][end] += 1
        self.facts.clear()
        self.touched.clear()

    # --- events -------------------------------------------------------------------------------------------------

    def _events(self, items: list[Item]) -> None:
        said: defaultdict[tuple[str, str], list[Said]] = defaultdict(list)
        counts = {item["name"]: item.get("count") or 1 for item in items}  # The last one wins.
        known: set[tuple[str, str]] = set()
        for item in items:
            source, message = item.get("source") or item.get("reportingComponent") or "", item.get("message") or ""
            if normal.is_unheard({**item, "source": source}):
                continue
            again = (item["name"], message) in known
            known.add((item["name"], message))
            start = f"{item.get('type')} {item['reason']}"
            times = 1 if item["reason"] in RETOLD else counts[item["name"]]
            said[item["object"], source].append(Said(start, message, times, again))
        for (about, source), told in said.items():
            lines = _rounds(told)
            if about in normal.AT_ONCE:
                lines = [line for _, run in groupby(lines, key=lambda line: line.split(":")[0]) for line in sorted(run)]
            self.parts[f"events of {words(about)} from {source}"][" > ".join(_runs(lines))] += 1


class Said(NamedTuple):
    """`start`: type and reason; `times`: how often it was said in all; `again`: it was said before."""

    start: str
    message: str
    times: int
    again: bool

    def line(self) -> str:
        return f"{self.start}: {words(self.message)}" + (f" (x{self.times})" if self.times > 1 else "")


LISTED = re.compile(r"metadata\.(finalizers|ownerReferences)|spec\.taints")


def _listed(before: Flat, state: Flat, changed: Flat, removed: Iterable[str]) -> list[str]:
    """Facts about lists that are sets: finalizers, owners, taints. Their items have no stable address."""
    facts = []
    for start, entry in (
        ("metadata.finalizers", _finalizer),
        ("metadata.ownerReferences", _owner),
        ("spec.taints", _taint),
    ):
        if any(path.startswith(start) for path in (*changed, *removed)):
            was, now = (
                {found for path in sorted(flat) if path.startswith(start) and (found := entry(flat, path))}
                for flat in (before, state)
            )
            gone = {entry(before, path) for path in removed} - {None}
            facts += [f"{start} +{words(item)}" for item in sorted(now - was)]
            facts += [f"{start} -{words(item)}" for item in sorted({*(was - now), *(g for g in gone if g)} - now)]
    return facts


def _finalizer(flat: Flat, path: str) -> str | None:
    return flat[path] if isinstance(flat.get(path), str) else None


def _owner(flat: Flat, path: str) -> str | None:
    return f"{flat.get(path[:-4] + 'kind', '')}/{flat.get(path)}" if path.endswith(".name") else None


def _taint(flat: Flat, path: str) -> str | None:
    return f"{flat.get(path)}:{flat.get(path[:-3] + 'effect')}" if path.endswith(".key") else None


def _rounds(told: list[Said]) -> list[str]:
    """What was said, each thing once; but the scalings of a rollout as one line per round of a replica set.

    Into how many steps a round falls, and how two rounds interleave, is chance. A Deployment with a single replica
    set keeps its lines as they are: nothing competes, nothing is chance.
    """
    found = [SCALED.search(said.message) for said in told]
    if len({match["set"] for match in found if match}) < 2:
        return [said.line() for said in told if not said.again]
    chains: list[dict[str, str]] = []
    for said, match in zip(told, found, strict=True):
        if match:
            step = {"start": said.start, **match.groupdict()}
            open_ = next((c for c in chains if _continues(c, step)), None)
            if open_:
                open_["last"] = step["last"]
            else:
                chains.append(step)
    rest = [said.line() for said, match in zip(told, found, strict=True) if not match and not said.again]
    return rest + sorted(f"{c['start']}: {c['way']} {words(c['set'])} from {c['first']} to {c['last']}" for c in chains)


def _continues(chain: dict[str, str], step: dict[str, str]) -> bool:
    same = all(chain[part] == step[part] for part in ("start", "way", "set"))
    return same and chain["last"] == step["first"]


def _runs(told: list[str]) -> list[str]:
    """Equal lines in a row as one, with their number."""
    lines = []
    for line, run in groupby(words(line) for line in told):
        count = len(list(run))
        lines.append(f"{count} x {line}" if count > 1 and not any(reason in line for reason in RETOLD) else line)
    return lines


# --- objects ----------------------------------------------------------------------------------------------------


def brief(obj: Item) -> Item:
    """The parts of an object that the recordings have of every one."""
    metadata = obj["metadata"]
    return {
        "labels": metadata.get("labels"),
        "annotations": metadata.get("annotations"),
        "owner": [f"{ref['kind']}/{ref['name']}" for ref in metadata.get("ownerReferences") or []],
        "nodeName": (obj.get("spec") or {}).get("nodeName"),
        "status": obj.get("status"),
    }


def end_state(kind: str, state: Flat) -> str:
    """Status, labels and annotations as one line; empty values and zeros say nothing."""
    lines: Counter[str] = Counter()
    for path, value in state.items():
        if not END_PARTS.match(path) or normal.is_volatile(kind, path) or value in (None, {}, [], 0, ""):
            continue
        if kind.startswith("Endpoint"):
            path = re.sub(r"\[\d+\]", "[]", path)  # Lists of equals: counted.
        lines[_fact(path, value)] += 1
    return "; ".join(sorted(line if count == 1 else f"{count} x {line}" for line, count in lines.items()))


def _fact(path: str, value: Any) -> str:
    return f"{_path(path)}={words(value if isinstance(value, str) else orjson.dumps(value).decode())}"


def _path(path: str) -> str:
    return words(path)


def _is_chance(kind: str, path: str) -> bool:
    return normal.is_volatile(kind, path) or path == "spec.nodeName" or "kube-api-access" in path
