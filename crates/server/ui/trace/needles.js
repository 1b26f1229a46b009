// The words that are searched for in a trace, and where they stand in what is shown.
// What hides them unfolds, and they are marked without an element being made for it.

import { asked } from '../router.js';

const MOST_MARKS = 1000;

/**
 * The words of a filter that are searched in payloads, in lower case: neither keys with their values, nor what must not be there.
 * @param {string} q
 * @returns {string[]}
 */
export function wordsIn(q) {
  const terms = q.toLowerCase().match(/-?[\w.]+:(?:"(?:[^"\\]|\\.)*"|\S*)|-?"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  return terms
    .filter((term) => !term.startsWith('-') && !/^[a-z_][\w.]*:/.test(term))
    .map((term) => term.replace(/^"|"$/g, '').replace(/\\(.)/g, '$1').replaceAll('*', '').trim())
    .filter((term) => term.length > 0);
}

/** The words that are searched for now. */
export function needles() {
  return wordsIn(asked('q'));
}

/**
 * Where the first of the words stands in a text, or -1.
 * @param {string} text
 */
export function firstNeedle(text) {
  const words = needles();
  if (words.length === 0) return -1;
  const lower = text.toLowerCase();
  const found = words.map((word) => lower.indexOf(word)).filter((at) => at >= 0);
  return found.length > 0 ? Math.min(...found) : -1;
}

/** @param {unknown} value Whatever JSON can spell. */
export function holdsNeedle(value) {
  if (value === null || value === undefined || needles().length === 0) return false;
  return firstNeedle(typeof value === 'string' ? value : JSON.stringify(value)) >= 0;
}

/**
 * Marks the words in what is shown.
 * @param {HTMLElement} element
 * @returns {Range|null} The first of them.
 */
export function markNeedles(element) {
  // Browsers without highlights show the payload without marks.
  if (!('highlights' in CSS)) return null;
  const words = needles();
  /** @type {Range[]} */
  const ranges = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (words.length > 0 && ranges.length < MOST_MARKS && walker.nextNode()) {
    const node = walker.currentNode;
    const text = (node.nodeValue ?? '').toLowerCase();
    // Where lower case is longer than what it stands for, places do not fit.
    if (text.length !== node.nodeValue?.length) continue;
    for (const word of words) {
      for (let at = text.indexOf(word); at >= 0 && ranges.length < MOST_MARKS; at = text.indexOf(word, at + 1)) {
        const range = new Range();
        range.setStart(node, at);
        range.setEnd(node, at + word.length);
        ranges.push(range);
      }
    }
  }
  if (ranges.length === 0) CSS.highlights.delete('found');
  else CSS.highlights.set('found', new Highlight(...ranges));
  return ranges[0] ?? null;
}
