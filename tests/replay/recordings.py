"""The recordings of a real control plane that this folder replays: tests/golden/scenarios, by name."""

from pathlib import Path

import orjson

from tests.replay.tracing import Item

FOLDER = Path(__file__).parents[1] / "golden" / "scenarios"


def names() -> list[str]:
    """Recordings that are traces; the others (placement-*, unschedulable-*) are the scheduler tests'."""
    return sorted(path.stem for path in FOLDER.glob("*.json") if b'"trace"' in path.read_bytes())


def load(name: str) -> list[Item]:
    """The trace of a recording, steps and changes in their order."""
    return orjson.loads((FOLDER / f"{name}.json").read_bytes())["trace"]  # type: ignore[no-any-return]
