// One session, or one user, as a row of the list.

import { h } from '../dom.js';
import { ago, count, grouped, moment, money, nowUs } from '../format.js';
import { term, tracesPath } from '../router.js';

/** @typedef {import('../types.js').SessionRow} SessionRow */

/** @param {SessionRow} item */
export function idOf(item) {
  return item.session_id ?? item.user_id ?? '';
}

/**
 * @param {SessionRow} item
 * @param {boolean} byUser
 */
export function sessionRow(item, byUser) {
  const id = idOf(item);
  const path = byUser ? tracesPath(term('user', id)) : `/session/${encodeURIComponent(id)}`;
  const cell = (/** @type {string} */ name, /** @type {import('../dom.js').Child[]} */ ...children) =>
    h('div', { class: name, role: 'gridcell' }, ...children);
  return h(
    'div',
    { class: 'row session-grid', role: 'row' },
    cell('c-id', h('a', { class: 'name', href: path, title: id }, id)),
    cell('num', count(item.traces)),
    cell(item.errors > 0 ? 'num bad' : 'num none', item.errors > 0 ? count(item.errors) : '–'),
    cell(
      'num',
      h('span', { title: item.tokens?.total ? grouped(item.tokens.total) : null }, count(item.tokens?.total)),
    ),
    cell('num', h('span', { title: item.cost_usd === null ? null : `$${item.cost_usd}` }, money(item.cost_usd))),
    cell('num', h('time', { title: moment(item.first_us) }, ago(item.first_us, nowUs()))),
    cell('num', h('time', { title: moment(item.last_us) }, ago(item.last_us, nowUs()))),
    cell(
      'c-users',
      ...(item.users ?? [])
        .slice(0, 4)
        .map((user) => h('a', { class: 'badge', href: tracesPath(term('user', user)) }, user)),
    ),
  );
}
