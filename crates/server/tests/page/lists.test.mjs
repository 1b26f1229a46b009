// Lists: traces that came in are there, can be filtered, searched, opened, and found again by going back.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openPage, startBrowser, startServer } from './setup.mjs';
import { customer } from './shop.mjs';

let server, browser;
before(async () => {
  server = await startServer();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test('an empty page says how to send the first trace, with the address filled in', async () => {
  const { page, open, troubles, close } = await openPage(browser, server);
  await open('/traces');
  await page.getByRole('heading', { name: 'No traces yet' }).waitFor();
  assert.match(await page.locator('.first').innerText(), new RegExp(`OTEL_EXPORTER_OTLP_ENDPOINT=${server.origin}`));
  await server.send(customer({ request: 'the very first' }).spans);
  await page.locator('.row', { hasText: 'the very first' }).waitFor();
  assert.equal(await page.getByRole('heading', { name: 'No traces yet' }).count(), 0);
  assert.deepEqual(troubles, []);
  await close();
});

test('a filter is typed, completed, kept in the address, and undone by going back', async () => {
  await server.send([...customer({ model: 'gpt-4o-mini' }).spans, ...customer({ model: 'claude-3-5-sonnet' }).spans]);
  const { page, open, close } = await openPage(browser, server);
  await open('/traces');
  await page.locator('.row').first().waitFor();
  const all = await page.locator('.row').count();
  await page.keyboard.press('/');
  await page.keyboard.type('mod');
  await page.getByRole('option', { name: /model:/ }).waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.type('claude*');
  await page.keyboard.press('Enter');
  await page.waitForFunction((before) => document.querySelectorAll('.row').length < before, all);
  assert.equal(new URL(page.url()).searchParams.get('q'), 'model:claude*');
  await page.reload();
  await page.locator('.row').first().waitFor();
  assert.equal(await page.getByRole('combobox').inputValue(), 'model:claude*');
  assert.equal(await page.locator('.row').count(), 1);
  await close();
});

test('a filter that cannot be read says what is wrong with it', async () => {
  const { page, open, close } = await openPage(browser, server);
  await open('/traces?q=colour%3Ared');
  await page.getByRole('alert').waitFor();
  assert.match(await page.getByRole('alert').innerText(), /colour/);
  await close();
});

test('words are searched in what was said', async () => {
  await server.send(customer({ request: 'a macchiato with cinnamon' }).spans);
  const { page, open, close } = await openPage(browser, server);
  // The index of words is written behind the spans.
  await page.waitForFunction(
    async () => (await (await fetch('/api/v1/traces?q=cinnamon')).json()).items.length === 1,
    null,
    { polling: 100 },
  );
  await open('/traces?q=cinnamon');
  await page.locator('.row', { hasText: 'macchiato' }).waitFor();
  assert.equal(await page.locator('.row').count(), 1);
  await close();
});

test('going back shows the list where it was left', async () => {
  await server.send(
    Array.from({ length: 120 }, (_, index) => customer({ at: Date.now() - 60_000 - index * 1000 }).spans).flat(),
  );
  const { page, open, close } = await openPage(browser, server);
  await open('/traces');
  await page.waitForFunction(() => document.querySelector('.rows').scrollHeight > 3000);
  await page.locator('.rows').evaluate((rows) => {
    rows.scrollTop = 1500;
  });
  await page.waitForFunction(() =>
    [...document.querySelectorAll('.row')].some((row) => Number(row.dataset.index) > 50),
  );
  await page.locator('.row[data-index="55"]').click();
  await page.locator('.trace-head h1').waitFor();
  await page.goBack();
  await page.locator('.row[data-index="55"]').waitFor();
  assert.equal(await page.locator('.rows').evaluate((rows) => rows.scrollTop), 1500);
  await close();
});

test('keys go from page to page and through rows', async () => {
  const { page, open, close } = await openPage(browser, server);
  await open('/traces');
  await page.locator('.row').first().waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.locator('.row[data-index="1"][aria-selected="true"]').waitFor();
  await page.keyboard.press('Enter');
  await page.locator('.trace-head').waitFor();
  for (const [key, path] of [
    ['s', '/sessions'],
    ['m', '/models'],
    ['h', '/health'],
    ['t', '/traces'],
  ]) {
    await page.keyboard.press('g');
    await page.keyboard.press(key);
    await page.waitForURL(server.origin + path);
  }
  await page.keyboard.press('?');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('t');
  assert.match(await page.evaluate(() => document.documentElement.dataset.theme), /dark|light/);
  await close();
});

test('a page without the token says where to get it', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${server.origin}/traces`);
  await page.getByText(/address with the token/).waitFor();
  assert.equal(await page.getByRole('heading', { name: 'No traces yet' }).count(), 0);
  await context.close();
});

test('half a key is not searched for while it is typed', async () => {
  await server.send(customer({ request: 'still here' }).spans);
  const { page, open, close } = await openPage(browser, server);
  const searched = [];
  page.on('request', (request) => {
    const { pathname, searchParams } = new URL(request.url());
    if (pathname === '/api/v1/traces') searched.push(searchParams.get('q'));
  });
  await open('/traces');
  await page.locator('.row', { hasText: 'still here' }).waitFor();
  await page.keyboard.press('/');
  for (const part of ['sta', 'tus', ':', 'done']) {
    await page.keyboard.type(part);
    await page.waitForTimeout(400);
  }
  await page.waitForURL(/q=status%3Adone/);
  assert.deepEqual(new Set(searched), new Set([null, 'status:done']));
  await close();
});

test('an address that cannot be read is told as such', async () => {
  const { page, open, troubles, close } = await openPage(browser, server);
  await open('/trace/%E0');
  await page.getByRole('heading', { name: 'The trace cannot be shown' }).waitFor();
  assert.deepEqual(troubles, []);
  await close();
});
