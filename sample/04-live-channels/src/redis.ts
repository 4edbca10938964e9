import { Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import { createClient } from 'redis';

/** The process's client of Redis. */
@Injectable()
export class Redis implements OnApplicationShutdown {
  readonly client = createClient({
    url: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379',
    commandOptions: { timeout: 0 },
  });

  async connect(): Promise<this> {
    this.client.on('error', (error) => console.error(`Redis: ${error.message}`));
    await this.client.connect();
    return this;
  }

  onApplicationShutdown(): void {
    this.client.destroy();
  }
}

@Module({
  providers: [{ provide: Redis, useFactory: () => new Redis().connect() }],
  exports: [Redis],
})
export class RedisModule {}
