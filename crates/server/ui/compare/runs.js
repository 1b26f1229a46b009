// The runs that a trace can be compared with: those of the same name.

import { get } from '../api.js';
import { h } from '../dom.js';
import { ago, duration, lastedOf, moment, money, nowUs } from '../format.js';
import { term } from '../router.js';

/** @typedef {import('../types.js').TraceSummary} TraceSummary */

const MOST = 30;

/**
 * Traces of the same name that have ended: those before it, the last one first, and the newest.
 * @param {TraceSummary} trace
 * @param {AbortSignal} signal
 * @returns {Promise<{before: TraceSummary[], newest: TraceSummary[]}>}
 */
export async function runsLike({ name, trace_id, start_us }, signal) {
  const q = `${term('name', name)} -status:running`;
  const [before, newest] = await Promise.all(
    [`${q} start:<${moment(start_us)}`, q].map(async (q) => {
      /** @type {import('../types.js').Page<TraceSummary>} */
      const { items } = await get('/traces', { q, limit: MOST }, signal);
      return items.filter((other) => other.trace_id !== trace_id && other.name === name);
    }),
  );
  return { before, newest };
}

/**
 * A list to choose the other run from.
 * @param {TraceSummary[]} runs
 * @param {TraceSummary} chosen
 * @param {(traceId: string) => void} choose
 */
export function runChoice(runs, chosen, choose) {
  const all = runs.some(({ trace_id }) => trace_id === chosen.trace_id) ? runs : [chosen, ...runs];
  const select = h(
    'select',
    { class: 'button', 'aria-label': 'Compare with', onchange: () => choose(select.value) },
    ...all.map((run) =>
      h(
        'option',
        { value: run.trace_id, title: moment(run.start_us), selected: run.trace_id === chosen.trace_id },
        inWords(run),
      ),
    ),
  );
  return select;
}

/** @param {TraceSummary} run */
export function inWords(run) {
  const facts = [
    duration(lastedOf(run, nowUs())),
    run.cost_usd === null ? '' : money(run.cost_usd),
    run.session_id,
    run.release,
  ];
  const since = ago(run.start_us, nowUs());
  return [/\d$|now/.test(since) ? since : `${since} ago`, ...facts].filter(Boolean).join(' · ');
}
