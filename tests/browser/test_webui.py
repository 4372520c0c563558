"""web-ui in a browser: it can be used by everybody, acts through the API, and comes back with its pods."""

import contextlib
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.running import KUBECTL, ROOT, Orrery, Sight, eventually, free_port

DEPLOYMENT = "apis/apps/v1/namespaces/default/deployments/shop"
SERIOUS = ("serious", "critical")
PAGES = (
    "",
    "create",
    "api/v1/pods",
    "api/v1/pods?search=nothing-like-it",
    "apis/apps/v1/deployments?sort=-Name&wide=1",
    DEPLOYMENT,
    "api/v1/nodes/worker-1",
    "drain/worker-1",
    "api/v1/namespaces/default/pods/lonely",
    "api/v1/namespaces/default/secrets/key",
)
LONELY = """\
apiVersion: v1
kind: Pod
metadata: {name: lonely, labels: {app: lonely}}
spec:
  nodeName: worker-2
  containers:
  - {name: main, image: busybox, command: [sh, -c, "while true; do date; sleep 1; done"],
     volumeMounts: [{name: scratch, mountPath: /scratch}]}
  volumes: [{name: scratch, emptyDir: {}}]
"""
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: default}
stringData: {word: swordfish}
"""


@pytest.fixture(scope="module")
def ui(orrery: Orrery) -> str:
    """Its address, with a deployment `shop` to act on."""
    orrery.kubectl("apply", "-f", str(ROOT / "cluster/addons/webui/web-ui.yaml"))
    orrery.kubectl("create", "deployment", "shop", "--image=nginx")
    orrery.kubectl("create", "-f", "-", text=LONELY)
    orrery.kubectl("create", "-f", "-", text=SECRET)
    orrery.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/lonely")
    for where in (("-n", "kube-system", "deploy/web-ui"), ("deploy/shop",)):
        orrery.kubectl("wait", "--for=condition=Available", "--timeout=60s", *where)
    return f"{orrery.url}/clusters/default/ui/"


def shop(orrery: Orrery) -> dict:
    return json.loads(orrery.kubectl("get", "deployment", "shop", "-o", "json"))


def settled(orrery: Orrery) -> None:
    """Until nobody writes to the deployment any more."""
    orrery.kubectl("rollout", "status", "deployment/shop", "--timeout=60s")
    wanted = shop(orrery)["spec"]["replicas"]
    eventually(lambda: len(orrery.pods("shop")) == wanted, "the old pods to go", 60)


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


def test_the_menu_of_a_phone_is_opened_and_left_by_the_keyboard(ui: str, browser: Browser):
    phone = Sight(browser, 390, 844, reduced_motion="reduce")
    phone.page.goto(ui)
    phone.page.keyboard.press("Tab")
    assert phone.page.evaluate("document.activeElement.className") == "skip"
    phone.page.keyboard.press("Tab")
    phone.page.keyboard.press("Enter")
    menu = phone.page.get_by_role("navigation")
    assert menu.is_visible()
    phone.page.keyboard.press("Escape")
    assert not menu.is_visible()

    phone.page.keyboard.press("Enter")
    menu.get_by_role("link", name="Secrets").click()
    assert phone.page.inner_text("h1") == "Secrets"
    phone.close()


def test_a_pages_menus_stay_open_while_it_changes(orrery: Orrery, ui: str, sight: Sight):
    sight.page.goto(f"{ui}api/v1/namespaces/default/secrets/key")
    sight.page.click(".hidden-value summary")

    orrery.kubectl("label", "secret", "key", "seen=twice")
    eventually(lambda: "seen=twice" in sight.page.inner_text("#live"), "the label")

    assert sight.page.get_by_text("swordfish", exact=True).is_visible()


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

    sight.page.click(".choose summary")
    sight.page.check("input[name=namespace][value=kube-system]")
    sight.page.click(".choose button")

    assert sight.page.url == f"{ui}apis/apps/v1/namespaces/kube-system/deployments"
    assert "kubectl get deployments.apps -n kube-system" in sight.page.inner_text("main")
    assert "shop" not in sight.page.inner_text("#live")


def test_several_namespaces_are_one_list(ui: str, sight: Sight):
    sight.page.goto(f"{ui}apis/apps/v1/deployments")
    sight.page.click(".choose summary")
    for name in ("default", "kube-system"):
        sight.page.check(f"input[name=namespace][value={name}]")
    sight.page.click(".choose button")

    assert sight.page.url == f"{ui}apis/apps/v1/deployments?namespace=default&namespace=kube-system"
    shown = sight.page.inner_text("#live")
    assert "shop" in shown
    assert "coredns" in shown


def test_a_list_is_sorted_and_searched_and_the_address_says_so(orrery: Orrery, ui: str, sight: Sight):
    def names() -> list[str]:
        return sight.page.locator("td.name").all_inner_texts()

    sight.page.goto(f"{ui}apis/apps/v1/deployments")
    sight.page.get_by_role("columnheader", name="Name", exact=True).get_by_role("link").click()
    eventually(lambda: "sort=Name" in sight.page.url and names() == sorted(names()), "names in order")
    sight.page.click("th[aria-sort=ascending] a")
    eventually(lambda: names() == sorted(names(), reverse=True), "names in the other order")

    sight.page.fill("input[name=search]", "SHO")
    eventually(lambda: names() == ["shop"], "the search")
    assert "search=SHO" in sight.page.url
    assert sight.page.evaluate("document.activeElement.name") == "search"

    sight.page.reload()
    assert names() == ["shop"]
    sight.page.fill("input[name=search]", "no such thing")
    eventually(lambda: "Nothing fits the search." in sight.page.inner_text("#live"), "an empty list to say so")


def test_a_long_list_comes_in_pages(orrery: Orrery, ui: str, sight: Sight):
    made = "".join(f"---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: page-{n:02}}}}}\n" for n in range(60))
    orrery.kubectl("create", "-f", "-", text=made)

    sight.page.goto(f"{ui}api/v1/namespaces/default/configmaps")
    assert sight.page.locator("td.name").count() == 50
    sight.page.click("a[rel=next]")
    assert "continue=" in sight.page.url
    assert sight.page.locator("td.name", has_text="page-59").count() == 1

    sight.page.goto(f"{ui}api/v1/namespaces/default/configmaps?search=page-&sort=-Name")
    assert "60 rows, page 1 of 2" in sight.page.inner_text(".pager")
    assert sight.page.locator("td.name").first.inner_text() == "page-59"
    sight.page.click("a[rel=next]")
    assert sight.page.locator("td.name").last.inner_text() == "page-00"
    orrery.kubectl("delete", "configmaps", *(f"page-{n:02}" for n in range(60)))


def test_a_list_hears_of_a_change_and_leaves_the_reader_where_they_were(orrery: Orrery, ui: str, sight: Sight):
    sight.page.goto(f"{ui}api/v1/namespaces/default/configmaps")
    orrery.kubectl("create", "configmap", "aa-first")
    eventually(lambda: "aa-first" in sight.page.inner_text("#live"), "the new one")
    link = sight.page.get_by_role("link", name="kube-root-ca.crt")
    link.focus()
    sight.page.evaluate("window.asked = performance.getEntriesByType('resource').length")

    orrery.kubectl("create", "configmap", "ab-second")
    eventually(lambda: "ab-second" in sight.page.inner_text("#live"), "the second one")

    assert sight.page.evaluate("document.activeElement.textContent") == "kube-root-ca.crt"
    orrery.kubectl("delete", "configmaps", "aa-first", "ab-second")
    eventually(lambda: "ab-second" not in sight.page.inner_text("#live"), "them to go")


def test_a_custom_resource_is_listed_and_in_the_menu(orrery: Orrery, ui: str, sight: Sight):
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "teapots", "singular": "teapot", "kind": "Teapot"}
    spec = {"group": "tea.example", "scope": "Namespaced", "names": names, "versions": [version]}
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
    orrery.kubectl("create", "-f", "-", text=json.dumps({**crd, "metadata": {"name": "teapots.tea.example"}}))
    orrery.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd/teapots.tea.example")
    orrery.kubectl("create", "-f", "-", text="{apiVersion: tea.example/v1, kind: Teapot, metadata: {name: brown}}")

    sight.page.goto(ui)
    sight.page.get_by_role("link", name="Teapots", exact=True).click()
    sight.page.get_by_role("link", name="brown").click()

    assert sight.page.inner_text("h1") == "Teapot brown"
    orrery.kubectl("delete", "crd", "teapots.tea.example")


def test_states_have_a_colour_and_a_shape(orrery: Orrery, ui: str, sight: Sight):
    orrery.kubectl("run", "broken", "--image=nginx:bad")
    eventually(lambda: "ImagePull" in orrery.kubectl("get", "pod", "broken"), "the image not to be found")
    sight.page.goto(f"{ui}api/v1/namespaces/default/pods?search=broken")
    assert sight.page.locator(".state.fail").count() == 1
    sight.page.goto(f"{ui}api/v1/namespaces/default/pods?search=shop")
    assert sight.page.locator(".state.run").count() >= 1
    orrery.kubectl("delete", "pod", "broken", "--now")


def test_a_dry_run_comes_first_and_changes_nothing(orrery: Orrery, ui: str, sight: Sight):
    settled(orrery)
    sight.page.goto(ui + DEPLOYMENT)
    before = shop(orrery)["metadata"]["resourceVersion"]
    sight.page.click("#yaml summary")
    text = sight.page.input_value("#yaml textarea").replace("  labels:\n", "  labels:\n    dry: run\n", 1)
    sight.page.fill("#yaml textarea", text)

    sight.page.click("#yaml button[value=edit]")

    assert sight.page.inner_text(".ok") == "The API server would accept this."
    assert "+    dry: run" in sight.page.inner_text(".diff")
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
    def edit() -> None:
        sight.page.goto(ui + DEPLOYMENT)
        sight.page.click("#yaml summary")
        old = sight.page.input_value("#yaml textarea")
        sight.page.fill("#yaml textarea", old.replace("  labels:\n", "  labels:\n    tier: front\n", 1))
        sight.page.click("#yaml button[value=edit]")

    settled(orrery)
    edit()
    orrery.kubectl("annotate", "deployment", "shop", "meanwhile=yes")
    sight.page.get_by_role("button", name="Replace").click()
    assert "the object has been modified; please apply your changes to the latest version" in sight.page.inner_text(
        "[role=alert]"
    )
    sight.complaints.clear()  # Chromium's own word for a 409.

    edit()
    sight.page.get_by_role("button", name="Replace").click()
    assert "tier=front" in sight.page.inner_text("#live")
    assert shop(orrery)["metadata"]["labels"]["tier"] == "front"


def test_a_rollout_is_paused_resumed_and_taken_back(orrery: Orrery, ui: str, sight: Sight):
    before = shop(orrery)["spec"]["template"]["spec"]["containers"][0]["image"]
    sight.page.goto(ui + DEPLOYMENT)
    sight.page.click("button[value=pause]")
    eventually(lambda: 'deployment "shop" is paused' in sight.page.inner_text("#live"), "the pause")
    sight.page.click("button[value=resume]")
    orrery.kubectl("set", "image", "deployment/shop", "nginx=nginx:1.29.1")
    orrery.kubectl("rollout", "status", "deployment/shop", "--timeout=60s")
    eventually(lambda: "nginx:1.29.1" in sight.page.inner_text("#live"), "the new revision")

    sight.page.get_by_role("button", name="Roll back to this").first.click()

    assert shop(orrery)["spec"]["template"]["spec"]["containers"][0]["image"] == before
    orrery.kubectl("rollout", "status", "deployment/shop", "--timeout=60s")
    eventually(lambda: "successfully rolled out" in sight.page.inner_text("#live"), "the rollout to end")


AGENT = """\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: default}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: main, image: "nginx:1.29"}]}
"""


def test_a_daemonset_goes_back_to_a_revision_too(orrery: Orrery, ui: str, sight: Sight):
    orrery.kubectl("create", "-f", "-", text=AGENT)
    orrery.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s")
    orrery.kubectl("set", "image", "daemonset/agent", "main=nginx:1.29.1")
    orrery.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s")
    sight.page.goto(f"{ui}apis/apps/v1/namespaces/default/daemonsets/agent")
    eventually(lambda: "nginx:1.29.1" in sight.page.inner_text("#live"), "both revisions")

    sight.page.get_by_role("button", name="Roll back to this").first.click()

    found = json.loads(orrery.kubectl("get", "daemonset", "agent", "-o", "json"))
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.29"
    orrery.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s")
    assert "REVISION" in orrery.kubectl("rollout", "history", "daemonset/agent")
    orrery.kubectl("delete", "daemonset", "agent")


def test_a_paused_deployment_is_not_taken_back(orrery: Orrery, ui: str, sight: Sight):
    orrery.kubectl("create", "deployment", "halted", "--image=nginx:1.29")
    orrery.kubectl("rollout", "status", "deployment/halted", "--timeout=60s")
    orrery.kubectl("set", "image", "deployment/halted", "nginx=nginx:1.29.1")
    orrery.kubectl("rollout", "status", "deployment/halted", "--timeout=60s")
    orrery.kubectl("rollout", "pause", "deployment/halted")
    sight.page.goto(f"{ui}apis/apps/v1/namespaces/default/deployments/halted")

    sight.page.get_by_role("button", name="Roll back to this").first.click()

    assert "you cannot rollback a paused deployment; resume it first" in sight.page.inner_text("[role=alert]")
    sight.complaints.clear()  # Chromium's own word for a 409.
    orrery.kubectl("delete", "deployment", "halted")


def test_an_object_shows_what_it_owns_and_who_owns_it(orrery: Orrery, ui: str, sight: Sight):
    pod = orrery.pods("shop")[0]
    sight.page.goto(ui + DEPLOYMENT)
    sight.page.get_by_role("link", name=pod["metadata"]["name"]).first.click()

    assert "Deployment/shop" in sight.page.inner_text("#live")
    assert "worker-" in sight.page.inner_text("#live")


def test_a_secret_is_hidden_until_it_is_asked_for(ui: str, sight: Sight):
    sight.page.goto(f"{ui}api/v1/namespaces/default/secrets/key")
    value = sight.page.get_by_text("swordfish", exact=True)
    assert not value.is_visible()

    sight.page.click(".hidden-value summary")
    assert value.is_visible()


def test_a_services_endpoints_and_a_nodes_promises_are_there(orrery: Orrery, ui: str, sight: Sight):
    orrery.kubectl("expose", "deployment", "shop", "--port=80")
    address = orrery.pods("shop")[0]["status"]["podIP"]
    sight.page.goto(f"{ui}api/v1/namespaces/default/services/shop")
    eventually(lambda: address in sight.page.inner_text("#live"), "its endpoint")

    sight.page.goto(f"{ui}api/v1/nodes/worker-2")
    shown = sight.page.inner_text("#live")
    assert "Allocated resources" in shown
    assert "lonely" in shown
    orrery.kubectl("delete", "service", "shop")


def test_a_cronjob_runs_now_and_is_suspended(orrery: Orrery, ui: str, sight: Sight):
    orrery.kubectl("create", "cronjob", "tick", "--image=busybox", "--schedule=0 0 1 1 *", "--", "date")
    sight.page.goto(f"{ui}apis/batch/v1/namespaces/default/cronjobs/tick")
    sight.page.click("button[value=suspend]")
    assert json.loads(orrery.kubectl("get", "cronjob", "tick", "-o", "json"))["spec"]["suspend"] is True
    sight.page.click("button[value=run]")

    assert sight.page.inner_text("h1") == "Job tick-manual-1"
    job = json.loads(orrery.kubectl("get", "job", "tick-manual-1", "-o", "json"))
    assert job["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    orrery.kubectl("wait", "--for=condition=Complete", "--timeout=60s", "job/tick-manual-1")
    eventually(lambda: "Complete" in sight.page.inner_text("#live"), "the page to hear of its end")
    orrery.kubectl("delete", "cronjob", "tick")


def test_an_autoscalers_bounds_are_set(orrery: Orrery, ui: str, sight: Sight):
    orrery.kubectl("autoscale", "deployment", "shop", "--min=1", "--max=3", "--cpu=80%")
    sight.page.goto(f"{ui}apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/shop")
    sight.page.fill("input[name=max]", "4")
    sight.page.click("button[value=bounds]")

    assert json.loads(orrery.kubectl("get", "hpa", "shop", "-o", "json"))["spec"]["maxReplicas"] == 4
    orrery.kubectl("delete", "hpa", "shop")


def test_a_log_is_followed_searched_and_kept(orrery: Orrery, ui: str, sight: Sight):
    sight.page.goto(f"{ui}api/v1/namespaces/default/pods/lonely")
    before = len(sight.page.inner_text("#log").splitlines())
    eventually(lambda: len(sight.page.inner_text("#log").splitlines()) > before + 1, "two more lines")

    sight.page.uncheck("#log-follow")
    sight.page.fill("#log-search", "no such line")
    assert sight.page.inner_text("#log-found") == "0 lines"
    with sight.page.expect_download() as download:
        sight.page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "lonely-main.log"


def test_a_shell_in_a_container_keeps_its_place_until_it_exits(orrery: Orrery, ui: str, sight: Sight):
    sight.page.goto(f"{ui}api/v1/namespaces/default/pods/lonely")
    the_shell_works(sight)


def the_shell_works(sight: Sight) -> None:
    sight.page.get_by_role("button", name="Connect", exact=True).click()
    field = sight.page.locator("input[name=line]")
    eventually(field.is_enabled, "the connection")
    for line in ("cd /scratch", "pwd"):
        field.fill(line)
        field.press("Enter")
    eventually(lambda: "$ pwd\n/scratch\n" in sight.page.locator("#terminal output").inner_text(), "the directory")
    field.press("ArrowUp")
    assert field.input_value() == "pwd"
    field.fill("exit 3")
    field.press("Enter")
    ended = "command terminated with non-zero exit code"
    eventually(lambda: ended in sight.page.locator("#terminal output").inner_text(), "the shell's exit code")
    eventually(lambda: not field.is_enabled(), "the end of the connection")


def test_a_shell_is_refused_in_the_apis_words(orrery: Orrery, ui: str, sight: Sight):
    role = json.loads(orrery.kubectl("get", "clusterrole", "web-ui", "-o", "json"))
    fewer = {**role, "rules": [rule for rule in role["rules"] if "pods/exec" not in rule["resources"]]}
    orrery.kubectl("replace", "-f", "-", text=json.dumps({**fewer, "metadata": {"name": "web-ui"}}))
    sight.page.goto(f"{ui}api/v1/namespaces/default/pods/lonely")

    sight.page.get_by_role("button", name="Connect", exact=True).click()

    refused = 'cannot create resource "pods/exec" in API group "" in the namespace "default"'
    eventually(lambda: refused in sight.page.locator("#terminal output").inner_text(), "the refusal")
    orrery.kubectl("replace", "-f", "-", text=json.dumps({**role, "metadata": {"name": "web-ui"}}))


def test_metrics_are_there_and_their_absence_is_told(orrery: Orrery, ui: str, sight: Sight):
    sight.page.goto(f"{ui}api/v1/nodes/worker-1")
    eventually(lambda: "Mi (" in sight.page.inner_text("#live"), "what the node uses")
    assert "the add-on prometheus does not answer" in sight.page.inner_text("#lately")

    orrery.kubectl("apply", "-f", str(ROOT / "cluster/addons/monitoring/prometheus.yaml"))
    orrery.kubectl("-n", "kube-system", "wait", "--for=condition=Available", "--timeout=60s", "deploy/prometheus")
    sight.page.goto(f"{ui}api/v1/nodes/worker-1")
    eventually(lambda: sight.page.locator("#plot-memory canvas").count() == 1, "the chart")
    orrery.kubectl("delete", "-f", str(ROOT / "cluster/addons/monitoring/prometheus.yaml"))


def test_a_node_is_cordoned_and_uncordoned(orrery: Orrery, ui: str, sight: Sight):
    sight.page.goto(f"{ui}api/v1/nodes/worker-1")

    sight.page.click("button[value=cordon]")
    assert "SchedulingDisabled" in orrery.kubectl("get", "node", "worker-1")
    sight.page.click("button[value=uncordon]")
    assert "SchedulingDisabled" not in orrery.kubectl("get", "node", "worker-1")


def test_a_drain_asks_first_waits_for_the_budget_and_ends(orrery: Orrery, ui: str, sight: Sight):
    orrery.kubectl("create", "poddisruptionbudget", "lonely", "--selector=app=lonely", "--min-available=1")
    budget = ("get", "pdb", "lonely", "-o", "jsonpath={.status.currentHealthy}")
    eventually(lambda: orrery.kubectl(*budget) == "1", "the budget to know its pod")
    sight.page.goto(f"{ui}api/v1/nodes/worker-2")
    sight.page.get_by_role("link", name="Drain…").click()
    assert "evicted, and its emptyDir is lost" in sight.page.inner_text("#live")

    sight.page.click("button[value=drain]")
    refused = sight.page.inner_text("[role=alert]")
    assert "cannot delete Pods with local storage (use --delete-emptydir-data to override): default/lonely" in refused
    assert "cannot delete Pods that declare no controller (use --force to override): default/lonely" in refused
    assert "SchedulingDisabled" in orrery.kubectl("get", "node", "worker-2")

    sight.page.check("input[name=emptydir]")
    sight.page.check("input[name=force]")
    sight.page.fill("input[name=grace]", "1")
    sight.page.click("button[value=drain]")
    said = "(will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget."
    assert said in sight.page.inner_text("#live")

    orrery.kubectl("delete", "poddisruptionbudget", "lonely")
    eventually(lambda: "node/worker-2 drained" in sight.page.inner_text("#live"), "the drain to end", 60)
    left = json.loads(orrery.kubectl("get", "pods", "-A", "--field-selector=spec.nodeName=worker-2", "-o", "json"))
    assert {each["metadata"]["ownerReferences"][0]["kind"] for each in left["items"]} <= {"DaemonSet"}
    orrery.kubectl("uncordon", "worker-2")
    sight.complaints.clear()  # Chromium's own word for a 503, if web-ui's own pod was on that node.


def test_what_is_made_from_yaml_shows_in_a_list_by_itself_and_is_deleted_by_name(
    orrery: Orrery, ui: str, browser: Browser, sight: Sight
):
    sight.page.goto(f"{ui}api/v1/namespaces/default/configmaps")
    other = Sight(browser)
    other.page.goto(ui + "create")
    other.page.fill("textarea", "kind: ConfigMap\n  metadata: {}")
    other.page.click("main button")
    assert "line 2, column 11: mapping values are not allowed" in other.page.inner_text("main")
    other.page.fill("textarea", "{apiVersion: v1, kind: ConfigMap, metadata: {name: made-here}}")
    other.page.click("main button")
    assert "configmap/made-here created" in other.page.inner_text("ul.ok")
    other.close()

    sight.page.get_by_role("link", name="made-here").click()
    sight.page.click("summary.danger")
    sight.page.get_by_role("button", name="Delete ConfigMap made-here").click()

    assert sight.page.inner_text("h1") == "ConfigMaps"
    assert "made-here" not in orrery.kubectl("get", "configmaps", "-o", "name")


def test_what_its_account_may_not_is_refused_in_the_apis_words(ui: str, sight: Sight):
    sight.page.goto(f"{ui}apis/rbac.authorization.k8s.io/v1/clusterroles/view")
    sight.page.click("summary.danger")
    sight.page.click("button[value=delete]")

    said = sight.page.inner_text("[role=alert]")
    assert 'User "system:serviceaccount:kube-system:web-ui" cannot delete resource "clusterroles"' in said
    sight.complaints.clear()  # Chromium's own word for a 403.


def test_an_open_page_is_refused_with_its_accounts_rights_and_returns_with_them(orrery: Orrery, ui: str, sight: Sight):
    binding = orrery.kubectl("get", "clusterrolebinding", "web-ui", "-o", "json")
    sight.page.goto(f"{ui}api/v1/namespaces/default/configmaps")
    orrery.kubectl("delete", "clusterrolebinding", "web-ui")
    orrery.kubectl("create", "configmap", "unseen")  # An open watch goes on, as the real one's; its news are asked for.
    said = 'User "system:serviceaccount:kube-system:web-ui" cannot list resource "configmaps" in API group ""'
    eventually(lambda: said in sight.page.inner_text("#live"), "the refusal")

    sight.page.goto(f"{ui}api/v1/nodes/worker-1")
    assert 'cannot get resource "nodes"' in sight.page.inner_text("[role=alert]")
    orrery.kubectl("create", "-f", "-", text=binding)
    eventually(lambda: "Allocated resources" in sight.page.inner_text("#live"), "the page to return")
    orrery.kubectl("delete", "configmap", "unseen")
    sight.complaints.clear()  # Chromium's own word for a 403.


def test_a_drain_without_the_right_to_evict_ends_with_the_apis_words(orrery: Orrery, ui: str, sight: Sight):
    role = json.loads(orrery.kubectl("get", "clusterrole", "web-ui", "-o", "json"))
    fewer = {**role, "rules": [rule for rule in role["rules"] if "pods/eviction" not in rule["resources"]]}
    orrery.kubectl("replace", "-f", "-", text=json.dumps({**fewer, "metadata": {"name": "web-ui"}}))

    sight.page.goto(f"{ui}drain/worker-3")
    sight.page.check("input[name=emptydir]")
    sight.page.check("input[name=force]")
    sight.page.click("button[value=drain]")

    refused = 'cannot create resource "pods/eviction" in API group "" in the namespace'
    assert refused in sight.page.inner_text("[role=alert]")
    orrery.kubectl("replace", "-f", "-", text=json.dumps({**role, "metadata": {"name": "web-ui"}}))
    orrery.kubectl("uncordon", "worker-3")


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


# --- as real users reach it ---------------------------------------------------------------------------------------


def test_the_api_servers_service_proxy_leads_to_the_same_pages(orrery: Orrery, ui: str, sight: Sight):
    proxied = f"{orrery.url}/clusters/default/api/v1/namespaces/kube-system/services/http:web-ui:/proxy"
    sight.page.goto(proxied)
    assert sight.page.url == f"{proxied}/"

    sight.page.get_by_role("link", name="Deployments", exact=True).first.click()
    sight.page.get_by_role("link", name="shop").click()
    assert sight.page.url == f"{proxied}/{DEPLOYMENT}"
    sight.page.fill("input[name=replicas]", "1")
    sight.page.click("button[value=scale]")

    assert shop(orrery)["spec"]["replicas"] == 1
    sight.page.click("button:has-text('PT')")
    assert "Ações" in sight.page.inner_text("main")
    assert sight.page.url == f"{proxied}/{DEPLOYMENT}"


@contextlib.contextmanager
def kubectl_that_stays(orrery: Orrery, *arguments: str) -> Iterator[None]:
    """A kubectl that serves a port until we are done; it is there when it says so."""
    command = [str(KUBECTL), "--kubeconfig", str(orrery.home / "kubeconfig"), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield
        finally:
            process.terminate()


def test_a_shell_goes_through_the_service_proxy_too(orrery: Orrery, ui: str, sight: Sight):
    lonely = LONELY.replace("lonely", "lonelier").replace("worker-2", "worker-1")
    orrery.kubectl("create", "-f", "-", text=lonely)
    orrery.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/lonelier")
    proxied = f"{orrery.url}/clusters/default/api/v1/namespaces/kube-system/services/http:web-ui:/proxy/"

    sight.page.goto(f"{proxied}api/v1/namespaces/default/pods/lonelier")

    the_shell_works(sight)


def test_kubectl_port_forward_brings_the_pages_to_a_port_of_ones_own(orrery: Orrery, ui: str, sight: Sight):
    port = free_port()
    with kubectl_that_stays(orrery, "port-forward", "-n", "kube-system", "svc/web-ui", f"{port}:80"):
        sight.page.goto(f"http://127.0.0.1:{port}/api/v1/namespaces/default/configmaps")
        orrery.kubectl("create", "configmap", "forwarded")
        eventually(lambda: "forwarded" in sight.page.inner_text("#live"), "the change, through the port")

        sight.page.get_by_role("link", name="forwarded").click()
        sight.page.click("summary.danger")
        sight.page.get_by_role("button", name="Delete ConfigMap forwarded").click()
        assert sight.page.url == f"http://127.0.0.1:{port}/api/v1/namespaces/default/configmaps"
        assert "forwarded" not in orrery.kubectl("get", "configmaps", "-o", "name")
        sight.page.goto("about:blank")


def test_a_page_of_another_name_gets_nothing_from_a_forwarded_port(orrery: Orrery, ui: str):
    """Nor does one that had its name resolved to us."""
    port = free_port()
    with kubectl_that_stays(orrery, "port-forward", "-n", "kube-system", "svc/web-ui", f"{port}:80"):
        for path in ("", "live?of=api/v1/secrets", "api/v1/secrets"):
            request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", headers={"Host": "elsewhere.example"})
            with pytest.raises(urllib.error.HTTPError, match="400"):
                urllib.request.urlopen(request)


def test_kubectl_proxy_leads_there_too(orrery: Orrery, ui: str, sight: Sight):
    port = free_port()
    with kubectl_that_stays(orrery, "proxy", "--append-server-path", f"--port={port}"):
        sight.page.goto(f"http://127.0.0.1:{port}/api/v1/namespaces/kube-system/services/http:web-ui:/proxy/")
        sight.page.get_by_role("link", name="Nodes", exact=True).first.click()
        assert "worker-1" in sight.page.inner_text("#live")
        assert sight.page.evaluate("getComputedStyle(document.querySelector('.card')).borderStyle") == "solid"
        sight.page.goto("about:blank")


def test_who_may_not_use_the_proxy_is_refused_by_the_api(orrery: Orrery, ui: str):
    path = "/api/v1/namespaces/kube-system/services/http:web-ui:/proxy/"
    command = [str(KUBECTL), "--kubeconfig", str(orrery.home / "kubeconfig"), "get", "--raw", path, "--as", "nobody"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert done.returncode != 0
    assert 'User "nobody" cannot get resource "services/proxy"' in done.stderr
