"""The log panel in a real browser, over a cluster whose agents and store are real pods."""

import json
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import websocket
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.running import Orrery, Sight, eventually
from tests.browser.test_looks import CLIPPED, problems, scrolls_sideways

LOKI = "/api/v1/namespaces/kube-system/services/loki:3100/proxy/loki/api/v1"
TALK = "i=0; while true; do i=$((i+1)); echo hello $i from here; sleep 0.05; done"
LINES = "[...document.querySelectorAll('#logs-lines .text')].map(e => e.textContent)"


def a_pod(name: str, node: str) -> str:
    container = {"name": "app", "image": "busybox:1.36", "command": ["sh", "-c", TALK]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}}
    return json.dumps({**pod, "spec": {"nodeName": node, "containers": [container]}})


def run_for(orrery: Orrery, seconds: int) -> None:
    orrery.manage("clock", "skip", str(seconds))


def query(orrery: Orrery, text: str) -> list[str]:
    """Lines that loki finds, as Grafana would ask through the API server."""
    asked = urlencode({"query": text, "limit": 5000, "direction": "forward"})
    found = json.loads(orrery.kubectl("get", "--raw", f"{LOKI}/query_range?{asked}"))
    return [line for stream in found["data"]["result"] for _, line in stream["values"]]


@pytest.fixture(scope="module")
def logged() -> Iterator[Orrery]:
    """A cluster with loki and fluent-bit, on which `talk` prints."""
    running = Orrery()
    for name in ("loki", "fluent-bit"):
        running.kubectl("apply", "-f", "-", text=running.manage("addon", name))
    running.kubectl("create", "-f", "-", text=a_pod("talk", "worker-1"))
    run_for(running, 60)
    eventually(lambda: query(running, '{pod="talk"} |= "hello 100 "'), "lines of talk in the store")
    yield running
    running.stop()


def opened(sight: Sight, orrery: Orrery) -> Sight:
    sight.open(f"{orrery.url}/view/default/?centre=logs")
    sight.until("document.querySelector('#logs-lines li') !== null", "lines")
    return sight


def test_words_are_searched_marked_and_paged_without_growing(logged: Orrery, sight: Sight):
    page = opened(sight, logged).page
    page.fill("#logs-q", "HELLO")
    sight.until("document.querySelector('#logs-lines mark') !== null", "marks")
    assert page.evaluate("document.querySelector('#logs-lines mark').textContent") == "hello"

    first = page.evaluate(LINES)
    page.click("#logs-older")
    sight.until("document.querySelector('#logs-newest') !== null", "the older page")
    older = page.evaluate(LINES)

    assert len(first) == len(older) == 200
    assert int(older[-1].split(" ")[1]) < int(first[0].split(" ")[1]) + 200
    page.click("#logs-newest")
    sight.until("document.querySelector('#logs-live') !== null", "the newest page")
    assert problems(sight) == []


def test_the_tail_follows_and_rests_while_one_reads_further_up(logged: Orrery, sight: Sight):
    page = opened(sight, logged).page
    page.fill("#logs-q", "hello")
    sight.until("document.querySelector('#logs-lines mark') !== null", "marks")
    seen = page.evaluate(LINES)[-1]
    sight.until(f"{LINES}.at(-1) !== {json.dumps(seen)}", "new lines")

    page.evaluate("document.querySelector('#logs-box').scrollTop = 0")
    sight.until("!document.querySelector('#logs-live [data-off]').hidden", "the word that it rests")
    still = page.evaluate(LINES)
    run_for(logged, 5)
    page.wait_for_timeout(2500)
    assert page.evaluate(LINES) == still

    page.click("#logs-live")
    sight.until(f"{LINES}.at(-1) !== {json.dumps(still[-1])}", "the newest lines")


def test_a_line_shows_the_lines_around_it_by_keyboard_too(logged: Orrery, sight: Sight):
    page = opened(sight, logged).page
    page.fill("#logs-q", '"hello 42 "')
    sight.until(f"{LINES}.length === 1", "one line")

    page.focus("#logs-lines .at")
    page.keyboard.press("Enter")
    sight.until("document.querySelector('#logs-lines [aria-current]') !== null", "the lines around it")

    assert page.evaluate(LINES) == [f"hello {n} from here" for n in range(32, 53)]
    page.wait_for_timeout(2500)  # The page asks again and again; it must not go away by that.
    assert page.evaluate(f"{LINES}.length") == 21
    assert problems(sight) == []
    page.click("#logs-back")
    sight.until(f"{LINES}.length === 1", "the search again")


def test_a_deleted_pods_lines_stay_and_say_so(logged: Orrery, sight: Sight):
    logged.kubectl("create", "-f", "-", text=a_pod("gone", "worker-2"))
    run_for(logged, 20)
    logged.kubectl("delete", "pod", "gone", "--now")
    run_for(logged, 10)
    eventually(lambda: query(logged, '{pod="gone"} |= "hello 9 "'), "its lines in the store")

    page = opened(sight, logged).page
    page.fill("#logs-pod", "gone")
    sight.until("document.querySelector('#logs-lines .gone small') !== null", "lines of the deleted pod")

    assert page.evaluate("document.querySelector('#logs-lines .gone').textContent").split() == ["gone", "deleted"]
    page.fill("#logs-pod", "talk")
    sight.until("document.querySelector('#logs-lines button.from') !== null", "lines of the living one")
    page.click("#logs-lines button.from")
    sight.until("document.querySelector('#inspector h2').textContent.includes('talk')", "the pod in the inspector")


def test_component_lines_of_a_real_scheduling(logged: Orrery, sight: Sight):
    logged.kubectl("create", "deployment", "sorted", "--image=nginx", "--replicas=2")
    run_for(logged, 20)
    bound = eventually(
        lambda: query(logged, '{component="kube-scheduler"} |= "Successfully bound pod to node" |= "default/sorted-"'),
        "what the scheduler wrote",
    )
    assert len(bound) == 2
    assert re.match(r"I\d{4} [\d:.]+ +1 schedule_one\.go:\d+\] ", bound[0])
    few = query(logged, '{component="kube-controller-manager"} |= "Too few replicas" |= "default/sorted-"')
    assert few[0].endswith("need=2 creating=2")
    assert query(logged, '{component="kubelet"} |= "SyncLoop ADD" |= "default/sorted-"')

    page = opened(sight, logged).page
    page.select_option("#logs-component", "kube-scheduler")
    klog = f"{LINES}.every(text => text.includes('] ')) && {LINES}.some(text => text.includes('default/sorted-'))"
    sight.until(klog, "the scheduler's lines, and no others")


def test_a_tail_over_a_real_socket_goes_on_where_it_was(logged: Orrery):
    asked = urlencode({"query": '{pod="talk"} |= "hello"', "limit": 2})
    socket = websocket.create_connection(
        f"ws://127.0.0.1:{logged.port}/clusters/default{LOKI}/tail?{asked}", timeout=30
    )
    frames = [json.loads(socket.recv()) for _ in range(3)]
    socket.close()

    texts = [line for frame in frames for stream in frame["streams"] for _, line in stream["values"]]
    numbers = [int(text.split(" ")[1]) for text in texts]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(numbers) > 4


def test_an_agents_pod_that_is_killed_comes_back_and_nothing_is_missing(logged: Orrery):
    wide = logged.kubectl("-n", "kube-system", "get", "pods", "-o", "wide")
    agent = next(line.split()[0] for line in wide.splitlines() if "fluent-bit" in line and "worker-1" in line)

    logged.kubectl("-n", "kube-system", "delete", "pod", agent, "--now")
    run_for(logged, 60)
    last = eventually(lambda: query(logged, '{pod="talk"}'), "lines")
    number = len(last) + 200
    run_for(logged, 20)
    found = eventually(lambda: [x for x in [query(logged, '{pod="talk"}')] if len(x) > min(number, 4900)], "more")[0]

    assert [int(line.split(" ")[1]) for line in found] == list(range(1, len(found) + 1))


def test_a_killed_store_is_named_and_returns(logged: Orrery, sight: Sight):
    page = opened(sight, logged).page
    logged.kubectl("-n", "kube-system", "scale", "deployment", "loki", "--replicas=0")
    run_for(logged, 20)
    sight.until("document.querySelector('#logs-standing.bad') !== null", "the word that the store is away")
    assert 'no endpoints available for service "loki"' in page.inner_text("#logs-standing")
    assert problems(sight) == []

    logged.kubectl("-n", "kube-system", "scale", "deployment", "loki", "--replicas=1")
    run_for(logged, 60)
    sight.until("document.querySelector('#logs-standing') === null", "the store again")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height", "language"), [(1280, 720, "pt-BR"), (390, 844, "en-US")])
def test_the_panel_fits_and_can_be_used_by_everybody(logged: Orrery, browser: Browser, theme, width, height, language):
    tab = Sight(browser, width, height, color_scheme=theme, locale=language, reduced_motion="reduce")
    opened(tab, logged)
    tab.page.select_option("#logs-range", "custom")
    tab.until("document.querySelector('#logs-from') !== null", "the fields for times")

    assert not scrolls_sideways(tab)
    assert tab.page.evaluate(CLIPPED) == []
    assert Axe().run(tab.page).response["violations"] == []
    tab.close()
    assert tab.complaints == []
