// A list of which only what is seen is in the document. Rows have one height; a row is made again only when its stamp
// changed, so that what is under the pointer stays.

import { h, place } from './dom.js';

const OVERSCAN = 8;

/**
 * @typedef {object} Rows
 * @property {number} height Of a row, in pixels.
 * @property {(index: number) => string} key Tells rows apart over time.
 * @property {(index: number) => string|number} stamp Changes when the row must be made again.
 * @property {(index: number) => HTMLElement} make
 * @property {(element: HTMLElement, index: number) => void} [dress] Cheap state, set at every refresh.
 * @property {() => void} [nearEnd] The last rows come into sight.
 */

export class VirtualList {
  /**
   * @param {HTMLElement} viewport Scrolls.
   * @param {Rows} rows
   */
  constructor(viewport, rows) {
    this.viewport = viewport;
    this.rows = rows;
    this.count = 0;
    this.sizer = h('div', { class: 'sizer', role: 'presentation' });
    /** @type {Map<string, {element: HTMLElement, stamp: string|number, top: number}>} */
    this.made = new Map();
    this.frame = 0;
    viewport.append(this.sizer);
    // A row that is replaced between press and release would never be clicked: it stays as it is for so long.
    this.pressed = '';
    this.onpress = (/** @type {Event} */ event) => {
      const index = this.indexOf(event);
      this.pressed = index >= 0 && index < this.count ? this.rows.key(index) : '';
    };
    this.onrelease = () =>
      setTimeout(() => {
        this.pressed = '';
        this.soon();
      });
    viewport.addEventListener('pointerdown', this.onpress);
    addEventListener('pointerup', this.onrelease);
    addEventListener('pointercancel', this.onrelease);
    this.onscroll = () => this.soon();
    viewport.addEventListener('scroll', this.onscroll, { passive: true });
    this.observer = new ResizeObserver(() => this.soon());
    this.observer.observe(viewport);
  }

  destroy() {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    this.viewport.removeEventListener('scroll', this.onscroll);
    removeEventListener('pointerup', this.onrelease);
    removeEventListener('pointercancel', this.onrelease);
  }

  /** Draws at the next frame, once. */
  soon() {
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.draw());
  }

  /**
   * Sets the number of rows. The row at the top of the view stays where it is, whatever came in above it.
   * @param {number} count
   * @param {{key: string, index: number, shift: number}|null} [anchor] From `anchor()`, before the rows changed, and where
   *   that row is now.
   */
  resize(count, anchor = null) {
    this.count = count;
    place(this.sizer, { height: `${count * this.rows.height}px` });
    if (anchor && anchor.index >= 0) this.viewport.scrollTop = anchor.index * this.rows.height + anchor.shift;
    this.soon();
  }

  /**
   * The first row in sight, so that it can be kept in place. Nothing is kept at the very top.
   * @returns {{key: string, index: number, shift: number}|null}
   */
  anchor() {
    const top = this.viewport.scrollTop;
    if (top <= 0 || this.count === 0) return null;
    const index = Math.min(this.count - 1, Math.floor(top / this.rows.height));
    return { key: this.rows.key(index), index, shift: top - index * this.rows.height };
  }

  draw() {
    this.frame = 0;
    // Heads stand over the same columns: they leave as much room as the scroll bar takes.
    if (this.viewport.parentElement)
      place(this.viewport.parentElement, { '--gutter': `${this.viewport.offsetWidth - this.viewport.clientWidth}px` });
    const { height } = this.rows;
    const first = Math.max(0, Math.floor(this.viewport.scrollTop / height) - OVERSCAN);
    const seen = Math.ceil(this.viewport.clientHeight / height) + 2 * OVERSCAN;
    const last = Math.min(this.count, first + seen);
    const before = this.made;
    this.made = new Map();
    for (let index = first; index < last; index += 1) {
      const key = this.rows.key(index);
      const stamp = this.rows.stamp(index);
      let row = before.get(key);
      if (!row || (row.stamp !== stamp && key !== this.pressed)) {
        const element = this.rows.make(index);
        if (row) row.element.replaceWith(element);
        else this.sizer.append(element);
        row = { element, stamp, top: -1 };
      }
      before.delete(key);
      if (row.top !== index * height) {
        row.top = index * height;
        place(row.element, { transform: `translateY(${row.top}px)` });
      }
      row.element.dataset.index = String(index);
      row.element.setAttribute('aria-rowindex', String(index + 2));
      this.rows.dress?.(row.element, index);
      this.made.set(key, row);
    }
    for (const { element } of before.values()) element.remove();
    if (this.count > 0 && last >= this.count - OVERSCAN) this.rows.nearEnd?.();
  }

  /**
   * Scrolls as little as needed to show a row.
   * @param {number} index
   * @param {'nearest'|'center'} [where]
   */
  show(index, where = 'nearest') {
    const { height } = this.rows;
    const top = index * height;
    const room = this.viewport.clientHeight;
    const seen = this.viewport.scrollTop;
    if (where === 'center' && (top < seen || top + height > seen + room)) {
      this.viewport.scrollTop = Math.max(0, top - room / 2);
    } else if (top < seen) this.viewport.scrollTop = top;
    else if (top + height > seen + room) this.viewport.scrollTop = top + height - room;
    this.soon();
  }

  /**
   * The index of the row that an event came from, or -1.
   * @param {Event} event
   */
  indexOf(event) {
    const row = event.target instanceof Element ? event.target.closest('[data-index]') : null;
    return row instanceof HTMLElement ? Number(row.dataset.index) : -1;
  }
}
