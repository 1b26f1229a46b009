// Traces: one row a trace, running ones on top, filtered, sorted and kept up to date.

import { get } from '../api.js';
import { copy, say } from '../copy.js';
import { fill, h, one } from '../dom.js';
import { facets } from './facets.js';
import { filterBar } from '../filter/bar.js';
import { firstTrace } from '../first_trace.js';
import { nowUs, count, money } from '../format.js';
import { follow } from '../live.js';
import { ask, asked, go, term, tracePath } from '../router.js';
import { COLUMNS, beat, traceRow } from './row.js';
import { VirtualList } from '../virtual_list.js';

/** @typedef {import('../types.js').TraceSummary} TraceSummary */

const narrow = matchMedia('(max-width: 760px)');
/** Lists as they were left, so that going back shows the same at once. @type {Map<string, {items: TraceSummary[], cursor: string|null}>} */
const left = new Map();

/**
 * @param {HTMLElement} main
 * @param {URL} url
 * @returns {import('../router.js').Page}
 */
export function tracesPage(main, url) {
  const session = url.pathname.startsWith('/session/') ? decodeURIComponent(url.pathname.split('/')[2]) : null;
  const gone = new AbortController();
  let query = gone;
  /** @type {TraceSummary[]} */
  let items = [];
  /** @type {string|null} */
  let cursor = null;
  let loading = false;
  let stale = true;
  let chosen = -1;
  let longest = 1;

  const facetsButton = h(
    'button',
    { class: 'button', type: 'button', title: 'facets (f)', onclick: toggleFacets },
    'Facets',
  );
  const bar = filterBar({
    value: asked('q'),
    label: 'Filter traces',
    apply: (q, typing) => ask({ q }, { replace: typing }),
    end: [facetsButton, h('span', { class: 'tally', role: 'status' })],
  });
  const head = h('div', { class: 'list-head trace-grid', role: 'row' });
  const rows = h('div', { class: 'rows', role: 'rowgroup', tabindex: '0', 'aria-label': 'Traces' });
  const table = h('div', { class: 'list', role: 'grid', 'aria-label': 'Traces', 'aria-rowcount': '-1' }, head, rows);
  const side = h('aside', { class: 'facets', hidden: true, 'aria-label': 'Facets' });
  const title =
    session === null
      ? h('h1', 'unseen', 'Traces')
      : h('div', 'page-head', h('a', { href: '/sessions' }, 'Sessions'), h('h1', null, session), h('span', 'sum'));
  main.classList.add('page-list');
  fill(main, title, bar.element, h('div', 'split', side, table));

  const list = new VirtualList(rows, {
    get height() {
      return narrow.matches ? 60 : 32;
    },
    key: (index) => items[index].trace_id,
    stamp: (index) => `${items[index].updated_seq} ${items[index].state}`,
    make: (index) => traceRow(items[index], nowUs()),
    dress: (element, index) => {
      element.setAttribute('aria-selected', String(index === chosen));
      beat(element, items[index], nowUs(), longest);
    },
    nearEnd: () => {
      if (cursor !== null && !stale) load(cursor);
    },
  });

  const q = () => [session === null ? '' : term('session', session), asked('q')].filter(Boolean).join(' ');
  const sort = () => asked('sort') || 'start';
  const order = () => asked('order') || 'desc';
  const name = () => `${q()}\n${sort()}\n${order()}`;

  function drawHead() {
    fill(
      head,
      ...COLUMNS.map(({ label, sorts, end }) => {
        const here = sorts !== null && sorts === sort();
        const direction = here ? (order() === 'desc' ? 'descending' : 'ascending') : null;
        const words =
          sorts === null
            ? label
            : h(
                'button',
                {
                  class: 'sorter',
                  type: 'button',
                  onclick: () =>
                    ask({ sort: sorts === 'start' ? null : sorts, order: here && order() === 'desc' ? 'asc' : null }),
                },
                label,
                here ? (order() === 'desc' ? ' ↓' : ' ↑') : '',
              );
        return h('div', { role: 'columnheader', class: end ? 'num' : null, 'aria-sort': direction }, words);
      }),
    );
  }

  function drawRows() {
    const anchor = list.anchor();
    const chosenId = items[chosen]?.trace_id;
    if (sort() === 'start' && order() === 'desc')
      items.sort((a, b) => Number(b.state === 'running') - Number(a.state === 'running') || b.start_us - a.start_us);
    chosen = chosenId === undefined ? -1 : items.findIndex(({ trace_id }) => trace_id === chosenId);
    // One trace of an hour must not make all other bars vanish: the longest few are cut.
    const lasted = items.map(({ duration_us }) => duration_us ?? 0).sort((a, b) => a - b);
    longest = Math.max(1, lasted[Math.floor((lasted.length - 1) * 0.95)] ?? 1);
    if (anchor) anchor.index = items.findIndex(({ trace_id }) => trace_id === anchor.key);
    list.resize(items.length, anchor);
    one(bar.element, '.tally').textContent =
      `${count(items.length)}${cursor === null ? '' : '+'} ${items.length === 1 ? 'trace' : 'traces'}`;
    const sum = main.querySelector('.sum');
    if (sum)
      sum.textContent = `${money(items.reduce((total, { cost_usd }) => total + Number(cost_usd ?? 0), 0))} · ${count(items.reduce((total, { tokens }) => total + (tokens?.total ?? 0), 0))} tok`;
    const none = items.length === 0 && !loading;
    main.querySelector('.empty')?.remove();
    table.classList.toggle('is-empty', none);
    if (none)
      table.append(
        q() === ''
          ? firstTrace()
          : h(
              'div',
              'empty',
              h('h1', null, 'Nothing matches'),
              h('p', null, 'No trace matches this filter. ', h('a', { href: location.pathname }, 'Show all')),
            ),
      );
  }

  /** @param {string|null} after */
  async function load(after) {
    if (loading) return;
    loading = true;
    const asking = query;
    try {
      /** @type {import('../types.js').Page<TraceSummary>} */
      const page = await get(
        '/traces',
        { q: q(), sort: sort(), order: order(), limit: 100, cursor: after },
        asking.signal,
      );
      if (asking.signal.aborted) return;
      const known = new Set(page.items.map(({ trace_id }) => trace_id));
      items = [...(stale ? [] : items.filter(({ trace_id }) => !known.has(trace_id))), ...page.items];
      if (after !== null || cursor === null || stale) cursor = page.next_cursor;
      stale = false;
      bar.fault(null);
    } catch (error) {
      // What was there stays: an error is not an empty list.
      if (!asking.signal.aborted) bar.fault(/** @type {Error} */ (error));
      return;
    } finally {
      if (asking === query) loading = false;
    }
    if (!asking.signal.aborted) drawRows();
  }

  /** @param {TraceSummary} trace */
  function update(trace) {
    const at = items.findIndex(({ trace_id }) => trace_id === trace.trace_id);
    if (at >= 0) {
      if (items[at].updated_seq > trace.updated_seq) return;
      items[at] = trace;
    } else if (sort() === 'start' && order() === 'desc') items.unshift(trace);
    else return;
    schedule();
  }
  let scheduled = 0;
  const schedule = () => {
    if (!scheduled)
      scheduled = requestAnimationFrame(() => {
        scheduled = 0;
        drawRows();
      });
  };

  function start() {
    query = new AbortController();
    const mine = query;
    const kept = history.state?.scroll === undefined ? undefined : left.get(name());
    // The rows of the filter before stay until the new ones are here: an empty page for a moment would flicker.
    stale = !kept;
    if (kept) ({ items, cursor } = { items: [...kept.items], cursor: kept.cursor });
    loading = false;
    chosen = -1;
    drawHead();
    drawFacets();
    if (kept) drawRows();
    rows.scrollTop = kept ? history.state.scroll : 0;
    load(null);
    follow(
      { q: q() },
      {
        event: (event, data) => {
          if (event === 'trace') update(data);
          if (event === 'missed') load(null);
        },
      },
      mine.signal,
    );
  }

  function drawFacets() {
    side.hidden = asked('facets') !== '1';
    facetsButton.setAttribute('aria-pressed', String(!side.hidden));
    if (!side.hidden) facets(side, asked('q'), (text) => ask({ q: text }));
  }
  function toggleFacets() {
    ask({ facets: asked('facets') === '1' ? null : '1' }, { replace: true });
  }

  /** @param {number} index */
  function open(index) {
    if (!items[index]) return;
    remember();
    go(tracePath(items[index].trace_id));
  }
  function remember() {
    left.set(name(), { items, cursor });
    history.replaceState({ ...history.state, scroll: rows.scrollTop }, '');
  }
  /** @param {number} by */
  function move(by) {
    if (items.length === 0) return;
    chosen = Math.min(items.length - 1, Math.max(0, chosen + by));
    list.show(chosen);
  }

  rows.addEventListener('click', (event) => {
    if (event.target instanceof Element && event.target.closest('a, button') && !event.target.closest('a.name')) {
      remember();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const index = list.indexOf(event);
    if (index >= 0) {
      event.preventDefault();
      open(index);
    }
  });
  const tick = setInterval(() => list.soon(), 250);
  let shown = name();
  start();

  return {
    leave() {
      left.set(name(), { items, cursor });
      clearInterval(tick);
      query.abort();
      gone.abort();
      list.destroy();
    },
    revisit() {
      bar.set(asked('q'));
      if (shown === name()) {
        drawFacets();
        return;
      }
      shown = name();
      query.abort();
      start();
    },
    keys: {
      j: () => move(1),
      k: () => move(-1),
      enter: () => open(chosen),
      f: toggleFacets,
      y: () => copy(location.href, 'link'),
      e: () => {
        if (items[chosen]) window.open(`/api/v1/traces/${items[chosen].trace_id}`, '_blank', 'noopener');
        else say('choose a row with j and k first');
      },
    },
  };
}
