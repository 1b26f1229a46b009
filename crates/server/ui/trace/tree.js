// The tree of a trace as rows: parents before children, folded ones left out, roll-ups that count model calls once.
// Nothing that was received can break it: orphans get a place of their own, cycles are cut, depth is not recursion.

import { addMoney } from '../format.js';

/** @typedef {import('../types.js').SpanSummary} SpanSummary */

/**
 * @typedef {object} Node
 * @property {SpanSummary} span
 * @property {Node[]} children By start.
 * @property {number} depth
 * @property {number} tokens Of the model calls in and below it.
 * @property {string|null} cost
 * @property {number} errors Failed spans below it.
 * @property {number} below How many spans are below it.
 * @property {string[]} odd What was found to be wrong with it.
 */

/** The id of the row that holds spans whose parent is not here. */
export const ORPHANS = 'orphans';

const CALLS = new Set(['generation', 'embedding']);

/**
 * @param {Iterable<SpanSummary>} spans
 * @param {boolean} running A parent may still come in.
 * @returns {{roots: Node[], byId: Map<string, Node>}}
 */
export function buildTree(spans, running) {
  /** @type {Map<string, Node>} */
  const byId = new Map();
  for (const span of spans) {
    byId.set(span.span_id, {
      span,
      children: [],
      depth: 0,
      tokens: 0,
      cost: null,
      errors: 0,
      below: 0,
      odd: [...span.odd],
    });
  }
  /** @type {Node[]} */
  const roots = [];
  /** @type {Node[]} */
  const orphans = [];
  for (const node of byId.values()) {
    const parent = node.span.parent_id === null ? null : byId.get(node.span.parent_id);
    if (parent) parent.children.push(node);
    else if (node.span.parent_id === null) roots.push(node);
    else orphans.push(node);
  }
  cutCycles(byId, [...roots, ...orphans], roots);
  if (orphans.length > 0) {
    // A trace that has no root of its own was started elsewhere: its topmost spans are its roots.
    if (roots.length === 0 && orphans.every(({ span }) => span.parent_id === orphans[0].span.parent_id))
      roots.push(...orphans);
    else roots.push(orphanage(orphans, running, byId));
  }
  sum(roots);
  return { roots, byId };
}

/**
 * @param {Node[]} orphans
 * @param {boolean} running
 * @param {Map<string, Node>} byId
 * @returns {Node}
 */
function orphanage(orphans, running, byId) {
  const start = Math.min(...orphans.slice(0, 1000).map(({ span }) => span.start_us));
  const end = Math.max(...orphans.slice(0, 1000).map(({ span }) => span.end_us ?? span.start_us));
  const name = `${orphans.length} ${orphans.length === 1 ? 'span' : 'spans'} whose parent ${running ? 'has not come in yet' : 'never came in'}`;
  /** @type {SpanSummary} */
  const span = {
    trace_id: orphans[0].span.trace_id,
    span_id: ORPHANS,
    parent_id: null,
    name,
    kind: 'event',
    state: 'done',
    start_us: start,
    end_us: end,
    duration_us: end - start,
    error: null,
    model: null,
    provider: null,
    tokens: null,
    cost_usd: null,
    phases: null,
    notes: [],
    odd: [],
    service: null,
    has_input: false,
    has_output: false,
  };
  const node = { span, children: orphans, depth: 0, tokens: 0, cost: null, errors: 0, below: 0, odd: [] };
  byId.set(ORPHANS, node);
  return node;
}

/**
 * What no root reaches goes round in a circle: the earliest of it becomes a root.
 * @param {Map<string, Node>} byId
 * @param {Node[]} tops
 * @param {Node[]} roots
 */
function cutCycles(byId, tops, roots) {
  /** @type {Set<Node>} */
  const reached = new Set();
  /** @param {Node} top */
  const reach = (top) => {
    const stack = [top];
    for (let node = stack.pop(); node; node = stack.pop()) {
      reached.add(node);
      node.children = node.children.filter((child) => !reached.has(child));
      stack.push(...node.children);
    }
  };
  tops.forEach(reach);
  if (reached.size === byId.size) return;
  const lost = [...byId.values()]
    .filter((node) => !reached.has(node))
    .sort((a, b) => a.span.start_us - b.span.start_us);
  for (const node of lost) {
    if (reached.has(node)) continue;
    if (!node.odd.some((text) => text.startsWith('cycle')))
      node.odd.push('cycle: its parent is below it, so it is shown at the top');
    roots.push(node);
    reach(node);
  }
}

/**
 * Sets depth and roll-ups, children before parents.
 * @param {Node[]} roots
 */
function sum(roots) {
  roots.sort(byStart);
  /** @type {Node[]} */
  const order = [];
  const stack = [...roots];
  for (let node = stack.pop(); node; node = stack.pop()) {
    order.push(node);
    node.children.sort(byStart);
    for (const child of node.children) {
      child.depth = node.depth + 1;
      stack.push(child);
    }
  }
  for (const node of order.reverse()) {
    for (const child of node.children) {
      node.tokens += child.tokens;
      node.cost = addMoney(node.cost, child.cost);
      node.errors += child.errors + (child.span.state === 'error' ? 1 : 0);
      node.below += child.below + 1;
    }
    // A call around other calls (a router, a proxy) told the same tokens again: those below it count.
    if (CALLS.has(node.span.kind) && node.tokens === 0) node.tokens = node.span.tokens?.total ?? 0;
    if (CALLS.has(node.span.kind) && node.cost === null) node.cost = node.span.cost_usd;
  }
}

/**
 * @param {Node} left
 * @param {Node} right
 */
function byStart(left, right) {
  return (
    Number(left.span.span_id === ORPHANS) - Number(right.span.span_id === ORPHANS) ||
    left.span.start_us - right.span.start_us
  );
}

/**
 * The rows to show, from the top down.
 * @param {Node[]} roots
 * @param {Set<string>} folded
 * @returns {Node[]}
 */
export function visibleRows(roots, folded) {
  /** @type {Node[]} */
  const rows = [];
  const stack = [...roots].reverse();
  for (let node = stack.pop(); node; node = stack.pop()) {
    rows.push(node);
    if (folded.has(node.span.span_id)) continue;
    for (let at = node.children.length - 1; at >= 0; at -= 1) stack.push(node.children[at]);
  }
  return rows;
}
