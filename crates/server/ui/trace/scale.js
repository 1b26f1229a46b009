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
  let open = false;
  for (const { start_us, end_us, state } of spans) {
    if (start_us < from) from = start_us;
    if ((end_us ?? start_us) > to) to = end_us ?? start_us;
    open ||= end_us === null && state === 'abandoned';
  }
  // Nobody told when those ended: there is room for them to fade out.
  if (open) to += Math.max(1000, (to - from) * 0.3);
  if (from === Infinity) return { from: now, to: now + 1e6 };
  if (!running) return { from, to: Math.max(to, from + 1) };
  const reach = Math.max(to, now) - from;
  let room = before && before.from === from ? before.to - before.from : 2e6;
  while (room < reach * 1.02) room *= 1.5;
  return { from, to: from + room };
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400].map(
  (seconds) => seconds * 1e6,
);

/**
 * Round moments for the head of the waterfall.
 * @param {Scale} scale
 * @param {number} most
 * @param {number} origin The start of the trace, which the labels count from.
 * @returns {{share: number, label: string}[]}
 */
export function ticks({ from, to }, most, origin) {
  const step = stepOf((to - from) / Math.max(1, most));
  const found = [];
  for (
    let at = Math.max(0, Math.ceil((from - origin) / step)) * step;
    at <= to - origin && found.length < 100;
    at += step
  ) {
    found.push({ share: (at + origin - from) / (to - from), label: label(at) });
  }
  return found;
}

/**
 * The round step that is at least so long: by tens below a second, by the clock above.
 * @param {number} rough
 */
function stepOf(rough) {
  if (rough > 1e6) return STEPS.find((step) => step >= rough) ?? Math.ceil(rough / 86_400e6) * 86_400e6;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? power * 10;
}

/** @param {number} at */
function label(at) {
  return at === 0
    ? '0'
    : duration(at)
        .replace(/\.0+(?=\s)/, '')
        .replace(/(\.\d)0(?=\s)/, '$1');
}

/**
 * Where a moment is on the axis: from 0 to 1, and beyond when the view is narrower than the trace.
 * @param {Scale} scale
 * @param {number} us
 */
export function share({ from, to }, us) {
  return (us - from) / (to - from);
}

/**
 * The time of a span with a little room at both ends.
 * @param {import('../types.js').SpanSummary} span
 * @param {number} now
 * @returns {Scale}
 */
export function around({ start_us, end_us }, now) {
  const room = Math.max(10, ((end_us ?? now) - start_us) * 0.04);
  return { from: start_us - room, to: (end_us ?? now) + room };
}
