import { defineTopics } from 'nestjs-emissions';
import type { Order } from './order.js';

/** What can happen at the order desk. From here on `emit` and `@OnEmission` know these names and check their payloads. */
declare module 'nestjs-emissions' {
  interface EmissionCatalog {
    'order.created': Order;
    'order.confirmed': { orderId: string; customer: string; total: number };
    'order.shipped': { orderId: string; customer: string; total: number };
    'stock.reserved': { orderId: string; article: string; left: number };
    'stock.refilled': { article: string; quantity: number };
    'points.earned': { orderId: string; customer: string; points: number };
    'invoice.issued': { orderId: string; number: string; total: number };
  }
}

/** The topics a browser can follow one by one, as `topic/orders`. */
export const topics = defineTopics({
  orders: ['order.created', 'order.confirmed', 'order.shipped'],
  stock: ['stock.reserved', 'stock.refilled'],
  customers: ['points.earned', 'invoice.issued'],
});
