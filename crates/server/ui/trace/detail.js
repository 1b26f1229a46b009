// The detail of a span: what went in, what came out, what it took, and everything else that was received.

import { get } from '../api.js';
import { copy } from '../copy.js';
import { fill, h } from '../dom.js';
import { clock, count, duration, grouped, moment, money } from '../format.js';
import { kindMark, stateMark } from '../kinds.js';
import { ask, asked, tracePath } from '../router.js';
import { attempts } from './attempts.js';
import { jsonTree } from './json_tree.js';
import { anything, conversation } from './messages.js';

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
  }

  /** @param {Node} node */
  head({ span }) {
    const raw = asked('raw') === '1';
    const detail = this.detail;
    const told = span.tokens;
    /** @type {[string, string, string][]} */
    const facts = [];
    if (span.duration_us !== null) facts.push([duration(span.duration_us), 'took', `${grouped(span.duration_us)} µs`]);
    if (span.phases?.first_chunk_us) facts.push([duration(span.phases.first_chunk_us), 'first words', '']);
    if (told)
      facts.push([
        `${count(sent(told))} → ${count((told.output ?? 0) + (told.reasoning ?? 0))}`,
        'tokens',
        tokensInWords(told),
      ]);
    if (
      told?.output &&
      span.duration_us &&
      span.phases?.first_chunk_us &&
      span.duration_us > span.phases.first_chunk_us
    )
      facts.push([
        `${((told.output + (told.reasoning ?? 0)) / ((span.duration_us - span.phases.first_chunk_us) / 1e6)).toFixed(0)}`,
        'tok/s',
        '',
      ]);
    if (span.cost_usd !== null) facts.push([money(span.cost_usd), 'cost', `$${span.cost_usd}`]);
    facts.push([clock(span.start_us), 'started', moment(span.start_us)]);
    if (span.model)
      facts.push([
        span.model,
        span.provider ?? 'model',
        detail?.response_model && detail.response_model !== span.model ? `answered by ${detail.response_model}` : '',
      ]);
    if (detail && detail.finish_reasons.length > 0) facts.push([detail.finish_reasons.join(', '), 'finish', '']);
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
        ...facts.map(([value, name, title]) =>
          h('div', { title: title || null }, h('dt', null, name), h('dd', null, value)),
        ),
      ),
    );
  }
}

/** @param {import('../types.js').Tokens} told */
function sent(told) {
  return (told.input ?? 0) + (told.cache_read ?? 0) + (told.cache_write ?? 0);
}

/** @param {import('../types.js').Tokens} told */
function tokensInWords(told) {
  return [
    [told.input, 'input'],
    [told.cache_read, 'read from the cache'],
    [told.cache_write, 'written to the cache'],
    [told.output, 'output'],
    [told.reasoning, 'reasoning'],
    [told.total, 'together'],
  ]
    .filter(([value]) => value !== null)
    .map(([value, name]) => `${grouped(Number(value))} ${name}`)
    .join('\n');
}

/**
 * @param {SpanDetail} detail
 * @param {Node} node
 */
function troubles(detail, node) {
  const odd = [...node.odd, ...detail.truncated.map((name) => `${name} was too large and was cut`)];
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

/**
 * @param {SpanDetail} detail
 * @param {Node} node
 * @returns {{name: string, size: number, draw: () => HTMLElement}[]}
 */
function tabsOf(detail, node) {
  const attributes = Object.keys(detail.attributes).length + Object.keys(detail.resource).length;
  const talks = detail.messages !== null || detail.reply !== null;
  const failed = node.children.filter(({ span }) => /^attempt\b/.test(span.name));
  const hasPhases = detail.phases !== null && detail.kind === 'generation';
  /** @type {({name: string, size: number, draw: () => HTMLElement}|false)[]} */
  const tabs = [
    talks && {
      name: 'Messages',
      size: detail.messages?.length ?? 0,
      draw: () => conversation(detail.messages ?? [], detail.reply, detail.state === 'running'),
    },
    !talks && detail.input !== null && { name: 'Input', size: 0, draw: () => anything(detail.input) },
    detail.output !== null && { name: 'Output', size: 0, draw: () => anything(detail.output) },
    hasPhases && {
      name: 'Attempts',
      size: detail.phases?.attempts ?? failed.length + 1,
      draw: () => attempts(detail, failed),
    },
    talks && detail.input !== null && { name: 'Input', size: 0, draw: () => anything(detail.input) },
    detail.tools.length > 0 && {
      name: 'Tools',
      size: detail.tools.length,
      draw: () =>
        h(
          'div',
          null,
          ...detail.tools.map((tool) =>
            h(
              'div',
              'tool',
              h('b', null, tool.name),
              h('p', null, tool.description ?? ''),
              jsonTree(tool.parameters, 1),
            ),
          ),
        ),
    },
    Object.keys(detail.parameters).length > 0 && {
      name: 'Parameters',
      size: Object.keys(detail.parameters).length,
      draw: () => pairs(detail.parameters),
    },
    detail.events.length > 0 && {
      name: 'Events',
      size: detail.events.length,
      draw: () =>
        h(
          'div',
          null,
          ...detail.events.map((event) =>
            h(
              'div',
              'event',
              h('span', 'num', `+${duration(event.at_us - detail.start_us)}`),
              ' ',
              h('b', null, event.name),
              pairs(event.attributes),
            ),
          ),
        ),
    },
    detail.links.length > 0 && {
      name: 'Links',
      size: detail.links.length,
      draw: () =>
        h(
          'div',
          null,
          ...detail.links.map((link) =>
            h(
              'p',
              null,
              h('a', { href: tracePath(link.trace_id, link.span_id) }, `${link.trace_id} / ${link.span_id}`),
            ),
          ),
        ),
    },
    Object.keys(detail.metadata).length > 0 && {
      name: 'Metadata',
      size: Object.keys(detail.metadata).length,
      draw: () => pairs(detail.metadata),
    },
    {
      name: 'Attributes',
      size: attributes,
      draw: () =>
        h(
          'div',
          null,
          pairs(detail.attributes),
          section('Resource', detail.resource),
          section('Ids', {
            trace_id: detail.trace_id,
            span_id: detail.span_id,
            parent_id: detail.parent_id,
            response_id: detail.response_id,
            scope: detail.scope ? `${detail.scope.name ?? ''} ${detail.scope.version ?? ''}`.trim() : null,
          }),
        ),
    },
  ];
  return tabs.filter((tab) => tab !== false);
}

/** @param {string} title @param {Record<string, unknown>} values */
function section(title, values) {
  return h('div', null, h('h3', null, title), pairs(values));
}

/** @param {Record<string, unknown>} values */
function pairs(values) {
  return h(
    'dl',
    'pairs',
    ...Object.entries(values)
      .filter(([, value]) => value !== null && value !== undefined)
      .flatMap(([key, value]) => [
        h('dt', null, key),
        h('dd', null, typeof value === 'object' || typeof value === 'string' ? anything(value) : String(value)),
      ]),
  );
}
