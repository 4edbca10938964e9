/* global io -- served by the application itself, under /socket.io/socket.io.js */
import { connect as live } from './client/index.js';

/** The tokens of the two shops; public, as the sample's tenant table says. */
const TOKENS = ['demo-harbour', 'demo-pine'];
const STATUSES = ['created', 'reserved', 'confirmed', 'shipped'];
const CUSTOMERS = ['Ada', 'Grace', 'Edsger', 'Barbara', 'Donald', 'Frances'];
const EVENTS_SHOWN = 100;

/** What each event says about an order: the status it brings, and a line for the feed. */
const EVENTS = {
  'order.created': {
    status: 'created',
    about: ({ id, quantity, article }) => `${id}: ${quantity} × ${article}`,
  },
  'stock.reserved': {
    status: 'reserved',
    about: ({ orderId, left }) => `${orderId}: ${left} left`,
  },
  'stock.refilled': { about: ({ article, quantity }) => `${quantity} more of ${article}` },
  'order.confirmed': {
    status: 'confirmed',
    about: ({ orderId, total }) => `${orderId}: ${euros(total)}`,
  },
  'points.earned': {
    about: ({ orderId, customer, points }) => `${orderId}: ${points} for ${customer}`,
  },
  'order.shipped': {
    status: 'shipped',
    about: ({ orderId, customer }) => `${orderId}: sent to ${customer}`,
  },
  'invoice.issued': { about: ({ number, total }) => `${number}, ${euros(total)}` },
};

const clock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
});

const shops = TOKENS.map((token) => new Shop(token));

/** One column: one tenant's form, orders and events, with a socket of its own. */
function Shop(token) {
  const panel = document.getElementById('shop').content.firstElementChild.cloneNode(true);
  const find = (selector) => panel.querySelector(selector);
  const shop = { token, panel, find, orders: new Map(), up: false };
  document.getElementById('shops').append(panel);
  panel.dataset.state = 'connecting';
  find('form').addEventListener('submit', (event) => {
    event.preventDefault();
    void placeOrder(shop, event.submitter);
  });
  void introduce(shop);
  connect(shop);
  return shop;
}

/** Asks the server who the token stands for, and what is for sale. */
async function introduce({ token, panel, find }) {
  const answer = await call(token, 'GET', '/tenant');
  if (!answer.ok) return say(find, 'refused', explain(answer));
  const { id, name, articles } = answer.body;
  panel.dataset.tenant = id;
  const heading = find('.shop-name');
  heading.textContent = name;
  heading.id = `shop-${id}`;
  panel.setAttribute('aria-labelledby', heading.id);
  find('.orders-pane').setAttribute('aria-label', `Orders of ${name}`);
  find('.feed-pane').setAttribute('aria-label', `Events of ${name}`);
  for (const [article, price] of Object.entries(articles)) {
    find('select').append(new Option(`${article}, ${euros(price)}`, article));
  }
  find('[name=customer]').value = CUSTOMERS[TOKENS.indexOf(token)];
}

/**
 * Follows everything of the tenant. After a reconnect the client of nestjs-emissions asks for what was missed; only where the
 * server does not have that any more, the orders are read anew.
 */
function connect(shop) {
  const socket = io({ auth: { token: shop.token }, forceNew: true });
  const channel = live(socket).channel('*');
  channel.on((emission) => receive(shop, emission));
  channel.onGap(() => void readOrders(shop));
  channel.onRefused(({ message }) => mark(shop, false, `Not connected: ${message}`));
  channel.onState((state) => state === 'following' && mark(shop, true, 'Live'));
  void channel.ready.then(() => readOrders(shop));
  socket.on('connect_error', () => mark(shop, false, 'Not connected'));
  socket.on('disconnect', (reason) => {
    const dropped = reason === 'io client disconnect';
    mark(shop, false, dropped ? 'Connection dropped' : 'Connection lost, trying again');
  });
  const button = shop.find('.drop');
  button.addEventListener('click', () => {
    if (socket.connected) socket.disconnect();
    else socket.connect();
    button.textContent = socket.active ? 'Drop the connection' : 'Connect again';
  });
}

/** Subscribed first and read after that: no order falls between the two. */
async function readOrders(shop) {
  const answer = await call(shop.token, 'GET', '/orders');
  if (!answer.ok) return say(shop.find, 'refused', explain(answer));
  const known = new Set(answer.body.map(({ id }) => id));
  for (const [id, { item }] of shop.orders) {
    if (known.has(id)) continue;
    item.remove();
    shop.orders.delete(id);
  }
  for (const order of answer.body.toReversed()) {
    showOrder(shop, order);
    advance(shop, order.id, order.status);
  }
}

function receive(shop, { name, payload, occurredAt }) {
  const { status, about } = EVENTS[name] ?? {};
  if (name === 'order.created') showOrder(shop, payload);
  if (status) advance(shop, payload.id ?? payload.orderId, status);

  const item = document.getElementById('event').content.firstElementChild.cloneNode(true);
  const time = item.querySelector('time');
  time.dateTime = new Date(occurredAt).toISOString();
  time.textContent = clock.format(occurredAt);
  item.querySelector('code').textContent = name;
  item.querySelector('.event-about').textContent = about?.(payload) ?? '';
  const feed = shop.find('.feed');
  feed.prepend(item);
  while (feed.children.length > EVENTS_SHOWN) feed.lastElementChild.remove();
}

function showOrder(shop, { id, article, quantity, customer, total }) {
  if (shop.orders.has(id)) return;
  const item = document.getElementById('order').content.firstElementChild.cloneNode(true);
  const find = (selector) => item.querySelector(selector);
  item.dataset.order = id;
  find('.order-what').textContent = `${quantity} × ${article}`;
  find('.order-total').textContent = euros(total);
  find('.order-who').textContent = `${id} for ${customer}`;
  find('.ship-id').textContent = ` ${id}`;
  find('.ship').addEventListener('click', () => void ship(shop, id));
  for (const status of STATUSES) {
    const step = document.createElement('li');
    step.className = 'step';
    step.textContent = status[0].toUpperCase() + status.slice(1);
    find('.steps').append(step);
  }
  shop.orders.set(id, { item, status: undefined });
  shop.find('.orders').prepend(item);
}

/** Only ever forwards: what was read may be older than what has been received. */
function advance(shop, id, status) {
  const order = shop.orders.get(id);
  if (!order || STATUSES.indexOf(status) <= STATUSES.indexOf(order.status)) return;
  order.status = status;
  order.item.dataset.status = status;
  const reached = STATUSES.indexOf(status);
  [...order.item.querySelectorAll('.step')].forEach((step, i) => {
    step.toggleAttribute('data-reached', i <= reached);
    if (i === reached) step.setAttribute('aria-current', 'step');
    else step.removeAttribute('aria-current');
  });
  const button = order.item.querySelector('.ship');
  button.disabled = status !== 'confirmed';
  if (status === 'shipped') button.querySelector('.ship-label').textContent = 'Shipped';
}

async function placeOrder({ token, find }, button) {
  const form = new FormData(find('form'));
  const answer = await call(token, 'POST', button.dataset.path, {
    article: form.get('article'),
    quantity: Number(form.get('quantity')),
    customer: form.get('customer'),
  });
  if (!answer.ok) return say(find, 'refused', explain(answer));
  say(find, 'done', `${answer.body.id} is placed.`);
  const customer = find('[name=customer]');
  const next = CUSTOMERS.indexOf(customer.value) + 1;
  if (next > 0) customer.value = CUSTOMERS[next % CUSTOMERS.length];
}

async function ship({ token, find, orders }, id) {
  const button = orders.get(id).item.querySelector('.ship');
  button.disabled = true;
  const answer = await call(token, 'PATCH', `/orders/${id}/ship`);
  if (answer.ok) return say(find, 'done', `${id} is handed to the courier.`);
  button.disabled = false;
  say(find, 'refused', explain(answer));
}

/** Never throws: a server that cannot be reached is an answer, too. */
async function call(token, method, path, body) {
  try {
    const response = await fetch(path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { ok: response.ok, status: response.status, body: await response.json() };
  } catch {
    return { ok: false, status: 0, body: { message: 'The server cannot be reached.' } };
  }
}

function explain({ status, body }) {
  const message = [body.message].flat().join(', ');
  if (status === 0) return message;
  const outcome = status >= 500 ? ' The request failed, so nothing was delivered.' : '';
  return `${status}: ${message}${outcome}`;
}

function say(find, kind, text) {
  const notice = find('.notice');
  notice.dataset.kind = kind;
  notice.textContent = text;
}

function mark(shop, up, text) {
  shop.up = up;
  shop.panel.dataset.state = up ? 'up' : 'down';
  shop.find('.shop-state').textContent = text;
  const live = shops.filter((each) => each.up).length;
  document.body.dataset.state = live === shops.length ? 'up' : 'down';
  document.querySelector('.connection').textContent =
    live === shops.length ? 'Both shops are live' : `${live} of ${shops.length} shops are live`;
}

function euros(amount) {
  return `€${amount}`;
}
