// What the browser knows of the cluster: rows by key, the clock, and what happened lately. Frames change it; views read it.

const LOG = 900; // Messages kept for the lanes.

export class Model {
  constructor() { this.clear(); }

  clear() {
    this.pods = new Map();
    this.nodes = new Map();
    this.clock = { now: 0, paused: true, speed: 1 };
    this.log = []; // Messages, oldest first: see dashboard/rows.py.
    this.beats = []; // Lease renewals: {t, node}.
    this.writes = new Map(); // Revision to its message, as far as `log` reaches.
    this.outages = new Map(); // Node to [[from, to | null], …], from physical events.
    this.usage = {};
    this.requests = {}; // Pod to [requests a second, per cent of what it can], where load generators ask.
    this.arrived = performance.now();
  }

  /** Take a frame in. Returns what views need to know: {fresh, pods, nodes, messages, more, touched}. */
  apply(frame) {
    const fresh = frame.type === 'snapshot';
    if (fresh) this.clear();
    this.arrived = performance.now();
    const wasAt = this.clock.now;
    if (frame.clock) this.clock = frame.clock;
    const pods = fresh ? frame.pods.map((row) => [row.k, row]) : Object.entries(frame.pods ?? {});
    const nodes = fresh ? frame.nodes.map((row) => [row.k, row]) : Object.entries(frame.nodes ?? {});
    for (const [key, row] of pods) row ? this.pods.set(key, row) : this.pods.delete(key);
    for (const [key, row] of nodes) row ? this.nodes.set(key, row) : this.nodes.delete(key);
    for (const [time, node] of frame.rhythm ?? []) this.beats.push({ t: time, node });
    for (const [node, time] of Object.entries(frame.beats ?? {})) {
      const row = this.nodes.get(node);
      if (row) row.b = time;
      this.beats.push({ t: time, node });
    }
    if (this.beats.length > LOG) this.beats.splice(0, this.beats.length - LOG);
    if (frame.usage) { this.usage = frame.usage; this.requests = frame.requests ?? {}; }
    const messages = frame.messages ?? [];
    for (const message of messages) this.remember(message);
    return { fresh, pods, nodes, messages, more: frame.more ?? 0, touched: frame.touched ?? [], wasAt };
  }

  remember(message) {
    this.log.push(message);
    if (message.r) this.writes.set(message.r, message);
    if (message.e && message.v === 'power-off') this.outages.set(message.k, [...(this.outages.get(message.k) ?? []), [message.t, null]]);
    if (message.e && message.v === 'power-on') {
      const last = this.outages.get(message.k)?.at(-1);
      if (last && last[1] === null) last[1] = message.t;
    }
    if (this.log.length > LOG) for (const old of this.log.splice(0, this.log.length - LOG)) this.writes.delete(old.r);
  }

  running() { return !this.clock.paused && !this.clock.asleep && !this.clock.stopped; }

  /** Simulated time now: the committed horizon, and what has passed since by the wall, but never past the next timer. */
  now() {
    const { now, speed, due } = this.clock;
    if (!this.running() || !speed) return now;
    const ahead = Math.min((performance.now() - this.arrived) * 1000, 1.5e6) * speed;
    return due ? Math.max(now, Math.min(now + ahead, due)) : now + ahead;
  }

  podsOf(node) {
    const found = [];
    for (const pod of this.pods.values()) if (pod.n === node) found.push(pod);
    return found.sort((a, b) => isSystem(a) - isSystem(b));
  }

  /** Pods by node in one walk, for the whole map. */
  byNode() {
    const found = new Map([...this.nodes.keys()].map((name) => [name, []]));
    for (const pod of this.pods.values()) if (pod.n) (found.get(pod.n) ?? found.set(pod.n, []).get(pod.n)).push(pod);
    for (const pods of found.values()) pods.sort((a, b) => isSystem(a) - isSystem(b));
    return found;
  }

  sortedNodes() { return [...this.nodes.values()].sort((a, b) => naturally(a.k, b.k)); }
}

const collator = new Intl.Collator('en', { numeric: true });
export const naturally = (a, b) => collator.compare(a, b);
export const namespaceOf = (key) => (key.includes('/') ? key.slice(0, key.indexOf('/')) : '');
export const nameOf = (key) => key.slice(key.indexOf('/') + 1);
export const isSystem = (pod) => pod.k.startsWith('kube-');

const SUFFIX = 5; // Characters that the API server makes up.

/** web-7d4b9c5f6-x2k9p as ['web', '-x2k9p']: the workload's name may be cut short, the suffix that tells pods apart may not. */
export function shortName(pod) {
  const name = nameOf(pod.k);
  const [kind, owner] = (pod.o ?? '').split('/');
  if (kind === 'Node') return [name.slice(0, -owner.length - 1), '']; // A static pod: it stands on its node's card.
  if (!owner) return [name, ''];
  if (!name.startsWith(`${owner}-`)) return [name.slice(0, -SUFFIX), name.slice(-SUFFIX)]; // Too long to hold all of its owner's.
  const base = pod.o.startsWith('ReplicaSet/') ? owner.replace(/-[a-z0-9]{6,10}$/, '') : owner;
  return [base, name.slice(owner.length)];
}

/** default/web-55gcfcb6f-jrw25 as web-jrw25; other namespaces are kept. */
export const shortKey = (key) => key.replace(/^default\//, '').replace(/([a-z0-9][a-z0-9-]*?)-[a-z0-9]{6,10}-([a-z0-9]{5})$/, '$1-$2');

/** Which lane an actor belongs to: you | scheduler | controllers | addons | a node's name. */
export function laneOf(actor, nodes) {
  if (OUTSIDE.has(actor)) return 'you';
  if (actor.startsWith('kubelet/')) return actor.slice(8);
  if (actor.startsWith('kube-proxy/')) return actor.slice(11);
  if (actor.startsWith('system:node:')) return actor.slice(12);
  if (actor.includes('scheduler')) return 'scheduler';
  if (nodes.has(actor)) return actor;
  if (actor.includes('apiserver') || actor.startsWith('apiservice-') || actor === 'crd-autoregister' || actor === 'boot') return 'api';
  if (actor === 'addons') return 'addons';
  if (actor.startsWith('system:serviceaccount:')) return actor.includes(':kube-system:') ? 'addons' : 'you';
  return 'controllers';
}
const OUTSIDE = new Set(['you', 'physics', 'system:admin', 'kubernetes-admin']);
