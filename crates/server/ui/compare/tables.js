// The tables of a comparison: the traces as a whole, and step by step.

import { h, place } from '../dom.js';
import { count, duration, money } from '../format.js';
import { kindMark } from '../kinds.js';
import { tracePath } from '../router.js';
import { change } from './change.js';

/** @typedef {import('../types.js').TraceSummary} TraceSummary */
/** @typedef {import('./align.js').Step} Step */
/** @typedef {import('./align.js').Sum} Sum */

const INDENT = 14;
const DEEPEST = 16;

/** @param {string|null} usd */
const dollars = (usd) => (usd === null ? null : Number(usd));

/** @type {{name: string, format: (value: number|null) => string, of: (trace: TraceSummary) => number|null}[]} */
const WHOLE = [
  { name: 'took', format: duration, of: ({ duration_us }) => duration_us },
  { name: 'model calls', format: count, of: ({ model_calls }) => model_calls },
  { name: 'tokens', format: count, of: ({ tokens }) => tokens?.total ?? null },
  { name: 'cost', format: money, of: ({ cost_usd }) => dollars(cost_usd) },
  { name: 'retries', format: count, of: ({ retries }) => retries },
  { name: 'failed', format: count, of: ({ errors, retries }) => Math.max(0, errors - retries) },
  { name: 'cached', format: count, of: ({ cache_hits }) => cache_hits },
  { name: 'spans', format: count, of: ({ spans }) => spans },
];

/** @type {{name: string, format: (value: number|null) => string, of: (sum: Sum) => number|null}[]} */
const STEP = [
  { name: 'Times', format: count, of: ({ times }) => times },
  { name: 'Took, added up', format: duration, of: ({ us }) => us },
  { name: 'Tokens', format: count, of: ({ tokens }) => tokens },
  { name: 'Cost', format: money, of: ({ cost }) => dollars(cost) },
  { name: 'Retries', format: count, of: ({ retries }) => retries },
];

/**
 * @param {TraceSummary} before
 * @param {TraceSummary} after
 */
export function wholeTable(before, after) {
  const rows = WHOLE.filter(({ of }) => of(before) || of(after));
  return h(
    'table',
    'numbers whole',
    h('thead', null, h('tr', null, ...heads(['', 'Before', 'After', 'Change']))),
    h(
      'tbody',
      null,
      ...rows.map(({ name, format, of }) =>
        h(
          'tr',
          null,
          h('th', { scope: 'row' }, name),
          h('td', 'num', format(of(before))),
          h('td', 'num', format(of(after))),
          h('td', 'num', change(of(before), of(after), format)),
        ),
      ),
    ),
  );
}

/**
 * @param {Step[]} steps
 * @param {[string, string]} traceIds
 */
export function stepTable(steps, traceIds) {
  const used = STEP.filter(({ of }) => steps.some(({ sums }) => sums.some((sum) => sum && of(sum))));
  return h(
    'table',
    'numbers steps',
    h(
      'thead',
      null,
      h(
        'tr',
        null,
        h('th', { scope: 'col', rowspan: 2 }, 'Step'),
        ...used.map(({ name }) => h('th', { colspan: 3, scope: 'colgroup' }, name)),
      ),
      h(
        'tr',
        null,
        ...used.flatMap(() => heads(['Before', 'After', 'Change']).map((head) => (head.classList.add('num'), head))),
      ),
    ),
    h('tbody', null, ...steps.map((step) => stepRow(step, used, traceIds))),
  );
}

/**
 * @param {Step} step
 * @param {typeof STEP} used
 * @param {[string, string]} traceIds
 */
function stepRow({ name, kind, depth, sums }, used, traceIds) {
  const indent = h('span', { class: 'indent', 'aria-hidden': 'true' });
  place(indent, { width: `${Math.min(depth, DEEPEST) * INDENT}px` });
  const [before, after] = sums;
  const only = before === null ? 'new' : after === null ? 'gone' : null;
  const here = after ?? before;
  return h(
    'tr',
    only ? `only-${only}` : null,
    h(
      'th',
      { scope: 'row', title: name },
      h(
        'div',
        'step',
        indent,
        kindMark(kind),
        h('a', { href: tracePath(traceIds[after ? 1 : 0], here?.first) }, name),
        only && h('span', 'badge', only),
        sums.some((sum) => sum && sum.failed > 0) &&
          h('span', 'badge bad', `failed ${sums.map((sum) => sum?.failed ?? 0).join(' → ')}`),
      ),
    ),
    ...used.flatMap(({ format, of }) => {
      const values = sums.map((sum) => (sum ? of(sum) : null));
      const shown = values.map((value) => h('td', 'num', value ? format(value) : h('span', 'none', '–')));
      return [...shown, h('td', 'num change', only ? '' : change(values[0], values[1], format))];
    }),
  );
}

/** @param {string[]} names */
function heads(names) {
  return names.map((name, index) =>
    name === '' ? h('td', null) : h('th', { scope: 'col', class: index > 0 ? 'num' : null }, name),
  );
}
