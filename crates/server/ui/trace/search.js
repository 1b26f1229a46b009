// Searching in one trace: the server finds the spans, by the language of every filter.

import { get } from '../api.js';

const MOST = 500;

/**
 * @param {string} traceId
 * @param {string} q
 * @param {AbortSignal} signal
 * @returns {Promise<Set<string>>} The ids of the spans.
 */
export async function matchesOf(traceId, q, signal) {
  /** @type {{items: import('../types.js').SpanSummary[]}} */
  const { items } = await get('/spans', { q: `trace:${traceId} ${q}`, limit: MOST }, signal);
  return new Set(items.map(({ span_id }) => span_id));
}

/** @param {Set<string>} matches */
export function inWords({ size }) {
  if (size === 0) return 'nothing found';
  return `${size}${size === MOST ? '+' : ''} found · n next`;
}
