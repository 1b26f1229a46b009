// Searching in one trace: the server finds the spans, by the language of every filter.

import { get } from '../api.js';
import { h } from '../dom.js';

const MOST = 500;

export class Search {
  /**
   * @param {string} traceId
   * @param {AbortSignal} signal
   */
  constructor(traceId, signal) {
    this.traceId = traceId;
    this.signal = signal;
    this.q = '';
    /** How many were found. */
    this.tally = h('span', { class: 'tally', role: 'status' });
    /** The ids of what was found; `null` while nothing is searched for. @type {Set<string>|null} */
    this.matches = null;
  }

  /**
   * Searches, and fails with what is wrong with the filter.
   * @param {string} q
   * @returns {Promise<boolean>} Whether the answer is there, and is not that to an earlier question.
   */
  async run(q) {
    this.q = q;
    this.matches = null;
    this.tally.textContent = '';
    if (q === '') return true;
    try {
      /** @type {{items: import('../types.js').SpanSummary[]}} */
      const { items } = await get('/spans', { q: `trace:${this.traceId} ${q}`, limit: MOST }, this.signal);
      if (this.q !== q) return false;
      this.matches = new Set(items.map(({ span_id }) => span_id));
      this.tally.textContent = inWords(this.matches);
      return true;
    } catch (error) {
      if (this.signal.aborted || this.q !== q) return false;
      throw error;
    }
  }
}

/** @param {Set<string>} matches */
function inWords({ size }) {
  if (size === 0) return 'nothing found';
  return `${size}${size === MOST ? '+' : ''} found · n next`;
}
