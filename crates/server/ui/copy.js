// Copying, and the short word at the edge of the page that says it was done.

import { h } from './dom.js';

/**
 * Copies text and says so.
 * @param {string} text
 * @param {string} what Such as `link`.
 */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied`);
  } catch {
    // Without the permission, or on an address that is not local: the old way.
    const area = h('textarea', { class: 'unseen', 'aria-hidden': 'true' });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    say(done ? `${what} copied` : `the browser refused to copy the ${what}`);
  }
}

let timer = 0;

/**
 * Says a few words for two seconds, to screen readers too.
 * @param {string} words
 */
export function say(words) {
  let box = document.querySelector('.toast');
  if (!box) {
    box = h('div', { class: 'toast', role: 'status', 'aria-live': 'polite' });
    document.body.append(box);
  }
  box.textContent = words;
  box.classList.add('shown');
  clearTimeout(timer);
  timer = setTimeout(() => box?.classList.remove('shown'), 2000);
}

/**
 * A small button that copies.
 * @param {() => string} text
 * @param {string} what
 */
export function copyButton(text, what) {
  return h(
    'button',
    {
      class: 'quiet copy',
      type: 'button',
      title: `copy the ${what}`,
      'aria-label': `copy the ${what}`,
      onclick: (/** @type {Event} */ event) => {
        event.stopPropagation();
        copy(text(), what);
      },
    },
    'copy',
  );
}
