// Small helpers around the document. Nothing here knows what a cluster is.

export const boot = JSON.parse(document.getElementById('boot').textContent);

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** A text of the page in its language; `{name}` is replaced. Texts come from the template: see dashboard/texts.py. */
export function t(key, values = {}) {
  const text = boot.texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
}

/** An element: h('b', {class: 'x', 'aria-label': 'y'}, 'text', child). Properties that are null are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

function drawing(id, classes, box) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', box);
  svg.setAttribute('class', classes);
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#${id}`);
  svg.append(use);
  return svg;
}

export const icon = (name, classes = 'ico') => drawing(`i-${name}`, classes, '0 0 24 24');
export const glyph = (state, classes = '') => drawing(`g-${state}`, `g ${state} ${state === 'creating' ? 'spin' : ''} ${classes}`, '0 0 14 14');

/** Change the text of an element only if it differs: reading is cheap, writing makes the browser lay out again. */
export function say(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

export function toggle(element, name, on) {
  if (element.classList.contains(name) !== on) element.classList.toggle(name, on);
}

export function attribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** The colours of the theme, for canvases. Computed once per theme. */
let palette = null;
export function colours() {
  if (palette) return palette;
  const probe = document.body.appendChild(h('i', { hidden: true }));
  palette = {};
  for (const name of ['surface', 'raise', 'sunk', 'line', 'line-2', 'ink', 'ink-2', 'accent', 'accent-soft', 'run', 'pend', 'fail', 'fail-soft', 'term', 'done']) {
    probe.style.color = `var(--${name})`;
    palette[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return palette;
}
export function forgetColours() { palette = null; }

export const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;
export const phone = () => matchMedia('(max-width: 760px)').matches;

/** Size a canvas to its box at the screen's resolution. Returns its context, or null while it is not shown. */
export function context(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  if (!width || !height) return null;
  const scale = devicePixelRatio;
  const [w, hh] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== w || canvas.height !== hh) { canvas.width = w; canvas.height = hh; }
  const c = canvas.getContext('2d');
  c.setTransform(scale, 0, 0, scale, 0, 0);
  c.clearRect(0, 0, width, height);
  return Object.assign(c, { W: width, H: height });
}

// --- Words for times -----------------------------------------------------------------------------------------------

/** 389412000 µs as 06:29.4; with hours from the first hour on. */
export function clockText(us, digits = 1) {
  const seconds = Math.max(us, 0) / 1e6;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = (Math.floor((seconds % 60) * 10 ** digits) / 10 ** digits).toFixed(digits);
  const pad = (value, length = 2) => String(value).padStart(length, '0');
  return `${hours ? `${hours}:` : ''}${pad(minutes)}:${pad(rest, digits ? 3 + digits : 2)}`;
}

/** A span of time as a person says it: 240 ms, 38 s, 4 min 54 s, 2 h 5 min. */
export function span(us) {
  const ms = us / 1000;
  if (ms < 1000) return `${Math.max(Math.round(ms), 0)} ms`;
  const seconds = ms / 1000;
  if (seconds < 10) return `${written(seconds, { minimumFractionDigits: 1, maximumFractionDigits: 1 })} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min${whole % 60 ? ` ${whole % 60} s` : ''}`;
  return `${Math.floor(whole / 3600)} h${Math.floor(whole / 60) % 60 ? ` ${Math.floor(whole / 60) % 60} min` : ''}`;
}

/** A number as the page's language writes it. */
export const written = (value, options = {}) => value.toLocaleString(document.documentElement.lang, options);

/** A number with thin spaces between the thousands. */
export const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, '\u2009');
