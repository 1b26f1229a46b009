// The bar of a span in the waterfall: the phases of a model call, what happened meanwhile, and the critical path.

import { h, place } from '../dom.js';
import { duration } from '../format.js';
import { known } from '../kinds.js';
import { share } from './scale.js';

/** @typedef {import('./tree.js').Node} Node */
/** @typedef {import('./scale.js').Scale} Scale */
/** @typedef {import('../types.js').Stretch} Stretch */
/** @typedef {{name: string, from: number, to: number, title: string}} Phase In microseconds from the start of the span. */

const MOST_NOTES = 20;
const FEW = 3;

/**
 * Draws a span into the cell of its bar. What is there is used again: a row of thousands is not built anew while one
 * scrolls.
 * @param {HTMLElement} cell
 * @param {Node} node
 * @param {Scale} scale
 * @param {number} now
 * @param {Stretch[]} path The stretches on the critical path.
 */
export function drawBar(cell, node, scale, now, path) {
  const { span } = node;
  const bar = /** @type {HTMLElement} */ (cell.firstElementChild ?? cell.appendChild(h('div', 'bar')));
  drawSpan(bar, node, scale, now);
  const marks = [
    ...span.notes
      .slice(0, MOST_NOTES)
      .map(({ at_us, name }) => ({ at: at_us, to: at_us, kind: 'note-dot', title: name })),
    // Of many stretches those that are too short to be seen are left out: a parent has one between any two of its children.
    ...path
      .filter(({ from_us, to_us }) => path.length <= FEW || to_us - from_us > (scale.to - scale.from) * 0.002)
      .map(({ from_us, to_us }) => ({
        at: from_us,
        to: to_us,
        kind: 'path-mark',
        title: `critical for ${duration(to_us - from_us)}`,
      })),
  ];
  while (cell.childElementCount > marks.length + 1) cell.lastElementChild?.remove();
  marks.forEach(({ at, to, kind, title }, index) => {
    const mark = /** @type {HTMLElement} */ (cell.children[index + 1] ?? cell.appendChild(h('i')));
    if (mark.className !== kind) mark.className = kind;
    mark.title = title;
    const left = share(scale, at);
    place(mark, { left: percent(left), width: kind === 'note-dot' ? '' : percent(share(scale, to) - left) });
  });
}

/**
 * @param {HTMLElement} bar
 * @param {Node} node
 * @param {Scale} scale
 * @param {number} now
 */
function drawSpan(bar, { span, children }, scale, now) {
  // Nobody told when an abandoned span ended: it fades out.
  const open = span.state === 'running' ? now : span.state === 'abandoned' ? scale.to : span.start_us;
  const end = span.end_us ?? Math.max(open, span.start_us);
  const leaf = children.length === 0 || span.kind === 'generation' || span.kind === 'embedding';
  const failed = span.state === 'error' && span.name.startsWith('attempt');
  const whole = end - span.start_us;
  const parts = phases(span, whole);
  const style = `bar${leaf ? ' leaf' : ''} k-${known(span.kind)} s-${span.state}${failed ? ' attempt' : ''}${parts.length > 0 ? ' phased' : ''}`;
  if (bar.className !== style) bar.className = style;
  const left = share(scale, span.start_us);
  place(bar, { left: percent(left), width: percent(Math.max(0, share(scale, end) - left)) });
  while (bar.childElementCount > parts.length) bar.lastElementChild?.remove();
  parts.forEach(({ name: phase, from, to, title }, index) => {
    const part = /** @type {HTMLElement} */ (bar.children[index] ?? bar.appendChild(h('i')));
    const name = `phase p-${phase}`;
    if (part.className !== name) part.className = name;
    if (part.title !== title) part.title = title;
    place(part, { left: percent(from / whole), width: percent((to - from) / whole) });
  });
}

/** @param {number} part */
function percent(part) {
  return `${(part * 100).toFixed(3)}%`;
}

/**
 * The phases of a model call, in the order in which they happen.
 * @param {import('../types.js').SpanSummary} span
 * @param {number} whole
 * @returns {Phase[]}
 */
export function phases({ phases: told, state, kind }, whole) {
  if (!told || whole <= 0 || kind !== 'generation') return [];
  /** @type {Phase[]} */
  const found = [];
  let at = 0;
  /** @param {string} name @param {number} to @param {string} words */
  const until = (name, to, words) => {
    const stop = Math.min(whole, Math.max(at, to));
    if (stop > at) found.push({ name, from: at, to: stop, title: `${words} ${duration(stop - at)}` });
    at = stop;
  };
  until('wait', told.limiter_wait_us ?? 0, 'waits for the limiter');
  const first = told.first_chunk_us;
  if (told.backoff_us) {
    // Where between the attempts the pauses were is told by the attempts below; here they are one stretch before the answer.
    until('backoff', at + told.backoff_us, 'pauses before trying again');
  }
  if (first !== null && first !== undefined) {
    until('first', first, 'first words after');
    until('stream', whole, state === 'running' ? 'streaming for' : 'streams for');
  } else until('stream', whole, 'answers in');
  return found;
}
