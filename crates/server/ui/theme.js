// Dark, light, or as the system says.

const KEY = 'glassbox.theme';

/** @typedef {'system'|'dark'|'light'} Theme */

/** @type {EventTarget} */
export const themes = new EventTarget();

/** @returns {Theme} */
export function theme() {
  const chosen = document.documentElement.dataset.theme;
  return chosen === 'dark' || chosen === 'light' ? chosen : 'system';
}

/**
 * Goes on to the next theme: first to the one that differs from what is seen now.
 * @returns {Theme}
 */
export function nextTheme() {
  const systemDark = matchMedia('(prefers-color-scheme: dark)').matches;
  /** @type {Theme[]} */
  const order = systemDark ? ['system', 'light', 'dark'] : ['system', 'dark', 'light'];
  const chosen = order[(order.indexOf(theme()) + 1) % order.length];
  if (chosen === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  remember(KEY, chosen);
  themes.dispatchEvent(new Event('change'));
  return chosen;
}

/**
 * Keeps a small choice in this browser. Refused storage is no error: the choice then lasts as long as the page.
 * @param {string} key
 * @param {string} value
 */
export function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // A private window.
  }
}

/**
 * @param {string} key
 * @returns {string|null}
 */
export function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => themes.dispatchEvent(new Event('change')));
