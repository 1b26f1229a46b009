// Concurrency lanes: model calls and tools in as few rows as they need, which can be pointed at and chosen.

import { h, place } from '../dom.js';
import { duration } from '../format.js';
import { themes } from '../theme.js';
import { inkOf } from './ink.js';
import { LANE, LANES_TOP, drawLanes, heightOf, mostOf } from './lanes_drawing.js';
import { pack } from './pack.js';

/** @typedef {import('../types.js').SpanSummary} SpanSummary */

const TALLEST = 16_000;

export class Lanes {
  /** @param {(spanId: string) => void} choose */
  constructor(choose) {
    this.canvas = h('canvas', { role: 'img', 'aria-label': 'Concurrency lanes', tabindex: '0' });
    this.tip = h('div', { class: 'tip', hidden: true });
    this.caption = h('p', 'none');
    this.element = h('div', 'lanes', this.caption, this.canvas, this.tip);
    /** @type {import('./pack.js').Packed} */
    this.packed = { placed: [], lanes: 0, steps: [] };
    this.scale = { from: 0, to: 1 };
    this.chosen = '';
    this.redraw = () => this.draw();
    this.observer = new ResizeObserver(this.redraw);
    this.observer.observe(this.element);
    themes.addEventListener('change', this.redraw);
    this.canvas.addEventListener('click', (event) => {
      const hit = this.at(event);
      if (hit) choose(hit.span.span_id);
    });
    this.canvas.addEventListener('pointermove', (event) => this.hover(event));
    this.canvas.addEventListener('pointerleave', () => {
      this.tip.hidden = true;
    });
  }

  destroy() {
    this.observer.disconnect();
    themes.removeEventListener('change', this.redraw);
  }

  /**
   * @param {Iterable<SpanSummary>} spans
   * @param {import('./scale.js').Scale} scale
   * @param {number} now
   * @param {string} chosen
   */
  set(spans, scale, now, chosen) {
    Object.assign(this, { packed: pack(spans, now), scale, chosen });
    this.draw();
  }

  draw() {
    const { packed, scale, chosen } = this;
    const width = this.element.clientWidth - 32;
    const height = heightOf(packed.lanes);
    const pen = this.canvas.getContext('2d');
    if (!pen || width <= 0) return;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = width * ratio;
    this.canvas.height = Math.min(height * ratio, TALLEST);
    place(this.canvas, { width: `${width}px`, height: `${height}px` });
    pen.scale(ratio, ratio);
    const lanes = `${packed.lanes} ${packed.lanes === 1 ? 'lane' : 'lanes'}`;
    this.caption.textContent =
      packed.lanes === 0
        ? 'No model call and no tool has run.'
        : `Model calls and tools: at most ${mostOf(packed)} at once, in ${lanes}. Above, how many ran at each moment.`;
    const font = getComputedStyle(this.element).fontFamily;
    drawLanes(pen, inkOf(this.element), packed, { scale, width, font, chosen });
  }

  /** @param {MouseEvent} event */
  at(event) {
    const lane = Math.floor((event.offsetY - LANES_TOP) / LANE);
    const us = this.scale.from + (event.offsetX / this.canvas.clientWidth) * (this.scale.to - this.scale.from);
    return this.packed.placed.find(
      ({ span, lane: its }) => its === lane && span.start_us <= us && (span.end_us ?? this.scale.to) >= us,
    );
  }

  /** @param {MouseEvent} event */
  hover(event) {
    const hit = this.at(event);
    this.tip.hidden = !hit;
    if (!hit) return;
    this.tip.textContent = `${hit.span.name}  ${duration(hit.span.duration_us)}`;
    place(this.tip, {
      left: `${Math.min(event.offsetX + 12, this.element.clientWidth - 220)}px`,
      top: `${event.offsetY + 14}px`,
    });
  }
}
