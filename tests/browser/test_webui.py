"""web-ui in a browser: it can be used by everybody, acts through the API, and comes back with its pods."""

import json
import urllib.error
import urllib.parse
import urllib.request

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.running import ROOT, Orrery, Sight, eventually

DEPLOYMENT = "apis/apps/v1/namespaces/default/deployments/shop"
SERIOUS = ("serious", "critical")
PAGES = ("", "create", "api/v1/pods", "apis/apps/v1/deployments", DEPLOYMENT, "api/v1/nodes/worker-1")


@pytest.fixture(scope="module")
def ui(orrery: Orrery) -> str:
    """Its address, with a deployment `shop` to act on."""
    orrery.kubectl("apply", "-f", str(ROOT / "cluster/addons/webui/web-ui.yaml"))
    orrery.kubectl("create", "deployment", "shop", "--image=nginx")
    for where in (("-n", "kube-system", "deploy/web-ui"), ("deploy/shop",)):
        orrery.kubectl("wait", "--for=condition=Available", "--timeout=60s", *where)
    return f"{orrery.url}/clusters/default/ui/"


def shop(orrery: Orrery) -> dict:
    return json.loads(orrery.kubectl("get", "deployment", "shop", "-o", "json"))


@pytest.fixture(params=["light", "dark"])
def theme(request) -> str:
    return request.param


@pytest.fixture(params=[(1280, 720), (390, 844)], ids=["laptop", "phone"])
def tab(request, browser: Browser, theme: str):
    width, height = request.param
    language = "pt-BR" if width < 600 else "en-US"
    tab = Sight(browser, width, height, color_scheme=theme, locale=language, reduced_motion="reduce")
    yield tab
    tab.close()
    assert tab.complaints == []


@pytest.mark.parametrize("path", PAGES)
def test_every_page_fits_and_can_be_used_by_everybody(ui: str, tab: Sight, path: str):
    tab.page.goto(ui + path)

    assert not tab.page.evaluate("document.documentElement.scrollWidth > innerWidth")
    found = Axe().run(tab.page).response["violations"]
    assert [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found if v["impact"] in SERIOUS] == []


def test_the_log_of_a_pod_is_there_with_its_kubectl_line(orrery: Orrery, ui: str, sight: Sight):
    pod = orrery.pods("shop")[0]["metadata"]["name"]

    sight.page.goto(f"{ui}api/v1/namespaces/default/pods/{pod}")

    assert "start worker process" in sight.page.inner_text(".log")
    assert f"kubectl logs {pod} -c nginx --tail=100" in sight.page.inner_text("main")
    sight.page.check("input[name=previous]")
    sight.page.click("form:has([name=previous]) button")
    assert f'previous terminated container "nginx" in pod "{pod}" not found' in sight.page.inner_text("[role=alert]")


def test_a_namespace_is_chosen_for_a_list(ui: str, sight: Sight):
    sight.page.goto(f"{ui}apis/apps/v1/deployments")

    sight.page.select_option("select[name=namespace]", "kube-system")
    sight.page.click(".filter button")

    assert sight.page.url == f"{ui}apis/apps/v1/namespaces/kube-system/deployments"
    assert "kubectl get deployments.apps -n kube-system" in sight.page.inner_text("main")
    assert "shop" not in sight.page.inner_text("#live")


def test_a_dry_run_changes_nothing(orrery: Orrery, ui: str, sight: Sight):
    orrery.kubectl("rollout", "status", "deployment/shop", "--timeout=60s")
    sight.page.goto(ui + DEPLOYMENT)
    before = shop(orrery)["metadata"]["resourceVersion"]
    sight.page.click("summary:has(h2)")
    text = sight.page.input_value("textarea[name=yaml]").replace("  labels:\n", "  labels:\n    dry: run\n", 1)
    sight.page.fill("textarea[name=yaml]", text)
    sight.page.check("input[name=dry]")

    sight.page.click("button[value=edit]")

    assert sight.page.inner_text("[role=status]") == "The API server would accept this."
    assert shop(orrery)["metadata"]["resourceVersion"] == before


def test_health_counts_what_is_not_well(orrery: Orrery, ui: str, sight: Sight):
    orrery.kubectl("create", "job", "fails", "--image=busybox", "--", "false")
    orrery.kubectl("patch", "job", "fails", "-p", '{"spec": {"activeDeadlineSeconds": 1}}')
    orrery.kubectl("wait", "--for=condition=Failed", "--timeout=60s", "job/fails")

    sight.page.goto(ui)

    assert "0 of 1 well" in sight.page.inner_text(".health li:has-text('Jobs')")
    orrery.kubectl("delete", "job", "fails")


def test_scaling_and_restarting_are_its_accounts_doing(orrery: Orrery, ui: str, sight: Sight):
    sight.page.goto(ui + DEPLOYMENT)

    sight.page.fill("input[name=replicas]", "2")
    sight.page.click("button[value=scale]")
    sight.page.click("button[value=restart]")

    found = json.loads(orrery.kubectl("get", "deployment", "shop", "-o", "json", "--show-managed-fields"))
    assert found["spec"]["replicas"] == 2
    assert "kubectl.kubernetes.io/restartedAt" in found["spec"]["template"]["metadata"]["annotations"]
    assert "dashboard" in {each["manager"] for each in found["metadata"]["managedFields"]}


def test_an_edit_goes_through_and_a_late_one_is_told_of_the_conflict(orrery: Orrery, ui: str, sight: Sight):
    def edit(text: str) -> None:
        field = sight.page.locator("textarea[name=yaml]")
        field.fill(text)
        sight.page.click("button[value=edit]")

    orrery.kubectl("rollout", "status", "deployment/shop", "--timeout=60s")  # Nobody else writes any more.
    sight.page.goto(ui + DEPLOYMENT)
    sight.page.click("summary:has(h2)")
    old = sight.page.input_value("textarea[name=yaml]")
    orrery.kubectl("annotate", "deployment", "shop", "meanwhile=yes")
    edit(old.replace("  labels:\n", "  labels:\n    tier: front\n", 1))
    assert "the object has been modified; please apply your changes to the latest version" in sight.page.inner_text(
        "[role=alert]"
    )
    sight.complaints.clear()  # Chromium's own word for a 409.

    sight.page.goto(ui + DEPLOYMENT)
    sight.page.click("summary:has(h2)")
    edit(sight.page.input_value("textarea[name=yaml]").replace("  labels:\n", "  labels:\n    tier: front\n", 1))
    assert "tier=front" in sight.page.inner_text("#live")
    assert shop(orrery)["metadata"]["labels"]["tier"] == "front"


def test_a_node_is_cordoned_and_uncordoned(orrery: Orrery, ui: str, sight: Sight):
    sight.page.goto(f"{ui}api/v1/nodes/worker-1")

    sight.page.click("button[value=cordon]")
    assert "SchedulingDisabled" in orrery.kubectl("get", "node", "worker-1")
    sight.page.click("button[value=uncordon]")
    assert "SchedulingDisabled" not in orrery.kubectl("get", "node", "worker-1")


def test_what_is_made_from_yaml_shows_in_a_list_by_itself_and_is_deleted_by_name(
    orrery: Orrery, ui: str, browser: Browser, sight: Sight
):
    sight.page.goto(f"{ui}api/v1/namespaces/default/configmaps")
    other = Sight(browser)
    other.page.goto(ui + "create")
    other.page.fill("textarea", "{apiVersion: v1, kind: ConfigMap, metadata: {name: made-here}}")
    other.page.click("main button")
    assert "configmaps/made-here created" in other.page.inner_text("[role=status]")
    other.close()

    sight.page.get_by_role("link", name="made-here").click()
    sight.page.click("summary.danger")
    sight.page.get_by_role("button", name="Delete ConfigMap made-here").click()

    assert sight.page.inner_text("h1") == "configmaps"
    assert "made-here" not in orrery.kubectl("get", "configmaps", "-o", "name")


def test_what_its_account_may_not_is_refused_in_the_apis_words(ui: str, sight: Sight):
    sight.page.goto(f"{ui}apis/rbac.authorization.k8s.io/v1/clusterroles/view")
    sight.page.click("summary.danger")
    sight.page.click("button[value=delete]")

    said = sight.page.inner_text("[role=alert]")
    assert 'User "system:serviceaccount:kube-system:web-ui" cannot delete resource "clusterroles"' in said
    sight.complaints.clear()  # Chromium's own word for a 403.


def test_scaled_to_nothing_it_is_503_and_an_open_list_returns_by_itself(orrery: Orrery, ui: str, sight: Sight):
    sight.page.goto(f"{ui}apis/apps/v1/namespaces/kube-system/deployments")
    assert "coredns" in sight.page.inner_text("#live")

    orrery.kubectl("-n", "kube-system", "scale", "deployment", "web-ui", "--replicas=0")
    eventually(lambda: "no endpoints available" in sight.page.inner_text("#live"), "the list to say that it is gone")
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(ui)
    assert urllib.request.urlopen(f"{orrery.url}/view/default/").status == 200

    orrery.kubectl("-n", "kube-system", "scale", "deployment", "web-ui", "--replicas=1")
    eventually(lambda: "coredns" in sight.page.inner_text("#live"), "the list to come back")
    sight.complaints.clear()  # Chromium's own word for each 503.


def test_a_write_needs_the_token_of_its_page(orrery: Orrery, ui: str):
    body = urllib.parse.urlencode({"do": "delete"}).encode()

    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(ui + DEPLOYMENT, body)

    assert shop(orrery)["metadata"]["name"] == "shop"
