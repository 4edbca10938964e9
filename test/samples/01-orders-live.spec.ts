import { describe, expect, it } from '@jest/globals';
import { connect } from '../support/sockets.js';
import { HARBOUR, PINE, serveOrdersLive } from './orders-live.js';

const GRINDER = { article: 'Hand grinder', quantity: 1, customer: 'Ada' };
const COFFEE = { article: 'House blend, 1 kg', quantity: 1, customer: 'Ada' };
const TABLE = { article: 'Side table', quantity: 1, customer: 'Grace' };

describe('orders, live', () => {
  it('brings an order to the sockets of its tenant within a second, and to no other', async () => {
    await using desk = await serveOrdersLive();
    using harbour = await desk.follow(HARBOUR);
    using pine = await desk.follow(PINE);
    const start = performance.now();
    const { status, body } = await desk.call(HARBOUR, 'POST', '/orders', GRINDER);
    const [created] = await harbour.until(1);
    expect(performance.now() - start).toBeLessThan(1_000);
    expect(status).toBe(201);
    expect(created).toMatchObject({ name: 'order.created', payload: body });

    // Whatever had gone astray would have come before this one.
    await desk.emissions.settled();
    await desk.call(PINE, 'POST', '/orders', TABLE);
    await pine.until(4);
    expect(pine.received[0]).toMatchObject({ name: 'order.created', payload: { id: 'PC-1001' } });
    expect(JSON.stringify(pine.received)).not.toContain('HC-');
    expect(JSON.stringify(harbour.received)).not.toContain('PC-');
  });

  it('moves an order on by handlers that follow one another', async () => {
    await using desk = await serveOrdersLive();
    using harbour = await desk.follow(HARBOUR);
    await desk.call(HARBOUR, 'POST', '/orders', GRINDER);
    await harbour.until(4);
    expect(harbour.names).toEqual([
      'order.created',
      'stock.reserved',
      'order.confirmed',
      'points.earned',
    ]);
    const { body: orders } = await desk.call(HARBOUR, 'GET', '/orders');
    expect(orders).toEqual([{ id: 'HC-1001', ...GRINDER, total: 85, status: 'confirmed' }]);
  });

  it('tells in the audit what followed from what', async () => {
    await using desk = await serveOrdersLive();
    await desk.call(HARBOUR, 'POST', '/orders', GRINDER);
    await desk.emissions.settled();
    const { body } = await desk.call(HARBOUR, 'GET', '/audit');
    const [created, reserved, confirmed, points] = body;
    expect(body).toHaveLength(4);
    expect(new Set(body.map((entry: any) => entry.correlationId))).toEqual(new Set([created.id]));
    expect(created.causationId).toBeUndefined();
    expect(reserved.causationId).toBe(created.id);
    expect(confirmed.causationId).toBe(reserved.id);
    expect(points.causationId).toBe(confirmed.id);
  });

  it('ships a confirmed order once, and issues its invoice', async () => {
    await using desk = await serveOrdersLive();
    await desk.call(HARBOUR, 'POST', '/orders', GRINDER);
    await desk.emissions.settled();
    using harbour = await desk.follow(HARBOUR);
    const shipped = await desk.call(HARBOUR, 'PATCH', '/orders/HC-1001/ship');
    expect(shipped).toMatchObject({ status: 200, body: { id: 'HC-1001', status: 'shipped' } });
    await harbour.until(2);
    expect(harbour.names).toEqual(['order.shipped', 'invoice.issued']);
    const again = await desk.call(HARBOUR, 'PATCH', '/orders/HC-1001/ship');
    expect(again.status).toBe(409);
    await desk.emissions.settled();
    expect(harbour.names).toEqual(['order.shipped', 'invoice.issued']);
  });

  it("knows nothing of another tenant's order", async () => {
    await using desk = await serveOrdersLive();
    await desk.call(HARBOUR, 'POST', '/orders', GRINDER);
    await desk.emissions.settled();
    expect((await desk.call(PINE, 'PATCH', '/orders/HC-1001/ship')).status).toBe(404);
    expect((await desk.call(PINE, 'GET', '/orders')).body).toEqual([]);
    expect((await desk.call(PINE, 'GET', '/audit')).body).toEqual([]);
  });

  it('lets nothing leave of a request that fails after it has emitted', async () => {
    await using desk = await serveOrdersLive();
    using harbour = await desk.follow(HARBOUR);
    const { status, body } = await desk.call(HARBOUR, 'POST', '/orders/broken', GRINDER);
    expect(status).toBe(500);
    expect(body.message).toMatch(/after order HC-1001 was announced/);
    await desk.emissions.settled();
    expect((await desk.call(HARBOUR, 'GET', '/orders')).body).toEqual([]);
    expect((await desk.call(HARBOUR, 'GET', '/audit')).body).toEqual([]);

    await desk.call(HARBOUR, 'POST', '/orders', COFFEE);
    await harbour.until(3);
    expect(harbour.names).toEqual(['order.created', 'stock.reserved', 'order.confirmed']);
    expect(harbour.received[0]?.payload).toMatchObject(COFFEE);
  });

  it.each([
    ['no quantity', { ...GRINDER, quantity: undefined }, /quantity/],
    ['a quantity of nothing', { ...GRINDER, quantity: 0 }, /quantity must not be less than 1/],
    ['a quantity as text', { ...GRINDER, quantity: '1' }, /quantity must be an integer/],
    ['nobody to bring it to', { ...GRINDER, customer: '' }, /customer must be longer/],
    ['a field that is none', { ...GRINDER, tenant: 'pine-and-co' }, /tenant should not exist/],
    ["another tenant's article", { ...GRINDER, article: 'Side table' }, /does not sell/],
    ['an article of the prototype', { ...GRINDER, article: 'constructor' }, /does not sell/],
  ])('refuses an order with %s, and nothing leaves', async (_, order, message) => {
    await using desk = await serveOrdersLive();
    const { status, body } = await desk.call(HARBOUR, 'POST', '/orders', order);
    expect(status).toBe(400);
    expect([body.message].flat().join()).toMatch(message);
    await desk.emissions.settled();
    expect((await desk.call(HARBOUR, 'GET', '/audit')).body).toEqual([]);
  });

  it.each(['/orders', '/audit', '/tenant'])(
    'refuses requests to %s without a known token',
    async (path) => {
      await using desk = await serveOrdersLive();
      expect((await desk.call(undefined, 'GET', path)).status).toBe(401);
      expect((await desk.call('made-up', 'GET', path)).status).toBe(401);
      expect((await desk.call(HARBOUR, 'GET', path)).status).toBe(200);
    },
  );

  it('refuses sockets without a known token', async () => {
    await using desk = await serveOrdersLive();
    await expect(connect(desk.url)).rejects.toThrow(/nobody has this token/);
    await expect(connect(desk.url, { token: 'made-up' })).rejects.toThrow(/nobody has this token/);
  });

  it('gives points from 50 euros on', async () => {
    await using desk = await serveOrdersLive();
    using customers = await desk.follow(HARBOUR, 'topic/customers');
    await desk.call(HARBOUR, 'POST', '/orders', COFFEE);
    await desk.emissions.settled();
    await desk.call(HARBOUR, 'POST', '/orders', { ...COFFEE, quantity: 3 });
    const [first] = await customers.until(1);
    expect(first).toMatchObject({
      name: 'points.earned',
      payload: { orderId: 'HC-1002', points: 7 },
    });
  });

  it('refills a shelf that does not hold enough, each tenant its own', async () => {
    await using desk = await serveOrdersLive();
    using stock = await desk.follow(HARBOUR, 'topic/stock');
    for (let i = 0; i < 3; i++) {
      await desk.call(HARBOUR, 'POST', '/orders', { ...COFFEE, quantity: 20 });
      await desk.emissions.settled();
    }
    await stock.until(4);
    expect(stock.received.map(({ name, payload }) => [name, payload.left])).toEqual([
      ['stock.reserved', 30],
      ['stock.reserved', 10],
      ['stock.refilled', undefined],
      ['stock.reserved', 40],
    ]);
  });

  it('keeps the last 200 entries of each audit', async () => {
    await using desk = await serveOrdersLive();
    await desk.call(PINE, 'POST', '/orders', TABLE);
    for (let i = 0; i < 70; i++) await desk.call(HARBOUR, 'POST', '/orders', COFFEE);
    await desk.emissions.settled();
    expect((await desk.call(HARBOUR, 'GET', '/audit')).body).toHaveLength(200);
    expect((await desk.call(PINE, 'GET', '/audit')).body).toHaveLength(4);
  });

  it('describes what is wired to what', async () => {
    await using desk = await serveOrdersLive();
    const { body } = await desk.call(undefined, 'GET', '/describe');
    expect(body.adapters.map(({ name }: any) => name)).toEqual(['audit', 'gateway']);
    expect(body.handlers.map(({ id, pattern }: any) => `${pattern} → ${id}`)).toEqual([
      'order.created → StockHandler.reserve',
      'stock.reserved → ConfirmationHandler.confirm',
      'order.confirmed → PointsHandler.credit',
      'order.shipped → InvoiceHandler.issue',
    ]);
    expect(Object.keys(body.topics)).toEqual(['orders', 'stock', 'customers']);
  });

  it.each([
    ['/', 'text/html'],
    ['/style.css', 'text/css'],
    ['/app.js', 'text/javascript'],
    ['/socket.io/socket.io.js', 'application/javascript'],
  ])('serves %s itself', async (path, type) => {
    await using desk = await serveOrdersLive();
    const response = await fetch(desk.url + path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain(type);
  });
});
