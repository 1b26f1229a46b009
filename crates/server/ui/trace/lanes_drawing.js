// How lanes are drawn: the time axis, how many ran at each moment, and a bar for each model call and tool.

import { known } from '../kinds.js';
import { share, ticks } from './scale.js';

/** @typedef {import('./pack.js').Packed} Packed */
/** @typedef {import('./scale.js').Scale} Scale */
/** @typedef {CanvasRenderingContext2D} Pen */
/** @typedef {(name: string) => string} Ink */

export const LANE = 22;
const CHART = 48;
const AXIS = 24;

/** Where the first lane begins, in pixels from the top. */
export const LANES_TOP = AXIS + CHART + 12;

/** @param {number} lanes */
export function heightOf(lanes) {
  return LANES_TOP + lanes * LANE + 8;
}

/** @param {Packed} packed The most that ran at once, at least 1. */
export function mostOf({ steps }) {
  return steps.reduce((top, step) => Math.max(top, step.running), 1);
}

/**
 * @param {Pen} pen
 * @param {Ink} ink
 * @param {Packed} packed
 * @param {{scale: Scale, width: number, font: string, chosen: string}} view
 */
export function drawLanes(pen, ink, packed, { scale, width, font, chosen }) {
  pen.font = `11px ${font}`;
  pen.textBaseline = 'middle';
  drawAxis(pen, ink, scale, width, heightOf(packed.lanes));
  drawRunning(pen, ink, packed, scale, width);
  for (const placed of packed.placed) drawSpan(pen, ink, placed, scale, width, placed.span.span_id === chosen);
}

/**
 * @param {Pen} pen
 * @param {Ink} ink
 * @param {Scale} scale
 * @param {number} width
 * @param {number} height
 */
function drawAxis(pen, ink, scale, width, height) {
  for (const { share: at, label } of ticks(scale, Math.max(2, width / 110), scale.from)) {
    pen.fillStyle = ink('--line');
    pen.fillRect(Math.round(at * width), AXIS - 6, 1, height);
    pen.fillStyle = ink('--text-3');
    pen.fillText(label, Math.round(at * width) + 4, 10);
  }
}

/**
 * Draws how many ran at each moment.
 * @param {Pen} pen
 * @param {Ink} ink
 * @param {Packed} packed
 * @param {Scale} scale
 * @param {number} width
 */
function drawRunning(pen, ink, packed, scale, width) {
  const most = mostOf(packed);
  pen.globalAlpha = 0.55;
  pen.fillStyle = ink('--fill');
  let x = 0;
  let running = 0;
  for (const step of [...packed.steps, { at: scale.to, running: 0 }]) {
    const next = share(scale, step.at) * width;
    const tall = (running / most) * CHART;
    pen.fillRect(Math.round(x), AXIS + CHART - tall, Math.round(next) - Math.round(x), tall);
    x = next;
    running = step.running;
  }
  pen.globalAlpha = 1;
  pen.fillStyle = ink('--text-2');
  pen.fillText(String(most), 4, AXIS + 6);
}

/**
 * @param {Pen} pen
 * @param {Ink} ink
 * @param {import('./pack.js').Placed} placed
 * @param {Scale} scale
 * @param {number} width
 * @param {boolean} isChosen
 */
function drawSpan(pen, ink, { span, lane }, scale, width, isChosen) {
  const left = share(scale, span.start_us) * width;
  const wide = Math.max(2, share(scale, span.end_us ?? scale.to) * width - left);
  const top = LANES_TOP + lane * LANE;
  pen.globalAlpha = span.state === 'running' ? 0.55 : 1;
  pen.fillStyle = ink(span.state === 'error' ? '--bad' : `--k-${known(span.kind)}`);
  pen.fillRect(left, top, Math.max(2, wide - 1), LANE - 4);
  const widthOf = (/** @type {number|null|undefined} */ us) =>
    Math.min(wide, ((us ?? 0) / (scale.to - scale.from)) * width);
  const wait = widthOf(span.phases?.limiter_wait_us);
  const idle = Math.min(wide, wait + widthOf(span.phases?.backoff_us));
  // What is waited is pale, and what is waited between attempts is hatched as well.
  pen.fillStyle = ink('--surface');
  pen.globalAlpha = 0.7;
  if (idle > 0) pen.fillRect(left + 1, top + 1, Math.max(0, idle - 2), LANE - 6);
  if (idle > wait) hatch(pen, left + wait, top + 1, idle - wait - 1, LANE - 6, ink(`--k-${known(span.kind)}`));
  pen.globalAlpha = 1;
  const clear = left + idle;
  if (left + wide - clear > 48) drawName(pen, span.name, clear, top, left + wide - clear, ink('--surface'));
  if (!isChosen) return;
  pen.strokeStyle = ink('--accent');
  pen.lineWidth = 2;
  pen.strokeRect(left - 1, top - 1, wide + 1, LANE - 2);
}

/**
 * @param {Pen} pen
 * @param {number} left
 * @param {number} top
 * @param {number} wide
 * @param {number} tall
 * @param {string} colour
 */
function hatch(pen, left, top, wide, tall, colour) {
  if (wide < 2) return;
  pen.save();
  pen.beginPath();
  pen.rect(left, top, wide, tall);
  pen.clip();
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  pen.beginPath();
  for (let x = left - tall; x < left + wide; x += 5) {
    pen.moveTo(x, top + tall);
    pen.lineTo(x + tall, top);
  }
  pen.stroke();
  pen.restore();
}

/**
 * Writes a name into a bar, as much of it as there is room for.
 * @param {Pen} pen
 * @param {string} name
 * @param {number} left
 * @param {number} top
 * @param {number} wide
 * @param {string} colour
 */
function drawName(pen, name, left, top, wide, colour) {
  // A character is at least half as wide as it is high: what cannot fit is not measured.
  let length = Math.min(name.length, Math.floor((wide - 12) / 5));
  const words = () => (length < name.length ? `${name.slice(0, length)}…` : name);
  while (length > 0 && pen.measureText(words()).width > wide - 12) length -= 1;
  if (length < Math.min(4, name.length)) return;
  pen.fillStyle = colour;
  pen.fillText(words(), left + 6, top + (LANE - 4) / 2);
}
