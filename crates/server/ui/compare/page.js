// Comparison: two runs of the same thing, as a whole and step by step. What differs by less than noise is pale.

import { get } from '../api.js';
import { copy } from '../copy.js';
import { fill, h } from '../dom.js';
import { count } from '../format.js';
import { comparePath, go, partOf, tracePath } from '../router.js';
import { align } from './align.js';
import { inWords, runChoice, runsLike } from './runs.js';
import { stepTable, wholeTable } from './tables.js';

/** @typedef {import('../types.js').TraceAnswer} TraceAnswer */

/**
 * @param {HTMLElement} main
 * @param {URL} url
 * @returns {import('../router.js').Page}
 */
export function comparePage(main, url) {
  const [after, before] = [partOf(url.pathname, 2), partOf(url.pathname, 3) || undefined];
  const gone = new AbortController();
  main.classList.add('page-scroll');
  const body = h('div', 'compare');
  fill(main, h('div', 'page-head', h('a', { href: tracePath(after) }, 'Trace'), h('h1', null, 'Comparison')), body);

  async function load() {
    const late = await answerOf(after, gone.signal);
    const { before: earlier, newest } = await runsLike(late.trace, gone.signal);
    // The run before, if nobody says which.
    const other = before ?? (earlier[0] ?? newest.at(-1))?.trace_id;
    if (other === undefined) {
      const none = `There is no other trace called ${late.trace.name} yet.`;
      fill(body, h('div', 'empty', h('h1', null, 'Nothing to compare with'), h('p', null, none)));
      return;
    }
    const early = await answerOf(other, gone.signal);
    document.title = `${late.trace.name} compared · Glassbox`;
    const known = new Set(newest.map(({ trace_id }) => trace_id));
    draw(early, late, [...newest, ...earlier.filter(({ trace_id }) => !known.has(trace_id))]);
  }

  /**
   * @param {TraceAnswer} early
   * @param {TraceAnswer} late
   * @param {import('../types.js').TraceSummary[]} runs
   */
  function draw(early, late, runs) {
    const { steps, cut } = align(early.spans, late.spans);
    const partly = early.truncated || late.truncated;
    /** @param {string} label @param {TraceAnswer} answer @param {Node|string} words */
    const side = (label, { trace }, words) =>
      h(
        'div',
        'side',
        h('b', null, label),
        h('a', { href: tracePath(trace.trace_id) }, trace.name || 'unnamed'),
        words,
      );
    fill(
      body,
      h(
        'div',
        'sides',
        side(
          'Before',
          early,
          runChoice(runs, early.trace, (id) => go(comparePath(after, id))),
        ),
        side('After', late, h('span', 'none', inWords(late.trace))),
      ),
      partly && h('p', 'fault', 'These traces have more spans than are compared here.'),
      h('div', 'scroll-x', wholeTable(early.trace, late.trace)),
      h('h2', null, 'Step by step'),
      h(
        'p',
        'none',
        'Spans of the same name in the same place are one step. Differences below 10 % are pale: two runs are never the same.',
      ),
      h('div', 'scroll-x', stepTable(steps, [early.trace.trace_id, late.trace.trace_id])),
      cut > 0 && h('p', 'none', `${count(cut)} more steps are not shown.`),
    );
  }

  load().catch((error) => {
    if (gone.signal.aborted) return;
    const { message } = /** @type {Error} */ (error);
    fill(body, h('div', 'empty', h('h1', null, 'These cannot be compared'), h('p', { role: 'alert' }, message)));
  });
  return { leave: () => gone.abort(), keys: { y: () => copy(location.href, 'link') } };
}

/**
 * @param {string} traceId
 * @param {AbortSignal} signal
 * @returns {Promise<TraceAnswer>}
 */
function answerOf(traceId, signal) {
  return get(`/traces/${encodeURIComponent(traceId)}`, {}, signal);
}
