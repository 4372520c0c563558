"""Manifests on a machine's disk, and an orderly shutdown, by clicks."""

import pytest

from tests.browser.running import Orrery, Sight
from tests.browser.test_looks import CLIPPED, problems

MINE = "window.__orrery.state().pods.find(p => p.k === 'default/web-worker-2')"


@pytest.fixture(autouse=True)
def _running(orrery: Orrery, sight: Sight):
    sight.open(orrery.url)
    orrery.manage("clock", "speed", "10")
    yield
    orrery.manage("clock", "speed", "1")


def open_tab(sight: Sight) -> None:
    sight.page.click(".node[data-node='worker-2'] button.name")
    sight.page.click("[data-tab=static]")
    sight.until("document.querySelector('[data-tab=static]')?.getAttribute('aria-selected') === 'true'", "the tab")


def test_a_manifest_is_written_refused_and_removed(orrery: Orrery, sight: Sight):
    page = sight.page
    open_tab(sight)
    page.click("[data-sheet=static-pod]")
    sight.until("document.querySelector('#sheet textarea[name=text]') !== null", "the sheet")
    assert problems(sight) == []
    page.click("#sheet button.pri")
    sight.until(f"{MINE}?.s === 'run'", "the pod to run")
    assert "config.source: file" in orrery.kubectl("get", "pod", "web-worker-2", "-o", "yaml")

    sight.until("document.querySelector('#tab-panel [data-file=\"web.yaml\"]') !== null", "the file")
    assert problems(sight) == []
    assert page.evaluate(CLIPPED) == []
    page.click("#tab-panel [data-query$='file=web.yaml']")
    sight.until("document.querySelector('#sheet textarea')?.value.includes('name: web')", "the file in the sheet")
    page.fill("#sheet textarea", page.input_value("#sheet textarea") + "  serviceAccountName: me\n")
    page.click("#sheet button.pri")
    sight.until("document.querySelector('#sheet .error')?.innerText.includes('serviceaccounts')", "the refusal")
    page.click("#sheet footer [data-close]")
    sight.complaints = [text for text in sight.complaints if "422" not in text]

    page.click("#tab-panel [data-act=static-pod][data-op=remove]")
    sight.until("document.querySelector('#tab-panel [data-file]') === null", "the file to go")
    sight.until(f"{MINE} === undefined", "the pod to go")


def test_a_node_is_shut_down_in_order_and_switched_on_again(orrery: Orrery, sight: Sight):
    page = sight.page
    page.click("[data-node-menu='worker-3']")
    page.click("#node-menu [data-act=shutdown]")
    sight.until("!window.__orrery.state().nodes.find(n => n.k === 'worker-3').p", "the power to go")
    assert "node is shutting down" in orrery.kubectl("describe", "node", "worker-3")

    orrery.manage("node", "power-on", "worker-3")
    sight.until("window.__orrery.state().nodes.find(n => n.k === 'worker-3').s === 'Ready'", "the node to be ready")
