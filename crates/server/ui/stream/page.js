// Stream: what happens, line by line, newest at the bottom, starts included. Scrolling up pauses.

import { get } from '../api.js';
import { copy } from '../copy.js';
import { fill, h } from '../dom.js';
import { filterBar } from '../filter/bar.js';
import { follow } from '../live.js';
import { firstTrace } from '../first_trace.js';
import { count } from '../format.js';
import { ask, asked, go, tracePath } from '../router.js';
import { VirtualList } from '../virtual_list.js';
import { lastWords, lineRow } from './line.js';

/** @typedef {import('../types.js').SpanSummary} SpanSummary */
/** @typedef {import('./line.js').Line} Line */

const MOST_LINES = 5000;
const MOST_NAMES = 20_000;

/**
 * @param {HTMLElement} main
 * @returns {import('../router.js').Page}
 */
export function streamPage(main) {
  /** @type {Line[]} */
  let lines = [];
  let serial = 0;
  let chosen = -1;
  let paused = false;
  let behind = 0;
  let missed = 0;
  let following = new AbortController();
  /** Names by span id, to show where a call happened. @type {Map<string, {name: string, parent: string|null}>} */
  const names = new Map();

  const live = h('span', { class: 'live', role: 'status' });
  const pause = h('button', { class: 'button', type: 'button', title: 'pause (p)', onclick: () => setPaused(!paused) });
  const bar = filterBar({
    value: asked('q'),
    label: 'Filter the stream',
    apply: (q, typing) => ask({ q }, { replace: typing }),
    end: [pause, live],
  });
  const head = h(
    'div',
    { class: 'list-head stream-grid', role: 'row' },
    ...['Time', 'Trace', '', 'What', 'Model', 'Tokens', 'Cost', 'Took', 'Words'].map((label, at) =>
      h('div', { role: 'columnheader', class: at >= 5 && at <= 7 ? 'num' : null }, label),
    ),
  );
  const rows = h('div', { class: 'rows', role: 'rowgroup', tabindex: '0', 'aria-label': 'Events' });
  const table = h('div', { class: 'list', role: 'grid', 'aria-label': 'Events', 'aria-rowcount': '-1' }, head, rows);
  const more = h('button', { class: 'button more', type: 'button', hidden: true, onclick: () => setPaused(false) });
  main.classList.add('page-list');
  fill(main, h('h1', 'unseen', 'Stream'), bar.element, h('div', 'split', table), more);

  const narrow = matchMedia('(max-width: 760px)');
  const list = new VirtualList(rows, {
    get height() {
      return narrow.matches ? 48 : 24;
    },
    key: (index) => String(lines[index].id),
    stamp: () => '',
    make: (index) => lineRow(lines[index]),
    dress: (element, index) => element.setAttribute('aria-selected', String(index === chosen)),
  });

  /** @param {string} what @param {SpanSummary} span */
  function push(what, span) {
    // A start is told again when the provider begins to answer.
    if (what === 'span_start' && names.has(span.span_id)) return;
    names.set(span.span_id, { name: span.name, parent: span.parent_id });
    const oldest = names.keys().next().value;
    if (names.size > MOST_NAMES && oldest !== undefined) names.delete(oldest);
    const ended = what === 'span_end';
    lines.push({
      id: ++serial,
      what: !ended ? 'start' : span.state === 'error' ? 'error' : 'end',
      at: (ended ? span.end_us : null) ?? span.start_us,
      span,
      path: pathOf(span),
      words: ended ? (span.error?.message ?? lastWords(span.preview ?? '')) : '',
    });
    if (paused) behind += 1;
    schedule();
  }

  /** @param {SpanSummary} span */
  function pathOf(span) {
    const path = [];
    let parent = span.parent_id;
    while (parent !== null && path.length < 4) {
      const above = names.get(parent);
      if (!above) break;
      path.unshift(above.name);
      parent = above.parent;
    }
    return path;
  }

  let scheduled = 0;
  function schedule() {
    if (!scheduled) scheduled = requestAnimationFrame(draw);
  }
  function draw() {
    scheduled = 0;
    const over = lines.length - MOST_LINES;
    if (over > 0 && !paused) {
      lines = lines.slice(over);
      chosen = Math.max(-1, chosen - over);
    } else if (over > MOST_LINES) {
      // Paused for long: what was being read goes at last, and the count says so.
      lines = lines.slice(over);
      missed += over;
    }
    list.resize(lines.length);
    if (!paused) rows.scrollTop = rows.scrollHeight;
    // What came in is drawn in this frame, not in the next.
    list.draw();
    more.hidden = !paused || behind === 0;
    more.textContent = `${count(behind)} new ↓`;
    pause.textContent = paused ? 'Go on' : 'Pause';
    pause.setAttribute('aria-pressed', String(paused));
    table.classList.toggle('is-empty', lines.length === 0);
    const empty = main.querySelector('.empty');
    if (lines.length > 0) empty?.remove();
    live.title = missed > 0 ? `${missed} events were too fast to be shown` : '';
    live.dataset.missed = missed > 0 ? `${count(missed)} skipped` : '';
  }

  /** @param {boolean} now */
  function setPaused(now) {
    paused = now;
    if (!paused) behind = 0;
    schedule();
  }

  async function start() {
    following = new AbortController();
    const { signal } = following;
    lines = [];
    const q = asked('q');
    const ready = Promise.all([get('/spans', { q, limit: 200 }, signal), wordsOf(q, signal)]).then(([page, words]) => {
      const spans = [.../** @type {{items: SpanSummary[]}} */ (page).items];
      for (const span of spans) if (span.parent_id === null) span.preview ??= words.get(span.trace_id);
      for (const span of spans)
        if (span.end_us !== null) names.set(span.span_id, { name: span.name, parent: span.parent_id });
      spans.sort((a, b) => (a.end_us ?? a.start_us) - (b.end_us ?? b.start_us));
      for (const span of spans) push(span.end_us === null ? 'span_start' : 'span_end', span);
      bar.fault(null);
      if (spans.length === 0 && lines.length === 0)
        table.append(
          q === ''
            ? firstTrace()
            : h('div', 'empty', h('p', null, 'Nothing yet that matches. It will be shown when it happens.')),
        );
      draw();
    });
    /** @type {[string, SpanSummary][]|null} */
    let early = [];
    follow(
      { q },
      {
        event(name, data) {
          if (name === 'missed') {
            missed += data.count;
            schedule();
          }
          if (name !== 'span_start' && name !== 'span_end') return;
          if (early) early.push([name, data]);
          else push(name, data);
        },
        state(on) {
          live.textContent = on ? 'live' : 'connecting';
          live.classList.toggle('on', on);
        },
        refused: (error) => bar.fault(error),
      },
      signal,
    );
    await ready.catch((error) => {
      if (!signal.aborted) bar.fault(error);
    });
    for (const [name, span] of early ?? []) push(name, span);
    early = null;
  }

  rows.addEventListener(
    'wheel',
    (event) => {
      if (event.deltaY < 0 && rows.scrollTop > 0 && rows.scrollHeight > rows.clientHeight) setPaused(true);
    },
    { passive: true },
  );
  rows.addEventListener(
    'touchmove',
    () => {
      if (rows.scrollHeight - rows.scrollTop - rows.clientHeight > 40) setPaused(true);
    },
    { passive: true },
  );
  rows.addEventListener(
    'scroll',
    () => {
      if (paused && chosen < 0 && rows.scrollHeight - rows.scrollTop - rows.clientHeight < 4) setPaused(false);
    },
    { passive: true },
  );
  rows.addEventListener('click', (event) => {
    if (event.target instanceof Element && event.target.closest('a')) return;
    open(list.indexOf(event));
  });

  /** @param {number} index */
  function open(index) {
    const span = lines[index]?.span;
    if (span) go(tracePath(span.trace_id, span.span_id));
  }
  /** @param {number} by */
  function move(by) {
    if (lines.length === 0) return;
    chosen = chosen < 0 ? lines.length - 1 : Math.min(lines.length - 1, Math.max(0, chosen + by));
    if (!paused) setPaused(true);
    list.show(chosen);
  }

  let shown = asked('q');
  start();
  return {
    leave() {
      following.abort();
      cancelAnimationFrame(scheduled);
      list.destroy();
    },
    revisit() {
      bar.set(asked('q'));
      if (shown === asked('q')) return;
      shown = asked('q');
      following.abort();
      main.querySelector('.empty')?.remove();
      start();
    },
    keys: {
      j: () => move(1),
      k: () => move(-1),
      enter: () => open(chosen),
      p: () => setPaused(!paused),
      esc: () => {
        chosen = -1;
        setPaused(false);
      },
      y: () => copy(location.href, 'link'),
    },
  };
}

/**
 * What came out of traces of late: lists of spans do not say it.
 * @param {string} q
 * @param {AbortSignal} signal
 * @returns {Promise<Map<string, string|null>>}
 */
async function wordsOf(q, signal) {
  try {
    /** @type {{items: import('../types.js').TraceSummary[]}} */
    const { items } = await get('/traces', { q, limit: 100 }, signal);
    return new Map(items.map(({ trace_id, output_preview }) => [trace_id, output_preview]));
  } catch {
    // The stream goes without.
    return new Map();
  }
}
