// The facts on a span in a line: what it took, its tokens, its cost, and when and where it ran.

import { clock, count, duration, grouped, moment, money } from '../format.js';

/**
 * @param {import('../types.js').SpanSummary} span
 * @param {import('../types.js').SpanDetail|null} detail
 * @returns {[string, string, string][]} Value, name, and what is said on hovering.
 */
export function factsOf(span, detail) {
  const told = span.tokens;
  /** @type {[string, string, string][]} */
  const facts = [];
  if (span.duration_us !== null) facts.push([duration(span.duration_us), 'took', `${grouped(span.duration_us)} µs`]);
  if (span.phases?.first_chunk_us)
    facts.push([duration(span.phases.first_chunk_us), 'first words', 'after the start of the call, with its waiting']);
  if (told)
    facts.push([
      `${count(sent(told))} → ${count((told.output ?? 0) + (told.reasoning ?? 0))}`,
      'tokens',
      tokensInWords(told),
    ]);
  if (told?.output && span.duration_us && span.phases?.first_chunk_us && span.duration_us > span.phases.first_chunk_us)
    facts.push([
      `${((told.output + (told.reasoning ?? 0)) / ((span.duration_us - span.phases.first_chunk_us) / 1e6)).toFixed(0)}`,
      'tokens/s',
      'while it answered',
    ]);
  if (span.cost_usd !== null) facts.push([money(span.cost_usd), 'cost', `$${span.cost_usd}`]);
  facts.push([clock(span.start_us), 'started', moment(span.start_us)]);
  if (span.model)
    facts.push([
      span.model,
      'model',
      detail?.response_model && detail.response_model !== span.model ? `answered by ${detail.response_model}` : '',
    ]);
  if (span.provider) facts.push([span.provider, 'provider', '']);
  if (detail && detail.finish_reasons.length > 0) facts.push([detail.finish_reasons.join(', '), 'finish', '']);
  return facts;
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
