// The demo and the server that it keeps open: what it says is what the page shows.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openPage, startBrowser, startDemo } from './setup.mjs';

let demo, browser;
before(async () => {
  demo = await startDemo('--speed', '2', '--every', '1');
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  assert.equal(await demo?.stop(), 0);
});

test('the address that it prints shows the first trace', async () => {
  const [, link] = /   open (http:\S+\/trace\/\S+)/.exec(demo.said) ?? assert.fail(demo.said);
  const { page, troubles, close } = await openPage(browser, { ...demo, url: link });
  await page.locator('.trace-head .state.s-done').waitFor();
  assert.deepEqual(await page.locator('.span-name').allInnerTexts(), [
    'CoffeeShopAgent.forward',
    'ChainOfThought(CoffeeShop)',
    'chat gpt-4o-mini',
  ]);
  assert.match(await page.locator('.trace-head .facts').innerText(), /coffee-shop one after another[\s\S]*customer-1/);
  assert.deepEqual(troubles, []);
  await close();
});

test('what it says it sent is what the server has kept', async () => {
  assert.match(demo.said, /^24 spans sent, 0 lost/m);
  const { page, open, close } = await openPage(browser, demo);
  await open('/traces?q=-session:*walk-in');
  await page.waitForFunction(() => document.querySelectorAll('.row').length === 8);
  await open('/health');
  await page.getByText('Nothing is being lost.').waitFor();
  await close();
});

test('customers go on coming, and are seen while they are served', async () => {
  const { page, open, troubles, close } = await openPage(browser, demo);
  await page.locator('.live.on').waitFor();
  await page.locator('.row.e-start', { hasText: 'chat gpt-4o-mini' }).first().waitFor();
  await open('/traces?q=status:running');
  await page.locator('.row.s-running a.name').first().click();
  await page.locator('.trace-head .state.s-done').waitFor();
  assert.match(await page.locator('.trace-head .facts').innerText(), /coffee-shop walk-in/);
  assert.deepEqual(troubles, []);
  await close();
});
