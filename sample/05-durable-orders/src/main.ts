import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { Database } from './database.js';

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
await app.listen(Number(process.env['PORT'] ?? 3005), '127.0.0.1');
console.log(`Orders at ${await app.getUrl()}/orders; kill it with: kill -9 ${process.pid}`);

const database = app.get(Database);
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => void app.close().then(() => database.close()));
}
