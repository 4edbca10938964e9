import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { EmissionAdapter } from 'nestjs-emissions';

/** Stands for a system outside: it would connect when the application starts. In the specs it is never even built. */
@Injectable()
export class WarehouseAdapter implements EmissionAdapter, OnModuleInit {
  async onModuleInit(): Promise<void> {
    throw new Error('The warehouse does not answer.');
  }

  deliver(): void {
    throw new Error('The warehouse does not answer.');
  }
}
