"""A recorded session of a real kubectl on a real control plane, run again: the same words, the same exit codes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kubectl.outputs import differences
from tests.kubectl.transcript import Session, played
from tests.serving.installation import Installation

# Commands whose output differs, and why. docs/fidelity.md says the same.
DIFFERENT: dict[str, str] = {}


@pytest.mark.timeout(900)
def test_a_recorded_session_of_kubectl_reads_the_same(
    installed: Callable[..., Installation], tmp_path: Path, subtests: Any
) -> None:
    session = Session(installed(WORKERS="1", ORRERY_LAB="1"), tmp_path)
    compared, equal = 0, 0
    for step in played(session):
        if step.skipped:
            continue
        compared += 1
        equal += not step.differences
        if step.command in DIFFERENT:
            continue
        with subtests.test(step.command):
            assert not step.differences, "\n".join(step.differences)
    assert compared >= 235
    assert equal / compared >= 0.95


def test_another_word_another_exit_and_another_event_are_noticed() -> None:
    recorded = "deployment.apps/web created\n"

    assert differences("kubectl apply", recorded, recorded, "n") == []
    assert differences("kubectl apply", recorded, "deployment.apps/web configured\n", "n") != []
    assert differences("kubectl events", "3s Normal Pulled pod/x here\n", "9s Normal Pulled pod/x here\n", "n") == []
    assert differences("kubectl events", "3s Normal Pulled pod/x here\n", "", "n") != []
