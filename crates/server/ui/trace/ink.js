// Colours for a canvas, as the theme has them.

import { h, place } from '../dom.js';

/**
 * Reads colours as they are within an element: a canvas does not know `light-dark()`.
 * @param {HTMLElement} element
 * @returns {(name: string) => string}
 */
export function inkOf(element) {
  const probe = h('i');
  element.append(probe);
  /** @type {Map<string, string>} */
  const known = new Map();
  queueMicrotask(() => probe.remove());
  return (name) => {
    let colour = known.get(name);
    if (colour === undefined) {
      place(probe, { color: `var(${name})` });
      known.set(name, (colour = getComputedStyle(probe).color));
    }
    return colour;
  };
}
