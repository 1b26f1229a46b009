// Long text shows its beginning and its size, and of what is searched for its surroundings.

import { h } from '../dom.js';
import { bytes } from '../format.js';
import { firstNeedle } from './needles.js';

const BEFORE = 400;

/**
 * The beginning of a long text and a button with its size that shows the rest.
 * @param {string} text
 * @param {number} most
 * @param {(text: string) => HTMLElement} [render]
 * @returns {HTMLElement}
 */
export function foldedText(text, most, render = (part) => h('span', null, part)) {
  const box = h('div', 'folded-text');
  const found = firstNeedle(text);
  const from = found < most ? 0 : found - BEFORE;
  /** @param {boolean} whole */
  const draw = (whole) => {
    const button = h(
      'button',
      { class: 'quiet', type: 'button', onclick: () => draw(!whole) },
      whole ? 'show less' : `show all ${bytes(text.length)}`,
    );
    const part = `${from > 0 ? '…' : ''}${text.slice(from, from + most)}…`;
    box.replaceChildren(render(whole ? text : part), button);
  };
  draw(false);
  return box;
}
