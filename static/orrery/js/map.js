// The diagram: boxes that stay, node cards and pod chips that come and go. Only what changed is touched.

import { $, $$, attribute, glyph, grouped, h, icon, phone, say, t, toggle } from './dom.js';
import { isSystem, nameOf, shortName } from './model.js';

export const STATES = ['run', 'notready', 'creating', 'pending', 'fail', 'term', 'done'];
const MANY = 8; // Nodes, from which on the cards scroll.
const LINE = 23; // Height of a line of pods in a small card.
const MOST = 48; // Cards. The heatmap has all nodes.

export class Diagram {
  /** `wires.layout()` is called when boxes have moved. */
  constructor(model, wires) {
    Object.assign(this, { model, wires, cards: new Map(), chips: new Map(), known: new Set(), shown: new Set(), selected: '' });
    this.nodes = $('#nodes');
    this.queue = $('#queue-pods');
    this.legend();
    new ResizeObserver(() => { this.room = null; this.loads(null); wires.layout(); }).observe($('#stage'));
    this.nodes.addEventListener('keydown', (event) => this.roam(event));
    $('#queue').addEventListener('keydown', (event) => this.roam(event));
  }

  legend() {
    const names = STATES.filter((state) => state !== 'done');
    for (const state of names) {
      const mark = glyph(state);
      mark.classList.remove('spin');
      $('#legend').append(h('span', {}, mark, t(`state.${state}`)));
    }
  }

  /** Bring the cards and chips up to date after a frame. */
  update({ fresh, pods, nodes }) {
    const others = fresh || nodes.some(([name, row]) => !row || !this.known.has(name));
    if (others) fresh = this.choose() || fresh;
    if (fresh) { this.clear(); [pods, nodes] = [[...this.model.pods], [...this.model.nodes]]; }
    let moved = fresh || nodes.length > 0;
    for (const [name] of nodes) this.card(name);
    if (others) this.arrange();
    for (const [key] of pods) moved = this.chip(key) || moved;
    this.loads(fresh ? null : this.affected(pods, nodes));
    this.waiting();
    this.addons();
    this.tabStop();
    if (fresh) this.select(this.selected);
    if (moved) this.wires.layout();
  }

  /** Which nodes have a card: the first ones by name. Returns true if one moved up for another. */
  choose() {
    const [before, names] = [this.shown, this.model.sortedNodes().map((row) => row.k)];
    this.known = new Set(names);
    this.shown = new Set(names.slice(0, MOST));
    return names.length > MOST && names.slice(0, MOST).some((name) => !before.has(name));
  }

  clear() {
    for (const element of [...this.cards.values(), ...this.chips.values()]) element.remove();
    this.cards.clear();
    this.chips.clear();
  }

  // --- Nodes --------------------------------------------------------------------------------------------------------

  card(name) {
    const row = this.model.nodes.get(name);
    if (!row) { this.cards.get(name)?.remove(); this.cards.delete(name); this.arrange(); return; }
    if (!this.shown.has(name)) return;
    let card = this.cards.get(name);
    if (!card) { card = this.newCard(row); this.cards.set(name, card); this.arrange(); }
    const dead = row.s !== 'Ready';
    toggle(card, 'dead', dead);
    toggle(card, 'off', !row.p);
    toggle(card, 'cordoned', row.u);
    const pill = $('.pill', card);
    const [text, mark, tone] = row.s === 'Ready' ? (row.u ? [t('Cordoned'), 'ban', 'warn'] : [t('Ready'), 'check', '']) : [t(row.s), 'x', 'bad'];
    if (pill.dataset.text !== text) {
      pill.dataset.text = text;
      pill.className = `pill ${tone}`;
      pill.replaceChildren(icon(mark), text);
    }
    const power = $('.kill', card);
    attribute(power, 'data-act', row.p ? 'power-off' : 'power-on');
    attribute(power, 'aria-label', t(row.p ? 'Power off {node}' : 'Power on {node}', { node: name }));
    attribute(power, 'title', power.getAttribute('aria-label'));
    say($('.agents .rt', card), row.rt);
    attribute(card, 'aria-label', `${name}, ${text}${row.p ? '' : `, ${t('powered off')}`}`);
  }

  newCard(row) {
    const name = row.k;
    const card = h('article', { class: 'node', 'data-node': name });
    const bar = (id) => h('div', { class: 'b', 'aria-hidden': 'true' }, h('i', { class: `req ${id}` }), h('i', { class: `now ${id}` }));
    card.append(
      h('header', {},
        h('button', { class: 'name', 'data-object': `Node//${name}` }, h('b', {}, name)),
        h('span', { class: 'pill' }),
        h('div', { class: 'tools' },
          h('button', { 'data-node-menu': name, 'aria-haspopup': 'menu', 'aria-label': t('More for {node}', { node: name }) }, icon('ellipsis-vertical')),
          h('button', { class: 'kill', 'data-node': name }, icon('power')))),
      h('div', { class: 'agents', 'aria-hidden': 'true' }, h('span', {}, 'kubelet'), h('span', { class: 'rt' }, row.rt)),
      h('div', { class: 'pods', role: 'group', 'aria-label': t('Pods on {node}', { node: name }) }),
      h('div', { class: 'use' }, h('span', {}, 'CPU'), bar('cpu'), h('span', { class: 'n cpu-n' }, '–'), h('span', { class: 'gap' }, t('Mem')), bar('mem'), h('span', { class: 'n mem-n' }, '–')));
    return card;
  }

  arrange() {
    this.room = null;
    const rows = this.model.sortedNodes();
    const cards = rows.map((row) => this.cards.get(row.k)).filter(Boolean);
    if (cards.some((card, index) => this.nodes.children[index] !== card)) this.nodes.replaceChildren(...cards);
    const count = cards.length;
    const columns = count <= 4 ? Math.max(count, 1) : count <= 6 ? 3 : 4;
    this.nodes.style.setProperty('--columns', columns);
    const left = this.model.nodes.size - count;
    this.rest ??= h('p', { class: 'hint rest' });
    say(this.rest, left > 0 ? t('{n} more nodes: see the heatmap.', { n: left }) : '');
    if (left > 0) this.nodes.append(this.rest); else this.rest.remove();
    toggle(this.nodes, 'many', count > MANY);
    toggle(this.nodes, 'dense', count > 4);
  }

  // --- Pods ---------------------------------------------------------------------------------------------------------

  /** Create, change, move or remove one chip. Returns true if boxes may have moved. */
  chip(key) {
    const row = this.model.pods.get(key);
    let chip = this.chips.get(key);
    const card = row?.n ? this.cards.get(row.n) : null;
    if (!row || (row.n && !card)) { chip?.remove(); this.chips.delete(key); return false; }
    if (!chip) {
      const [base, suffix] = shortName(row);
      chip = h('button', { class: 'pod', 'data-object': `Pod/${key}`, tabindex: '-1' }, glyph(row.s), h('span', {}, h('i', {}, base), isSystem(row) ? null : h('u', {}, suffix)), h('small', {}));
      this.chips.set(key, chip);
    }
    const home = row.n ? $('.pods', card) : this.queue;
    if (home && chip.parentElement !== home) {
      const arrived = chip.parentElement === this.queue;
      isSystem(row) ? home.append(chip) : home.insertBefore(chip, $('.sys', home));
      if (arrived || row.s === 'pending') chip.animate?.([{ opacity: 0, transform: 'translateY(-6px)' }, { opacity: 1, transform: 'none' }], { duration: 240, easing: 'ease-out' });
    }
    const classes = `pod ${row.s}${isSystem(row) ? ' sys' : ''}`;
    if (chip.className !== classes) {
      chip.className = classes;
      chip.firstElementChild.replaceWith(glyph(row.s));
    }
    const [rate, busy] = this.model.requests[key] ?? [0, 0];
    const words = `${row.t}${row.x ? `, ${t('{n} restarts', { n: row.x })}` : ''}${rate ? `, ${t('{n} requests a second, {part} % of what it can', { n: grouped(rate), part: busy })}` : ''}`;
    if (rate) { attribute(chip, 'data-busy', String(busy)); chip.style.setProperty('--busy', `${Math.min(busy, 100)}%`); } else chip.removeAttribute('data-busy');
    say($('small', chip), words);
    attribute(chip, 'aria-label', `${nameOf(key)}, ${t(`state.${row.s}`)}, ${words}`);
    attribute(chip, 'title', `${key}\n${words}`);
    attribute(chip, 'aria-pressed', String(this.selected === `Pod/${key}`));
    return false;
  }

  /** Pods that load generators ask: a bar below each says how much of what it can. */
  asked() {
    const keys = new Set([...$$('[data-busy]', this.nodes).map((chip) => chip.dataset.object.slice(4)), ...Object.keys(this.model.requests)]);
    for (const key of keys) this.chip(key);
  }

  affected(pods, nodes) {
    const names = new Set(nodes.map(([name]) => name));
    for (const [, row] of pods) if (row?.n) names.add(row.n);
    if (pods.some(([, row]) => !row)) return null; // A pod went: its row no longer says where it was.
    return names;
  }

  /** CPU and memory of nodes: promised (hatched) and used (filled). `names`: null for all of them. */
  loads(names) {
    const byNode = this.model.byNode();
    for (const [name, card] of this.cards) {
      if (names && !names.has(name) && !this.model.usage[name]) continue;
      const row = this.model.nodes.get(name);
      toggle(card, 'tiny', (byNode.get(name) ?? []).length > this.named());
      const living = (byNode.get(name) ?? []).filter((pod) => pod.s !== 'done' && pod.s !== 'fail' );
      const asked = living.reduce((sum, pod) => [sum[0] + pod.c, sum[1] + pod.m], [0, 0]);
      const used = row.p ? this.model.usage[name] : null;
      [['cpu', row.c], ['mem', row.m]].forEach(([id, room], index) => {
        const part = (amount) => (room ? Math.min(amount / room, 1) : 0);
        const fill = (amount) => `inset(0 ${((1 - amount) * 100).toFixed(1)}% 0 0 round 3px)`;
        $(`.req.${id}`, card).style.clipPath = fill(part(asked[index]));
        $(`.now.${id}`, card).style.clipPath = fill(used ? part(used[index]) : 0);
        say($(`.${id}-n`, card), !row.p ? '–' : `${Math.round(part(used ? used[index] : asked[index]) * 100)}%`);
      });
    }
  }

  /** How many pods of a card fit with their names; with more of them only their shapes are shown. */
  named() {
    if (phone()) return 60;
    const count = this.cards.size;
    if (count > MANY) return 0;
    if (count <= 4) return innerWidth >= 1500 ? 16 : 10;
    this.room ??= 2 * Math.max(Math.floor($('.pods', this.nodes).clientHeight / LINE), 1);
    return this.room;
  }

  waiting() {
    const box = $('#queue');
    const empty = this.queue.childElementCount === 0;
    if (box.hidden !== empty) box.hidden = empty;
    if (!empty) {
      const api = $('#c-api');
      box.style.top = `${api.offsetTop + api.offsetHeight + 25}px`;
      const hidden = this.queue.childElementCount - 4;
      [...this.queue.children].forEach((chip, index) => { if (chip.hidden !== index > 3) chip.hidden = index > 3; });
      say($('#queue b'), hidden > 0 ? t('{n} pods wait for a node', { n: this.queue.childElementCount }) : t('Waiting for a node'));
    }
  }

  /** The add-ons box exists as long as something runs in kube-system. */
  addons() {
    const names = new Set();
    for (const pod of this.model.pods.values()) if (isSystem(pod)) names.add(shortName(pod)[0]);
    const box = $('#c-addons');
    if (box.hidden !== (names.size === 0)) { box.hidden = names.size === 0; this.wires.layout(); }
    say($('#t-addons'), [...names].join(', '));
  }

  // --- Words in the boxes -------------------------------------------------------------------------------------------

  boxes({ messages }) {
    const { clock, pods } = this.model;
    say($('#t-etcd'), t('revision {n}', { n: grouped(clock.rev ?? 0) }));
    let pending = 0;
    for (const pod of pods.values()) if (pod.s === 'pending') pending += 1;
    say($('#t-scheduler'), t('{n} in the queue', { n: pending }));
    const last = messages.findLast((message) => message.r && message.d !== 'Lease');
    if (!last) return;
    const controller = messages.findLast((message) => message.r && /controller|lifecycle|eviction|collector|disruption/.test(message.a));
    if (controller) say($('#t-controllers'), `${controller.a.replace(/-?controller$/, '')}: ${controller.l} ${controller.d}`);
    const [method, path] = request(last);
    $('#t-request').replaceChildren(h('em', {}, method), ` …/${path}`);
    say($('#t-code'), method === 'POST' ? '201' : '200');
    say($('#t-who'), t('from {actor}, stored as revision {n}', { actor: last.a, n: grouped(last.r) }));
    say($('#t-revision'), t('step {n}', { n: grouped(last.st) }));
  }

  // --- Selection and keys -------------------------------------------------------------------------------------------

  select(address) {
    this.selected = address;
    for (const element of document.querySelectorAll('#stage [data-selected]')) { delete element.dataset.selected; mark(element, false); }
    const chip = address.startsWith('Pod/') ? this.chips.get(address.slice(4)) : null;
    const card = address.startsWith('Node/') ? this.cards.get(address.slice(6)) : null;
    const box = address.startsWith('Component/') ? document.querySelector(`[data-object="${address}"]`) : null;
    const chosen = chip ?? card ?? box;
    if (chosen) { chosen.dataset.selected = ''; mark(chosen, true); }
  }

  /** The map is one tab stop: arrows roam over boxes, nodes and pods. */
  tabStop() {
    const chips = [...this.chips.values()];
    if (chips.length && !chips.some((chip) => chip.tabIndex === 0 && chip.isConnected)) {
      const first = $('#nodes .pod');
      if (first) first.tabIndex = 0;
    }
  }

  roam(event) {
    const moves = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    const move = moves[event.key];
    const from = event.target.closest('.pod');
    if (!move || !from) return;
    event.preventDefault();
    event.stopPropagation();
    const here = from.getBoundingClientRect();
    let best = null;
    for (const chip of this.chips.values()) {
      if (chip === from || !chip.offsetParent) continue;
      const box = chip.getBoundingClientRect();
      const [dx, dy] = [box.left - here.left, box.top - here.top];
      const along = dx * move[0] + dy * move[1];
      const across = Math.abs(dx * move[1]) + Math.abs(dy * move[0]);
      if (along > 3 && (!best || along + across * 3 < best.cost)) best = { chip, cost: along + across * 3 };
    }
    if (!best) return;
    from.tabIndex = -1;
    best.chip.tabIndex = 0;
    best.chip.focus();
  }
}

/** Say to a screen reader which box is open; a node's card says it by its name. */
function mark(element, on) {
  const button = element.matches('button') ? element : element.querySelector('.name');
  button?.setAttribute('aria-pressed', String(on));
}

/** The HTTP request behind a write: [method, path from the resource on]. */
function request({ v: verb, l: label, p: plural, k: key }) {
  const path = `${plural}/${nameOf(key)}`;
  if (label === 'bind') return ['POST', `${path}/binding`];
  if (label === 'status') return ['PATCH', `${path}/status`];
  return { create: ['POST', plural], delete: ['DELETE', path] }[verb] ?? ['PUT', path];
}
