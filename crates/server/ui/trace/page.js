// One trace: header, tree with waterfall or lanes, and the detail of the chosen span. A running trace grows in place.

import { get } from '../api.js';
import { copy } from '../copy.js';
import { fill, h } from '../dom.js';
import { filterBar } from '../filter/bar.js';
import { ask, asked, comparePath, go, partOf, tracePath as pathOf } from '../router.js';
import { remember, remembered } from '../theme.js';
import { Detail } from './detail.js';
import { blame } from './blame.js';
import { absence, traceHeader } from './header.js';
import { Rows } from './rows.js';
import { Search } from './search.js';
import { TraceSource } from './source.js';
import { splitter } from './splitter.js';
import { Steps } from './steps.js';
import { pressSwitches, switchButtons, switches } from './switches.js';
import { TraceView } from './view.js';

const PLACE = 'glassbox.detail';
const BEAT_MS = 200;

/**
 * @param {HTMLElement} main
 * @param {URL} url
 * @returns {import('../router.js').Page}
 */
export function tracePage(main, url) {
  const traceId = partOf(url.pathname, 2);
  const gone = new AbortController();
  const chosenOf = () => partOf(location.pathname, 3);
  const rows = new Rows();
  let closed = matchMedia('(max-width: 760px)').matches;
  let changed = true;
  let wrong = false;
  /** @type {import('../types.js').Headline|null} */
  let blamed = null;

  const source = new TraceSource(traceId, { head: drawHead, spans: schedule, missing, fault }, gone.signal);
  const view = new TraceView(source, rows, { choose, fold: (node) => steps.turnFold(node) });
  const detail = new Detail(() => {
    closed = true;
    if (chosenOf()) go(pathOf(traceId) + location.search, { replace: true });
    draw();
  });
  const steps = new Steps({ rows, here: shownId, choose, show: () => view.show(shownId()), draw });
  const headBox = h('div', 'head-box');
  const blameBox = h('div');
  const header = traceHeader(
    switchButtons(traceId, { ...switches(shownId), x: () => keys.x(), y: () => keys.y(), json: copyJson }),
  );
  const search = new Search(traceId, gone.signal);
  const bar = filterBar({
    value: asked('q'),
    label: 'Search in this trace',
    hint: 'words, kind:tool, status:error',
    apply: (q, typing) => ask({ q }, { replace: typing }),
    end: [search.tally],
  });
  main.classList.add('page-trace');
  main.dataset.detail = remembered(PLACE) === 'beside' ? 'beside' : 'below';
  fill(
    main,
    headBox,
    h('div', 'trace-tools', blameBox, bar.element),
    h('div', 'trace-body', view.element, splitter(main), detail.element),
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
    header.draw(trace, headline, scores, source.failed);
    pressSwitches(header.element);
    if (headline !== blamed) fill(blameBox, headline && blame(headline));
    blamed = headline;
  }

  function draw() {
    if (changed) {
      changed = false;
      rows.build(source.spans.values(), source.running);
    }
    const chosen = shownId();
    view.draw(chosen);
    const node = rows.node(chosen);
    main.classList.toggle('no-detail', node === null);
    detail.show(node);
  }

  function drawView() {
    source.want(asked('path') === '1');
    view.turn();
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

  async function find() {
    rows.matches = null;
    try {
      if (!(await search.run(asked('q')))) return;
      rows.matches = search.matches;
      if (wrong) fault(null);
      wrong = false;
    } catch (error) {
      wrong = true;
      fault(/** @type {Error} */ (error));
    }
    draw();
    // Where the detail would cover the list, it is left to the reader to open one.
    if (rows.matches && !closed && !rows.matches.has(shownId())) steps.toMatch(1);
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
    if (arriving) view.show(shownId(), 'center');
    find();
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
      view.destroy();
      delete main.dataset.detail;
    },
    revisit() {
      bar.set(asked('q'));
      drawView();
      drawHead();
      if (chosenOf()) closed = false;
      draw();
      detail.draw();
      if (search.q !== asked('q')) find();
    },
    keys,
  };
}
