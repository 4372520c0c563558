// The clock: what time it is in there, how fast it runs, and the big button that skips the waiting.

import { $, $$, attribute, boot, clockText, icon, say, span, t } from './dom.js';
import { shortKey } from './model.js';

const MINUTE = 60;

export class TimeBar {
  constructor(model, act) {
    Object.assign(this, { model, act, size: 'item' });
    $('#play').addEventListener('click', () => this.toggle());
    $('#step').addEventListener('click', () => this.step());
    $('#skip').addEventListener('click', () => this.skip());
    $('#step-size').addEventListener('click', ({ target }) => {
      if (!target.dataset.step) return;
      this.size = target.dataset.step;
      for (const button of $$('#step-size button')) attribute(button, 'aria-pressed', String(button === target));
    });
    $('#speed-menu').addEventListener('click', ({ target }) => {
      const item = target.closest('[data-speed]');
      if (!item) return;
      act('clock', { op: 'speed', value: item.dataset.speed });
      $('#speed-menu').hidePopover();
      $('#speed').focus();
    });
  }

  /** To the next event that a person would wait for; a minute ahead if none is planned. */
  skip() { this.act('clock', this.model.clock.next ? { op: 'skip' } : { op: 'skip', seconds: MINUTE }); }

  toggle() { this.act('clock', { op: this.model.running() ? 'pause' : 'resume' }); }

  step() { this.act('clock', { op: 'step', by: this.size }); }

  /** After a frame: buttons, speed, next event. */
  update() {
    const { clock } = this.model;
    const running = this.model.running();
    const play = $('#play');
    const label = t(running ? 'Pause' : 'Play');
    if (play.getAttribute('aria-label') !== label) {
      attribute(play, 'aria-label', label);
      play.replaceChildren(icon(running ? 'pause' : 'play'));
    }
    document.body.classList.toggle('still', !running);
    say($('#speed'), speedText(clock.speed));
    for (const item of $$('[data-speed]')) attribute(item, 'aria-checked', String((item.dataset.speed === 'max' ? 0 : Number(item.dataset.speed)) === clock.speed));
    const slower = running && (clock.speed === 0 ? clock.reached > 1.5 : clock.reached > 0 && clock.reached < clock.speed * 0.8 && clock.speed > 1);
    const reached = $('#reached');
    reached.hidden = !slower && !clock.asleep && !clock.stopped;
    say(reached, clock.stopped ? clock.stopped : clock.asleep ? t('asleep') : `${Math.round(clock.reached)}×`);
    attribute(reached, 'title', t('The speed that is reached'));
  }

  /** Every animation frame: the clock's hands, and how long the wait still is. */
  tick() {
    const now = this.model.now();
    say($('#clock'), clockText(now));
    const { next } = this.model.clock;
    const skip = $('#skip');
    if (skip.disabled) skip.disabled = false;
    if (!next) { say($('#skip-text'), t('Nothing is planned: skip {span}', { span: span(MINUTE * 1e6) })); return; }
    const wait = next.due - now;
    const text = note(next.text);
    say($('#skip-text'), wait > 900_000 ? t('Skip {span}: {text}', { span: span(wait), text }) : t('Next: {text}', { text }));
    attribute(skip, 'title', text);
  }
}

/** What comes next, in the reader's language where its form is known, with the short names of the map. */
function note(text) {
  for (const [form, said] of boot.notes) {
    const found = new RegExp(form).exec(text);
    if (found) return said.replace(/\{(\d)\}/g, (_, group) => shortKey(found[Number(group)]));
  }
  return text;
}

export function speedText(speed) {
  return speed === 0 ? t('max') : `${speed}×`;
}
