// The table of models: what each did in the chosen time. A click on a name shows it in the charts.

import { h } from '../dom.js';
import { count, duration, grouped, money, percent } from '../format.js';
import { ask, term, tracesPath } from '../router.js';

/** @typedef {import('../types.js').ModelRow} ModelRow */

/**
 * @param {ModelRow[]} models
 * @param {string} range
 * @param {string} chosen The model that the charts show.
 */
export function modelTable(models, range, chosen) {
  const heads = ['Model', 'Calls', 'Errors', 'Retries', 'p50', 'p95', 'p99', 'First words', 'In', 'Out', 'Cost'];
  return h(
    'table',
    'numbers',
    h(
      'thead',
      null,
      h('tr', null, ...heads.map((label, index) => h('th', { class: index > 0 ? 'num' : null, scope: 'col' }, label))),
    ),
    h(
      'tbody',
      null,
      ...[...models]
        .sort((a, b) => Number(b.cost_usd ?? 0) - Number(a.cost_usd ?? 0) || b.calls - a.calls)
        .map((row) => modelRow(row, range, chosen)),
    ),
  );
}

/**
 * @param {ModelRow} row
 * @param {string} range
 * @param {string} chosen
 */
function modelRow(row, range, chosen) {
  const here = row.model === chosen;
  const { model } = row;
  // A call that names no model cannot be asked for by one.
  const link = (/** @type {string} */ text, /** @type {string} */ q) =>
    model === null ? text : h('a', { href: tracesPath(`${term('model', model)} start:>-${range}${q}`) }, text);
  const sent = (row.tokens?.input ?? 0) + (row.tokens?.cache_read ?? 0) + (row.tokens?.cache_write ?? 0);
  const cells = [
    link(count(row.calls), ''),
    row.errors > 0
      ? link(`${count(row.errors)} · ${percent(row.errors / row.calls)}`, ' has:error')
      : h('span', 'none', '–'),
    row.retries > 0 ? link(count(row.retries), ' retries:>0') : h('span', 'none', '–'),
    duration(row.p50_us),
    duration(row.p95_us),
    duration(row.p99_us),
    duration(row.first_chunk_p50_us),
    row.tokens?.total ? h('span', { title: grouped(sent) }, count(sent)) : h('span', 'none', '–'),
    row.tokens?.total ? count((row.tokens.output ?? 0) + (row.tokens.reasoning ?? 0)) : h('span', 'none', '–'),
    h('span', { title: row.cost_usd ? `$${row.cost_usd}` : 'price not known' }, money(row.cost_usd)),
  ];
  return h(
    'tr',
    { 'aria-selected': String(here) },
    h(
      'th',
      { scope: 'row' },
      model === null
        ? h('span', 'none', 'not named')
        : h(
            'button',
            {
              class: 'pick',
              type: 'button',
              'aria-pressed': String(here),
              title: `show ${model} in the charts`,
              onclick: () => ask({ model: here ? null : model }),
            },
            model,
          ),
      row.provider && h('span', 'none', row.provider),
    ),
    ...cells.map((cell) => h('td', 'num', cell)),
  );
}
