"""Monitoring in a browser: graphs draw real numbers, say when nobody collects any, and show the gap afterwards."""

import json
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from dashboard.boards import BOARDS
from tests.browser.running import Orrery, Sight, eventually

SERIOUS = ("serious", "critical")
DEPLOYMENT = ("-n", "kube-system", "scale", "deployment", "prometheus")
VALUES = "[...document.querySelectorAll('#graph-cluster-0 .names button')].map(e => e.innerText.replace(/\\s+/g, ' '))"
INKED = """(() => {
  const canvas = document.querySelector('#graph-cluster-0 canvas');
  if (!canvas) return 0;
  const probe = document.body.appendChild(document.createElement('i'));
  probe.style.color = 'var(--accent)';
  const wanted = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  probe.remove();
  const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
  const context = copy.getContext('2d');
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, copy.width, copy.height);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) if (wanted.every((part, at) => Math.abs(data[i + at] - part) < 12)) found++;
  return found;
})()"""


class Lab:
    """A cluster of its own in the shared Orrery, so that no other test meets its pods."""

    def __init__(self, orrery: Orrery) -> None:
        self.orrery = orrery
        self.page = f"{orrery.url}/view/charts/?centre=monitoring"
        orrery.manage("cluster", "create", "charts", "--nodes", "2", "--seed", "5")
        self.clock("speed", "60")

    def clock(self, *arguments: str) -> None:
        self.orrery.manage("clock", *arguments, "--cluster", "charts")

    def kubectl(self, *arguments: str) -> str:
        return self.orrery.kubectl("-s", f"{self.orrery.url}/clusters/charts", *arguments)

    def open(self, tab: Sight) -> Sight:
        tab.open(self.page)
        tab.until("document.querySelector('#wide h2') !== null", "the panel")
        return tab


@pytest.fixture(scope="module")
def lab(orrery: Orrery) -> Iterator[Lab]:
    yield Lab(orrery)
    orrery.manage("cluster", "delete", "charts")


@pytest.fixture(scope="module")
def scraped(lab: Lab) -> Lab:
    """Prometheus runs, and has collected something."""
    manifests = lab.orrery.manage("addon", "prometheus")
    lab.orrery.kubectl("-s", f"{lab.orrery.url}/clusters/charts", "apply", "-f", "-", text=manifests)
    lab.kubectl("-n", "kube-system", "wait", "--for=condition=Available", "--timeout=60s", "deploy/prometheus")
    path = "/api/v1/namespaces/kube-system/services/prometheus:9090/proxy/api/v1/query?query=count_over_time(up[10m])"
    eventually(lambda: len(result(lab, path)) > 3, "scrapes")
    return lab


def result(lab: Lab, path: str) -> list:
    found = json.loads(lab.kubectl("get", "--raw", path))["data"]["result"]
    return [each for each in found if float(each["value"][1]) >= 4]


def curves(tab: Sight, what: str = "curves with values") -> list[str]:
    ready = f"{VALUES}.length > 0 && {VALUES}.every(text => !text.endsWith('–'))"
    tab.until(ready, what)
    return list(tab.page.evaluate(VALUES))


def problems(tab: Sight) -> list[str]:
    found = Axe().run(tab.page).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found if v["impact"] in SERIOUS]


def test_prometheus_is_installed_by_one_click_and_graphs_follow(lab: Lab, sight: Sight):
    lab.open(sight)
    assert "This cluster has no Prometheus" in sight.page.inner_text("#wide")
    assert problems(sight) == []

    sight.page.click("#wide [data-act=addon-install]")

    names = curves(sight)
    assert [name.split(" ")[0] for name in names] == ["worker-1", "worker-2"]
    assert all(name.endswith(" m") for name in names)
    sight.until(f"{INKED} > 50", "a line in the accent colour")
    assert "prometheus" in lab.kubectl("-n", "kube-system", "get", "deployments", "-o", "name")


def test_curves_are_drawn_anew_in_the_other_theme(scraped: Lab, sight: Sight):
    curves(scraped.open(sight))

    sight.page.click("#theme")

    sight.until(f"{INKED} > 50", "a line in the accent colour of the other theme")


def test_a_curve_can_be_read_by_keyboard_and_switched_off(scraped: Lab, sight: Sight):
    scraped.clock("pause")
    curves(scraped.open(sight))

    sight.page.focus("#graph-cluster-0 .plot")
    sight.page.keyboard.press("ArrowLeft")
    sight.until("/^[\\d:]+: worker-1 /.test(document.querySelector('#say').textContent)", "the values to be said")
    before = sight.page.evaluate(INKED)
    sight.page.click("#graph-cluster-0 .names button >> nth=0")

    assert sight.page.get_attribute("#graph-cluster-0 .names button >> nth=0", "aria-pressed") == "false"
    sight.until(f"{INKED} < {before} / 3", "the line to go")
    scraped.clock("resume")


def test_the_same_numbers_are_there_as_a_table(scraped: Lab, sight: Sight):
    curves(scraped.open(sight))

    sight.page.click("#graph-cluster-0 .as-table summary")

    sight.until("document.querySelectorAll('#graph-cluster-0 tbody tr').length > 3", "rows")
    assert "worker-2" in sight.page.inner_text("#graph-cluster-0 thead")


def test_the_explorer_answers_and_refuses_in_place(scraped: Lab, sight: Sight):
    page = scraped.open(sight).page
    page.click("#wide .seg [data-query='?view=explore']")
    sight.until("document.querySelector('#explore-q') !== null", "the explorer")

    page.fill("#explore-q", "rate(up)")
    page.keyboard.press("Enter")
    sight.until("document.querySelector('#explore-problem') !== null", "the refusal")
    assert "expected type matrix in call to function 'rate', got vector" in page.inner_text("#explore-problem")

    page.fill("#explore-q", "kube_node")
    names = "[...document.querySelectorAll('#metric-names option')].map(e => e.value)"
    sight.until(f"{names}.includes('kube_node_info')", "names of metrics")
    page.fill("#explore-q", "count(kube_node_info)")
    page.click("#explore-form button")
    value = "document.querySelector('.explorer .now tbody .v')?.textContent"
    sight.until(f"{value} === '2'", "the table")
    sight.until("document.querySelector('#graph-explore canvas') !== null", "the graph")

    page.fill("#explore-q", "half typed(")
    before = page.get_attribute("#board-explore", "data-version")
    sight.until(f"document.querySelector('#board-explore').dataset.version !== {before!r}", "a refresh")
    assert page.input_value("#explore-q") == "half typed("
    assert page.query_selector("#explore-problem") is None


def test_without_prometheus_the_page_says_so_and_afterwards_there_is_a_gap(scraped: Lab, sight: Sight):
    curves(scraped.open(sight))

    scraped.kubectl(*DEPLOYMENT, "--replicas=0")
    sight.until("document.querySelector('#wide').innerText.includes('Its Deployment wants 0 pods.')", "the message")
    scraped.clock("skip", "300")
    sight.page.click("#wide [data-act=scale]")

    curves(sight, "curves that are back")
    sight.until("document.querySelector('.note.gap') !== null", "the gap")
    (low, high), *_ = sight.page.evaluate(
        "fetch(document.querySelector('[data-graphs]').dataset.graphs).then(r => r.json())"
    )["gaps"]
    assert high - low >= 200


def test_a_link_leads_to_a_dashboard_with_its_choices(scraped: Lab, sight: Sight):
    sight.open(f"{scraped.page}&d=node&node=worker-2&span=1h")

    sight.until("document.querySelector('#board-of-node canvas') !== null", "the node's dashboard")
    assert sight.page.input_value("#board-node") == "worker-2"
    assert sight.page.is_checked("#span-1h")


def test_a_pod_leads_to_its_dashboard(scraped: Lab, sight: Sight):
    scraped.open(sight)
    sight.page.click("#inspector [data-centre=monitoring]")

    sight.until("document.querySelector('#board-of-pod') !== null", "the pod's dashboard")
    assert sight.page.input_value("#board-pod") in sight.page.inner_text("#inspector h2")


@pytest.mark.parametrize(
    ("size", "theme", "language"),
    [((1280, 720), "dark", "pt-BR"), ((390, 844), "light", "en-US")],
    ids=["laptop", "phone"],
)
def test_every_dashboard_fits_and_can_be_used_by_everybody(scraped: Lab, browser: Browser, size, theme, language):
    tab = Sight(browser, *size, color_scheme=theme, locale=language, reduced_motion="reduce")
    scraped.open(tab)
    for name in BOARDS:
        tab.page.select_option("#board-d", name)
        tab.until(f"document.querySelector('#board-of-{name}') !== null", name)
        tab.until(f"document.querySelector('#board-of-{name} :is(canvas, .nothing)') !== null", f"graphs of {name}")
        assert not tab.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not tab.page.evaluate(
            "(e => e.scrollWidth > e.clientWidth + 1)(document.querySelector('#wide > .scroll'))"
        )
        assert problems(tab) == []
    for view in ("alerts", "explore", "now"):
        tab.page.click(f"#wide .seg [data-query='?view={view}']")
        tab.until(f"document.querySelector('[data-state] [name=view]').value === '{view}'", view)
        assert not tab.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert problems(tab) == []
    tab.close()
    assert tab.complaints == []
