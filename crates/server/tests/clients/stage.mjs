// The real server and the simulated model provider, as programs of their own, and what the server's API tells.
// GLASSBOX_BIN names the program.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const { GLASSBOX_BIN } = process.env;
assert(GLASSBOX_BIN, 'GLASSBOX_BIN is not set');

/** A program that prints one line of JSON once it listens. */
async function start(...arguments_) {
  const program = spawn(GLASSBOX_BIN, arguments_, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => program.once('exit', resolve));
  const { value: line } = await createInterface({ input: program.stdout })[Symbol.asyncIterator]().next();
  const stop = async () => {
    program.kill('SIGTERM');
    await ended;
  };
  return { told: JSON.parse(line), stop };
}

export async function startServer() {
  const folder = await mkdtemp(join(tmpdir(), 'glassbox-clients-'));
  const addresses = ['--http', '127.0.0.1:0', '--grpc', 'off'];
  const { told, stop } = await start('serve', '--json', ...addresses, '--store', join(folder, 'traces.db'));
  const origin = new URL(told.otlp).origin;
  return {
    origin,
    token: told.token,
    async ask(path) {
      const headers = { authorization: `Bearer ${told.token}` };
      const response = await fetch(`${origin}/api/v1${path}`, { headers });
      assert.equal(response.status, 200, path);
      return response.json();
    },
    async stop() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Starts a provider that answers at once; what it was told and how to stop it. */
export function startSim(...options) {
  return start('sim', '--json', '--listen', '127.0.0.1:0', '--speed', '0', ...options);
}

/** Compares the expected fields, all at once. */
export function assertFields(found, expected) {
  assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, found[key]])), expected);
}

export const message = (role, text) => ({ role, parts: [{ type: 'text', text }] });
