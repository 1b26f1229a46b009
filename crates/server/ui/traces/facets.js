// The values that there are, with their counts, beside the list: a click adds or takes away a term of the filter.

import { get } from '../api.js';
import { fill, h } from '../dom.js';
import { count } from '../format.js';
import { term } from '../router.js';

const KEYS = ['model', 'name', 'environment', 'service', 'user', 'session', 'tag'];
const STATES = ['running', 'done', 'error', 'abandoned'];
const MOST = 8;

/**
 * @param {HTMLElement} side
 * @param {string} q
 * @param {(q: string) => void} choose
 */
export function facets(side, q, choose) {
  const groups = KEYS.map((key) => h('section', { class: 'facet', hidden: true, 'data-key': key }));
  fill(
    side,
    group(
      'status',
      STATES.map((value) => ({ value, count: null })),
      q,
      choose,
    ),
    ...groups,
  );
  KEYS.forEach(async (key, index) => {
    /** @type {{items: {value: string, count: number}[]}} */
    const { items } = await get('/facets', { key }).catch(() => ({ items: [] }));
    if (items.length === 0) return;
    groups[index].replaceWith(group(key, items.slice(0, MOST), q, choose));
  });
}

/**
 * @param {string} key
 * @param {{value: string, count: number|null}[]} values
 * @param {string} q
 * @param {(q: string) => void} choose
 */
function group(key, values, q, choose) {
  return h(
    'section',
    'facet',
    h('h2', null, key),
    ...values.map(({ value, count: times }) => {
      const text = term(key, value);
      const on = ` ${q} `.includes(` ${text} `);
      const next = on ? ` ${q} `.replace(` ${text} `, ' ').trim() : `${q} ${text}`.trim();
      return h(
        'button',
        { type: 'button', 'aria-pressed': String(on), title: text, onclick: () => choose(next) },
        h('span', 'value', value),
        times !== null && h('span', 'num', count(times)),
      );
    }),
  );
}
