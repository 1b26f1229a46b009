// Addresses: every state that matters is in the URL, so that back, reload and a copied link show the same.

/**
 * @typedef {object} Page What a page gives to the shell.
 * @property {() => void} [leave] Stops what runs; the elements are removed by the shell.
 * @property {(url: URL) => void} [revisit] The address changed within the page.
 * @property {Record<string, () => void>} [keys] By key name; see keyboard.js.
 */

/** @type {EventTarget} */
const turns = new EventTarget();

/**
 * Goes to an address of this page.
 * @param {string} path
 * @param {{replace?: boolean}} [how] `replace` leaves no step to go back to.
 */
export function go(path, how = {}) {
  if (path === location.pathname + location.search) return;
  if (how.replace) history.replaceState(history.state, '', path);
  else history.pushState(null, '', path);
  turns.dispatchEvent(new Event('turn'));
}

/**
 * Changes parameters of the current address; `null` takes one out.
 * @param {Record<string, string|null>} parameters
 * @param {{replace?: boolean}} [how]
 */
export function ask(parameters, how = {}) {
  const url = new URL(location.href);
  for (const [key, value] of Object.entries(parameters)) {
    if (value === null || value === '') url.searchParams.delete(key);
    else url.searchParams.set(key, value);
  }
  go(url.pathname + url.search, how);
}

/**
 * @param {string} key
 * @returns {string}
 */
export function asked(key) {
  return new URL(location.href).searchParams.get(key) ?? '';
}

/**
 * A part of a path, such as the id in `/trace/ID`; what was typed wrong is taken as it is.
 * @param {string} path
 * @param {number} index
 */
export function partOf(path, index) {
  const part = path.split('/')[index] ?? '';
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** @param {string} traceId @param {string} [spanId] */
export function tracePath(traceId, spanId) {
  const path = `/trace/${encodeURIComponent(traceId)}`;
  return spanId ? `${path}/${encodeURIComponent(spanId)}` : path;
}

/**
 * The address of a comparison of two runs; if one is named, it is with the run before.
 * @param {string} after
 * @param {string} [before]
 */
export function comparePath(after, before) {
  return `/compare/${encodeURIComponent(after)}${before ? `/${encodeURIComponent(before)}` : ''}`;
}

/** @param {string} q */
export function tracesPath(q) {
  return `/traces?q=${encodeURIComponent(q)}`;
}

/**
 * A term of the filter language, quoted where it must be.
 * @param {string} key
 * @param {string} value
 */
export function term(key, value) {
  return /^[\w.\-/@]+$/.test(value) ? `${key}:${value}` : `${key}:"${value.replace(/[\\"]/g, '\\$&')}"`;
}

/**
 * Tells of every change of the address, and makes links within this page take no load.
 * @param {() => void} turned
 */
export function onTurn(turned) {
  turns.addEventListener('turn', turned);
  addEventListener('popstate', turned);
  document.addEventListener('click', (event) => {
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    const link = event.target instanceof Element ? event.target.closest('a[href]') : null;
    if (!plain || event.defaultPrevented || !(link instanceof HTMLAnchorElement)) return;
    if (link.origin !== location.origin || link.target || link.hasAttribute('download')) return;
    if (link.pathname.startsWith('/api/')) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}
