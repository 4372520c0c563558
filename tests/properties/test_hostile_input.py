"""Whatever people type, in whatever pod: the world goes on, the worker too, and nothing leaves the simulation."""

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.objects import Manifest
from cluster.runtime.live.kernel import BUG
from cluster.runtime.programs import Busybox
from cluster.runtime.programs.program import SECOND, Process
from tests.builders import Refused, TestCluster, a_cluster, a_pod
from tests.properties.hostile import ARGV, SCRIPTS, pods, watched
from tests.properties.lives import rebuilt

KUBELET = re.compile("Internal error occurred: (unable to upgrade connection|error executing command in container): ")


def attempt(act: Any, *words: Any, **more: Any) -> Any:
    """Do it; refusals are answers, and so is a kubelet's 500 for a container that is not there. None: refused."""
    try:
        return act(*words, **more)
    except Refused as refused:
        if refused.status >= 500 and not KUBELET.match(refused.body["message"]):
            raise
        return None


@settings(max_examples=400 if settings().max_examples <= 100 else 20_000)
@given(argv=ARGV, stopped=st.sampled_from((None, 0, 2, 1 << 40)), at=st.sampled_from((0, 60, 7 * 86_400, 10**10)))
def test_any_command_has_an_output_and_an_end_or_none(argv: list[str], stopped: int | None, at: int) -> None:
    process = Process("busybox", tuple(argv), {"a": "b"}, 7, 0, stopped and stopped * SECOND)

    with watched() as forbidden:
        end = Busybox(process).exit()
        printed = list(Busybox(process).lines(at * SECOND, (at + 2) * SECOND))
        Busybox(process).after_sigterm(at * SECOND)

    assert end is None or 0 <= end.code <= 255
    assert all(at * SECOND <= line.at < (at + 2) * SECOND for line in printed)
    assert forbidden == []


@given(pod=pods(), scripts=st.lists(SCRIPTS, max_size=3))
def test_no_pod_stops_the_world(pod: Manifest, scripts: list[str]) -> None:
    cluster = a_cluster(nodes=1)

    with watched() as forbidden:
        made = attempt(cluster.create, pod)
        cluster.run_for(20)
        for script in scripts if made else ():
            words = {
                "namespace": "default",
                "pod": "odd",
                "command": ["sh", "-c", script],
                "tty": False,
                "stdin": False,
            }
            attempt(cluster.act, "exec", **words)
            cluster.run_for(2)
        cluster.run_for(40)
        if made:
            read_log(cluster)
            attempt(cluster.delete, pod, gracePeriodSeconds=3)

    assert forbidden == [], pod
    printed = [each for name in ("containers", "sessions") for each in cluster.world.cells[name].data.values()]
    assert BUG not in repr(printed)
    cluster.create(a_pod("plain"))
    cluster.run_for(60)
    assert cluster.get("Pod", "plain")["status"]["phase"] == "Running"
    assert rebuilt(cluster).world.objects() == cluster.world.objects()


def read_log(cluster: TestCluster) -> None:
    """Everything its container printed so far, as `kubectl logs` asks for it."""
    for key in list(cluster.world.cells["containers"]):
        record = cluster.world.cells["containers"][key]
        if record.get("pod") == "odd" and record.get("program") == "busybox":
            process = Process("busybox", tuple(record["argv"]), record["env"], record["seed"], record["started"] or 0)
            list(Busybox(process).lines(0, cluster.world.now))
