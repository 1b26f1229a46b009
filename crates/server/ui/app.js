// The shell: head, navigation, and the page that the address names.

import { doors, line } from './api.js';
import { comparePage } from './compare/page.js';
import { fill, h, svg } from './dom.js';
import { say } from './copy.js';
import { listen, showKeys } from './keyboard.js';
import { onTurn } from './router.js';
import { nextTheme, theme, themes } from './theme.js';
import { healthPage } from './health/page.js';
import { modelsPage } from './models/page.js';
import { sessionsPage } from './sessions/page.js';
import { streamPage } from './stream/page.js';
import { tracesPage } from './traces/page.js';
import { tracePage } from './trace/page.js';

/** @typedef {(main: HTMLElement, url: URL) => import('./router.js').Page} Mount */

/** @type {{name: string, path: string, key: string, match: RegExp, mount: Mount}[]} */
const PAGES = [
  { name: 'Stream', path: '/', key: 'g r', match: /^\/$/, mount: streamPage },
  { name: 'Traces', path: '/traces', key: 'g t', match: /^\/traces$/, mount: tracesPage },
  { name: 'Trace', path: '', key: '', match: /^\/trace\/[^/]+/, mount: tracePage },
  { name: 'Compare', path: '', key: '', match: /^\/compare\/[^/]+(\/[^/]+)?$/, mount: comparePage },
  { name: 'Sessions', path: '/sessions', key: 'g s', match: /^\/sessions$/, mount: sessionsPage },
  { name: 'Session', path: '', key: '', match: /^\/session\/[^/]+$/, mount: tracesPage },
  { name: 'Models', path: '/models', key: 'g m', match: /^\/models$/, mount: modelsPage },
  { name: 'Health', path: '/health', key: 'g h', match: /^\/health$/, mount: healthPage },
];
/** @type {Record<string, string>} */
const UNDER = { Trace: 'Traces', Compare: 'Traces', Session: 'Sessions' };

const main = h('main', { id: 'main', tabindex: '-1' });
const navigation = h('nav', { 'aria-label': 'Pages' });
/** @type {{place: string, page: import('./router.js').Page}|null} */
let current = null;

function turn() {
  const url = new URL(location.href);
  const found = PAGES.find(({ match }) => match.test(url.pathname));
  const identity = found ? `${found.name} ${found.path ? '' : url.pathname.split('/')[2]}` : '';
  drawNavigation(found ? (UNDER[found.name] ?? found.name) : '');
  if (current && current.place === identity && current.page.revisit) {
    current.page.revisit(url);
    return;
  }
  current?.page.leave?.();
  current = null;
  main.className = '';
  fill(main);
  document.title = found ? `${found.name} · Glassbox` : 'Glassbox';
  if (found) current = { place: identity, page: found.mount(main, url) };
  else
    fill(main, h('div', 'empty', h('h1', null, 'No such page'), h('p', null, h('a', { href: '/' }, 'To the stream'))));
}

/** @param {string} here */
function drawNavigation(here) {
  const links = PAGES.filter(({ path }) => path).map(({ name, path, key }) =>
    h(
      'a',
      {
        href: path,
        title: key,
        'aria-current': name === here ? 'page' : null,
      },
      name,
    ),
  );
  fill(navigation, ...links);
}

function themeButton() {
  const button = h('button', { class: 'quiet', type: 'button', onclick: changeTheme });
  const draw = () => {
    button.title = `theme: ${theme()} (t)`;
    button.setAttribute('aria-label', `theme: ${theme()}`);
    fill(
      button,
      svg(
        'svg',
        { viewBox: '0 0 16 16', width: 16, height: 16, 'aria-hidden': 'true' },
        svg('circle', { cx: 8, cy: 8, r: 5.5, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.4 }),
        svg('path', {
          d:
            theme() === 'light'
              ? 'M8 5.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 1 0 0-5z'
              : theme() === 'dark'
                ? 'M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11z'
                : 'M8 2.5a5.5 5.5 0 0 1 0 11z',
          fill: 'currentColor',
        }),
      ),
    );
  };
  themes.addEventListener('change', draw);
  draw();
  return button;
}

/** Says that nothing new comes in, once that has lasted for more than a moment. */
function connection() {
  const words = 'The server does not answer. What is shown is what was there; it goes on by itself.';
  const mark = h('span', { class: 'offline', role: 'status', title: words });
  let timer = 0;
  line.addEventListener('on', () => {
    clearTimeout(timer);
    timer = 0;
    mark.textContent = '';
  });
  line.addEventListener('off', () => {
    timer ||= setTimeout(() => (mark.textContent = 'not connected'), 1000);
  });
  return mark;
}

function changeTheme() {
  say(`theme: ${nextTheme()}`);
}

function brand() {
  return h(
    'a',
    { href: '/', class: 'brand', 'aria-label': 'Glassbox' },
    svg(
      'svg',
      { viewBox: '0 0 18 18', width: 18, height: 18, 'aria-hidden': 'true' },
      svg('path', { d: 'M2 4h13', class: 'mark-1' }),
      svg('path', { d: 'M5 9h8', class: 'mark-2' }),
      svg('path', { d: 'M8 14h8', class: 'mark-3' }),
    ),
    h('b', null, 'Glassbox'),
  );
}

document.body.append(
  h(
    'a',
    {
      class: 'skip',
      href: '#main',
      onclick: (/** @type {Event} */ event) => {
        event.preventDefault();
        main.focus();
      },
    },
    'Skip to content',
  ),
  h(
    'header',
    'top',
    brand(),
    navigation,
    h(
      'div',
      'top-end',
      connection(),
      h('button', { class: 'quiet', type: 'button', title: 'keys (?)', 'aria-label': 'keys', onclick: showKeys }, '?'),
      themeButton(),
    ),
  ),
  main,
);
listen(() => current?.page.keys ?? {}, {
  t: changeTheme,
  '?': showKeys,
  '/': () => {
    const field = main.querySelector('input[type=search]');
    if (field instanceof HTMLElement) field.focus();
  },
  esc: () => {
    if (history.length > 1 && location.pathname !== '/') history.back();
  },
});
doors.addEventListener('locked', () => {
  if (main.querySelector('.locked')) return;
  current?.page.leave?.();
  current = null;
  main.className = '';
  fill(
    main,
    h(
      'div',
      { class: 'empty locked', role: 'alert' },
      h('h1', null, 'This page is locked'),
      h(
        'p',
        null,
        'Open the address with the token that ',
        h('code', null, 'glassbox serve'),
        ' printed. It is kept then.',
      ),
    ),
  );
});
onTurn(turn);
turn();
