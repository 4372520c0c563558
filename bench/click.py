"""From a click to pixels: the page's own path from a pod's deletion to the frame that shows it."""

import statistics

from playwright.sync_api import sync_playwright

from bench.rig import MERGE, Rig, deployment, percentile, report

CLICKS = 40
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
MEASURE = """
async () => {
  const plus = document.querySelector('[data-scale-up], .stepper .plus, .scale [data-delta="1"], .scale button:last-of-type');
  const from = performance.now(), before = window.__orrery.seq;
  plus.click();
  while (window.__orrery.paintedSeq <= before) await new Promise(requestAnimationFrame);
  return performance.now() - from;
}
"""


def main() -> None:
    with Rig() as rig, sync_playwright() as playwright:
        rig.door().ask("POST", "/apis/apps/v1/namespaces/default/deployments", deployment("web", 1))
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(f"http://127.0.0.1:{rig.port}/")
        page.wait_for_timeout(3000)
        times = []
        for _ in range(CLICKS):
            times.append(float(page.evaluate(MEASURE)))
            page.wait_for_timeout(150)
            rig.door().ask("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", {"spec": {"replicas": 1}}, MERGE)
            page.wait_for_timeout(100)
        browser.close()
    report("click: click to pixels p50", statistics.median(times), "ms", "")
    report("click: click to pixels p95", percentile(times, 95), "ms", "<= 100 ms")
