// The traces of a list: asked for part by part, kept up to date by the stream, and remembered for who comes back.

import { get } from '../api.js';
import { follow } from '../live.js';

/** @typedef {import('../types.js').TraceSummary} TraceSummary */
/** @typedef {{q: string, sort: string, order: string}} Query */

/**
 * @typedef {object} Told
 * @property {() => void} changed At once after an answer.
 * @property {() => void} updated A trace began or went on.
 * @property {(error: Error|null) => void} fault
 */

const PART = 100;

/** A page that is open for days does not keep all that went by: the oldest leave the list, in parts. */
const MOST = 5000;
const LEAVE = 500;

/** Lists of so many queries are remembered. */
const MOST_LEFT = 20;

/** Lists as they were left, so that going back shows the same at once. @type {Map<string, {items: TraceSummary[], cursor: string|null, cut: boolean}>} */
const left = new Map();

/** @param {Query} query */
export function nameOf({ q, sort, order }) {
  return `${q}\n${sort}\n${order}`;
}

export class TraceList {
  /** @param {Told} tell */
  constructor(tell) {
    this.tell = tell;
    /** @type {TraceSummary[]} */
    this.items = [];
    /** Where the next part begins. @type {string|null} */
    this.cursor = null;
    this.loading = false;
    /** The oldest rows have left: there are more that are not asked for. */
    this.cut = false;
    /** The rows are those of the query before. */
    this.stale = true;
    /** @type {Query} */
    this.query = { q: '', sort: 'start', order: 'desc' };
    this.asking = new AbortController();
  }

  /** Whether the newest are on top. */
  get newest() {
    return this.query.sort === 'start' && this.query.order === 'desc';
  }

  /**
   * Asks anew. The rows of the query before stay until the new ones are here: an empty page for a moment would flicker.
   * @param {Query} query
   * @param {boolean} back Whether the list may be shown as it was left.
   * @returns {boolean} Whether it is.
   */
  start(query, back) {
    this.asking.abort();
    this.asking = new AbortController();
    this.query = query;
    const kept = back ? left.get(nameOf(query)) : undefined;
    this.stale = !kept;
    this.cut = kept?.cut ?? false;
    if (kept) ({ items: this.items, cursor: this.cursor } = { items: [...kept.items], cursor: kept.cursor });
    this.loading = false;
    return kept !== undefined;
  }

  follow() {
    this.load(null);
    follow(
      { q: this.query.q },
      {
        event: (event, data) => {
          if (event === 'trace') this.update(data);
          if (event !== 'missed') return;
          // What is between those that are asked for now and those that are there is not known.
          this.stale = true;
          this.load(null);
        },
      },
      this.asking.signal,
    );
  }

  stop() {
    this.keep();
    this.asking.abort();
  }

  /** Remembers the list as it is. */
  keep() {
    const name = nameOf(this.query);
    left.delete(name);
    left.set(name, { items: this.items, cursor: this.cursor, cut: this.cut });
    const oldest = left.keys().next().value;
    if (left.size > MOST_LEFT && oldest !== undefined) left.delete(oldest);
  }

  more() {
    if (this.cursor !== null && !this.stale) this.load(this.cursor);
  }

  /** @param {string|null} after */
  async load(after) {
    if (this.loading) return;
    this.loading = true;
    const { asking } = this;
    try {
      /** @type {import('../types.js').Page<TraceSummary>} */
      const page = await get('/traces', { ...this.query, limit: PART, cursor: after }, asking.signal);
      if (asking.signal.aborted) return;
      const known = new Set(page.items.map(({ trace_id }) => trace_id));
      this.items = [...(this.stale ? [] : this.items.filter(({ trace_id }) => !known.has(trace_id))), ...page.items];
      if (this.stale) this.cut = false;
      if (!this.cut && (after !== null || this.cursor === null || this.stale)) this.cursor = page.next_cursor;
      this.stale = false;
      this.tell.fault(null);
    } catch (error) {
      // What was there stays: an error is not an empty list.
      if (!asking.signal.aborted) this.tell.fault(/** @type {Error} */ (error));
      return;
    } finally {
      if (asking === this.asking) this.loading = false;
    }
    if (!asking.signal.aborted) this.tell.changed();
  }

  /** @param {TraceSummary} trace */
  update(trace) {
    const at = this.items.findIndex(({ trace_id }) => trace_id === trace.trace_id);
    if (at >= 0) {
      if (this.items[at].updated_seq > trace.updated_seq) return;
      this.items[at] = trace;
    } else if (this.newest) this.items.unshift(trace);
    else return;
    if (this.items.length >= MOST + LEAVE) this.shorten();
    this.tell.updated();
  }

  /** Lets the oldest rows go; where the list would go on behind them is not known. */
  shorten() {
    this.sort();
    this.items.length = MOST;
    this.cut = true;
    this.cursor = null;
  }

  /** Running ones on top, where the newest are. */
  sort() {
    if (!this.newest) return;
    this.items.sort((a, b) => Number(b.state === 'running') - Number(a.state === 'running') || b.start_us - a.start_us);
  }

  /** What the small bars are measured by: one trace of an hour must not make all others vanish, so the longest few are cut. */
  get longest() {
    const lasted = this.items.map(({ duration_us }) => duration_us ?? 0).sort((a, b) => a - b);
    return Math.max(1, lasted[Math.floor((lasted.length - 1) * 0.95)] ?? 1);
  }
}
