// Long text shows its beginning and its size.

import { h } from '../dom.js';
import { bytes } from '../format.js';

/**
 * The beginning of a long text and a button with its size that shows the rest.
 * @param {string} text
 * @param {number} most
 * @param {(text: string) => HTMLElement} [render]
 * @returns {HTMLElement}
 */
export function foldedText(text, most, render = (part) => h('span', null, part)) {
  const box = h('div', 'folded-text');
  /** @param {boolean} whole */
  const draw = (whole) => {
    const button = h(
      'button',
      { class: 'quiet', type: 'button', onclick: () => draw(!whole) },
      whole ? 'show less' : `show all ${bytes(text.length)}`,
    );
    box.replaceChildren(render(whole ? text : `${text.slice(0, most)}…`), button);
  };
  draw(false);
  return box;
}
