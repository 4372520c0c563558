// The heatmap, for clusters too large for cards: one cell per node, its height of fill is the CPU in use or promised.
// Pods show in the lens beside the pointer, or beside the cell that the keyboard is on. A cross is a node that is not
// ready, a ring a node with a pod in trouble: shapes, not colours alone. The table says the same for screen readers.

import { $, attribute, colours, context, glyph, h, t } from './dom.js';
import { isSystem, nameOf } from './model.js';

const PAD = 14;

export class Heatmap {
  constructor(model, onPick) {
    Object.assign(this, { model, cells: [], hover: null, dirty: true });
    this.canvas = $('#heat');
    this.lens = $('#lens');
    this.canvas.tabIndex = 0;
    this.canvas.addEventListener('pointermove', (event) => this.point(this.at(event)));
    this.canvas.addEventListener('pointerleave', () => this.point(null));
    this.canvas.addEventListener('click', (event) => { const cell = this.at(event); if (cell) onPick('Node', `/${cell.node.k}`); });
    this.canvas.addEventListener('keydown', (event) => this.key(event, onPick));
    this.canvas.addEventListener('blur', () => this.point(null));
  }

  /** Zones in their order, each with its nodes. Without zones there is one, without a name. */
  zones() {
    const zones = new Map();
    for (const node of this.model.sortedNodes()) (zones.get(node.z) ?? zones.set(node.z, []).get(node.z)).push(node);
    return [...zones].sort(([a], [b]) => a.localeCompare(b));
  }

  draw() {
    const c = context(this.canvas);
    if (!c) return;
    this.dirty = false;
    const colour = colours();
    const zones = this.zones();
    const columns = zones.length > 1 ? 2 : 1;
    const rows = Math.ceil(zones.length / columns) || 1;
    const [width, height] = [(c.W - PAD * (columns + 1)) / columns, (c.H - PAD * (rows + 1)) / rows];
    const byNode = this.model.byNode();
    this.cells = [];
    zones.forEach(([zone, nodes], index) => {
      const [x, y] = [PAD + (index % columns) * (width + PAD), PAD + Math.floor(index / columns) * (height + PAD)];
      this.zone(c, colour, zone, nodes, byNode, x, y, width, height);
    });
    const down = this.cells.filter((cell) => cell.node.s !== 'Ready').length;
    attribute(this.canvas, 'aria-label', t('Heatmap of {nodes} nodes and {pods} pods. {down} nodes not ready.', { nodes: this.model.nodes.size, pods: this.model.pods.size, down }));
  }

  zone(c, colour, zone, nodes, byNode, x, y, width, height) {
    const down = nodes.filter((node) => node.s !== 'Ready').length;
    c.fillStyle = colour.ink; c.font = '600 12px Inter, sans-serif'; c.textBaseline = 'alphabetic';
    const title = zone || t('Worker nodes');
    c.fillText(title, x, y + 10);
    const wide = c.measureText(title).width;
    c.fillStyle = colour['ink-2']; c.font = '400 11px Inter, sans-serif';
    c.fillText(down ? t('{n} nodes, {down} not ready', { n: nodes.length, down }) : t('{n} nodes ready', { n: nodes.length }), x + wide + 8, y + 10);
    const columns = Math.max(Math.ceil(Math.sqrt((nodes.length * width) / Math.max(height - 18, 1) * 1.25)), 1);
    const [w, hh] = [Math.min(width / columns, 64), Math.min((height - 18) / Math.ceil(nodes.length / columns), 64)];
    nodes.forEach((node, index) => {
      const cell = { node, pods: byNode.get(node.k) ?? [], x: x + (index % columns) * w, y: y + 18 + Math.floor(index / columns) * hh, w: w - 2, h: hh - 2 };
      this.cells.push(cell);
      this.cell(c, colour, cell);
    });
  }

  cell(c, colour, { node, pods, x, y, w, h: height }) {
    if (node.s !== 'Ready') {
      c.strokeStyle = colour.fail; c.lineWidth = 1.5;
      c.beginPath(); c.roundRect(x + 1, y + 1, w - 1, height - 1, 2); c.stroke();
      c.beginPath(); c.moveTo(x + 3.5, y + 3.5); c.lineTo(x + w - 2.5, y + height - 2.5); c.moveTo(x + w - 2.5, y + 3.5); c.lineTo(x + 3.5, y + height - 2.5); c.stroke();
      return;
    }
    const share = (amount) => Math.min(node.c ? amount / node.c : 0, 1);
    const used = share(this.model.usage[node.k]?.[0] ?? 0);
    const part = Math.max(share(pods.reduce((sum, pod) => sum + pod.c, 0)), used, pods.length ? 0.08 : 0.02);
    c.fillStyle = colour.raise;
    c.beginPath(); c.roundRect(x + 0.5, y + 0.5, w, height, 2); c.fill();
    c.fillStyle = colour.run; c.globalAlpha = 0.3 + 0.6 * part;
    c.beginPath(); c.roundRect(x + 0.5, y + 0.5 + height * (1 - part), w, height * part, 2); c.fill();
    c.globalAlpha = 1;
    if (used > 0.01) c.fillRect(x + 0.5, y + 0.5 + height * (1 - used), 3, height * used);
    if (w > 38 && height > 38) { this.inside(c, colour, node, pods, x, y, w); return; }
    const trouble = pods.find((pod) => pod.s === 'fail') ?? pods.find((pod) => pod.s === 'creating' || pod.s === 'notready' || pod.s === 'term');
    if (trouble) {
      c.fillStyle = colour.surface; c.lineWidth = 2;
      c.strokeStyle = { fail: colour.fail, creating: colour.accent, notready: colour.pend, term: colour.term }[trouble.s];
      c.beginPath(); c.arc(x + w / 2 + 0.5, y + height / 2 + 0.5, Math.min(3.4, w / 3, height / 3), 0, 7); c.fill(); c.stroke();
    }
  }

  /** Large cells have room for the node's name and its pods. */
  inside(c, colour, node, pods, x, y, w) {
    c.fillStyle = colour.ink; c.font = '600 11px Inter, sans-serif';
    const fits = c.measureText(node.k).width < w - 6;
    c.fillText(fits ? node.k : node.k.slice(node.k.lastIndexOf('-') + 1), x + 4, y + 13, w - 6);
    const tones = { run: 'run', notready: 'run', creating: 'accent', pending: 'pend', fail: 'fail', term: 'term', done: 'done' };
    const across = Math.floor((w - 6) / 9);
    pods.slice(0, across * 2).forEach((pod, index) => {
      const [px, py] = [x + 4 + (index % across) * 9, y + 19 + Math.floor(index / across) * 9];
      c.fillStyle = c.strokeStyle = colour[tones[pod.s]]; c.lineWidth = 1.5;
      c.beginPath();
      if (pod.s === 'run') { c.roundRect(px, py, 6.5, 6.5, 2); c.fill(); }
      else if (pod.s === 'fail') { c.moveTo(px + 3.2, py - 0.5); c.lineTo(px + 7, py + 3.2); c.lineTo(px + 3.2, py + 7); c.lineTo(px - 0.5, py + 3.2); c.fill(); }
      else if (pod.s === 'term') { c.moveTo(px, py); c.lineTo(px + 6, py + 6); c.moveTo(px + 6, py); c.lineTo(px, py + 6); c.stroke(); }
      else if (pod.s === 'notready') { c.rect(px + 0.7, py + 0.7, 5, 5); c.stroke(); c.fillRect(px + 0.7, py + 3.2, 5, 2.6); }
      else { c.arc(px + 3.2, py + 3.2, 2.6, 0, pod.s === 'creating' ? 4.6 : 7); c.stroke(); }
    });
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    return this.cells.find((cell) => x >= cell.x && x <= cell.x + cell.w && y >= cell.y && y <= cell.y + cell.h) ?? null;
  }

  key(event, onPick) {
    const index = Math.max(this.cells.findIndex((cell) => cell.node.k === this.hover), 0);
    const row = this.cells.filter((cell) => Math.abs(cell.y - this.cells[index]?.y) < 1).length;
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row };
    if (event.key in moves) {
      event.preventDefault();
      this.point(this.cells[Math.min(Math.max(index + moves[event.key], 0), this.cells.length - 1)] ?? null);
    } else if (event.key === 'Enter' && this.hover) onPick('Node', `/${this.hover}`);
  }

  /** Show the lens beside `cell`. */
  point(cell) {
    if ((cell?.node.k ?? null) === this.hover) return;
    this.hover = cell?.node.k ?? null;
    this.lens.hidden = !cell;
    if (!cell) return;
    const pods = [...cell.pods].sort((a, b) => isSystem(a) - isSystem(b)).slice(0, 48).map((pod) => {
      const mark = glyph(pod.s);
      mark.classList.remove('spin');
      return mark;
    });
    this.lens.replaceChildren(h('b', {}, cell.node.k), ` ${t(cell.node.s)}, ${t('{n} pods', { n: cell.pods.length })}`, h('div', { class: 'pods' }, ...pods));
    const stage = this.canvas.parentElement;
    const left = cell.x + cell.w + 16 + 212 < stage.clientWidth ? cell.x + cell.w + 16 : cell.x - 226;
    this.lens.style.left = `${Math.max(left, 6)}px`;
    this.lens.style.top = `${Math.min(Math.max(cell.y - 30, 6), stage.clientHeight - 130)}px`;
  }
}

/** The same as a table: for screen readers, for searching, for copying. At most `MOST` rows; the filter narrows them. */
const MOST = 400;
export class Table {
  constructor(model) {
    this.model = model;
    this.box = $('#table-view');
    this.filter = h('input', { class: 'input', type: 'search', placeholder: t('Filter pods'), 'aria-label': t('Filter pods') });
    this.filter.addEventListener('input', () => this.draw());
    this.body = h('tbody');
    this.note = h('p', { class: 'hint' });
    const head = h('tr', {}, ...['Pod', 'Namespace', 'Node', 'Status', 'Ready'].map((name) => h('th', { scope: 'col' }, t(name))));
    this.box.append(h('div', { class: 'toolrow' }, this.filter), h('table', { class: 'tbl sticky' }, h('thead', {}, head), this.body), this.note);
  }

  draw() {
    const words = this.filter.value.trim().toLowerCase();
    const found = [...this.model.pods.values()].filter((pod) => !words || `${pod.k} ${pod.n} ${pod.t}`.toLowerCase().includes(words));
    const rows = found.slice(0, MOST).map((pod) => {
      const namespace = pod.k.slice(0, pod.k.indexOf('/'));
      const mark = glyph(pod.s);
      mark.classList.remove('spin');
      return h('tr', { class: pod.s }, h('td', {}, mark, h('button', { class: 'link', 'data-object': `Pod/${pod.k}` }, nameOf(pod.k))), h('td', {}, namespace), h('td', {}, h('code', {}, pod.n || '–')), h('td', {}, pod.t), h('td', {}, pod.r));
    });
    const focused = this.body.contains(document.activeElement) && document.activeElement.dataset.object;
    this.body.replaceChildren(...rows);
    if (focused) $(`[data-object="${CSS.escape(focused)}"]`, this.body)?.focus();
    this.note.textContent = found.length > MOST ? t('{n} more: narrow the filter.', { n: found.length - MOST }) : '';
  }
}
