import {
  AMBIENT_TRANSACTIONS,
  type AmbientTransactions,
  type ExecutorSource,
  type TransactionSource,
} from '../../emission/transaction-source.js';

/** What is needed of a transaction's options of `@nestjs-cls/transactional`. */
export interface TransactionalWraps<Tx> {
  wrapWithTransaction(
    options: any,
    work: (...args: any[]) => Promise<any>,
    setTx: (transaction?: Tx) => void,
  ): Promise<any>;
  wrapWithNestedTransaction?(
    options: any,
    work: (...args: any[]) => Promise<any>,
    setTx: (transaction?: Tx) => void,
    transaction: Tx,
  ): Promise<any>;
}

/** What is needed of an adapter of `@nestjs-cls/transactional`. */
export interface TransactionalAdapterShape<Connection, Tx> {
  optionsFactory(connection: Connection, extraProviders: any[]): TransactionalWraps<Tx>;
  extraProviderTokens?: any[];
}

/** What is needed of what `ClsPluginTransactional` takes. */
export interface TransactionalPlugin<Connection, Tx> {
  adapter: TransactionalAdapterShape<Connection, Tx>;
  connectionName?: string;
}

/**
 * Lets the transactions of `@nestjs-cls/transactional` hold what is emitted in them. It takes what `ClsPluginTransactional` takes, and
 * gives it back with another adapter:
 *
 * ```ts
 * new ClsPluginTransactional(
 *   withEmissions({ adapter: new TransactionalAdapterTypeOrm({ dataSourceToken }) }, fromTypeOrm),
 * );
 * ```
 *
 * Then what a `@Transactional()` method emits is part of its transaction, with nothing passed by hand: critical handlers run, and durable
 * deliveries are stored through it, before the outermost method's transaction commits; everybody else gets the emissions when it
 * has, also if the request fails later; after a rollback, nobody does. `RequiresNew` has emissions of its own, `Nested` takes back what
 * was emitted in it when it fails, and what is emitted under `NotSupported` belongs to the unit of work, such as the request,
 * that the transaction was opened in.
 *
 * @param from makes a source of the connection: `fromTypeOrm`, `(db) => fromDrizzle(db, sql)`
 */
export function withEmissions<Connection, Tx, Plugin extends TransactionalPlugin<Connection, Tx>>(
  plugin: Plugin & TransactionalPlugin<Connection, Tx>,
  from: (connection: Connection) => ExecutorSource<Tx>,
): Plugin {
  const { adapter, connectionName } = plugin;
  const tokens = adapter.extraProviderTokens ?? [];
  const replaced: Required<TransactionalAdapterShape<Connection, Tx>> = {
    extraProviderTokens: [...tokens, AMBIENT_TRANSACTIONS],
    optionsFactory: (connection, extraProviders) =>
      holding(
        adapter.optionsFactory(connection, extraProviders.slice(0, tokens.length)),
        from(connection),
        extraProviders[tokens.length] as AmbientTransactions,
        connectionName,
      ),
  };
  return { ...plugin, adapter: replacing(adapter, replaced) };
}

/** Whatever else an adapter has, its hooks among it, stays its own. */
function replacing<T extends object>(adapter: T, replaced: Partial<T>): T {
  return new Proxy(adapter, {
    get: (target, property) =>
      Object.hasOwn(replaced, property)
        ? replaced[property as keyof T]
        : bound(Reflect.get(target, property, target), target),
  });
}

function bound(value: unknown, owner: object): unknown {
  const isMethod = typeof value === 'function' && value !== owner.constructor;
  return isMethod ? (value.bind(owner) as unknown) : value;
}

function holding<Tx, Wraps extends TransactionalWraps<Tx>>(
  wraps: Wraps,
  source: ExecutorSource<Tx>,
  transactions: AmbientTransactions,
  connectionName: string | undefined,
): Wraps {
  const nested = wraps.wrapWithNestedTransaction?.bind(wraps);
  return {
    ...wraps,
    async wrapWithTransaction(options, work, setTx) {
      const isSuspended = await suspensionOf(connectionName);
      const opening: TransactionSource<Tx> = {
        source: source.source,
        begin: (run) => {
          let transaction: Tx;
          const opened = (given?: Tx): void => {
            transaction = given!;
            setTx(given);
          };
          const held = async (): Promise<unknown> =>
            run(transaction, await source.executorOf(transaction));
          return wraps.wrapWithTransaction(options, held, opened);
        },
      };
      return transactions.open(opening, work, isSuspended);
    },
    // One that it lacks must stay lacking: then there is none.
    ...(nested && {
      wrapWithNestedTransaction: (...given: Parameters<typeof nested>) =>
        transactions.nest(() => nested(...given)),
    }),
  };
}

/** Whether the code that asks has left the transaction for a while: the adapters are not told. */
async function suspensionOf(connectionName: string | undefined): Promise<() => boolean> {
  const { TransactionHost } = await import('@nestjs-cls/transactional');
  const host = TransactionHost.getInstance(connectionName);
  return () => !host.isTransactionActive();
}
