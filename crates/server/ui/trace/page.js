// One trace: header, tree with waterfall or lanes, and the detail of the chosen span. A running trace grows in place.

import { ApiError, get } from '../api.js';
import { copy, say } from '../copy.js';
import { fill, h, place } from '../dom.js';
import { filterBar } from '../filter/bar.js';
import { nowUs } from '../format.js';
import { follow } from '../live.js';
import { ask, asked, go, tracePath as pathOf } from '../router.js';
import { remember, remembered } from '../theme.js';
import { criticalPath } from './critical_path.js';
import { Detail } from './detail.js';
import { blame, traceHeader } from './header.js';
import { Lanes } from './lanes.js';
import { scaleOf } from './scale.js';
import { splitter } from './splitter.js';
import { SpanTable } from './table.js';
import { buildTree, visibleRows } from './tree.js';

/** @typedef {import('../types.js').SpanSummary} SpanSummary */
/** @typedef {import('./tree.js').Node} Node */

const PLACE = 'glassbox.detail';
const BEAT_MS = 200;

/**
 * @param {HTMLElement} main
 * @param {URL} url
 * @returns {import('../router.js').Page}
 */
export function tracePage(main, url) {
  const traceId = decodeURIComponent(url.pathname.split('/')[2]);
  const gone = new AbortController();
  /** @type {Map<string, SpanSummary>} */
  const spans = new Map();
  /** @type {import('../types.js').TraceSummary|null} */
  let trace = null;
  /** @type {import('../types.js').Headline|null} */
  let headline = null;
  /** @type {import('../types.js').Score[]} */
  let scores = [];
  /** @type {Set<string>} */
  const folded = new Set();
  /** @type {{roots: Node[], byId: Map<string, Node>}} */
  let tree = { roots: [], byId: new Map() };
  /** @type {Node[]} */
  let rows = [];
  /** @type {import('./scale.js').Scale|null} */
  let whole = null;
  /** @type {Set<string>|null} */
  let matches = null;
  let closed = matchMedia('(max-width: 760px)').matches;
  let changed = true;
  let searched = '';

  const table = new SpanTable(
    (index) => choose(rows[index].span.span_id),
    (index) => turnFold(rows[index]),
  );
  const lanes = new Lanes((id) => choose(id));
  const detail = new Detail(() => {
    closed = true;
    if (chosenOf()) go(pathOf(traceId) + location.search, { replace: true });
    draw();
  });
  const headBox = h('div', 'head-box');
  const blameBox = h('div');
  /** @type {import('../types.js').Headline|null} */
  let blamed = null;
  /** @param {string} id @param {string} name @param {string} title @param {() => void} act */
  const action = (id, name, title, act) =>
    h('button', { class: 'button', type: 'button', 'data-action': id, title, onclick: () => act() }, name);
  const header = traceHeader([
    action('path', 'Critical path', 'critical path (c)', () => keys.c()),
    action('zoom', 'Zoom', 'zoom to the span (z)', () => keys.z()),
    action('lanes', 'Lanes', 'concurrency lanes (l)', () => keys.l()),
    action('link', 'Copy link', 'copy a link (y)', () => keys.y()),
    action('json', 'Copy JSON', 'copy the trace as JSON', () => copyJson()),
  ]);
  const bar = filterBar({
    value: asked('q'),
    label: 'Search in this trace',
    hint: 'search this trace: words, kind:tool, error:*',
    apply: (q, typing) => ask({ q }, { replace: typing }),
    end: [h('span', { class: 'tally', role: 'status' })],
  });
  const view = h('div', 'trace-view', table.element);
  main.classList.add('page-trace');
  main.dataset.detail = remembered(PLACE) === 'beside' ? 'beside' : 'below';
  fill(
    main,
    headBox,
    h('div', 'trace-tools', blameBox, bar.element),
    h('div', 'trace-body', view, splitter(main), detail.element),
  );

  const chosenOf = () => decodeURIComponent(location.pathname.split('/')[3] ?? '');
  const shownId = () => chosenOf() || (closed ? '' : (rows[0]?.span.span_id ?? ''));
  const running = () => trace === null || trace.state === 'running';

  /** @param {string} id */
  function choose(id) {
    closed = false;
    go(pathOf(traceId, id) + location.search, { replace: chosenOf() !== '' });
    draw();
  }

  function drawHead() {
    if (!trace) return;
    if (headBox.firstChild !== header.element) fill(headBox, header.element);
    document.title = `${trace.name} · Glassbox`;
    header.draw(trace, headline, scores);
    const on = { path: asked('path') === '1', zoom: asked('zoom') !== '', lanes: asked('view') === 'lanes' };
    for (const [name, is] of Object.entries(on)) {
      header.element.querySelector(`[data-action=${name}]`)?.setAttribute('aria-pressed', String(is));
    }
    if (headline !== blamed) fill(blameBox, headline && blame(headline));
    blamed = headline;
  }

  function draw() {
    const now = nowUs();
    if (changed) {
      changed = false;
      tree = buildTree(spans.values(), running());
      rows = visibleRows(tree.roots, folded);
    }
    whole = scaleOf(spans.values(), running() && spans.size > 0, now, whole);
    let scale = whole;
    let path = null;
    if (asked('path') === '1') {
      try {
        path = criticalPath(tree.roots, now);
      } catch (error) {
        say(/** @type {Error} */ (error).message);
      }
    }
    const chosen = shownId();
    if (asked('view') === 'lanes') lanes.set(spans.values(), scale, now, chosen);
    else {
      const zoomed = tree.byId.get(asked('zoom'))?.span;
      const origin = zoomed ? zoomed.start_us : scale.from;
      if (zoomed) scale = around(zoomed, now);
      place(view, { '--rows': `${rows.length * 24 + 34}px` });
      table.set({ rows, scale, now, origin, folded, path, matches, chosen });
    }
    const node = tree.byId.get(chosen) ?? null;
    main.classList.toggle('no-detail', node === null);
    detail.show(node);
  }

  function drawView() {
    const shown = asked('view') === 'lanes' ? lanes.element : table.element;
    if (view.firstChild === shown) return;
    view.style.removeProperty('--rows');
    fill(view, shown);
  }

  let scheduled = 0;
  function schedule() {
    changed = true;
    // A trace of many spans is laid out anew less often.
    if (!scheduled)
      scheduled = setTimeout(
        () => {
          scheduled = 0;
          draw();
        },
        spans.size > 3000 ? 400 : 30,
      );
  }

  /** @param {SpanSummary} span */
  function take(span) {
    const before = spans.get(span.span_id);
    if (before && before.end_us !== null && span.end_us === null) return;
    spans.set(span.span_id, span);
  }

  async function load() {
    try {
      /** @type {import('../types.js').TraceAnswer} */
      const answer = await get(`/traces/${encodeURIComponent(traceId)}`, {}, gone.signal);
      trace = answer.trace;
      headline = answer.headline;
      answer.spans.forEach(take);
      bar.fault(answer.truncated ? new Error('this trace has more spans than are shown') : null);
    } catch (error) {
      if (gone.signal.aborted) return;
      const waiting = error instanceof ApiError && error.status === 404;
      fill(
        headBox,
        h(
          'div',
          'empty',
          h('h1', null, waiting ? 'No such trace yet' : 'The trace cannot be shown'),
          h(
            'p',
            null,
            waiting
              ? `${traceId} has not come in, or was removed by the retention. It will be shown as soon as it comes in.`
              : /** @type {Error} */ (error).message,
          ),
        ),
      );
      return;
    }
    drawHead();
    schedule();
    search();
    get('/scores', { trace_id: traceId }, gone.signal)
      .then((page) => {
        scores = /** @type {{items: import('../types.js').Score[]}} */ (page).items ?? [];
        if (scores.length > 0) drawHead();
      })
      .catch(() => {
        /* A trace without scores is shown as well. */
      });
  }

  async function search() {
    searched = asked('q');
    const tally = bar.element.querySelector('.tally');
    matches = null;
    if (tally) tally.textContent = '';
    if (searched !== '') {
      try {
        /** @type {{items: SpanSummary[]}} */
        const found = await get('/spans', { q: `trace:${traceId} ${searched}`, limit: 500 }, gone.signal);
        matches = new Set(found.items.map(({ span_id }) => span_id));
        if (tally) tally.textContent = `${matches.size}${matches.size === 500 ? '+' : ''} found · n next`;
        bar.fault(null);
      } catch (error) {
        if (!gone.signal.aborted) bar.fault(/** @type {Error} */ (error));
      }
    }
    draw();
    if (matches && matches.size > 0 && !matches.has(shownId())) toMatch(1);
  }

  /** @param {number} by */
  function toMatch(by) {
    if (!matches || matches.size === 0) return;
    const all = visibleRows(tree.roots, new Set());
    const at = all.findIndex(({ span }) => span.span_id === shownId());
    for (let step = 1; step <= all.length; step += 1) {
      const node = all[(at + by * step + all.length * 2) % all.length];
      if (!matches.has(node.span.span_id)) continue;
      reveal(node.span.span_id);
      choose(node.span.span_id);
      show();
      return;
    }
  }

  /** Unfolds what is above a span. @param {string} id */
  function reveal(id) {
    const seen = new Set();
    for (let node = tree.byId.get(id); node && !seen.has(node); node = tree.byId.get(node.span.parent_id ?? '')) {
      seen.add(node);
      if (node.span.span_id !== id && folded.delete(node.span.span_id)) changed = true;
    }
  }

  /** @param {'nearest'|'center'} [where] */
  function show(where) {
    const index = rows.findIndex(({ span }) => span.span_id === shownId());
    if (index >= 0) table.list.show(index, where);
  }

  /** @param {Node} node @param {boolean} [fold] */
  function turnFold(node, fold = !folded.has(node.span.span_id)) {
    if (node.children.length === 0) return;
    if (fold) folded.add(node.span.span_id);
    else folded.delete(node.span.span_id);
    changed = true;
    draw();
  }

  /** @param {number} by */
  function move(by) {
    const at = rows.findIndex(({ span }) => span.span_id === shownId());
    const next = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
    if (!next) return;
    const wasClosed = closed;
    choose(next.span.span_id);
    closed = wasClosed && closed;
    show();
  }

  async function copyJson() {
    copy(JSON.stringify(await get(`/traces/${encodeURIComponent(traceId)}`), null, 2), 'JSON');
  }

  const here = () => tree.byId.get(shownId());
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    n: () => toMatch(1),
    N: () => toMatch(-1),
    left: () => {
      const node = here();
      if (node && node.children.length > 0 && !folded.has(node.span.span_id)) turnFold(node, true);
      else if (node?.span.parent_id && tree.byId.has(node.span.parent_id)) {
        choose(node.span.parent_id);
        show();
      }
    },
    right: () => {
      const node = here();
      if (node && folded.has(node.span.span_id)) turnFold(node, false);
      else move(1);
    },
    enter: () => {
      closed = false;
      draw();
      detail.element.focus();
    },
    z: () => ask({ zoom: asked('zoom') ? null : shownId() }, { replace: true }),
    c: () => ask({ path: asked('path') === '1' ? null : '1' }, { replace: true }),
    l: () => ask({ view: asked('view') === 'lanes' ? null : 'lanes' }, { replace: true }),
    e: () => ask({ raw: asked('raw') === '1' ? null : '1' }, { replace: true }),
    y: () =>
      copy(
        chosenOf() || !here() ? location.href : location.origin + pathOf(traceId, shownId()) + location.search,
        'link',
      ),
    b: () => {
      main.dataset.detail = main.dataset.detail === 'beside' ? 'below' : 'beside';
      remember(PLACE, main.dataset.detail);
    },
    esc: () => {
      if (chosenOf() && !closed) {
        closed = true;
        go(pathOf(traceId) + location.search, { replace: true });
        draw();
      } else history.back();
    },
  };

  let arriving = chosenOf() !== '';
  drawView();
  load().then(() => {
    if (arriving) {
      draw();
      show('center');
    }
    arriving = false;
  });
  follow(
    { q: `trace:${traceId}` },
    {
      event(name, data) {
        if (name === 'missed') load();
        if (name !== 'trace' && name !== 'span_start' && name !== 'span_end') return;
        if (data.trace_id !== traceId) return;
        if (name === 'trace') {
          const ended = trace?.state === 'running' && data.state !== 'running';
          trace = data;
          if (ended) load();
          drawHead();
        } else take(data);
        if (trace === null) load();
        schedule();
      },
    },
    gone.signal,
  );
  const beat = setInterval(() => {
    if (document.hidden || !trace || trace.state !== 'running') return;
    draw();
    drawHead();
  }, BEAT_MS);

  return {
    leave() {
      clearInterval(beat);
      clearTimeout(scheduled);
      gone.abort();
      table.destroy();
      lanes.destroy();
      delete main.dataset.detail;
    },
    revisit() {
      bar.set(asked('q'));
      drawView();
      drawHead();
      if (chosenOf()) closed = false;
      draw();
      detail.draw();
      if (searched !== asked('q')) search();
    },
    keys,
  };
}

/**
 * The time of a span with a little room at both ends.
 * @param {SpanSummary} span
 * @param {number} now
 */
function around({ start_us, end_us }, now) {
  const room = Math.max(10, ((end_us ?? now) - start_us) * 0.04);
  return { from: start_us - room, to: (end_us ?? now) + room };
}
