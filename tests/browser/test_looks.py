"""Nothing clipped, nothing sideways, nothing that a screen reader can't use: in every view and language."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.running import Orrery, Sight

VIEWS = ("map", "logs", "monitoring", "metrics", "traffic", "requests", "etcd", "control-plane", "machine-room")
LABELS = ".btn, .seg button, .tabs button, .views button, .tabbar button, .pill, .comp b, h2, .sample b"
CLIPPED = f"""[...document.querySelectorAll('{LABELS}')]
  .filter(e => e.offsetParent && !e.matches('.vh') && e.id !== 'skip')
  .filter(e => e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1)
  .map(e => e.className + ': ' + e.textContent.trim())"""
SERIOUS = ("serious", "critical")


@pytest.fixture(params=["light", "dark"])
def theme(request) -> str:
    return request.param


@pytest.fixture(params=["en-US", "pt-BR"], ids=["english", "portuguese"])
def language(request) -> str:
    return request.param


@pytest.fixture(params=[(1280, 720), (1920, 1080), (390, 844)], ids=["laptop", "projector", "phone"])
def tab(request, browser: Browser, theme: str, language: str):
    width, height = request.param
    tab = Sight(browser, width, height, color_scheme=theme, locale=language, reduced_motion="reduce")
    yield tab
    tab.close()
    assert tab.complaints == []


def problems(tab: Sight) -> list[str]:
    """What axe finds that keeps people from using the page."""
    found = Axe().run(tab.page).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found if v["impact"] in SERIOUS]


def scrolls_sideways(tab: Sight) -> bool:
    return bool(tab.page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@pytest.mark.parametrize("centre", VIEWS)
def test_every_view_fits_and_can_be_used_by_everybody(orrery: Orrery, tab: Sight, centre: str):
    tab.open(f"{orrery.url}/view/default/?centre={centre}")
    if centre != "map":
        tab.until("document.querySelector('#wide h2') !== null", "the panel")

    assert not scrolls_sideways(tab)
    assert tab.page.evaluate(CLIPPED) == []
    assert problems(tab) == []


@pytest.mark.parametrize("sheet", ["apply", "add-node", "cluster-create"])
def test_every_sheet_can_be_used_by_everybody(orrery: Orrery, sight: Sight, sheet: str):
    sight.open(orrery.url)
    if sheet == "cluster-create":
        sight.page.click("#cluster-open")
    sight.page.click(f"[data-sheet='{sheet}']")
    sight.until("document.querySelector('#sheet').open", "the sheet")

    assert problems(sight) == []


@pytest.mark.parametrize("view", ["left", "insp", "time"])
def test_a_phone_shows_one_place_at_a_time(orrery: Orrery, browser: Browser, view: str):
    tab = Sight(browser, 390, 844, reduced_motion="reduce")
    tab.open(orrery.url)

    tab.page.click(f"#tabbar [data-view={view}]")

    assert not scrolls_sideways(tab)
    assert tab.page.evaluate(CLIPPED) == []
    assert problems(tab) == []
    tab.close()
