// The critical path: what the trace was waiting for at every moment. A walk back from the end takes the child that ended
// last before the cursor, descends into it, and goes on from its start.

/** @typedef {import('./tree.js').Node} Node */
/** @typedef {{from: number, to: number}} Stretch In microseconds since the epoch. */

const MOST_STEPS = 200_000;

/**
 * The stretches of each span that are on the path.
 * @param {Node[]} roots
 * @param {number} now What still runs ends here.
 * @returns {Map<string, Stretch[]>}
 */
export function criticalPath(roots, now) {
  /** @type {Map<string, Stretch[]>} */
  const path = new Map();
  const root = roots.reduce(
    (/** @type {Node|null} */ most, node) => (most === null || lasts(node, now) > lasts(most, now) ? node : most),
    null,
  );
  if (root === null) return path;

  /** @param {Node} node @param {number} from @param {number} to */
  const mark = (node, from, to) => {
    if (to <= from) return;
    const stretches = path.get(node.span.span_id);
    if (stretches) stretches.push({ from, to });
    else path.set(node.span.span_id, [{ from, to }]);
  };

  /** @type {{node: Node, floor: number, cursor: number, children: Node[]}[]} */
  const stack = [open(root, root.span.start_us, end(root, now), now)];
  for (let steps = 0; stack.length > 0; steps += 1) {
    if (steps > MOST_STEPS) throw new Error('the critical path is too long to be found in this trace');
    const level = stack[stack.length - 1];
    const child = level.children.pop();
    if (!child || level.cursor <= level.floor) {
      mark(level.node, level.floor, level.cursor);
      stack.pop();
      continue;
    }
    const childEnd = Math.min(end(child, now), level.cursor);
    const childStart = Math.max(child.span.start_us, level.floor);
    // A child that began after the cursor, or took no time, was waited for by nobody.
    if (childEnd <= childStart) continue;
    mark(level.node, childEnd, level.cursor);
    level.cursor = childStart;
    stack.push(open(child, childStart, childEnd, now));
  }
  return path;
}

/**
 * @param {Node} node
 * @param {number} floor
 * @param {number} cursor
 * @param {number} now
 */
function open(node, floor, cursor, now) {
  // The last to end is popped first.
  return { node, floor, cursor, children: [...node.children].sort((a, b) => end(a, now) - end(b, now)) };
}

/** @param {Node} node @param {number} now */
function end({ span }, now) {
  return span.end_us ?? (span.state === 'running' ? Math.max(now, span.start_us) : span.start_us);
}

/** @param {Node} node @param {number} now */
function lasts(node, now) {
  return end(node, now) - node.span.start_us;
}
