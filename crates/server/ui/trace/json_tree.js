// A JSON value as a tree that unfolds on demand: nothing below a folded line is in the document.

import { h } from '../dom.js';
import { bytes, count } from '../format.js';
import { foldedText } from './folded.js';
import { holdsNeedle } from './needles.js';

const PAGE = 100;
const LONG = 600;

/** What has so few parts is unfolded altogether. */
const SMALL = 40;

/**
 * @param {unknown} value
 * @param {number} [openTo] How many levels are unfolded at first.
 * @returns {HTMLElement}
 */
export function jsonTree(value, openTo = 2) {
  return h('div', 'json', line(null, value, isSmall(value) ? SMALL : openTo));
}

/** @param {unknown} value */
function isSmall(value) {
  const parts = [value];
  for (let at = 0; at < parts.length && parts.length <= SMALL; at += 1) {
    const part = parts[at];
    if (part !== null && typeof part === 'object') parts.push(...Object.values(part).slice(0, SMALL + 1));
  }
  return parts.length <= SMALL;
}

/**
 * A key with its value, which may unfold.
 * @param {string|number|null} key
 * @param {unknown} value
 * @param {number} openTo
 * @returns {HTMLElement}
 */
function line(key, value, openTo) {
  const label =
    key === null
      ? null
      : h('span', typeof key === 'number' ? 'j-index' : 'j-key', String(key), h('span', 'j-colon', ': '));
  // Lines stand below their key, all at the same margin.
  if (typeof value === 'string' && key !== null && value.trim().includes('\n'))
    return h('div', 'j-node', h('div', 'j-line', h('span', 'j-fold'), label), h('div', 'j-lines', leaf(value)));
  if (value === null || typeof value !== 'object') return h('div', 'j-line', h('span', 'j-fold'), label, leaf(value));
  const entries = Array.isArray(value)
    ? value.map((item, index) => /** @type {[number, unknown]} */ ([index, item]))
    : Object.entries(value);
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  if (entries.length === 0) return h('div', 'j-line', h('span', 'j-fold'), label, h('span', 'j-brace', open + close));

  const inside = h('div', 'j-inside');
  const size = h(
    'span',
    'j-size',
    `${open} ${count(entries.length)} ${Array.isArray(value) ? 'item' : 'key'}${entries.length === 1 ? '' : 's'} ${close}`,
  );
  const button = h('button', {
    class: 'j-fold',
    type: 'button',
    onclick: () => turn(button.getAttribute('aria-expanded') !== 'true'),
  });
  const head = h('div', 'j-line', button, label, size);
  /** @param {boolean} unfold */
  const turn = (unfold) => {
    button.setAttribute('aria-expanded', String(unfold));
    button.setAttribute('aria-label', `${unfold ? 'fold' : 'unfold'} ${key ?? ''}`);
    button.textContent = unfold ? '▾' : '▸';
    inside.replaceChildren();
    if (unfold) more(inside, entries, 0, openTo - 1);
  };
  turn((openTo > 0 && (entries.length <= 40 || key === null)) || holdsNeedle(value));
  return h('div', 'j-node', head, inside);
}

/**
 * @param {HTMLElement} inside
 * @param {[string|number, unknown][]} entries
 * @param {number} from
 * @param {number} openTo
 */
function more(inside, entries, from, openTo) {
  for (const [key, value] of entries.slice(from, from + PAGE)) inside.append(line(key, value, openTo));
  const rest = entries.length - from - PAGE;
  if (rest <= 0) return;
  const button = h(
    'button',
    {
      class: 'quiet more-lines',
      type: 'button',
      onclick: () => {
        button.remove();
        more(inside, entries, from + PAGE, openTo);
      },
    },
    `${count(rest)} more`,
  );
  inside.append(button);
}

/**
 * @param {unknown} value
 * @returns {HTMLElement}
 */
function leaf(value) {
  if (typeof value === 'string') {
    if (value.length > LONG)
      return h('span', 'j-string', foldedText(value, LONG), h('span', 'j-size', ` ${bytes(value.length)}`));
    return h('span', 'j-string', value === '' ? '""' : value);
  }
  if (typeof value === 'number' || typeof value === 'bigint') return h('span', 'j-number', String(value));
  return h('span', 'j-word', String(value));
}
