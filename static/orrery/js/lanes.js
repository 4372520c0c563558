// The live lanes: who did what when. Time runs to the right and ends now; stretches in which nothing happened are folded.
//
//   filled dot  a write (in its actor's lane and in the API server's)      ring  the watch event that caused it
//   bar         the time between the two: the component's reaction         tick  a heartbeat of a node

import { $, clockText, colours, context, phone, span, t } from './dom.js';
import { laneOf } from './model.js';

const LEFT = 92;
const TOP = 18;
const ROW = 15; // The least height of a lane.
const FOLD = 52; // Width of a folded stretch.
const BEFORE = 0.5e6;
const AFTER = 0.9e6;

export class Lanes {
  constructor(model, onPick) {
    this.model = model;
    this.canvas = $('#lanes');
    this.hits = [];
    this.canvas.addEventListener('click', (event) => this.pick(event, onPick));
    this.canvas.addEventListener('pointermove', (event) => {
      this.canvas.title = this.hit(event)?.title ?? '';
    });
  }

  /** Which lanes there are: you, the API server, scheduler, controllers, and as many nodes as fit. */
  lanes(height) {
    const fixed = [['you', t('You')], ['api', t('API server')], ['scheduler', t('Scheduler')], ['controllers', t('Controllers')]];
    const room = Math.max(Math.floor((height - TOP) / ROW) - fixed.length, 1);
    const nodes = this.model.sortedNodes();
    const interesting = [...nodes].sort((a, b) => (a.s === 'Ready' && a.p) - (b.s === 'Ready' && b.p)).slice(0, room);
    const shown = nodes.filter((node) => interesting.includes(node));
    return [...fixed, ...shown.map((node) => [node.k, node.k])];
  }

  /** Stretches of time that are worth showing, newest last, and the scale that goes with them. */
  stretches(now, width) {
    const { speed } = this.model.clock;
    const zoom = !speed ? 8 : Math.max(1, speed / 4);
    const perUs = (phone() ? 22 : 42) / 1e6 / zoom;
    const live = 5.5e6 * zoom;
    const found = [[now - live, now]];
    let used = live * perUs;
    for (let i = this.model.log.length - 1; i >= 0 && used < width; i--) {
      const time = this.model.log[i].t;
      const [from, to] = [time - BEFORE * zoom, time + AFTER * zoom];
      const newest = found[0];
      if (to >= newest[0] - (FOLD * 1.6) / perUs) {
        if (from < newest[0]) { used += (newest[0] - from) * perUs; newest[0] = from; }
      } else {
        found.unshift([from, to]);
        used += (to - from) * perUs + FOLD;
      }
    }
    return { found, perUs };
  }

  draw() {
    const c = context(this.canvas);
    if (!c) return;
    const colour = colours();
    const now = this.model.now();
    const lanes = this.lanes(c.H);
    const height = (c.H - TOP) / lanes.length;
    const row = new Map(lanes.map(([id], index) => [id, TOP + height * (index + 0.5)]));
    this.hits = [];

    c.font = '500 11px Inter, sans-serif';
    c.textBaseline = 'middle';
    lanes.forEach(([, name], index) => {
      if (index % 2 === 0) { c.fillStyle = colour.raise; c.fillRect(0, TOP + height * index, c.W, height); }
      c.fillStyle = colour['ink-2'];
      c.fillText(shortened(c, name, LEFT - 14), 12, TOP + height * (index + 0.5) + 0.5);
    });

    const right = c.W - 14;
    const { found, perUs } = this.stretches(now, right - LEFT);
    const x = this.axis(c, colour, found, perUs, right, row, height);
    c.save();
    c.beginPath(); c.rect(LEFT - 4, 0, c.W, c.H); c.clip();
    this.outages(c, colour, row, x, now);
    this.beats(c, colour, row, x);
    for (const message of this.model.log) this.message(c, colour, row, x, message);
    this.words(c);
    c.restore();

    const at = x(now);
    c.strokeStyle = colour.ink; c.lineWidth = 1.5;
    c.beginPath(); c.moveTo(at, 12); c.lineTo(at, c.H); c.stroke();
    c.fillStyle = colour.ink;
    c.beginPath(); c.moveTo(at - 6, 1); c.lineTo(at + 6, 1); c.lineTo(at + 6, 7); c.lineTo(at, 13); c.lineTo(at - 6, 7); c.fill();
  }

  /** Draw grid, times and folds. Returns the function from simulated time to x; null: not on the screen. */
  axis(c, colour, found, perUs, right, row, height) {
    const placed = [];
    let end = right;
    for (let i = found.length - 1; i >= 0; i--) {
      const [from, to] = found[i];
      placed.unshift({ from, to, end });
      const start = end - (to - from) * perUs;
      this.grid(c, colour, from, to, end, perUs);
      if (i > 0) this.fold(c, colour, start, found[i][0] - found[i - 1][1], height);
      end = start - FOLD;
    }
    return (time) => {
      for (let i = placed.length - 1; i >= 0; i--) {
        const stretch = placed[i];
        if (time > stretch.to) return null;
        if (time >= stretch.from) return stretch.end - (stretch.to - time) * perUs;
      }
      return null;
    };
  }

  grid(c, colour, from, to, end, perUs) {
    const every = [1e6, 2e6, 5e6, 10e6, 30e6, 60e6, 300e6, 600e6, 3600e6, 36000e6].find((step) => step * perUs > 34) ?? 86400e6;
    for (let time = Math.ceil(from / every) * every; time <= to; time += every) {
      const at = end - (to - time) * perUs;
      if (at < LEFT || at > end - 4) continue;
      c.strokeStyle = colour.line; c.lineWidth = 1;
      c.beginPath(); c.moveTo(at, 14); c.lineTo(at, c.H); c.stroke();
      if ((time / every) % 2 === 0 && at > LEFT + 12 && at < c.W - 40) {
        c.fillStyle = colour['ink-2']; c.textAlign = 'center'; c.font = '500 11px "JetBrains Mono", monospace';
        c.fillText(clockText(time, 0), at, 8);
        c.textAlign = 'left';
      }
    }
  }

  fold(c, colour, start, length, height) {
    const left = start - FOLD + 5;
    if (left + FOLD < LEFT) return;
    c.save();
    c.beginPath(); c.rect(LEFT - 4, TOP, c.W, c.H); c.clip();
    c.fillStyle = colour.sunk;
    c.beginPath(); c.roundRect(left, TOP + 2, FOLD - 10, c.H - TOP - 4, 4); c.fill();
    c.fillStyle = colour['ink-2']; c.font = '500 11px Inter, sans-serif'; c.textAlign = 'center';
    if (left >= LEFT - 4) {
      span(length).split(/(?<=min|h) /).forEach((part, index) => c.fillText(part, start - FOLD / 2, TOP + height * 1.5 + index * 13));
    }
    c.textAlign = 'left';
    c.restore();
  }

  outages(c, colour, row, x, now) {
    for (const [node, spans] of this.model.outages) {
      const y = row.get(node);
      if (y === undefined) continue;
      for (const [from, to] of spans) {
        const [a, b] = [x(from) ?? LEFT, x(to ?? now) ?? (to === null ? c.W - 14 : null)];
        if (b === null || b <= a) continue;
        c.save();
        c.beginPath(); c.roundRect(a, y - 5, b - a, 10, 3); c.clip();
        c.fillStyle = colour['fail-soft']; c.fillRect(a, y - 5, b - a, 10);
        c.strokeStyle = colour.fail; c.globalAlpha = 0.55; c.lineWidth = 1.6;
        c.beginPath();
        for (let at = a - 10; at < b; at += 6) { c.moveTo(at, y + 5); c.lineTo(at + 10, y - 5); }
        c.stroke();
        c.restore();
      }
    }
  }

  beats(c, colour, row, x) {
    c.fillStyle = colour.run;
    for (let i = this.model.beats.length - 1; i >= 0; i--) {
      const { t: time, node } = this.model.beats[i];
      const y = row.get(node);
      const at = y === undefined ? null : x(time);
      if (at !== null && at >= LEFT) { c.beginPath(); c.roundRect(at - 1, y - 5, 2, 10, 1); c.fill(); }
    }
  }

  message(c, colour, row, x, message) {
    const at = x(message.t);
    if (at === null || at < LEFT) return;
    if (message.i || message.e) return this.deed(c, colour, row, at, message);
    const lane = laneOf(message.a, this.model.nodes);
    const [own, api] = [row.get(lane), row.get('api')];
    const title = `${clockText(message.t, 3)}  ${message.a}: ${message.l} ${message.d} ${message.k}`;
    if (own !== undefined && lane !== 'api') {
      c.strokeStyle = colour.accent; c.globalAlpha = 0.45; c.lineWidth = 1;
      c.beginPath(); c.moveTo(at, own); c.lineTo(at, api); c.stroke();
      c.globalAlpha = 1;
      this.reaction(c, colour, x, own, at, message);
      this.dot(c, colour.accent, at, own);
      this.hits.push({ x: at, y: own, message, title });
    }
    this.dot(c, colour.accent, at, api, 3.2);
    this.hits.push({ x: at, y: api, message, title });
  }

  /** The watch event that woke the actor up, and the bar from there to its write. */
  reaction(c, colour, x, y, at, message) {
    const cause = /^r(\d+)$/.exec(message.c?.at(-1) ?? '');
    const seen = cause && this.model.writes.get(Number(cause[1]));
    const from = seen ? x(seen.t) : null;
    if (from === null || from >= at - 4) return;
    c.fillStyle = colour.accent; c.globalAlpha = 0.4;
    c.beginPath(); c.roundRect(from, y - 3, at - from, 6, 3); c.fill();
    c.globalAlpha = 1;
    c.fillStyle = colour.surface; c.strokeStyle = colour.accent; c.lineWidth = 1.8;
    c.beginPath(); c.arc(from, y, 3.2, 0, 7); c.fill(); c.stroke();
  }

  deed(c, colour, row, at, message) {
    const y = row.get('you');
    const tone = message.e && message.v.endsWith('off') ? colour.fail : message.ok === false ? colour.pend : colour.accent;
    c.fillStyle = tone;
    c.beginPath(); c.moveTo(at, y - 5.5); c.lineTo(at + 5.5, y); c.lineTo(at, y + 5.5); c.lineTo(at - 5.5, y); c.fill();
    const words = message.e ? `${message.v} ${message.k}` : message.short ?? message.v;
    this.hits.push({ x: at, y, message, words, tone, title: `${clockText(message.t, 3)}  ${words}` });
  }

  /** Words beside the diamonds, newest first, as far as there is room before the next one. */
  words(c) {
    c.font = '600 11px Inter, sans-serif';
    let end = c.W - 18;
    const deeds = this.hits.filter((hit) => hit.words).reverse();
    for (const [index, { x, y, words, tone }] of deeds.entries()) {
      const wide = c.measureText(words).width;
      const before = (deeds[index + 1]?.x ?? LEFT) + 8;
      c.fillStyle = tone;
      if (x + 9 + wide <= end) c.fillText(words, x + 9, y + 0.5);
      else if (end > c.W - 20 && x - 9 - wide > before) { c.fillText(words, x - 9 - wide, y + 0.5); end = x - 12 - wide; continue; }
      end = Math.min(end, x - 10);
    }
  }

  dot(c, colour, x, y, radius = 4) {
    c.fillStyle = colour;
    c.beginPath(); c.arc(x, y, radius, 0, 7); c.fill();
  }

  hit(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    return this.hits.findLast?.((hit) => Math.hypot(hit.x - x, hit.y - y) < 8);
  }

  pick(event, onPick) {
    const found = this.hit(event);
    if (found?.message.d) onPick(found.message.d, found.message.k);
  }
}

/** As much of `name` as has room. */
function shortened(c, name, width) {
  if (c.measureText(name).width <= width) return name;
  let end = name.length;
  while (end > 1 && c.measureText(`${name.slice(0, end)}…`).width > width) end -= 1;
  return `${name.slice(0, end)}…`;
}
