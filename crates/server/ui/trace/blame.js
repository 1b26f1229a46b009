// What the time of a trace went into: as a bar, and in words.

import { h, place } from '../dom.js';
import { percent } from '../format.js';

/** @typedef {import('../types.js').Headline} Headline */

/** What time can go into, in words and with the class of its colour. @type {Record<string, [string, string]>} */
const BLAME = {
  generation: ['generation', 'b-generation'],
  failed: ['failed attempts', 'b-failed'],
  limiter: ['limiter wait', 'b-wait'],
  backoff: ['backoff', 'b-backoff'],
  tool: ['tools', 'b-tool'],
  retriever: ['retrieval', 'b-retriever'],
  embedding: ['embedding', 'b-retriever'],
  parse: ['parse', 'b-own'],
  own: ['own code', 'b-own'],
};

/**
 * What the time of the trace went into, as a bar and in words.
 * @param {Headline} headline
 */
export function blame({ blame: shares }) {
  const parts = Object.entries(shares)
    .filter(([, share]) => share >= 0.001)
    .sort((a, b) => b[1] - a[1]);
  if (parts.length === 0) return null;
  const bar = h(
    'div',
    { class: 'blame-bar', 'aria-hidden': 'true' },
    ...parts.map(([name, share]) => {
      const part = h('i', BLAME[name]?.[1] ?? 'b-own');
      place(part, { 'flex-grow': String(share) });
      return part;
    }),
  );
  return h(
    'div',
    'blame',
    bar,
    h(
      'ul',
      null,
      ...parts.map(([name, share]) =>
        h(
          'li',
          null,
          h('i', { class: `swatch ${BLAME[name]?.[1] ?? 'b-own'}`, 'aria-hidden': 'true' }),
          h('b', null, percent(share)),
          ` ${BLAME[name]?.[0] ?? name}`,
        ),
      ),
    ),
  );
}
