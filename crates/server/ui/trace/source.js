// What is known of a trace: asked from the API, and kept up to date by the stream.

import { ApiError, get } from '../api.js';
import { follow } from '../live.js';

/** @typedef {import('../types.js').SpanSummary} SpanSummary */
/** @typedef {import('../types.js').Stretch} Stretch */

/**
 * @typedef {object} Told
 * @property {() => void} head The trace as a whole has changed.
 * @property {() => void} spans Spans or the critical path have changed.
 * @property {(unknown: boolean, message: string) => void} missing The trace is not there, or cannot be had.
 * @property {(error: Error|null) => void} fault
 */

/** The path of a trace that runs is asked for this often at most. */
const PATH_MS = 1000;

/** What the time of a trace that runs has gone into so far is asked for this often, unless it has very many spans. */
const HEADLINE_MS = 5000;
const MANY = 2000;

export class TraceSource {
  /**
   * @param {string} traceId
   * @param {Told} tell
   * @param {AbortSignal} signal
   */
  constructor(traceId, tell, signal) {
    this.traceId = traceId;
    this.tell = tell;
    this.signal = signal;
    /** @type {Map<string, SpanSummary>} */
    this.spans = new Map();
    /** @type {import('../types.js').TraceSummary|null} */
    this.trace = null;
    /** @type {import('../types.js').Headline|null} */
    this.headline = null;
    /** @type {import('../types.js').Score[]} */
    this.scores = [];
    /** What the trace waited for, by span; `null` while nobody wants to know. @type {Map<string, Stretch[]>|null} */
    this.path = null;
    this.wantsPath = false;
    this.pathTimer = 0;
    this.loading = false;
    this.loadedAt = 0;
    signal.addEventListener('abort', () => clearTimeout(this.pathTimer));
  }

  get running() {
    return this.trace === null || this.trace.state === 'running';
  }

  /** How many spans failed for good: an attempt that was made again is none of them, and neither is one that will be. */
  get failed() {
    let count = 0;
    for (const { state, name } of this.spans.values()) if (state === 'error' && !/^attempt\b/.test(name)) count += 1;
    return count;
  }

  /** @param {string} [below] */
  address(below = '') {
    return `/traces/${encodeURIComponent(this.traceId)}${below}`;
  }

  /** Asks again for what only the server can work out, from time to time while the trace runs. */
  freshen() {
    if (Date.now() - this.loadedAt > HEADLINE_MS && this.spans.size < MANY && !this.loading) this.load();
  }

  async load() {
    this.loading = true;
    try {
      /** @type {import('../types.js').TraceAnswer} */
      const answer = await get(this.address(), {}, this.signal);
      this.trace = answer.trace;
      this.headline = answer.headline;
      answer.spans.forEach((span) => this.take(span));
      this.tell.fault(answer.truncated ? new Error('this trace has more spans than are shown') : null);
    } catch (error) {
      if (this.signal.aborted) return;
      const { message } = /** @type {Error} */ (error);
      if (this.trace === null) this.tell.missing(error instanceof ApiError && error.status === 404, message);
      else this.tell.fault(/** @type {Error} */ (error));
      return;
    } finally {
      this.loading = false;
      this.loadedAt = Date.now();
    }
    this.tell.head();
    this.tell.spans();
    if (this.wantsPath) this.loadPath();
    try {
      /** @type {{items: import('../types.js').Score[]}} */
      const { items } = await get('/scores', { trace_id: this.traceId }, this.signal);
      this.scores = items;
      if (items.length > 0) this.tell.head();
    } catch {
      // A trace without scores is shown as well.
    }
  }

  follow() {
    const { traceId, signal } = this;
    follow({ q: `trace:${traceId}` }, { event: (name, data) => this.hear(name, data) }, signal);
  }

  /**
   * @param {string} name
   * @param {any} data
   */
  hear(name, data) {
    if (name === 'missed') this.load();
    if (name !== 'trace' && name !== 'span_start' && name !== 'span_end') return;
    if (data.trace_id !== this.traceId) return;
    if (this.trace === null && !this.loading) this.load();
    if (name === 'trace') {
      const ended = this.trace?.state === 'running' && data.state !== 'running';
      this.trace = data;
      if (ended) this.load();
      this.tell.head();
    } else this.take(data);
    this.tell.spans();
    if (this.wantsPath && !this.pathTimer)
      this.pathTimer = setTimeout(() => {
        this.pathTimer = 0;
        this.loadPath();
      }, PATH_MS);
  }

  /** @param {SpanSummary} span */
  take(span) {
    const before = this.spans.get(span.span_id);
    if (before && before.end_us !== null && span.end_us === null) return;
    this.spans.set(span.span_id, span);
  }

  /**
   * Says whether the critical path is wanted. It comes later.
   * @param {boolean} wants
   */
  want(wants) {
    if (wants === this.wantsPath) return;
    this.wantsPath = wants;
    if (wants) this.loadPath();
    else this.path = null;
  }

  async loadPath() {
    try {
      /** @type {{items: Stretch[]}} */
      const { items } = await get(this.address('/path'), {}, this.signal);
      if (!this.wantsPath) return;
      /** @type {Map<string, Stretch[]>} */
      const path = new Map();
      for (const stretch of items) {
        const known = path.get(stretch.span_id);
        if (known) known.push(stretch);
        else path.set(stretch.span_id, [stretch]);
      }
      this.path = path;
      this.tell.spans();
    } catch (error) {
      if (!this.signal.aborted) this.tell.fault(/** @type {Error} */ (error));
    }
  }
}
