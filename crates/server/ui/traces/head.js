// The heads of the columns; a click on some of them sorts by it.

import { h } from '../dom.js';
import { ask } from '../router.js';
import { COLUMNS } from './row.js';

/** @param {{sort: string, order: string}} query */
export function columnHeads({ sort, order }) {
  const falls = order === 'desc';
  return COLUMNS.map(({ label, sorts, end }) => {
    const here = sorts !== null && sorts === sort;
    const words =
      sorts === null
        ? label
        : h(
            'button',
            {
              class: 'sorter',
              type: 'button',
              onclick: () => ask({ sort: sorts === 'start' ? null : sorts, order: here && falls ? 'asc' : null }),
            },
            label,
            here ? (falls ? ' ↓' : ' ↑') : '',
          );
    const direction = here ? (falls ? 'descending' : 'ascending') : null;
    return h('div', { role: 'columnheader', class: end ? 'num' : null, 'aria-sort': direction }, words);
  });
}
