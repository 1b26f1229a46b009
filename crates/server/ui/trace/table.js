// Tree and waterfall in one table, which can never be out of step.

import { fill, h, place } from '../dom.js';
import { VirtualList } from '../virtual_list.js';
import { ticks } from './scale.js';
import { beat, blankRow, explain, fillRow } from './row.js';

/** @typedef {import('./tree.js').Node} Node */
/** @typedef {import('./scale.js').Scale} Scale */

/**
 * @typedef {object} View
 * @property {Node[]} rows
 * @property {Scale} scale
 * @property {number} now
 * @property {number} origin Where the labels of the axis count from.
 * @property {Set<string>} folded
 * @property {Map<string, import('../types.js').Stretch[]>|null} path
 * @property {Set<string>|null} matches
 * @property {string} chosen
 */

export class SpanTable {
  /**
   * @param {(index: number) => void} choose
   * @param {(index: number) => void} fold
   */
  constructor(choose, fold) {
    /** @type {View} */
    this.view = {
      rows: [],
      scale: { from: 0, to: 1 },
      now: 0,
      origin: 0,
      folded: new Set(),
      path: null,
      matches: null,
      chosen: '',
    };
    this.axis = h('div', { class: 'axis', 'aria-hidden': 'true' });
    this.rows = h('div', { class: 'rows', role: 'rowgroup', tabindex: '0', 'aria-label': 'Spans' });
    const head = h(
      'div',
      { class: 'list-head span-grid', role: 'row' },
      h('div', { role: 'columnheader' }, 'Span'),
      h('div', { role: 'columnheader', class: 'c-bar' }, h('span', 'unseen', 'Time'), this.axis),
      ...['Took', 'Tokens', 'Cost'].map((label) => h('div', { role: 'columnheader', class: 'num' }, label)),
    );
    this.element = h(
      'div',
      {
        class: 'list span-list',
        role: 'treegrid',
        tabindex: '0',
        'aria-label': 'Spans of the trace',
        'aria-readonly': 'true',
      },
      head,
      this.rows,
    );
    this.list = new VirtualList(this.rows, {
      height: 24,
      key: (index) => this.view.rows[index].span.span_id,
      stamp: (index) => this.stamp(index),
      make: (index, spare) => this.make(index, spare),
      dress: (element, index) => this.dress(element, index),
    });
    this.rows.addEventListener('click', (event) => {
      const index = this.list.indexOf(event);
      if (index < 0) return;
      if (event.target instanceof Element && event.target.closest('button.fold')) fold(index);
      else choose(index);
    });
    this.rows.addEventListener('pointerover', (event) => {
      const index = this.list.indexOf(event);
      const row = event.target instanceof Element ? event.target.closest('.row') : null;
      if (this.view.rows[index] && row instanceof HTMLElement) explain(row, this.view.rows[index], this.view.now);
    });
    this.rows.addEventListener('dblclick', (event) => {
      const index = this.list.indexOf(event);
      if (index >= 0) fold(index);
    });
    this.observer = new ResizeObserver(() => this.drawAxis());
    this.observer.observe(this.axis);
    this.drawn = '';
  }

  destroy() {
    this.observer.disconnect();
    this.list.destroy();
  }

  /**
   * Shows another state of the trace. The row at the top of the view stays there.
   * @param {View} view
   */
  set(view) {
    const anchor = this.list.anchor();
    const before = this.view.rows;
    this.view = view;
    if (anchor && before !== view.rows) anchor.index = view.rows.findIndex(({ span }) => span.span_id === anchor.key);
    this.element.setAttribute('aria-rowcount', String(view.rows.length + 1));
    this.element.classList.toggle('with-path', view.path !== null);
    this.element.classList.toggle('with-matches', view.matches !== null);
    this.list.resize(view.rows.length, anchor);
    this.drawAxis();
    if (view.chosen) this.element.setAttribute('aria-activedescendant', `span-${view.chosen}`);
    else this.element.removeAttribute('aria-activedescendant');
  }

  /** @param {number} index */
  stamp(index) {
    const { rows, scale, folded, path } = this.view;
    const { span, tokens, cost, below, depth, odd, errors } = rows[index];
    return `${span.state} ${span.duration_us} ${span.name} ${tokens} ${cost} ${below} ${errors} ${depth} ${odd.length} ${folded.has(span.span_id)} ${scale.from} ${scale.to} ${path?.get(span.span_id)?.length ?? 0} ${span.notes.length} ${span.phases?.first_chunk_us}`;
  }

  /**
   * @param {number} index
   * @param {HTMLElement|null} spare
   */
  make(index, spare) {
    const { rows, scale, now, folded, path } = this.view;
    const node = rows[index];
    const row = spare ?? blankRow();
    const { span_id } = node.span;
    fillRow(row, node, { scale, now, folded: folded.has(span_id), path: path?.get(span_id) ?? [] });
    return row;
  }

  /** @param {HTMLElement} element @param {number} index */
  dress(element, index) {
    const { rows, chosen, path, matches, scale, now } = this.view;
    const id = rows[index].span.span_id;
    if (rows[index].span.state === 'running') beat(element, rows[index], scale, now, path?.get(id) ?? []);
    const selected = String(id === chosen);
    if (element.getAttribute('aria-selected') !== selected) element.setAttribute('aria-selected', selected);
    element.classList.toggle('on-path', path !== null && path.has(id));
    element.classList.toggle('match', matches !== null && matches.has(id));
  }

  drawAxis() {
    const width = this.axis.clientWidth;
    const { scale, origin } = this.view;
    const name = `${width} ${scale.from} ${scale.to} ${origin}`;
    if (width === 0 || name === this.drawn) return;
    this.drawn = name;
    const marks = ticks(scale, Math.max(2, width / 90), origin);
    fill(
      this.axis,
      ...marks
        .filter(({ share }) => share * width < width - 30)
        .map(({ share, label }) => {
          const mark = h('span', null, label);
          place(mark, { left: `${share * 100}%` });
          return mark;
        }),
    );
    place(this.element, {
      '--bar-left': `${this.axis.getBoundingClientRect().left - this.rows.getBoundingClientRect().left}px`,
      '--bar-width': `${width}px`,
      '--tick': marks.length > 1 ? `${(marks[1].share - marks[0].share) * width}px` : '100%',
      '--tick-from': `${(marks[0]?.share ?? 0) * width}px`,
    });
  }
}
