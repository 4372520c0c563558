// A shell in a container, line by line: what is typed goes to the standard input of `kubectl exec -i POD -- sh`.

import { $, boot, t } from './dom.js';

const PROTOCOL = 'v5.channel.k8s.io';
const STDIN = 0, ERROR = 3;
const MOST_CHARACTERS = 200_000;

const place = $('#terminal');
const lines = [];
let socket = null, at = 0;

function print(text) {
  const out = $('output', place);
  const low = out.scrollHeight - out.scrollTop - out.clientHeight < 24;
  out.textContent = (out.textContent + text).slice(-MOST_CHARACTERS);
  if (low) out.scrollTop = out.scrollHeight;
}

function show(connected) {
  $('[name=line]', place).disabled = !connected;
  $('[data-connect]', place).hidden = connected;
  $('[data-disconnect]', place).hidden = !connected;
  if (connected) $('[name=line]', place).focus();
}

function connect() {
  const query = new URLSearchParams({ pod: place.dataset.pod, container: $('[name=in]', place).value, shell: $('[name=shell]', place).value });
  const url = new URL(`${boot.base}exec?${query}`, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  const opened = socket = new WebSocket(url, [PROTOCOL]);
  const text = new TextDecoder();
  opened.binaryType = 'arraybuffer';
  opened.onopen = () => show(true);
  opened.onmessage = ({ data }) => {
    const bytes = new Uint8Array(data);
    if (bytes[0] !== ERROR) { print(text.decode(bytes.subarray(1), { stream: true })); return; }
    const status = JSON.parse(new TextDecoder().decode(bytes.subarray(1)));
    if (status.status !== 'Success') print(`${status.message ?? ''}\n`);
  };
  opened.onclose = () => {
    if (socket === opened) socket = null;
    print(`${t('The connection has ended.')}\n`);
    show(false);
  };
}

function type(line) {
  print(`$ ${line}\n`);
  if (line) lines.push(line);
  at = lines.length;
  const bytes = new TextEncoder().encode(`${line}\n`);
  const frame = new Uint8Array(bytes.length + 1);
  frame[0] = STDIN;
  frame.set(bytes, 1);
  socket?.send(frame);
}

if (place) {
  $('[data-connect]', place).addEventListener('click', connect);
  $('[data-disconnect]', place).addEventListener('click', () => socket?.close());
  $('form', place).addEventListener('submit', (event) => {
    event.preventDefault();
    const field = $('[name=line]', place);
    if (socket) type(field.value);
    field.value = '';
  });
  $('[name=line]', place).addEventListener('keydown', (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    at = Math.min(Math.max(at + step, 0), lines.length);
    event.target.value = lines[at] ?? '';
  });
}
