"""Why a pod does not run, on its first tab: how its containers ended, and what each printed last."""

from html import unescape

import pytest
from django.test import Client

from tests.builders import a_pod
from tests.dashboard.saved import a_saved_cluster

pytestmark = pytest.mark.django_db(transaction=True)


def why(client: Client, pod: str, language: str = "en") -> str:
    asked = {"kind": "Pod", "key": f"default/{pod}"}
    said = client.get("/view/default/panel/inspector", asked, headers={"accept-language": language})
    return unescape(said.content.decode())


def shell(name: str, script: str, **spec: object) -> dict[str, object]:
    return a_pod(name, "busybox:1.37", command=["sh", "-c", script], **spec)


@pytest.fixture
def cluster():
    return a_saved_cluster(nodes=1)


def test_a_crashing_pod_says_its_exit_code_its_last_words_and_how_long_the_kubelet_waits(client: Client, cluster):
    cluster.create(shell("broken", "echo cannot open '<b>'; exit 3"))
    cluster.run_for(60)

    told = client.get("/view/default/panel/inspector", {"kind": "Pod", "key": "default/broken"}).content.decode()

    assert "app ended with exit code 3 (Error)." in told
    assert "cannot open &lt;b&gt;" in told
    assert "The kubelet waits 40s before the next one." in told


def test_a_pod_that_wanted_too_much_memory_says_its_limit(client: Client, cluster):
    command = ["stress", "--vm", "1", "--vm-bytes", "300M"]
    limited = {"limits": {"memory": "100Mi"}}
    cluster.create(a_pod("hungry", "polinux/stress:1.0.4", command=command, resources=limited))
    cluster.run_for(60)

    assert "app wanted more memory than its limit of 100Mi, and was killed (OOMKilled)." in why(client, "hungry")


def test_signals_missing_programs_and_broken_init_containers_are_told(client: Client, cluster):
    cluster.create(shell("ended", "exit 143"))
    cluster.create(a_pod("missing", "busybox:1.37", command=["nonesuch"]))
    init = [{"name": "first", "image": "busybox:1.37", "command": ["sh", "-c", "exit 7"]}]
    cluster.create(a_pod("waits", initContainers=init))
    cluster.run_for(60)

    assert "app was ended by the signal SIGTERM (exit code 143)." in why(client, "ended")
    assert "app could not be started (StartError, exit code 128)." in why(client, "missing")
    assert 'exec: "nonesuch": executable file not found in $PATH' in why(client, "missing")
    assert "first ended with exit code 7 (Error)." in why(client, "waits")


def test_an_image_that_is_not_there_is_told(client: Client, cluster):
    cluster.create(a_pod("unpulled", "nginx:bad"))
    cluster.run_for(60)

    told = why(client, "unpulled")
    assert "app can't start: " in told
    assert "nginx:bad" in told


def test_a_pod_that_runs_well_has_nothing_to_tell(client: Client, cluster):
    cluster.create(a_pod("fine"))
    cluster.run_for(30)

    assert 'class="ending' not in why(client, "fine")


def test_it_is_told_in_portuguese(client: Client, cluster):
    cluster.create(shell("broken", "exit 3"))
    cluster.run_for(60)

    told = why(client, "broken", "pt-br")
    assert "app terminou com código de saída 3 (Error)." in told
    assert "Reinícios:" in told
