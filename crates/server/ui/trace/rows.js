// Which rows are shown: the tree with what is folded, what a search found, and how one gets from one row to another.

import { buildTree, visibleRows } from './tree.js';

/** @typedef {import('./tree.js').Node} Node */

export class Rows {
  constructor() {
    /** @type {{roots: Node[], byId: Map<string, Node>}} */
    this.tree = { roots: [], byId: new Map() };
    /** @type {Set<string>} */
    this.folded = new Set();
    /** From the top down. @type {Node[]} */
    this.shown = [];
    /** What the search found; `null` while nothing is searched for. @type {Set<string>|null} */
    this.matches = null;
  }

  /**
   * @param {Iterable<import('../types.js').SpanSummary>} spans
   * @param {boolean} running
   */
  build(spans, running) {
    this.tree = buildTree(spans, running);
    this.unfold();
  }

  unfold() {
    this.shown = visibleRows(this.tree.roots, this.folded);
  }

  /** @param {string} id */
  node(id) {
    return this.tree.byId.get(id) ?? null;
  }

  /** @param {string} id */
  indexOf(id) {
    return this.shown.findIndex(({ span }) => span.span_id === id);
  }

  /** @param {Node} node */
  isFolded(node) {
    return this.folded.has(node.span.span_id);
  }

  /**
   * Folds a row, or unfolds it.
   * @param {Node} node
   * @param {boolean} fold
   */
  fold(node, fold) {
    if (node.children.length === 0) return;
    if (fold) this.folded.add(node.span.span_id);
    else this.folded.delete(node.span.span_id);
    this.unfold();
  }

  /** Unfolds what is above a span. @param {string} id */
  reveal(id) {
    const seen = new Set();
    for (let node = this.node(id); node && !seen.has(node); node = this.node(node.span.parent_id ?? '')) {
      seen.add(node);
      if (node.span.span_id !== id) this.folded.delete(node.span.span_id);
    }
    this.unfold();
  }

  /**
   * The row so many rows away, or the last one there.
   * @param {string} id
   * @param {number} by
   */
  away(id, by) {
    const at = this.indexOf(id) + by;
    return this.shown[Math.min(this.shown.length - 1, Math.max(0, at))] ?? null;
  }

  /**
   * The next match, also in what is folded; after the last one comes the first.
   * @param {string} id
   * @param {1|-1} by
   */
  match(id, by) {
    if (!this.matches || this.matches.size === 0) return null;
    const all = visibleRows(this.tree.roots, new Set());
    const at = all.findIndex(({ span }) => span.span_id === id);
    for (let step = 1; step <= all.length; step += 1) {
      const node = all[(at + by * step + all.length * 2) % all.length];
      if (this.matches.has(node.span.span_id)) return node;
    }
    return null;
  }
}
