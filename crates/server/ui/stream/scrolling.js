// Scrolling up pauses the stream, and scrolling to its end lets it go on.

const FAR = 40;
const NEAR = 4;

/**
 * @param {HTMLElement} rows
 * @param {(far: boolean) => void} moved Whether the reader went away from the end, or came back to it.
 */
export function watchScrolling(rows, moved) {
  const below = () => rows.scrollHeight - rows.scrollTop - rows.clientHeight;
  rows.addEventListener(
    'wheel',
    (event) => {
      if (event.deltaY < 0 && rows.scrollTop > 0 && rows.scrollHeight > rows.clientHeight) moved(true);
    },
    { passive: true },
  );
  rows.addEventListener(
    'touchmove',
    () => {
      if (below() > FAR) moved(true);
    },
    { passive: true },
  );
  rows.addEventListener(
    'scroll',
    () => {
      if (below() < NEAR) moved(false);
    },
    { passive: true },
  );
}
