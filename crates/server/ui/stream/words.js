// What came out of calls that ended before somebody looked. Lists of spans do not say it, so it is asked for span by span, for
// the lines that are seen and a few at a time.

import { get } from '../api.js';
import { lastWords } from './line.js';

/** @typedef {import('../types.js').SpanSummary} SpanSummary */

const AT_ONCE = 3;
const MOST_CHARACTERS = 2000;

export class Words {
  /** @param {(spanId: string, words: string) => void} tell */
  constructor(tell) {
    this.tell = tell;
    /** @type {Set<string>} */
    this.asked = new Set();
    /** The last to be seen is asked for first. @type {SpanSummary[]} */
    this.wanted = [];
    this.running = 0;
    this.gone = new AbortController();
  }

  /**
   * Asks for the last words of a span, unless that was done.
   * @param {SpanSummary} span
   */
  want(span) {
    if (!span.has_output || this.asked.has(span.span_id)) return;
    this.asked.add(span.span_id);
    this.wanted.push(span);
    while (this.running < AT_ONCE && this.wanted.length > 0) this.work();
  }

  async work() {
    this.running += 1;
    for (let span = this.wanted.pop(); span && !this.gone.signal.aborted; span = this.wanted.pop()) {
      try {
        /** @type {import('../types.js').SpanDetail} */
        const detail = await get(`/traces/${span.trace_id}/spans/${span.span_id}`, {}, this.gone.signal);
        this.tell(span.span_id, wordsOf(detail));
      } catch {
        // The line goes without.
      }
    }
    this.running -= 1;
  }

  stop() {
    this.gone.abort();
  }
}

/** @param {import('../types.js').SpanDetail} detail */
function wordsOf({ reply, output }) {
  const said = reply?.parts.filter(({ type }) => type === 'text').map(({ text }) => text ?? '') ?? [];
  const text = said.length > 0 ? said.join(' ') : typeof output === 'string' ? output : JSON.stringify(output ?? '');
  return lastWords(text.slice(-MOST_CHARACTERS));
}
