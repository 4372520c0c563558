// web-ui's pages: what is live is asked for anew when the server says that something changed; ages go on with the
// cluster's clock; a list is searched and sorted without losing one's place; a log is followed; a drain goes on.

import { refreshCharts } from './charts.js';
import { $, $$, boot, t } from './dom.js';
import './terminal.js';

const RETRY = 2000;      // Milliseconds until a broken connection is tried again.
const MEASURED = 15000;  // Between looks at what can't be watched.
const REFUSED = 5000;    // Until what was refused is asked for again: rights change without a word.
const ROUND = 5000;      // Between rounds of a drain, as kubectl's.
const TYPING = 200;
const MOST_CHARACTERS = 2_000_000; // Of a log that is kept on the page.

// --- the live part -------------------------------------------------------------------------------------------------

const live = $('#live');
let busy = false, again = false, asked = Date.now();

/** What came of a form is not the page's newest state: it stays as it is. */
const isStill = () => !live || $('#seen')?.dataset.watch === 'null';

async function refresh() {
  if (isStill()) return;
  if (busy) { again = true; return; }
  busy = true;
  try {
    do {
      again = false;
      asked = Date.now();
      const url = new URL(location.href);
      url.searchParams.set('seen', $('#seen')?.value ?? '');
      await window.htmx.ajax('GET', url.pathname + url.search, { source: live, target: live, swap: 'innerMorph' });
    } while (again);
  } catch { /* The stream notices, and says so. */ } finally { busy = false; }
  tick();
  listen();
}

// What somebody opened stays open: the server doesn't know of it.
window.htmx.registerExtension('stay-open', {
  htmx_before_morph_attr: (element, { attrName }) => !(attrName === 'open' && element.tagName === 'DETAILS'),
});

// --- the stream of changes -----------------------------------------------------------------------------------------

let source = null, listening = '';

function listen() {
  const watched = $('#seen')?.dataset.watch ?? listening;
  if (isStill() || document.hidden || (source && watched === listening)) return;
  source?.close();
  listening = watched;
  const query = JSON.parse(watched || '[]').map((path) => `of=${encodeURIComponent(path)}`).join('&');
  const opened = source = new EventSource(`${boot.base}live?${query}`);
  opened.onopen = () => { $('#stale').hidden = true; };
  opened.addEventListener('change', refresh);
  opened.addEventListener('clock', (event) => {
    now = Date.parse(event.data);
    tick();
    const patience = $('[role=alert]', live) ? REFUSED : $('meter', live) ? MEASURED : Infinity;
    if (Date.now() - asked > patience) refresh();
  });
  opened.onerror = () => {
    opened.close();
    if (source !== opened) return;
    source = null;
    $('#stale').hidden = false;
    setTimeout(() => { if (!source) refresh().then(listen); }, RETRY);
  };
}

// A hidden tab listens to nothing: a browser has only six connections for all of them.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) { source?.close(); source = null; } else refresh();
});

// --- ages ----------------------------------------------------------------------------------------------------------

let now = Date.parse(boot.now);

/** As kubectl writes a span: 45s, 3m20s, 12m, 5h, 2d3h. */
function span(ms) {
  const seconds = Math.max(Math.floor(ms / 1000), 0);
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  const two = (whole, unit, rest, small) => (rest ? `${whole}${unit}${rest}${small}` : `${whole}${unit}`);
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  if (days < 8) return two(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  return two(Math.floor(days / 365), 'y', days % 365, 'd');
}

function tick() {
  for (const each of $$('time[data-age]')) each.textContent = span(now - Date.parse(each.dateTime));
}

// --- a list --------------------------------------------------------------------------------------------------------

function goTo(url) {
  history.replaceState(null, '', url);
  refresh();
}

let typing = 0;
$('input[name=search]')?.addEventListener('input', (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    const url = new URL(location.href);
    for (const name of ['page', 'continue']) url.searchParams.delete(name);
    if (event.target.value.trim()) url.searchParams.set('search', event.target.value.trim());
    else url.searchParams.delete('search');
    goTo(url);
  }, TYPING);
});

live?.addEventListener('click', (event) => {
  const link = event.target.closest('a[data-sort]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  goTo(new URL(link.href));
});

const chooser = $('details.choose');
document.addEventListener('click', (event) => { if (chooser && !chooser.contains(event.target)) chooser.open = false; });
chooser?.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  chooser.open = false;
  $('summary', chooser).focus();
});

// --- a log ---------------------------------------------------------------------------------------------------------

const log = $('#log');
let text = log?.textContent ?? '', following = null;

function show() {
  const wanted = $('#log-search').value.toLowerCase();
  const lines = wanted ? text.split('\n').filter((line) => line.toLowerCase().includes(wanted)) : null;
  const low = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
  log.textContent = lines ? lines.join('\n') : text;
  $('#log-found').textContent = lines ? t('{n} lines', { n: lines.length }) : '';
  if (low) log.scrollTop = log.scrollHeight;
}

function follow() {
  following?.close();
  following = null;
  if (!$('#log-follow').checked || document.hidden) return;
  const query = new URLSearchParams({ pod: log.dataset.pod, follow: 'true' });
  for (const [name, key] of [['container', 'qContainer'], ['tailLines', 'qTaillines'], ['timestamps', 'qTimestamps']]) {
    if (log.dataset[key]) query.set(name, log.dataset[key]);
  }
  text = '';
  const opened = following = new EventSource(`${boot.base}log?${query}`);
  opened.addEventListener('lines', (event) => { text = (text + event.data).slice(-MOST_CHARACTERS); show(); });
  const stop = (said) => { opened.close(); if (following === opened) { following = null; $('#log-found').textContent = said; } };
  opened.addEventListener('end', () => stop(t('The container has ended.')));
  opened.addEventListener('refused', (event) => stop(event.data));
  opened.onerror = () => { stop(''); setTimeout(() => { if (!following) follow(); }, RETRY); };
}

if (log && !log.hidden) {
  log.scrollTop = log.scrollHeight;
  $('#log-search').addEventListener('input', show);
  $('#log-follow').addEventListener('change', follow);
  document.addEventListener('visibilitychange', follow);
  follow();
}

// --- a drain -------------------------------------------------------------------------------------------------------

async function round() {
  const form = $('#drain');
  if (!form || !$('#next-round')) return;
  const disabled = $('fieldset', form);
  disabled.disabled = false;
  const body = new URLSearchParams(new FormData(form));
  disabled.disabled = true;
  try {
    const answer = await fetch(location.pathname, { method: 'POST', body, headers: { 'HX-Request': 'true' } }).catch(() => null);
    if (answer?.ok) await window.htmx.swap({ sourceElement: live, target: live, text: await answer.text(), swap: 'innerMorph' });
  } finally { setTimeout(round, ROUND); }
}

if ($('#next-round')) setTimeout(round, ROUND);
tick();
listen();
refreshCharts();
