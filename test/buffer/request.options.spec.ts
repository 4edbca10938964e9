import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Post,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Emissions, type UnitContext } from 'nestjs-emissions';
import { site, SITES } from '../support/site.js';

class Login implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    context.switchToHttp().getRequest<{ user?: string }>().user = 'ann';
    return true;
  }
}

@Controller()
@UseGuards(Login)
class Routes {
  constructor(private readonly emissions: Emissions) {}

  @Post('silent')
  silent() {}

  @Post('thrice')
  async thrice() {
    this.emissions.emit('a');
    await this.emissions.run(() => this.emissions.emit('b'));
    this.emissions.emit('c', {}, { user: 'bob' }, { tenant: 'other' });
  }
}

describe.each(SITES)('the option context on %s with the %s', (server, integration) => {
  const open = (context: (execution: ExecutionContext) => UnitContext | undefined) =>
    site(server, integration, { controllers: [Routes] }, { context });

  it('is asked after the guards, once per request, and only when something is emitted', async () => {
    let asked = 0;
    await using at = await open((execution) => {
      asked++;
      const { user } = execution.switchToHttp().getRequest<{ user: string }>();
      return { metadata: { user }, tenant: `of-${user}`, source: 'web', correlationId: 'request' };
    });
    expect((await at.post('/silent')).status).toBe(201);
    expect(asked).toBe(0);
    expect((await at.post('/thrice')).status).toBe(201);
    expect(asked).toBe(1);
    const common = { source: 'web', correlationId: 'request' };
    expect(await at.delivered()).toMatchObject([
      { name: 'a', metadata: { user: 'ann' }, tenant: 'of-ann', ...common },
      { name: 'b', metadata: { user: 'ann' }, tenant: 'of-ann', ...common },
      { name: 'c', metadata: { user: 'bob' }, tenant: 'other', ...common },
    ]);
  });

  it('knows the route with the interceptor, and with the middleware the request only', async () => {
    const seen: unknown[] = [];
    await using at = await open((execution) => {
      seen.push(execution.getType(), execution.getClass(), execution.getHandler());
      return undefined;
    });
    await at.post('/thrice');
    expect(await at.names()).toEqual(['a', 'b', 'c']);
    expect(seen).toEqual(
      integration === 'interceptor'
        ? ['http', Routes, Routes.prototype.thrice]
        : ['http', null, null],
    );
  });

  it.each([
    ['throws', () => JSON.parse('{') as UnitContext],
    ['gives what is none', () => 'ann' as UnitContext],
    ['gives a promise', async () => ({})],
  ])('that %s fails the emit', async (_, context) => {
    await using at = await open(context as never);
    expect((await at.post('/thrice')).status).toBe(500);
    expect(await at.names()).toEqual([]);
    expect(at.live).toBe(0);
  });
});
