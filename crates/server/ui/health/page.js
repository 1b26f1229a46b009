// Health: is anything being lost? Who sends, what was refused and why, and how large the store is.

import { ApiError, get } from '../api.js';
import { copy } from '../copy.js';
import { fill, h } from '../dom.js';
import { count } from '../format.js';
import { ingest, outlets, senders, store } from './sections.js';

/** @typedef {import('./sections.js').Health} Health */

const EVERY_MS = 2000;

/**
 * @param {HTMLElement} main
 * @returns {import('../router.js').Page}
 */
export function healthPage(main) {
  const gone = new AbortController();
  const verdict = h('div', { class: 'verdict', role: 'status' });
  const body = h('div', 'health');
  main.classList.add('page-scroll');
  fill(main, h('h1', 'unseen', 'Health'), verdict, body);
  let drawn = '';

  async function load() {
    try {
      /** @type {Health} */
      const health = await get('/health', {}, gone.signal);
      const losses = lossesOf(health);
      const name = JSON.stringify([losses, health]);
      if (name === drawn) return;
      drawn = name;
      verdict.classList.toggle('bad', losses.length > 0);
      fill(
        verdict,
        h('b', null, losses.length === 0 ? 'Nothing is being lost.' : 'Spans are being lost.'),
        h('span', null, losses.length === 0 ? kept(health) : losses.join(', ')),
      );
      fill(body, senders(health), ingest(health), store(health));
    } catch (error) {
      if (gone.signal.aborted) return;
      drawn = '';
      verdict.classList.add('bad');
      const unreachable = error instanceof ApiError && error.status === 0;
      fill(
        verdict,
        h('b', null, unreachable ? 'The server does not answer.' : 'The server cannot tell how it does.'),
        h('span', null, unreachable ? 'Below is what it said last.' : /** @type {Error} */ (error).message),
      );
    }
  }

  const timer = setInterval(() => {
    if (!document.hidden) load();
  }, EVERY_MS);
  load();
  return {
    leave() {
      gone.abort();
      clearInterval(timer);
    },
    keys: { y: () => copy(location.href, 'link'), e: () => window.open('/api/v1/health', '_blank', 'noopener') },
  };
}

/**
 * @param {Health} health
 * @returns {string[]}
 */
function lossesOf({ ingest: { rejected }, senders: all }) {
  const losses = Object.entries(rejected)
    .filter(([, times]) => times > 0)
    .map(([reason, times]) => `${count(times)} refused (${reason})`);
  for (const sender of all) {
    for (const outlet of outlets(sender)) {
      const dropped = Object.values(outlet.dropped ?? {}).reduce((sum, times) => sum + times, 0);
      if (dropped > 0) losses.push(`${count(dropped)} dropped by ${sender.service ?? sender.process ?? 'a program'}`);
    }
  }
  return losses;
}

/** @param {Health} health */
function kept({ store: { spans, traces } }) {
  if (spans === 0) return 'Nothing has come in yet.';
  return `All that came in is kept: ${count(spans)} spans in ${count(traces)} traces.`;
}
