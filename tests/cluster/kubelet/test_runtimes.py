"""Runtimes behind CRI: chosen by machine, told apart from outside, and stopped while the kubelet goes on."""

import pytest

from cluster.objects import meta
from tests.builders import Refused, TestCluster, a_deployment
from tests.cluster.kubelet.cases import a_bound_pod, a_machine_room, a_script, condition, container, phase, said

RUNTIMES = {
    "containerd": ("containerd://", "docker.io/library/nginx@sha256:", "failed to resolve reference"),
    "cri-o": ("cri-o://", "docker.io/library/nginx@sha256:", "reading manifest no.such.tag in docker.io/library/nginx"),
    "docker": ("docker://", "docker-pullable://docker.io/library/nginx@sha256:", "manifest for nginx:no.such.tag not"),
    "rkt": ("rkt://", "docker.io/library/nginx@sha256:", "failed to fetch image docker://nginx:no.such.tag"),
}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_pod_s_status_tells_which_runtime_its_machine_has(runtime):
    prefix, image_id, words = RUNTIMES[runtime]
    cluster = a_machine_room(nodes=[{"name": "worker-1", "runtime": runtime}])
    cluster.with_objects(a_bound_pod("web"), a_bound_pod("bad", "nginx:no.such.tag")).run_for(15)

    status = container(cluster, "web")

    assert cluster.get("Node", "worker-1")["status"]["nodeInfo"]["containerRuntimeVersion"].startswith(prefix)
    assert status["containerID"].startswith(prefix)
    assert status["imageID"].startswith(image_id)
    assert any(words in message for _, message in said(cluster, "bad"))


@pytest.mark.parametrize("runtime", ["podman", ["containerd"], {"name": "docker"}])
def test_a_runtime_that_nobody_makes_is_refused(runtime):
    cluster = a_machine_room()

    with pytest.raises(Refused, match="it must be one of: containerd, cri-o, docker, rkt"):
        cluster.act("node-add", name="odd", runtime=runtime)

    assert cluster.get("Node", "odd") is None


def test_containers_outlive_their_runtime_but_nothing_new_starts():
    cluster = a_machine_room().with_objects(a_bound_pod("old")).run_for(10)

    cluster.act("runtime", node="worker-1", op="stop")
    cluster.create(a_bound_pod("new"))
    cluster.run_for(20)

    assert condition(cluster.get("Node", "worker-1"), "Ready")["status"] == "True"  # It takes 30 seconds to notice.
    assert (phase(cluster, "old"), phase(cluster, "new")) == ("Running", "Pending")

    cluster.run_for(25)

    ready = condition(cluster.get("Node", "worker-1"), "Ready")
    assert (ready["status"], ready["reason"], ready["message"]) == (
        "False", "KubeletNotReady", "container runtime is down",
    )  # fmt: skip
    assert ("NodeNotReady", "Node worker-1 status is now: NodeNotReady") in said(cluster, "worker-1")
    assert (phase(cluster, "old"), phase(cluster, "new")) == ("Running", "Pending")


def test_a_report_soon_after_the_stop_does_not_hide_that_the_runtime_is_down():
    cluster = a_machine_room()

    cluster.act("node-add", name="late")
    cluster.act("runtime", node="late", op="stop")  # Its pod address range comes in a moment: news to report.
    cluster.run_for(60)

    assert condition(cluster.get("Node", "late"), "Ready")["message"] == "container runtime is down"


def test_after_three_minutes_the_pod_lifecycle_events_are_missed_too():
    cluster = a_machine_room()

    cluster.act("runtime", node="worker-1", op="stop")
    cluster.run_for(200)

    assert condition(cluster.get("Node", "worker-1"), "Ready")["message"] == (
        "[container runtime is down, PLEG is not healthy: pleg was last seen active 3m0s ago; threshold is 3m0s]"
    )


def test_the_kubelet_still_renews_its_lease_while_its_runtime_is_stopped():
    cluster = a_machine_room(nodes=2)

    cluster.act("runtime", node="worker-1", op="stop")
    cluster.run_for(120)

    ready = condition(cluster.get("Node", "worker-1"), "Ready")
    assert ready["status"] == "False"  # Not Unknown: somebody says so.


def test_pods_move_away_from_a_stopped_runtime_and_end_when_it_is_back():
    cluster = a_machine_room(nodes=2).with_objects(a_deployment("web", replicas=4)).run_for(20)

    cluster.act("runtime", node="worker-1", op="stop")
    cluster.run_for(400)

    assert {pod["spec"]["nodeName"] for pod in cluster.pods_of("web")} == {"worker-2"}
    said = [link["text"] for link in cluster.why("Node", "worker-1", "")["chain"]]
    assert "Node worker-1: Ready is False (KubeletNotReady)." in said
    assert "The container runtime of worker-1 was stopped. Its containers go on." in said
    assert _terminating(cluster) > 0

    cluster.act("runtime", node="worker-1", op="start")
    cluster.run_for(60)

    assert condition(cluster.get("Node", "worker-1"), "Ready")["status"] == "True"
    assert _terminating(cluster) == 0


def test_what_ended_unseen_is_found_when_the_runtime_is_back():
    job = a_bound_pod("job", **a_script("sleep 20"), restartPolicy="Never")
    cluster = a_machine_room().with_objects(job).run_for(10)

    cluster.act("runtime", node="worker-1", op="stop")
    cluster.run_for(60)
    assert phase(cluster, "job") == "Running"

    cluster.act("runtime", node="worker-1", op="start")
    cluster.run_for(15)
    assert phase(cluster, "job") == "Succeeded"


def test_nobody_gets_into_a_container_whose_runtime_is_stopped():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(10)
    cluster.act("runtime", node="worker-1", op="stop")

    with pytest.raises(Refused, match=r"dial unix /run/containerd/containerd\.sock: connect: no such file"):
        cluster.act("exec", namespace="default", pod="web", command=["ls"])


def test_a_boot_starts_the_runtime_too():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(10)
    cluster.act("runtime", node="worker-1", op="stop")
    cluster.run_for(60)

    cluster.act("power-off", node="worker-1")
    cluster.act("power-on", node="worker-1")
    cluster.run_for(30)

    assert condition(cluster.get("Node", "worker-1"), "Ready")["status"] == "True"
    assert phase(cluster, "web") == "Running"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"node": "worker-9", "op": "stop"}, "there is no such machine"),
        ({"node": "worker-1", "op": "pause"}, "can't be told 'pause'; known: stop, start"),
        ({"node": "worker-1", "op": "start"}, "containerd on worker-1 is running already"),
    ],
)
def test_a_request_to_a_runtime_that_makes_no_sense_is_refused(fields, words):
    with pytest.raises(Refused, match=words):
        a_machine_room().act("runtime", **fields)


def _terminating(cluster: TestCluster) -> int:
    return sum(meta.is_deleting(pod) for pod in cluster.world.informers.list("Pod"))
