// A row of the trace: the span's place in the tree, and beside it its bar with the phases of a model call.

import { h, place } from '../dom.js';
import { count, duration, grouped, money } from '../format.js';
import { kindMark, known } from '../kinds.js';
import { ORPHANS } from './tree.js';
import { share } from './scale.js';

/** @typedef {import('./tree.js').Node} Node */
/** @typedef {import('./scale.js').Scale} Scale */
/** @typedef {import('./critical_path.js').Stretch} Stretch */

const INDENT = 14;
const DEEPEST = 24;

/**
 * @param {Node} node
 * @param {object} view
 * @param {Scale} view.scale
 * @param {number} view.now
 * @param {boolean} view.folded
 * @param {Stretch[]|null} view.path The stretches on the critical path; `null` when it is not shown.
 */
export function spanRow(node, { scale, now, folded, path }) {
  const { span } = node;
  const lasted = span.duration_us ?? (span.state === 'running' ? Math.max(0, now - span.start_us) : null);
  const indent = h('span', { class: 'indent', 'aria-hidden': 'true' });
  place(indent, { width: `${Math.min(node.depth, DEEPEST) * INDENT}px` });
  const isCall = span.kind === 'generation' || span.kind === 'embedding';
  return h(
    'div',
    {
      class: `row span-grid s-${span.state}${isCall ? '' : ' rolled'}`,
      role: 'row',
      id: `span-${span.span_id}`,
      'aria-level': node.depth + 1,
      'aria-expanded': node.children.length > 0 ? String(!folded) : null,
    },
    h(
      'div',
      { class: 'c-span', role: 'gridcell' },
      indent,
      node.children.length > 0
        ? h(
            'button',
            {
              class: 'fold',
              type: 'button',
              tabindex: '-1',
              'aria-label': folded ? 'unfold' : 'fold',
              title: `${grouped(node.below)} below`,
            },
            folded ? '▸' : '▾',
          )
        : h('span', 'fold'),
      kindMark(span.kind),
      h('span', { class: 'span-name', title: span.name }, span.name || 'unnamed'),
      ...badges(node, folded),
    ),
    h(
      'div',
      { class: 'c-bar', role: 'gridcell', 'aria-label': lasted === null ? span.state : duration(lasted) },
      ...bars(node, scale, now),
      ...pathMarks(path, scale),
    ),
    h(
      'div',
      { class: 'c-took num', role: 'gridcell' },
      h(
        'span',
        { title: lasted === null ? null : `${grouped(Math.round(lasted))} µs` },
        lasted === null ? '–' : duration(lasted),
      ),
    ),
    h(
      'div',
      { class: 'c-tok num', role: 'gridcell' },
      node.tokens > 0 && h('span', { title: tokenTitle(node) }, count(node.tokens)),
    ),
    h(
      'div',
      { class: 'c-usd num', role: 'gridcell' },
      node.cost !== null && h('span', { title: `$${node.cost}` }, money(node.cost)),
    ),
  );
}

/**
 * @param {Node} node
 * @param {boolean} folded
 */
function badges({ span, odd, errors, below }, folded) {
  const attempts = span.phases?.attempts ?? 1;
  return [
    span.state === 'running' && h('span', 'badge running', 'running'),
    span.state === 'abandoned' && h('span', { class: 'badge', title: 'its process is gone' }, 'abandoned'),
    span.state === 'error' &&
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

/**
 * @param {Node} node
 * @param {Scale} scale
 * @param {number} now
 */
function bars({ span, children }, scale, now) {
  const end = span.end_us ?? (span.state === 'running' ? Math.max(now, span.start_us) : span.start_us);
  const leaf = children.length === 0 || span.kind === 'generation' || span.kind === 'embedding';
  const bar = h('div', {
    class: `bar${leaf ? ' leaf' : ''} k-${known(span.kind)} s-${span.state}${span.name.startsWith('attempt') && span.state === 'error' ? ' attempt' : ''}`,
  });
  const left = share(scale, span.start_us);
  const right = share(scale, end);
  place(bar, { left: `${left * 100}%`, width: `${Math.max(0, right - left) * 100}%` });
  const whole = end - span.start_us;
  for (const { name, from, to, title } of phases(span, whole)) {
    const part = h('i', { class: `phase p-${name}`, title });
    place(part, { left: `${(from / whole) * 100}%`, width: `${((to - from) / whole) * 100}%` });
    bar.append(part);
  }
  const dots = span.notes.slice(0, 20).map(({ at_us, name }) => {
    const dot = h('i', { class: 'note-dot', title: name });
    place(dot, { left: `${share(scale, at_us) * 100}%` });
    return dot;
  });
  return [bar, ...dots];
}

/**
 * Lets the bar of a running span grow. The row itself stays, or clicks on it would be lost.
 * @param {HTMLElement} row
 * @param {Node} node
 * @param {Scale} scale
 * @param {number} now
 */
export function beat(row, node, scale, now) {
  row.querySelector('.bar')?.replaceWith(bars(node, scale, now)[0]);
  const took = row.querySelector('.c-took span');
  if (took) took.textContent = duration(Math.max(0, now - node.span.start_us));
}

/**
 * The phases of a model call, in the order in which they happen, in microseconds from its start.
 * @param {import('../types.js').SpanSummary} span
 * @param {number} whole
 * @returns {{name: string, from: number, to: number, title: string}[]}
 */
export function phases({ phases: told, state, kind }, whole) {
  if (!told || whole <= 0 || kind !== 'generation') return [];
  /** @type {{name: string, from: number, to: number, title: string}[]} */
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

/**
 * @param {Stretch[]|null} path
 * @param {Scale} scale
 */
function pathMarks(path, scale) {
  // What is too short to be seen is left out: a parent between two of its children has many such moments.
  return (path ?? [])
    .filter(({ from, to }) => to - from > (scale.to - scale.from) * 0.002)
    .map(({ from, to }) => {
      const mark = h('i', { class: 'path-mark', title: `critical for ${duration(to - from)}` });
      const left = share(scale, from);
      place(mark, { left: `${left * 100}%`, width: `${(share(scale, to) - left) * 100}%` });
      return mark;
    });
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
