// One trace: tree, waterfall, detail, deep links, many spans, and fields that try to run a script.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openPage, startBrowser, startServer } from './setup.mjs';
import { customer, evaluation, hex, hostile, span } from './shop.mjs';

let server, browser;
before(async () => {
  server = await startServer();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test('a deep link shows the span, and shows the same after a reload', async () => {
  const { traceId, call, spans } = customer({ request: 'It has been a long day' });
  await server.send(spans);
  const { page, open, troubles, close } = await openPage(browser, server);
  await open(`/trace/${traceId}/${call}?tab=Parameters`);
  for (let round = 0; round < 2; round += 1) {
    await page.getByRole('tab', { name: 'Parameters', selected: true }).waitFor();
    assert.equal(await page.locator('.row[aria-selected="true"] .span-name').innerText(), 'chat gpt-4o-mini');
    assert.match(await page.locator('.pane').innerText(), /0\.2/);
    await page.reload();
  }
  await page.getByRole('tab', { name: /Messages/ }).click();
  await page.locator('.message.reply').waitFor();
  assert.match(
    await page.locator('.conversation').innerText(),
    /Analyze customer request[\s\S]*It has been a long day[\s\S]*It got mugged/,
  );
  assert.equal(await page.locator('.message.reply b').innerText(), 'It got mugged.');
  assert.deepEqual(troubles, []);
  await close();
});

test('roll-ups count a model call once, on every row above it', async () => {
  const { traceId, spans } = customer();
  await server.send(spans);
  const { page, open, close } = await openPage(browser, server);
  await open(`/trace/${traceId}`);
  await page.locator('.span-grid.row').nth(2).waitFor();
  assert.deepEqual(await page.locator('.span-grid.row .c-tok').allInnerTexts(), ['1,810', '1,810', '1,810']);
  assert.match(await page.locator('.trace-head .facts').innerText(), /1,589 → 221/);
  await close();
});

test('rows fold and unfold with the arrow keys', async () => {
  const { traceId, spans } = customer();
  await server.send(spans);
  const { page, open, close } = await openPage(browser, server);
  await open(`/trace/${traceId}`);
  await page.locator('.span-grid.row').nth(2).waitFor();
  await page.keyboard.press('ArrowLeft');
  await page.waitForFunction(() => document.querySelectorAll('.span-grid.row').length === 1);
  await page.keyboard.press('ArrowRight');
  await page.waitForFunction(() => document.querySelectorAll('.span-grid.row').length === 3);
  await page.keyboard.press('j');
  await page.keyboard.press('c');
  await page.locator('.path-mark').first().waitFor();
  assert.match(page.url(), /path=1/);
  await page.keyboard.press('l');
  await page.locator('.lanes canvas').waitFor();
  await close();
});

test('orphans and cycles are shown for what they are', async () => {
  const traceId = hex(16);
  const [one, two] = [hex(8), hex(8)];
  const at = Date.now() - 5000;
  await server.send([
    span({ traceId, name: 'root', from: at, to: at + 1000 }),
    span({ traceId, parentSpanId: hex(8), name: 'lost', from: at, to: at + 10 }),
    span({ traceId, spanId: one, parentSpanId: two, name: 'round', from: at, to: at + 10 }),
    span({ traceId, spanId: two, parentSpanId: one, name: 'and round', from: at, to: at + 10 }),
  ]);
  const { page, open, close } = await openPage(browser, server);
  await open(`/trace/${traceId}`);
  await page.locator('.span-grid.row', { hasText: 'root' }).waitFor();
  const names = await page.locator('.span-name').allInnerTexts();
  for (const name of ['root', 'lost', 'round', 'and round', '1 span whose parent never came in'])
    assert(names.includes(name), `${name} in ${names}`);
  await close();
});

test('10,000 spans scroll with only what is seen in the document', async () => {
  const { traceId, spans } = evaluation(10_000);
  for (let at = 0; at < spans.length; at += 1000) await server.send(spans.slice(at, at + 1000));
  const { page, open, troubles, close } = await openPage(browser, server);
  await open(`/trace/${traceId}`);
  await page.waitForFunction(() => document.querySelector('.rows')?.scrollHeight >= 10_000 * 24);
  const most = await page.locator('.rows').evaluate(async (rows) => {
    let seen = 0;
    for (let step = 0; step < 100; step += 1) {
      rows.scrollTop = (rows.scrollHeight / 100) * step;
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      seen = Math.max(seen, document.querySelectorAll('.row').length);
      const top = rows.getBoundingClientRect().top + 30;
      if (!document.elementFromPoint(300, top)?.closest('.row')) throw new Error(`nothing is drawn at step ${step}`);
    }
    rows.scrollTop = rows.scrollHeight;
    return seen;
  });
  assert(most < 120, `${most} rows in the document`);
  await page.locator('.row[data-index="9999"]').click();
  await page.waitForURL(new RegExp(`/trace/${traceId}/[0-9a-f]{16}$`));
  await page.keyboard.press('k');
  await page.locator('.row[data-index="9998"][aria-selected="true"]').waitFor();
  assert.deepEqual(troubles, []);
  await close();
});

test('a script in every field is shown as text, on every page', async () => {
  const { traceId, call, attack, spans } = hostile();
  await server.send(spans);
  const { page, open, troubles, close } = await openPage(browser, server);
  const pages = [
    '/',
    '/traces',
    `/trace/${traceId}/${call}`,
    `/trace/${traceId}/${call}?tab=Attributes`,
    `/trace/${traceId}/${call}?raw=1`,
    `/trace/${traceId}?view=lanes`,
    '/sessions',
    '/models',
    '/health',
    `/traces?q=${encodeURIComponent(attack)}`,
    `/session/${encodeURIComponent(attack)}`,
  ];
  for (const path of pages) {
    await open(path);
    await page.locator('main').waitFor();
    await page.waitForTimeout(300);
    assert.equal(await page.locator('main script, main img, main iframe').count(), 0, path);
  }
  await open(`/trace/${traceId}/${call}?tab=Attributes`);
  await page.locator('.pane').waitFor();
  assert((await page.locator('main').innerText()).includes('<script>alert(1)</script>'));
  assert.deepEqual(troubles, []);
  await close();
});

test('while 10,000 spans scroll past, rows are used again and none is built', async () => {
  const { traceId, spans } = evaluation(10_000);
  await server.send(spans.slice(0, 5000));
  await server.send(spans.slice(5000));
  const { page, open, troubles, close } = await openPage(browser, server);
  await open(`/trace/${traceId}`);
  await page.waitForFunction(() => document.querySelector('.rows')?.scrollHeight >= 10_000 * 24);
  const built = await page.evaluate(async () => {
    const rows = document.querySelector('.rows');
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    // From the middle on, so that there are rows on both sides.
    rows.scrollTop = 2400;
    await frame();
    let count = 0;
    const observer = new MutationObserver((changes) => {
      for (const { addedNodes } of changes) for (const node of addedNodes) count += node.nodeType === 1 ? 1 : 0;
    });
    observer.observe(rows, { childList: true, subtree: true });
    for (let step = 0; step < 100; step += 1) {
      rows.scrollTop += 5 * 24;
      await frame();
    }
    observer.disconnect();
    return count;
  });
  assert.equal(built, 0, 'elements were built while scrolling');
  // What the rows say is what belongs there.
  const [index, name] = await page.evaluate(() => {
    const row = [...document.querySelectorAll('.row')].at(-1);
    return [Number(row.dataset.index), row.querySelector('.span-name').textContent];
  });
  assert.equal(name, index % 2 === 1 ? `example ${(index - 1) / 2}` : 'chat gpt-4o-mini');
  assert.deepEqual(troubles, []);
  await close();
});

test('the critical path is the one that the server tells, also of a trace that runs', async () => {
  const { traceId, agent, chain, call, spans } = customer();
  await server.send(spans);
  const { body: path } = await server.ask(`/traces/${traceId}/path`);
  const ids = new Set(path.items.map(({ span_id }) => span_id));
  assert.deepEqual(ids, new Set([agent, chain, call]));
  const { page, open, troubles, close } = await openPage(browser, server);
  await open(`/trace/${traceId}?path=1`);
  await page.waitForFunction(() => document.querySelectorAll('.row.on-path').length === 3);
  await page.locator(`#span-${call} .path-mark`).first().waitFor();

  const running = hex(16);
  const [root, late] = [hex(8), hex(8)];
  const start = (spanId, parent) => ({
    start: { trace_id: running, span_id: spanId, parent_id: parent, name: 'step', start_us: Date.now() * 1000 },
  });
  await server.announce(start(root, null));
  await open(`/trace/${running}?path=1`);
  await page.locator(`#span-${root}.on-path`).waitFor();
  await server.announce(start(late, root));
  await page.locator(`#span-${late}.on-path`).waitFor();
  assert.deepEqual(troubles, []);
  await close();
});

test('a trace that is not there yet is told as such, and shown when it comes in', async () => {
  const { traceId, spans } = customer();
  const { page, open, close } = await openPage(browser, server);
  await open(`/trace/${traceId}`);
  await page.getByRole('heading', { name: 'No such trace yet' }).waitFor();
  assert.equal(await page.locator('.trace-body').isVisible(), false);
  await server.send(spans);
  await page.locator('.span-grid.row').nth(2).waitFor();
  assert.equal(await page.locator('.trace-body').isVisible(), true);
  await close();
});
