// Find or run anything: pods, nodes and the page's own deeds, in one list that the keyboard rules.

import { $, glyph, h, icon, t } from './dom.js';
import { nameOf, namespaceOf } from './model.js';

const MOST = 30;

export class Palette {
  /** `deeds()` gives [{icon, text, run}]; `open(kind, key)` shows an object in the inspector. */
  constructor(model, deeds, open) {
    Object.assign(this, { model, deeds, open, at: 0, found: [] });
    this.dialog = $('#palette');
    this.input = $('#palette-input');
    this.list = $('#palette-list');
    $('#find-open').addEventListener('click', () => this.show());
    this.input.addEventListener('input', () => this.search());
    this.dialog.addEventListener('keydown', (event) => this.key(event));
    this.list.addEventListener('click', ({ target }) => this.run(Number(target.closest('li')?.dataset.index)));
    this.dialog.addEventListener('click', ({ target }) => { if (target === this.dialog) this.dialog.close(); });
  }

  show() {
    this.input.value = '';
    this.dialog.showModal();
    this.search();
    this.input.focus();
  }

  search() {
    const words = this.input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (text) => words.every((word) => text.toLowerCase().includes(word));
    const deeds = this.deeds().filter((deed) => fits(deed.text)).map((deed) => ({ ...deed, mark: icon(deed.icon), note: t('do') }));
    const found = words.length ? [] : deeds; // A node's name and Enter show the node; nobody wants to cut its power by that.
    if (words.length) for (const node of this.model.nodes.values()) if (fits(`node ${node.k}`)) found.push({ text: node.k, note: t('Node'), mark: icon('server'), run: () => this.open('Node', `/${node.k}`) });
    if (words.length) found.push(...deeds);
    for (const pod of this.model.pods.values()) {
      if (found.length > MOST) break;
      if (fits(`pod ${pod.k} ${pod.t}`)) found.push({ text: nameOf(pod.k), note: `${namespaceOf(pod.k)} · ${pod.t}`, mark: glyph(pod.s), run: () => this.open('Pod', pod.k) });
    }
    this.found = found.slice(0, MOST);
    this.at = 0;
    this.draw();
  }

  draw() {
    this.list.replaceChildren(...this.found.map((item, index) => h('li', { role: 'option', id: `found-${index}`, 'data-index': index, 'aria-selected': String(index === this.at) }, item.mark, h('span', {}, item.text), h('small', {}, item.note))));
    this.input.setAttribute('aria-activedescendant', this.found.length ? `found-${this.at}` : '');
    this.list.children[this.at]?.scrollIntoView({ block: 'nearest' });
  }

  key(event) {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move) {
      event.preventDefault();
      this.at = (this.at + move + this.found.length) % Math.max(this.found.length, 1);
      this.draw();
    } else if (event.key === 'Enter') { event.preventDefault(); this.run(this.at); }
  }

  run(index) {
    const item = this.found[index];
    if (!item) return;
    this.dialog.close();
    item.run();
  }
}
