// What happened before somebody looked: the spans that came in last.

import { get } from '../api.js';

/** @typedef {import('../types.js').SpanSummary} SpanSummary */

const MOST = 200;

/**
 * @param {string} q
 * @param {AbortSignal} signal
 * @returns {Promise<SpanSummary[]>} In the order in which they started or ended.
 */
export async function historyOf(q, signal) {
  const [page, words] = await Promise.all([get('/spans', { q, limit: MOST }, signal), wordsOf(q, signal)]);
  const spans = [.../** @type {{items: SpanSummary[]}} */ (page).items];
  for (const span of spans) if (span.parent_id === null) span.preview ??= words.get(span.trace_id);
  return spans.sort((a, b) => (a.end_us ?? a.start_us) - (b.end_us ?? b.start_us));
}

/**
 * What came out of traces of late: lists of spans do not say it.
 * @param {string} q
 * @param {AbortSignal} signal
 * @returns {Promise<Map<string, string|null>>}
 */
async function wordsOf(q, signal) {
  try {
    /** @type {{items: import('../types.js').TraceSummary[]}} */
    const { items } = await get('/traces', { q, limit: 100 }, signal);
    return new Map(items.map(({ trace_id, output_preview }) => [trace_id, output_preview]));
  } catch {
    // The stream goes without.
    return new Map();
  }
}
