"""A pod's glyph on the map, and what stands beside it, say what kubectl says."""

import pytest

from dashboard.rows import label, node_row, pod_row


def a_pod_that(phase: str = "Running", ready: bool = True, node: str = "worker-1", **container_state: dict) -> dict:
    status = {
        "phase": phase,
        "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        "containerStatuses": [{"ready": ready, "restartCount": 2, "state": container_state}],
    }
    spec = {"containers": [{"name": "a", "resources": {"requests": {"cpu": "250m", "memory": "64Mi"}}}]}
    metadata = {"name": "web-abc12-x", "namespace": "shop"}
    return {
        "kind": "Pod",
        "metadata": metadata,
        "spec": spec | ({"nodeName": node} if node else {}),
        "status": status,
    }


@pytest.mark.parametrize(
    ("pod", "state", "status"),
    [
        (a_pod_that(running={}), "run", "Running"),
        (a_pod_that(ready=False, running={}), "notready", "Running"),
        (
            a_pod_that("Pending", ready=False, waiting={"reason": "ContainerCreating"}),
            "creating",
            "ContainerCreating",
        ),
        (a_pod_that("Pending", ready=False, node=""), "pending", "Pending"),
        (a_pod_that(ready=False, waiting={"reason": "CrashLoopBackOff"}), "fail", "CrashLoopBackOff"),
        (
            a_pod_that("Pending", ready=False, waiting={"reason": "ImagePullBackOff"}),
            "fail",
            "ImagePullBackOff",
        ),
        (a_pod_that("Succeeded", ready=False, terminated={"reason": "Completed"}), "done", "Completed"),
        (a_pod_that("Failed", ready=False, terminated={"reason": "Error"}), "fail", "Error"),
    ],
)
def test_a_pods_state_follows_from_its_status(pod, state, status):
    row = pod_row(pod)

    assert (row["s"], row["t"]) == (state, status)


def test_a_deleted_pod_is_terminating_whatever_its_phase():
    pod = a_pod_that(running={})
    pod["metadata"]["deletionTimestamp"] = "2026-11-24T02:20:00Z"

    row = pod_row(pod)

    assert (row["s"], row["t"]) == ("term", "Terminating")


def test_a_pod_whose_init_container_crashes_has_failed_and_says_where():
    pod = a_pod_that("Pending", ready=False, waiting={"reason": "PodInitializing"})
    pod["spec"]["initContainers"] = [{"name": "first"}]
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    pod["status"]["initContainerStatuses"] = [{"name": "first", "restartCount": 4, "state": waiting}]

    row = pod_row(pod)

    assert (row["s"], row["t"], row["x"]) == ("fail", "Init:CrashLoopBackOff", 4)


def test_a_pods_row_counts_what_it_requests():
    row = pod_row(a_pod_that(running={}))

    assert row["k"] == "shop/web-abc12-x"
    assert (row["c"], row["m"], row["r"], row["x"]) == (250, 64, "1/1", 2)


def test_a_node_without_power_may_still_be_ready_for_the_cluster():
    ready = [{"type": "Ready", "status": "True"}]
    node = {"kind": "Node", "metadata": {"name": "worker-1"}, "spec": {}, "status": {"conditions": ready}}

    row = node_row(node, powered=False, beat=40_000_000)

    assert (row["s"], row["p"], row["b"]) == ("Ready", False, 40_000_000)


def test_the_write_that_gives_a_pod_its_node_is_called_bind():
    pod = a_pod_that(running={})

    assert label("Pod", "update", "kube-scheduler", pod, False) == "bind"
    assert label("Pod", "update", "kubelet/worker-1", pod, True) == "status"
