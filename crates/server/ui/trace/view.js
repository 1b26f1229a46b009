// What is seen of the spans of a trace: the table with the waterfall, or lanes, over the same time.

import { fill, h, place } from '../dom.js';
import { nowUs } from '../format.js';
import { asked } from '../router.js';
import { Lanes } from './lanes.js';
import { around, scaleOf } from './scale.js';
import { SpanTable } from './table.js';

const ROW = 24;
const HEAD = 34;

export class TraceView {
  /**
   * @param {import('./source.js').TraceSource} source
   * @param {import('./rows.js').Rows} rows
   * @param {{choose: (id: string) => void, fold: (node: import('./tree.js').Node) => void}} acts
   */
  constructor(source, rows, { choose, fold }) {
    this.source = source;
    this.rows = rows;
    this.table = new SpanTable(
      (index) => choose(rows.shown[index].span.span_id),
      (index) => fold(rows.shown[index]),
    );
    this.lanes = new Lanes(choose);
    this.element = h('div', 'trace-view', this.table.element);
    /** The time of the whole trace. @type {import('./scale.js').Scale|null} */
    this.whole = null;
  }

  /** Puts what the address asks for into its place. */
  turn() {
    const shown = asked('view') === 'lanes' ? this.lanes.element : this.table.element;
    if (this.element.firstChild === shown) return;
    this.element.style.removeProperty('--rows');
    fill(this.element, shown);
  }

  /** @param {string} chosen The id of the span whose detail is shown. */
  draw(chosen) {
    const now = nowUs();
    const { spans, running, path } = this.source;
    const whole = scaleOf(spans.values(), running && spans.size > 0, now, this.whole);
    this.whole = whole;
    if (asked('view') === 'lanes') {
      this.lanes.set(spans.values(), whole, now, chosen);
      return;
    }
    const zoomed = this.rows.node(asked('zoom'))?.span;
    const scale = zoomed ? around(zoomed, now) : whole;
    const origin = zoomed ? zoomed.start_us : whole.from;
    const { shown, folded, matches } = this.rows;
    place(this.element, { '--rows': `${shown.length * ROW + HEAD}px` });
    this.table.set({ rows: shown, scale, now, origin, folded, path, matches, chosen });
  }

  /**
   * Brings the row of a span into sight.
   * @param {string} id
   * @param {'nearest'|'center'} [where]
   */
  show(id, where) {
    const index = this.rows.indexOf(id);
    if (index >= 0) this.table.list.show(index, where);
  }

  destroy() {
    this.table.destroy();
    this.lanes.destroy();
  }
}
