// Charts: any element with data-chart="<url>" gets its numbers from there, every two seconds while it is on the page.
// uPlot is fetched when the first chart appears. JSON: {unit, series: [{label, values}], times: [seconds]}.

import { $$, boot, clockText, colours, h, phone, t, written } from './dom.js';

const EVERY = 2000;
export const STROKES = ['accent', 'run', 'done', 'pend', 'fail', 'term'];
export const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3], [4, 4], [1, 2]];
let library = null;
const drawn = new Map();
const tall = () => (innerWidth >= 1500 ? 180 : 130);

export function load() {
  library ??= new Promise((resolve, reject) => {
    document.head.append(h('link', { rel: 'stylesheet', href: boot.uplot.css }));
    const script = h('script', { src: boot.uplot.js });
    script.onload = () => resolve(window.uPlot);
    script.onerror = reject;
    document.head.append(script);
  });
  return library;
}

/** Look for charts on the page, old and new. Called after every swap and by the timer below. */
export async function refreshCharts() {
  for (const [element, plot] of drawn) if (!element.isConnected) { plot.destroy(); drawn.delete(element); }
  for (const element of $$('[data-chart]')) if (element.offsetParent) await refresh(element);
}

async function refresh(element) {
  if (element.dataset.busy) return;
  element.dataset.busy = '1';
  try {
    const answer = await fetch(element.dataset.chart, { headers: { Accept: 'application/json' } }).catch(() => null);
    if (!answer?.ok) return; // The server is away: the page says so, and asks again.
    show(await load(), element, await answer.json());
  } finally { delete element.dataset.busy; }
}

function show(uPlot, element, { unit, times, series }) {
  const data = [times, ...series.map((one) => one.values)];
  const labels = series.map((one) => one.label).join();
  const known = drawn.get(element);
  if (known && known.labels === labels) { known.setData(data); return; }
  known?.destroy();
  const colour = colours();
  const axis = { stroke: colour['ink-2'], grid: { stroke: colour.line, width: 1 }, ticks: { show: false }, font: '11px Inter', labelFont: '11px Inter' };
  const plot = new uPlot({
    width: element.clientWidth, height: tall(), padding: [8, 20, 0, 0],
    legend: { show: series.length > 1 && !phone() }, cursor: { y: false },
    scales: { x: { time: false }, y: { range: (_, low, high) => [0, Math.max(high * 1.15, 1)] } },
    axes: [
      { ...axis, size: 24, values: (_, ticks) => ticks.map((tick) => clockText(tick * 1e6, 0)) },
      { ...axis, size: 40, values: (_, ticks) => ticks.map((tick) => `${written(tick)}${unit}`) },
    ],
    series: [{ label: t('Time'), value: (_, value) => (value == null ? '' : clockText(value * 1e6, 0)) }, ...series.map((one, index) => ({
      label: one.label, stroke: colour[STROKES[index % 6]], dash: DASHES[index % 6], width: 1.5, points: { show: false },
      value: (plot, value, at, index) => worded(index == null ? plot.data[at].at(-1) : value, unit), // Nobody points: the newest.
    }))],
  }, data, element);
  plot.labels = labels;
  drawn.set(element, plot);
}

const worded = (value, unit) => (value == null ? '–' : `${written(value)} ${unit}`);

export function forgetCharts() {
  for (const plot of drawn.values()) plot.destroy();
  drawn.clear();
}

setInterval(() => { if (!document.hidden) refreshCharts(); }, EVERY);
addEventListener('resize', () => { for (const [element, plot] of drawn) plot.setSize({ width: element.clientWidth, height: tall() }); });
