// The graphs of a dashboard: one batch of numbers for all of them, whenever the server's mark (`data-version`) changes.
//
//   [data-graphs="<url>"]     the board; inside it figures .graph with .plot, .names, .queries, a table; .stats, .notes
//   batch                     {times, gaps, alerts, missed, stats: [{value}], graphs: [{queries, series, more, error}]}
//
// All plots of a board share one cursor; the names below each show the values at the cursor, or the newest.

import { $, $$, boot, clockText, colours, h, say, t, written } from './dom.js';
import { DASHES, STROKES, load } from './charts.js';

const REST = 4; // Times as long as a batch took is waited before the next: a large cluster is asked less often.
const FRESH = 3; // Steps that a series may be old and still counts as current.
const ROWS = 60; // Of the table.
const TIMES = [15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600];
const POWERS = Array.from({ length: 50 }, (_, power) => 2 ** power);
const WHOLE = Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((first) => first * 10 ** power)).flat();

let shown = null; // The batch on the screen: {board, version, data, plots}.
let busy = false;
let restUntil = 0;
const hidden = new Set(); // "graph/series" that somebody switched off.

/** Fetch and draw if the board on the page has other numbers than those that are drawn. Called after every swap. */
export async function refreshGraphs() {
  const board = $('[data-graphs]');
  if (shown && shown.board !== board) forget();
  if (!board || !board.offsetParent || document.hidden || busy) return;
  const { version, graphs: src } = board.dataset;
  if (shown?.version === version) return;
  if (shown?.src === src && performance.now() < restUntil) return;
  busy = true;
  const begun = performance.now();
  try {
    const answer = await fetch(src, { headers: { Accept: 'application/json' } }).catch(() => null);
    if (!answer?.ok) return;
    const [uPlot, data] = [await load(), await answer.json()];
    if (board.isConnected && board.dataset.graphs === src) draw(uPlot, board, src, version, data);
  } finally {
    busy = false;
    restUntil = performance.now() + REST * (performance.now() - begun);
  }
  if (board.isConnected && board.dataset.graphs !== src) refreshGraphs();
}

/** The board is gone. */
function forget() {
  for (const plot of shown.plots.values()) plot.destroy();
  shown = null;
}

/** Colours have changed: draw the same numbers anew. */
export function recolourGraphs() {
  if (!shown) return;
  const { board, src, version, data } = shown;
  forget();
  if (board.isConnected) draw(window.uPlot, board, src, version, data);
}

function draw(uPlot, board, src, version, data) {
  if (shown?.board !== board) shown = { board, plots: new Map() };
  Object.assign(shown, { src, version, data });
  $$('.stat', board).forEach((stat, index) => number(stat, data.stats[index]?.value ?? null));
  notes($('.notes', board), data);
  $$('.graph', board).forEach((figure, index) => graph(uPlot, figure, data.graphs[index], data));
}

function number(stat, value) {
  say($('dd', stat), value === null ? '–' : text(value, stat.dataset.unit));
  stat.toggleAttribute('data-alarm', 'bad' in stat.dataset && value > 0);
}

/** What a reader of the curves should know: alerts that fired, gaps, a clock that was too fast. */
function notes(box, { gaps, alerts, missed }) {
  const lines = [];
  const last = gaps.at(-1);
  if (last) lines.push(h('p', { class: 'note gap' }, h('i'), t('Nothing was scraped from {from} to {to}: no Prometheus ran, or it reached nobody.', { from: clock(last[0]), to: clock(last[1]) })));
  if (missed) lines.push(h('p', { class: 'note' }, t('Scrapes left out because the clock runs fast: {n}', { n: missed })));
  const firing = [...new Map(alerts.map((alert) => [alert.name, alert])).values()];
  if (firing.length) lines.push(h('p', { class: 'note fired' }, h('i'), `${t('Alerts that fired:')} ${firing.slice(-4).map((alert) => (alert.from === null ? alert.name : `${alert.name} ${clock(alert.from)}`)).join(', ')}`));
  box.replaceChildren(...lines);
}

// --- One graph ---------------------------------------------------------------------------------------------------------

function graph(uPlot, figure, { queries, series, more, silent, error }, data) {
  const place = $('.plot', figure);
  const unit = figure.dataset.unit;
  const known = shown.plots.get(figure);
  const names = JSON.stringify(series.map((one) => one.name));
  const columns = [data.times, ...series.map((one) => one.values)];
  query(figure, queries);
  figure.values = { unit, data, series };
  if (!series.length) {
    known?.destroy();
    shown.plots.delete(figure);
    place.replaceChildren(h('p', { class: error ? 'error' : 'nothing' }, error || t(silent ? 'Nothing to show: nothing happened in this time.' : 'No data: none of the targets that are scraped tells this.')));
    $('.names', figure).replaceChildren();
    tabulate(figure);
    return;
  }
  if (known?.names === names && known.root.isConnected) {
    known.setData(columns, false);
    known.setScale('x', range(data));
  } else {
    known?.destroy();
    place.replaceChildren();
    const plot = new uPlot(options(figure, place, unit, series, data), columns, place);
    plot.names = names;
    shown.plots.set(figure, plot);
    legend(figure, plot, series, more);
  }
  values(figure, shown.plots.get(figure));
  tabulate(figure);
}

const range = ({ times }) => ({ min: times[0] ?? 0, max: Math.max(times.at(-1) ?? 0, (times[0] ?? 0) + 60) });
const tall = (figure) => (figure.classList.contains('tall') ? 200 : innerWidth >= 1500 ? 160 : 112);

function options(figure, place, unit, series, data) {
  const colour = colours();
  const axis = { stroke: colour['ink-2'], grid: { stroke: colour.line, width: 1 }, ticks: { show: false }, font: '11px Inter', gap: 4 };
  const whole = unit === '' && series.every((one) => one.values.every((value) => value === null || Number.isInteger(value)));
  return {
    width: place.clientWidth, height: tall(figure), padding: [6, 10, 0, 0], legend: { show: false },
    cursor: { y: false, sync: { key: 'board' }, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { time: false, ...range(data), auto: false }, y: { range: (_, low, high) => [Math.min((low ?? 0) * 1.1, 0), high > 0 ? high * 1.12 : low < 0 ? 0 : 1] } },
    axes: [
      { ...axis, size: 20, space: 62, incrs: TIMES, values: (plot, ticks) => ticks.map((tick) => (fits(plot, tick) ? clock(tick) : '')) },
      { ...axis, space: 26, incrs: unit === 'bytes' ? POWERS : whole ? WHOLE : undefined, values: (_, ticks) => ticks.map((tick) => text(tick, unit)), size: (_, labels) => 10 + 6.4 * Math.max(...(labels ?? ['']).map((label) => label.length), 2) },
    ],
    series: [{}, ...series.map((one, index) => ({
      label: one.name, stroke: colour[STROKES[index % 6]], dash: DASHES[(index + Math.floor(index / 6)) % 6], width: 1.75,
      show: !hidden.has(`${figure.id}/${one.name}`), points: { show: true, size: 4, filter: lonely },
    }))],
    hooks: { drawClear: [(plot) => dark(plot, colour)], draw: [(plot) => marks(plot, colour)], setCursor: [(plot) => values(figure, plot)] },
  };
}

/** Is there room for a label below this moment, or would the edge cut it? */
const fits = (plot, tick) => plot.valToPos(tick, 'x') < plot.bbox.width / devicePixelRatio - 10;

/** Points with nothing on either side: a line can't show them. */
function lonely(plot, index) {
  const column = plot.data[index];
  return column.reduce((found, value, at) => (value !== null && column[at - 1] == null && column[at + 1] == null ? [...found, at] : found), []);
}

/** Behind the curves: the time in which nothing was scraped. */
function dark(plot, colour) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const [from, to] of shown.data.gaps) {
    const [left, right] = [from, to].map((at) => plot.valToPos(at, 'x', true));
    ctx.fillStyle = colour.sunk;
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
    ctx.strokeStyle = colour['line-2'];
    ctx.lineWidth = 1;
    ctx.beginPath();
    for (const edge of [left, right]) { ctx.moveTo(Math.round(edge) + 0.5, bbox.top); ctx.lineTo(Math.round(edge) + 0.5, bbox.top + bbox.height); }
    ctx.setLineDash([3, 3]);
    ctx.stroke();
  }
  ctx.restore();
}

/** On top: a bar while an alert fired, a diamond where it began. */
function marks(plot, colour) {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, 0, bbox.width, bbox.top + bbox.height);
  ctx.clip();
  ctx.fillStyle = colour.fail;
  for (const { from, to } of shown.data.alerts) {
    const [left, right] = [from ?? plot.scales.x.min, to].map((at) => plot.valToPos(at, 'x', true));
    const [y, size] = [bbox.top, 4 * scale];
    ctx.fillRect(left, y - scale, Math.max(right - left, scale), 2 * scale);
    if (from === null) continue; // It began before.
    ctx.beginPath();
    ctx.moveTo(left, y - size); ctx.lineTo(left + size, y); ctx.lineTo(left, y + size); ctx.lineTo(left - size, y);
    ctx.fill();
  }
  ctx.restore();
}

// --- Names, values, table, query ------------------------------------------------------------------------------------------

const SVG = 'http://www.w3.org/2000/svg';

/** A sample of the line, as it is drawn. */
function sample(index) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 18 8');
  svg.setAttribute('aria-hidden', 'true');
  const line = document.createElementNS(SVG, 'line');
  for (const [name, value] of Object.entries({ x1: 0, x2: 18, y1: 4, y2: 4, class: STROKES[index % 6], 'stroke-dasharray': DASHES[(index + Math.floor(index / 6)) % 6].join(' ') || 'none' })) line.setAttribute(name, value);
  svg.append(line);
  return svg;
}

/** Below a plot: each series by name; a click hides it. */
function legend(figure, plot, series, more) {
  const box = $('.names', figure);
  box.replaceChildren(...series.map((one, index) => {
    const key = `${figure.id}/${one.name}`;
    const button = h('button', { 'aria-pressed': String(!hidden.has(key)), title: one.name }, sample(index), h('span', {}, one.name), h('b'));
    button.addEventListener('click', () => {
      hidden.has(key) ? hidden.delete(key) : hidden.add(key);
      button.setAttribute('aria-pressed', String(!hidden.has(key)));
      plot.setSeries(index + 1, { show: !hidden.has(key) });
    });
    return button;
  }));
  if (more) box.append(h('span', { class: 'muted' }, t('and {n} more', { n: more })));
}

/** At the cursor, or the newest. */
function values(figure, plot) {
  const { unit, series } = figure.values;
  const at = plot?.cursor.idx;
  $$('.names button b', figure).forEach((place, index) => {
    const column = series[index]?.values ?? [];
    const value = at == null ? column.slice(-FRESH).findLast((one) => one !== null) : column[at];
    say(place, value == null ? '–' : text(value, unit));
  });
}

function query(figure, queries) {
  const box = $('.queries', figure);
  if (!box || box.dataset.shown === queries.join('\n')) return;
  box.dataset.shown = queries.join('\n');
  box.replaceChildren(...queries.map((one) => h('p', {}, h('code', {}, one), h('button', { class: 'btn sm', 'data-centre': 'monitoring', 'data-query': `?${new URLSearchParams({ view: 'explore', q: one })}` }, t('Explore')))));
}

/** The same numbers as rows, newest first, once somebody opens the table. */
function tabulate(figure) {
  const { unit, data, series } = figure.values;
  const details = $('.as-table', figure);
  details.ontoggle ??= () => tabulate(figure);
  if (!details.open) return;
  const rows = data.times.map((at, index) => [at, index]).slice(-ROWS).reverse();
  $('.scroll', details).replaceChildren(h('table', { class: 'tbl sticky' },
    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, t('Time')), ...series.map((one) => h('th', { scope: 'col', class: 'v' }, one.name)))),
    h('tbody', {}, ...rows.map(([at, index]) => h('tr', {}, h('th', { scope: 'row', class: 'mono' }, clock(at)), ...series.map((one) => h('td', { class: 'v' }, one.values[index] == null ? '–' : text(one.values[index], unit))))))));
}

// --- Numbers as people read them --------------------------------------------------------------------------------------------

const clock = (seconds) => clockText(Math.round(seconds) * 1e6, 0);
const digits = (value) => (Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
const plain = (value) => written(Number(value.toFixed(value !== 0 && Math.abs(value) < 0.01 ? 4 : digits(value))), { maximumFractionDigits: 4 });
const binary = (value) => {
  const power = Math.min(Math.floor(Math.log2(Math.max(Math.abs(value), 1)) / 10), 4);
  return `${plain(value / 1024 ** power)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`;
};
const duration = (value) => (value === 0 ? '0 s' : Math.abs(value) < 0.001 ? `${plain(value * 1e6)} µs` : Math.abs(value) < 1 ? `${plain(value * 1e3)} ms` : `${plain(value)} s`);
const UNITS = {
  '': plain, m: (value) => `${plain(value)} m`, bytes: binary, rps: (value) => `${plain(value)}/s`, s: duration, '%': (value) => `${plain(value)} %`,
};
const text = (value, unit) => (UNITS[unit] ?? plain)(value);

// --- Keys: arrows move the cursor of all plots, and its values are said ---------------------------------------------------------

document.addEventListener('keydown', (event) => {
  const figure = event.target.closest?.('.graph');
  const plot = event.target.matches?.('.plot') && figure ? shown?.plots.get(figure) : null;
  const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
  if (!plot || (step === undefined && event.key !== 'Escape')) return;
  event.preventDefault();
  event.stopPropagation();
  const { times } = shown.data;
  const at = Math.min(Math.max((plot.cursor.idx ?? times.length - 1) + (step ?? 0), 0), times.length - 1);
  for (const each of shown.plots.values()) each.setCursor(event.key === 'Escape' ? { left: -10, top: -10 } : { left: each.valToPos(times[at], 'x'), top: 10 }, true, false);
  if (event.key !== 'Escape') say($('#say'), `${clock(times[at])}: ${$$('.names button', figure).map((one) => `${$('span', one).textContent} ${$('b', one).textContent}`).join(', ')}`);
}, true);

// --- The explorer's input: names of metrics for the word that is being typed -------------------------------------------------------

let metrics = null;
document.addEventListener('input', ({ target }) => {
  if (target.id !== 'explore-q') return;
  const list = $('#metric-names');
  if (metrics?.list !== list) metrics = { list, names: $$('option', list).map((option) => option.value) };
  const before = target.value.slice(0, target.selectionStart);
  const word = /[a-zA-Z_:][\w:]*$/.exec(before)?.[0] ?? '';
  const after = target.value.slice(target.selectionStart);
  const fits = word ? metrics.names.filter((name) => name.startsWith(word) && name !== word).slice(0, 30) : [];
  list.replaceChildren(...fits.map((name) => h('option', { value: `${before.slice(0, before.length - word.length)}${name}${after}` })));
});
document.addEventListener('change', ({ target }) => { if (target.matches('#explore-form [name=span]')) target.form.requestSubmit(); });

setInterval(() => { refreshGraphs(); }, 2000);
addEventListener('resize', () => { for (const [figure, plot] of shown?.plots ?? []) plot.setSize({ width: $('.plot', figure).clientWidth, height: tall(figure) }); });

// --- The badge: how many alerts fire ----------------------------------------------------------------------------------------------

const EVERY = 10_000;
export function badge() {
  const tab = $('.views [data-centre=monitoring]');
  if (!tab || document.hidden) return;
  const place = $('#firing') ?? tab.appendChild(h('span', { id: 'firing' }));
  fetch(`${boot.panel}firing`).then((answer) => (answer.ok ? answer.text() : '')).then((html) => { if (place.innerHTML.trim() !== html.trim()) place.innerHTML = html; }).catch(() => {});
}
setInterval(badge, EVERY);
badge();
