// What can be typed in a filter: its keys, and the values that there are.

import { get } from '../api.js';
import { count } from '../format.js';
import { term } from '../router.js';

/** @type {[string, string][]} */
const FILTER_KEYS = [
  ['name', 'of a trace or span'],
  ['model', 'gpt-*'],
  ['status', 'running, done, error, abandoned'],
  ['kind', 'generation, tool, agent ..'],
  ['event', 'span_end, llm.error ..'],
  ['cost', 'dollars, >0.01'],
  ['duration', '>=2s, 100ms..1s'],
  ['tokens', '100..500'],
  ['start', '>-1h'],
  ['has', 'error, score, cache_hit, parent'],
  ['session', ''],
  ['user', ''],
  ['tag', ''],
  ['environment', ''],
  ['service', ''],
  ['release', ''],
  ['version', ''],
  ['provider', ''],
  ['error', 'type or words'],
  ['tool', 'name of a tool'],
  ['retries', '>0'],
  ['errors', '>0'],
  ['spans', '>100'],
  ['trace', 'id'],
  ['span', 'id'],
  ['parent', 'id of a span'],
  ['metadata.', 'metadata.KEY:value'],
];

/** @type {Record<string, string[]>} */
const FIXED = {
  status: ['running', 'done', 'error', 'abandoned'],
  kind: ['generation', 'agent', 'tool', 'chain', 'retriever', 'embedding', 'evaluator', 'guardrail', 'span'],
  event: [
    'span_start',
    'span_end',
    'llm.*',
    '*.error',
    'llm.request',
    'llm.generate',
    'llm.error',
    'tool.start',
    'tool.complete',
    'tool.error',
    'module.start',
    'module.complete',
    'module.error',
  ],
  has: ['error', 'score', 'cache_hit', 'parent'],
  start: ['>-15m', '>-1h', '>-24h', '>-7d'],
  duration: ['>1s', '>5s', '>30s'],
  cost: ['>0.01', '>0.1', '>1'],
  retries: ['>0'],
  errors: ['>0'],
};
const COUNTED = new Set(['model', 'name', 'session', 'user', 'tag', 'environment', 'service']);

/**
 * Tells whether a word is only the beginning of a term: of a key, or a key whose value is still to come.
 * @param {string} word
 */
export function isBeginning(word) {
  const bare = word.replace(/^-/, '').toLowerCase();
  return bare !== '' && FILTER_KEYS.some(([key]) => key.startsWith(bare) || bare === `${key}:`);
}

/** @typedef {{text: string, hint: string}} Suggestion */

/**
 * What a word of a filter can become.
 * @param {string} word
 * @returns {Promise<Suggestion[]>}
 */
export async function suggestionsFor(word) {
  const bare = word.replace(/^-/, '');
  const colon = bare.indexOf(':');
  if (colon < 0) {
    return FILTER_KEYS.filter(([key]) => key.startsWith(bare.toLowerCase()) && key !== bare).map(([key, hint]) => ({
      text: key.endsWith('.') ? key : `${key}:`,
      hint,
    }));
  }
  const key = bare.slice(0, colon);
  const prefix = bare
    .slice(colon + 1)
    .replaceAll('"', '')
    .toLowerCase();
  if (FIXED[key]) {
    return FIXED[key]
      .filter((text) => text.startsWith(prefix) && text !== prefix)
      .map((text) => ({ text: `${key}:${text}`, hint: '' }));
  }
  const facet = key === 'env' ? 'environment' : key;
  if (!COUNTED.has(facet)) return [];
  /** @type {{items: {value: string, count: number}[]}} */
  const { items } = await get('/facets', { key: facet });
  return items
    .filter(({ value }) => value.toLowerCase().includes(prefix))
    .slice(0, 12)
    .map(({ value, count: times }) => ({ text: term(key, value), hint: count(times) }));
}
