"""web-ui: the cluster's own page lives with its pods, and sees what its ServiceAccount may see."""

from html import unescape

import pytest
from django.test import Client

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

    assert '<th scope="col">Up-to-date</th>' in page
    path = "/clusters/default/ui/apis/apps/v1/namespaces/kube-system/deployments/web-ui"
    assert f'<a href="{path}">web-ui</a>' in page
    assert "kind: Deployment" in client.get(path).content.decode()


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
