// The line between the rows and the detail, which can be dragged and moved with the arrow keys.

import { h, place } from '../dom.js';
import { remember, remembered } from '../theme.js';

const KEY = 'glassbox.split';

/**
 * @param {HTMLElement} main Carries the share of the detail as `--detail`, and `data-detail` for below or beside.
 */
export function splitter(main) {
  const line = h('div', {
    class: 'splitter',
    role: 'separator',
    tabindex: '0',
    'aria-label': 'size of the detail',
    'aria-valuemin': 15,
    'aria-valuemax': 80,
  });
  /** @param {number} share */
  const set = (share) => {
    const percent = Math.round(Math.min(80, Math.max(15, share)));
    place(main, { '--detail': `${percent}%` });
    line.setAttribute('aria-valuenow', String(percent));
    remember(KEY, String(percent));
  };
  set(Number(remembered(KEY) ?? 48) || 48);
  line.addEventListener('pointerdown', (event) => {
    event.preventDefault();
    line.setPointerCapture(event.pointerId);
  });
  line.addEventListener('pointermove', (event) => {
    if (!line.hasPointerCapture(event.pointerId) || !line.parentElement) return;
    const box = line.parentElement.getBoundingClientRect();
    const beside = main.dataset.detail === 'beside';
    set(beside ? ((box.right - event.clientX) / box.width) * 100 : ((box.bottom - event.clientY) / box.height) * 100);
  });
  line.addEventListener('keydown', (event) => {
    const by = { ArrowUp: 4, ArrowLeft: 4, ArrowDown: -4, ArrowRight: -4 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    set(Number(line.getAttribute('aria-valuenow')) + by);
  });
  return line;
}
