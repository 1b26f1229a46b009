// A row of the trace: the span's place in the tree, its bar, and its numbers. Rows are filled again while one scrolls, so
// that nothing is built then; what is said on hovering is made when somebody hovers.

import { fill, h, place } from '../dom.js';
import { count, duration, grouped, money } from '../format.js';
import { kindMark, markKind } from '../kinds.js';
import { drawBar } from './bars.js';
import { ORPHANS } from './tree.js';

/** @typedef {import('./tree.js').Node} Node */

const INDENT = 14;
const DEEPEST = 24;

/**
 * @typedef {object} Parts
 * @property {HTMLElement} indent
 * @property {HTMLElement} fold
 * @property {HTMLElement} kind
 * @property {HTMLElement} name
 * @property {HTMLElement} badges
 * @property {HTMLElement} bar
 * @property {HTMLElement} took
 * @property {HTMLElement} tokens
 * @property {HTMLElement} cost
 * @property {boolean} explained Whether the titles are those of the span.
 */

/** @type {WeakMap<HTMLElement, Parts>} */
const partsOf = new WeakMap();

/** Makes a row without a span. */
export function blankRow() {
  const parts = {
    indent: h('span', { class: 'indent', 'aria-hidden': 'true' }),
    fold: h('button', { class: 'fold', type: 'button', tabindex: '-1' }, '▾'),
    kind: kindMark('span'),
    name: h('span', 'span-name', ' '),
    badges: h('span', 'badges'),
    bar: h('div', { class: 'c-bar', role: 'gridcell' }),
    took: h('div', { class: 'c-took num', role: 'gridcell' }, ' '),
    tokens: h('div', { class: 'c-tok num', role: 'gridcell' }, ' '),
    cost: h('div', { class: 'c-usd num', role: 'gridcell' }, ' '),
    explained: false,
  };
  const { indent, fold, kind, name, badges, bar, took, tokens, cost } = parts;
  const place = h('div', { class: 'c-span', role: 'gridcell' }, indent, fold, kind, name, badges);
  const row = h('div', { role: 'row' }, place, bar, took, tokens, cost);
  partsOf.set(row, parts);
  return row;
}

/**
 * Shows a span in a row.
 * @param {HTMLElement} row
 * @param {Node} node
 * @param {object} view
 * @param {import('./scale.js').Scale} view.scale
 * @param {number} view.now
 * @param {boolean} view.folded
 * @param {import('../types.js').Stretch[]} view.path The stretches on the critical path.
 */
export function fillRow(row, node, { scale, now, folded, path }) {
  const parts = partsOf.get(row);
  if (!parts) return;
  if (parts.explained) {
    for (const part of [parts.name, parts.fold, parts.took, parts.tokens, parts.cost]) part.removeAttribute('title');
    parts.explained = false;
  }
  const { span } = node;
  const isCall = span.kind === 'generation' || span.kind === 'embedding';
  const hasChildren = node.children.length > 0;
  const name = `row span-grid s-${span.state}${isCall ? '' : ' rolled'}`;
  if (row.className !== name) row.className = name;
  row.id = `span-${span.span_id}`;
  attribute(row, 'aria-level', String(node.depth + 1));
  attribute(row, 'aria-expanded', hasChildren ? String(!folded) : null);
  place(parts.indent, { width: `${Math.min(node.depth, DEEPEST) * INDENT}px` });
  attribute(parts.fold, 'aria-label', hasChildren ? (folded ? 'unfold' : 'fold') : null);
  parts.fold.classList.toggle('nothing', !hasChildren);
  text(parts.fold, folded ? '▸' : '▾');
  markKind(parts.kind, span.kind);
  text(parts.name, span.name || 'unnamed');
  const badges = badgesOf(node, folded).filter(Boolean);
  if (badges.length > 0 || parts.badges.firstChild) fill(parts.badges, ...badges);
  drawBar(parts.bar, node, scale, now, path);
  text(parts.took, took(node, now));
  text(parts.tokens, node.tokens > 0 ? count(node.tokens) : '');
  text(parts.cost, node.cost === null ? '' : money(node.cost));
}

/**
 * Lets a running span grow.
 * @param {HTMLElement} row
 * @param {Node} node
 * @param {import('./scale.js').Scale} scale
 * @param {number} now
 * @param {import('../types.js').Stretch[]} path
 */
export function beat(row, node, scale, now, path) {
  const parts = partsOf.get(row);
  if (!parts) return;
  drawBar(parts.bar, node, scale, now, path);
  text(parts.took, took(node, now));
}

/**
 * Says in titles what a row has no room for.
 * @param {HTMLElement} row
 * @param {Node} node
 * @param {number} now
 */
export function explain(row, node, now) {
  const parts = partsOf.get(row);
  if (!parts) return;
  const { span } = node;
  const us = span.duration_us ?? (span.state === 'running' ? Math.max(0, now - span.start_us) : null);
  parts.explained = true;
  attribute(parts.name, 'title', span.name);
  attribute(parts.fold, 'title', node.children.length > 0 ? `${grouped(node.below)} below` : null);
  attribute(parts.took, 'title', us === null ? null : `${grouped(Math.round(us))} µs`);
  attribute(parts.tokens, 'title', node.tokens > 0 ? tokenTitle(node) : null);
  attribute(parts.cost, 'title', node.cost === null ? null : `$${node.cost}`);
}

/** @param {Node} node @param {number} now */
function took({ span }, now) {
  if (span.duration_us !== null) return duration(span.duration_us);
  return span.state === 'running' ? duration(Math.max(0, now - span.start_us)) : '–';
}

/**
 * Writes into the one text node of an element, if there is something new to write.
 * @param {HTMLElement} element
 * @param {string} words
 */
function text(element, words) {
  const node = element.firstChild;
  if (node && node.nodeValue !== words) node.nodeValue = words;
}

/**
 * @param {HTMLElement} element
 * @param {string} name
 * @param {string|null} value
 */
function attribute(element, name, value) {
  if (element.getAttribute(name) === value) return;
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}

/**
 * @param {Node} node
 * @param {boolean} folded
 */
function badgesOf({ span, odd, errors, below }, folded) {
  const attempts = span.phases?.attempts ?? 1;
  return [
    span.state === 'running' && h('span', 'badge running', 'running'),
    span.state === 'abandoned' && h('span', { class: 'badge', title: 'its process is gone' }, 'abandoned'),
    span.state === 'error' &&
      !span.name.endsWith(`(${span.error?.type})`) &&
      h('span', { class: 'badge bad', title: span.error?.message }, span.error?.type ?? 'failed'),
    attempts > 1 && h('span', { class: 'badge', title: `${attempts} attempts` }, `×${attempts}`),
    span.phases?.cache_hit && h('span', { class: 'badge', title: 'answered from the cache' }, 'cached'),
    folded && errors > 0 && span.state !== 'error' && h('span', { class: 'badge bad' }, `${count(errors)} failed`),
    folded && h('span', 'badge', `+${count(below)}`),
    odd.length > 0 &&
      span.span_id !== ORPHANS &&
      h('span', { class: 'badge odd', title: odd.join('\n') }, odd[0].split(':')[0]),
    span.notes.length > 0 &&
      h(
        'span',
        { class: 'badge', title: span.notes.map(({ name, message }) => `${name} ${message ?? ''}`).join('\n') },
        `${count(span.notes.length)} ${span.notes.length === 1 ? 'note' : 'notes'}`,
      ),
  ];
}

/** @param {Node} node */
function tokenTitle({ span, tokens }) {
  const told = span.tokens;
  if (!told) return `${grouped(tokens)} tokens below`;
  const buckets = [
    ['in', told.input],
    ['from the cache', told.cache_read],
    ['into the cache', told.cache_write],
    ['out', told.output],
    ['reasoning', told.reasoning],
  ];
  return buckets
    .filter(([, value]) => value)
    .map(([name, value]) => `${grouped(Number(value))} ${name}`)
    .join('\n');
}
