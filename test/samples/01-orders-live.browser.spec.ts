import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import type { Browser, Locator, Page } from 'playwright-core';
import { describeInBrowser, launchBrowser } from '../support/browser.js';
import { serveOrdersLive, type OrdersLive } from './orders-live.js';

jest.setTimeout(30_000);

/** The page, open and connected, with all it has complained about and asked for. */
interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  readonly harbour: Locator;
  readonly pine: Locator;
  readonly complaints: string[];
  readonly hosts: Set<string>;
}

describeInBrowser('the page of orders, live', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  async function open(desk: OrdersLive, width = 1280): Promise<OpenPage> {
    const page = await browser.newPage({ viewport: { width, height: 800 } });
    const complaints: string[] = [];
    const hosts = new Set<string>();
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (!['error', 'warning'].includes(message.type())) return;
      complaints.push(`${message.text()} ${new URL(message.location().url).pathname}`);
    });
    page.on('request', (request) => {
      const { host, protocol } = new URL(request.url());
      if (protocol !== 'data:') hosts.add(host);
    });
    page.on('websocket', (socket) => hosts.add(new URL(socket.url()).host));
    await page.goto(desk.url);
    await page.locator('body[data-state=up]').waitFor({ state: 'attached' });
    return {
      page,
      harbour: page.locator('[data-tenant=harbour-coffee]'),
      pine: page.locator('[data-tenant=pine-and-co]'),
      complaints,
      hosts,
      [Symbol.asyncDispose]: () => page.close(),
    };
  }

  const press = (shop: Locator, name: string | RegExp) =>
    shop.getByRole('button', { name, exact: true }).click();
  const order = (shop: Locator, id: string, status: string) =>
    shop.locator(`[data-order=${id}][data-status=${status}]`);
  const events = (shop: Locator) => shop.locator('.feed code').allTextContents();

  it('misses nothing while its connection is dropped', async () => {
    await using desk = await serveOrdersLive();
    await using window = await open(desk);
    const { harbour } = window;
    await press(harbour, 'Place order');
    await order(harbour, 'HC-1001', 'confirmed').waitFor();
    const before = (await events(harbour)).length;
    await press(harbour, 'Drop the connection');
    await harbour.getByText('Connection dropped').waitFor();
    const grinder = { article: 'Hand grinder', quantity: 1, customer: 'Ada' };
    for (let n = 0; n < 5; n++) await desk.call('demo-harbour', 'POST', '/orders', grinder);
    await desk.emissions.settled();
    expect(await harbour.locator('.order').count()).toBe(1);

    const reads: string[] = [];
    window.page.on('request', (request) => reads.push(request.method() + request.url()));
    await press(harbour, 'Connect again');
    await order(harbour, 'HC-1006', 'confirmed').waitFor();
    await harbour.getByText('Live', { exact: true }).waitFor();
    expect(await harbour.locator('[data-status=confirmed]').count()).toBe(6);
    const names = await events(harbour);
    expect(names.length - before).toBe(20);
    expect(names.filter((name) => name === 'order.created')).toHaveLength(6);
    expect(reads.filter((read) => read.endsWith('/orders'))).toEqual([]);
    expect(window.complaints).toEqual([]);
  });

  it("shows a tenant's order in its own column within a second, and in no other", async () => {
    await using desk = await serveOrdersLive();
    await using window = await open(desk);
    const { harbour, pine } = window;
    await press(harbour, 'Place order');
    await harbour.locator('[data-order=HC-1001]').waitFor({ timeout: 1_000 });
    await order(harbour, 'HC-1001', 'confirmed').waitFor();
    await harbour.getByText('HC-1001 is placed.').waitFor();

    // Whatever had gone astray would have come before this one.
    await press(pine, 'Place order');
    await order(pine, 'PC-1001', 'confirmed').waitFor();
    expect(await pine.locator('.order').count()).toBe(1);
    expect(await harbour.locator('.order').count()).toBe(1);
    expect(await pine.innerText()).not.toContain('HC-');
    expect(await harbour.innerText()).not.toContain('PC-');
  });

  it('shows the failure of a request, and nothing else of it', async () => {
    await using desk = await serveOrdersLive();
    await using window = await open(desk);
    const { harbour, pine, complaints } = window;
    await press(harbour, 'Place one that fails');
    await harbour.getByText('500: The till jammed').waitFor();
    await press(harbour, 'Place order');
    await order(harbour, 'HC-1001', 'confirmed').waitFor();
    await desk.emissions.settled();
    const shown = await events(harbour);
    expect(shown.toReversed()).toEqual(['order.created', 'stock.reserved', 'order.confirmed']);
    expect(await events(pine)).toEqual([]);
    // The browser itself reports a 500; that is the only thing it has to report.
    expect(complaints).toEqual([expect.stringMatching(/status of 500 .* \/orders\/broken$/)]);
  });

  it('ships a confirmed order', async () => {
    await using desk = await serveOrdersLive();
    await using window = await open(desk);
    const { pine } = window;
    await press(pine, 'Place order');
    await press(pine, 'Ship PC-1001');
    await order(pine, 'PC-1001', 'shipped').waitFor();
    await pine.locator('.feed code', { hasText: 'invoice.issued' }).waitFor();
    expect(await pine.getByRole('button', { name: 'Shipped PC-1001' }).isDisabled()).toBe(true);
  });

  it('shows what was there before it was opened', async () => {
    await using desk = await serveOrdersLive();
    const wish = { article: 'Spoon rest', quantity: 2, customer: '<b>Grace</b>' };
    await desk.call('demo-pine', 'POST', '/orders', wish);
    await desk.emissions.settled();
    await using window = await open(desk);
    await order(window.pine, 'PC-1001', 'confirmed').waitFor();
    await window.pine.getByText('PC-1001 for <b>Grace</b>').waitFor();
    expect(await events(window.pine)).toEqual([]);
  });

  it('asks nobody but its own server, and complains of nothing', async () => {
    await using desk = await serveOrdersLive();
    await using window = await open(desk);
    await press(window.harbour, 'Place order');
    await order(window.harbour, 'HC-1001', 'confirmed').waitFor();
    expect([...window.hosts]).toEqual([new URL(desk.url).host]);
    expect(window.complaints).toEqual([]);
  });

  it('fits a phone', async () => {
    await using desk = await serveOrdersLive();
    await using window = await open(desk, 320);
    await press(window.harbour, 'Place order');
    await order(window.harbour, 'HC-1001', 'confirmed').waitFor();
    expect(await window.page.evaluate('document.documentElement.scrollWidth')).toBe(320);
  });
});
