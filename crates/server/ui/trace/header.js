// The head of a trace: its name, how it is, and the facts.

import { fill, h } from '../dom.js';
import { count, duration, lastedOf, nowUs } from '../format.js';
import { stateMark } from '../kinds.js';
import { traceFacts } from './trace_facts.js';

/** @typedef {import('../types.js').TraceSummary} TraceSummary */
/** @typedef {import('../types.js').Headline} Headline */

/**
 * The head, which is drawn anew only where something changed: what is under the pointer stays, or clicks would be lost.
 * @param {HTMLElement[]} actions
 */
export function traceHeader(actions) {
  const title = h('h1');
  const state = h('span', 'trace-state');
  const facts = h('dl', { class: 'facts', tabindex: '0', 'aria-label': 'Facts' });
  const element = h(
    'header',
    'trace-head',
    h('div', 'trace-title', title, state, h('div', 'actions', ...actions)),
    facts,
  );
  let drawn = '';
  return {
    element,
    /**
     * @param {TraceSummary} trace
     * @param {Headline|null} headline
     * @param {import('../types.js').Score[]} scores
     * @param {number} failed How many spans failed for good.
     */
    draw(trace, headline, scores, failed) {
      const stamp = JSON.stringify([{ ...trace, updated_seq: 0 }, headline?.mean_concurrency, scores, failed]);
      if (stamp !== drawn) {
        drawn = stamp;
        title.textContent = trace.name || 'unnamed';
        title.title = trace.trace_id;
        const open = trace.state === 'running' && trace.open_spans > 0;
        fill(state, stateMark(trace.state), open && h('span', 'none', `${count(trace.open_spans)} open`));
        fill(facts, ...traceFacts(trace, headline, scores, failed));
      }
      const took = facts.querySelector('.f-took dd');
      if (took && trace.duration_us === null) took.textContent = duration(lastedOf(trace, nowUs()));
    },
  };
}

/**
 * What is said where there is no trace to show.
 * @param {string} traceId
 * @param {boolean} unknown The server knows no such trace, as opposed to any other trouble.
 * @param {string} message
 */
export function absence(traceId, unknown, message) {
  const words = `${traceId} has not come in, or was removed by the retention. It will be shown as soon as it comes in.`;
  return h(
    'div',
    'empty',
    h('h1', null, unknown ? 'No such trace yet' : 'The trace cannot be shown'),
    h('p', null, unknown ? words : message),
    h('p', null, h('a', { href: '/traces' }, 'To the traces')),
  );
}
