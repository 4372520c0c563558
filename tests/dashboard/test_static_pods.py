"""Manifests on a machine's disk, as the page and the command line put, show and remove them."""

from html import unescape

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import translation

from cluster.models import Disk
from dashboard.management.commands import node
from dashboard.said import in_words
from tests.cluster.kubelet.test_static_pods import WEB, put
from tests.dashboard.saved import a_saved_cluster

pytestmark = pytest.mark.django_db(transaction=True)
TAB = {"kind": "Node", "key": "worker-1", "tab": "static"}


@pytest.fixture
def cluster():
    cluster = a_saved_cluster(nodes=2)
    put(cluster)
    put(cluster, WEB + "  serviceAccountName: me\n", "refused.yaml")
    return cluster.run_for(30)


def page(client: Client, panel: str, query: dict[str, str], language: str = "en") -> str:
    with translation.override(language):
        said = client.get(f"/view/default/panel/{panel}", query, headers={"accept-language": language})
    return unescape(said.content.decode())


@pytest.mark.usefixtures("cluster")
def test_a_node_s_page_lists_its_manifests_with_their_pods_and_what_was_refused(client: Client):
    told = page(client, "inspector", TAB)

    assert 'data-object="Pod/default/web-worker-1"' in told
    assert "static pods may not reference serviceaccounts" in told
    assert 'data-act="static-pod" data-op="remove" data-node="worker-1" data-file="web.yaml"' in told
    assert "The directory is empty." in page(client, "inspector", {**TAB, "key": "worker-2"})
    assert "Pods estáticos" in page(client, "inspector", TAB, "pt-br")


@pytest.mark.usefixtures("cluster")
def test_the_sheet_shows_a_file_as_it_is_and_an_example_for_a_new_one(client: Client):
    known = page(client, "static-pod", {"node": "worker-1", "file": "web.yaml"})
    fresh = page(client, "static-pod", {"node": "worker-1"})

    assert "labels: {app: web}" in known
    assert "readonly" in known
    assert 'value="web-2.yaml"' in fresh
    assert "name: web-2" in fresh
    assert "readonly" not in fresh


def test_the_disk_is_saved_with_the_turn(cluster):
    body = Disk.objects.get(pk=f"{cluster.world.identity}:node/worker-1").body

    assert b"/etc/kubernetes/manifests/web.yaml" in bytes(body)


def test_the_command_line_says_what_became_of_a_file():
    answer = {"node": "worker-1", "op": "add", "file": "/etc/kubernetes/manifests/a.yaml", "refused": "no"}
    command = node.Command()
    command.action = "static-pod-add"

    assert command.say(answer).splitlines() == [
        "node/worker-1: /etc/kubernetes/manifests/a.yaml written",
        "its kubelet does not take it: no",
    ]
    with pytest.raises(SystemExit):
        call_command("node", "static-pod-add", "--help")


def test_a_click_is_told_as_the_command_that_does_the_same():
    request = {"type": "static-pod", "op": "remove", "node": "worker-1", "file": "web.yaml"}

    assert in_words(request)["v"] == "python manage.py node static-pod-remove worker-1 web.yaml"


def test_a_shutdown_is_offered_while_there_is_power_and_told_as_its_command(client: Client, cluster):
    assert 'data-act="shutdown" data-node="worker-1"' in page(client, "inspector", TAB)

    cluster.act("shutdown", node="worker-1")
    cluster.run_for(40)

    assert 'data-act="shutdown"' not in page(client, "inspector", TAB)
    words = in_words({"type": "shutdown", "node": "worker-1"})
    assert (words["v"], words["short"]) == ("python manage.py node shutdown worker-1", "shutdown worker-1")
