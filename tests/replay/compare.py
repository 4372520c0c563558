"""Two traces of one scenario: are they the same story? Differences come as lines that name the object.

phase 2, changes of Pod/web-<hash>-<suffix>
    recorded  3 x  added by ReplicaSet/web-<hash> > spec.nodeName=w-<n> > …
    ours      2 x  added by …
"""

from collections import Counter

from tests.replay.story import Story, phases, seen_late, tell
from tests.replay.tracing import Item

Differences = list[str]


def differences(recorded: list[Item], ours: list[Item]) -> Differences:
    """Everything in which `ours` is not as `recorded`; empty: they are the same story."""
    numbers = phases(recorded)
    late = seen_late(recorded)
    want = tell(recorded, numbers, late=late)
    whole = {name for name in want if name.startswith("as made")}
    got = tell(ours, numbers, whole, late)
    return [line for name in sorted({*want, *got}) for line in _compared(name, want, got)]


def _compared(name: str, want: Story, got: Story) -> Differences:
    there, here = want.get(name, Counter()), got.get(name, Counter())
    lines = [f"    recorded {count} x  {text}" for text, count in sorted((there - here).items())]
    if not name.startswith("as made"):  # The recording has the first of a kind whole, ours all of them.
        lines += [f"    ours     {count} x  {text}" for text, count in sorted((here - there).items())]
    return ["\n".join([name, *lines])] if lines else []
