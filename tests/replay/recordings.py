"""The recordings of a real control plane that this folder replays: tests/golden/scenarios, by name."""

from pathlib import Path

import orjson

from tests.replay.tracing import Item

FOLDER = Path(__file__).parents[1] / "golden" / "scenarios"


# Traces without steps that could be taken: test_fresh_cluster.py has tests of their own.
WITHOUT_STEPS = ("leases-and-bootstrap", "node-registered-no-kubelet")


def names() -> list[str]:
    """Recordings that are traces; the others (placement-*, unschedulable-*) are the scheduler tests'."""
    traces = (path.stem for path in FOLDER.glob("*.json") if b'"trace"' in path.read_bytes())
    return sorted(name for name in traces if name not in WITHOUT_STEPS)


def load(name: str) -> list[Item]:
    """The trace of a recording, steps and changes in their order."""
    return orjson.loads((FOLDER / f"{name}.json").read_bytes())["trace"]  # type: ignore[no-any-return]
