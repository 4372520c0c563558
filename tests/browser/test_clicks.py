"""What clicks do, seen on the page and with kubectl."""

import json

import pytest
from playwright.sync_api import Browser

from tests.browser.running import Orrery, Sight


@pytest.fixture(autouse=True)
def _running(orrery: Orrery, sight: Sight):
    sight.open(orrery.url)
    yield
    orrery.manage("clock", "resume")
    orrery.manage("clock", "speed", "1")


def said(sight: Sight, line: str) -> None:
    sight.until(f"document.querySelector('#said').innerText.includes({line!r})", f"the line {line!r}")


def test_a_sample_is_applied_and_runs(orrery: Orrery, sight: Sight):
    page = sight.page
    page.click(".sample >> nth=0")
    page.click("#sheet button.pri")
    sight.until("document.querySelector('#sheet .ok') !== null", "the answer")

    assert page.inner_text("#sheet .ok").split() == [
        "deployment.apps/web",
        "created",
        "service/web",
        "created",
    ]
    said(sight, "kubectl apply -f web.yaml")
    page.keyboard.press("Escape")
    running = "window.__orrery.state().pods.filter(p => p.k.startsWith('default/web-') && p.s === 'run').length"
    sight.until(f"{running} === 4", "four pods to run")

    page.click("#w-default-web [aria-label='One less']")
    said(sight, "kubectl scale deployment web --replicas=3")
    sight.until(f"{running} === 3", "one pod less")
    assert len(orrery.pods("web")) >= 3
    orrery.kubectl("delete", "deployment,service", "web")


def test_quick_clicks_on_plus_all_count(orrery: Orrery, sight: Sight):
    before = int(sight.page.inner_text("#w-default-hello output"))
    sight.page.evaluate(
        "() => { for (let i = 0; i < 3; i++) document.querySelector('#w-default-hello [data-scale-up]').click() }"
    )

    said(sight, f"kubectl scale deployment hello --replicas={before + 3}")
    orrery.kubectl("scale", "deployment", "hello", f"--replicas={before}")


def test_a_mistake_in_yaml_is_told_with_its_line(sight: Sight):
    page = sight.page
    page.click("[data-sheet=apply].pri")
    sight.until("document.querySelector('#sheet textarea') !== null", "the sheet")
    page.fill("#sheet textarea", "kind: Pod\nmetadata: [1\nspec: {}")
    page.click("#sheet button.pri")
    sight.until("document.querySelector('#sheet .error') !== null", "the answer")

    assert page.inner_text("#sheet .error").startswith("line 3, column 5:")
    sight.complaints = [text for text in sight.complaints if "422" not in text]


def test_the_clock_stops_and_goes_step_by_step(sight: Sight):
    page = sight.page
    page.click("#play")
    sight.until("window.__orrery.state().clock.paused", "the clock to stop")
    before = sight.state()["clock"]["step"]

    page.click("#step")
    sight.until(f"window.__orrery.state().clock.step > {before}", "one step")
    assert sight.state()["clock"]["step"] == before + 1
    page.click("#play")
    sight.until("!window.__orrery.state().clock.paused", "the clock to go on")


def test_a_speed_is_chosen_from_the_menu(sight: Sight):
    sight.page.click("#speed")
    sight.page.click("[data-speed='10']")

    sight.until("window.__orrery.state().clock.speed === 10", "ten times as fast")
    said(sight, "python manage.py clock speed 10")


def test_a_node_is_cordoned_drained_and_opened_again(orrery: Orrery, sight: Sight):
    page = sight.page
    for deed in ("cordon", "uncordon"):
        page.click("[data-node-menu='worker-1']")
        page.click(f"#node-menu [data-act={deed}]")
        said(sight, f"kubectl {deed} worker-1")
    page.click("[data-node-menu='worker-1']")
    page.click("#node-menu [data-act=drain]")
    said(sight, "kubectl drain worker-1")
    leaves = "p.n === 'worker-1' && p.s !== 'term' && !p.k.includes('kube-proxy')"  # A DaemonSet's pods stay.
    mine = f"window.__orrery.state().pods.filter(p => {leaves}).length"
    sight.until(f"{mine} === 0", "the node to be empty")

    orrery.kubectl("uncordon", "worker-1")
    sight.until("!window.__orrery.state().nodes.find(n => n.k === 'worker-1').u", "the node to be open")


def test_a_node_is_added_and_removed(orrery: Orrery, sight: Sight):
    page = sight.page
    page.click(".acts-first [data-sheet=add-node]")
    sight.until("document.querySelector('#sheet input[name=name]') !== null", "the sheet")
    name = page.input_value("#sheet input[name=name]")
    page.click("#sheet button.pri")
    ready = f"window.__orrery.state().nodes.find(n => n.k === '{name}')?.s"
    sight.until(f"{ready} === 'Ready'", "the new node to be ready")
    assert name in orrery.kubectl("get", "nodes")

    page.click(f"[data-node-menu='{name}']")
    page.click("#node-menu [data-act=node-remove]")
    sight.until(f"{ready} === undefined", "the node to go")


def test_a_cluster_is_made_and_deleted(orrery: Orrery, sight: Sight):
    page = sight.page
    page.click("#cluster-open")
    page.click("#cluster-menu [data-sheet=cluster-create]")
    sight.until("document.querySelector('#sheet input[name=nodes]') !== null", "the sheet")
    page.fill("#sheet input[name=name]", "second")
    page.fill("#sheet input[name=nodes]", "1")
    page.click("#sheet button.pri")
    page.wait_for_url("**/view/second/")
    sight.painted()
    sight.until("window.__orrery.state().nodes.length === 1", "its node")

    page.click("#cluster-open")
    page.click("#cluster-menu [data-sheet=cluster-delete]")
    sight.until("document.querySelector('#sheet').open", "the sheet")
    page.click("#sheet button.pri")
    page.wait_for_url("**/view/default/")
    # A panel of the old page may have asked for the cluster in the moment in which it was gone.
    sight.complaints = [text for text in sight.complaints if "404" not in text]


def test_a_power_off_is_refused_twice_in_the_clusters_words(orrery: Orrery, sight: Sight):
    orrery.manage("node", "power-off", "worker-3")
    sight.until("!window.__orrery.state().nodes.find(n => n.k === 'worker-3').p", "the power to go")

    sight.page.evaluate("document.querySelector('.kill[data-node=worker-3]').dataset.act = 'power-off'")
    sight.page.click(".kill[data-node='worker-3']")
    sight.until("document.querySelector('.toast.bad')?.innerText.includes('is off already')", "the refusal")
    orrery.manage("node", "power-on", "worker-3")


def test_anything_can_be_found_and_run_from_the_keyboard(sight: Sight):
    page = sight.page
    page.keyboard.press("Control+k")
    page.keyboard.type("worker-1")
    page.keyboard.press("Enter")
    sight.until("document.querySelector('#inspector h2')?.textContent === 'worker-1'", "the node, not its end")
    assert all(node["p"] for node in sight.state()["nodes"])

    page.keyboard.press("Control+k")
    page.keyboard.type("machine")
    page.keyboard.press("Enter")
    sight.until("document.querySelector('#wide h2')?.textContent === 'Machine room'", "the machine room")


def test_the_map_is_one_tab_stop_and_arrows_roam_over_it(sight: Sight):
    stops = sight.page.evaluate("document.querySelectorAll('#nodes .pod[tabindex=\"0\"]').length")
    assert stops == 1

    sight.page.evaluate("document.querySelector('#nodes .pod[tabindex=\"0\"]').focus()")
    first = sight.page.evaluate("document.activeElement.dataset.object")
    sight.page.keyboard.press("ArrowRight")
    second = sight.page.evaluate("document.activeElement.dataset.object")

    assert second.startswith("Pod/")
    assert second != first


def test_what_was_pressed_in_a_panel_keeps_the_focus(orrery: Orrery, sight: Sight):
    sight.open(f"{orrery.url}/view/default/?centre=etcd")
    sight.until("document.querySelector('#wide [data-query]') !== null", "the keys")

    sight.page.focus("#wide [data-query]")
    pressed = sight.page.evaluate("document.activeElement.dataset.query")
    sight.page.keyboard.press("Enter")

    sight.until("document.querySelectorAll('#wide table').length > 1", "its revisions")
    sight.until(f"document.activeElement.dataset.query === {json.dumps(pressed)}", "the focus")


def test_on_a_phone_the_bar_says_which_place_is_seen(orrery: Orrery, browser: Browser):
    current = "[...document.querySelectorAll('#tabbar [aria-current]')].map(e => e.id || e.dataset.view).join()"
    tab = Sight(browser, 390, 844, reduced_motion="reduce").open(orrery.url)
    assert tab.page.evaluate(current) == "map"

    tab.page.click("#more-open")
    tab.page.click("#more-menu [data-centre=etcd]")
    tab.until(f"{current} === 'more-open'", "the bar to say so")
    tab.page.click("#tabbar [data-view=left]")
    tab.until(f"{current} === 'left'", "the actions")
    tab.page.click("#tabbar [data-view=map]")
    tab.until(f"{current} === 'map'", "the map")
    tab.close()
