// The search field of every page, with a list of what the word can become.

import { fill, h } from '../dom.js';
import { isBeginning, suggestionsFor } from './completion.js';

/** @typedef {import('./completion.js').Suggestion} Suggestion */

/** A filter applies so long after the last key; what may become another term has more time. */
const TYPING_MS = 250;
const UNFINISHED_MS = 1500;

/**
 * @typedef {object} FilterBar
 * @property {HTMLElement} element
 * @property {(value: string) => void} set
 * @property {(error: Error|null) => void} fault Shows what is wrong with the filter.
 */

/**
 * @param {object} options
 * @param {string} options.value
 * @param {string} options.label
 * @param {string} [options.hint]
 * @param {(q: string, typing: boolean) => void} options.apply `typing` while the reader may go on.
 * @param {import('../dom.js').Child[]} [options.end] What stands at the end of the bar.
 * @returns {FilterBar}
 */
export function filterBar({ value, label, hint, apply, end = [] }) {
  const list = h('ul', {
    class: 'suggestions',
    role: 'listbox',
    id: 'suggestions',
    hidden: true,
    // A list that scrolls would be a stop of the tab key by itself, and is gone as soon as one is there.
    tabindex: '-1',
    'aria-label': 'Suggestions',
  });
  const input = h('input', {
    type: 'search',
    class: 'filter',
    'aria-label': label,
    placeholder: hint ?? 'model:gpt-* cost:>0.01 status:error or words',
    spellcheck: 'false',
    autocomplete: 'off',
    autocapitalize: 'off',
    role: 'combobox',
    'aria-expanded': 'false',
    'aria-controls': 'suggestions',
    'aria-autocomplete': 'list',
    enterkeyhint: 'search',
  });
  input.value = value;
  const fault = h('p', { class: 'fault', role: 'alert', hidden: true });
  const element = h(
    'div',
    { class: 'filter-bar', role: 'search' },
    h('div', 'filter-box', input, h('kbd', 'hint', '/'), list),
    ...end,
    fault,
  );

  /** @type {Suggestion[]} */
  let suggestions = [];
  let chosen = -1;
  let timer = 0;
  let asking = 0;

  const close = () => {
    suggestions = [];
    list.hidden = true;
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
  };
  const draw = () => {
    list.hidden = suggestions.length === 0;
    input.setAttribute('aria-expanded', String(!list.hidden));
    fill(
      list,
      ...suggestions.map(({ text, hint: words }, index) =>
        h(
          'li',
          {
            role: 'option',
            id: `suggestion-${index}`,
            'aria-selected': String(index === chosen),
            onpointerdown: (/** @type {Event} */ event) => {
              event.preventDefault();
              take(index);
            },
          },
          h('code', null, text),
          h('span', null, words),
        ),
      ),
    );
    if (chosen >= 0) input.setAttribute('aria-activedescendant', `suggestion-${chosen}`);
    else input.removeAttribute('aria-activedescendant');
  };
  const suggest = async () => {
    const ticket = ++asking;
    const found = await suggestionsFor(wordAt(input).word).catch(() => []);
    if (ticket !== asking || document.activeElement !== input) return;
    suggestions = found;
    chosen = -1;
    draw();
  };
  /** @param {number} index */
  const take = (index) => {
    const { word, start, stop } = wordAt(input);
    const text = suggestions[index].text;
    const whole = text.endsWith(':') || text.endsWith('.') ? text : `${text} `;
    const minus = word.startsWith('-') && !text.startsWith('-') ? '-' : '';
    input.setRangeText(minus + whole, start, stop, 'end');
    changed();
  };
  const changed = () => {
    suggest();
    clearTimeout(timer);
    // Searching for `st` would empty the list of whoever is about to type `status:error`.
    const pause = isBeginning(wordAt(input).word) ? UNFINISHED_MS : TYPING_MS;
    timer = setTimeout(() => apply(input.value.trim(), true), pause);
  };

  input.addEventListener('input', changed);
  input.addEventListener('focus', suggest);
  input.addEventListener('blur', () => {
    asking += 1;
    close();
  });
  input.addEventListener('keydown', (event) => {
    if ((event.key === 'ArrowDown' || event.key === 'ArrowUp') && suggestions.length > 0) {
      event.preventDefault();
      chosen += event.key === 'ArrowDown' ? 1 : -1;
      if (chosen >= suggestions.length) chosen = 0;
      if (chosen < 0) chosen = suggestions.length - 1;
      draw();
    } else if (event.key === 'Tab' && suggestions.length > 0 && !event.shiftKey && input.value !== '') {
      event.preventDefault();
      take(Math.max(0, chosen));
    } else if (event.key === 'Enter') {
      event.preventDefault();
      if (chosen >= 0 && suggestions.length > 0) {
        take(chosen);
        return;
      }
      clearTimeout(timer);
      close();
      apply(input.value.trim(), false);
      input.blur();
    } else if (event.key === 'Escape' && suggestions.length > 0) {
      event.preventDefault();
      close();
    }
  });

  return {
    element,
    set(text) {
      if (document.activeElement !== input) input.value = text;
    },
    fault(error) {
      fault.hidden = error === null;
      fault.textContent = error ? error.message : '';
      input.setAttribute('aria-invalid', String(error !== null));
    },
  };
}

/**
 * The word that the caret is in; a quoted value is one word.
 * @param {HTMLInputElement} input
 */
function wordAt(input) {
  const caret = input.selectionStart ?? input.value.length;
  const before = input.value.slice(0, caret);
  let start = 0;
  let quoted = false;
  for (let at = 0; at < before.length; at += 1) {
    if (before[at] === '"' && before[at - 1] !== '\\') quoted = !quoted;
    if (before[at] === ' ' && !quoted) start = at + 1;
  }
  return { word: before.slice(start), start, stop: caret };
}
