// Traces: one row a trace, running ones on top, filtered, sorted and kept up to date.

import { copy, say } from '../copy.js';
import { fill, h, one } from '../dom.js';
import { facets } from './facets.js';
import { filterBar } from '../filter/bar.js';
import { firstTrace } from '../first_trace.js';
import { nowUs, count, money } from '../format.js';
import { ask, asked, comparePath, go, partOf, term, tracePath } from '../router.js';
import { columnHeads } from './head.js';
import { beat, traceRow } from './row.js';
import { TraceList, nameOf } from './source.js';
import { VirtualList } from '../virtual_list.js';

const CHOOSE = 'choose a row with j and k first';

const narrow = matchMedia('(max-width: 760px)');

/**
 * @param {HTMLElement} main
 * @param {URL} url
 * @returns {import('../router.js').Page}
 */
export function tracesPage(main, url) {
  const session = url.pathname.startsWith('/session/') ? partOf(url.pathname, 2) : null;
  const source = new TraceList({ changed: drawRows, updated: schedule, fault: (error) => bar.fault(error) });
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
  main.classList.toggle('in-session', session !== null);
  fill(main, title, bar.element, h('div', 'split', side, table));

  const list = new VirtualList(rows, {
    get height() {
      return narrow.matches ? 60 : 32;
    },
    key: (index) => source.items[index].trace_id,
    stamp: (index) => `${source.items[index].updated_seq} ${source.items[index].state}`,
    make: (index) => traceRow(source.items[index], nowUs()),
    dress: (element, index) => {
      element.setAttribute('aria-selected', String(index === chosen));
      beat(element, source.items[index], nowUs(), longest);
    },
    nearEnd: () => source.more(),
  });

  const queryAsked = () => ({
    q: [session === null ? '' : term('session', session), asked('q')].filter(Boolean).join(' '),
    sort: asked('sort') || 'start',
    order: asked('order') || 'desc',
  });

  function drawRows() {
    const anchor = list.anchor();
    const chosenId = source.items[chosen]?.trace_id;
    source.sort();
    const { items, cursor, cut } = source;
    chosen = chosenId === undefined ? -1 : items.findIndex(({ trace_id }) => trace_id === chosenId);
    longest = source.longest;
    if (anchor) anchor.index = items.findIndex(({ trace_id }) => trace_id === anchor.key);
    list.resize(items.length, anchor);
    one(bar.element, '.tally').textContent =
      `${count(items.length)}${cursor === null && !cut ? '' : '+'} ${items.length === 1 ? 'trace' : 'traces'}`;
    const sum = main.querySelector('.sum');
    if (sum)
      sum.textContent = `${money(items.reduce((total, { cost_usd }) => total + Number(cost_usd ?? 0), 0))} · ${count(items.reduce((total, { tokens }) => total + (tokens?.total ?? 0), 0))} tok`;
    const none = items.length === 0 && !source.loading;
    main.querySelector('.empty')?.remove();
    table.classList.toggle('is-empty', none);
    if (none) table.after(source.query.q === '' ? firstTrace() : nothingMatches());
  }

  let scheduled = 0;
  function schedule() {
    if (!scheduled)
      scheduled = requestAnimationFrame(() => {
        scheduled = 0;
        drawRows();
      });
  }

  function start() {
    const query = queryAsked();
    const back = source.start(query, history.state?.scroll !== undefined);
    chosen = -1;
    fill(head, ...columnHeads(query));
    drawFacets();
    if (back) drawRows();
    rows.scrollTop = back ? history.state.scroll : 0;
    source.follow();
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
    if (!source.items[index]) return;
    remember();
    go(tracePath(source.items[index].trace_id));
  }
  function remember() {
    source.keep();
    history.replaceState({ ...history.state, scroll: rows.scrollTop }, '');
  }
  /** @param {number} by */
  function move(by) {
    if (source.items.length === 0) return;
    chosen = Math.min(source.items.length - 1, Math.max(0, chosen + by));
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
  start();

  return {
    leave() {
      clearInterval(tick);
      source.stop();
      list.destroy();
    },
    revisit() {
      bar.set(asked('q'));
      if (nameOf(source.query) === nameOf(queryAsked())) drawFacets();
      else start();
    },
    keys: {
      j: () => move(1),
      k: () => move(-1),
      enter: () => open(chosen),
      f: toggleFacets,
      y: () => copy(location.href, 'link'),
      x: () => {
        if (source.items[chosen]) go(comparePath(source.items[chosen].trace_id));
        else say(CHOOSE);
      },
      e: () => {
        if (source.items[chosen]) window.open(`/api/v1/traces/${source.items[chosen].trace_id}`, '_blank', 'noopener');
        else say(CHOOSE);
      },
    },
  };
}

function nothingMatches() {
  return h(
    'div',
    'empty',
    h('h1', null, 'Nothing matches'),
    h('p', null, 'No trace matches this filter. ', h('a', { href: location.pathname }, 'Show all')),
    h('p', 'none', 'Words are found as a whole; ', h('code', null, 'lat*'), ' finds latte.'),
  );
}
