// Stream: what happens, line by line, newest at the bottom, starts included. Scrolling up pauses.

import { copy } from '../copy.js';
import { fill, h } from '../dom.js';
import { filterBar } from '../filter/bar.js';
import { follow } from '../live.js';
import { firstTrace } from '../first_trace.js';
import { count } from '../format.js';
import { ask, asked, go, tracePath } from '../router.js';
import { VirtualList } from '../virtual_list.js';
import { historyOf } from './history.js';
import { lineHead, lineRow } from './line.js';
import { Lines } from './lines.js';
import { watchScrolling } from './scrolling.js';
import { Words } from './words.js';

/** @typedef {import('../types.js').SpanSummary} SpanSummary */

/**
 * @param {HTMLElement} main
 * @returns {import('../router.js').Page}
 */
export function streamPage(main) {
  const lines = new Lines();
  let chosen = -1;
  let paused = false;
  let behind = 0;
  let missed = 0;
  let following = new AbortController();

  const live = h('span', { class: 'live', role: 'status' });
  const pause = h('button', { class: 'button', type: 'button', title: 'pause (p)', onclick: () => setPaused(!paused) });
  const bar = filterBar({
    value: asked('q'),
    label: 'Filter the stream',
    apply: (q, typing) => ask({ q }, { replace: typing }),
    end: [pause, live],
  });
  const rows = h('div', { class: 'rows', role: 'rowgroup', tabindex: '0', 'aria-label': 'Events' });
  const table = h(
    'div',
    { class: 'list', role: 'grid', 'aria-label': 'Events', 'aria-rowcount': '-1' },
    lineHead(),
    rows,
  );
  const more = h('button', { class: 'button more', type: 'button', hidden: true, onclick: () => setPaused(false) });
  main.classList.add('page-list');
  fill(main, h('h1', 'unseen', 'Stream'), bar.element, h('div', 'split', table), more);

  const narrow = matchMedia('(max-width: 760px)');
  const list = new VirtualList(rows, {
    get height() {
      return narrow.matches ? 48 : 24;
    },
    key: (index) => String(lines.all[index].id),
    stamp: (index) => lines.all[index].words,
    make: (index) => {
      const { what, span, words: said } = lines.all[index];
      if (what === 'end' && span && said === '' && span.preview === undefined) words.want(span);
      return lineRow(lines.all[index]);
    },
    dress: (element, index) => element.setAttribute('aria-selected', String(index === chosen)),
  });

  const words = new Words((spanId, said) => {
    const line = lines.all.findLast(({ what, span }) => what === 'end' && span?.span_id === spanId);
    if (line) line.words = said;
    schedule();
  });

  /** @param {string} event @param {SpanSummary} span */
  function push(event, span) {
    if (!lines.add(event, span)) return;
    if (paused) behind += 1;
    schedule();
  }

  let scheduled = 0;
  function schedule() {
    if (!scheduled) scheduled = requestAnimationFrame(draw);
  }
  function draw() {
    scheduled = 0;
    const gone = lines.trim(paused);
    // Paused for long: what was being read goes at last, and the count says so.
    if (paused) missed += gone;
    else chosen = Math.max(-1, chosen - gone);
    list.resize(lines.all.length);
    if (!paused) rows.scrollTop = rows.scrollHeight;
    // What came in is drawn in this frame, not in the next.
    list.draw();
    more.hidden = !paused || behind === 0;
    more.textContent = `${count(behind)} new ↓`;
    pause.textContent = paused ? 'Go on' : 'Pause';
    pause.setAttribute('aria-pressed', String(paused));
    table.classList.toggle('is-empty', lines.all.length === 0);
    if (lines.all.length > 0) main.querySelector('.empty')?.remove();
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
    lines.clear();
    const q = asked('q');
    const ready = historyOf(q, signal).then((spans) => {
      for (const span of spans) if (span.end_us !== null) lines.know(span);
      for (const span of spans) push(span.end_us === null ? 'span_start' : 'span_end', span);
      bar.fault(null);
      if (spans.length === 0 && lines.all.length === 0) table.after(emptiness(q));
      draw();
    });
    /** What comes in while the history is on its way. @type {[string, SpanSummary][]|null} */
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

  watchScrolling(rows, (far) => {
    if (far) setPaused(true);
    else if (paused && chosen < 0) setPaused(false);
  });
  rows.addEventListener('click', (event) => {
    if (event.target instanceof Element && event.target.closest('a')) return;
    open(list.indexOf(event));
  });

  /** @param {number} index */
  function open(index) {
    const span = lines.all[index]?.span;
    if (span) go(tracePath(span.trace_id, span.span_id));
  }
  /** @param {number} by */
  function move(by) {
    const last = lines.all.length - 1;
    if (last < 0) return;
    chosen = chosen < 0 ? last : Math.min(last, Math.max(0, chosen + by));
    if (!paused) setPaused(true);
    list.show(chosen);
  }

  let shown = asked('q');
  start();
  return {
    leave() {
      following.abort();
      words.stop();
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

/** @param {string} q */
function emptiness(q) {
  if (q === '') return firstTrace();
  return h('div', 'empty', h('p', null, 'Nothing yet that matches. It will be shown when it happens.'));
}
