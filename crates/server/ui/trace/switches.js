// What can be switched on and off in a trace, by a button or a key; all of it is in the address.

import { h } from '../dom.js';
import { ask, asked } from '../router.js';

/** @param {() => string} here The id of the span that is shown, which is zoomed to. */
export function switches(here) {
  return {
    c: () => ask({ path: asked('path') === '1' ? null : '1' }, { replace: true }),
    z: () => ask({ zoom: asked('zoom') ? null : here() }, { replace: true }),
    l: () => ask({ view: asked('view') === 'lanes' ? null : 'lanes' }, { replace: true }),
    e: () => ask({ raw: asked('raw') === '1' ? null : '1' }, { replace: true }),
  };
}

/**
 * The buttons in the head of a trace.
 * @param {string} traceId
 * @param {{c: () => void, z: () => void, l: () => void, x: () => void, y: () => void, json: () => void}} acts
 */
export function switchButtons(traceId, acts) {
  /** @param {string} id @param {string} name @param {string} title @param {() => void} act */
  const button = (id, name, title, act) =>
    h('button', { class: 'button', type: 'button', 'data-action': id, title, onclick: () => act() }, name);
  return [
    button('path', 'Critical path', 'critical path (c)', acts.c),
    button('zoom', 'Zoom', 'zoom to the span (z)', acts.z),
    button('lanes', 'Lanes', 'concurrency lanes (l)', acts.l),
    button('compare', 'Compare', 'compare with another run (x)', acts.x),
    button('link', 'Copy link', 'copy a link (y)', acts.y),
    button('json', 'Copy JSON', 'copy the trace as JSON', acts.json),
    h(
      'a',
      {
        class: 'button',
        href: `/api/v1/traces/${encodeURIComponent(traceId)}/otlp`,
        download: `trace-${traceId}.json`,
        title: 'download the trace as OTLP JSON',
      },
      'Download',
    ),
  ];
}

/**
 * Shows which of the buttons are on.
 * @param {HTMLElement} head
 */
export function pressSwitches(head) {
  const on = { path: asked('path') === '1', zoom: asked('zoom') !== '', lanes: asked('view') === 'lanes' };
  for (const [name, is] of Object.entries(on)) {
    head.querySelector(`[data-action=${name}]`)?.setAttribute('aria-pressed', String(is));
  }
}
