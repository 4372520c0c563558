"""From a click to pixels: a node's power button, until the browser has painted the node without power, and back."""

import statistics

from playwright.sync_api import sync_playwright

from bench.rig import Rig, percentile, report

CLICKS = 60
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
MEASURE = """
async () => {
  const power = () => window.__orrery.state().nodes.find(node => node.k === 'worker-2').p;
  const before = power(), from = performance.now();
  document.querySelector(".kill[data-node='worker-2']").click();
  while (power() === before) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - from;
}
"""


def main() -> None:
    with Rig() as rig, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(f"http://127.0.0.1:{rig.port}/")
        page.wait_for_timeout(3000)
        times = []
        for _ in range(CLICKS):
            times.append(float(page.evaluate(MEASURE)))
            page.wait_for_timeout(200)
        browser.close()
    report("click: click to pixels p50", statistics.median(times), "ms", "")
    report("click: click to pixels p95", percentile(times, 95), "ms", "<= 100 ms")
