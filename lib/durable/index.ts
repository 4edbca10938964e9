export { DurableDeliveries } from './deliveries.service.js';
export type { HandlerStats } from './deliveries.service.js';
export type { DeadDeliveries, HandlerLoad } from './delivery/delivery.desk.js';
export type { Delivery, DeliveryState, KeptError } from './delivery/delivery.js';
export {
  DatabaseUnavailableError,
  DeliveriesNotStoredError,
  DeliveryDataError,
  DeliveryLostError,
  NoAnswerError,
  NonRetryableError,
  TablesNotReadyError,
  UnknownHandlerError,
} from './durable.errors.js';
export { EmissionsDurableModule, type DurableAsyncOptions } from './durable.module.js';
export type { DurableBackend, DurableOptions, EmbeddedDatabase } from './durable.options.js';
export { fromDrizzle } from './executors/from-drizzle.js';
export type { DrizzleDatabase } from './executors/from-drizzle.js';
export { fromKnex } from './executors/from-knex.js';
export type { KnexDatabase, KnexTransaction } from './executors/from-knex.js';
export { fromKysely } from './executors/from-kysely.js';
export type { KyselyDatabase, KyselyTransaction } from './executors/from-kysely.js';
export { fromMikroOrm } from './executors/from-mikro-orm.js';
export type { MikroOrmManager } from './executors/from-mikro-orm.js';
export { fromPg } from './executors/from-pg.js';
export type { PgClient, PgPool } from './executors/from-pg.js';
export { fromPglite } from './executors/from-pglite.js';
export type { PgliteDatabase, PgliteTransaction } from './executors/from-pglite.js';
export { fromPrisma } from './executors/from-prisma.js';
export type { PrismaDatabase, PrismaTransactionOptions } from './executors/from-prisma.js';
export { fromTypeOrm } from './executors/from-type-orm.js';
export type { TypeOrmManager, TypeOrmSource } from './executors/from-type-orm.js';
export { withEmissions } from './executors/with-emissions.js';
export type {
  TransactionalAdapterShape,
  TransactionalPlugin,
  TransactionalWraps,
} from './executors/with-emissions.js';
