"""A recorded session of a real kubectl on a real control plane, run again: the same words, the same exit codes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kubectl.outputs import differences
from tests.kubectl.transcript import Session, played
from tests.serving.installation import Installation

# Commands whose output differs, and why. docs/fidelity.md says the same.
DIFFERENT = {
    "kubectl auth whoami": "the recorder's token gave a uid; our certificate gives its fingerprint",
    "kubectl --token=bad get pods": "a client certificate is looked at first, in a real cluster, too",
    "kubectl describe node w-1": "KWOK has its conditions in another order, and a condition of the cloud's routes",
    """kubectl patch pod solo -p '{"spec":{"nodeName":"x"}}'""": "ends in a difference of Go's internal structs",
}


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
            assert step.differences, f"{step.command} is equal now: strike it off the list"
            continue
        with subtests.test(step.command):
            assert not step.differences, "\n".join(step.differences)
    assert compared >= 235
    assert equal / compared >= 0.95


def test_another_word_another_exit_and_another_event_are_noticed() -> None:
    recorded = "deployment.apps/web created\n"

    assert differences("kubectl apply", recorded, recorded, "n") == []
    assert differences("kubectl apply", recorded, "deployment.apps/web configured\n", "n") != []
    assert differences("kubectl events", "3s Normal Scheduled pod/x w\n", "9s Normal Scheduled pod/x w\n", "n") == []
    assert differences("kubectl events", "3s Normal Scheduled pod/x w\n", "", "n") != []
    deleted = 'cronjob.batch "c2" deleted\n'
    run = deleted + 'job.batch "c2-29340125" deleted\n'
    assert differences("kubectl delete all --all", deleted, run, "n") == []  # A fifth minute had just come.
    assert differences("kubectl delete all --all", deleted, deleted + 'job.batch "j2" deleted\n', "n") != []
