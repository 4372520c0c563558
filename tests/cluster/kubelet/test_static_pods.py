"""What a kubelet runs from files on its own disk, and what the API server sees of it."""

import re

import pytest

from cluster.objects import Manifest, meta
from tests.builders import Refused, TestCluster, a_pod
from tests.cluster.kubelet.cases import a_bound_pod, a_machine_room, container, phase, reasons, uid

WEB = """
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web}
spec:
  containers:
  - name: app
    image: nginx:1.27
"""
MIRROR, HASH = "kubernetes.io/config.mirror", "kubernetes.io/config.hash"


def put(cluster: TestCluster, text: str = WEB, file: str = "web.yaml", node: str = "worker-1") -> Manifest:
    return cluster.act("static-pod", node=node, op="add", file=file, text=text)


def remove(cluster: TestCluster, file: str = "web.yaml", node: str = "worker-1") -> Manifest:
    return cluster.act("static-pod", node=node, op="remove", file=file)


def a_static_pod(text: str = WEB, **options) -> TestCluster:
    """One machine with a static pod that runs."""
    cluster = a_machine_room(**options)
    put(cluster, text)
    return cluster.run_until(lambda c: c.get("Pod", "web-worker-1") and phase(c, "web-worker-1") == "Running", 120)


def containers(cluster: TestCluster, pod: str = "web-worker-1") -> list[Manifest]:
    """The records of the containers that run under a pod's name."""
    records = cluster.world.cells["containers"].data.values()
    mine = [record for record in records if "program" in record and record["pod"] == pod]
    return [record for record in mine if record["started"] is not None and record["ended"] is None]


def test_a_manifest_on_a_machine_s_disk_runs_as_a_pod_with_the_node_s_name():
    cluster = a_static_pod()

    pod = cluster.get("Pod", "web-worker-1")
    assert pod is not None
    assert (pod["spec"]["nodeName"], meta.labels(pod)) == ("worker-1", {"app": "web"})
    assert container(cluster, "web-worker-1")["ready"] is True
    assert reasons(cluster, "web-worker-1") == ["Pulling", "Pulled", "Created", "Started"]


def test_its_mirror_says_where_it_comes_from_and_belongs_to_the_node():
    cluster = a_static_pod()

    pod, node = cluster.get("Pod", "web-worker-1"), cluster.get("Node", "worker-1")
    assert pod is not None
    annotations = pod["metadata"]["annotations"]
    assert annotations["kubernetes.io/config.source"] == "file"
    assert re.fullmatch(r"[0-9a-f]{32}", annotations[HASH])
    assert annotations[MIRROR] == annotations[HASH]
    assert re.fullmatch(r"2026-11-24T01:4[0-9:.]+Z", annotations["kubernetes.io/config.seen"])
    owner = {"apiVersion": "v1", "kind": "Node", "name": "worker-1", "uid": node["metadata"]["uid"], "controller": True}
    assert pod["metadata"]["ownerReferences"] == [owner]
    assert pod["spec"]["tolerations"] == [{"operator": "Exists", "effect": "NoExecute"}]
    assert "serviceAccountName" not in pod["spec"]
    assert "volumes" not in pod["spec"]
    assert pod["metadata"]["uid"] != annotations[HASH]


def test_events_name_the_static_pod_and_not_its_mirror():
    cluster = a_static_pod()

    pod = cluster.get("Pod", "web-worker-1")
    assert pod is not None
    involved = {e["involvedObject"]["uid"] for e in cluster.events() if e["involvedObject"]["name"] == "web-worker-1"}
    assert involved == {pod["metadata"]["annotations"][HASH]}


def test_who_deletes_the_mirror_ends_nothing_and_the_kubelet_makes_it_again():
    cluster = a_static_pod()
    before, started = uid(cluster, "web-worker-1"), containers(cluster)[0]["id"]

    cluster.delete(a_pod("web-worker-1"))
    cluster.run_for(2)

    assert uid(cluster, "web-worker-1") != before
    assert [each["id"] for each in containers(cluster)] == [started]
    assert phase(cluster, "web-worker-1") == "Running"
    assert container(cluster, "web-worker-1")["containerID"].endswith(started)


def test_without_its_file_the_pod_ends_as_any_other_and_its_mirror_goes_after_that():
    cluster = a_static_pod(WEB.replace("nginx:1.27", "busybox:1.36\n    command: [sleep, '9999']"))

    remove(cluster)
    cluster.run_for(20)
    assert phase(cluster, "web-worker-1") == "Running"
    cluster.run_for(15)

    assert (phase(cluster, "web-worker-1"), containers(cluster)) == ("gone", [])
    assert reasons(cluster, "web-worker-1")[-1] == "Killing"
    assert not [key for key in cluster.world.cells["containers"] if not key.startswith("-")]


def test_a_changed_manifest_is_another_pod_which_begins_when_the_old_one_has_ended():
    cluster = a_static_pod()
    old, mirror = containers(cluster)[0], uid(cluster, "web-worker-1")

    put(cluster, WEB.replace("nginx:1.27", "nginx:1.28"))
    cluster.run_for(60)

    (new,) = containers(cluster)
    pod = cluster.get("Pod", "web-worker-1")
    assert new["uid"] != old["uid"]
    assert new["image"] == "nginx:1.28"
    assert pod["metadata"]["uid"] != mirror
    assert pod["metadata"]["annotations"][HASH] == new["uid"]
    assert pod["spec"]["containers"][0]["image"] == "nginx:1.28"


def test_a_file_that_is_taken_back_and_put_again_before_its_pod_has_ended_starts_it_anew():
    cluster = a_static_pod(WEB.replace("nginx:1.27", "busybox:1.36\n    command: [sleep, '9999']"))
    old = containers(cluster)[0]

    remove(cluster)
    cluster.run_for(5)
    put(cluster, WEB.replace("nginx:1.27", "busybox:1.36\n    command: [sleep, '9999']"))
    cluster.run_for(60)

    (new,) = containers(cluster)
    assert new["uid"] == old["uid"]
    assert new["started"] > old["started"] + 30_000_000
    assert phase(cluster, "web-worker-1") == "Running"


REFUSALS = {
    "a service account": ("  serviceAccountName: default\n", "static pods may not reference serviceaccounts"),
    "a secret": ("  volumes: [{name: s, secret: {secretName: a}}]\n", "static pods may not reference secrets"),
    "a config map": (
        "    envFrom: [{configMapRef: {name: a}}]\n", "static pods may not reference configmaps"),
    "a claim": (
        "  volumes: [{name: v, persistentVolumeClaim: {claimName: a}}]\n",
        "static pods may not reference persistentvolumeclaims"),
    "a token": (
        "  volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t}}]}}]\n",
        "static pods may not reference serviceaccounts (via projected volumes)"),
    "a rule broken": (
        "  restartPolicy: Sometimes\n",
        'invalid pod: [spec.restartPolicy: Unsupported value: "Sometimes": supported values: '
        '"Always", "OnFailure", "Never"]'),
}  # fmt: skip


@pytest.mark.parametrize("more", REFUSALS.values(), ids=REFUSALS)
def test_a_kubelet_refuses_what_could_not_run_without_an_api_server(more: tuple[str, str]):
    cluster = a_machine_room()

    answer = put(cluster, WEB + more[0])
    cluster.run_for(30)

    assert answer["refused"] == more[1]
    assert phase(cluster, "web-worker-1") == "gone"
    assert containers(cluster) == []


def test_a_file_that_is_no_pod_is_refused_in_the_kubelet_s_words():
    cluster = a_machine_room()
    path, rest = "/etc/kubernetes/manifests/web.yaml", "please check config file"

    for text, problem in (
        ("kind: Pod\n", "Object 'apiVersion' is missing in '{\"kind\":\"Pod\"}'"),
        ("apiVersion: apps/v1\nkind: Deployment\n", "invalid pod: a Deployment"),
        (
            "apiVersion: v9\nkind: Podd\n",
            'no kind "Podd" is registered for version "v9" in scheme "pkg/api/legacyscheme/scheme.go:30"',
        ),
    ):
        assert put(cluster, text)["refused"] == f"{path}: couldn't parse as pod({problem}), {rest}"
    assert put(cluster, WEB.replace("  name: web\n", ""))["refused"] == "invalid pod: name is needed for the pod"


def test_a_namespace_that_can_be_none_is_refused():
    cluster = a_machine_room()
    for namespace in ("a/b", "Bad_NS"):
        refused = put(cluster, WEB.replace("name: web", f"name: web\n  namespace: {namespace}"))["refused"]
        said = f'invalid pod: [metadata.namespace: Invalid value: "{namespace}": a lowercase RFC 1123 label'
        assert refused.startswith(said)
    cluster.run_for(5)
    assert containers(cluster) == []


@pytest.mark.parametrize("given", ["a/b/c", "../../x|y", "same"])
def test_whatever_uid_a_manifest_gives_its_pod_has_one_of_its_own_on_each_machine(given: str):
    cluster = a_machine_room(nodes=2)
    for node in ("worker-1", "worker-2"):
        put(cluster, WEB.replace("name: web", f"name: web\n  uid: {given}"), node=node)
    cluster.run_for(30)

    uids = [containers(cluster, f"web-{node}")[0]["uid"] for node in ("worker-1", "worker-2")]
    assert len(set(uids)) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in uids)


def test_a_manifest_that_was_written_out_of_a_pod_that_was_ending_runs():
    """Who saves `kubectl get -o yaml` of such a pod has a time of its deletion in the file."""
    cluster = a_static_pod(WEB.replace("name: web", 'name: web\n  deletionTimestamp: "2026-01-01T00:00:00Z"'))

    assert len(containers(cluster)) == 1
    assert meta.is_deleting(cluster.get("Pod", "web-worker-1")) is False


def test_hidden_files_and_paths_are_no_manifests():
    cluster = a_machine_room()

    for name in (".web.yaml", "../web.yaml", "a/b.yaml", ""):
        with pytest.raises(Refused) as refused:
            put(cluster, file=name)
        assert refused.value.status == 400


def test_a_broken_manifest_ends_the_pod_that_the_file_asked_for_before():
    cluster = a_static_pod()

    put(cluster, "kind: [")
    cluster.run_for(40)

    assert (phase(cluster, "web-worker-1"), containers(cluster)) == ("gone", [])


def lose_etcd(cluster: TestCluster) -> None:
    for member in ("etcd-1", "etcd-2"):
        cluster.act("etcd", op="stop", member=member)
    cluster.run_for(2)
    assert not cluster.world.etcd.writable


def test_static_pods_start_restart_and_end_while_the_api_server_can_store_nothing():
    cluster = a_machine_room()
    lose_etcd(cluster)

    put(cluster, WEB)
    put(cluster, WEB.replace("name: web", "name: dies").replace("nginx:1.27", "orrery/crasher"), "dies.yaml")
    cluster.run_for(120)

    assert len(containers(cluster)) == 1
    assert phase(cluster, "web-worker-1") == "gone"
    records = [r for r in cluster.world.cells["containers"].data.values() if r["pod"] == "dies-worker-1"]
    assert max(record.get("attempt", 0) for record in records) >= 2

    remove(cluster)
    cluster.run_for(60)
    assert containers(cluster) == []


def test_their_mirrors_come_when_the_api_server_answers_again():
    cluster = a_machine_room()
    lose_etcd(cluster)
    put(cluster, WEB)
    cluster.run_for(60)

    cluster.act("etcd", op="start", member="etcd-1")
    cluster.run_for(130)

    assert phase(cluster, "web-worker-1") == "Running"


def test_nobody_has_to_schedule_them():
    cluster = a_machine_room()
    cluster.act("component-stop", component="kube-scheduler/1")
    cluster.act("component-stop", component="kube-controller-manager/1")

    put(cluster)
    cluster.run_for(60)

    assert phase(cluster, "web-worker-1") == "Running"


def test_a_machine_that_comes_back_runs_them_again_and_reads_its_disk_first():
    cluster = a_static_pod()
    put(cluster, WEB.replace("name: web", "name: other"), "other.yaml")
    cluster.run_for(30)

    cluster.power_off("worker-1")
    remove(cluster, "other.yaml")
    cluster.run_for(5)
    cluster.power_on("worker-1")
    cluster.run_for(60)

    assert container(cluster, "web-worker-1")["restartCount"] == 1
    assert len(containers(cluster)) == 1
    assert phase(cluster, "other-worker-1") == "gone"


def test_a_machine_s_first_boot_registers_the_node_and_then_shows_what_runs():
    cluster = a_machine_room()
    cluster.power_off("worker-1")
    put(cluster)
    cluster.run_for(1)
    cluster.request("DELETE", "/api/v1/nodes/worker-1")
    cluster.power_on("worker-1")
    cluster.run_for(60)

    assert phase(cluster, "web-worker-1") == "Running"


def test_a_removed_machine_takes_its_disk_along():
    cluster = a_static_pod()

    cluster.act("node-remove", node="worker-1")
    cluster.act("node-add", name="worker-1")
    cluster.run_for(60)

    assert phase(cluster, "web-worker-1") == "gone"
    assert containers(cluster) == []


def test_a_static_pod_whose_node_nobody_hears_of_stays():
    cluster = a_static_pod()

    cluster.act("component-stop", component="kube-scheduler/1")
    cluster.power_off("worker-1")
    cluster.run_for(500)

    pod = cluster.get("Pod", "web-worker-1")
    assert pod is not None
    assert not meta.is_deleting(pod)


def test_a_priority_class_is_worked_out_for_the_mirror():
    cluster = a_static_pod(WEB + "  priorityClassName: system-node-critical\n")

    assert cluster.get("Pod", "web-worker-1")["spec"]["priority"] == 2_000_001_000


def test_a_kubelet_deletes_a_mirror_that_somebody_else_made_up():
    cluster = a_machine_room()
    fake = a_bound_pod("fake", annotations={MIRROR: "abc"})

    cluster.create(fake)
    cluster.run_for(2)

    assert phase(cluster, "fake") == "gone"


NODE = ("system:node:worker-1", "system:nodes")


def a_mirror(cluster: TestCluster, **owner) -> Manifest:
    node = cluster.get("Node", "worker-1")
    reference = {"apiVersion": "v1", "kind": "Node", "name": "worker-1", "uid": meta.uid(node), "controller": True}
    pod = a_bound_pod("mine", annotations={MIRROR: "abc"})
    pod["metadata"]["ownerReferences"] = [{**reference, **owner}]
    return pod


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"uid": "other"}, "node worker-1 UID mismatch: expected other got"),
        ({"name": "worker-2"}, 'node "worker-1" can only create pods with an owner reference set to itself'),
        ({"controller": False}, "can only create pods with a controller owner reference set to itself"),
        ({"blockOwnerDeletion": True}, "must not set blockOwnerDeletion on an owner reference"),
    ],
)
def test_a_node_makes_mirrors_of_its_own_pods_only(change: Manifest, problem: str):
    cluster = a_machine_room(2)

    with pytest.raises(Refused) as refused:
        cluster.acting_as(*NODE).create(a_mirror(cluster, **change))

    assert refused.value.status == 403
    assert problem in str(refused.value)


def test_a_static_pod_and_its_mirror_survive_the_world_s_process():
    cluster = a_static_pod()
    put(cluster, WEB.replace("nginx:1.27", "nginx:1.28"))
    world = cluster.world
    for _ in range(40):
        fork = world.fork()
        assert fork.dump() == world.dump()
        world.step()
        fork.step()
        assert fork.dump() == world.dump()
        world.commit()


def test_its_pod_counts_against_what_the_node_can_take():
    text = WEB + "    resources: {requests: {cpu: 3500m}}\n"
    cluster = a_static_pod(text)

    cluster.create(a_bound_pod("late", resources={"requests": {"cpu": "1"}}))
    cluster.run_for(5)

    assert cluster.get("Pod", "late")["status"]["reason"] == "OutOfcpu"


def test_why_a_mirror_is_there_leads_to_the_file():
    cluster = a_static_pod()

    links = cluster.why("Pod", "web-worker-1")["chain"]
    assert "A manifest was written on the disk of worker-1." in [link["text"] for link in links]
