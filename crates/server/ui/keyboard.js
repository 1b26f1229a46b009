// One place for all keys. A page says what its keys do; typing in a field is left alone.

import { h } from './dom.js';
import { go } from './router.js';

/** @type {[string, string][]} */
export const KEYS = [
  ['j  k', 'next, previous row'],
  ['←  →', 'fold, unfold'],
  ['enter', 'open'],
  ['esc', 'back, close'],
  ['/', 'search'],
  ['g r', 'stream'],
  ['g t', 'traces'],
  ['g s', 'sessions'],
  ['g m', 'models'],
  ['g h', 'health'],
  ['f', 'facets of the list'],
  ['p', 'pause the stream'],
  ['c', 'critical path'],
  ['z', 'zoom to the span'],
  ['l', 'lanes'],
  ['x', 'compare with another run'],
  ['n  N', 'next, previous match of the search'],
  ['y', 'copy a link to this view'],
  ['e', 'raw JSON'],
  ['b', 'detail beside or below'],
  ['t', 'theme: system, dark, light'],
  ['?', 'these keys'],
];

/** @type {Record<string, string>} */
const PAGES = { r: '/', t: '/traces', s: '/sessions', m: '/models', h: '/health' };
/** @type {Record<string, string>} */
const SAME = { ArrowDown: 'j', ArrowUp: 'k', ArrowLeft: 'left', ArrowRight: 'right', Enter: 'enter', Escape: 'esc' };

/**
 * @param {() => Record<string, () => void>} keysOfPage
 * @param {Record<string, () => void>} keysOfShell
 */
export function listen(keysOfPage, keysOfShell) {
  let leading = 0;
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const name = SAME[event.key] ?? event.key;
    const target = event.target;
    const typing = target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]');
    if (typing) {
      if (name === 'esc') target.blur();
      return;
    }
    if (document.querySelector('dialog[open]')) return;
    const pressesButton = name === 'enter' && target instanceof HTMLElement && target.matches('button, a, summary');
    if (pressesButton) return;
    if (Date.now() - leading < 1200 && PAGES[name]) {
      leading = 0;
      event.preventDefault();
      go(PAGES[name]);
      return;
    }
    leading = name === 'g' ? Date.now() : 0;
    const action = keysOfPage()[name] ?? keysOfShell[name];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

/** Shows all keys until one is pressed. */
export function showKeys() {
  const rows = KEYS.map(([keys, what]) =>
    h(
      'div',
      'key-row',
      h('dt', null, ...keys.split(' ').map((key) => key && h('kbd', null, key))),
      h('dd', null, what),
    ),
  );
  const dialog = h(
    'dialog',
    { class: 'keys', 'aria-label': 'Keys' },
    h('h2', null, 'Keys'),
    h('dl', null, ...rows),
    h('form', { method: 'dialog' }, h('button', { class: 'button', autofocus: true }, 'Close')),
  );
  dialog.addEventListener('close', () => dialog.remove());
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener('keydown', (event) => {
    if (event.key === '?') dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
}
