// Models: calls, errors, latency, tokens and cost over the same time axis, and a table whose rows can be chosen.

import { get } from '../api.js';
import { Chart } from './chart.js';
import { MEASURES, seriesOf, sumsOf } from './measures.js';
import { LONGEST, bucketsOf, rangeAsked, rangeButtons, spanOf, usualRange } from './range.js';
import { modelTable } from './table.js';
import { copy } from '../copy.js';
import { fill, h } from '../dom.js';
import { firstTrace } from '../first_trace.js';
import { moment } from '../format.js';
import { ask, asked, go, term, tracesPath } from '../router.js';

/** @typedef {import('../types.js').ModelRow} ModelRow */
/** @typedef {import('../types.js').Stats} Stats */

const EVERY_MS = 5000;

/**
 * @param {HTMLElement} main
 * @returns {import('../router.js').Page}
 */
export function modelsPage(main) {
  let asking = new AbortController();
  /** @type {ModelRow[]} */
  let models = [];
  /** Where the buckets begin. @type {number[]} */
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
  const axis = h('div', { class: 'chart-axis', 'aria-hidden': 'true' });
  main.classList.add('page-scroll');
  fill(
    main,
    h('div', 'filter-bar', h('h1', 'page-title', 'Models'), ranges, when, fault),
    h('div', 'charts', ...charts.map(({ element }) => element)),
    axis,
    table,
  );

  const range = () => rangeAsked(usual);
  const chosen = () => asked('model');

  async function load() {
    const { signal } = asking;
    const span = spanOf(range());
    const { from_us, to_us } = span;
    try {
      const q = chosen() ? term('model', chosen()) : null;
      const [rows, total, single, whole] = await Promise.all([
        get('/models', { from_us, to_us }, signal),
        get('/stats', { ...span, group: 'calls' }, signal),
        q === null ? null : get('/stats', { ...span, group: 'calls', q }, signal),
        get('/stats', { from_us, to_us, bucket_us: to_us + 1, group: 'calls', q }, signal),
      ]);
      models = /** @type {{items: ModelRow[]}} */ (rows).items;
      bucketUs = span.bucket_us;
      at = bucketsOf(span);
      drawCharts(/** @type {Stats} */ (total), /** @type {Stats|null} */ (single), /** @type {Stats} */ (whole));
      drawTable();
      fault.hidden = true;
    } catch (error) {
      if (signal.aborted) return;
      fault.hidden = false;
      fault.textContent = /** @type {Error} */ (error).message;
    }
  }

  /**
   * @param {Stats} total
   * @param {Stats|null} single
   * @param {Stats} whole The whole time as one bucket, since percentiles do not add up.
   */
  function drawCharts(total, single, whole) {
    const sums = sumsOf(
      models.filter(({ model }) => !chosen() || model === chosen()),
      whole.groups[0]?.points ?? [],
    );
    charts.forEach((chart, index) => {
      const { of, shape } = MEASURES[index];
      const lines = of.map((pick) => seriesOf(total, at, bucketUs, pick, shape));
      chart.set(
        { at, shape, lines, chosen: single ? seriesOf(single, at, bucketUs, of[0], shape) : null },
        sums[index],
      );
    });
    fill(axis, ...MEASURES.map(() => h('div', null, h('span', null, `${range()} ago`), h('span', null, 'now'))));
  }

  function drawTable() {
    fill(ranges, ...rangeButtons(range()));
    if (models.length > 0) {
      main.classList.remove('is-empty');
      fill(table, modelTable(models, range(), chosen()));
      return;
    }
    const hint = chosen() || range() === LONGEST ? '' : 'Choose a longer one above, or send some:';
    fill(table, h('div', 'empty', h('h1', null, 'No model calls in this time'), hint && h('p', null, hint)));
    get('/traces', { limit: 1 })
      .then((page) => {
        if (/** @type {{items: unknown[]}} */ (page).items.length > 0) return;
        main.classList.add('is-empty');
        fill(table, firstTrace());
      })
      .catch(() => {
        /* The words above stay. */
      });
  }

  /** @param {number} index */
  function openBucket(index) {
    const model = chosen() ? `${term('model', chosen())} ` : '';
    go(tracesPath(`${model}start:${moment(at[index])}..${moment(at[index] + bucketUs)}`));
  }

  /** @param {number} by */
  function step(by) {
    const names = [...table.querySelectorAll('.pick')].map((button) => button.textContent ?? '');
    if (names.length > 0)
      ask({ model: names[Math.min(names.length - 1, Math.max(0, names.indexOf(chosen()) + by))] }, { replace: true });
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
}
