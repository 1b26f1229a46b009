// What went wrong with a span, and what is odd about it.

import { h } from '../dom.js';
import { code } from './code.js';

/** @typedef {import('../types.js').SpanDetail} SpanDetail */
/** @typedef {import('./tree.js').Node} Node */

/**
 * What went wrong, and what is odd.
 * @param {SpanDetail} detail
 * @param {Node} node
 */
export function troubles(detail, node) {
  // A start is announced in short; the span brings the whole.
  const cut = (/** @type {string} */ name) =>
    detail.state === 'running' ? `${name} is shown in part until it ends` : `${name} was too large and was cut`;
  const odd = [...node.odd, ...detail.truncated.map(cut)];
  return [
    detail.error && failure(detail.error, stackOf(detail)),
    odd.length > 0 && h('div', { class: 'trouble', role: 'note' }, ...odd.map((text) => h('div', null, text))),
  ];
}

/**
 * @param {{type: string|null, message: string|null}} error
 * @param {string} stack
 */
function failure({ type, message }, stack) {
  // Many messages begin with the type.
  const words = message?.startsWith(`${type}:`) ? message.slice((type ?? '').length + 1).trimStart() : message;
  return h(
    'div',
    { class: 'trouble bad', role: 'note' },
    h('b', null, type ?? 'failed'),
    ' ',
    h('span', null, words ?? ''),
    stack !== '' && h('details', null, h('summary', null, 'where it happened'), code(stack)),
  );
}

/** @param {SpanDetail} detail */
function stackOf({ events }) {
  const stack = events.map(({ attributes }) => attributes['exception.stacktrace']).find(Boolean);
  return typeof stack === 'string' ? stack : '';
}
