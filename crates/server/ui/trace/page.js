// One trace: header, tree with waterfall or lanes, and the detail of the chosen span. A running trace grows in place.

import { get } from '../api.js';
import { copy } from '../copy.js';
import { fill, h, place } from '../dom.js';
import { filterBar } from '../filter/bar.js';
import { nowUs } from '../format.js';
import { ask, asked, go, tracePath as pathOf } from '../router.js';
import { remember, remembered } from '../theme.js';
import { Detail } from './detail.js';
import { absence, blame, traceHeader } from './header.js';
import { Lanes } from './lanes.js';
import { Rows } from './rows.js';
import { around, scaleOf } from './scale.js';
import { inWords, matchesOf } from './search.js';
import { TraceSource } from './source.js';
import { splitter } from './splitter.js';
import { SpanTable } from './table.js';

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
  const rows = new Rows();
  /** @type {import('./scale.js').Scale|null} */
  let whole = null;
  let closed = matchMedia('(max-width: 760px)').matches;
  let changed = true;
  let searched = '';
  /** @type {import('../types.js').Headline|null} */
  let blamed = null;

  const source = new TraceSource(traceId, { head: drawHead, spans: schedule, missing, fault }, gone.signal);
  const table = new SpanTable(
    (index) => choose(rows.shown[index].span.span_id),
    (index) => turnFold(rows.shown[index]),
  );
  const lanes = new Lanes((id) => choose(id));
  const detail = new Detail(() => {
    closed = true;
    if (chosenOf()) go(pathOf(traceId) + location.search, { replace: true });
    draw();
  });
  const headBox = h('div', 'head-box');
  const blameBox = h('div');
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
  const tally = h('span', { class: 'tally', role: 'status' });
  const bar = filterBar({
    value: asked('q'),
    label: 'Search in this trace',
    hint: 'search this trace: words, kind:tool, error:*',
    apply: (q, typing) => ask({ q }, { replace: typing }),
    end: [tally],
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
  const shownId = () => chosenOf() || (closed ? '' : (rows.shown[0]?.span.span_id ?? ''));

  /** @param {string} id */
  function choose(id) {
    closed = false;
    go(pathOf(traceId, id) + location.search, { replace: chosenOf() !== '' });
    draw();
  }

  /** @param {Error|null} error */
  function fault(error) {
    bar.fault(error);
  }

  /** @param {boolean} unknown @param {string} message */
  function missing(unknown, message) {
    main.classList.add('is-missing');
    fill(headBox, absence(traceId, unknown, message));
  }

  function drawHead() {
    const { trace, headline, scores } = source;
    if (!trace) return;
    main.classList.remove('is-missing');
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
    const { spans, running } = source;
    if (changed) {
      changed = false;
      rows.build(spans.values(), running);
    }
    whole = scaleOf(spans.values(), running && spans.size > 0, now, whole);
    const chosen = shownId();
    if (asked('view') === 'lanes') lanes.set(spans.values(), whole, now, chosen);
    else {
      const zoomed = rows.node(asked('zoom'))?.span;
      const scale = zoomed ? around(zoomed, now) : whole;
      const { shown, folded, matches } = rows;
      place(view, { '--rows': `${shown.length * 24 + 34}px` });
      const origin = zoomed ? zoomed.start_us : whole.from;
      table.set({ rows: shown, scale, now, origin, folded, path: source.path, matches, chosen });
    }
    const node = rows.node(chosen);
    main.classList.toggle('no-detail', node === null);
    detail.show(node);
  }

  function drawView() {
    source.want(asked('path') === '1');
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
        source.spans.size > 3000 ? 400 : 16,
      );
  }

  async function search() {
    searched = asked('q');
    rows.matches = null;
    tally.textContent = '';
    if (searched !== '') {
      try {
        rows.matches = await matchesOf(traceId, searched, gone.signal);
        tally.textContent = inWords(rows.matches);
        fault(null);
      } catch (error) {
        if (!gone.signal.aborted) fault(/** @type {Error} */ (error));
      }
    }
    draw();
    if (rows.matches && !rows.matches.has(shownId())) toMatch(1);
  }

  /** @param {1|-1} by */
  function toMatch(by) {
    const node = rows.match(shownId(), by);
    if (!node) return;
    rows.reveal(node.span.span_id);
    choose(node.span.span_id);
    show();
  }

  /** @param {'nearest'|'center'} [where] */
  function show(where) {
    const index = rows.indexOf(shownId());
    if (index >= 0) table.list.show(index, where);
  }

  /** @param {import('./tree.js').Node} node */
  function turnFold(node, fold = !rows.isFolded(node)) {
    rows.fold(node, fold);
    draw();
  }

  /** @param {number} by */
  function move(by) {
    const next = rows.away(shownId(), by);
    if (!next) return;
    choose(next.span.span_id);
    show();
  }

  async function copyJson() {
    copy(JSON.stringify(await get(source.address()), null, 2), 'JSON');
  }

  const here = () => rows.node(shownId());
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    n: () => toMatch(1),
    N: () => toMatch(-1),
    left: () => {
      const node = here();
      if (node && node.children.length > 0 && !rows.isFolded(node)) turnFold(node, true);
      else if (node?.span.parent_id && rows.node(node.span.parent_id)) {
        choose(node.span.parent_id);
        show();
      }
    },
    right: () => {
      const node = here();
      if (node && rows.isFolded(node)) turnFold(node, false);
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

  const arriving = chosenOf() !== '';
  drawView();
  source.load().then(() => {
    if (gone.signal.aborted) return;
    draw();
    if (arriving) show('center');
    search();
  });
  source.follow();
  const beat = setInterval(() => {
    if (document.hidden || source.trace?.state !== 'running') return;
    draw();
    drawHead();
    source.freshen();
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
