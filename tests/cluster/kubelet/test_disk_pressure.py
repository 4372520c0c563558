"""A machine whose disk fills up frees what it can, then gives up pods; so does one that runs out of processes."""

from typing import Any

import pytest

from cluster.kubelet import server
from cluster.objects import Manifest, meta, nodes
from tests.builders import Refused, TestCluster
from tests.cluster.kubelet.cases import (
    a_bound_pod,
    a_machine_room,
    a_script,
    condition,
    container,
    phase,
    reasons,
    said,
    seconds_between,
    uid,
)  # fmt: skip

GIB = 1 << 30


def a_small_disk(storage: str = "10Gi", **machine: Any) -> TestCluster:
    """Of 10 GiB two are the system's, and below one and a half (15 %) it is short of disk."""
    return a_machine_room(nodes=[{"name": "worker-1", "storage": storage, **machine}])


def a_filler(name: str, size: str, request: str = "", **more: Any) -> Manifest:
    """A pod that takes so much of the disk in an emptyDir."""
    pod = a_bound_pod(name, **a_script(f"fallocate -l {size} /data/fill; sleep 3600"), **more)
    pod["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
    app = pod["spec"]["containers"][0]
    app["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    if request:
        app["resources"] = {"requests": {"ephemeral-storage": request}}
    return pod


def a_forker(name: str, processes: int, **more: Any) -> Manifest:
    text = f"for i in $(seq {processes}); do sleep 3600 & done; wait"
    return a_bound_pod(name, **a_script(text), **more)


def pressure(cluster: TestCluster, type_: str = "DiskPressure") -> Manifest:
    return condition(cluster.get("Node", "worker-1"), type_)


def images(cluster: TestCluster) -> list[str]:
    return sorted(cluster.world.cells["machines"]["worker-1"]["images"])


def looks(cluster: TestCluster) -> bool:
    return any(key.startswith("kubelet/worker-1|") and key.endswith("|pressure") for key in cluster.world.agenda.cells)


def test_a_pod_that_fills_the_disk_is_evicted():
    cluster = a_small_disk()
    cluster.create(a_bound_pod("quiet"))
    cluster.create(a_filler("greedy", "7000M"))

    cluster.run_for(40)

    status = cluster.get("Pod", "greedy")["status"]
    assert (phase(cluster, "quiet"), status["phase"], status["reason"]) == ("Running", "Failed", "Evicted")
    threshold = int(10 * GIB * 0.15000000596046448)
    assert status["message"].startswith(
        f"The node was low on resource: ephemeral-storage. Threshold quantity: {threshold}, available: "
    )
    assert condition(cluster.get("Pod", "greedy"), "DisruptionTarget")["reason"] == "TerminationByKubelet"
    assert ("EvictionThresholdMet", "Attempting to reclaim ephemeral-storage") in said(cluster, "worker-1")


def test_what_it_wrote_into_its_layer_is_said_of_the_container():
    cluster = a_small_disk()
    cluster.create(a_bound_pod("greedy", **a_script("dd if=/dev/zero of=/fill bs=1M count=7000; sleep 3600")))

    cluster.run_for(40)

    message = cluster.get("Pod", "greedy")["status"]["message"]
    assert "Container app was using 71680" in message
    assert message.endswith(", request is 0, has larger consumption of ephemeral-storage. ")


def test_a_node_with_a_full_disk_says_so_is_tainted_and_takes_no_pods_but_critical_ones():
    cluster = a_small_disk()
    cluster.create(a_filler("greedy", "7G"))
    cluster.run_for(40)

    found = pressure(cluster)
    assert (found["status"], found["reason"], found["message"]) == (
        "True",
        "KubeletHasDiskPressure",
        "kubelet has disk pressure",
    )
    assert "NodeHasDiskPressure" in reasons(cluster, "worker-1")
    assert {"node.kubernetes.io/disk-pressure"} == {t["key"] for t in nodes.taints(cluster.get("Node", "worker-1"))}

    asked = a_bound_pod("asked")
    asked["spec"]["containers"][0]["resources"] = {"requests": {"memory": "10Mi"}}
    cluster.create(asked)
    cluster.create(a_bound_pod("critical", priorityClassName="system-node-critical"))
    cluster.run_for(10)
    refused = cluster.get("Pod", "asked")["status"]
    assert refused["message"] == "Pod was rejected: The node had condition: [DiskPressure]. "
    assert phase(cluster, "critical") == "Running"


def test_the_disk_is_free_again_and_five_minutes_later_the_pressure_ends():
    cluster = a_small_disk()
    cluster.create(a_filler("greedy", "7G"))
    cluster.run_for(40)
    began = pressure(cluster)["lastTransitionTime"]

    cluster.run_for(330)

    found = pressure(cluster)
    assert (found["status"], found["reason"]) == ("False", "KubeletHasNoDiskPressure")
    assert 280 <= seconds_between(began, found["lastTransitionTime"]) <= 330
    assert not looks(cluster)


def test_unused_images_and_dead_containers_go_before_any_pod():
    cluster = a_small_disk("2Gi")  # A quarter is the system's; 307 MiB have to be free.
    for number, image in enumerate(("mysql:8", "nginx:1.27", "postgres:17")):
        cluster.create(a_bound_pod(f"old-{number}", image, command=["sleep", "1"], restartPolicy="Never"))
    cluster.run_for(200)
    for number in (0, 1, 2):
        assert phase(cluster, f"old-{number}") == "Succeeded"
    cluster.create(a_filler("writer", "900M"))

    cluster.run_for(30)

    assert phase(cluster, "writer") == "Running"
    assert images(cluster) == ["docker.io/library/busybox:1.36"]
    assert cluster.events("Evicted") == []
    assert pressure(cluster)["status"] == "True"
    reported = {name for image in cluster.get("Node", "worker-1")["status"]["images"] for name in image["names"]}
    assert "docker.io/library/mysql:8" not in reported


def test_the_log_of_a_container_that_was_removed_is_gone():
    cluster = a_small_disk("2Gi")
    cluster.create(a_bound_pod("old", "mysql:8", command=["sleep", "1"], restartPolicy="Never"))
    cluster.run_for(60)
    cluster.create(a_filler("writer", "1300M"))
    cluster.run_for(30)
    pod = cluster.get("Pod", "old")
    identity = container(cluster, "old")["state"]["terminated"]["containerID"]

    with pytest.raises(server.Forgotten, match=f"unable to retrieve container logs for {identity}"):
        server.choose(pod, cluster.world.cells["containers"].data.values())


def test_who_takes_more_disk_than_it_asked_for_goes_before_a_bigger_one_that_does_not():
    cluster = a_small_disk()
    cluster.create(a_filler("honest", "4G", request="5Gi"))
    cluster.create(a_filler("greedy", "3G"))

    cluster.run_for(60)

    assert (phase(cluster, "honest"), phase(cluster, "greedy")) == ("Running", "Failed")


def test_many_small_files_take_the_disk_s_inodes():
    cluster = a_small_disk(inodes=4_000)
    script = "mkdir /many; for i in $(seq 1900); do : > /many/$i; done; sleep 3600"
    for name in ("one", "two"):
        cluster.create(a_bound_pod(name, **a_script(script)))

    cluster.run_for(60)

    ended = [name for name in ("one", "two") if phase(cluster, name) == "Failed"]
    assert len(ended) == 1
    message = cluster.get("Pod", ended[0])["status"]["message"]
    assert message.startswith("The node was low on resource: inodes. Threshold quantity: 200, available: ")
    assert ("EvictionThresholdMet", "Attempting to reclaim inodes") in said(cluster, "worker-1")


def test_nobody_can_write_more_than_the_disk_has():
    cluster = a_small_disk()
    cluster.create(a_bound_pod("writer", **a_script("fallocate -l 20G /fill; echo $? > /dev/termination-log; exit 3")))

    cluster.run_for(10)

    ended = cluster.get("Pod", "writer")["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (ended["exitCode"], ended["message"]) == (3, "1")


def test_df_shows_what_the_machine_s_disk_has_left():
    cluster = a_small_disk()
    script = "df /; fallocate -l 1G /fill; df /; rm /fill; df /; sleep 3600"
    cluster.create(a_bound_pod("looker", **a_script(script)))
    cluster.run_for(10)

    text = "".join(part[2] for part in cluster.world.cells["containers"][f"{uid(cluster, 'looker')}/app/0"]["printed"])

    left = [int(line.split()[3]) for line in text.splitlines() if line.startswith("overlay")]
    assert left[0] == left[2]
    assert left[0] - left[1] == 1 << 20  # Kibibytes.
    assert "10485760" in text


def test_a_node_with_room_never_looks_at_its_disk():
    cluster = a_machine_room()
    for number in range(20):
        cluster.create(a_bound_pod(f"pod-{number}"))
    cluster.create(a_filler("writer", "7G"))

    cluster.run_for(60)

    assert not looks(cluster)


def test_images_are_collected_when_the_disk_is_fuller_than_the_high_threshold():
    cluster = a_small_disk("2Gi", kubelet={"imageGCHighThresholdPercent": 45, "imageGCLowThresholdPercent": 40})
    cluster.create(a_bound_pod("used", "nginx:1.27"))
    for number, image in enumerate(("mysql:8", "postgres:17")):
        cluster.create(a_bound_pod(f"old-{number}", image, command=["sleep", "1"], restartPolicy="Never"))
    cluster.run_for(100)
    for number in (0, 1):
        cluster.delete(cluster.get("Pod", f"old-{number}"))

    cluster.run_for(600)

    assert images(cluster) == ["docker.io/library/nginx:1.27", "docker.io/library/postgres:17"]


def test_a_collector_that_finds_too_little_says_how_much_it_wanted():
    cluster = a_small_disk("2Gi", kubelet={"imageGCHighThresholdPercent": 20, "imageGCLowThresholdPercent": 10})
    cluster.create(a_bound_pod("used", "nginx:1.27"))

    cluster.run_for(900)

    _, message = next(each for each in said(cluster, "worker-1") if each[0] == "FreeDiskSpaceFailed")
    assert message.startswith("Failed to garbage collect required amount of images. Attempted to free ")
    assert message.endswith(" bytes, but only found 0 bytes eligible to free.")
    assert "ImageGCFailed" in reasons(cluster, "worker-1")


def test_processes_run_out_where_few_are_allowed():
    cluster = a_small_disk(pids=240, kubelet={"evictionHard": {"pid.available": "40"}})
    cluster.create(a_forker("few", 5))
    cluster.create(a_forker("many", 25))

    cluster.run_for(60)

    status = cluster.get("Pod", "many")["status"]
    assert (phase(cluster, "few"), status["phase"]) == ("Running", "Failed")
    assert status["message"] == "The node was low on resource: pids. Threshold quantity: 40, available: 36. "
    found = pressure(cluster, "PIDPressure")
    assert (found["status"], found["reason"]) == ("True", "KubeletHasInsufficientPID")
    assert "NodeHasInsufficientPID" in reasons(cluster, "worker-1")


SOFT: dict[str, Any] = {
    "evictionSoft": {"nodefs.available": "50%"},
    "evictionSoftGracePeriod": {"nodefs.available": "1m"},
}


def test_a_soft_threshold_must_be_met_for_its_grace_period():
    cluster = a_small_disk(kubelet=SOFT | {"evictionMaxPodGracePeriod": 20})
    cluster.create(a_filler("writer", "4G"))

    cluster.run_for(50)
    assert (phase(cluster, "writer"), pressure(cluster)["status"]) == ("Running", "True")
    cluster.run_for(25)

    assert phase(cluster, "writer") == "Running"
    assert "Evicted" in reasons(cluster, "writer")
    cluster.run_for(20)
    ended = cluster.get("Pod", "writer")["status"]
    assert ended["phase"] == "Failed"
    assert "Threshold quantity: 5Gi, available: " in ended["message"]


def test_a_soft_threshold_that_is_left_again_evicts_nobody():
    cluster = a_small_disk(kubelet=SOFT)
    cluster.create(a_bound_pod("writer", **a_script("fallocate -l 4G /fill; sleep 40; rm /fill; sleep 3600")))

    cluster.run_for(120)

    assert phase(cluster, "writer") == "Running"
    assert cluster.events("Evicted") == []


def test_a_shorter_transition_period_ends_the_pressure_sooner():
    cluster = a_small_disk(kubelet={"evictionPressureTransitionPeriod": "30s"})
    cluster.create(a_filler("greedy", "7G"))
    cluster.run_for(40)
    assert pressure(cluster)["status"] == "True"

    cluster.run_for(40)

    assert pressure(cluster)["status"] == "False"


@pytest.mark.parametrize(
    ("kubelet", "problem"),
    [
        ({"evictionHard": {"disk.free": "1Gi"}}, "unsupported eviction signal disk.free"),
        ({"evictionHard": {"nodefs.available": "110%"}}, "threshold nodefs.available must be <= 100%: 110%"),
        ({"evictionHard": {"memory.available": "0"}}, "eviction threshold memory.available must be positive: 0"),
        (
            {"evictionSoft": {"memory.available": "1Gi"}},
            "grace period must be specified for the soft eviction threshold",
        ),
        ({"imageGCHighThresholdPercent": 101}, "(--image-gc-high-threshold) 101 must be between 0 and 100, inclusive"),
        (
            {"imageGCHighThresholdPercent": 70},
            "(--image-gc-low-threshold) 80 must be less than imageGCHighThresholdPerce",
        ),
        ({"evictionPressureTransitionPeriod": "soon"}, "'soon' is no duration such as 1m30s"),
        ({"kubeReserved": {"gpu": "1"}}, "cannot reserve 'gpu' resource"),
        ({"maxPods": 5}, 'strict decoding error: unknown field "maxPods"'),
        ("eviction", "a KubeletConfiguration is an object, not 'eviction'"),
    ],
)
def test_a_wrong_configuration_is_refused(kubelet: Any, problem: str):
    cluster = a_machine_room()

    with pytest.raises(Refused) as refusal:
        cluster.act("node-add", name="late", kubelet=kubelet)

    assert problem in refusal.value.body["message"]
    assert refusal.value.body["message"].startswith("kubelet of node late: ")
    assert cluster.get("Node", "late") is None


def test_a_disk_too_small_for_a_system_is_refused():
    cluster = a_machine_room()

    with pytest.raises(Refused, match="storage of node late is 1Mi; it must be at least 67108864"):
        cluster.act("node-add", name="late", storage="1Mi")


def test_a_rebuilt_world_goes_on_under_disk_pressure():
    cluster = a_small_disk()
    for name in ("one", "two", "three"):
        cluster.create(a_filler(name, "2500M"))
    cluster.run_until(lambda c: bool(c.events("Evicted")), 60)
    other = TestCluster(cluster.world.fork())

    for each in (cluster, other):
        each.run_for(60)

    assert other.world.dump() == cluster.world.dump()
    assert sum(phase(other, name) == "Running" for name in ("one", "two", "three")) == 2
    assert meta.name(other.get("Pod", "one")) == "one"
