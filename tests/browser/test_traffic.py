"""Load by a slider: requests rise, an autoscaler follows, and the page says what comes of them."""

import json

from tests.browser.running import ROOT, Orrery, Sight, eventually
from tests.browser.test_looks import problems
from tests.clients.test_load import APPLICATION, AUTOSCALER, GENERATOR

SLIDER = ".slider[data-key='default/php-apache']"
PATIENCE = 120.0


def figure(sight: Sight, name: str) -> str:
    """What stands in the card of the generator."""
    card = sight.page.locator(".generator", has=sight.page.locator(SLIDER))
    return card.locator(f"[data-figure={name}]").inner_text()


def replicas(orrery: Orrery) -> int:
    return int(orrery.kubectl("get", "deployment", "php-apache", "-o", "jsonpath={.spec.replicas}"))


def wanted(orrery: Orrery) -> int:
    return int(json.loads(orrery.kubectl("get", "lg", "php-apache", "-o", "json"))["spec"]["requestsPerSecond"])


def test_a_slider_makes_load_and_the_autoscaler_follows_it_up_and_down(orrery: Orrery, sight: Sight):
    orrery.kubectl("apply", "-f", "-", text=APPLICATION)
    orrery.kubectl(*AUTOSCALER)
    orrery.manage("clock", "speed", "60")
    sight.open(f"{orrery.url}/view/default/?centre=traffic")
    page = sight.page
    if page.locator("[data-act=traffic-install]").count() or not page.locator("[data-act=traffic-send]").count():
        page.click("[data-act=traffic-install]")
    page.click("[data-act=traffic-send][data-key='default/php-apache']", timeout=PATIENCE * 1000)
    page.locator(SLIDER).focus(timeout=PATIENCE * 1000)
    assert page.locator(SLIDER).get_attribute("aria-valuetext") == "10"

    page.keyboard.press("ArrowRight")  # 20 a second.
    eventually(lambda: wanted(orrery) == 20, "the slider's rate in the object", PATIENCE)
    said = "kubectl patch loadgenerator php-apache --type merge"
    eventually(lambda: said in page.inner_text("#said"), "what was said", PATIENCE)
    eventually(lambda: figure(sight, "p50").endswith("s"), "a latency on the page", PATIENCE)
    eventually(lambda: replicas(orrery) >= 6, "the autoscaler to make more pods", PATIENCE)
    eventually(lambda: page.locator(".traffic .tbl tbody tr").count() >= 6, "all of them among who serves", PATIENCE)
    assert page.evaluate("document.activeElement.matches('.slider')")  # No refresh took it from under the hand.

    assert problems(sight) == []
    orrery.kubectl("delete", "hpa", "php-apache")
    orrery.kubectl("scale", "deployment", "php-apache", "--replicas=0")
    eventually(lambda: "connection refused" in page.inner_text(".traffic"), "the failure's name", PATIENCE)

    orrery.kubectl("scale", "deployment", "php-apache", "--replicas=4")
    orrery.kubectl(*AUTOSCALER)
    page.locator(SLIDER).focus()
    page.keyboard.press("Home")
    eventually(lambda: wanted(orrery) == 0, "the slider at its beginning", PATIENCE)
    eventually(lambda: figure(sight, "answered").startswith("0"), "no more answers", PATIENCE)
    eventually(lambda: replicas(orrery) == 1, "the autoscaler to take pods away", PATIENCE)
    page.locator(".generator", has=page.locator(SLIDER)).locator("[data-act=traffic-stop]").click()
    eventually(lambda: page.locator(SLIDER).count() == 0, "the generator to go", PATIENCE)
    orrery.kubectl("delete", "deployment,service,hpa", "php-apache")
    orrery.manage("clock", "speed", "1")


def test_an_object_of_a_custom_kind_can_be_applied_on_the_page(orrery: Orrery, sight: Sight):
    addon = ROOT / "cluster" / "addons" / "traffic" / "load-generators.yaml"
    orrery.kubectl("apply", "-f", str(addon))
    orrery.kubectl("wait", "--for=condition=Established", "crd/loadgenerators.traffic.orrery.dev")
    sight.open(orrery.url)
    page = sight.page
    for rate, verb in ((0, "created"), (1, "configured")):
        page.click("[data-sheet=apply].pri")
        fresh = "document.querySelector('#sheet').open && !document.querySelector('#sheet .result').textContent"
        sight.until(fresh, "an empty sheet")
        page.fill("#sheet textarea", GENERATOR.replace("requestsPerSecond: 1", f"requestsPerSecond: {rate}"))
        page.click("#sheet .btn.pri")
        text = f"loadgenerator.traffic.orrery.dev/users {verb}"
        eventually(lambda text=text: text in page.inner_text("#sheet .result"), text)
        page.click("#sheet header [data-close]")

    assert orrery.kubectl("get", "lg", "users", "-o", "jsonpath={.spec.requestsPerSecond}") == "1"
    orrery.kubectl("delete", "lg", "users")
