import { deepStrictEqual, match } from 'node:assert';
import { createRequire } from 'node:module';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EmissionsModule } from 'nestjs-emissions';
import { OrdersController, placeOrders, Receipts } from './orders.js';

interface Manifest {
  exports: Record<string, unknown>;
  peerDependenciesMeta: Record<string, { optional?: boolean }>;
}

@Module({
  imports: [EmissionsModule.forRoot({ interceptor: 'global' })],
  controllers: [OrdersController],
  providers: [Receipts],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
await placeOrders(app);
await app.close();

const require = createRequire(import.meta.url);
const manifest = require('nestjs-emissions/package.json') as Manifest;
const optional = Object.keys(manifest.peerDependenciesMeta);
const installed = optional.filter((name) => {
  try {
    return import.meta.resolve(name) !== '';
  } catch {
    return false;
  }
});
deepStrictEqual(installed, [], 'this application is to have no optional peer');

// Every other entry point either needs none of them, or names the one that is missing.
for (const entry of Object.keys(manifest.exports)) {
  if (entry.endsWith('.json')) continue;
  try {
    await import(`nestjs-emissions${entry.slice(1)}`);
  } catch (error) {
    match((error as Error).message, new RegExp(`'(${optional.join('|')})'`));
  }
}
console.log('works');
