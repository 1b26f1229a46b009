// A list of which only what is seen is in the document. Rows have one height; a row is made again only when its stamp
// changed, so that what is under the pointer stays. While one scrolls nothing is measured, and rows that leave at one end
// are handed out for those that come in at the other.

import { h, place } from './dom.js';

const OVERSCAN = 8;

/**
 * @typedef {object} Rows
 * @property {number} height Of a row, in pixels.
 * @property {(index: number) => string} key Tells rows apart over time; no two rows have the same.
 * @property {(index: number) => string|number} stamp Changes when the row must be made again.
 * @property {(index: number, spare: HTMLElement|null) => HTMLElement} make Makes a row, of a spare one if it can: then it
 *   returns that.
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
    /** @type {Map<string, {element: HTMLElement, stamp: string|number, index: number}>} */
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
    this.seen = 0;
    this.onscroll = () => {
      if (this.frame === 0) this.frame = requestAnimationFrame(() => this.draw());
    };
    viewport.addEventListener('scroll', this.onscroll, { passive: true });
    this.stale = true;
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(viewport);
  }

  destroy() {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    this.viewport.removeEventListener('scroll', this.onscroll);
    removeEventListener('pointerup', this.onrelease);
    removeEventListener('pointercancel', this.onrelease);
  }

  measure() {
    this.seen = this.viewport.clientHeight;
    // Heads stand over the same columns: they leave as much room as the scroll bar takes.
    const gutter = `${this.viewport.offsetWidth - this.viewport.clientWidth}px`;
    if (this.viewport.parentElement) place(this.viewport.parentElement, { '--gutter': gutter });
    this.soon();
  }

  /** Draws at the next frame, once, and looks whether rows have changed. */
  soon() {
    this.stale = true;
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
    const { stale } = this;
    this.stale = false;
    const { height } = this.rows;
    const first = Math.max(0, Math.floor(this.viewport.scrollTop / height) - OVERSCAN);
    const last = Math.min(this.count, first + Math.ceil(this.seen / height) + 2 * OVERSCAN);
    /** @type {typeof this.made} */
    const made = new Map();
    /** @type {number[]} */
    const missing = [];
    for (let index = first; index < last; index += 1) {
      const key = this.rows.key(index);
      const row = this.made.get(key);
      if (!row) missing.push(index);
      else {
        this.made.delete(key);
        made.set(key, row);
        if (stale) this.refresh(row, index, key);
      }
    }
    const spare = [...this.made.values()];
    this.made = made;
    for (const index of missing) this.enter(index, spare.pop()?.element ?? null);
    for (const { element } of spare) element.remove();
    if (this.count > 0 && last >= this.count - OVERSCAN) this.rows.nearEnd?.();
  }

  /**
   * @param {{element: HTMLElement, stamp: string|number, index: number}} row
   * @param {number} index
   * @param {string} key
   */
  refresh(row, index, key) {
    const stamp = this.rows.stamp(index);
    if (row.stamp !== stamp && key !== this.pressed) {
      const element = this.rows.make(index, row.element);
      if (element !== row.element) row.element.replaceWith(element);
      if (element !== row.element) row.index = -1;
      Object.assign(row, { element, stamp });
    }
    this.put(row, index);
  }

  /**
   * @param {number} index
   * @param {HTMLElement|null} spare
   */
  enter(index, spare) {
    const element = this.rows.make(index, spare);
    if (spare && element !== spare) spare.replaceWith(element);
    else if (!spare) this.sizer.append(element);
    const row = { element, stamp: this.rows.stamp(index), index: -1 };
    this.made.set(this.rows.key(index), row);
    this.put(row, index);
  }

  /**
   * @param {{element: HTMLElement, stamp: string|number, index: number}} row
   * @param {number} index
   */
  put(row, index) {
    if (row.index !== index) {
      row.index = index;
      place(row.element, { top: `${index * this.rows.height}px` });
      row.element.dataset.index = String(index);
      row.element.setAttribute('aria-rowindex', String(index + 2));
    }
    this.rows.dress?.(row.element, index);
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
