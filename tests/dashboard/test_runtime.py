"""A node's container runtime as `crictl` and the page show it."""

from html import unescape
from io import StringIO

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import translation

from tests.builders import a_deployment
from tests.cluster.kubelet.cases import a_bound_pod, a_script
from tests.dashboard.saved import a_saved_cluster

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cluster():
    machines = [{"name": "worker-1"}, {"name": "old", "runtime": "docker"}]
    return a_saved_cluster(nodes=machines).with_objects(a_deployment("web", replicas=2)).run_for(30)


def crictl(*words: str) -> str:
    out = StringIO()
    call_command("crictl", *words, stdout=out)
    return out.getvalue()


def column(text: str, name: str) -> list[str]:
    head, *rows = text.splitlines()
    start = head.index(name)
    return [row[start:].split("  ")[0].strip() for row in rows]


@pytest.mark.usefixtures("cluster")
def test_crictl_lists_containers_sandboxes_and_images_of_one_node():
    containers, sandboxes, images = crictl("worker-1", "ps"), crictl("worker-1", "pods"), crictl("worker-1", "images")

    assert column(containers, "STATE") == ["Running"]
    assert column(containers, "POD ID") == column(sandboxes, "POD ID")
    assert column(sandboxes, "STATE") == ["Ready"]
    assert column(images, "IMAGE")[0].startswith("docker.io/library/")
    assert set(column(containers, "IMAGE")) <= set(column(images, "IMAGE ID"))


def test_crictl_says_all_about_one_container_found_by_the_start_of_its_id(cluster):
    identity = column(crictl("worker-1", "ps"), "CONTAINER")[0]

    told = orjson.loads(crictl("worker-1", "inspect", identity[:6]))

    assert told["status"]["state"] == "CONTAINER_RUNNING"
    assert told["status"]["labels"]["io.kubernetes.pod.name"] in {p["metadata"]["name"] for p in cluster.pods_of("web")}
    assert "start worker process" in crictl("worker-1", "logs", identity)


def calls(node: str, about: str) -> list[str]:
    """Which calls were about a pod, a container or an image."""
    lines = [line.split() for line in crictl(node, "calls").splitlines()]
    return [words[words.index(about) - 1] for words in lines if about in words]


def test_the_calls_tell_how_a_pod_came_and_went_in_their_order_also_when_it_is_gone(cluster):
    deaf = a_bound_pod("deaf", node="worker-1", **a_script("sleep 9000"))  # Process 1 ignores SIGTERM.
    cluster.create(deaf)
    cluster.run_for(15)
    cluster.delete(deaf)
    cluster.run_for(5)

    assert calls("worker-1", "default/deaf") == ["RunPodSandbox", "PodSandboxStatus"]
    assert calls("worker-1", "docker.io/library/busybox:1.36") == ["ImageStatus", "PullImage"]
    container = ["CreateContainer", "StartContainer", "StopContainer"]
    assert calls("worker-1", "default/deaf/app") == container
    stop = next(line for line in crictl("worker-1", "calls").splitlines() if "StopContainer" in line)
    assert " … " in stop  # Nobody has answered yet: it takes the whole grace period.
    assert "timeout: 30" in stop

    cluster.run_for(40)

    assert calls("worker-1", "default/deaf/app") == [*container, "ContainerStatus", "RemoveContainer"]
    sandbox = ["RunPodSandbox", "PodSandboxStatus", "StopPodSandbox", "RemovePodSandbox"]
    assert calls("worker-1", "default/deaf") == sandbox
    stop = next(line for line in crictl("worker-1", "calls").splitlines() if "StopContainer" in line)
    assert " 30000 ms " in stop


def test_a_power_cut_leaves_the_call_under_way_without_an_answer(cluster):
    cluster.create(a_bound_pod("slow", "postgres", node="worker-1"))
    cluster.run_for(2)
    lines = [line for line in crictl("worker-1", "calls").splitlines() if "PullImage" in line and "postgres" in line]
    assert " … " in lines[0]

    cluster.act("power-off", node="worker-1")
    cluster.run_for(1)

    lines = [line for line in crictl("worker-1", "calls").splitlines() if "PullImage" in line and "postgres" in line]
    assert lines[0].endswith("error reading from server: EOF")
    with pytest.raises(CommandError, match="machine worker-1 is off"):
        crictl("worker-1", "ps")


@pytest.mark.usefixtures("cluster")
def test_crictl_refuses_what_is_not_there():
    with pytest.raises(CommandError, match="there is no such machine"):
        crictl("worker-7", "ps")
    with pytest.raises(CommandError, match='find container "beef": not found'):
        crictl("worker-1", "inspect", "beef")


def test_crictl_does_not_reach_a_runtime_that_is_stopped(cluster):
    cluster.act("runtime", node="old", op="stop")
    cluster.run_for(1)

    with pytest.raises(CommandError, match=r"dial unix /var/run/cri-dockerd\.sock: connect: no such file"):
        crictl("old", "ps")


def test_a_node_s_page_shows_its_runtime_its_containers_and_what_was_asked(client: Client, cluster):
    query = {"kind": "Node", "key": "old", "tab": "runtime"}
    page = unescape(client.get("/view/default/panel/inspector", query).content.decode())

    assert "docker 28.5.1" in page
    assert "/var/run/cri-dockerd.sock" in page
    assert "RunPodSandbox" in page
    assert "state: SANDBOX_READY ip: 10.244." in page
    assert 'data-op="stop"' in page

    cluster.act("runtime", node="old", op="stop")
    cluster.run_for(1)
    with translation.override("pt-br"):  # So that the language of this thread is put back.
        said = client.get("/view/default/panel/inspector", query, headers={"accept-language": "pt-br"})
    page = unescape(said.content.decode())

    assert 'data-op="start"' in page
    assert "Ligar o runtime" in page
