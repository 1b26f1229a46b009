// Which lane a span is in: model calls and tools, packed into as few lanes as they need, and how many ran at each moment.

/** @typedef {import('../types.js').SpanSummary} SpanSummary */
/** @typedef {{span: SpanSummary, lane: number}} Placed */
/** @typedef {{at: number, running: number}} Step */
/** @typedef {{placed: Placed[], lanes: number, steps: Step[]}} Packed */

const WORK = new Set(['generation', 'embedding', 'tool', 'retriever']);

/**
 * Packs spans into lanes: each into the first that is free.
 * @param {Iterable<SpanSummary>} spans
 * @param {number} now
 * @returns {Packed}
 */
export function pack(spans, now) {
  const all = [...spans];
  const around = withCalls(all);
  const work = all
    .filter(({ kind, name, span_id }) => WORK.has(kind) && !/^attempt\b/.test(name) && !around.has(span_id))
    .sort((a, b) => a.start_us - b.start_us);
  /** @type {number[]} */
  const free = [];
  const placed = work.map((span) => {
    const found = free.findIndex((until) => until <= span.start_us);
    const lane = found < 0 ? free.length : found;
    free[lane] = endOf(span, now);
    return { span, lane };
  });
  const changes = work
    .flatMap((span) => [
      { at: span.start_us, by: 1 },
      { at: endOf(span, now), by: -1 },
    ])
    .sort((a, b) => a.at - b.at || a.by - b.by);
  let running = 0;
  const steps = changes.map(({ at, by }) => ({ at, running: (running += by) }));
  return { placed, lanes: free.length, steps };
}

/**
 * The spans that have a model call in them. A tool that is an agent of its own does nothing but what its calls do: counting
 * both would say that twice as much ran.
 * @param {SpanSummary[]} spans
 * @returns {Set<string>}
 */
function withCalls(spans) {
  const parents = new Map(spans.map(({ span_id, parent_id }) => [span_id, parent_id]));
  /** @type {Set<string>} */
  const found = new Set();
  for (const { kind, parent_id } of spans) {
    if (kind !== 'generation' && kind !== 'embedding') continue;
    for (let id = parent_id; id && !found.has(id); id = parents.get(id) ?? null) found.add(id);
  }
  return found;
}

/** @param {SpanSummary} span @param {number} now */
function endOf(span, now) {
  return span.end_us ?? (span.state === 'running' ? now : span.start_us);
}
