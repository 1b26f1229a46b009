// The time that the charts show: how long it is, into how many parts it is cut, and the buttons that choose it.

import { get } from '../api.js';
import { h } from '../dom.js';
import { nowUs } from '../format.js';
import { ask, asked } from '../router.js';

/** @type {Record<string, [number, number]>} Length and bucket in seconds. */
const RANGES = {
  '15m': [900, 15],
  '1h': [3600, 60],
  '6h': [21_600, 300],
  '24h': [86_400, 1200],
  '7d': [604_800, 7200],
  '30d': [2_592_000, 43_200],
};
export const LONGEST = '30d';

/** @typedef {{from_us: number, to_us: number, bucket_us: number}} Span */

/**
 * The range that the address names.
 * @param {string} usual If it names none.
 */
export function rangeAsked(usual) {
  return Object.hasOwn(RANGES, asked('range')) ? asked('range') : usual;
}

/**
 * A range that ends now, in whole buckets.
 * @param {string} range
 * @returns {Span}
 */
export function spanOf(range) {
  const [length, bucket] = RANGES[range];
  const bucket_us = bucket * 1e6;
  const to_us = Math.ceil(nowUs() / bucket_us) * bucket_us;
  return { from_us: to_us - length * 1e6, to_us, bucket_us };
}

/**
 * The beginnings of the buckets.
 * @param {Span} span
 */
export function bucketsOf({ from_us, to_us, bucket_us }) {
  return Array.from({ length: Math.round((to_us - from_us) / bucket_us) }, (_, index) => from_us + index * bucket_us);
}

/** @param {string} chosen */
export function rangeButtons(chosen) {
  return Object.keys(RANGES).map((name) =>
    h(
      'button',
      {
        class: 'button',
        type: 'button',
        'aria-pressed': String(name === chosen),
        onclick: () => ask({ range: name }),
      },
      name,
    ),
  );
}

/**
 * The shortest range that shows all there is, up to a day.
 * @param {AbortSignal} signal
 */
export async function usualRange(signal) {
  try {
    /** @type {{store: {oldest_us: number|null}}} */
    const { store } = await get('/health', {}, signal);
    const age = (nowUs() - (store.oldest_us ?? 0)) / 1e6;
    return Object.keys(RANGES).find((name) => RANGES[name][0] >= age || name === '24h') ?? '24h';
  } catch {
    return '1h';
  }
}
