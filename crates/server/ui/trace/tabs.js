// The parts of a span's detail: messages, input and output, attempts, tools, parameters, attributes.

import { copyButton } from '../copy.js';
import { h } from '../dom.js';
import { duration } from '../format.js';
import { tracePath } from '../router.js';
import { attempts } from './attempts.js';
import { code, runsCode } from './code.js';
import { jsonTree } from './json_tree.js';
import { holdsNeedle } from './needles.js';
import { anything, conversation } from './messages.js';

/** @typedef {import('../types.js').SpanDetail} SpanDetail */
/** @typedef {import('./tree.js').Node} Node */

/**
 * @typedef {object} Tab
 * @property {string} name
 * @property {number} size How much is in it, if that can be counted.
 * @property {boolean} [found] What is searched for is in it.
 * @property {() => HTMLElement} draw
 */

/**
 * The parts of a span's detail that there are, the most wanted first.
 * @param {SpanDetail} detail
 * @param {Node} node
 * @returns {Tab[]}
 */
export function tabsOf(detail, node) {
  const attributes = Object.keys(detail.attributes).length + Object.keys(detail.resource).length;
  const talks = detail.messages !== null || detail.reply !== null;
  const failed = node.children.filter(({ span }) => /^attempt\b/.test(span.name));
  const hasPhases = detail.phases !== null && detail.kind === 'generation';
  const { input, output } = detail;
  /** @type {(Tab|false)[]} */
  const tabs = [
    detail.state === 'running' &&
      !talks &&
      input === null && {
        name: 'Running',
        size: 0,
        draw: () => h('p', 'none', 'It is still running. What went in and what comes out is shown as soon as it ends.'),
      },
    talks && {
      name: 'Messages',
      size: (detail.messages?.length ?? 0) + (detail.reply ? 1 : 0),
      found: holdsNeedle(detail.messages) || holdsNeedle(detail.reply),
      draw: () => conversation(detail.messages ?? [], detail.reply, detail.state === 'running'),
    },
    !talks &&
      (input !== null || output !== null) && {
        name: input === null ? 'Output' : output === null ? 'Input' : 'Input and output',
        size: 0,
        found: holdsNeedle(input) || holdsNeedle(output),
        draw: () => inAndOut(detail),
      },
    hasPhases && {
      name: 'Attempts',
      size: detail.phases?.attempts ?? failed.length + 1,
      draw: () => attempts(detail, failed),
    },
    detail.tools.length > 0 && {
      name: 'Tools',
      size: detail.tools.length,
      found: holdsNeedle(detail.tools),
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
    talks && output !== null && { name: 'Output', size: 0, found: holdsNeedle(output), draw: () => anything(output) },
    talks && input !== null && { name: 'Input', size: 0, found: holdsNeedle(input), draw: () => anything(input) },
    detail.events.length > 0 && {
      name: 'Events',
      size: detail.events.length,
      found: holdsNeedle(detail.events),
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
      found: holdsNeedle(detail.attributes),
      draw: () =>
        h(
          'div',
          null,
          pairs(detail.attributes),
          Object.keys(detail.resource).length > 0 && section('Resource', detail.resource),
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

/**
 * What went in above what came out; of a tool that runs code, what went in is code.
 * @param {SpanDetail} detail
 */
function inAndOut(detail) {
  const { input, output } = detail;
  const isCode = typeof input === 'string' && runsCode(detail);
  const both = input !== null && output !== null;
  /** @param {string} name @param {unknown} value @param {HTMLElement} shown */
  const part = (name, value, shown) =>
    h(
      'section',
      { class: 'payload', 'aria-label': name },
      both && h('h3', null, name),
      shown,
      copyButton(() => (typeof value === 'string' ? value : JSON.stringify(value, null, 2)), name.toLowerCase()),
    );
  return h(
    'div',
    'in-and-out',
    input !== null && part(isCode ? 'Code' : 'Input', input, isCode ? code(input) : anything(input)),
    output !== null && part('Output', output, anything(output)),
  );
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
      .filter(([, value]) => value !== null && value !== undefined && value !== '')
      .flatMap(([key, value]) => [
        h('dt', null, key),
        h('dd', null, typeof value === 'object' || typeof value === 'string' ? anything(value) : String(value)),
      ]),
  );
}
