// The page comes alive: one socket feeds the model, views draw what changed once per animation frame, then the ack goes
// out. Everything that is a panel or a form is htmx: the server renders it, and this file only says when to fetch it.

import { $, $$, attribute, boot, calm, forgetColours, h, icon, say, t, toggle } from './dom.js';
import { ClusterStream } from './stream.js';
import { Model } from './model.js';
import { Diagram } from './map.js';
import { Wires } from './wires.js';
import { Lanes } from './lanes.js';
import { Heatmap, Table } from './heatmap.js';
import { TimeBar } from './time.js';
import { Palette } from './palette.js';
import { forgetCharts, refreshCharts } from './charts.js';
import { recolourGraphs, refreshGraphs } from './graphs.js';
import { logsRest, showLogs } from './logs.js';

const CROWD = 150; // Pods or nodes from which on the heatmap is shown first.

const model = new Model();
const wires = new Wires(model);
const diagram = new Diagram(model, wires);
const lanes = new Lanes(model, (kind, key) => inspect(kind, key));
const heatmap = new Heatmap(model, (kind, key) => inspect(kind, key.replace(/^\//, '')));
const table = new Table(model);
const time = new TimeBar(model, act);
const palette = new Palette(model, deeds, (kind, key) => inspect(kind, key.replace(/^\//, '')));

// --- Frames ----------------------------------------------------------------------------------------------------------

const pending = [];
let painted = -1;
let chosen = false; // The map style was chosen by a person.

const stream = new ClusterStream(
  `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${boot.stream}`,
  (frame) => {
    if (frame.type === 'gone') { location.assign(boot.home); return; }
    pending.push(frame);
    animate();
  },
  (connected) => { $('#offline').hidden = connected; },
);

let frames = 0;
let fps = 0;
let since = performance.now();
let lastLanes = 0;

/** Keep drawing while time runs or frames wait; a clock that stands costs nothing. */
let looping = false;
function animate() {
  if (looping) return;
  looping = true;
  requestAnimationFrame(paint);
}

function paint(at) {
  frames += 1;
  if (at - since > 1000) { fps = Math.round((frames * 1000) / (at - since)); frames = 0; since = at; }
  const batch = pending.splice(0);
  for (const frame of batch) take(frame);
  time.tick();
  if (batch.length || (model.running() && at - lastLanes > 66)) {
    lastLanes = at;
    lanes.draw();
    if ($('.node.off')) wires.silence();
  }
  if (heatmap.dirty && $('#map').dataset.mode === 'heat') heatmap.draw();
  if (batch.length) {
    painted = batch.at(-1).seq;
    stream.drawn(painted);
  }
  looping = model.running() || pending.length > 0;
  if (looping) requestAnimationFrame(paint);
}
animate();

function take(frame) {
  const change = model.apply(frame);
  if (change.fresh) crowd();
  const mode = $('#map').dataset.mode;
  if (mode === 'diagram') { diagram.update(change); if (change.fresh) diagram.select(address()); }
  else diagram.stale = true;
  if (mode === 'table' && (change.pods.length || change.fresh)) soon('table', () => table.draw(), 500);
  heatmap.dirty ||= change.fresh || change.pods.length > 0 || change.nodes.length > 0;
  if (frame.usage && mode === 'diagram') { diagram.loads(null); diagram.asked(); }
  diagram.boxes(change);
  time.update();
  if (change.fresh && mode === 'diagram' && (calm() || !model.running())) wires.show(change.messages, 0);
  if (!change.fresh) {
    wires.show(change.messages, change.more);
    for (const node of Object.keys(frame.beats ?? {})) wires.beat(node);
  }
  for (const message of change.messages) if (message.i) tell(message);
  announce(change);
  wake(change);
}

/** Panels that show something that has changed are told so; htmx fetches them. */
function wake(change) {
  const kinds = new Set([...change.touched.map((name) => name.split('/')[0]), ...change.messages.map((message) => message.d)]);
  if (change.fresh || ['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet'].some((kind) => kinds.has(kind))) tellPanels('orrery:workloads');
  const { kind, key } = open;
  const podKeys = change.pods.map(([name]) => name);
  if (change.fresh || (kind === 'Pod' && podKeys.includes(key)) || change.messages.some((message) => message.d === kind && message.k === key) || change.touched.includes(`${kind}/${key}`) || (kind === 'Node' && change.nodes.some(([name]) => name === key)) || (kind === 'Component' && change.messages.length)) {
    soon('inspector', () => inspect(open.kind, open.key, open.tab, true), 500);
  }
  if (document.body.dataset.centre !== 'map') soon('wide', refreshWide, 1000);
}

const tellPanels = (name) => document.body.dispatchEvent(new CustomEvent(name));

const timers = new Map();
/** Run at most once in `pause` ms, and never lose the last call. */
function soon(name, run, pause) {
  if (timers.has(name)) return;
  timers.set(name, setTimeout(() => { timers.delete(name); run(); }, pause));
}

// --- The map's style ---------------------------------------------------------------------------------------------------

function crowd() {
  if (chosen) return;
  style(model.pods.size > CROWD || model.nodes.size > CROWD / 4 ? 'heat' : 'diagram');
}

function style(mode) {
  $('#map').dataset.mode = mode;
  for (const button of $$('.map .seg [data-mode]')) attribute(button, 'aria-pressed', String(button.dataset.mode === mode));
  if (mode === 'diagram') { diagram.update({ fresh: true, pods: [], nodes: [], messages: [] }); diagram.select(address()); }
  if (mode === 'table') table.draw();
  heatmap.dirty = true;
  animate();
}

// --- The inspector -----------------------------------------------------------------------------------------------------

const open = { kind: '', key: '', tab: 'why' };
const MOST_WISHES = 50;
const wished = new Map(); // What was chosen on a tab, by `subject()`: where a connection goes, which node was asked about.

/** Whose wishes they are: the object's own, but where a connection goes is asked of one pod after the other. */
const subject = () => (open.tab === 'network' ? `${open.kind} network` : `${open.kind} ${open.tab} ${open.key}`);

/** The open object as the map names it. */
const address = () => (open.kind === 'Pod' ? `Pod/${open.key}` : `${open.kind}//${open.key.replace(/^\//, '')}`);

/** Show `kind` `key` ("ns/name", or "name" without a namespace) in the inspector. */
function inspect(kind, key, tab = open.tab, quietly = false) {
  if (!kind) return;
  const same = open.kind === kind && open.key === key && open.tab === tab;
  Object.assign(open, { kind, key, tab });
  diagram.select(address());
  const query = new URLSearchParams({ kind, key: key.replace(/^\//, ''), tab, ...wished.get(subject()) });
  htmx.ajax('GET', `${boot.panel}inspector?${query}`, { target: '#inspector', swap: same ? 'innerMorph' : 'innerHTML' });
  if (!quietly && innerWidth <= 760) view('insp');
}

/** Tabs that have no room are behind a button; the chosen one is in sight. */
function showTab() {
  const tabs = $('#inspector .tabs');
  if (!tabs) return;
  const on = $('[aria-selected=true]', tabs);
  if (tabs.shows !== on.id) {
    tabs.shows = on.id; // A property: morphing takes away attributes that the server does not know.
    on.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }
  fadeTabs(tabs);
}

function fadeTabs(tabs) {
  const far = tabs.scrollWidth - tabs.clientWidth;
  if (tabs.nextElementSibling) tabs.nextElementSibling.style.visibility = far > 0 ? 'visible' : 'hidden';
  toggle(tabs, 'left', far > 0 && tabs.scrollLeft >= far - 1);
  toggle(tabs, 'right', far > 0 && tabs.scrollLeft < far - 1);
}
$('#inspector').addEventListener('scroll', ({ target }) => { if (target.matches?.('.tabs')) fadeTabs(target); }, true);

/** Show a wide panel in the centre, or the map again. */
function centre(name, query = '') {
  document.body.dataset.centre = name;
  for (const tab of $$('.views [role=tab]')) {
    const on = tab.dataset.centre === name;
    attribute(tab, 'aria-selected', String(on));
    tab.tabIndex = on ? 0 : -1;
  }
  mark();
  if (name === 'map') { wires.layout(); heatmap.dirty = true; animate(); return; }
  const pressed = document.activeElement?.closest('#wide [data-query]')?.dataset.query;
  wide(`${name}${query}`, 'innerHTML').then(() => {
    if (pressed && document.activeElement === document.body) $$('#wide [data-query]').find((button) => button.dataset.query === pressed)?.focus();
  });
}

/** Fetch a panel into the centre. htmx drops a second request of one element, so each has an element of its own. */
function wide(panel, swap, attributes = {}) {
  const source = document.body.appendChild(h('i', { hidden: true, ...attributes }));
  return htmx.ajax('GET', `${boot.panel}${panel}`, { target: '#wide', swap, source }).finally(() => source.remove());
}

/** Which panel is in the centre, and what was asked of it last; not what is being typed, where a panel tells them apart. */
function asked() {
  const form = $('#wide form[data-state]') ?? $('#wide form');
  return `${document.body.dataset.centre}${form ? `?${new URLSearchParams(new FormData(form))}` : ''}`;
}

let refreshing = false;
function refreshWide() {
  if (!$('#wide').offsetParent || document.hidden || refreshing || performance.now() - slidAt < 800) return;
  if (document.body.dataset.centre === 'logs' && logsRest()) return;
  refreshing = true;
  wide(asked(), 'innerMorph', { 'data-refresh': asked() }).finally(() => { refreshing = false; });
}
document.body.addEventListener('htmx:before:swap', (event) => {
  const { refresh } = event.detail.ctx.sourceElement?.dataset ?? {};
  if (refresh !== undefined && (refresh !== asked() || logsRest())) event.preventDefault(); // Somebody has asked for something else meanwhile.
});
setInterval(() => {
  if (document.body.dataset.centre !== 'map' && (model.running() || document.body.dataset.centre === 'machine-room')) refreshWide();
  if ((open.tab === 'logs' || (open.tab === 'network' && open.kind === 'Pod')) && model.running()) inspect(open.kind, open.key, open.tab, true); // What they show changes without the object.
}, 2000);

/** On a phone: which button of the bar below stands for what is seen. Panels of the centre are behind the last. */
function mark() {
  const { view: seen, centre: shown } = document.body.dataset;
  for (const button of $$('#tabbar button')) {
    const on = seen === 'map' && shown !== 'map' ? button.id === 'more-open' : button.dataset.view === seen;
    on ? button.setAttribute('aria-current', 'page') : button.removeAttribute('aria-current');
  }
}

function view(name) {
  document.body.dataset.view = name;
  mark();
  if (name === 'map') requestAnimationFrame(() => wires.layout());
  requestAnimationFrame(() => { lanes.draw(); showTab(); });
}

// --- Deeds -------------------------------------------------------------------------------------------------------------

/** Do something to the cluster. Whatever went wrong comes back as a toast. */
function act(name, values = {}) {
  const source = document.body.appendChild(h('i', { hidden: true })); // htmx drops a second request of one element.
  const post = () => htmx.ajax('POST', `${boot.act}${name}`, { values, swap: 'none', source }).finally(() => source.remove());
  const before = underWay.get(name) ?? Promise.resolve();
  const done = before.then(post, post); // Clicks of a kind arrive in their order; a pause does not wait for a skip.
  underWay.set(name, done);
  return done;
}
const underWay = new Map();

/** A quick second click on + must count from the first one, not from what the server said before it. */
function stepped(button) {
  const stepper = button.closest('.stepper');
  if (!stepper) return;
  const wanted = Number(button.dataset.replicas);
  const [fewer, more] = $$('button', stepper);
  say($('output', stepper), String(wanted));
  fewer.dataset.replicas = String(Math.max(wanted - 1, 0));
  fewer.disabled = wanted === 0;
  more.dataset.replicas = String(wanted + 1);
}

function sheet(name, query = '') {
  htmx.ajax('GET', `${boot.panel}${name}${query}`, { target: '#sheet', swap: 'innerHTML' }).then(() => {
    if (!$('#sheet').open) $('#sheet').showModal();
    $('#sheet [autofocus]')?.focus();
  });
}

function deeds() {
  const nodes = model.sortedNodes();
  return [
    { icon: 'file-code', text: t('Apply YAML'), run: () => sheet('apply') },
    { icon: 'plus', text: t('Add a node'), run: () => sheet('add-node') },
    { icon: 'fast-forward', text: t('Skip to the next event'), run: () => time.skip() },
    { icon: model.running() ? 'pause' : 'play', text: t(model.running() ? 'Pause' : 'Play'), run: () => time.toggle() },
    ...$$('.views [data-centre]').map((tab) => ({ icon: 'layers', text: tab.textContent, run: () => centre(tab.dataset.centre) })),
    ...nodes.slice(0, 40).map((node) => ({ icon: 'power', text: t(node.p ? 'Power off {node}' : 'Power on {node}', { node: node.k }), run: () => act(node.p ? 'power-off' : 'power-on', { node: node.k }) })),
    ...nodes.slice(0, 40).filter((node) => node.p).map((node) => ({ icon: 'power', text: t('Shut down {node} in order', { node: node.k }), run: () => act('shutdown', { node: node.k }) })),
  ];
}

function nodeMenu(button) {
  const name = button.dataset.nodeMenu;
  const node = model.nodes.get(name);
  const menu = $('#node-menu');
  const item = (mark, text, deed, danger = false) => h('button', { class: `item ${danger ? 'danger' : ''}`, role: 'menuitem', 'data-act': deed, 'data-node': name }, icon(mark), text);
  menu.replaceChildren(
    item('power', t(node.p ? 'Power off {node}' : 'Power on {node}', { node: name }), node.p ? 'power-off' : 'power-on'),
    ...(node.p ? [item('power', t('Shut down {node} in order', { node: name }), 'shutdown')] : []),
    node.u ? item('check', t('Uncordon'), 'uncordon') : item('ban', t('Cordon'), 'cordon'),
    item('log-out', t('Drain'), 'drain'),
    h('hr'),
    item('trash-2', t('Remove the node'), 'node-remove', true),
  );
  place(menu, button);
}

/** Open a menu beside the button that asked for it. */
function place(menu, button) {
  menu.showPopover();
  const [at, box] = [button.getBoundingClientRect(), menu.getBoundingClientRect()];
  menu.style.left = `${Math.max(Math.min(at.left, innerWidth - box.width - 8), 8)}px`;
  menu.style.top = `${at.bottom + 4 + box.height < innerHeight ? at.bottom + 4 : Math.max(at.top - box.height - 4, 8)}px`;
  menu.opener = button;
  menu.querySelector('[role^=menuitem]')?.focus();
}

document.addEventListener('click', (event) => {
  const target = event.target.closest('[data-object], [data-act], [data-centre], [data-view], [data-mode], [data-sheet], [data-tab], [data-node-menu], [data-copy], [data-close], [data-logs-live], [data-further-tabs]');
  if (!target || target === document.body) return;
  const { dataset } = target;
  if (dataset.object) { const [kind, ...rest] = dataset.object.split('/'); inspect(kind, rest.join('/').replace(/^\//, ''), dataset.tab ?? open.tab); }
  else if (dataset.act) {
    const { act: name, then, ...values } = dataset;
    act(name, values).then(() => { if (then) centre(then); else if (name.startsWith('traffic-')) soon('wide', refreshWide, 300); });
    stepped(target);
    target.closest('[popover]')?.hidePopover();
  }
  else if (dataset.nodeMenu) nodeMenu(target);
  else if ('furtherTabs' in dataset) { const tabs = $('#inspector .tabs'); tabs.scrollLeft = tabs.matches('.left') ? 0 : tabs.scrollWidth; }
  else if (dataset.tab) inspect(open.kind, open.key, dataset.tab);
  else if (dataset.sheet) { sheet(dataset.sheet, dataset.query ?? ''); target.closest('[popover]')?.hidePopover(); }
  else if ('logsLive' in dataset) { const box = $('#logs-box'); box.scrollTop = box.scrollHeight; refreshWide(); }
  else if ('close' in dataset) target.closest('dialog')?.close();
  else if (dataset.copy) copy(dataset.copy);
  else if (dataset.mode && target.tagName === 'BUTTON') { chosen = true; style(dataset.mode); }
  else if ('modeTable' in dataset) { chosen = true; style('table'); table.filter.value = dataset.modeTable; table.draw(); }
  else if (dataset.centre) { centre(dataset.centre, dataset.query ?? ''); target.closest('[popover]')?.hidePopover(); if (innerWidth <= 760) view('map'); }
  else if (dataset.view) { if (dataset.view === 'map') centre('map'); view(dataset.view); }
});

let slidAt = -Infinity; // Nobody pulls a slider from under a finger.
/** A slider over steps: the number follows at once, the deed when the hand rests for a moment. */
document.addEventListener('input', ({ target }) => {
  if (!target.matches('[data-slide]')) return;
  slidAt = performance.now();
  const rate = target.dataset.steps.split(',')[target.valueAsNumber];
  say($('output', target.parentElement), rate);
  attribute(target, 'aria-valuetext', rate);
  soon(`slide ${target.id}`, () => act(target.dataset.slide, { key: target.dataset.key, rate: target.dataset.steps.split(',')[target.valueAsNumber] }), 250);
});
document.addEventListener('change', ({ target }) => {
  if (!target.matches('[data-wish]')) return;
  wished.set(subject(), { ...wished.get(subject()), [target.dataset.wish]: target.value });
  if (wished.size > MOST_WISHES) wished.delete(wished.keys().next().value);
  inspect(open.kind, open.key, open.tab, true);
});

$('#sheet').addEventListener('click', ({ target }) => { if (target === $('#sheet')) $('#sheet').close(); });

async function copy(text) {
  try { await navigator.clipboard.writeText(text); toast(t('Copied: {text}', { text })); } catch { toast(text); }
}

// --- Menus and tab lists by keyboard ------------------------------------------------------------------------------------

for (const button of $$('[popovertarget]')) {
  const menu = document.getElementById(button.getAttribute('popovertarget'));
  button.removeAttribute('popovertarget');
  button.addEventListener('click', () => { menu.matches(':popover-open') ? menu.hidePopover() : place(menu, button); });
}
document.addEventListener('keydown', (event) => {
  const list = event.target.closest?.('[role=menu], [role=tablist]');
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (list && step) {
    const items = $$('[role^=menuitem], [role=tab]', list);
    const next = items[(items.indexOf(document.activeElement) + step + items.length) % items.length];
    event.preventDefault();
    next?.focus();
    if (list.getAttribute('role') === 'tablist') next?.click();
    return;
  }
  if (event.key === 'Escape' && event.target.closest?.('[popover]')) event.target.closest('[popover]').opener?.focus();
  shortcut(event);
});

/** Single keys act on the page, never while somebody is typing. */
function shortcut(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') { event.preventDefault(); palette.show(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, textarea, select, dialog, [role=menu]')) return;
  const free = !event.target.closest('button, a, [tabindex]') || event.target === document.body;
  if (event.key === ' ' && free) { event.preventDefault(); time.toggle(); }
  else if (event.key === 'ArrowRight' && free) { event.preventDefault(); time.step(); }
  else if (event.key === '/') { event.preventDefault(); palette.show(); }
}

// --- Words: toasts, kubectl lines, the live region ------------------------------------------------------------------------

function toast(text, bad = false, undo = null) {
  const element = h('div', { class: `toast ${bad ? 'bad' : ''}` }, h('span', {}, text));
  if (undo) {
    const { label, ...deed } = undo;
    element.append(h('button', Object.fromEntries(Object.entries(deed).map(([name, value]) => [`data-${name}`, value])), label));
  }
  $('#toasts').append(element);
  setTimeout(() => element.remove(), bad ? 8000 : 5000);
  say($(bad ? '#alarm' : '#say'), text);
}

/** One input, as the kubectl line or the command that says the same. */
function tell(message) {
  const box = $('#said');
  const last = box.lastElementChild;
  if (last && message.http && last.dataset.line === message.v && last.className === (message.ok ? '' : 'bad')) {
    last.append(h('small', {}, message.http));
    box.scrollTop = box.scrollHeight;
    return;
  }
  const line = h('p', { class: message.ok ? (message.note ? 'note' : '') : 'bad', 'data-line': message.v });
  if (!message.note) line.append(h('b', {}, '$ '));
  line.append(message.v);
  if (message.http) line.append(h('small', {}, message.http));
  box.append(line);
  while (box.childElementCount > 60) box.firstElementChild.remove();
  box.scrollTop = box.scrollHeight;
}

let unsaid = new Map();
function announce({ fresh, pods, nodes }) {
  if (fresh) return;
  for (const [name, row] of nodes) if (row && row.s !== 'Ready') unsaid.set(name, t('{node} is {state}', { node: name, state: t(row.s) }));
  for (const [, row] of pods) if (row?.s === 'run' && row.n) unsaid.set(row.n, t('Pods are running on {node}', { node: row.n }));
  if (unsaid.size) soon('say', () => { say($('#say'), [...unsaid.values()].slice(0, 3).join('. ')); unsaid = new Map(); }, 2000);
}

// --- htmx ----------------------------------------------------------------------------------------------------------------

document.body.addEventListener('htmx:config:request', ({ detail }) => {
  if (detail.ctx.request.method !== 'GET') detail.ctx.request.headers['X-CSRFToken'] = boot.csrf;
});
document.body.addEventListener('htmx:after:swap', () => { refreshCharts(); refreshGraphs(); follow(); showLogs(); showTab(); });

/** Logs follow: whoever was at the end stays at the end. A reader who has scrolled up is left alone. */
function follow() {
  for (const lines of $$('[data-follow]')) {
    const box = lines.parentElement;
    const fresh = box.dataset.seen !== '1';
    if (fresh || box.dataset.end === '1') box.scrollTop = box.scrollHeight;
    if (fresh) {
      box.dataset.seen = '1';
      box.dataset.end = '1';
      box.addEventListener('scroll', () => { box.dataset.end = box.scrollTop + box.clientHeight > box.scrollHeight - 24 ? '1' : '0'; showLogs(); });
    }
  }
}
document.body.addEventListener('orrery:toast', ({ detail }) => toast(detail.text ?? '', detail.bad, detail.undo));
document.body.addEventListener('orrery:toast', ({ detail }) => { if (detail.bad) tellPanels('orrery:workloads'); });
document.body.addEventListener('orrery:done', () => { if ($('#sheet').open) $('#sheet').close(); });
document.body.addEventListener('htmx:error', () => toast(t('That did not arrive. Is the server there?'), true));

// --- Theme ---------------------------------------------------------------------------------------------------------------

$('#theme').addEventListener('click', () => {
  const dark = getComputedStyle(document.documentElement).colorScheme === 'dark' || (document.documentElement.dataset.theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  const theme = dark ? 'light' : 'dark';
  document.documentElement.dataset.theme = theme;
  document.cookie = `orrery_theme=${theme}; path=/; max-age=31536000; samesite=strict`;
  recolour();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', recolour);
function recolour() { forgetColours(); forgetCharts(); heatmap.dirty = true; lanes.draw(); refreshCharts(); recolourGraphs(); animate(); }
addEventListener('resize', () => { showTab(); heatmap.dirty = true; lanes.draw(); animate(); });
document.fonts.ready.then(() => { wires.layout(); lanes.draw(); showTab(); });

const shown = $('#inspector [data-shown]')?.dataset.shown;
if (shown) { const [kind, ...rest] = shown.split('/'); Object.assign(open, { kind, key: rest.join('/') }); }
if (boot.open) {
  Object.assign(open, boot.open);
  if (!boot.centre) wished.set(subject(), Object.fromEntries(new URLSearchParams(boot.centreQuery)));
}
if (boot.centre) centre(boot.centre, `?${boot.centreQuery}`);

window.__orrery = {
  get seq() { return stream.seq; },
  get paintedSeq() { return painted; },
  get simTime() { return model.now(); },
  fps: () => fps,
  cell: (node) => heatmap.cells.find((cell) => cell.node.k === node),
  state: () => ({ pods: [...model.pods.values()], nodes: [...model.nodes.values()], clock: model.clock }),
};
