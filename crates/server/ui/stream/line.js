// One event of the stream as a line, and the heads of the columns.

import { h } from '../dom.js';
import { clock, count, duration, gist, moment, money } from '../format.js';
import { hue, kindMark } from '../kinds.js';
import { tracePath } from '../router.js';

/** @typedef {import('../types.js').SpanSummary} SpanSummary */
/** @typedef {{id: number, what: 'start'|'end'|'error'|'missed', at: number, span: SpanSummary|null, path: string[], words: string}} Line */

const WORDS = { start: 'starts', end: 'ends', error: 'fails', missed: 'skipped' };
const SHAPES = { start: '▸', end: '■', error: '✕', missed: '…' };

export function lineHead() {
  return h(
    'div',
    { class: 'list-head stream-grid', role: 'row' },
    ...['Time', 'Trace', 'Event', 'What', 'Model', 'Tokens', 'Cost', 'Took', 'Words'].map((label, at) =>
      // What happened is a sign, and its column has no room for a word.
      h(
        'div',
        { role: 'columnheader', class: at >= 5 && at <= 7 ? 'num' : null },
        at === 2 ? h('span', 'unseen', label) : label,
      ),
    ),
  );
}

/** @param {Line} line */
export function lineRow({ what, at, span, path, words }) {
  const tokens = span?.tokens;
  return h(
    'div',
    { class: `row stream-grid e-${what}`, role: 'row' },
    h('div', { class: 'c-time', role: 'gridcell' }, h('time', { title: moment(at) }, clock(at))),
    h(
      'div',
      { class: 'c-trace', role: 'gridcell' },
      span &&
        h(
          'a',
          { class: hue(span.trace_id), href: tracePath(span.trace_id), title: span.trace_id },
          span.trace_id.slice(0, 6),
        ),
    ),
    h(
      'div',
      { class: 'c-event', role: 'gridcell' },
      h('span', { title: WORDS[what], role: 'img', 'aria-label': WORDS[what] }, SHAPES[what]),
    ),
    h(
      'div',
      { class: 'c-what', role: 'gridcell', title: [...path, span?.name].join(' › ') },
      span && kindMark(span.kind),
      h('b', null, span?.name ?? ''),
      path.length > 0 &&
        h(
          'span',
          'path',
          [...path]
            .reverse()
            .map((name) => ` ‹ ${name}`)
            .join(''),
        ),
    ),
    h('div', { class: 'c-model', role: 'gridcell' }, span?.model ?? ''),
    h('div', { class: 'c-tokens num', role: 'gridcell' }, what !== 'start' && tokens?.total ? count(tokens.total) : ''),
    h('div', { class: 'c-cost num', role: 'gridcell' }, what !== 'start' && span?.cost_usd ? money(span.cost_usd) : ''),
    h(
      'div',
      { class: 'c-took num', role: 'gridcell' },
      what !== 'start' && span?.duration_us !== null ? duration(span?.duration_us) : '',
    ),
    h('div', { class: 'c-words', role: 'gridcell' }, words.slice(0, 300).replace(/\s+/g, ' ')),
  );
}

/**
 * The end of an output; of JSON, which may be cut at its beginning, the last text in it that is more than a word.
 * @param {string} text
 */
export function lastWords(text) {
  const values = [...text.matchAll(/(?:[:[,]|^)\s*"((?:[^"\\]|\\.)+)"(?=\s*(?:[\]},]|$))/g)].map(([, value]) => value);
  const last = values.findLast((value) => /\s/.test(value)) ?? values.at(-1);
  return last === undefined ? gist(text) : last.replace(/\\[nrt]/g, ' ').replace(/\\(.)/g, '$1');
}
