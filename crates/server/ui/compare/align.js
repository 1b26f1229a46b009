// Two traces side by side: their spans are matched by where they are, that is by the names from the root down. Spans of the
// same name below the same step are one step, so that a third turn more is seen as such.

import { addMoney } from '../format.js';
import { buildTree } from '../trace/tree.js';

/** @typedef {import('../types.js').SpanSummary} SpanSummary */
/** @typedef {import('../trace/tree.js').Node} Node */

/**
 * @typedef {object} Sum What a step came to in one of the traces.
 * @property {number} times
 * @property {number} us
 * @property {number} tokens
 * @property {string|null} cost
 * @property {number} failed
 * @property {number} retries
 * @property {string} first The id of its first span.
 */

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {import('../types.js').Kind} kind
 * @property {number} depth
 * @property {[Sum|null, Sum|null]} sums Before and after; `null` where it did not happen.
 */

const MOST_STEPS = 500;

/** @typedef {{step: Step, below: Map<string, Branch>}} Branch */

/**
 * The steps of both, in the order of their first start.
 * @param {SpanSummary[]} before
 * @param {SpanSummary[]} after
 * @returns {{steps: Step[], cut: number}} `cut` steps are too many to be shown.
 */
export function align(before, after) {
  /** @type {Map<string, Branch>} */
  const trunk = new Map();
  [before, after].forEach((spans, side) => {
    // Not by calls of itself: what was received may be deeper than a stack.
    const rest = buildTree(spans, false).roots.map((node) => ({ node, into: trunk, depth: 0 }));
    for (let at = 0; at < rest.length; at += 1) {
      const { node, into, depth } = rest[at];
      const branch = branchOf(into, node, depth);
      branch.step.sums[side] = plus(branch.step.sums[side], node);
      rest.push(...node.children.map((child) => ({ node: child, into: branch.below, depth: depth + 1 })));
    }
  });
  const steps = flatten(trunk);
  return { steps: steps.slice(0, MOST_STEPS), cut: Math.max(0, steps.length - MOST_STEPS) };
}

/**
 * @param {Map<string, Branch>} into
 * @param {Node} node
 * @param {number} depth
 * @returns {Branch}
 */
function branchOf(into, { span }, depth) {
  // Numbers tell siblings apart, such as turns and attempts: they are the same step.
  const name = span.name.replace(/\d+/g, '#');
  let branch = into.get(name);
  if (!branch) {
    branch = { step: { name: span.name, kind: span.kind, depth, sums: [null, null] }, below: new Map() };
    into.set(name, branch);
  } else if (branch.step.name !== span.name) branch.step.name = name;
  return branch;
}

/**
 * @param {Sum|null} sum
 * @param {Node} node
 * @returns {Sum}
 */
function plus(sum, { span, tokens, cost }) {
  const before = sum ?? { times: 0, us: 0, tokens: 0, cost: null, failed: 0, retries: 0, first: span.span_id };
  return {
    times: before.times + 1,
    us: before.us + (span.duration_us ?? 0),
    tokens: before.tokens + tokens,
    cost: addMoney(before.cost, cost),
    failed: before.failed + (span.state === 'error' ? 1 : 0),
    retries: before.retries + Math.max(0, (span.phases?.attempts ?? 1) - 1),
    first: before.first,
  };
}

/**
 * @param {Map<string, Branch>} trunk
 * @returns {Step[]}
 */
function flatten(trunk) {
  /** @type {Step[]} */
  const steps = [];
  const rest = [...trunk.values()].reverse();
  for (let branch = rest.pop(); branch; branch = rest.pop()) {
    steps.push(branch.step);
    rest.push(...[...branch.below.values()].reverse());
  }
  return steps;
}
