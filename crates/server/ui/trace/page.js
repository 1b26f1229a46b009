// One trace: header, tree with waterfall or lanes, and the detail of the chosen span. A running trace grows in place.

import { get } from '../api.js';
import { copy } from '../copy.js';
import { fill, h, place } from '../dom.js';
import { filterBar } from '../filter/bar.js';
import { nowUs } from '../format.js';
import { ask, asked, comparePath, go, tracePath as pathOf } from '../router.js';
import { remember, remembered } from '../theme.js';
import { Detail } from './detail.js';
import { absence, blame, traceHeader } from './header.js';
import { Lanes } from './lanes.js';
import { Rows } from './rows.js';
import { around, scaleOf } from './scale.js';
import { inWords, matchesOf } from './search.js';
import { TraceSource } from './source.js';
import { splitter } from './splitter.js';
import { Steps } from './steps.js';
import { pressSwitches, switchButtons, switches } from './switches.js';
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
  const chosenOf = () => decodeURIComponent(location.pathname.split('/')[3] ?? '');
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
    (index) => steps.turnFold(rows.shown[index]),
  );
  const lanes = new Lanes((id) => choose(id));
  const detail = new Detail(() => {
    closed = true;
    if (chosenOf()) go(pathOf(traceId) + location.search, { replace: true });
    draw();
  });
  const steps = new Steps({ rows, here: shownId, choose, show, draw });
  const headBox = h('div', 'head-box');
  const blameBox = h('div');
  const header = traceHeader(
    switchButtons(traceId, { ...switches(shownId), x: () => keys.x(), y: () => keys.y(), json: copyJson }),
  );
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

  function shownId() {
    return chosenOf() || (closed ? '' : (rows.shown[0]?.span.span_id ?? ''));
  }

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
    pressSwitches(header.element);
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
    // Where the detail would cover the list, it is left to the reader to open one.
    if (rows.matches && !closed && !rows.matches.has(shownId())) steps.toMatch(1);
  }

  /** @param {'nearest'|'center'} [where] */
  function show(where) {
    const index = rows.indexOf(shownId());
    if (index >= 0) table.list.show(index, where);
  }

  async function copyJson() {
    copy(JSON.stringify(await get(source.address()), null, 2), 'JSON');
  }

  const keys = {
    ...steps.keys,
    ...switches(shownId),
    enter: () => {
      closed = false;
      draw();
      detail.element.focus();
    },
    x: () => go(comparePath(traceId)),
    y: () =>
      copy(
        chosenOf() || !steps.node ? location.href : location.origin + pathOf(traceId, shownId()) + location.search,
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
