// The anatomy of a model call: where its time went, and what each attempt came to.

import { h, place } from '../dom.js';
import { duration, percent } from '../format.js';
import { stateMark } from '../kinds.js';
import { tracePath } from '../router.js';
import { phases } from './bars.js';

const WORDS = {
  wait: 'waited for the limiter',
  backoff: 'paused before trying again',
  first: 'sent, and waited for the first words',
  stream: 'answered',
};

/**
 * @param {import('../types.js').SpanDetail} detail
 * @param {import('./tree.js').Node[]} failed
 */
export function attempts(detail, failed) {
  const whole = detail.duration_us ?? 0;
  const parts = phases(detail, whole);
  const bar = h(
    'div',
    { class: 'anatomy k-generation', 'aria-hidden': 'true' },
    ...parts.map(({ name, from, to }) => {
      const part = h('i', `phase p-${name}`);
      place(part, { left: `${(from / whole) * 100}%`, width: `${((to - from) / whole) * 100}%` });
      return part;
    }),
  );
  const rows = parts.map(({ name, from, to }) =>
    h(
      'tr',
      null,
      h(
        'td',
        null,
        h('i', { class: `swatch k-generation p-${name}`, 'aria-hidden': 'true' }),
        /** @type {Record<string, string>} */ (WORDS)[name],
      ),
      h('td', 'num', duration(to - from)),
      h('td', 'num', percent((to - from) / whole)),
    ),
  );
  const told = detail.phases;
  return h(
    'div',
    'attempts',
    whole > 0 ? bar : null,
    h('table', null, h('tbody', null, ...rows)),
    told?.cache_hit && h('p', null, 'Answered from the cache: no tokens, no cost.'),
    told?.retry_after_us ? h('p', null, `The provider asked for a pause of ${duration(told.retry_after_us)}.`) : null,
    failed.length > 0 && h('h3', null, 'Failed attempts'),
    failed.length > 0 &&
      h('table', 'failed-attempts', h('tbody', null, ...failed.map(({ span }) => failedRow(span, detail.start_us)))),
  );
}

/**
 * @param {import('../types.js').SpanSummary} span
 * @param {number} from When the call began.
 */
function failedRow(span, from) {
  return h(
    'tr',
    null,
    h('td', 'num none', `+${duration(span.start_us - from)}`),
    h('td', null, stateMark(span.state, true), h('a', { href: tracePath(span.trace_id, span.span_id) }, span.name)),
    h('td', 'num', duration(span.duration_us)),
    h('td', 'words', span.error?.message ?? ''),
  );
}
