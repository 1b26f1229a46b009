// Rules about the scripts of the page themselves: none imports itself by way of others, and all that is there is used.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../ui/', import.meta.url));
const MOST_LINES = 300;

/** What each script loads, by its path below the folder; types that are only named in comments are not loaded. */
function imports() {
  const scripts = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.js'));
  return new Map(
    scripts.map((name) => {
      const text = readFileSync(join(folder, name), 'utf8');
      const found = [...text.matchAll(/^(?:import|export) [^;]*?from '(\.[^']+)';$/gms)];
      return [name, found.map(([, path]) => relative(folder, join(folder, dirname(name), path)))];
    }),
  );
}

test('no script imports itself, by way of whichever others', () => {
  const graph = imports();
  const done = new Set();
  const walk = (name, above) => {
    assert(graph.has(name), `${above.at(-1)} imports ${name}, which is not there`);
    assert(!above.includes(name), `a circle: ${[...above.slice(above.indexOf(name)), name].join(' -> ')}`);
    if (done.has(name)) return;
    for (const next of graph.get(name)) walk(next, [...above, name]);
    done.add(name);
  };
  walk('app.js', []);
  // `early.js` stands in the page itself, and `types.js` has types alone.
  const unused = [...graph.keys()].filter((name) => !done.has(name) && !['early.js', 'types.js'].includes(name));
  assert.deepEqual(unused, [], 'scripts that nobody imports');
});

test('every script says at its top what it is for, and has one subject', () => {
  for (const name of imports().keys()) {
    const text = readFileSync(join(folder, name), 'utf8');
    assert.match(text, /^\/\/ [A-Z].*\./, `${name} opens without a line on what it is for`);
    const lines = text.split('\n').length - 1;
    assert(lines <= MOST_LINES, `${name} has ${lines} lines: what is its second subject?`);
  }
});
