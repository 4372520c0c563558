"""Annotations that script a pod, and the laboratory."""

import pytest

from cluster.kubelet import scripts
from cluster.objects import meta
from tests.cluster.kubelet.cases import a_bound_pod, a_machine_room, container, phase, writes_of

SCRIPT = "orrery.dev/script"
# A Job that another controller than ours manages: its pods are ours to make.
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "work"},
    "spec": {
        "managedBy": "example.com/nobody",
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "busybox"}]}},
    },
}


def test_a_held_pod_stays_pending_and_can_be_deleted():
    cluster = a_machine_room().with_objects(a_bound_pod("web", annotations={SCRIPT: "hold"})).run_for(600)

    assert phase(cluster, "web") == "Pending"
    assert container(cluster, "web")["state"]["waiting"]["reason"] == "ContainerCreating"

    cluster.delete(cluster.get("Pod", "web"))
    cluster.run_for(1)
    assert phase(cluster, "web") == "gone"


def test_a_scripted_pod_exits_as_told():
    pod = a_bound_pod("web", annotations={SCRIPT: "exit 7 after 30s"}, restartPolicy="Never")

    cluster = a_machine_room().with_objects(pod).run_for(20)
    assert phase(cluster, "web") == "Running"

    cluster.run_for(30)
    assert phase(cluster, "web") == "Failed"
    assert container(cluster, "web")["state"]["terminated"]["exitCode"] == 7


def test_a_script_can_be_for_one_container_only():
    pod = a_bound_pod("web", annotations={f"{SCRIPT}.app": "exit 1 after 1s"})
    pod["spec"]["containers"].append({"name": "side", "image": "nginx:1.27"})

    cluster = a_machine_room().with_objects(pod).run_for(30)

    assert container(cluster, "web", 0)["restartCount"] > 0
    assert container(cluster, "web", 1)["restartCount"] == 0


def test_a_container_that_would_end_can_be_kept_running():
    pod = a_bound_pod("web", "busybox", command=["false"], annotations={SCRIPT: "keep-running"})

    cluster = a_machine_room().with_objects(pod).run_for(60)

    assert container(cluster, "web")["restartCount"] == 0


def test_nonsense_in_the_annotation_is_named():
    cluster = a_machine_room().with_objects(a_bound_pod("web", annotations={SCRIPT: "dance"})).run_for(10)

    message = container(cluster, "web")["state"]["waiting"]["message"]

    assert message.startswith('annotation orrery.dev/script: "dance" is not one of: hold, keep-running')


@pytest.mark.parametrize("text", ["exit", "exit 256", "exit 1 after", "exit -1", "exit 1 after 5", "run"])
def test_what_is_no_script(text: str):
    with pytest.raises(scripts.ScriptError):
        scripts.parse(SCRIPT, text)


@pytest.mark.parametrize(
    ("annotations", "owner", "ends"),
    [
        ({}, None, "Running"),
        ({"lab/fail": "1"}, None, "Failed"),
        ({}, JOB, "Succeeded"),
        ({"lab/keep-running": "1"}, JOB, "Running"),
        ({"lab/fail": "1"}, JOB, "Failed"),
        ({"lab/hold": "1"}, None, "Pending"),
    ],
)
def test_in_a_laboratory_pods_do_as_in_the_recordings(annotations: dict, owner: dict | None, ends: str):
    pod = a_bound_pod("work", "busybox", annotations=annotations, restartPolicy="Never")
    room = a_machine_room(lab=True)
    if owner:
        pod["metadata"]["ownerReferences"] = [meta.owner_reference(room.create(owner))]

    cluster = room.with_objects(pod).run_for(3)

    assert phase(cluster, "work") == ends


def test_in_a_laboratory_the_kubelet_is_as_terse_as_the_recordings_was():
    cluster = a_machine_room(lab=True).with_objects(a_bound_pod("web")).run_for(5)

    cluster.delete(cluster.get("Pod", "web"))
    cluster.run_for(1)

    assert writes_of(cluster, "web") == ["create", "update", "update", "update", "delete"]


def test_elsewhere_the_recordings_annotations_mean_nothing():
    cluster = a_machine_room().with_objects(a_bound_pod("web", annotations={"lab/hold": "1"})).run_for(10)

    assert phase(cluster, "web") == "Running"


def test_one_container_can_be_held_while_the_others_run():
    pod = a_bound_pod("web", annotations={f"{SCRIPT}.app": "hold"})
    pod["spec"]["containers"].append({"name": "side", "image": "nginx:1.27"})

    cluster = a_machine_room().with_objects(pod).run_for(30)

    assert "waiting" in container(cluster, "web", 0)["state"]
    assert "running" in container(cluster, "web", 1)["state"]
    assert phase(cluster, "web") == "Pending"
