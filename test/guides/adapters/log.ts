// #region docs
import { appendFile } from 'node:fs/promises';
import { Inject, Injectable, Module } from '@nestjs/common';
import {
  ADAPTER_OPTIONS,
  EmissionsModule,
  PartialDeliveryError,
  type Emission,
  type EmissionAdapter,
} from 'nestjs-emissions';

@Injectable()
export class LogAdapter implements EmissionAdapter {
  constructor(@Inject(ADAPTER_OPTIONS) private readonly options: { path: string }) {}

  /** Returns when the batch has arrived, and throws when it has not. */
  async deliver(batch: readonly Emission[]) {
    const refused: Emission[] = [];
    let lines = '';
    for (const emission of batch) {
      const { id, name, payload } = emission;
      try {
        lines += `${JSON.stringify({ id, name, payload })}\n`;
      } catch {
        refused.push(emission); // JSON knows no bigint
      }
    }
    await appendFile(this.options.path, lines);
    if (refused.length > 0) throw new PartialDeliveryError(refused); // the others count as delivered
  }
}

@Module({
  imports: [
    EmissionsModule.forRoot({
      adapters: [
        {
          useClass: LogAdapter,
          options: { path: './emissions.log' },
          consumer: { batchSize: 200, retry: { attempts: 5 } },
        },
      ],
    }),
  ],
})
export class AppModule {}
// #endregion
