import { UseInterceptors, type Type } from '@nestjs/common';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  Args,
  GraphQLModule,
  Mutation,
  Parent,
  Query,
  ResolveField,
  Resolver,
} from '@nestjs/graphql';
import {
  Buffered,
  Emissions,
  EmissionsInterceptor,
  EmissionsModule,
  Unbuffered,
} from 'nestjs-emissions';
import { RecordingAdapter } from './adapters.js';
import { serve } from './app.js';
import { nextRound } from './until.js';

const typeDefs = `
  type Order { id: Int!  label: String!  note: String }
  type Query { taken: Boolean!  audited: Boolean! }
  type Mutation {
    place(id: Int!): Order!
    refuse(id: Int!): Order
    misfit(id: Int!): Int
    quiet: Boolean!
  }
`;

interface Order {
  id: number;
}

/** Every way in which an operation can end. */
@Resolver('Order')
export class Orders {
  constructor(private readonly emissions: Emissions) {}

  @Query()
  async taken(): Promise<boolean> {
    await nextRound();
    return this.emissions.emit('order.read') !== undefined;
  }

  @Query()
  @Buffered()
  async audited(): Promise<boolean> {
    await nextRound();
    return this.emissions.emit('order.audited') !== undefined;
  }

  @Mutation()
  async place(@Args('id') id: number): Promise<Order> {
    this.emissions.emit('order.created', id);
    await nextRound();
    this.emissions.emit('order.paid', id);
    return { id };
  }

  @Mutation()
  async refuse(@Args('id') id: number): Promise<void> {
    await this.place(id);
    throw new Error('sold out');
  }

  /** Gives what does not fit its type: GraphQL finds out when the resolver is done. */
  @Mutation()
  async misfit(@Args('id') id: number): Promise<unknown> {
    await this.place(id);
    return 'not a number';
  }

  @Mutation()
  @Unbuffered()
  async quiet(): Promise<boolean> {
    await nextRound();
    return this.emissions.emit('order.counted') !== undefined;
  }

  @ResolveField()
  async note(@Parent() order: Order): Promise<string> {
    await this.label(order);
    throw new Error('no note');
  }

  @ResolveField()
  async label(@Parent() { id }: Order): Promise<string> {
    await nextRound();
    this.emissions.emit('order.labelled', id);
    if (id < 0) throw new Error('no label');
    return `order ${id}`;
  }
}

/** The same, with the interceptor. */
@Resolver('Order')
@UseInterceptors(EmissionsInterceptor)
export class InterceptedOrders extends Orders {}

/** Serves it; what is committed goes to one adapter. */
export async function serveGraphql(
  resolver: Type,
  interceptor: 'manual' | 'global' = 'manual',
  driver: Partial<ApolloDriverConfig> = {},
) {
  const sink = new RecordingAdapter();
  const adapters = [{ name: 'sink', useValue: sink }];
  const app = await serve({
    imports: [
      EmissionsModule.forRoot({ adapters, interceptor }),
      GraphQLModule.forRoot<ApolloDriverConfig>({
        driver: ApolloDriver,
        typeDefs,
        fieldResolverEnhancers: ['interceptors'],
        ...driver,
      }),
    ],
    providers: [resolver],
  });
  return {
    emissions: app.emissions,
    sink,
    post: (body: unknown) => app.request('POST', '/graphql', body),
    ask: async (query: string): Promise<object> =>
      (await app.request('POST', '/graphql', { query })).json() as Promise<object>,
    delivered: async () => {
      await app.emissions.settled();
      return sink.emissions.map(({ name, payload }) => [name, payload]);
    },
    [Symbol.asyncDispose]: app.close,
  };
}

/** What placing orders delivers. */
export const placed = (...ids: number[]) =>
  ids.flatMap((id) => [
    ['order.created', id],
    ['order.paid', id],
  ]);
