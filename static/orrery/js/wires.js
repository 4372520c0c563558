// Wires between the boxes, and the messages that travel along them. Solid: request and answer. Dashed: the watch.
//
// Messages are real: each is a revision of the log. At most `MOST` travel at once, the others are counted on the lane's
// label; above 4x nothing travels, boxes only light up. While the clock stands, the last messages stay where they are
// with their numbers 1, 2, 3, so that a still picture shows the order of events too.

import { $, calm, h, phone, span, t, toggle } from './dom.js';
import { laneOf } from './model.js';

const SVG = 'http://www.w3.org/2000/svg';
const MOST = 12;
const TRAVEL = 620;
const LABEL = 1300;
const beside = ({ from, to }) => Math.min((from + to) / 2 - 9, Math.min(from, to) + 6); // Above the queue, which stands in the middle.
const BOXES = { scheduler: 'c-scheduler', controllers: 'c-controllers', addons: 'c-addons', etcd: 'c-etcd' };

export class Wires {
  constructor(model) {
    this.model = model;
    this.stage = $('#stage');
    this.svg = $('#wires');
    this.lanes = new Map(); // Lane to {x, y1, y2, cx}: its place on the screen.
    this.labels = new Map();
    this.parked = [];
    this.travelling = 0;
    this.wire = {};
  }

  /** Measure the boxes and draw the lines. Called when the layout has changed, not for every frame. */
  layout() {
    this.svg.replaceChildren();
    this.lanes.clear();
    this.clearParked();
    if (phone()) return;
    const stage = this.stage.getBoundingClientRect();
    if (!stage.width) return;
    const place = (element) => {
      const box = element.getBoundingClientRect();
      return { left: box.left - stage.left, cx: box.left - stage.left + box.width / 2, top: box.top - stage.top, bottom: box.bottom - stage.top };
    };
    const api = place($('#c-api'));
    for (const [lane, id] of Object.entries(BOXES)) {
      const element = document.getElementById(id);
      if (element.hidden) continue;
      const box = place(element);
      this.lanes.set(lane, { cx: box.cx, from: box.bottom, to: api.top, box: element });
      this.line(lane, 'request', `M${box.cx - 5} ${box.bottom}V${api.top}`, '');
      if (lane !== 'etcd') this.line(lane, 'watch', `M${box.cx + 5} ${box.bottom}V${api.top}`, 'w');
    }
    const top = Math.min(...[...document.querySelectorAll('#nodes .node')].map((node) => node.getBoundingClientRect().top));
    for (const node of document.querySelectorAll('#nodes .node')) {
      const box = place(node);
      if (box.top + stage.top > top + 4) continue; // The first row has wires; a second one would cross it.
      const agent = node.querySelector('.agents span');
      const cx = agent && agent.offsetWidth ? place(agent).cx : box.cx;
      const name = node.dataset.node;
      this.lanes.set(name, { cx, from: box.top, to: api.bottom, box: agent ?? node });
      if (node.classList.contains('off')) {
        const y = (box.top + api.bottom) / 2 + 6;
        this.line(name, 'request', `M${cx} ${api.bottom}V${box.top}`, 'cut');
        this.line(name, 'cross', `M${cx - 5} ${y - 5}l10 10m0 -10l-10 10`, 'xx');
      } else {
        this.line(name, 'request', `M${cx - 5} ${api.bottom}V${box.top}`, '');
        this.line(name, 'watch', `M${cx + 5} ${api.bottom}V${box.top}`, 'w');
      }
    }
    this.silence();
  }

  line(lane, part, d, classes) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', d);
    path.setAttribute('class', `wire ${classes}`);
    this.svg.append(path);
    this.wire[`${lane}.${part}`] = path;
  }

  /** Labels on cut wires: how long the node has been silent. */
  silence() {
    const now = this.model.now();
    for (const node of this.model.nodes.values()) {
      const lane = this.lanes.get(node.k);
      const silent = !node.p && node.b !== null && node.b !== undefined && lane;
      const id = `cut.${node.k}`;
      if (!silent) { this.labels.get(id)?.remove(); this.labels.delete(id); continue; }
      const text = t('no lease, {span}', { span: span(Math.max(now - node.b, 0)) });
      const label = this.labels.get(id);
      if (label) { if (label.textContent !== text) label.textContent = text; this.move(label, lane.cx + 14, lane.to + 8); }
      else this.label(id, lane.cx + 14, lane.to + 8, text, 'cut', 0, true);
    }
  }

  /** Show what has just been written. `more`: how many writes there were besides. */
  show(messages, more) {
    if (phone() || !this.lanes.size) return;
    const { speed, paused } = this.model.clock;
    const fast = !speed || speed > 4;
    const still = paused || calm();
    const writes = messages.filter((message) => message.r && !(message.d === 'Lease') && message.d !== 'Event');
    const shown = writes.slice(-3);
    if (shown.length) this.clearParked();
    shown.forEach((message, index) => {
      const lane = laneOf(message.a, this.model.nodes);
      if (fast && !paused) this.flash(lane);
      else if (still) this.park(lane, message, index + 1);
      else setTimeout(() => this.travel(lane, message, index + 1), index * 160);
    });
    const extra = writes.length - shown.length + more;
    if (extra > 0 && shown.length && !still) this.crowd(laneOf(shown.at(-1).a, this.model.nodes), extra);
  }

  /** A heartbeat: small, quiet, green. */
  beat(node) {
    const lane = this.lanes.get(node);
    const { speed, paused } = this.model.clock;
    if (!lane || calm() || paused || !speed || speed > 4 || this.travelling >= MOST) return;
    this.pulse(lane.cx - 5, lane.from, lane.to, 'small', 3);
  }

  flash(lane) {
    const element = this.lanes.get(lane)?.box ?? null;
    if (!element || element.dataset.hot) return;
    element.dataset.hot = '1';
    toggle(element, 'hot', true);
    setTimeout(() => { toggle(element, 'hot', false); delete element.dataset.hot; }, 160);
  }

  travel(lane, message, number) {
    const place = this.lanes.get(lane);
    const watched = /^r\d/.test(message.c?.at(-1) ?? '');
    let delay = 0;
    if (place && this.travelling < MOST) {
      if (watched) { this.pulse(place.cx + 5, place.to, place.from, 'w'); delay = TRAVEL * 0.6; }
      setTimeout(() => {
        this.flash(lane);
        this.pulse(place.cx - 5, place.from, place.to, '');
        this.label(lane, place.cx + 12, beside(place), message.l, '', number);
      }, delay);
    }
    const etcd = this.lanes.get('etcd');
    if (etcd && this.travelling < MOST) {
      setTimeout(() => {
        this.pulse(etcd.cx - 5, etcd.to, etcd.from, '');
        this.label('etcd', etcd.cx + 8, (etcd.from + etcd.to) / 2 - 9, 'put', '', number + 1);
      }, delay + TRAVEL * 0.7);
    }
  }

  pulse(x, from, to, classes, radius = 4.5) {
    const dot = this.stage.appendChild(h('i', { class: `pulse ${classes}` }));
    this.travelling += 1;
    const at = (y) => `translate(${x - radius}px, ${y - radius}px)`;
    dot.animate([{ transform: at(from), opacity: 0 }, { opacity: 1, offset: 0.12 }, { opacity: 1, offset: 0.88 }, { transform: at(to), opacity: 0 }], { duration: TRAVEL, easing: 'ease-in-out' })
      .finished.finally(() => { dot.remove(); this.travelling -= 1; });
  }

  park(lane, message, number) {
    const place = this.lanes.get(lane);
    if (!place) return;
    const y = (place.from + place.to) / 2;
    const dot = this.stage.appendChild(h('i', { class: 'pulse' }));
    dot.style.transform = `translate(${place.cx - 9.5}px, ${y - 4.5}px)`;
    this.wire[`${lane}.request`]?.classList.add('on');
    this.parked.push(() => { dot.remove(); this.wire[`${lane}.request`]?.classList.remove('on'); });
    const label = this.label(lane, place.cx + 12, beside(place), message.l, '', number, true);
    this.parked.push(() => { label.remove(); if (this.labels.get(lane) === label) this.labels.delete(lane); });
  }

  clearParked() {
    for (const undo of this.parked.splice(0)) undo();
  }

  crowd(lane, extra) {
    const place = this.lanes.get(lane);
    if (place) this.label(`${lane}.more`, place.cx + 12, (place.from + place.to) / 2 + 8, `×${extra}`, 'w');
  }

  label(id, x, y, text, classes, number = 0, lasting = false) {
    this.labels.get(id)?.remove();
    const label = this.stage.appendChild(h('span', { class: `msg ${classes}`, 'aria-hidden': 'true' }, number ? h('sup', {}, String(number)) : null, text));
    this.labels.set(id, label);
    this.move(label, x, y);
    if (!lasting) {
      label.animate([{ opacity: 0 }, { opacity: 1, offset: 0.08 }, { opacity: 1, offset: 0.85 }, { opacity: 0 }], { duration: LABEL })
        .finished.finally(() => { label.remove(); if (this.labels.get(id) === label) this.labels.delete(id); });
    }
    return label;
  }

  move(label, x, y) {
    const most = this.stage.clientWidth - label.offsetWidth - 6;
    label.style.transform = `translate(${Math.round(Math.min(x, most))}px, ${Math.round(y)}px)`;
  }
}
