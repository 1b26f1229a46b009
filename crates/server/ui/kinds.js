// The kinds of work: a letter, a name and a class each. Colour never stands alone.

import { h } from './dom.js';

/** @type {Record<import('./types.js').Kind, {letter: string, name: string}>} */
const KINDS = {
  generation: { letter: 'G', name: 'generation' },
  agent: { letter: 'A', name: 'agent' },
  tool: { letter: 'T', name: 'tool' },
  chain: { letter: 'C', name: 'chain' },
  retriever: { letter: 'R', name: 'retriever' },
  embedding: { letter: 'V', name: 'embedding' },
  evaluator: { letter: 'E', name: 'evaluator' },
  guardrail: { letter: 'U', name: 'guardrail' },
  span: { letter: 'S', name: 'span' },
  event: { letter: '•', name: 'event' },
};

/**
 * The known kind; what is not known is a span.
 * @param {string} kind
 */
export function known(kind) {
  return Object.hasOwn(KINDS, kind) ? /** @type {import('./types.js').Kind} */ (kind) : 'span';
}

/**
 * The letter of a kind in its colour.
 * @param {string} kind
 */
export function kindMark(kind) {
  const { letter, name } = KINDS[known(kind)];
  return h('span', { class: `kind k-${known(kind)}`, title: name, role: 'img', 'aria-label': name }, letter);
}

/**
 * Turns a mark into that of another kind.
 * @param {HTMLElement} mark
 * @param {string} kind
 */
export function markKind(mark, kind) {
  const { letter, name } = KINDS[known(kind)];
  if (mark.title === name || !mark.firstChild) return;
  mark.className = `kind k-${known(kind)}`;
  mark.title = name;
  mark.setAttribute('aria-label', name);
  mark.firstChild.nodeValue = letter;
}

const STATES = { running: 'running', done: 'done', error: 'failed', abandoned: 'abandoned' };

/**
 * The state as a shape and a word.
 * @param {import('./types.js').State} state
 * @param {boolean} [wordless] Shape only; the word is read to screen readers.
 */
export function stateMark(state, wordless = false) {
  const word = STATES[state] ?? state;
  const mark = h('span', { class: `state s-${state}`, title: word });
  mark.append(h('i', { class: 'dot', 'aria-hidden': 'true' }));
  mark.append(h('span', wordless ? 'unseen' : null, word));
  return mark;
}

/**
 * One of eight hues for an id, always the same for the same id.
 * @param {string} id
 */
export function hue(id) {
  let sum = 0;
  for (let at = 0; at < Math.min(id.length, 16); at += 1) sum = (sum * 31 + id.charCodeAt(at)) >>> 0;
  return `hue-${sum % 8}`;
}
