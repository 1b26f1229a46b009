// How much something changed, in words: what is noise is pale, and nothing is said to be better or worse by a colour.

import { h } from '../dom.js';
import { percent } from '../format.js';

/** Less than this is the noise of any two runs. */
const NOISE = 0.1;
/** Less than this is nothing. */
const NOTHING = 0.01;

/**
 * @param {number|null} before
 * @param {number|null} after
 * @param {(value: number) => string} format
 */
export function change(before, after, format) {
  if (before === null || after === null || (before === 0 && after === 0)) return h('span', 'none', '–');
  const by = after - before;
  if (by === 0) return h('span', 'none', '=');
  const sign = by > 0 ? '+' : '−';
  const exact = `${sign}${format(Math.abs(by))}`;
  if (before === 0) return h('b', { title: exact }, exact);
  const share = Math.abs(by) / before;
  if (share < NOTHING) return h('span', { class: 'none', title: exact }, '≈');
  const words = share >= 2 ? `×${(after / before).toFixed(1)}` : `${sign}${percent(share)}`;
  return share < NOISE ? h('span', { class: 'none', title: exact }, words) : h('b', { title: exact }, words);
}
