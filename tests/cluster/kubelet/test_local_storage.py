"""A pod that writes more than it may is evicted."""

from cluster.objects import Manifest
from tests.builders import TestCluster
from tests.cluster.kubelet.cases import a_bound_pod, a_machine_room, a_script, container, phase, said

WRITES = "seq 1 30000 > {path}; sleep 3600"  # 168,894 bytes: 168Ki in whole blocks.


def a_writer(path: str, volume: dict | None = None, limit: str = "", **more) -> Manifest:
    """A pod that writes a file. `volume`: what is mounted at /data; `limit`: on its ephemeral storage."""
    pod = a_bound_pod("writer", **a_script(WRITES.format(path=path)), **more)
    app = pod["spec"]["containers"][0]
    if volume is not None:
        pod["spec"]["volumes"] = [{"name": "data", "emptyDir": volume}]
        app["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    if limit:
        app["resources"] = {"limits": {"ephemeral-storage": limit}}
    return pod


def after(pod: Manifest, seconds: float = 30) -> TestCluster:
    cluster = a_machine_room()
    cluster.create(pod)
    return cluster.run_for(seconds)


def end_of(cluster: TestCluster) -> tuple[str, str]:
    status = cluster.get("Pod", "writer")["status"]
    return status["reason"], status["message"]


def test_a_volume_that_grows_beyond_its_limit_ends_the_pod():
    cluster = after(a_writer("/data/big", {"sizeLimit": "128Ki"}))

    assert phase(cluster, "writer") == "Failed"
    assert end_of(cluster) == ("Evicted", 'Usage of EmptyDir volume "data" exceeds the limit "128Ki". ')
    assert ("Evicted", end_of(cluster)[1]) in said(cluster, "writer")


def test_who_exceeds_its_own_limit_is_not_a_target_of_disruption():
    cluster = after(a_writer("/data/big", {"sizeLimit": "128Ki"}))

    types = [condition["type"] for condition in cluster.get("Pod", "writer")["status"]["conditions"]]

    assert "DisruptionTarget" not in types


def test_a_volume_within_its_limit_is_left_alone():
    cluster = after(a_writer("/data/big", {"sizeLimit": "200Ki"}))

    assert phase(cluster, "writer") == "Running"


def test_a_container_that_writes_more_beside_its_volumes_than_it_may_ends_the_pod():
    pod = a_writer("/tmp/big", limit="128Ki")
    roomy = {"limits": {"ephemeral-storage": "1Gi"}}
    pod["spec"]["containers"].append({"name": "side", "image": "nginx:1.27", "resources": roomy})

    cluster = after(pod)

    assert end_of(cluster) == ("Evicted", 'Container app exceeded its local ephemeral storage limit "128Ki". ')


def test_volumes_count_for_the_pod_as_a_whole():
    cluster = after(a_writer("/data/big", {}, limit="128Ki"))

    said_so = "Pod ephemeral local storage usage exceeds the total limit of containers 128Ki. "
    assert end_of(cluster) == ("Evicted", said_so)


def test_a_pod_over_its_limit_gets_one_second():
    cluster = after(a_writer("/data/big", {"sizeLimit": "128Ki"}, terminationGracePeriodSeconds=600))

    assert container(cluster, "writer")["state"]["terminated"]["exitCode"] == 137


def test_a_container_s_log_counts_for_its_limit():
    pod = a_bound_pod("writer", **a_script("for n in $(seq 40); do seq 1 200; sleep 1; done; sleep 3600"))
    pod["spec"]["containers"][0]["resources"] = {"limits": {"ephemeral-storage": "128Ki"}}

    cluster = after(pod, 60)

    said_so = "Pod ephemeral local storage usage exceeds the total limit of containers 128Ki. "
    assert end_of(cluster) == ("Evicted", said_so)
