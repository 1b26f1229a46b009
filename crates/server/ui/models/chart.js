// A small multiple: one measure over time. The total is drawn in ink, what is chosen in the accent, never by a rainbow.

import { fill, h, svg } from '../dom.js';

const WIDTH = 300;
const HEIGHT = 84;
const FOOT = 2;

/** @typedef {(number|null)[]} Values One for each bucket; `null` where nothing is known. */

/**
 * @typedef {object} ChartData
 * @property {number[]} at The starts of the buckets in microseconds.
 * @property {Values[]} lines The first is the main one.
 * @property {Values|null} chosen The same measure of what is chosen.
 * @property {'bars'|'lines'} shape
 */

export class Chart {
  /**
   * @param {string} title
   * @param {(value: number|null) => string} format
   * @param {(index: number|null) => void} point The bucket under the pointer, to all charts.
   * @param {(index: number) => void} open
   */
  constructor(title, format, point, open) {
    this.format = format;
    this.title = title;
    this.drawing = svg('svg', {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: 'none',
      'aria-hidden': 'true',
    });
    this.value = h('span', 'chart-value');
    this.most = h('span', 'chart-most');
    this.plot = h('div', 'plot', this.drawing, this.most);
    this.element = h(
      'figure',
      { class: 'chart' },
      h('figcaption', null, h('span', null, title), this.value),
      this.plot,
    );
    /** @type {ChartData} */
    this.data = { at: [], lines: [], chosen: null, shape: 'bars' };
    this.sum = '';
    const bucket = (/** @type {MouseEvent} */ event) => {
      const box = this.plot.getBoundingClientRect();
      return Math.min(
        this.data.at.length - 1,
        Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * this.data.at.length)),
      );
    };
    this.plot.addEventListener('pointermove', (event) => point(bucket(event)));
    this.plot.addEventListener('pointerleave', () => point(null));
    this.plot.addEventListener('click', (event) => {
      if (this.data.at.length > 0) open(bucket(event));
    });
  }

  /**
   * @param {ChartData} data
   * @param {string} sum What stands in the head while nothing is pointed at.
   */
  set(data, sum) {
    this.data = data;
    this.sum = sum;
    this.point(null);
    this.element.setAttribute('aria-label', `${this.title}: ${sum}`);
    const all = [...data.lines.flat(), ...(data.chosen ?? [])].filter((value) => value !== null);
    const top = all.reduce((most, value) => Math.max(most, value), 0);
    this.most.textContent = top > 0 ? this.format(top) : '';
    const y = (/** @type {number} */ value) => HEIGHT - FOOT - (top > 0 ? (value / top) * (HEIGHT - FOOT - 12) : 0);
    const step = WIDTH / Math.max(1, data.at.length);
    /** @type {SVGElement[]} */
    const parts = [svg('path', { d: `M0 ${HEIGHT - FOOT / 2}H${WIDTH}`, class: 'base' })];
    if (data.shape === 'bars') {
      parts.push(svg('path', { d: bars(data.lines[0] ?? [], step, y), class: 'bars' }));
      if (data.chosen) parts.push(svg('path', { d: bars(data.chosen, step, y), class: 'bars chosen' }));
    } else {
      data.lines.forEach((line, index) =>
        parts.push(svg('path', { d: path(line, step, y), class: `line line-${index}` })),
      );
      if (data.chosen) parts.push(svg('path', { d: path(data.chosen, step, y), class: 'line chosen' }));
    }
    this.cross = svg('path', { class: 'cross', d: '' });
    fill(this.drawing, ...parts, this.cross);
  }

  /**
   * Shows the values of one bucket in the head.
   * @param {number|null} index
   */
  point(index) {
    const { at, lines, chosen } = this.data;
    if (index === null || index >= at.length) {
      this.value.textContent = this.sum;
      this.cross?.setAttribute('d', '');
      return;
    }
    const values = [...(chosen ? [chosen] : lines)].map((line) => this.format(line[index] ?? null));
    this.value.textContent = values.join(' · ');
    const x = ((index + 0.5) / at.length) * WIDTH;
    this.cross?.setAttribute('d', `M${x} 0V${HEIGHT - FOOT}`);
  }
}

/** @param {Values} values @param {number} step @param {(value: number) => number} y */
function bars(values, step, y) {
  const gap = Math.min(1, step * 0.15);
  return values
    .map((value, index) =>
      value
        ? `M${(index * step + gap / 2).toFixed(2)} ${HEIGHT - FOOT}V${y(value).toFixed(2)}h${(step - gap).toFixed(2)}V${HEIGHT - FOOT}z`
        : '',
    )
    .join('');
}

/** @param {Values} values @param {number} step @param {(value: number) => number} y */
function path(values, step, y) {
  let drawn = '';
  let pen = false;
  values.forEach((value, index) => {
    if (value === null) {
      pen = false;
      return;
    }
    // A bucket between empty ones is a dash as wide as the bucket: a point could not be seen.
    const alone = !pen && (values[index + 1] ?? null) === null;
    const x = ((index + (alone ? 0 : 0.5)) * step).toFixed(2);
    drawn += `${pen ? 'L' : 'M'}${x} ${y(value).toFixed(2)}${alone ? `h${step.toFixed(2)}` : ''}`;
    pen = true;
  });
  return drawn;
}
