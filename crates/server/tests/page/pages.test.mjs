// Sessions, users, models, health, scores and facets: what the pages show is what was sent.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openPage, startBrowser, startServer } from './setup.mjs';
import { customer, hex, span } from './shop.mjs';

let server, browser;
const first = customer({ at: Date.now() - 30_000, session: 's-1', request: 'an iced latte' });
before(async () => {
  server = await startServer();
  browser = await startBrowser();
  await server.send([
    ...first.spans,
    ...customer({ at: Date.now() - 20_000, session: 's-1', error: 'no milk' }).spans,
    ...customer({ at: Date.now() - 10_000, session: 's-2', model: 'claude-3-5-sonnet' }).spans,
  ]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test('sessions and users are listed with what they used, and lead to their traces', async () => {
  const { page, open, troubles, close } = await openPage(browser, server);
  await open('/sessions');
  const row = page.locator('.row', { hasText: 's-1' });
  await row.waitFor();
  const cells = await row.locator('[role=gridcell]').allInnerTexts();
  assert.deepEqual(cells.slice(0, 4), ['s-1', '2', '3', '3,620']);
  await row.locator('a.name').click();
  await page.getByRole('heading', { name: 's-1' }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll('.row').length === 2);
  assert.match(await page.locator('.sum').innerText(), /3,620 tok/);
  await page.goBack();
  await page.getByRole('button', { name: 'Users' }).click();
  await page.locator('.row .c-id', { hasText: 'u-4' }).click();
  await page.waitForURL(/\/traces\?q=user%3Au-4/);
  await page.waitForFunction(() => document.querySelectorAll('.row').length === 3);
  assert.deepEqual(troubles, []);
  await close();
});

test('models are counted by calls, and one can be chosen', async () => {
  const { page, open, troubles, close } = await openPage(browser, server);
  await open('/models');
  const row = page.locator('tbody tr', { hasText: 'gpt-4o-mini' });
  await row.waitFor();
  assert.match(await row.innerText(), /openai\s+2\s+1 · 50\s%/);
  const values = () => page.locator('.chart-value').allInnerTexts();
  assert.match((await values()).slice(0, 2).join(), /^3,1 · 33\s%$/);
  await row.getByRole('button', { name: 'gpt-4o-mini' }).click();
  await page.waitForURL(/model=gpt-4o-mini/);
  await page.waitForFunction(() => document.querySelector('.chart-value').textContent === '2');
  assert.equal(await page.locator('.bars.chosen').count(), 4);
  await page.getByRole('button', { name: '15m' }).click();
  await page.waitForURL(/range=15m/);
  // A bucket leads to the traces that began in it.
  await page
    .locator('.plot')
    .first()
    .click({ position: { x: 2, y: 40 } });
  await page.waitForURL(/\/traces\?q=/);
  await page.getByText('Nothing matches').waitFor();
  assert.equal(await page.getByRole('alert').filter({ visible: true }).count(), 0);
  assert.deepEqual(troubles, []);
  await close();
});

test('health names who sends, what they say of themselves, and what was refused', async () => {
  const { page, open, troubles, close } = await openPage(browser, server);
  await open('/health');
  await page.getByText('Nothing is being lost.').waitFor();
  await page.locator('tbody tr', { hasText: 'OpenTelemetry' }).filter({ hasText: 'coffee-shop' }).waitFor();
  await server.announce({
    health: { destination: 'langfuse', queued: 1, sent: 12, retried: 0, spooled: 0, dropped: { 'queue full': 3 } },
  });
  await page.getByText('Spans are being lost.').waitFor();
  const row = page.locator('tbody tr', { hasText: 'page-test' });
  assert.match(await row.innerText(), /langfuse\s+1\s+12\s+0\s+0\s+3 queue full/);
  assert.match(await page.locator('.verdict').innerText(), /3 dropped by coffee-shop/);
  assert.match(await page.locator('.figures').last().innerText(), /spans\s+9\s+traces\s+3/);
  assert.deepEqual(troubles, []);
  await close();
});

test('a score stands in the head of its trace', async () => {
  const body = { trace_id: first.traceId, name: 'taste', value: 0.75, comment: 'a little bitter' };
  const { status } = await server.post('/scores', body);
  assert.equal(status, 201);
  const { page, open, troubles, close } = await openPage(browser, server);
  await open(`/trace/${first.traceId}`);
  const score = page.locator('.f-score');
  await score.waitFor();
  assert.match(await score.innerText(), /taste\s+0\.75/i);
  assert.equal(await score.getAttribute('title'), 'a little bitter');
  assert.match(await page.locator('.blame').innerText(), /98\s% generation/);
  assert.deepEqual(troubles, []);
  await close();
});

test('facets are counted, and a click filters by one', async () => {
  const { page, open, troubles, close } = await openPage(browser, server);
  await open('/traces?facets=1');
  const model = page.locator('.facet', { hasText: 'model' }).getByRole('button', { name: /gpt-4o-mini/ });
  assert.match(await model.innerText(), /gpt-4o-mini\s*2/);
  await model.click();
  await page.waitForURL(/q=model%3Agpt-4o-mini/);
  await page.waitForFunction(() => document.querySelectorAll('.row').length === 2);
  await page.locator('.facet [aria-pressed="true"]', { hasText: 'gpt-4o-mini' }).click();
  await page.waitForFunction(() => document.querySelectorAll('.row').length === 3);
  assert.deepEqual(troubles, []);
  await close();
});

test('what came out is on the stream also of calls that ended before somebody looked', async () => {
  const { page, open, close } = await openPage(browser, server);
  await open('/');
  const isRoot = page.locator('.c-what b', { hasText: 'CoffeeShopAgent.forward' });
  const root = page.locator('.row.e-end').filter({ has: isRoot }).first();
  await root.waitFor();
  await page.waitForFunction(() =>
    [...document.querySelectorAll('.row.e-end')]
      .filter((row) => /forward|chat /.test(row.querySelector('.c-what b').textContent))
      .every((row) => /It got mugged\.(\*\*)?$/.test(row.querySelector('.c-words').textContent)),
  );
  await close();
});

test('the time of the charts is as long as there are traces', async () => {
  const { page, open, close } = await openPage(browser, server);
  await open('/models');
  await page.getByRole('button', { name: '15m', pressed: true }).waitFor();
  await close();
});

test('the stream shows the last words, and can be filtered by event', async () => {
  const { page, open, troubles, close } = await openPage(browser, server);
  await open('/?q=event%3Allm.*');
  await page.locator('.live.on').waitFor();
  await page.waitForFunction(() => document.querySelectorAll('.row').length === 3);
  await server.send(customer({ model: 'fresh-model' }).spans);
  const row = page.locator('.row', { hasText: 'chat fresh-model' });
  await row.waitFor();
  assert.match(await row.locator('.c-words').innerText(), /\*\*It got mugged\.\*\*$/);
  assert.equal(await page.locator('.row').count(), 4);
  assert.deepEqual(troubles, []);
  await close();
});

test('a table of models fits the page, whatever they are called', async () => {
  const at = Date.now() - 1000;
  const values = { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': `accounts/${'long-'.repeat(40)}` };
  await server.send([span({ traceId: hex(16), name: 'chat', from: at, to: at + 10, values })]);
  const { page, open, close } = await openPage(browser, server);
  await open('/models');
  await page.locator('tbody tr', { hasText: 'accounts/long-' }).waitFor();
  const [wide, room] = await page.locator('.model-table').evaluate((box) => [box.scrollWidth, box.clientWidth]);
  assert(wide <= room, `${wide} pixels in ${room}`);
  await close();
});

test('everything that can be pressed has a name, and every page has one first heading', async () => {
  const { page, open, close } = await openPage(browser, server);
  const pages = ['/', '/traces?facets=1', `/trace/${first.traceId}/${first.call}`, '/sessions', '/models', '/health'];
  for (const path of [...pages, `/compare/${first.traceId}`]) {
    await open(path);
    await page.locator('h1').first().waitFor({ state: 'attached' });
    await page.waitForTimeout(300);
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll('button, a[href], input, select, [role=tab], [role=grid], [role=treegrid], canvas')]
        .filter((element) => element.checkVisibility())
        .filter((element) => !element.textContent.trim() && !element.getAttribute('aria-label') && !element.title)
        .map((element) => element.outerHTML),
    );
    assert.deepEqual(nameless, [], path);
    assert.equal(await page.locator('h1').count(), 1, path);
  }
  await close();
});
