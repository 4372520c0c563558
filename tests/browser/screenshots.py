"""`make screenshots`: the page in eight states, light and dark, large and on a phone, in English and Portuguese.

    python -m tests.browser.screenshots [FOLDER]        default: .orrery/screenshots

A run tells one story on one cluster, so that the states follow from each other; every picture is of the real page.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.running import Orrery, Sight, chromium, eventually

SIZES = {"1280x720": (1280, 720), "390x844": (390, 844)}
LANGUAGES = {"en": "en-US", "pt": "pt-BR"}
THEMES = ("light", "dark")
TOO_BIG = """\
apiVersion: v1
kind: Pod
metadata: {name: too-big}
spec:
  containers: [{name: main, image: "nginx:1.29", resources: {requests: {cpu: "64"}}}]
"""
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: nginx, image: "nginx:1.29", resources: {requests: {cpu: 500m, memory: 512Mi}}}]
"""


def pods(orrery: Orrery, app: str, away_from: str = "") -> list[str]:
    """Names of the running pods of `app` that are not being deleted."""
    return [
        pod["metadata"]["name"]
        for pod in orrery.pods(app)
        if pod["status"]["phase"] == "Running"
        and "deletionTimestamp" not in pod["metadata"]
        and pod["spec"].get("nodeName") != away_from
    ]


def running_application(orrery: Orrery) -> str:
    orrery.kubectl("apply", "-f", "-", text=WEB)
    eventually(lambda: len(pods(orrery, "web")) == 4, "four pods to run")
    return ""


def power_cut(orrery: Orrery) -> str:
    orrery.manage("node", "power-off", "worker-2")
    orrery.manage("clock", "skip", "60")
    return "kind=Node&key=worker-2"


def replaced(orrery: Orrery) -> str:
    """Skip ahead until the replacements run; the newest of them is looked at."""
    before = set(pods(orrery, "web"))
    for _ in range(8):
        if len(pods(orrery, "web", away_from="worker-2")) == 4:
            break
        orrery.manage("clock", "skip", "60")
    eventually(lambda: len(pods(orrery, "web", away_from="worker-2")) == 4, "the replacements")
    fresh = sorted(set(pods(orrery, "web")) - before) or pods(orrery, "web")
    return f"kind=Pod&key=default/{fresh[-1]}"


def fits_nowhere(orrery: Orrery) -> str:
    orrery.kubectl("apply", "-f", "-", text=TOO_BIG)
    return "kind=Pod&key=default/too-big"


def charts(orrery: Orrery) -> str:
    return "centre=metrics"


def keys(orrery: Orrery) -> str:
    return "centre=etcd"


def dashboards(orrery: Orrery) -> str:
    """Prometheus has collected for a while."""
    orrery.kubectl("apply", "-f", "-", text=orrery.manage("addon", "prometheus"))
    orrery.kubectl("-n", "kube-system", "wait", "--for=condition=Available", "--timeout=60s", "deploy/prometheus")
    orrery.manage("clock", "speed", "30")
    path = (
        "/api/v1/namespaces/kube-system/services/prometheus:9090/proxy/api/v1/query?query=count_over_time(up[10m])%3E9"
    )
    eventually(lambda: json.loads(orrery.kubectl("get", "--raw", path))["data"]["result"], "scrapes", 60)
    orrery.manage("clock", "speed", "1")
    return "centre=monitoring"


def alerts(orrery: Orrery) -> str:
    return "centre=monitoring&view=alerts"


STATES: dict[str, Callable[[Orrery], str]] = {
    "1-running": running_application,
    "2-power-cut": power_cut,
    "3-replaced": replaced,
    "4-fits-nowhere": fits_nowhere,
    "5-metrics": charts,
    "6-etcd": keys,
    "7-monitoring": dashboards,
    "8-alerts": alerts,
}


def take(browser: Browser, orrery: Orrery, folder: Path, state: str, query: str) -> None:
    """One state in every theme, size and language."""
    for theme in THEMES:
        for size, (width, height) in SIZES.items():
            for short, locale in LANGUAGES.items():
                tab = Sight(browser, width, height, color_scheme=theme, locale=locale, reduced_motion="reduce")
                tab.open(f"{orrery.url}/view/default/?{query}")
                if "kind=Pod" in query and width < 761:
                    tab.page.click("#tabbar [data-view=insp]")
                if "centre=" in query:
                    tab.until("document.querySelector('#wide h2') !== null", "the panel")
                if query == "centre=monitoring":
                    tab.until("document.querySelectorAll('#wide canvas').length > 5", "the dashboard")
                if "metrics" in query:
                    tab.until("document.querySelectorAll('#wide canvas').length === 2", "the charts")
                tab.page.wait_for_timeout(400)
                tab.page.screenshot(path=folder / f"{state}-{theme}-{size}-{short}.png", caret="hide")
                assert tab.complaints == [], tab.complaints
                tab.close()


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".orrery/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    orrery = Orrery()
    try:
        with chromium() as browser:
            for state, arrange in STATES.items():
                take(browser, orrery, folder, state, arrange(orrery))
                print(f"{state}: {len(list(folder.glob(state + '*')))} pictures in {folder}")
    finally:
        orrery.stop()


if __name__ == "__main__":
    main()
