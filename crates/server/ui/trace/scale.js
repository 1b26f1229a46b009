// The time axis of a trace. While the trace runs it grows in steps, so that bars do not creep; at the end it fits exactly.

import { duration } from '../format.js';

/** @typedef {{from: number, to: number}} Scale In microseconds since the epoch. */

/**
 * @param {Iterable<import('../types.js').SpanSummary>} spans
 * @param {boolean} running
 * @param {number} now
 * @param {Scale|null} before
 * @returns {Scale}
 */
export function scaleOf(spans, running, now, before) {
  let from = Infinity;
  let to = -Infinity;
  for (const { start_us, end_us } of spans) {
    if (start_us < from) from = start_us;
    if ((end_us ?? start_us) > to) to = end_us ?? start_us;
  }
  if (from === Infinity) return { from: now, to: now + 1e6 };
  if (!running) return { from, to: Math.max(to, from + 1) };
  const reach = Math.max(to, now) - from;
  let room = before && before.from === from ? before.to - before.from : 2e6;
  while (room < reach * 1.02) room *= 1.5;
  return { from, to: from + room };
}

/**
 * Round moments for the head of the waterfall.
 * @param {Scale} scale
 * @param {number} most
 * @returns {{share: number, label: string}[]}
 */
export function ticks({ from, to }, most) {
  const span = to - from;
  const rough = span / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? power * 10;
  const found = [];
  for (let at = 0; at <= span * 1.0001; at += step) found.push({ share: at / span, label: at === 0 ? '0' : duration(at).replace(/\.0+(?=\s)/, '').replace(/(\.\d)0(?=\s)/, '$1') });
  return found;
}

/**
 * Where a moment is on the axis, from 0 to 1.
 * @param {Scale} scale
 * @param {number} us
 */
export function share({ from, to }, us) {
  return Math.min(1, Math.max(0, (us - from) / (to - from)));
}
