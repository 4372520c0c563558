"""Pods that need volumes: where they may go, what they wait for, and what is left of those that wait in vain."""

import json

import orjson

from cluster.engine.clock import SECOND
from cluster.objects import Manifest, meta
from cluster.world import World
from tests.builders import TestCluster, a_cluster, a_pod

LATER, ELSEWHERE = "later", "elsewhere"  # Classes: bound when a pod comes; made by somebody who never does.


def a_class(name: str, provisioner: str) -> Manifest:
    body = {"provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Delete"}
    return {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}, **body}


def a_claim(name: str, of: str = LATER, mode: str = "ReadWriteOnce") -> Manifest:
    spec = {"storageClassName": of, "accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def a_volume(name: str, node: str = "", mode: str = "ReadWriteOnce", **source) -> Manifest:
    spec = {"storageClassName": LATER, "capacity": {"storage": "1Gi"}, "accessModes": [mode]}
    spec |= source or {"hostPath": {"path": f"/mnt/{name}"}}
    if node:
        term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def with_claims(name: str, *claims: str, **spec) -> Manifest:
    pod = a_pod(name, **spec)
    volumes = [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in claims]
    return {**pod, "spec": {**pod["spec"], "volumes": volumes}}


def start(*objects: Manifest, nodes: int = 3, **options) -> TestCluster:
    classes = [a_class(LATER, "kubernetes.io/no-provisioner"), a_class(ELSEWHERE, "disks.example.com")]
    return a_cluster(nodes, **options).with_objects(*classes, *objects)


def node_of(cluster: TestCluster, pod: str) -> str:
    return cluster.get("Pod", pod)["spec"].get("nodeName", "")


def said(cluster: TestCluster, pod: str) -> str:
    conditions = cluster.get("Pod", pod)["status"].get("conditions") or []
    return next((c.get("message", "") for c in conditions if c["type"] == "PodScheduled"), "")


def waiting_cells(cluster: TestCluster) -> list[str]:
    return [key for key in cluster.world.cells["agenda"] if "binding/" in key]


def test_a_pod_goes_where_its_volume_can_be_reached_and_both_are_bound():
    cluster = start(a_volume("pv", node="worker-2"), a_claim("data"), with_claims("web", "data")).run_for(30)
    assert node_of(cluster, "web") == "worker-2"
    assert cluster.get("PersistentVolumeClaim", "data")["spec"]["volumeName"] == "pv"
    assert waiting_cells(cluster) == []


def test_a_second_pod_finds_no_volume_left_and_gets_the_next_that_comes():
    cluster = start(a_volume("pv"), a_claim("one"), a_claim("two"), with_claims("first", "one")).run_for(20)
    cluster.create(with_claims("second", "two"))
    cluster.run_for(20)
    none = "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind."
    assert said(cluster, "second").startswith(none)

    cluster.create(a_volume("another", node="worker-3"))
    cluster.run_for(30)
    assert node_of(cluster, "second") == "worker-3"


def test_two_claims_of_one_pod_must_be_within_reach_of_one_node():
    volumes = [a_volume("one", node="worker-1"), a_volume("two", node="worker-2")]
    cluster = start(*volumes, a_claim("a"), a_claim("b"), with_claims("web", "a", "b")).run_for(20)
    assert node_of(cluster, "web") == ""
    cluster.create(a_volume("three", node="worker-1"))
    cluster.run_for(30)
    assert node_of(cluster, "web") == "worker-1"


def test_a_bound_volume_keeps_its_pod_to_the_nodes_that_reach_it():
    cluster = start(a_volume("pv", node="worker-2"), a_claim("data"), with_claims("web", "data")).run_for(30)
    cluster.delete(cluster.get("Pod", "web"))
    cluster.patch(cluster.get("Node", "worker-2", ""), {"spec": {"unschedulable": True}})
    cluster.run_for(40)
    cluster.create(with_claims("again", "data"))
    cluster.run_for(10)
    assert "2 node(s) didn't match PersistentVolume's node affinity" in said(cluster, "again")


def test_a_pod_whose_provisioner_never_comes_takes_its_room_for_ten_minutes_and_is_then_tried_anew():
    big = {"requests": {"cpu": "3"}}
    cluster = start(a_claim("data", of=ELSEWHERE), with_claims("web", "data", resources=big), nodes=1).run_for(30)
    assert meta.annotations(cluster.get("PersistentVolumeClaim", "data"))["volume.kubernetes.io/selected-node"]
    assert node_of(cluster, "web") == ""
    cluster.create(a_pod("other", resources=big))
    cluster.run_for(30)
    assert "Insufficient cpu" in said(cluster, "other"), "the room is promised"

    cluster.run_for(560)
    late = 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'
    assert late in [event["message"] for event in cluster.events("FailedScheduling")]
    cluster.run_for(60)
    assert node_of(cluster, "other"), "the room was free for whoever came first"
    assert "Insufficient cpu" in said(cluster, "web")


def test_how_long_a_pod_waits_for_its_volumes_can_be_configured():
    config = [{"name": "VolumeBinding", "args": {"bindTimeoutSeconds": 20}}]
    head = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
    told = json.dumps({**head, "profiles": [{"pluginConfig": config}]})
    cluster = start(a_claim("data", of=ELSEWHERE), with_claims("web", "data"), schedulerConfiguration=told).run_for(15)
    assert not cluster.events("FailedScheduling")
    cluster.run_for(15)
    assert "context deadline exceeded" in cluster.events("FailedScheduling")[0]["message"]


def test_a_pod_that_is_deleted_while_it_waits_leaves_nothing_and_one_of_its_name_begins_anew():
    cluster = start(a_claim("data", of=ELSEWHERE), with_claims("web", "data")).run_for(10)
    assert waiting_cells(cluster)
    first = meta.uid(cluster.get("Pod", "web"))
    cluster.delete(cluster.get("Pod", "web"), gracePeriodSeconds=0)
    cluster.run_for(5)
    assert waiting_cells(cluster) == []

    cluster.create(with_claims("web", "data"))
    cluster.run_for(10)
    cell = cluster.world.cells["agenda"]["kube-scheduler|m|binding/default/web"]
    assert cell["uid"] == meta.uid(cluster.get("Pod", "web")) != first


def test_a_volume_for_one_pod_alone_is_refused_to_a_second_one_until_the_first_is_gone():
    mode = "ReadWriteOncePod"
    objects = [a_volume("pv", mode=mode), a_claim("data", mode=mode), with_claims("first", "data")]
    cluster = start(*objects).run_for(30)
    cluster.create(with_claims("second", "data"))
    cluster.run_for(10)
    reason = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
    assert reason in said(cluster, "second")

    cluster.delete(cluster.get("Pod", "first"))
    cluster.run_for(60)
    assert node_of(cluster, "second")


def test_a_node_takes_no_more_disks_than_its_csinode_says():
    drivers = [{"name": "disks.example.com", "nodeID": "m1", "topologyKeys": None, "allocatable": {"count": 1}}]
    node = {"apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "metadata": {"name": "worker-1"}}
    objects = [{**node, "spec": {"drivers": drivers}}]
    for name in ("one", "two"):
        disk = a_volume(f"pv-{name}", csi={"driver": "disks.example.com", "volumeHandle": name})
        claim = a_claim(name)
        disk["spec"]["claimRef"] = {"namespace": "default", "name": name}
        objects += [disk, {**claim, "spec": {**claim["spec"], "volumeName": f"pv-{name}"}}]
    cluster = start(*objects, nodes=1).run_for(10).with_objects(with_claims("first", "one")).run_for(10)
    assert node_of(cluster, "first") == "worker-1"
    cluster.create(with_claims("second", "two"))
    cluster.run_for(10)
    assert said(cluster, "second").startswith("0/1 nodes are available: 1 node(s) exceed max volume count.")

    cluster.delete(cluster.get("Pod", "first"), gracePeriodSeconds=0)
    cluster.run_for(10)
    assert node_of(cluster, "second") == "worker-1"


def test_a_scheduler_that_dies_while_pods_wait_for_volumes_lets_them_wait_anew_when_it_is_back():
    cluster = start(a_claim("data", of=ELSEWHERE), with_claims("web", "data")).run_for(10)
    cluster.act("component-restart", component="kube-scheduler")
    cluster.run_for(5)
    made = a_volume("made", node="worker-2")
    made["spec"] |= {"storageClassName": ELSEWHERE}
    made["metadata"]["annotations"] = {"pv.kubernetes.io/provisioned-by": "disks.example.com"}
    selected = meta.annotations(cluster.get("PersistentVolumeClaim", "data"))["volume.kubernetes.io/selected-node"]
    made["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]["values"] = [selected]
    cluster.create(made)
    cluster.run_for(60)
    assert node_of(cluster, "web") == selected


def test_a_rebuilt_scheduler_goes_on_waiting_for_volumes_where_the_other_one_stood():
    cluster = start(a_claim("data", of=ELSEWHERE), with_claims("web", "data"), with_claims("none", "missing"))
    cluster.run_for(7)
    twin = TestCluster(World.restore(cluster.world.checkpoint_body(), cluster.world.objects()))
    for each in (cluster, twin):
        each.run_for(650)
    assert cluster.world.now - twin.world.now < SECOND
    assert orjson.loads(cluster.world.checkpoint_body()) == orjson.loads(twin.world.checkpoint_body())
