import {
  BadRequestException,
  ConflictException,
  Injectable,
  NotFoundException,
} from '@nestjs/common';
import { Emissions } from 'nestjs-emissions';
import type { Tenant } from '../tenants/tenant.js';
import type { Order, OrderStatus } from './order.js';
import type { PlaceOrderDto } from './place-order.dto.js';

const FIRST_NUMBER = 1001;

/** Keeps the orders, each tenant's in a book of its own, in memory. */
@Injectable()
export class OrdersService {
  readonly #books = new Map<string, Map<string, Order>>();

  constructor(private readonly emissions: Emissions) {}

  /** A tenant's orders, newest first. */
  all(tenant: Tenant): Order[] {
    return [...this.#bookOf(tenant.id).values()].reverse();
  }

  place(tenant: Tenant, wish: PlaceOrderDto): Order {
    const order = this.announce(tenant, wish);
    this.#bookOf(tenant.id).set(order.id, order);
    return order;
  }

  /** Makes an order and says so, without entering it in the book. */
  announce(tenant: Tenant, { article, quantity, customer }: PlaceOrderDto): Order {
    if (!Object.hasOwn(tenant.articles, article)) {
      throw new BadRequestException(`${tenant.name} does not sell '${article}'.`);
    }
    const order: Order = {
      id: `${tenant.prefix}-${FIRST_NUMBER + this.#bookOf(tenant.id).size}`,
      article,
      quantity,
      customer,
      total: quantity * tenant.articles[article]!,
      status: 'created',
    };
    // With the order as the key, nobody sees it shipped before it is confirmed.
    this.emissions.emit('order.created', order, undefined, { key: order.id });
    return order;
  }

  ship(tenant: Tenant, id: string): Order {
    const { status } = this.find(tenant.id, id);
    if (status !== 'confirmed') {
      throw new ConflictException(`Order ${id} is ${status}; only a confirmed one can be shipped.`);
    }
    const order = this.advance(tenant.id, id, 'shipped');
    const { customer, total } = order;
    this.emissions.emit('order.shipped', { orderId: id, customer, total }, undefined, { key: id });
    return order;
  }

  /** Enters a new status. Handlers know their tenant by its id, from the emission. */
  advance(tenantId: string | undefined, id: string, status: OrderStatus): Order {
    const order = { ...this.find(tenantId, id), status };
    this.#bookOf(tenantId).set(id, order);
    return order;
  }

  /** @throws NotFoundException also for another tenant's order: its existence is nobody's business */
  find(tenantId: string | undefined, id: string): Order {
    const order = this.#bookOf(tenantId).get(id);
    if (order === undefined) throw new NotFoundException(`There is no order ${id}.`);
    return order;
  }

  #bookOf(tenantId = ''): Map<string, Order> {
    const book = this.#books.get(tenantId) ?? new Map<string, Order>();
    this.#books.set(tenantId, book);
    return book;
  }
}
