// Numbers, times and names as people read them: short where they are compared, exact where they are copied.

const NBSP = '\u00a0';
const DASH = '–';

/**
 * A duration in three digits and a unit: `412 µs`, `38.2 ms`, `4.97 s`, `2 m 05 s`.
 * @param {number|null|undefined} us
 */
export function duration(us) {
  if (us === null || us === undefined || !Number.isFinite(us)) return DASH;
  const value = Math.max(0, us);
  if (value < 1000) return `${Math.round(value)}${NBSP}µs`;
  if (value < 999_500) return `${digits(value / 1e3)}${NBSP}ms`;
  if (value < 59_995_000) return `${digits(value / 1e6)}${NBSP}s`;
  const seconds = Math.round(value / 1e6);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${NBSP}m${NBSP}${pad(seconds % 60)}${NBSP}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)}${NBSP}h${NBSP}${pad(minutes % 60)}${NBSP}m`;
  return `${Math.floor(minutes / 1440)}${NBSP}d${NBSP}${pad(Math.floor((minutes % 1440) / 60))}${NBSP}h`;
}

/**
 * A count: exact below ten thousand, then in three digits.
 * @param {number|null|undefined} value
 */
export function count(value) {
  if (value === null || value === undefined) return DASH;
  if (Math.abs(value) < 10_000) return grouped(value);
  if (value < 999_500) return `${digits(value / 1e3)}k`;
  if (value < 999_500_000) return `${digits(value / 1e6)}M`;
  return `${digits(value / 1e9)}G`;
}

/**
 * A count with all its digits.
 * @param {number} value
 */
export function grouped(value) {
  return value.toLocaleString('en-US');
}

/**
 * Dollars: four decimals below one, so that a column lines up; six below a tenth of a cent, and two digits of what is less.
 * @param {string|number|null|undefined} usd
 */
export function money(usd) {
  if (usd === null || usd === undefined) return DASH;
  const value = Number(usd);
  if (!Number.isFinite(value)) return DASH;
  if (value === 0) return '$0';
  const size = Math.abs(value);
  if (size < 0.000_01) return `$${value.toFixed(Math.min(12, 1 - Math.floor(Math.log10(size))))}`;
  if (size < 1) return `$${value.toFixed(size < 0.001 ? 6 : 4)}`;
  if (Math.abs(value) < 10_000) return `$${value.toFixed(2)}`;
  return `$${count(value)}`;
}

/**
 * Adds two amounts of money without losing a digit. `null` is unknown and adds nothing.
 * @param {string|null} left
 * @param {string|null} right
 * @returns {string|null}
 */
export function addMoney(left, right) {
  if (left === null) return right;
  if (right === null) return left;
  const sum = fixed(left) + fixed(right);
  const sign = sum < 0n ? '-' : '';
  const text = (sum < 0n ? -sum : sum).toString().padStart(19, '0');
  return sign + `${text.slice(0, -18)}.${text.slice(-18)}`.replace(/\.?0+$/, '');
}

/**
 * @param {string} text
 * @returns {bigint} In units of 1e-18.
 */
function fixed(text) {
  const match = /^(-?)(\d{1,30})(?:\.(\d*))?$/.exec(text.trim());
  if (!match) return Number.isFinite(Number(text)) ? BigInt(Math.round(Number(text) * 1e9)) * 10n ** 9n : 0n;
  const value = BigInt(match[2] + (match[3] ?? '').slice(0, 18).padEnd(18, '0'));
  return match[1] ? -value : value;
}

/** @param {number|null|undefined} value */
export function bytes(value) {
  if (value === null || value === undefined) return DASH;
  if (value < 1000) return `${value}${NBSP}B`;
  if (value < 999_500) return `${digits(value / 1e3)}${NBSP}kB`;
  if (value < 999_500_000) return `${digits(value / 1e6)}${NBSP}MB`;
  return `${digits(value / 1e9)}${NBSP}GB`;
}

/**
 * A share as whole percent; what is small but there is not zero.
 * @param {number} share From 0 to 1.
 */
export function percent(share) {
  if (share > 0 && share < 0.01) return `<1${NBSP}%`;
  return `${Math.round(share * 100)}${NBSP}%`;
}

/**
 * The time of day with milliseconds, in the reader's time zone.
 * @param {number} us
 */
export function clock(us) {
  const date = new Date(us / 1000);
  const millis = String(Math.floor(us / 1000) % 1000).padStart(3, '0');
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${millis}`;
}

/**
 * How long ago, in one unit.
 * @param {number} us
 * @param {number} nowUs
 */
export function ago(us, nowUs) {
  const seconds = Math.max(0, (nowUs - us) / 1e6);
  if (seconds < 1.5) return 'now';
  if (seconds < 60) return `${Math.round(seconds)}${NBSP}s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)}${NBSP}min`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)}${NBSP}h`;
  if (seconds < 86_400 * 60) return `${Math.round(seconds / 86_400)}${NBSP}d`;
  return new Date(us / 1000).toISOString().slice(0, 10);
}

/**
 * The exact moment, for titles and copies.
 * @param {number} us
 */
export function moment(us) {
  const date = new Date(us / 1000);
  return Number.isNaN(date.getTime()) ? String(us) : date.toISOString();
}

/**
 * How long a trace took, or has taken so far; `null` if nobody told when it ended.
 * @param {import('./types.js').TraceSummary} trace
 * @param {number} now
 */
export function lastedOf({ duration_us, start_us, state }, now) {
  return duration_us ?? (state === 'running' ? Math.max(0, now - start_us) : null);
}

/** The clock of this machine in microseconds. */
export function nowUs() {
  return Date.now() * 1000;
}

/** Keys of messages whose values say what something is, and are no words of anybody. */
const NAMES = new Set(['role', 'type', 'id', 'finish_reason']);

/**
 * The words of a preview: of JSON, which may be cut anywhere, only the texts in it.
 * @param {string|null|undefined} text
 */
export function gist(text) {
  const cut = (text ?? '').slice(0, 300);
  const values = [];
  if (/^\s*[[{]/.test(cut)) {
    let key = '';
    for (const [, value, , colon] of cut.matchAll(/"((?:[^"\\]|\\.)*)("|$)(\s*:)?/g)) {
      if (colon) key = value;
      else if (value && !NAMES.has(key)) values.push(value.replace(/\\[nrt]/g, ' ').replace(/\\(.)/g, '$1'));
    }
  }
  return (values.length > 0 ? values.join(' · ') : cut).replace(/\s+/g, ' ');
}

/**
 * Three significant digits.
 * @param {number} value
 */
function digits(value) {
  if (value < 9.995) return value.toFixed(2);
  if (value < 99.95) return value.toFixed(1);
  return value.toFixed(0);
}

/** @param {number} value */
function pad(value) {
  return String(value).padStart(2, '0');
}
