// The query API: answers with their ETags, and errors in the server's words.

/** An answer that was not the one asked for. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   * @param {number|null} at Where in the filter, in characters.
   */
  constructor(status, code, message, at) {
    super(message);
    this.status = status;
    this.code = code;
    this.at = at;
  }
}

/** Tells `locked` when the server wants its token. @type {EventTarget} */
export const doors = new EventTarget();

/** Tells `on` and `off` as the server answers and does not, to whoever shows it. @type {EventTarget} */
export const line = new EventTarget();

/** @typedef {{etag: string, body: unknown}} Kept */

/** @type {Map<string, Kept>} */
const answers = new Map();
const MOST_ANSWERS = 60;

/**
 * Asks the API. What the server says has not changed is not sent again.
 * @template T
 * @param {string} path Below `/api/v1`.
 * @param {Record<string, string|number|null|undefined>} [query]
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export async function get(path, query = {}, signal) {
  const url = address(path, query);
  const kept = answers.get(url);
  /** @type {Record<string, string>} */
  const headers = kept ? { 'if-none-match': kept.etag } : {};
  const response = await reach(url, { headers, signal, cache: 'no-store', credentials: 'same-origin' });
  if (response.status === 304 && kept) return /** @type {T} */ (kept.body);
  if (!response.ok) throw await refusal(response);
  const body = await response.json();
  const etag = response.headers.get('etag');
  answers.delete(url);
  if (etag) answers.set(url, { etag, body });
  const oldest = answers.keys().next().value;
  if (answers.size > MOST_ANSWERS && oldest !== undefined) answers.delete(oldest);
  return body;
}

/**
 * @param {string} path
 * @param {Record<string, string|number|null|undefined>} query
 */
export function address(path, query) {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') parameters.set(key, String(value));
  }
  const text = parameters.toString();
  return `/api/v1${path}${text ? `?${text}` : ''}`;
}

/**
 * Fetches, and says in words of ours when nobody is there.
 * @param {string} url
 * @param {RequestInit} init
 */
export async function reach(url, init) {
  try {
    const response = await fetch(url, init);
    line.dispatchEvent(new Event('on'));
    return response;
  } catch (error) {
    if (init.signal?.aborted) throw error;
    line.dispatchEvent(new Event('off'));
    throw new ApiError(0, 'unreachable', 'the server does not answer; is it still running?', null);
  }
}

/**
 * Reads what the server says instead of an answer.
 * @param {Response} response
 * @returns {Promise<ApiError>}
 */
export async function refusal(response) {
  if (response.status === 401) doors.dispatchEvent(new Event('locked'));
  const text = await response.text().catch(() => '');
  try {
    const { error } = JSON.parse(text);
    return new ApiError(response.status, String(error.code), String(error.message), error.at ?? null);
  } catch {
    return new ApiError(response.status, 'http', `the server answered ${response.status}`, null);
  }
}
