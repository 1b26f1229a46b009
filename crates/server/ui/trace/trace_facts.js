// The facts on a trace in a line: what it took, used and cost, what failed, and whose it was.

import { h } from '../dom.js';
import { ago, count, duration, grouped, lastedOf, moment, money, nowUs } from '../format.js';
import { term, tracePath, tracesPath } from '../router.js';

/** @typedef {import('../types.js').TraceSummary} TraceSummary */
/** @typedef {import('../types.js').Headline} Headline */

const MOST_TAGS = 4;

/**
 * @param {TraceSummary} trace
 * @param {Headline|null} headline
 * @param {import('../types.js').Score[]} scores
 * @param {number} failed How many spans failed for good.
 * @returns {import('../dom.js').Child[]}
 */
export function traceFacts(trace, headline, scores, failed) {
  const lasted = lastedOf(trace, nowUs());
  const tokens = trace.tokens;
  const sent = tokens ? (tokens.input ?? 0) + (tokens.cache_read ?? 0) + (tokens.cache_write ?? 0) : 0;
  return [
    lasted === null
      ? fact('took', '–', 'its process went away, and nobody told when it ended', 'took')
      : fact('took', duration(lasted), `${grouped(Math.round(lasted))} µs`, 'took'),
    tokens?.total
      ? fact(
          'tokens',
          `${count(sent)} → ${count((tokens.output ?? 0) + (tokens.reasoning ?? 0))}`,
          `${grouped(tokens.total)} together`,
        )
      : null,
    trace.cost_usd !== null && fact('cost', money(trace.cost_usd), `$${trace.cost_usd}`),
    trace.model_calls > 0 && fact('model calls', count(trace.model_calls), ''),
    failed > 0 && failures(trace, failed),
    trace.retries > 0 &&
      fact('retries', count(trace.retries), 'attempts of model calls that failed and were made again'),
    trace.cache_hits > 0 && fact('cached', count(trace.cache_hits), 'model calls that were answered from the cache'),
    fact('spans', count(trace.spans), ''),
    headline?.mean_concurrency && headline.mean_concurrency > 1.05
      ? fact('at once', headline.mean_concurrency.toFixed(1), 'model calls at once, on average while any ran')
      : null,
    fact('started', since(trace.start_us), moment(trace.start_us)),
    trace.models.length > 0 &&
      several(
        trace.models.length === 1 ? 'model' : 'models',
        trace.models.map((model) => h('a', { href: `/models?model=${encodeURIComponent(model)}` }, model)),
        2,
        trace.models,
      ),
    linked('session', trace.session_id, (id) => `/session/${encodeURIComponent(id)}`),
    linked('user', trace.user_id, (id) => tracesPath(term('user', id))),
    linked('release', trace.release, (id) => tracesPath(term('release', id))),
    linked('environment', trace.environment, (id) => tracesPath(term('environment', id))),
    linked('service', trace.service, (id) => tracesPath(term('service', id))),
    trace.tags.length > 0 &&
      several(
        'tags',
        trace.tags.map((tag) => h('a', { class: 'badge', href: tracesPath(term('tag', tag)) }, tag)),
        MOST_TAGS,
        trace.tags,
      ),
    ...scores.map((score) => scoreFact(trace.trace_id, score)),
  ];
}

/**
 * A score in the head of its trace; that of a span leads to the span.
 * @param {string} traceId
 * @param {import('../types.js').Score} score
 */
function scoreFact(traceId, { name, value, span_id, comment }) {
  const words = typeof value === 'number' ? String(Math.round(value * 1000) / 1000) : String(value);
  return h(
    'div',
    { title: comment || null, class: 'f-score' },
    h('dt', null, name),
    h('dd', null, span_id ? h('a', { href: tracePath(traceId, span_id) }, words) : words),
  );
}

/**
 * What failed for good; a click searches for it.
 * @param {TraceSummary} trace
 * @param {number} failed
 */
function failures({ errors }, failed) {
  const again = errors - failed;
  const words = again > 0 ? `and ${grouped(again)} attempts, which are no failures if another one succeeded` : '';
  const link = h('a', { href: `${location.pathname}?q=status%3Aerror`, class: 'bad' }, count(failed));
  return h('div', { title: words || null, class: 'f-bad' }, h('dt', null, 'failed'), h('dd', null, link));
}

/**
 * A few of many, and how many more there are.
 * @param {string} name
 * @param {HTMLElement[]} all
 * @param {number} most
 * @param {string[]} names
 */
function several(name, all, most, names) {
  const more = all.length - most;
  return h(
    'div',
    { title: names.join('\n'), class: 'f-several' },
    h('dt', null, name),
    h('dd', null, ...all.slice(0, most), more > 0 && h('span', 'none', `+${more}`)),
  );
}

/** @param {number} us */
function since(us) {
  const text = ago(us, nowUs());
  return /\d$|now/.test(text) ? text : `${text} ago`;
}

/**
 * @param {string} name
 * @param {string} value
 * @param {string} title
 * @param {string} [style]
 */
function fact(name, value, title, style) {
  return h(
    'div',
    { title: title || null, class: style ? `f-${style}` : null },
    h('dt', null, name),
    h('dd', null, value),
  );
}

/**
 * @param {string} name
 * @param {string|null} value
 * @param {(value: string) => string} path
 */
function linked(name, value, path) {
  return (
    value !== null &&
    h('div', null, h('dt', null, name), h('dd', null, h('a', { href: path(value), title: value }, value)))
  );
}
