import { join } from 'node:path';
import type { NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';

/** The page stands beside src/, and so beside dist/ too. */
const page = join(import.meta.dirname, '..', 'public');

/** The client of the package, for the page. Elsewhere: `dirname(fileURLToPath(import.meta.resolve('nestjs-emissions/client')))`. */
const client = join(import.meta.dirname, '..', '..', '..', 'dist', 'client');

/** Builds the application with its page; it does not listen yet. */
export async function createApp(
  options: NestApplicationOptions = {},
): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule, options);
  app.useStaticAssets(page);
  app.useStaticAssets(client, { prefix: '/client' });
  return app;
}
