// Starts the real server and a real browser. The server is the program that GLASSBOX_BIN names; playwright-core is taken from
// the folder that GLASSBOX_PEERS names, and Chromium from GLASSBOX_CHROMIUM or where Debian has it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const { GLASSBOX_BIN, GLASSBOX_PEERS, GLASSBOX_CHROMIUM = '/usr/bin/chromium' } = process.env;

/** A server with an empty store of its own. */
export async function startServer() {
  assert(GLASSBOX_BIN, 'GLASSBOX_BIN names no program');
  const folder = await mkdtemp(join(tmpdir(), 'glassbox-page-'));
  const arguments_ = [
    'serve',
    '--json',
    '--http',
    '127.0.0.1:0',
    '--grpc',
    'off',
    '--store',
    join(folder, 'traces.db'),
  ];
  // A server that runs here already is none of the tests' business.
  const env = { ...process.env, XDG_RUNTIME_DIR: folder };
  const program = spawn(GLASSBOX_BIN, arguments_, { stdio: ['ignore', 'pipe', 'inherit'], env });
  const ended = new Promise((resolve) => program.once('exit', resolve));
  const [line] = await Promise.race([
    createInterface({ input: program.stdout })
      [Symbol.asyncIterator]()
      .next()
      .then(({ value }) => [value]),
    ended.then((code) => assert.fail(`the server ended with ${code}`)),
  ]);
  const { url, otlp, token } = JSON.parse(line);
  const origin = new URL(url).origin;
  return {
    origin,
    url,
    /** Sends spans as OTLP JSON. */
    async send(spans, resource = {}) {
      const body = JSON.stringify({
        resourceSpans: [
          {
            resource: { attributes: attributes({ 'service.name': 'coffee-shop', ...resource }) },
            scopeSpans: [{ scope: { name: 'page-test', version: '1' }, spans }],
          },
        ],
      });
      const response = await fetch(`${otlp.replace(/\/$/, '')}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      assert.equal(response.status, 200, await response.text());
    },
    /** Announces what begins, as a Glassbox program does. */
    async announce(...lines) {
      const body = [{ process: { id: 'page-test', service: 'coffee-shop' } }, ...lines]
        .map((one) => JSON.stringify(one))
        .join('\n');
      const response = await fetch(`${origin}/api/v1/live`, { method: 'POST', body });
      assert.equal(response.status, 200, await response.text());
    },
    /** Asks the query API. */
    async ask(path) {
      const response = await fetch(`${origin}/api/v1${path}`, { headers: { authorization: `Bearer ${token}` } });
      return { status: response.status, body: await response.json() };
    },
    /** Adds something through the query API. */
    async post(path, value) {
      const response = await fetch(`${origin}/api/v1${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(value),
      });
      return { status: response.status, body: await response.json() };
    },
    async stop() {
      program.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * The demo with the server that it keeps open.
 * @param {string[]} options
 */
export async function startDemo(...options) {
  assert(GLASSBOX_BIN, 'GLASSBOX_BIN names no program');
  const folder = await mkdtemp(join(tmpdir(), 'glassbox-demo-'));
  const env = { PATH: process.env.PATH, HOME: folder, TMPDIR: folder, XDG_RUNTIME_DIR: folder };
  const program = spawn(GLASSBOX_BIN, ['demo', '--serve', ...options], { stdio: ['ignore', 'pipe', 'inherit'], env });
  const ended = new Promise((resolve) => program.once('exit', resolve));
  let said = '';
  for await (const line of createInterface({ input: program.stdout })) {
    said += `${line}\n`;
    if (line.startsWith('Stop with Ctrl-C')) break;
  }
  const [, url] = /The page: open (http:\S+)/.exec(said) ?? assert.fail(said);
  return {
    said,
    url,
    origin: new URL(url).origin,
    /** Interrupts it, and returns how it ended. */
    async stop() {
      program.kill('SIGINT');
      const code = await ended;
      await rm(folder, { recursive: true, force: true });
      return code;
    },
  };
}

/** A way to the server that can be cut, as a network can. */
export async function cuttable(server, port = 0) {
  const target = new URL(server.origin);
  const open = new Set();
  const gate = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise((resolve) => gate.listen(port, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${gate.address().port}`;
  return {
    server: { ...server, origin, url: server.url.replace(server.origin, origin) },
    cut: () => open.forEach((socket) => socket.destroy()),
    close: () => {
      open.forEach((socket) => socket.destroy());
      gate.close();
    },
  };
}

/** A browser without a network beyond this machine. */
export async function startBrowser() {
  assert(GLASSBOX_PEERS, 'GLASSBOX_PEERS names no folder with playwright-core');
  const { chromium } = createRequire(join(GLASSBOX_PEERS, 'package.json'))('playwright-core');
  const flags = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
  ];
  return chromium.launch({ executablePath: GLASSBOX_CHROMIUM, args: flags });
}

/**
 * A page that has the token, and that fails the test on an error of its script, on a blocked script and on a dialog.
 */
export async function openPage(browser, server, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const troubles = [];
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('dialog', (dialog) => {
    troubles.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) troubles.push(message.text());
  });
  await page.goto(server.url);
  return { page, troubles, open: (path) => page.goto(server.origin + path), close: () => context.close() };
}

/** Attributes as OTLP JSON has them. */
export function attributes(values) {
  return Object.entries(values).map(([key, value]) => ({
    key,
    value:
      typeof value === 'number'
        ? Number.isInteger(value)
          ? { intValue: String(value) }
          : { doubleValue: value }
        : Array.isArray(value)
          ? { arrayValue: { values: value.map((stringValue) => ({ stringValue })) } }
          : { stringValue: String(value) },
  }));
}
