// Sessions and users: who used the program, how often, and what it cost.

import { get } from '../api.js';
import { copy } from '../copy.js';
import { fill, h } from '../dom.js';
import { filterBar } from '../filter/bar.js';
import { firstTrace } from '../first_trace.js';
import { ago, nowUs } from '../format.js';
import { ask, asked, go, term, tracesPath } from '../router.js';
import { VirtualList } from '../virtual_list.js';
import { idOf, sessionRow } from './row.js';

/** @typedef {import('../types.js').SessionRow} SessionRow */

const EVERY_MS = 5000;

/**
 * @param {HTMLElement} main
 * @returns {import('../router.js').Page}
 */
export function sessionsPage(main) {
  /** @type {SessionRow[]} */
  let items = [];
  /** @type {string|null} */
  let cursor = null;
  let chosen = -1;
  let asking = new AbortController();

  const byUser = () => asked('by') === 'user';
  const bar = filterBar({
    value: asked('q'),
    label: 'Filter sessions',
    apply: (q, typing) => ask({ q }, { replace: typing }),
    end: [h('div', { class: 'choice', role: 'group', 'aria-label': 'Group by' })],
  });
  const head = h('div', { class: 'list-head session-grid', role: 'row' });
  const rows = h('div', { class: 'rows', role: 'rowgroup', tabindex: '0', 'aria-label': 'Sessions' });
  const table = h('div', { class: 'list', role: 'grid', 'aria-label': 'Sessions', 'aria-rowcount': '-1' }, head, rows);
  main.classList.add('page-list');
  fill(main, h('h1', 'unseen', 'Sessions'), bar.element, h('div', 'split', table));

  const list = new VirtualList(rows, {
    height: 32,
    key: (index) => idOf(items[index]),
    stamp: (index) =>
      `${items[index].traces} ${items[index].last_us} ${items[index].cost_usd} ${items[index].errors} ${ago(items[index].last_us, nowUs())}`,
    make: (index) => sessionRow(items[index], byUser()),
    dress: (element, index) => element.setAttribute('aria-selected', String(index === chosen)),
    nearEnd: () => {
      if (cursor !== null) load(cursor);
    },
  });

  function drawHead() {
    const choice = bar.element.querySelector('.choice');
    if (choice)
      fill(
        choice,
        ...[
          ['Sessions', null],
          ['Users', 'user'],
        ].map(([label, by]) =>
          h(
            'button',
            {
              class: 'button',
              type: 'button',
              'aria-pressed': String((by === 'user') === byUser()),
              onclick: () => ask({ by }),
            },
            label,
          ),
        ),
      );
    fill(
      head,
      ...[
        byUser() ? 'User' : 'Session',
        'Traces',
        'Failed',
        'Tokens',
        'Cost',
        'First seen',
        'Last seen',
        byUser() ? '' : 'Users',
      ].map((label, at) => h('div', { role: 'columnheader', class: at > 0 && at < 7 ? 'num' : null }, label)),
    );
  }

  /** @param {string|null} after */
  async function load(after) {
    const { signal } = asking;
    cursor = null;
    try {
      /** @type {import('../types.js').Page<SessionRow>} */
      const page = await get(byUser() ? '/users' : '/sessions', { q: asked('q'), limit: 200, cursor: after }, signal);
      const fresh = new Set(page.items.map(idOf));
      items = after === null ? page.items : [...items.filter((item) => !fresh.has(idOf(item))), ...page.items];
      cursor = page.next_cursor;
      bar.fault(null);
    } catch (error) {
      if (!signal.aborted) bar.fault(/** @type {Error} */ (error));
      return;
    }
    list.resize(items.length);
    main.querySelector('.empty')?.remove();
    table.classList.toggle('is-empty', items.length === 0);
    if (items.length === 0) table.after(await emptiness(byUser(), asked('q')));
  }

  /** @param {number} index */
  function open(index) {
    const item = items[index];
    if (item) go(byUser() ? tracesPath(term('user', idOf(item))) : `/session/${encodeURIComponent(idOf(item))}`);
  }
  /** @param {number} by */
  function move(by) {
    chosen = Math.min(items.length - 1, Math.max(0, chosen + by));
    list.show(chosen);
  }
  rows.addEventListener('click', (event) => {
    if (!(event.target instanceof Element && event.target.closest('a'))) open(list.indexOf(event));
  });

  const timer = setInterval(() => {
    if (!document.hidden && rows.scrollTop === 0) load(null);
  }, EVERY_MS);
  drawHead();
  load(null);
  return {
    leave() {
      asking.abort();
      clearInterval(timer);
      list.destroy();
    },
    revisit() {
      asking.abort();
      asking = new AbortController();
      chosen = -1;
      bar.set(asked('q'));
      drawHead();
      load(null);
    },
    keys: { j: () => move(1), k: () => move(-1), enter: () => open(chosen), y: () => copy(location.href, 'link') },
  };
}

/**
 * @param {boolean} byUser
 * @param {string} q
 */
async function emptiness(byUser, q) {
  if (q !== '') return h('div', 'empty', h('h1', null, 'Nothing matches'));
  const any = await get('/traces', { limit: 1 })
    .then((page) => /** @type {{items: unknown[]}} */ (page).items.length > 0)
    .catch(() => false);
  if (!any) return firstTrace();
  const key = byUser ? 'user' : 'session';
  return h(
    'div',
    'empty',
    h('h1', null, `No trace names a ${key}`),
    h(
      'p',
      null,
      `Give it one: `,
      h('code', null, `glassbox::scope().${key}("..")`),
      ` in Glassbox, or the attribute `,
      h('code', null, `${key}.id`),
      ` in OpenTelemetry.`,
    ),
  );
}
