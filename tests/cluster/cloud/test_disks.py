"""Claims on the cloud's disks: made, attached where a pod needs them, moved with it, and deleted."""

import orjson
import pytest

from cluster.cloud.csi import DRIVER
from cluster.engine.clock import SECOND
from cluster.objects import Manifest, conditions, meta
from cluster.world import World
from tests.builders import TestCluster, a_cluster, a_pod

CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}},
}


def with_data(name: str, claim: str = "data", **spec) -> Manifest:
    pod = a_pod(name, **spec)
    pod["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return pod


def a_deployment_with_data() -> Manifest:
    app, pod = {"app": "db"}, with_data("db")
    spec = {"replicas": 1, "selector": {"matchLabels": app}, "strategy": {"type": "Recreate"}}
    spec["template"] = {"metadata": {"labels": app}, "spec": pod["spec"]}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "db"}, "spec": spec}


def disks(cluster: TestCluster) -> list[Manifest]:
    return cluster.world.cloud.inventory.all("disk")


def volume(cluster: TestCluster) -> Manifest:
    return cluster.objects("PersistentVolume")[0]


def attachments(cluster: TestCluster) -> list[str]:
    return [one["spec"]["nodeName"] for one in cluster.objects("VolumeAttachment")]


def running(cluster: TestCluster, name: str) -> bool:
    pod = cluster.get("Pod", name)
    return pod is not None and (pod.get("status") or {}).get("phase") == "Running"


def a_running_pod(**options) -> TestCluster:
    cluster = a_cluster(cloud=True, **options).with_objects(CLAIM, with_data("web"))
    return cluster.run_until(lambda cluster: running(cluster, "web"), 60)


def test_the_driver_brings_its_objects_along():
    cluster = a_cluster(cloud=True).run_for(10)
    assert cluster.get("CSIDriver", DRIVER, "")["spec"]["attachRequired"] is True
    node = cluster.get("CSINode", "worker-1", "")
    assert node["spec"]["drivers"][0]["allocatable"] == {"count": 25}
    assert meta.owners(node)[0]["name"] == "worker-1"
    assert cluster.get("StorageClass", "cloud-disk", "")["volumeBindingMode"] == "WaitForFirstConsumer"


def test_without_the_cloud_there_is_no_driver():
    cluster = a_cluster().run_for(10)
    assert cluster.objects("CSIDriver") == cluster.objects("CSINode") == cluster.objects("StorageClass") == []


def test_a_claim_waits_for_its_pod_and_then_has_a_disk_in_the_zone_of_the_pods_node():
    cluster = a_cluster(cloud=True).with_objects(CLAIM).run_for(30)
    assert disks(cluster) == []

    cluster.create(with_data("web"))
    cluster.run_until(lambda cluster: running(cluster, "web"), 60)
    node = cluster.get("Node", cluster.get("Pod", "web")["spec"]["nodeName"], "")
    zone = meta.labels(node)["topology.kubernetes.io/zone"]
    assert [(disk["zone"], disk["gib"], disk["attached"]) for disk in disks(cluster)] == [(zone, 5, meta.name(node))]
    assert volume(cluster)["spec"]["csi"]["driver"] == DRIVER
    assert volume(cluster)["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"] == [
        {"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}]}
    ]
    assert cluster.get("PersistentVolumeClaim", "data")["status"]["phase"] == "Bound"
    attached = cluster.get("Node", meta.name(node), "")["status"]["volumesAttached"]
    assert attached == [{"name": f"kubernetes.io/csi/{DRIVER}^{meta.name(volume(cluster))}", "devicePath": ""}]


def test_what_happens_is_told_in_events():
    cluster = a_running_pod()
    name = meta.name(volume(cluster))
    said = {event["reason"]: event["message"] for event in cluster.events()}
    assert said["Provisioning"] == 'External provisioner is provisioning volume for claim "default/data"'
    assert said["ProvisioningSucceeded"] == f"Successfully provisioned volume {name}"
    assert said["SuccessfulAttachVolume"] == f'AttachVolume.Attach succeeded for volume "{name}" '


def test_no_container_starts_before_the_disk_is_attached():
    cluster = a_cluster(cloud=True).with_objects(CLAIM)
    cluster.act("component-stop", component="csi-attacher")
    cluster.create(with_data("web"))
    cluster.run_for(140)
    status = cluster.get("Pod", "web")["status"]
    assert status["phase"] == "Pending"
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "ContainerCreating"
    said = cluster.events("FailedMount")[0]["message"]
    assert said.startswith("Unable to attach or mount volumes: unmounted volumes=[data]")

    cluster.act("component-start", component="csi-attacher")
    cluster.run_until(lambda cluster: running(cluster, "web"), 60)


def test_a_pod_that_is_gone_lets_go_of_its_disk_and_a_deleted_claim_deletes_it():
    cluster = a_running_pod()
    cluster.delete(cluster.get("Pod", "web"))
    cluster.run_for(60)
    assert attachments(cluster) == []
    assert [disk["attached"] for disk in disks(cluster)] == [""]

    cluster.delete(cluster.get("PersistentVolumeClaim", "data"))
    cluster.run_for(60)
    assert disks(cluster) == []
    assert cluster.objects("PersistentVolume") == []


def test_a_disk_that_is_to_be_kept_is_kept():
    cluster = a_running_pod()
    cluster.patch(volume(cluster), {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    cluster.delete(cluster.get("Pod", "web"))
    cluster.run_for(60)
    cluster.delete(cluster.get("PersistentVolumeClaim", "data"))
    cluster.run_for(60)
    assert len(disks(cluster)) == 1
    assert volume(cluster)["status"]["phase"] == "Released"


def in_one_zone() -> TestCluster:
    """Four machines, two of them in the first zone."""
    return a_cluster(nodes=4, cloud=True).with_objects(CLAIM)


def test_after_its_node_died_a_pod_gets_its_disk_back_at_another_one_but_only_after_six_minutes():
    cluster = in_one_zone()
    zones = {meta.name(n): meta.labels(n)["topology.kubernetes.io/zone"] for n in cluster.objects("Node")}
    shared = [name for name in zones if list(zones.values()).count(zones[name]) > 1]
    cluster.create(a_deployment_with_data())
    for name in zones:
        if name not in shared:
            cluster.patch(cluster.get("Node", name, ""), {"spec": {"unschedulable": True}})
    cluster.run_until(lambda cluster: any(running(cluster, meta.name(pod)) for pod in cluster.pods_of("db")), 60)
    first = cluster.pods_of("db")[0]
    cluster.act("component-stop", component="cloud-node-lifecycle-controller")  # Nobody sees that it is shut down.
    cluster.power_off(first["spec"]["nodeName"])
    cluster.run_for(50 + 300 + 20)
    cluster.delete(first, gracePeriodSeconds=0)
    cluster.run_for(60)
    second = next(pod for pod in cluster.pods_of("db") if meta.name(pod) != meta.name(first))
    assert second["spec"]["nodeName"] != first["spec"]["nodeName"]
    assert not running(cluster, meta.name(second))
    said = [event["message"] for event in cluster.events("FailedAttachVolume")]
    assert any(message.startswith("Multi-Attach error for volume") for message in said)
    assert attachments(cluster) == [first["spec"]["nodeName"]]

    cluster.run_for(360)
    assert running(cluster, meta.name(second))
    assert attachments(cluster) == [second["spec"]["nodeName"]]
    assert [disk["attached"] for disk in disks(cluster)] == [second["spec"]["nodeName"]]


def test_without_quota_the_claim_says_so_and_gets_its_disk_when_there_is_one():
    cluster = a_cluster(cloud=True)
    cluster.act("cloud", op="quota", kind="disks", limit=0)
    cluster.with_objects(CLAIM, with_data("web")).run_for(20)
    message = cluster.events("ProvisioningFailed")[0]["message"]
    problem = 'failed to provision volume with StorageClass "cloud-disk": rpc error: code = ResourceExhausted'
    assert message.startswith(problem)

    cluster.act("cloud", op="quota", kind="disks", limit=5)
    cluster.run_until(lambda cluster: running(cluster, "web"), 1_000)


@pytest.mark.parametrize("trouble", [{"op": "slow", "factor": 10}, {"op": "fail", "percent": 60}])
def test_a_slow_or_failing_cloud_only_takes_longer(trouble):
    cluster = a_cluster(cloud=True)
    cluster.act("cloud", **trouble)
    cluster.with_objects(CLAIM, with_data("web"))
    cluster.run_until(lambda cluster: running(cluster, "web"), 1_500)


def test_the_driver_can_be_killed_and_comes_back_where_it_was():
    cluster = a_cluster(cloud=True).with_objects(CLAIM)
    cluster.act("component-stop", component="csi-disk-controller")
    cluster.create(with_data("web"))
    cluster.run_for(60)
    assert disks(cluster) == []
    assert cluster.events("ExternalProvisioning")

    cluster.act("component-start", component="csi-disk-controller")
    cluster.run_until(lambda cluster: running(cluster, "web"), 120)


def test_a_rebuilt_world_goes_on_in_the_middle_of_it():
    cluster, twins = a_cluster(cloud=True).with_objects(CLAIM, with_data("web")), []
    for seconds in (1, 2, 3):
        cluster.run_for(seconds)
        twins.append(TestCluster(World.restore(cluster.world.checkpoint_body(), cluster.world.objects())))
    cluster.run_for(60)
    assert running(cluster, "web")
    for twin in twins:
        twin.run_for((cluster.world.now - twin.world.now) / SECOND)
        assert orjson.loads(twin.world.checkpoint_body()) == orjson.loads(cluster.world.checkpoint_body())


def test_a_switched_on_cloud_brings_the_driver_and_a_switched_off_one_takes_it_away():
    cluster = a_cluster()
    cluster.act("cloud", op="on")
    cluster.run_for(60)
    assert cluster.get("CSIDriver", DRIVER, "") is not None
    cluster.act("cloud", op="off")
    cluster.run_for(5)
    assert "csi-provisioner" not in cluster.world.components
    assert conditions.get(cluster.get("Node", "worker-1", ""), "Ready")["status"] == "True"


def calls(cluster: TestCluster, operation: str) -> int:
    made = cluster.world.cells["cloud"].get("api/calls", {"operations": {}})["operations"]
    return int(made.get(operation, (0, 0))[0])


def an_unclaimed_disk(cluster: TestCluster) -> TestCluster:
    """A claim that is gone when its disk has been made."""
    cluster.with_objects(CLAIM, with_data("web"))
    cluster.run_until(lambda cluster: calls(cluster, "CreateDisk") == 1, 60)
    cluster.delete(cluster.get("Pod", "web"), gracePeriodSeconds=0)
    cluster.delete(cluster.get("PersistentVolumeClaim", "data"))
    return cluster


def test_a_disk_that_was_made_for_a_claim_that_is_gone_is_deleted_once():
    cluster = an_unclaimed_disk(a_cluster(cloud=True)).run_for(120)
    assert disks(cluster) == []
    assert calls(cluster, "DeleteDisk") == 1


def test_a_disk_for_nobody_is_deleted_even_if_the_cloud_refuses_at_first():
    cluster = a_cluster(cloud=True)
    cluster.act("cloud", op="slow", factor=20)
    an_unclaimed_disk(cluster)
    cluster.act("cloud", op="fail", percent=100)
    cluster.run_until(lambda cluster: len(disks(cluster)) == 1 and calls(cluster, "DeleteDisk") == 1, 120)
    cluster.run_for(60)
    assert len(disks(cluster)) == 1

    cluster.act("cloud", op="ok")
    cluster.run_until(lambda cluster: disks(cluster) == [], 600)


def test_a_choice_of_a_node_that_is_gone_is_taken_back():
    cluster = a_cluster(cloud=True).with_objects(CLAIM)
    cluster.act("component-stop", component="csi-provisioner")
    cluster.create(with_data("web"))
    cluster.run_for(10)
    selected = "volume.kubernetes.io/selected-node"
    first = meta.annotations(cluster.get("PersistentVolumeClaim", "data"))[selected]
    cluster.act("cloud-terminate", node=first)
    cluster.run_until(lambda cluster: cluster.get("Node", first, "") is None, 300)
    cluster.act("component-start", component="csi-provisioner")
    cluster.run_until(lambda cluster: running(cluster, "web"), 700)
    assert cluster.get("Pod", "web")["spec"]["nodeName"] != first


def test_nothing_is_left_in_memory_of_pods_that_waited_for_a_disk_in_vain():
    cluster = a_cluster(nodes=4, cloud=True).with_objects(CLAIM, with_data("web"))
    cluster.run_until(lambda cluster: running(cluster, "web"), 60)
    node = cluster.get("Pod", "web")["spec"]["nodeName"]
    other = next(meta.name(each) for each in cluster.objects("Node") if meta.name(each) != node)
    for _ in range(2):
        cluster.create({**with_data("late"), "spec": {**with_data("late")["spec"], "nodeName": other}})
        cluster.run_for(20)
        said = [e for e in cluster.events("FailedAttachVolume") if e["involvedObject"]["name"] == "late"]
        assert said, "each pod is told anew"
        for event in said:
            cluster.delete(event)
        cluster.delete(cluster.get("Pod", "late"), gracePeriodSeconds=0)
        cluster.run_for(20)
    memory = "persistentvolume-attach-detach-controller|m|"
    assert [key for key in cluster.world.cells["agenda"] if key.startswith(memory)] == []
