// What went in and what came out: code as code, what is searched for where it stands, and what went wrong.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openPage, startBrowser, startServer } from './setup.mjs';
import { customer, hex, span } from './shop.mjs';

const AT = Date.now() - 60_000;

let server, browser;
before(async () => {
  server = await startServer();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A span of one trace of its own. */
async function alone(name, values, more = {}) {
  const traceId = hex(16);
  await server.send([{ ...span({ traceId, name, from: AT, to: AT + 1000, values, error: more.error }), ...more.rest }]);
  return `/trace/${traceId}`;
}

/** Waits until the words of a trace can be searched: their index is written behind the spans. */
async function indexed(page, path, word) {
  const q = encodeURIComponent(`trace:${path.split('/')[2]} ${word}`);
  await page.waitForFunction(
    async (url) => (await (await fetch(url)).json()).items.length > 0,
    `/api/v1/spans?q=${q}`,
    { polling: 100 },
  );
}

/** The texts that are marked on the page. */
const marked = (page) =>
  page.evaluate(() => [...(CSS.highlights.get('found') ?? [])].map((range) => range.toString().toLowerCase()));

test('code is shown as code, with every blank, above what came of it', async () => {
  const source = 'def f(x):\n    return 1 / x\n\nprint(f(0))';
  const traceback =
    'Traceback (most recent call last):\n  File "<string>", line 4\nZeroDivisionError: division by zero';
  const path = await alone('execute_code', {
    'langfuse.observation.type': 'tool',
    'input.value': source,
    'output.value': JSON.stringify({ stdout: '', error: traceback }),
  });
  const { page, open, troubles, close } = await openPage(browser, server);
  await open(path);
  await page.getByRole('tab', { name: 'Input and output', selected: true }).waitFor();
  assert.equal(await page.locator('pre.code').innerText(), source);
  assert.match(await page.locator('pre.code').evaluate((pre) => getComputedStyle(pre).fontFamily), /mono/i);
  // Lines in JSON stand below their key.
  assert.equal(await page.locator('.j-lines').innerText(), traceback);
  assert.deepEqual(await page.locator('.pane h3').allInnerTexts(), ['Code', 'Output']);
  assert.deepEqual(troubles, []);
  await close();
});

test('an error says what it was once, and where it happened', async () => {
  const event = {
    timeUnixNano: String(BigInt(AT) * 1_000_000n),
    name: 'exception',
    attributes: [
      { key: 'exception.type', value: { stringValue: 'ZeroDivisionError' } },
      { key: 'exception.stacktrace', value: { stringValue: 'Traceback\n  File "shop.py", line 4' } },
    ],
  };
  const error = 'ZeroDivisionError: division by zero';
  const path = await alone('serve', {}, { error, rest: { events: [event] } });
  const { page, open, close } = await openPage(browser, server);
  await open(path);
  const trouble = page.locator('.trouble.bad');
  await trouble.waitFor();
  assert.match(await trouble.innerText(), /^ZeroDivisionError division by zero/);
  await trouble.getByText('where it happened').click();
  assert.match(await trouble.locator('pre').innerText(), /shop\.py/);
  await close();
});

test('what is searched for is marked where it stands, in the part that has it', async () => {
  const long = 'Nothing of interest here. '.repeat(300);
  const path = await alone('chat gpt-4o-mini', {
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': 'gpt-4o-mini',
    'gen_ai.input.messages': JSON.stringify([
      { role: 'user', parts: [{ type: 'text', content: `${long}A cup of Cinnamon, please. ${long}` }] },
    ]),
    'gen_ai.tool.definitions': JSON.stringify([
      { type: 'function', function: { name: 'brew', description: 'Brews with cardamom.', parameters: {} } },
    ]),
  });
  const { page, open, troubles, close } = await openPage(browser, server);
  await open(path);
  await indexed(page, path, 'cinnamon');
  await page.getByRole('searchbox').or(page.getByRole('combobox')).fill('cinnamon');
  await page.getByText('1 found').waitFor();
  // It is far behind the beginning of a folded text.
  await page.waitForFunction(() => (CSS.highlights.get('found')?.size ?? 0) === 1);
  assert.deepEqual(await marked(page), ['cinnamon']);
  assert.match(await page.locator('.said').innerText(), /A cup of Cinnamon, please/);
  await open(`${path}?q=cardamom`);
  await page.getByRole('tab', { name: /Tools/, selected: true }).waitFor();
  assert.deepEqual(await marked(page), ['cardamom']);
  await open(`${path}?q=kind%3Ageneration`);
  await page.getByText('1 found').waitFor();
  assert.deepEqual(await marked(page), []);
  assert.deepEqual(troubles, []);
  await close();
});

test('attempts that were made again are no failures of the trace, and a click finds what failed', async () => {
  const traceId = hex(16);
  const [root, call] = [hex(8), hex(8)];
  const inside = { traceId, from: AT, to: AT + 100 };
  await server.send([
    span({ traceId, spanId: root, name: 'agent', from: AT, to: AT + 1000 }),
    span({
      ...inside,
      spanId: call,
      parentSpanId: root,
      name: 'chat gpt-4o-mini',
      values: { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'gpt-4o-mini', 'glassbox.lm.attempts': 2 },
    }),
    span({ ...inside, parentSpanId: call, name: 'attempt 1 (429)', error: 'slow down' }),
    span({ ...inside, parentSpanId: root, name: 'execute_tool brew', error: 'no water' }),
  ]);
  const { page, open, close } = await openPage(browser, server);
  await open('/traces');
  await page.locator('.row', { hasText: 'agent' }).filter({ hasText: '1 failed' }).waitFor();
  await open(`/trace/${traceId}`);
  const failed = page.locator('.f-bad');
  await failed.waitFor();
  assert.match(await failed.innerText(), /failed\s+1/);
  await failed.getByRole('link').click();
  await page.getByText('2 found').waitFor();
  assert.deepEqual(await page.locator('.row.match .span-name').allInnerTexts(), [
    'attempt 1 (429)',
    'execute_tool brew',
  ]);
  await close();
});

test('lanes count a tool that does nothing but call models once', async () => {
  const traceId = hex(16);
  const [root, tool] = [hex(8), hex(8)];
  const values = { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'gpt-4o-mini' };
  await server.send([
    span({ traceId, spanId: root, name: 'agent', from: AT, to: AT + 1000 }),
    span({
      traceId,
      spanId: tool,
      parentSpanId: root,
      name: 'execute_tool investigate',
      from: AT,
      to: AT + 1000,
      values: { 'gen_ai.operation.name': 'execute_tool' },
    }),
    span({ traceId, parentSpanId: tool, name: 'chat gpt-4o-mini', from: AT, to: AT + 400, values }),
    span({ traceId, parentSpanId: tool, name: 'chat gpt-4o-mini', from: AT + 500, to: AT + 900, values }),
  ]);
  const { page, open, close } = await openPage(browser, server);
  await open(`/trace/${traceId}?view=lanes`);
  await page.getByText('at most 1 at once, in 1 lane').waitFor();
  await close();
});

test('nobody knows how long an abandoned span took, and no clock goes on', async () => {
  const traceId = hex(16);
  const [root, child] = [hex(8), hex(8)];
  const start = (spanId, parent, at) => ({
    start: { trace_id: traceId, span_id: spanId, parent_id: parent, name: 'nightly', start_us: at * 1000 },
  });
  await server.announce(start(root, null, AT), start(child, root, AT + 500));
  await server.announce({ bye: {} });
  const { page, open, close } = await openPage(browser, server);
  await open(`/trace/${traceId}`);
  await page.locator('.trace-head .state.s-abandoned').waitFor();
  assert.match(await page.locator('.f-took').innerText(), /took\s+–/);
  const bar = await page.locator(`#span-${child} .bar`).boundingBox();
  assert(bar.width > 20, `a bar of ${bar.width} pixels`);
  await open('/traces?q=status:abandoned');
  assert.equal(await page.locator('.row .took').first().innerText(), '–');
  await close();
});

test('two runs are compared step by step, and another one can be chosen', async () => {
  const quick = customer({ at: AT - 90_000, session: 'first' });
  const other = customer({ at: AT - 60_000, session: 'second' });
  const slow = customer({ at: AT - 30_000, session: 'third' });
  slow.spans[0].endTimeUnixNano = String(BigInt(AT - 30_000 + 12_000) * 1_000_000n);
  slow.spans.push(
    span({
      traceId: slow.traceId,
      parentSpanId: slow.agent,
      name: 'execute_tool brew',
      from: AT - 29_000,
      to: AT - 28_990,
    }),
  );
  for (const run of [quick, other, slow]) await server.send(run.spans);
  const { page, open, troubles, close } = await openPage(browser, server);
  await open(`/trace/${slow.traceId}`);
  await page.locator('.trace-head h1').waitFor();
  await page.keyboard.press('x');
  await page.waitForURL(/\/compare\//);
  const took = page.locator('.whole tr', { hasText: 'took' });
  await took.waitFor();
  assert.match(await took.innerText(), /5\.00\ss\s+12\.0\ss\s+\+140\s%/);
  // The run before is the one that it is compared with, if nobody says which.
  const choice = page.getByLabel('Compare with');
  assert.equal(await choice.inputValue(), other.traceId);
  assert.match(await page.locator('.steps tr', { hasText: 'brew' }).innerText(), /new/);
  assert.match(await page.locator('.steps tr', { hasText: 'chat gpt-4o-mini' }).innerText(), /1\s+1\s+=/);
  await choice.selectOption(quick.traceId);
  await page.waitForURL(`${server.origin}/compare/${slow.traceId}/${quick.traceId}`);
  await page.locator('.steps tr', { hasText: 'brew' }).getByRole('link').click();
  await page.waitForURL(new RegExp(`/trace/${slow.traceId}/`));
  const lonely = await alone('nobody else', {});
  await open(lonely.replace('/trace/', '/compare/'));
  await page.getByRole('heading', { name: 'Nothing to compare with' }).waitFor();
  assert.deepEqual(troubles, []);
  await close();
});
