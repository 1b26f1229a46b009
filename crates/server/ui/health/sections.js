// The parts of the health page: who sends, what was received, and the store.

import { h, place } from '../dom.js';
import { ago, bytes, count, duration, grouped, moment, nowUs } from '../format.js';
import { term, tracesPath } from '../router.js';

/**
 * @typedef {object} Outlet What a sender told about one of its destinations.
 * @property {string} [destination]
 * @property {number} [queued]
 * @property {number} [sent]
 * @property {number} [retried]
 * @property {number} [spooled]
 * @property {Record<string, number>} [dropped]
 * @property {string|null} [last_error]
 */
/** @typedef {{service: string|null, process: string|null, last_seen_us: number, running: number, spans: number, health: Outlet|Outlet[]|null}} Sender */
/**
 * @typedef {object} Health
 * @property {string} version
 * @property {number} uptime_s
 * @property {{path: string, bytes: number, spans: number, traces: number, oldest_us: number|null, retention: {age_s: number|null, bytes: number|null}|null}} store
 * @property {{requests: number, spans: number, rejected: Record<string, number>, bytes: number, queue: number}} ingest
 * @property {Sender[]} senders
 * @property {{readers: number, missed: number}} stream
 */

const QUIET_US = 60e6;

/** @param {Sender} sender */
export function outlets({ health }) {
  return health === null ? [] : Array.isArray(health) ? health : [health];
}

/** @param {Health} health */
export function senders({ senders: all }) {
  const now = nowUs();
  const heads = [
    'Sender',
    'Seen',
    'Running',
    'Destination',
    'Queued',
    'Sent',
    'Retried',
    'Spooled',
    'Dropped',
    'Last error',
  ];
  const rows = all.flatMap((sender) => {
    const told = outlets(sender);
    return (told.length > 0 ? told : [null]).map((outlet, index) => {
      const dropped = Object.entries(outlet?.dropped ?? {}).filter(([, times]) => times > 0);
      const first = index === 0;
      const cell = (/** @type {number|null|undefined} */ value) =>
        h(
          'td',
          `num${value ? '' : ' none'}`,
          value === null || value === undefined ? '–' : h('span', { title: grouped(value) }, count(value)),
        );
      return h(
        'tr',
        null,
        h(
          'th',
          { scope: 'row' },
          first &&
            h(
              'span',
              {
                class: `state s-${now - sender.last_seen_us < QUIET_US ? 'running' : 'abandoned'}`,
                title: now - sender.last_seen_us < QUIET_US ? 'sending' : 'quiet',
              },
              h('i', { class: 'dot', 'aria-hidden': 'true' }),
            ),
          first &&
            (sender.service
              ? h('a', { href: tracesPath(term('service', sender.service)) }, sender.service)
              : 'no name'),
          first && h('span', 'none', sender.process ?? 'OpenTelemetry'),
        ),
        first
          ? h('td', 'num', h('time', { title: moment(sender.last_seen_us) }, ago(sender.last_seen_us, now)))
          : h('td'),
        first ? cell(sender.process === null ? null : sender.running) : h('td'),
        h('td', null, outlet?.destination ?? h('span', 'none', 'does not tell')),
        cell(outlet?.queued),
        // Who does not tell what it sent has sent what came in.
        cell(outlet ? outlet.sent : sender.spans),
        cell(outlet?.retried),
        cell(outlet?.spooled),
        h(
          'td',
          `num${dropped.length > 0 ? ' bad' : ' none'}`,
          dropped.length > 0 ? dropped.map(([reason, times]) => `${count(times)} ${reason}`).join(', ') : '–',
        ),
        h('td', outlet?.last_error ? 'bad words' : 'none', outlet?.last_error ?? '–'),
      );
    });
  });
  return h(
    'section',
    null,
    h('h2', null, 'Senders'),
    rows.length === 0
      ? h('p', 'none', 'No program has sent anything since this server started.')
      : h(
          'div',
          'scroll-x',
          h(
            'table',
            'numbers',
            h(
              'thead',
              null,
              h(
                'tr',
                null,
                ...heads.map((label, at) =>
                  h('th', { scope: 'col', class: [1, 2, 4, 5, 6, 7, 8].includes(at) ? 'num' : null }, label),
                ),
              ),
            ),
            h('tbody', null, ...rows),
          ),
        ),
  );
}

/** @param {Health} health */
export function ingest({ ingest: told, stream }) {
  const rejected = Object.entries(told.rejected);
  return h(
    'section',
    null,
    h('h2', null, 'Received since the start'),
    h(
      'dl',
      'figures',
      figure('requests', count(told.requests)),
      figure('starts and ends', count(told.spans)),
      figure('bytes', bytes(told.bytes)),
      figure('waiting to be stored', count(told.queue)),
      figure(
        'refused',
        rejected.length === 0 ? '0' : rejected.map(([reason, times]) => `${count(times)} ${reason}`).join(', '),
        rejected.some(([, times]) => times > 0),
      ),
      figure('pages watching', count(stream.readers)),
      figure('events skipped by slow pages', count(stream.missed)),
    ),
  );
}

/** @param {Health} health */
export function store({ store: told, version, uptime_s }) {
  const limit = told.retention?.bytes ?? null;
  const age = told.retention?.age_s ?? null;
  const fullness = h('i');
  place(fullness, { width: `${limit ? Math.min(100, (told.bytes / limit) * 100) : 0}%` });
  return h(
    'section',
    null,
    h('h2', null, 'Store'),
    h(
      'dl',
      'figures',
      figure('size', limit ? `${bytes(told.bytes)} of ${bytes(limit)}` : bytes(told.bytes)),
      figure('spans', count(told.spans)),
      figure('traces', count(told.traces)),
      figure('oldest', told.oldest_us === null ? '–' : ago(told.oldest_us, nowUs())),
      figure('kept for', age === null ? 'ever' : duration(age * 1e6)),
      figure('running for', duration(uptime_s * 1e6)),
      figure('version', version),
    ),
    limit && h('div', { class: 'gauge', 'aria-hidden': 'true' }, fullness),
    h('p', 'none file', told.path),
  );
}

/** @param {string} name @param {string} value @param {boolean} [bad] */
function figure(name, value, bad = false) {
  return h('div', bad ? 'bad' : null, h('dt', null, name), h('dd', null, value));
}
