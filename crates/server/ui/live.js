// The event stream: what happens, as it happens. A broken connection is taken up again where it broke off.

import { ApiError, address, line, reach, refusal } from './api.js';

/**
 * @typedef {object} Listener
 * @property {(name: string, data: any) => void} event
 * @property {(live: boolean) => void} [state] Whether events are coming in.
 * @property {(error: ApiError) => void} [refused] The server will not give this stream; it is not asked again.
 */

const SILENCE_MS = 25_000;
const HIDDEN_MS = 30_000;

/**
 * Follows the event stream until the signal says stop. A broken connection is taken up again where it broke off; a page
 * that nobody looks at lets go of its connection, as a browser has only six of them for a server.
 * @param {Record<string, string|null>} query
 * @param {Listener} listener
 * @param {AbortSignal} signal
 */
export async function follow(query, listener, signal) {
  const place = { last: '' };
  let pause = 250;
  while (!signal.aborted) {
    await seen(signal);
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    signal.addEventListener('abort', stop);
    const unhide = whenLongHidden(stop);
    try {
      await readStream(query, listener, place, attempt, () => {
        pause = 250;
      });
    } catch (error) {
      if (error instanceof ApiError && [400, 401, 403, 404].includes(error.status)) {
        listener.refused?.(error);
        return;
      }
    } finally {
      unhide();
      signal.removeEventListener('abort', stop);
    }
    if (signal.aborted) return;
    listener.state?.(false);
    // A page that nobody looks at has let go of its stream by itself.
    if (!document.hidden) line.dispatchEvent(new Event('off'));
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, 5000);
  }
}

/**
 * @param {Record<string, string|null>} query
 * @param {Listener} listener
 * @param {{last: string}} place
 * @param {AbortController} attempt
 * @param {() => void} connected
 */
async function readStream(query, listener, place, attempt, connected) {
  /** @type {Record<string, string>} */
  const headers = place.last ? { 'last-event-id': place.last } : {};
  headers.accept = 'text/event-stream';
  const response = await reach(address('/stream', query), { headers, signal: attempt.signal, cache: 'no-store' });
  if (!response.ok || !response.body) throw await refusal(response);
  connected();
  listener.state?.(true);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let watchdog = 0;
  try {
    for (;;) {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => attempt.abort(), SILENCE_MS);
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).replaceAll('\r\n', '\n').split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) dispatch(block, listener, place);
    }
  } finally {
    clearTimeout(watchdog);
  }
}

/**
 * @param {string} block One event as it came.
 * @param {Listener} listener
 * @param {{last: string}} place
 */
function dispatch(block, listener, place) {
  let name = 'message';
  const data = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const value = line.slice(colon + 1).replace(/^ /, '');
    const field = line.slice(0, colon);
    if (field === 'event') name = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id') place.last = value;
  }
  if (data.length > 0) listener.event(name, JSON.parse(data.join('\n')));
}

/**
 * Waits until the page can be seen.
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function seen(signal) {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener('visibilitychange', look);
      resolve();
    };
    document.addEventListener('visibilitychange', look);
    signal.addEventListener('abort', look, { once: true });
  });
}

/**
 * @param {() => void} then
 * @returns {() => void} Stops watching.
 */
function whenLongHidden(then) {
  let timer = 0;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(then, HIDDEN_MS);
  };
  document.addEventListener('visibilitychange', look);
  return () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', look);
  };
}
