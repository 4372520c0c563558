// The log panel between two fetches: it follows the newest lines, and rests while somebody reads further up.

import { $ } from './dom.js';

/** Must the lines on the screen stay as they are? Somebody has scrolled up, or looks at the past, or types. */
export function logsRest() {
  const box = $('#logs-box');
  if (!box) return false;
  return Boolean($('[data-still]', box)) || (Boolean($('[data-follow]', box)) && box.dataset.end === '0');
}

/** Say whether the newest lines are shown; bring the line into sight that one asked about. */
export function showLogs() {
  const [box, still] = [$('#logs-box'), $('#logs-box [data-still]')];
  if (box && !still && box.dataset.past === '1') { box.scrollTop = box.scrollHeight; box.dataset.end = '1'; } // Back from there.
  if (box) box.dataset.past = still ? '1' : '0';
  const live = $('#logs-live');
  if (live) {
    const rests = logsRest();
    $('[data-on]', live).hidden = rests;
    $('[data-off]', live).hidden = !rests;
  }
  if (!still || still.dataset.shown === still.firstElementChild?.textContent) return;
  still.dataset.shown = still.firstElementChild?.textContent;
  const target = $('[aria-current]', still);
  if (target) target.scrollIntoView({ block: 'center' });
  else box.scrollTop = 0;
}
