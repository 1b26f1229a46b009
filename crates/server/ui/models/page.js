// Models: calls, errors, latency, tokens and cost over the same time axis, and a table whose rows can be chosen.

import { get } from '../api.js';
import { Chart } from './chart.js';
import { modelTable } from './table.js';
import { copy } from '../copy.js';
import { fill, h } from '../dom.js';
import { firstTrace } from '../first_trace.js';
import { count, duration, moment, money, nowUs, percent } from '../format.js';
import { ask, asked, go, term, tracesPath } from '../router.js';

/** @typedef {import('../types.js').ModelRow} ModelRow */
/** @typedef {import('../types.js').StatPoint} StatPoint */

/** @type {Record<string, [number, number]>} Length and bucket in seconds. */
const RANGES = {
  '15m': [900, 15],
  '1h': [3600, 60],
  '24h': [86_400, 1200],
  '7d': [604_800, 7200],
  '30d': [2_592_000, 43_200],
};
const EVERY_MS = 5000;

/** @type {{title: string, shape: 'bars'|'lines', format: (value: number|null) => string, of: ((point: StatPoint) => number|null)[]}[]} */
const MEASURES = [
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
 * @param {HTMLElement} main
 * @returns {import('../router.js').Page}
 */
export function modelsPage(main) {
  let asking = new AbortController();
  /** @type {ModelRow[]} */
  let models = [];
  /** @type {number[]} */
  let at = [];
  let bucketUs = 1;
  let usual = '1h';

  const ranges = h('div', { class: 'choice', role: 'group', 'aria-label': 'Time' });
  const tell = (/** @type {number|null} */ index) => {
    charts.forEach((chart) => chart.point(index));
    when.textContent = index === null || at[index] === undefined ? '' : new Date(at[index] / 1000).toLocaleString();
  };
  const when = h('span', 'tally');
  const charts = MEASURES.map(({ title, format }) => new Chart(title, format, tell, openBucket));
  const table = h('div', 'model-table');
  const fault = h('p', { class: 'fault', role: 'alert', hidden: true });
  main.classList.add('page-scroll');
  fill(
    main,
    h('div', 'filter-bar', h('h1', 'page-title', 'Models'), ranges, when, fault),
    h('div', 'charts', ...charts.map(({ element }) => element)),
    h('div', { class: 'chart-axis', 'aria-hidden': 'true' }),
    table,
  );

  const axis = /** @type {HTMLElement} */ (main.querySelector('.chart-axis'));
  const range = () => (Object.hasOwn(RANGES, asked('range')) ? asked('range') : usual);
  const chosen = () => asked('model');

  async function load() {
    const { signal } = asking;
    const [length, bucket] = RANGES[range()];
    bucketUs = bucket * 1e6;
    const to = Math.ceil(nowUs() / bucketUs) * bucketUs;
    const from = to - length * 1e6;
    const span = { from_us: from, to_us: to };
    try {
      const [rows, total, single] = await Promise.all([
        get('/models', span, signal),
        get('/stats', { ...span, bucket_us: bucketUs, group: 'calls' }, signal),
        chosen()
          ? get('/stats', { ...span, bucket_us: bucketUs, group: 'calls', q: term('model', chosen()) }, signal)
          : null,
      ]);
      models = /** @type {{items: ModelRow[]}} */ (rows).items;
      at = Array.from({ length: Math.round((to - from) / bucketUs) }, (_, index) => from + index * bucketUs);
      draw(
        /** @type {import('../types.js').Stats} */ (total),
        /** @type {import('../types.js').Stats|null} */ (single),
      );
      fault.hidden = true;
    } catch (error) {
      if (signal.aborted) return;
      fault.hidden = false;
      fault.textContent = /** @type {Error} */ (error).message;
    }
  }

  /**
   * @param {import('../types.js').Stats} total
   * @param {import('../types.js').Stats|null} single
   */
  function draw(total, single) {
    const sums = models.filter(({ model }) => !chosen() || model === chosen());
    const add = (/** @type {(row: ModelRow) => number} */ of) => sums.reduce((sum, row) => sum + of(row), 0);
    const calls = add((row) => row.calls);
    const texts = [
      count(calls),
      add((row) => row.errors) > 0
        ? `${count(add((row) => row.errors))} · ${percent(add((row) => row.errors) / calls)}`
        : '0',
      sums.length === 1 ? `${duration(sums[0].p50_us)} · ${duration(sums[0].p95_us)}` : '',
      count(add((row) => row.tokens?.total ?? 0)),
      money(add((row) => Number(row.cost_usd ?? 0))),
    ];
    charts.forEach((chart, index) => {
      const { of, shape } = MEASURES[index];
      chart.set(
        {
          at,
          shape,
          lines: of.map((pick) => series(total, pick, shape)),
          chosen: single ? series(single, of[0], shape) : null,
        },
        texts[index],
      );
    });
    fill(axis, ...MEASURES.map(() => h('div', null, h('span', null, `${range()} ago`), h('span', null, 'now'))));
    drawTable();
  }

  /**
   * @param {import('../types.js').Stats} stats
   * @param {(point: StatPoint) => number|null} pick
   * @param {'bars'|'lines'} shape
   */
  function series(stats, pick, shape) {
    const values = at.map(() => /** @type {number|null} */ (shape === 'bars' ? 0 : null));
    for (const point of stats.groups[0]?.points ?? []) {
      const index = Math.floor((point.at_us - at[0]) / bucketUs);
      if (index >= 0 && index < values.length) values[index] = pick(point);
    }
    return values;
  }

  function drawTable() {
    fill(
      ranges,
      ...Object.keys(RANGES).map((name) =>
        h(
          'button',
          {
            class: 'button',
            type: 'button',
            'aria-pressed': String(name === range()),
            onclick: () => ask({ range: name }),
          },
          name,
        ),
      ),
    );
    if (models.length > 0) main.classList.remove('is-empty');
    if (models.length === 0) {
      fill(
        table,
        chosen() || range() === '30d'
          ? h('div', 'empty', h('h1', null, 'No model calls in this time'))
          : h(
              'div',
              'empty',
              h('h1', null, 'No model calls in this time'),
              h('p', null, 'Choose a longer one above, or send some:'),
            ),
      );
      get('/traces', { limit: 1 })
        .then((page) => {
          if (/** @type {{items: unknown[]}} */ (page).items.length > 0) return;
          main.classList.add('is-empty');
          fill(table, firstTrace());
        })
        .catch(() => {
          /* The words above stay. */
        });
      return;
    }
    fill(table, modelTable(models, range(), chosen()));
  }

  /** @param {number} index */
  function openBucket(index) {
    const model = chosen() ? `${term('model', chosen())} ` : '';
    go(tracesPath(`${model}start:${moment(at[index])}..${moment(at[index] + bucketUs)}`));
  }

  const timer = setInterval(() => {
    if (!document.hidden && !main.querySelector('.plot:hover')) load();
  }, EVERY_MS);
  usualRange(asking.signal).then((name) => {
    usual = name;
    load();
  });
  return {
    leave() {
      asking.abort();
      clearInterval(timer);
    },
    revisit() {
      asking.abort();
      asking = new AbortController();
      load();
    },
    keys: {
      j: () => step(1),
      k: () => step(-1),
      esc: () => ask({ model: null }),
      y: () => copy(location.href, 'link'),
      enter: () => {
        if (chosen()) go(tracesPath(`${term('model', chosen())} start:>-${range()}`));
      },
    },
  };

  /** @param {number} by */
  function step(by) {
    const names = [...table.querySelectorAll('.pick')].map((button) => button.textContent ?? '');
    if (names.length > 0)
      ask({ model: names[Math.min(names.length - 1, Math.max(0, names.indexOf(chosen()) + by))] }, { replace: true });
  }
}

/**
 * The shortest time that shows all there is, up to a day.
 * @param {AbortSignal} signal
 */
async function usualRange(signal) {
  try {
    /** @type {{store: {oldest_us: number|null}}} */
    const { store } = await get('/health', {}, signal);
    const age = (nowUs() - (store.oldest_us ?? 0)) / 1e6;
    return Object.keys(RANGES).find((name) => RANGES[name][0] >= age || name === '24h') ?? '24h';
  } catch {
    return '1h';
  }
}
