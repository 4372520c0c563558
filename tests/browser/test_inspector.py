"""The inspector keeps what a reader has chosen, and its tabs stay in one row."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.running import Orrery, Sight

CLUSTER = "inspected"
TABS = "document.querySelector('#inspector .tabs')"


@pytest.fixture(scope="module")
def url(orrery: Orrery) -> Iterator[str]:
    """A cluster of four nodes with an application."""
    orrery.manage("cluster", "create", CLUSTER, "--nodes", "4", "--seed", "3")
    kubectl = ("-s", f"{orrery.url}/clusters/{CLUSTER}")
    orrery.kubectl(*kubectl, "create", "deployment", "hello", "--image=nginx:1.29", "--replicas=2")
    orrery.kubectl(*kubectl, "expose", "deployment", "hello", "--port=80")
    orrery.kubectl(*kubectl, "rollout", "status", "deployment", "hello", "--timeout=60s")
    yield f"{orrery.url}/view/{CLUSTER}/"
    orrery.manage("cluster", "delete", CLUSTER)


@pytest.fixture
def portuguese(browser: Browser) -> Iterator[Sight]:
    tab = Sight(browser, locale="pt-BR", reduced_motion="reduce")
    yield tab
    tab.close()
    assert tab.complaints == []


def shown(sight: Sight, tab: str) -> None:
    sight.until(f"document.querySelector('#tab-{tab}')?.ariaSelected === 'true'", f"the tab {tab}")


def test_with_four_nodes_no_card_cuts_its_name_or_its_figures(url: str, portuguese: Sight):
    portuguese.open(url)
    portuguese.until("document.querySelectorAll('.node').length === 4", "the cards")
    portuguese.page.evaluate("document.querySelectorAll('.use .n').forEach(e => { e.textContent = '100%' })")

    cut = """[...document.querySelectorAll('.node')].flatMap(card => [...card.querySelectorAll('.name b, .use *')]
      .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth
        || e.getBoundingClientRect().right > card.getBoundingClientRect().right - 4)
      .map(e => e.className + ': ' + e.textContent))"""
    assert portuguese.page.evaluate(cut) == []


def test_on_a_tablet_nothing_is_sideways_and_nodes_can_be_read(url: str, browser: Browser):
    tab = Sight(browser, 1024, 768, locale="pt-BR", reduced_motion="reduce")
    tab.open(url)
    tab.until("document.querySelectorAll('.node').length === 4", "the cards")

    assert tab.page.evaluate("document.querySelector('#theme').getBoundingClientRect().right <= innerWidth - 8")
    assert tab.page.evaluate("[...document.querySelectorAll('.node')].every(card => card.clientHeight > 90)")
    assert tab.complaints == []
    tab.close()


def test_a_node_s_tabs_stand_in_one_row_and_the_chosen_one_is_in_sight(url: str, portuguese: Sight):
    portuguese.open(f"{url}?kind=Node&key=worker-2")
    tops = f"[...new Set([...{TABS}.children].map(e => e.offsetTop))].length"
    assert portuguese.page.evaluate(tops) == 1

    portuguese.page.focus("#tab-why")
    for tab in ("yaml", "events", "metrics", "network", "runtime", "static"):
        portuguese.page.keyboard.press("ArrowRight")
        shown(portuguese, tab)
        portuguese.until(f"document.activeElement.id === 'tab-{tab}'", "the focus on it")

    inside = "document.querySelector('#tab-static').getBoundingClientRect().right"
    assert portuguese.page.evaluate(f"{inside} <= {TABS}.getBoundingClientRect().right + 1")


def test_where_a_connection_goes_is_asked_of_the_next_pod_too(url: str, sight: Sight):
    sight.open(url)
    keys = sorted(pod["k"] for pod in sight.pods("default/hello"))
    choice = "document.querySelector('#inspector [data-wish=to]')?.value"
    sight.page.click(f"[data-object='Pod/{keys[0]}'].pod")
    sight.page.click("#tab-network")
    shown(sight, "network")
    target = sight.page.eval_on_selector("[data-wish=to] option:nth-child(2)", "e => e.value")
    sight.page.select_option("[data-wish=to]", target)
    sight.until("document.querySelector('#inspector .hops') !== null", "the hops")

    sight.page.click("#tab-why")
    shown(sight, "why")
    sight.page.click("#tab-network")
    sight.until(f"{choice} === {target!r}", "the choice, when coming back")
    sight.page.click(f"[data-object='Pod/{keys[1]}'].pod")
    sight.until(f"document.querySelector('.who h2').textContent === {keys[1].split('/')[1]!r}", "the other pod")
    sight.until(f"{choice} === {target!r}", "the choice, for another pod")


def test_what_was_unfolded_stays_so_when_the_panel_is_fetched_again(url: str, sight: Sight):
    sight.open(url)
    sight.page.click("#actions summary")
    sight.page.evaluate("document.querySelector('#actions .acts').dataset.old = '1'")

    sight.page.evaluate("document.body.dispatchEvent(new CustomEvent('orrery:workloads'))")
    sight.until("!document.querySelector('#actions .acts').dataset.old", "the panel anew")

    assert sight.page.evaluate("document.querySelector('#actions details').open")


def test_the_table_s_focus_stays_when_pods_change(orrery: Orrery, url: str, sight: Sight):
    sight.open(url)
    sight.page.click(".map .seg [data-mode=table]")
    key = sight.pods("default/hello")[0]["k"]
    rows = "document.querySelectorAll('#table-view tbody tr').length"
    before = sight.page.evaluate(rows)
    sight.page.focus(f"#table-view [data-object='Pod/{key}']")

    orrery.kubectl("-s", f"{orrery.url}/clusters/{CLUSTER}", "run", "other", "--image=nginx:1.29")
    sight.until(f"{rows} === {before + 1}", "a row more")

    assert sight.page.evaluate("document.activeElement.dataset.object") == f"Pod/{key}"


def test_a_toast_s_button_undoes_what_was_done(url: str, sight: Sight):
    sight.open(f"{url}?kind=Node&key=worker-3&tab=runtime")
    sight.page.click("[data-act=runtime][data-op=stop]")
    sight.page.click(".toast [data-act=runtime]")

    said = f"python manage.py node runtime-start worker-3 --cluster {CLUSTER}"
    sight.until(f"document.querySelector('#said').innerText.includes({said!r})", "the command that starts it")


def test_of_many_nodes_the_first_by_name_have_cards(orrery: Orrery, url: str, sight: Sight):
    orrery.manage("cluster", "create", "crowd", "--nodes", "60", "--seed", "3", "--addons", "none")
    sight.open(url.replace(CLUSTER, "crowd"))
    sight.page.click(".map .seg [data-mode=diagram]")
    names = "[...document.querySelectorAll('.node')].map(card => card.dataset.node)"
    assert sight.page.evaluate(names) == [f"worker-{number}" for number in range(1, 49)]

    orrery.manage("node", "remove", "worker-7", "--cluster", "crowd")
    sight.until(f"{names}.includes('worker-49') && !{names}.includes('worker-7')", "the next in its place")
    assert sight.page.inner_text(".rest").startswith("11 more nodes")
    orrery.manage("cluster", "delete", "crowd")
