// The lines of the stream: one an event, the newest at the end, and no more of them than can be read.

import { lastWords } from './line.js';

/** @typedef {import('../types.js').SpanSummary} SpanSummary */
/** @typedef {import('./line.js').Line} Line */

const MOST_LINES = 5000;
const MOST_NAMES = 20_000;
const DEEPEST = 4;

export class Lines {
  constructor() {
    /** @type {Line[]} */
    this.all = [];
    this.serial = 0;
    /** Names by span id, to show where a call happened. @type {Map<string, {name: string, parent: string|null}>} */
    this.names = new Map();
  }

  /**
   * Adds what happened to a span.
   * @param {string} event `span_start` or `span_end`.
   * @param {SpanSummary} span
   * @returns {boolean} Whether it was new: a start is told again when the provider begins to answer.
   */
  add(event, span) {
    if (event === 'span_start' && this.names.has(span.span_id)) return false;
    this.know(span);
    const oldest = this.names.keys().next().value;
    if (this.names.size > MOST_NAMES && oldest !== undefined) this.names.delete(oldest);
    const ended = event === 'span_end';
    this.all.push({
      id: ++this.serial,
      what: !ended ? 'start' : span.state === 'error' ? 'error' : 'end',
      at: (ended ? span.end_us : null) ?? span.start_us,
      span,
      path: this.pathOf(span),
      words: ended ? (span.error?.message ?? lastWords(span.preview ?? '')) : '',
    });
    return true;
  }

  /**
   * Remembers the name of a span, for the paths of those in it.
   * @param {SpanSummary} span
   */
  know(span) {
    this.names.set(span.span_id, { name: span.name, parent: span.parent_id });
  }

  /** @param {SpanSummary} span */
  pathOf(span) {
    const path = [];
    let parent = span.parent_id;
    while (parent !== null && path.length < DEEPEST) {
      const above = this.names.get(parent);
      if (!above) break;
      path.unshift(above.name);
      parent = above.parent;
    }
    return path;
  }

  /**
   * Takes away the oldest lines, if there are too many.
   * @param {boolean} paused What is being read stays for as long again.
   * @returns {number} How many went.
   */
  trim(paused) {
    const over = this.all.length - MOST_LINES;
    if (over <= (paused ? MOST_LINES : 0)) return 0;
    this.all = this.all.slice(over);
    return over;
  }

  clear() {
    this.all = [];
  }
}
