// Steps from row to row of a trace: up and down, into what is folded, and from match to match.

/** @typedef {import('./tree.js').Node} Node */

/**
 * @typedef {object} Walk
 * @property {import('./rows.js').Rows} rows
 * @property {() => string} here The id of the span that is shown.
 * @property {(id: string) => void} choose
 * @property {() => void} show Brings the row that is shown into sight.
 * @property {() => void} draw
 */

export class Steps {
  /** @param {Walk} walk */
  constructor(walk) {
    this.walk = walk;
  }

  get node() {
    return this.walk.rows.node(this.walk.here());
  }

  /** @param {Node|null} node */
  to(node) {
    if (!node) return;
    this.walk.choose(node.span.span_id);
    this.walk.show();
  }

  /** @param {number} by */
  move(by) {
    this.to(this.walk.rows.away(this.walk.here(), by));
  }

  /** @param {1|-1} by */
  toMatch(by) {
    const { rows, here } = this.walk;
    const node = rows.match(here(), by);
    if (!node) return;
    rows.reveal(node.span.span_id);
    this.to(node);
  }

  /** @param {Node} node */
  turnFold(node, fold = !this.walk.rows.isFolded(node)) {
    this.walk.rows.fold(node, fold);
    this.walk.draw();
  }

  /** Folds, or goes up from what cannot be folded. */
  left() {
    const { node, walk } = this;
    if (node && node.children.length > 0 && !walk.rows.isFolded(node)) this.turnFold(node, true);
    else if (node?.span.parent_id) this.to(walk.rows.node(node.span.parent_id));
  }

  /** Unfolds, or goes on. */
  right() {
    const { node, walk } = this;
    if (node && walk.rows.isFolded(node)) this.turnFold(node, false);
    else this.move(1);
  }

  get keys() {
    return {
      j: () => this.move(1),
      k: () => this.move(-1),
      n: () => this.toMatch(1),
      N: () => this.toMatch(-1),
      left: () => this.left(),
      right: () => this.right(),
    };
  }
}
