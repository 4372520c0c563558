"""Everyday sessions of the Python packages `kubernetes`, `kr8s` and `lightkube`, all of them as they come."""

import threading
import time
import uuid

import kr8s
import kubernetes
import lightkube
import pytest
from kr8s.objects import ConfigMap as Kr8sConfigMap
from kr8s.objects import Deployment as Kr8sDeployment
from kr8s.objects import Pod as Kr8sPod
from kubernetes import watch
from kubernetes.stream import stream
from lightkube.core.exceptions import ApiError
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.core_v1 import Container, PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod
from lightkube.types import PatchType

PATIENCE = 60.0


def eventually(true, what):
    deadline = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        threading.Event().wait(0.05)
    return found


@pytest.fixture
def space(kubeconfig):
    return f"py-{uuid.uuid4().hex[:8]}"


def a_deployment(replicas=2):
    container = {"name": "web", "image": "nginx:1.27"}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def a_talker(name="talker"):
    command = ["sh", "-c", "for i in 1 2 3; do echo line $i; done"]
    spec = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox", "command": command}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


# --- kubernetes -------------------------------------------------------------------------------------------------


def test_kubernetes_creates_watches_scales_reads_logs_and_deletes(space, kubeconfig):
    client = kubernetes.config.new_client_from_config(str(kubeconfig))
    core, apps = kubernetes.client.CoreV1Api(client), kubernetes.client.AppsV1Api(client)
    core.create_namespace({"metadata": {"name": space}})
    apps.create_namespaced_deployment(space, a_deployment())

    ready = watch.Watch()
    for event in ready.stream(core.list_namespaced_pod, space, label_selector="app=web", timeout_seconds=60):
        assert event["type"] in ("ADDED", "MODIFIED")
        pods = core.list_namespaced_pod(space, label_selector="app=web").items
        if len(pods) == 2 and all(pod.status.phase == "Running" for pod in pods):
            ready.stop()
    name = core.list_namespaced_pod(space, label_selector="app=web").items[0].metadata.name
    command = ["sh", "-c", "echo from $(hostname)"]
    assert stream(core.connect_get_namespaced_pod_exec, name, space, command=command, stdout=True) == f"from {name}\n"
    scale = apps.patch_namespaced_deployment_scale("web", space, {"spec": {"replicas": 1}})
    assert scale.spec.replicas == 1
    assert apps.read_namespaced_deployment("web", space).metadata.generation == 2
    core.create_namespaced_pod(space, a_talker())
    phase = lambda: core.read_namespaced_pod("talker", space).status.phase  # noqa: E731
    eventually(lambda: phase() == "Succeeded", "the talker to end")
    log = core.read_namespaced_pod_log("talker", space, follow=True, _preload_content=False)
    assert log.data == b"line 1\nline 2\nline 3\n"
    with pytest.raises(kubernetes.client.ApiException) as refused:
        core.create_namespaced_pod(space, a_talker())
    assert (refused.value.status, refused.value.reason) == (409, "Conflict")
    core.delete_namespace(space)
    assert kubernetes.client.VersionApi(client).get_code().git_version == "v1.37.2"


def test_kubernetes_follows_a_list_over_pages_and_a_watch_from_its_revision(space, kubeconfig):
    core = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(kubeconfig)))
    core.create_namespace({"metadata": {"name": space}})
    for number in range(5):
        core.create_namespaced_config_map(space, {"metadata": {"name": f"c{number}", "labels": {"mine": "yes"}}})
    first = core.list_namespaced_config_map(space, label_selector="mine", limit=3)
    rest = core.list_namespaced_config_map(space, label_selector="mine", limit=3, _continue=first.metadata._continue)
    assert [each.metadata.name for each in (*first.items, *rest.items)] == [f"c{n}" for n in range(5)]
    since = first.metadata.resource_version

    core.patch_namespaced_config_map("c0", space, {"data": {"a": "1"}})
    core.delete_namespaced_config_map("c1", space)

    events = watch.Watch().stream(
        core.list_namespaced_config_map, space, label_selector="mine", resource_version=since, timeout_seconds=1
    )
    assert [(event["type"], event["object"].metadata.name) for event in events] == [
        ("MODIFIED", "c0"),
        ("DELETED", "c1"),
    ]
    core.delete_namespace(space)


def test_kubernetes_dynamic_client_finds_its_way_by_discovery(space, kubeconfig):
    client = kubernetes.dynamic.DynamicClient(kubernetes.config.new_client_from_config(str(kubeconfig)))
    maps = client.resources.get(api_version="v1", kind="ConfigMap")
    client.resources.get(api_version="v1", kind="Namespace").create({"metadata": {"name": space}})

    maps.create({"metadata": {"name": "a"}, "data": {"n": "1"}}, namespace=space)
    applied = maps.patch(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"n": "2"}},
        name="a", namespace=space, content_type="application/merge-patch+json",
    )  # fmt: skip

    assert applied.data.n == "2"
    assert maps.get(name="a", namespace=space).data.n == "2"
    maps.delete(name="a", namespace=space)


# --- kr8s -------------------------------------------------------------------------------------------------------


def test_kr8s_creates_waits_scales_reads_logs_and_deletes(space, kubeconfig):
    api = kr8s.api(kubeconfig=str(kubeconfig), namespace=space)
    kr8s.objects.Namespace({"metadata": {"name": space}}, api=api).create()
    web = Kr8sDeployment({**a_deployment(1), "metadata": {"name": "web", "namespace": space}}, api=api)
    web.create()
    web.wait("condition=Available", timeout=PATIENCE)
    web.scale(2)
    eventually(lambda: len([p for p in web.pods() if p.status.get("phase") == "Running"]) == 2, "two pods")
    pod = web.pods()[0]
    done = pod.exec(["sh", "-c", "echo from $(hostname); exit 3"], check=False)
    assert (done.stdout.decode(), done.returncode) == (f"from {pod.name}\n", 3)
    talker = Kr8sPod({**a_talker(), "metadata": {"name": "talker", "namespace": space}}, api=api)
    talker.create()
    talker.wait("jsonpath='{.status.phase}'=Succeeded", timeout=PATIENCE)
    assert list(talker.logs()) == ["line 1", "line 2", "line 3"]
    settings = Kr8sConfigMap({"metadata": {"name": "s", "namespace": space}, "data": {"a": "1"}}, api=api)
    settings.create()
    settings.patch({"data": {"a": "2"}})
    settings.label(tier="front")
    found = list(api.get("configmaps", namespace=space, label_selector={"tier": "front"}))
    assert [(each.name, each.data.a) for each in found] == [("s", "2")]
    web.delete()
    settings.delete()
    web.wait("delete", timeout=PATIENCE)
    assert api.version()["minor"] == "37"


# --- lightkube --------------------------------------------------------------------------------------------------


def test_lightkube_creates_waits_watches_patches_reads_logs_and_deletes(space, kubeconfig):
    config = lightkube.KubeConfig.from_file(kubeconfig)
    client = lightkube.Client(config=config, namespace=space, field_manager="orrery-test")
    client.create(Namespace(metadata=ObjectMeta(name=space)))
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels={"app": "web"}), spec=PodSpec(containers=[Container(name="web", image="nginx")])
    )
    spec = DeploymentSpec(replicas=1, selector=LabelSelector(matchLabels={"app": "web"}), template=template)
    client.create(Deployment(metadata=ObjectMeta(name="web"), spec=spec))
    available = client.wait(Deployment, "web", for_conditions=["Available"])
    assert available.status.readyReplicas == 1
    name = next(iter(client.list(Pod, labels={"app": "web"}))).metadata.name
    done = client.exec(name, command=["sh", "-c", "echo from $(hostname)"], stdout=True)
    assert done.stdout == f"from {name}\n"
    client.patch(Deployment.Scale, "web", {"spec": {"replicas": 2}})
    assert client.get(Deployment.Scale, "web").spec.replicas == 2
    client.create(Pod.from_dict(a_talker()))
    eventually(lambda: client.get(Pod, "talker").status.phase == "Succeeded", "the talker to end")
    assert list(client.log("talker")) == ["line 1\n", "line 2\n", "line 3\n"]
    client.create(ConfigMap(metadata=ObjectMeta(name="s"), data={"a": "1"}))
    patch = [{"op": "replace", "path": "/data/a", "value": "2"}]
    assert client.patch(ConfigMap, "s", patch, patch_type=PatchType.JSON).data == {"a": "2"}
    assert [each.metadata.name for each in client.list(ConfigMap, fields={"metadata.name": "s"})] == ["s"]
    kind, first = next(iter(client.watch(Deployment)))
    assert (kind, first.metadata.name) == ("ADDED", "web")
    client.delete(ConfigMap, "s")
    with pytest.raises(ApiError) as missing:
        client.get(ConfigMap, "s")
    assert missing.value.status.reason == "NotFound"
    client.delete(Namespace, space)
