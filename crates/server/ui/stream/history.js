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
  /** @type {{items: SpanSummary[]}} */
  const { items } = await get('/spans', { q, limit: MOST }, signal);
  return [...items].sort((a, b) => (a.end_us ?? a.start_us) - (b.end_us ?? b.start_us));
}
