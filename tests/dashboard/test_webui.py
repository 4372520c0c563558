"""web-ui: the cluster's own page lives with its pods, and sees what its ServiceAccount may see."""

import re
from html import unescape
from urllib.parse import urljoin

import pytest
from django.test import Client

from tests.builders import a_pod
from tests.dashboard.saved import a_saved_cluster

pytestmark = pytest.mark.django_db(transaction=True)
PLAIN = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}


@pytest.fixture(autouse=True)
def _files_under_their_plain_names(settings):
    settings.STORAGES = {**settings.STORAGES, "staticfiles": PLAIN}


@pytest.fixture
def cluster():
    return a_saved_cluster(nodes=1, addons=["kube-proxy", "web-ui"]).run_for(60)


def deployment(cluster):
    return cluster.get("Deployment", "web-ui", "kube-system")


def test_a_list_is_the_apis_own_table(client: Client, cluster):
    assert "deployments.apps" in client.get("/clusters/default/ui/").content.decode()

    page = client.get("/clusters/default/ui/apis/apps/v1/deployments").content.decode()

    assert ">Up-to-date</a></th>" in page
    path = "apis/apps/v1/namespaces/kube-system/deployments/web-ui"
    assert f'<a href="../../../{path}">web-ui</a>' in page
    assert "kind: Deployment" in client.get(f"/clusters/default/ui/{path}").content.decode()


def test_every_kind_that_is_served_can_be_listed_and_its_objects_shown(client: Client, cluster):
    overview = client.get("/clusters/default/ui/").content.decode()
    lists = {f"/clusters/default/ui/{path}" for path in re.findall(r'href="./(api[^"]+)"', overview)}
    assert len(lists) > 50

    for path in sorted(lists):
        page = client.get(path)
        assert page.status_code == 200, path
        for first in re.findall(r'<td[^>]*><a href="([^"]+)"', page.content.decode())[:1]:
            assert client.get(urljoin(path, unescape(first))).status_code == 200, first


def test_what_the_api_does_not_understand_is_told_in_its_words(client: Client, cluster):
    answer = client.get("/clusters/default/ui/api/v1/pods", {"labelSelector": "a in"})

    assert answer.status_code == 400
    assert "unable to parse requirement" in unescape(answer.content.decode())


def test_without_pods_it_is_503_and_it_returns_with_them(client: Client, cluster):
    cluster.scale(deployment(cluster), 0)
    cluster.run_for(60)
    gone = client.get("/clusters/default/ui/")
    assert (gone.status_code, gone.content) == (503, b'no endpoints available for service "web-ui"\n')
    assert client.get("/view/default/").status_code == 200

    cluster.scale(deployment(cluster), 1)
    cluster.run_for(60)
    assert client.get("/clusters/default/ui/").status_code == 200


def test_without_its_binding_the_apis_refusal_is_shown(client: Client, cluster):
    cluster.delete(cluster.get("ClusterRoleBinding", "web-ui", ""))
    cluster.run_for(1)

    answer = client.get("/clusters/default/ui/api/v1/namespaces/default/pods")

    assert answer.status_code == 403
    refused = 'User "system:serviceaccount:kube-system:web-ui" cannot list resource "pods" in API group ""'
    assert refused in unescape(answer.content.decode())


def test_a_deleted_account_acts_no_more(client: Client, cluster):
    cluster.delete(cluster.get("ServiceAccount", "web-ui", "kube-system"))
    cluster.run_for(1)

    answer = client.get("/clusters/default/ui/api/v1/pods")

    assert (answer.status_code, "Unauthorized" in answer.content.decode()) == (401, True)


def test_it_acts_as_the_account_that_its_pod_runs_as(client: Client, cluster):
    cluster.patch(deployment(cluster), {"spec": {"template": {"spec": {"serviceAccountName": "default"}}}})
    cluster.run_for(60)

    answer = client.get("/clusters/default/ui/api/v1/pods")

    assert "system:serviceaccount:kube-system:default" in unescape(answer.content.decode())


def test_a_pod_whose_machine_has_no_power_is_503_without_an_error_in_the_log(client: Client, cluster, caplog):
    cluster.power_off("worker-1")
    cluster.run_for(1)

    gone = client.get("/clusters/default/ui/")

    assert (gone.status_code, b"no route to host" in gone.content) == (503, True)
    assert caplog.records == []


def test_another_program_behind_its_service_is_not_web_ui(client: Client, cluster):
    image = "docker.io/library/nginx:1.29"
    ports = [{"name": "http", "containerPort": 80}]
    spec = {"containers": [{"name": "web-ui", "image": image, "ports": ports}]}
    cluster.patch(deployment(cluster), {"spec": {"template": {"spec": spec}}})
    cluster.run_for(60)

    answer = client.get("/clusters/default/ui/")

    assert (answer.status_code, b"does not run dashboard" in answer.content) == (503, True)


def test_whoever_sees_a_secret_here_sees_it_on_orrerys_own_page_too(client: Client, cluster):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": "default"}}
    cluster.with_objects({**secret, "stringData": {"word": "swordfish"}}).run_for(1)

    here = client.get("/clusters/default/ui/api/v1/namespaces/default/secrets/key").content.decode()
    there = client.get("/view/default/panel/inspector", {"kind": "Secret", "key": "default/key", "tab": "yaml"})

    assert "c3dvcmRmaXNo" in here
    assert "c3dvcmRmaXNo" in there.content.decode()


def test_what_is_as_it_was_is_not_sent_again(client: Client, cluster):
    htmx = {"HX-Request": "true"}
    path = "/clusters/default/ui/apis/rbac.authorization.k8s.io/v1/clusterroles/web-ui"
    part = client.get(path, headers=htmx)
    seen = part.content.decode().rpartition('id="seen"')[2].partition('value="')[2].partition('"')[0]

    assert "<html" not in part.content.decode()
    assert client.get(path, {"seen": seen}, headers=htmx).status_code == 204


def test_a_reader_of_portuguese_reads_portuguese(client: Client, cluster):
    page = client.get("/clusters/default/ui/", headers={"Accept-Language": "pt-BR"}).content.decode()

    assert "Visão geral" in page
    assert "1 de 1 bem" in page


def test_a_write_without_the_token_of_the_page_is_refused(cluster):
    strict = Client(enforce_csrf_checks=True)
    for path in ("create", "apis/apps/v1/namespaces/kube-system/deployments/web-ui"):
        assert strict.post(f"/clusters/default/ui/{path}", {"do": "delete"}).status_code == 403


@pytest.mark.parametrize("path", ["nonsense", "api/v1/watch/pods", "api/v1/namespaces/a/pods/b/exec", "apis/apps"])
def test_what_is_no_list_and_no_object_is_404(client: Client, cluster, path: str):
    assert client.get(f"/clusters/default/ui/{path}").status_code == 404


def test_the_menu_of_clusters_leads_to_it_where_it_is(client: Client, cluster):
    link = 'href="/clusters/default/ui/"'
    assert link in client.get("/view/default/panel/clusters").content.decode()

    cluster.delete(cluster.get("Service", "web-ui", "kube-system"))
    cluster.run_for(1)

    assert link not in client.get("/view/default/panel/clusters").content.decode()
    assert client.get("/clusters/default/ui/").content == b'services "web-ui" not found\n'


def test_a_container_that_ended_says_its_exit_code_while_it_waits(client: Client, cluster):
    cluster.create(a_pod("broken", "busybox:1.37", command=["sh", "-c", "exit 3"]))
    cluster.run_for(30)

    page = client.get("/clusters/default/ui/api/v1/namespaces/default/pods/broken").content.decode()

    assert "CrashLoopBackOff (before: Error, exit code 3)" in page
