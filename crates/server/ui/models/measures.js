// What is measured of model calls: one chart each, all over the same time.

import { count, duration, money, percent } from '../format.js';

/** @typedef {import('../types.js').ModelRow} ModelRow */
/** @typedef {import('../types.js').StatPoint} StatPoint */
/** @typedef {'bars'|'lines'} Shape */

/** @type {{title: string, shape: Shape, format: (value: number|null) => string, of: ((point: StatPoint) => number|null)[]}[]} */
export const MEASURES = [
  { title: 'Calls', shape: 'bars', format: count, of: [({ count: calls }) => calls] },
  { title: 'Errors', shape: 'bars', format: count, of: [({ errors }) => errors] },
  { title: 'Latency p50, p95', shape: 'lines', format: duration, of: [({ p50_us }) => p50_us, ({ p95_us }) => p95_us] },
  {
    title: 'Tokens',
    shape: 'bars',
    format: count,
    of: [({ tokens }) => tokens?.total ?? null],
  },
  {
    title: 'Cost',
    shape: 'bars',
    format: money,
    of: [({ cost_usd }) => (cost_usd === null ? null : Number(cost_usd))],
  },
];

/**
 * What stands in the heads of the charts: the whole time in a word, for each measure.
 * @param {ModelRow[]} models
 * @param {StatPoint[]} whole The whole time as one point.
 * @returns {string[]}
 */
export function sumsOf(models, whole) {
  const add = (/** @type {(row: ModelRow) => number} */ of) => models.reduce((sum, row) => sum + of(row), 0);
  const calls = add((row) => row.calls);
  const errors = add((row) => row.errors);
  return [
    count(calls),
    errors > 0 ? `${count(errors)} · ${percent(errors / calls)}` : '0',
    whole.length > 0 ? `${duration(whole[0].p50_us)} · ${duration(whole[0].p95_us)}` : '',
    count(add((row) => row.tokens?.total ?? 0)),
    money(add((row) => Number(row.cost_usd ?? 0))),
  ];
}

/**
 * The values of one measure, bucket by bucket.
 * @param {import('../types.js').Stats} stats
 * @param {number[]} at Where the buckets begin.
 * @param {number} bucketUs
 * @param {(point: StatPoint) => number|null} pick
 * @param {Shape} shape
 */
export function seriesOf(stats, at, bucketUs, pick, shape) {
  const values = at.map(() => /** @type {number|null} */ (shape === 'bars' ? 0 : null));
  for (const point of stats.groups[0]?.points ?? []) {
    const index = Math.floor((point.at_us - at[0]) / bucketUs);
    if (index >= 0 && index < values.length) values[index] = pick(point);
  }
  return values;
}
