// One trace as a row of a list: columns on a wide page, two lines on a narrow one.

import { h, place } from '../dom.js';
import { ago, count, duration, gist, grouped, lastedOf, moment, money } from '../format.js';
import { stateMark } from '../kinds.js';
import { term, tracePath, tracesPath } from '../router.js';

/** @typedef {import('../types.js').TraceSummary} TraceSummary */

/** @type {{label: string, sorts: string|null, end: boolean}[]} */
export const COLUMNS = [
  { label: 'Started', sorts: 'start', end: false },
  { label: 'Name', sorts: null, end: false },
  { label: 'Duration', sorts: 'duration', end: true },
  { label: 'Calls', sorts: null, end: true },
  { label: 'Tokens', sorts: 'tokens', end: true },
  { label: 'Cost', sorts: 'cost', end: true },
  { label: 'Session', sorts: null, end: false },
  { label: 'User', sorts: null, end: false },
  { label: 'Input', sorts: null, end: false },
  { label: 'Output', sorts: null, end: false },
];

/**
 * Sets what changes with time alone. The row itself stays, or clicks on it would be lost.
 * @param {HTMLElement} row
 * @param {TraceSummary} trace
 * @param {number} now
 * @param {number} longest The longest duration of the list, which the small bars are measured by.
 */
export function beat(row, trace, now, longest) {
  const lasted = lastedOf(trace, now);
  setText(row.querySelector('.c-started time'), ago(trace.start_us, now));
  setText(row.querySelector('.took'), duration(lasted));
  const bar = row.querySelector('.small-bar');
  const width =
    lasted === null ? '0' : `${Math.max(2, Math.min(100, (lasted / Math.max(longest, 1)) * 100)).toFixed(1)}%`;
  if (bar instanceof HTMLElement && bar.dataset.width !== width) {
    bar.dataset.width = width;
    place(bar, { width });
  }
}

/** @param {Element|null} element @param {string} text */
function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/**
 * @param {TraceSummary} trace
 * @param {number} now
 */
export function traceRow(trace, now) {
  const lasted = lastedOf(trace, now);
  const bar = h('i', { class: `small-bar s-${trace.state}`, 'aria-hidden': 'true' });
  return h(
    'div',
    { class: `row trace-grid s-${trace.state}`, role: 'row' },
    cell('c-started', h('time', { title: moment(trace.start_us) }, ago(trace.start_us, now))),
    cell(
      'c-name',
      stateMark(trace.state, true),
      h('a', { class: 'name', href: tracePath(trace.trace_id), title: trace.name }, trace.name || 'unnamed'),
      // Which attempts are made again is known when their call has ended.
      trace.state !== 'running' &&
        trace.errors > trace.retries &&
        h(
          'span',
          { class: 'badge bad', title: `${trace.errors} spans failed, ${trace.retries} of them were tried again` },
          `${count(trace.errors - trace.retries)} failed`,
        ),
      trace.retries > 0 &&
        h(
          'span',
          { class: 'badge', title: `${trace.retries} retries` },
          trace.retries === 1 ? '1 retry' : `${count(trace.retries)} retries`,
        ),
      trace.cache_hits > 0 &&
        h('span', { class: 'badge', title: `${trace.cache_hits} answers from the cache` }, 'cached'),
    ),
    cell(
      'c-duration num',
      h('span', 'bar-box', bar),
      h(
        'span',
        { class: 'took', title: lasted === null ? null : `${grouped(Math.round(lasted))} µs` },
        duration(lasted),
      ),
    ),
    cell('c-calls num', trace.model_calls > 0 ? count(trace.model_calls) : none()),
    cell(
      'c-tokens num',
      trace.tokens?.total
        ? h(
            'span',
            { title: `${grouped(trace.tokens.input ?? 0)} in, ${grouped(trace.tokens.output ?? 0)} out` },
            count(trace.tokens.total),
          )
        : none(),
    ),
    cell(
      'c-cost num',
      trace.cost_usd === null ? none() : h('span', { title: `$${trace.cost_usd}` }, money(trace.cost_usd)),
    ),
    cell(
      'c-session',
      trace.session_id &&
        h(
          'a',
          {
            class: 'sub',
            href: `/session/${encodeURIComponent(trace.session_id)}`,
            title: `session ${trace.session_id}`,
          },
          trace.session_id,
        ),
    ),
    cell(
      'c-user',
      trace.user_id &&
        h(
          'a',
          { class: 'sub', href: tracesPath(term('user', trace.user_id)), title: `user ${trace.user_id}` },
          trace.user_id,
        ),
    ),
    cell('c-in', h('span', { title: trace.input_preview }, gist(trace.input_preview))),
    cell('c-out', h('span', { title: trace.output_preview }, gist(trace.output_preview))),
  );
}

/**
 * @param {string} name
 * @param {...import('../dom.js').Child} children
 */
function cell(name, ...children) {
  return h('div', { class: name, role: 'gridcell' }, ...children);
}

function none() {
  return h('span', 'none', '–');
}
