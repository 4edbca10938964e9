import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

/** Builds the application; it does not listen yet. */
export function createApp(): Promise<INestApplication> {
  return NestFactory.create(AppModule, { logger: ['error'] });
}
