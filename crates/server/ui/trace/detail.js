// The detail of a span: what went in, what came out, what it took, and everything else that was received.

import { get } from '../api.js';
import { copy } from '../copy.js';
import { fill, h } from '../dom.js';
import { count } from '../format.js';
import { kindMark, stateMark } from '../kinds.js';
import { ask, asked } from '../router.js';
import { factsOf } from './facts.js';
import { jsonTree } from './json_tree.js';
import { tabsOf } from './tabs.js';

/** @typedef {import('../types.js').SpanDetail} SpanDetail */
/** @typedef {import('./tree.js').Node} Node */

export class Detail {
  /** @param {() => void} close */
  constructor(close) {
    this.element = h('section', { class: 'detail', 'aria-label': 'Detail', tabindex: '-1' });
    this.close = close;
    /** @type {Node|null} */
    this.node = null;
    /** @type {SpanDetail|null} */
    this.detail = null;
    this.shown = '';
    this.asking = new AbortController();
    this.timer = 0;
  }

  /**
   * Shows a span. While the same one is shown, it is asked for again only when it changed.
   * @param {Node|null} node
   */
  show(node) {
    const name = node === null ? '' : `${node.span.span_id} ${node.span.state} ${node.span.end_us}`;
    const same = node !== null && node.span.span_id === this.node?.span.span_id;
    this.node = node;
    if (name === this.shown) return;
    this.shown = name;
    this.asking.abort();
    clearTimeout(this.timer);
    if (node === null) {
      fill(this.element);
      return;
    }
    if (!same) {
      this.detail = null;
      this.element.scrollTop = 0;
    }
    // Rows passed by with `j` held down are not asked for.
    this.timer = setTimeout(() => this.load(node), this.detail === null ? 60 : 0);
  }

  /** @param {Node} node */
  async load(node) {
    this.asking = new AbortController();
    const { signal } = this.asking;
    const { trace_id, span_id } = node.span;
    try {
      this.detail = await get(
        `/traces/${encodeURIComponent(trace_id)}/spans/${encodeURIComponent(span_id)}`,
        {},
        signal,
      );
      this.draw();
    } catch (error) {
      if (signal.aborted) return;
      fill(
        this.element,
        this.head(node),
        h('p', { class: 'fault', role: 'alert' }, /** @type {Error} */ (error).message),
      );
    }
  }

  draw() {
    const { node, detail } = this;
    if (!node || !detail) return;
    if (asked('raw') === '1') {
      fill(this.element, this.head(node), h('div', 'pane raw', jsonTree(detail, 3)));
      return;
    }
    const tabs = tabsOf(detail, node);
    const wanted = asked('tab');
    const tab = tabs.find(({ name }) => name === wanted) ?? tabs[0];
    const bar = h(
      'div',
      { class: 'tabs', role: 'tablist', 'aria-label': 'Parts of the span' },
      ...tabs.map(({ name, size }) =>
        h(
          'button',
          {
            role: 'tab',
            type: 'button',
            'aria-selected': String(name === tab.name),
            id: `tab-${name}`,
            onclick: () => ask({ tab: name === tabs[0].name ? null : name }, { replace: true }),
          },
          name,
          size > 0 && h('span', 'none', count(size)),
        ),
      ),
    );
    fill(
      this.element,
      this.head(node),
      ...troubles(detail, node),
      bar,
      h('div', { class: `pane t-${tab.name}`, role: 'tabpanel', 'aria-labelledby': `tab-${tab.name}` }, tab.draw()),
    );
    // Where there is little room, the chosen one may be out of sight.
    bar.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  /** @param {Node} node */
  head({ span }) {
    const raw = asked('raw') === '1';
    return h(
      'header',
      'detail-head',
      h(
        'div',
        'detail-title',
        kindMark(span.kind),
        h('h2', { title: span.name }, span.name),
        stateMark(span.state),
        h(
          'span',
          'detail-actions',
          h(
            'button',
            {
              class: 'quiet',
              type: 'button',
              'aria-pressed': String(raw),
              title: 'raw JSON (e)',
              onclick: () => ask({ raw: raw ? null : '1' }, { replace: true }),
            },
            'raw',
          ),
          h(
            'button',
            {
              class: 'quiet',
              type: 'button',
              title: 'copy the whole span as JSON',
              onclick: () => copy(JSON.stringify(this.detail, null, 2), 'JSON'),
            },
            'copy JSON',
          ),
          h(
            'button',
            {
              class: 'quiet close',
              type: 'button',
              title: 'close (esc)',
              'aria-label': 'close the detail',
              onclick: this.close,
            },
            '✕',
          ),
        ),
      ),
      h(
        'dl',
        { class: 'facts', tabindex: '0', 'aria-label': 'Facts' },
        ...factsOf(span, this.detail).map(([value, name, title]) =>
          h('div', { title: title || null }, h('dt', null, name), h('dd', null, value)),
        ),
      ),
    );
  }
}

/**
 * @param {SpanDetail} detail
 * @param {Node} node
 */
function troubles(detail, node) {
  // A start is announced in short; the span brings the whole.
  const cut = (/** @type {string} */ name) =>
    detail.state === 'running' ? `${name} is shown in part until it ends` : `${name} was too large and was cut`;
  const odd = [...node.odd, ...detail.truncated.map(cut)];
  return [
    detail.error &&
      h(
        'div',
        { class: 'trouble bad', role: 'note' },
        h('b', null, detail.error.type ?? 'failed'),
        ' ',
        h('span', null, detail.error.message ?? ''),
      ),
    odd.length > 0 && h('div', { class: 'trouble', role: 'note' }, ...odd.map((text) => h('div', null, text))),
  ];
}
