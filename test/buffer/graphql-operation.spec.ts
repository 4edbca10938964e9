import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { UseGuards, type CanActivate } from '@nestjs/common';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  Args,
  Field,
  ID,
  GraphQLModule,
  Mutation,
  ObjectType,
  Query,
  ResolveField,
  Resolver,
} from '@nestjs/graphql';
import { Emissions, PipelineFullError } from 'nestjs-emissions';
import { captureLogs } from '../support/logs.js';
import { listen } from '../support/signals.js';
import { site, type Site } from '../support/site.js';
import { rounds, until } from '../support/until.js';

@ObjectType()
class Order {
  @Field(() => String)
  name!: string;

  @Field(() => String)
  note!: string;
}

let odd = (): boolean => false;

class Closed implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Resolver(() => Order)
class Orders {
  constructor(private readonly emissions: Emissions) {}

  @Query(() => Boolean)
  taken() {
    return this.emissions.emit('read') !== undefined;
  }

  @Query(() => Order)
  order() {
    return { name: 'read' };
  }

  @Mutation(() => Order)
  async place(@Args('name') name: string) {
    this.emissions.emit(name);
    await rounds(1);
    return { name };
  }

  @Mutation(() => Order, { nullable: true })
  refuse(@Args('name') name: string) {
    this.emissions.emit(name);
    throw new Error('refused');
  }

  @Mutation(() => String, { nullable: true })
  @UseGuards(Closed)
  guarded() {
    this.emissions.emit('guarded');
    return 'no';
  }

  @Mutation(() => String)
  nothing() {
    this.emissions.emit('nothing');
    return null;
  }

  @Mutation(() => Order)
  async put(@Args('name', { type: () => ID }) name: string) {
    return this.place(name);
  }

  @Mutation(() => Boolean)
  missing(@Args('really') really: boolean) {
    return really ? null : true;
  }

  @Mutation(() => Boolean)
  sometimes() {
    this.emissions.emit('sometimes');
    return odd() ? null : true;
  }

  @Mutation(() => String)
  errors() {
    this.emissions.emit('a');
    return '"errors":[{}]';
  }

  @Mutation(() => Boolean)
  async byHand() {
    this.emissions.emit('a');
    return (await this.emissions.commit()) === 1;
  }

  /** Resolved with the interceptor around it, too. */
  @ResolveField(() => String)
  note(): string {
    return this.emissions.emit('note') === undefined ? 'dropped' : 'taken';
  }
}

interface Result {
  data: Record<string, unknown> | null;
  errors?: { message: string; extensions: { code: string } }[];
}

describe.each(['interceptor', 'both'] as const)('a GraphQL operation (with %s)', (integration) => {
  let at: Site;
  const send = async (query: string): Promise<Result & { status: number }> => {
    const { status, text } = await at.post('/graphql', { query });
    return { status, ...(JSON.parse(text) as Result) };
  };

  beforeAll(async () => {
    const graphql = GraphQLModule.forRoot<ApolloDriverConfig>({
      driver: ApolloDriver,
      autoSchemaFile: true,
      fieldResolverEnhancers: ['interceptors'],
      allowBatchedHttpRequests: true,
      playground: false,
    });
    at = await site('express', integration, { imports: [graphql], providers: [Orders] });
  });
  beforeEach(async () => {
    await at.names();
    at.sink.batches.length = 0;
  });
  afterAll(() => at[Symbol.asyncDispose]());

  it('that is a mutation commits', async () => {
    expect(await send('mutation { place(name: "a") { name } }')).toEqual({
      status: 200,
      data: { place: { name: 'a' } },
    });
    expect(await at.names()).toEqual(['a']);
  });

  it('that is a query has no buffer', async () => {
    expect((await send('{ taken order { note } }')).data).toEqual({
      taken: false,
      order: { note: 'dropped' },
    });
    expect(await at.names()).toEqual([]);
  });

  it('has one buffer for all its root fields and what they resolve', async () => {
    using log = listen('emissions:buffer:committed');
    const { data } = await send(
      'mutation { one: place(name: "a") { note } two: place(name: "b") { name note } }',
    );
    expect(data).toEqual({ one: { note: 'taken' }, two: { name: 'b', note: 'taken' } });
    const delivered = await at.delivered();
    expect(delivered.map(({ name }) => name)).toEqual(['a', 'note', 'b', 'note']);
    expect(new Set(delivered.map(({ correlationId }) => correlationId)).size).toBe(1);
    expect(log.all.map(({ message }) => message.count).filter((count) => count > 0)).toEqual([4]);
  });

  it.each([
    ['a later field throws', 'mutation { place(name: "a") { name } refuse(name: "b") { name } }'],
    [
      'an earlier field throws',
      'mutation { refuse(name: "b") { name } place(name: "a") { name } }',
    ],
    ['a guard refuses one', 'mutation { place(name: "a") { name } guarded }'],
    ['a value is missing', 'mutation { place(name: "a") { name } nothing }'],
    ['it is not valid', 'mutation { place(name: "a") { name } unknown }'],
  ])('discards all when %s', async (_, query) => {
    const { errors } = await send(query);
    expect(errors).toHaveLength(1);
    expect(await at.names()).toEqual([]);
    await until(() => at.live === 0);
  });

  it('is not mistaken for one with errors by what it says', async () => {
    expect((await send('mutation { errors }')).data).toEqual({ errors: '"errors":[{}]' });
    expect(await at.names()).toEqual(['a']);
  });

  it('is answered after the commit', async () => {
    const held = at.commits.hold();
    let answered = false;
    const answer = send('mutation { place(name: "a") { name } }').then(() => (answered = true));
    await until(() => at.live > 0);
    await rounds(20);
    expect(answered).toBe(false);
    held.pass();
    await answer;
    expect(await at.names()).toEqual(['a']);
  });

  it('whose commit fails answers that, in the words of GraphQL', async () => {
    using logs = captureLogs();
    const full = new PipelineFullError('sink', 'There is no room. Raise it.');
    at.commits.refuse(full);
    expect(await send('mutation { place(name: "a") { name } }')).toEqual({
      status: 503,
      data: null,
      errors: [{ message: 'Service Unavailable', extensions: { code: 'EMISSIONS_PIPELINE_FULL' } }],
    });
    expect(logs.entries).toMatchObject([{ level: 'error', rest: [full, 'Emissions'] }]);
    expect(await at.names()).toEqual([]);
  });

  it('may commit by hand', async () => {
    expect((await send('mutation { byHand }')).data).toEqual({ byHand: true });
    expect(await at.names()).toEqual(['a']);
  });

  it('in a batch stands for itself', async () => {
    const place = (name: string) => ({ query: `mutation { place(name: "${name}") { name } }` });
    const refused = { query: 'mutation { place(name: "b") { name } refuse(name: "c") { name } }' };
    const { text } = await at.post('/graphql', [place('a'), refused, place('d')]);
    expect((JSON.parse(text) as Result[]).map(({ errors }) => errors?.length ?? 0)).toEqual([
      0, 1, 0,
    ]);
    expect((await at.names()).toSorted()).toEqual(['a', 'd']);
  });

  describe('in a batch, with an error that no resolver threw', () => {
    const misfit = 'mutation { place(name: "b") { name } nothing }';
    const PLACE = 'mutation P($name: String!) { place(name: $name) { name } }';
    const PUT = `mutation Put($name: ID!, $missing: Boolean = false) {
      put(name: $name) { name }
      missing(really: $missing)
    }`;
    const run = async (batch: unknown[]) => {
      const { text } = await at.post('/graphql', batch);
      const counts = (JSON.parse(text) as Result[]).map(({ errors }) => errors?.length ?? 0);
      return [counts, (await at.names()).toSorted()];
    };

    it('is discarded, and the others are not', async () => {
      const batch = [
        { query: 'mutation { place(name: "a") { name } }' },
        { query: misfit },
        { query: 'mutation { unknown }' },
        { query: 'mutation { place(name: "d") { name } }' },
      ];
      expect(await run(batch)).toEqual([
        [0, 1, 1, 0],
        ['a', 'd'],
      ]);
    });

    it('is told from others of the same text by its variables', async () => {
      const put = (variables: object) => ({ query: PUT, variables });
      const batch = [
        put({ name: 'a' }),
        put({ name: 'b', missing: true }),
        put({ name: 3, missing: false, unused: 1 }),
        put({}),
      ];
      expect(await run(batch)).toEqual([
        [0, 1, 0, 1],
        ['3', 'a'],
      ]);
    });

    it('is told from others of one document by its name', async () => {
      const query = `${PLACE} mutation Q($name: String!) { place(name: $name) { name } nothing }`;
      const named = (operationName: string) => ({
        query,
        operationName,
        variables: { name: operationName },
      });
      expect(await run([named('P'), named('Q')])).toEqual([[0, 1], ['P']]);
    });

    it('is discarded together with one that asks just the same', async () => {
      let times = 0;
      odd = () => times++ % 2 === 1;
      const same = { query: 'mutation { sometimes }' };
      const [counts, delivered] = await run([
        same,
        same,
        { query: 'mutation { place(name: "a") { name } }' },
      ]);
      expect([(counts as number[]).toSorted((a, b) => a - b), delivered]).toEqual([
        [0, 0, 1],
        ['a'],
      ]);
    });
  });

  it('leaves no buffer behind', () => {
    expect(at.live).toBe(0);
  });
});
