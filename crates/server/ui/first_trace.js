// The empty state: how to send a first trace, with the address and the token filled in.

import { get } from './api.js';
import { copy } from './copy.js';
import { fill, h } from './dom.js';

/** @typedef {{otlp?: string|null, token?: string|null}} Connect */

/** @returns {HTMLElement} */
export function firstTrace() {
  const element = h('section', { class: 'empty first', 'aria-label': 'Send a first trace' });
  draw(element, {});
  get('/health')
    .then((health) => draw(element, /** @type {{connect?: Connect}} */ (health).connect ?? {}))
    .catch(() => {
      // The address of this page is shown, which takes traces as well.
    });
  return element;
}

/**
 * @param {HTMLElement} element
 * @param {Connect} connect
 */
function draw(element, { otlp, token }) {
  const base = otlp ?? location.origin;
  const key = token ? `export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer ${token}"\n` : '';
  fill(
    element,
    h('h1', null, 'No traces yet'),
    h('p', null, 'This page shows calls from the moment they start. Send the first one:'),
    recipe('See it work', 'glassbox demo', 'Four customers of a coffee shop, no key needed.'),
    recipe('A Glassbox program', 'let _observing = glassbox::observe()?;', 'It finds this server by itself.'),
    recipe(
      'Anything that speaks OpenTelemetry',
      `export OTEL_EXPORTER_OTLP_ENDPOINT=${base}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n${key}`.trim(),
      'Python, JavaScript, Ruby, Go ..',
    ),
    recipe(
      'Langfuse SDKs',
      `export LANGFUSE_BASE_URL=${base}\nexport LANGFUSE_PUBLIC_KEY=pk-lf-local\nexport LANGFUSE_SECRET_KEY=${token ?? 'sk-lf-local'}`,
      '',
    ),
  );
}

/**
 * @param {string} title
 * @param {string} text
 * @param {string} hint
 */
function recipe(title, text, hint) {
  return h(
    'div',
    'recipe',
    h(
      'div',
      'recipe-head',
      h('h2', null, title),
      h('span', null, hint),
      h('button', { class: 'button', type: 'button', onclick: () => copy(text, 'command') }, 'Copy'),
    ),
    h('pre', null, text),
  );
}
