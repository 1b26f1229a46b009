// Concurrency lanes: model calls and tools packed into as few rows as they need, under a line of how many ran at once.

import { h, place } from '../dom.js';
import { duration } from '../format.js';
import { known } from '../kinds.js';
import { themes } from '../theme.js';
import { share, ticks } from './scale.js';

/** @typedef {import('../types.js').SpanSummary} SpanSummary */
/** @typedef {{span: SpanSummary, lane: number}} Placed */

const LANE = 22;
const CHART = 48;
const TOP = 24;
const WORK = new Set(['generation', 'embedding', 'tool', 'retriever']);

/**
 * Packs spans into lanes: each into the first that is free.
 * @param {Iterable<SpanSummary>} spans
 * @param {number} now
 * @returns {{placed: Placed[], lanes: number, steps: {at: number, running: number}[]}}
 */
export function pack(spans, now) {
  const work = [...spans]
    .filter(({ kind, name }) => WORK.has(kind) && !/^attempt\b/.test(name))
    .sort((a, b) => a.start_us - b.start_us);
  /** @type {number[]} */
  const free = [];
  const placed = work.map((span) => {
    const found = free.findIndex((until) => until <= span.start_us);
    const lane = found < 0 ? free.length : found;
    free[lane] = endOf(span, now);
    return { span, lane };
  });
  const changes = work
    .flatMap((span) => [
      { at: span.start_us, by: 1 },
      { at: endOf(span, now), by: -1 },
    ])
    .sort((a, b) => a.at - b.at || a.by - b.by);
  let running = 0;
  const steps = changes.map(({ at, by }) => ({ at, running: (running += by) }));
  return { placed, lanes: free.length, steps };
}

/** @param {SpanSummary} span @param {number} now */
function endOf(span, now) {
  return span.end_us ?? (span.state === 'running' ? now : span.start_us);
}

export class Lanes {
  /** @param {(spanId: string) => void} choose */
  constructor(choose) {
    this.canvas = h('canvas', { role: 'img', 'aria-label': 'Concurrency lanes', tabindex: '0' });
    this.tip = h('div', { class: 'tip', hidden: true });
    this.caption = h('p', 'none');
    this.element = h('div', 'lanes', this.caption, this.canvas, this.tip);
    /** @type {Placed[]} */
    this.placed = [];
    /** @type {{at: number, running: number}[]} */
    this.steps = [];
    this.lanes = 0;
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
    const { placed, lanes, steps } = pack(spans, now);
    Object.assign(this, { placed, lanes, steps, scale, chosen, now });
    this.draw();
  }

  draw() {
    const width = this.element.clientWidth - 32;
    const height = TOP + CHART + 12 + this.lanes * LANE + 8;
    const pen = this.canvas.getContext('2d');
    if (!pen || width <= 0) return;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = width * ratio;
    this.canvas.height = Math.min(height * ratio, 16_000);
    place(this.canvas, { width: `${width}px`, height: `${height}px` });
    pen.scale(ratio, ratio);
    const style = getComputedStyle(this.element);
    const ink = this.probe();
    pen.font = `11px ${style.fontFamily}`;
    pen.textBaseline = 'middle';
    for (const { share: at, label } of ticks(this.scale, Math.max(2, width / 110), this.scale.from)) {
      pen.fillStyle = ink('--line');
      pen.fillRect(Math.round(at * width), TOP - 6, 1, height);
      pen.fillStyle = ink('--text-3');
      pen.fillText(label, Math.round(at * width) + 4, 10);
    }
    const most = this.steps.reduce((top, step) => Math.max(top, step.running), 1);
    const lanes = `${this.lanes} ${this.lanes === 1 ? 'lane' : 'lanes'}`;
    this.caption.textContent =
      this.lanes === 0
        ? 'No model call and no tool has run.'
        : `Model calls and tools: at most ${most} at once, in ${lanes}. Above, how many ran at each moment.`;
    pen.globalAlpha = 0.55;
    let x = 0;
    let running = 0;
    for (const step of [...this.steps, { at: this.scale.to, running: 0 }]) {
      const next = share(this.scale, step.at) * width;
      const tall = (running / most) * CHART;
      pen.fillStyle = ink('--fill');
      pen.fillRect(Math.round(x), TOP + CHART - tall, Math.round(next) - Math.round(x), tall);
      x = next;
      running = step.running;
    }
    pen.fillStyle = ink('--text-2');
    pen.globalAlpha = 1;
    for (const { span, lane } of this.placed) {
      const left = share(this.scale, span.start_us) * width;
      const wide = Math.max(2, share(this.scale, span.end_us ?? this.scale.to) * width - left);
      const top = TOP + CHART + 12 + lane * LANE;
      pen.globalAlpha = span.state === 'running' ? 0.55 : 1;
      pen.fillStyle = ink(span.state === 'error' ? '--bad' : `--k-${known(span.kind)}`);
      pen.fillRect(left, top, Math.max(2, wide - 1), LANE - 4);
      const wait = span.phases?.limiter_wait_us ?? 0;
      if (wait > 0) {
        pen.fillStyle = ink('--surface');
        pen.globalAlpha = 0.7;
        pen.fillRect(left + 1, top + 1, Math.max(0, (wait / (this.scale.to - this.scale.from)) * width - 2), LANE - 6);
      }
      pen.globalAlpha = 1;
      const clear = left + (wait > 0 ? (wait / (this.scale.to - this.scale.from)) * width : 0);
      if (left + wide - clear > 48) this.label(pen, span.name, clear, top, left + wide - clear, ink('--surface'));
      if (span.span_id === this.chosen) {
        pen.strokeStyle = ink('--accent');
        pen.lineWidth = 2;
        pen.strokeRect(left - 1, top - 1, wide + 1, LANE - 2);
      }
    }
  }

  /**
   * Writes a name into a bar, as much of it as there is room for.
   * @param {CanvasRenderingContext2D} pen
   * @param {string} name
   * @param {number} left
   * @param {number} top
   * @param {number} wide
   * @param {string} ink
   */
  label(pen, name, left, top, wide, ink) {
    // A character is at least half as wide as it is high: what cannot fit is not measured.
    let length = Math.min(name.length, Math.floor((wide - 12) / 5));
    const words = () => (length < name.length ? `${name.slice(0, length)}…` : name);
    while (length > 0 && pen.measureText(words()).width > wide - 12) length -= 1;
    if (length < Math.min(4, name.length)) return;
    pen.fillStyle = ink;
    pen.fillText(words(), left + 6, top + (LANE - 4) / 2);
  }

  /**
   * Reads colours as the theme has them: a canvas does not know `light-dark()`.
   * @returns {(name: string) => string}
   */
  probe() {
    const probe = h('i');
    this.element.append(probe);
    /** @type {Map<string, string>} */
    const known = new Map();
    queueMicrotask(() => probe.remove());
    return (name) => {
      let colour = known.get(name);
      if (colour === undefined) {
        place(probe, { color: `var(${name})` });
        known.set(name, (colour = getComputedStyle(probe).color));
      }
      return colour;
    };
  }

  /** @param {MouseEvent} event */
  at(event) {
    const lane = Math.floor((event.offsetY - TOP - CHART - 12) / LANE);
    const us = this.scale.from + (event.offsetX / this.canvas.clientWidth) * (this.scale.to - this.scale.from);
    return this.placed.find(
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
