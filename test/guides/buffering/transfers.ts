// #region docs
import { Injectable } from '@nestjs/common';
import { Buffered, Emissions } from 'nestjs-emissions';

@Injectable()
export class Transfers {
  constructor(private readonly emissions: Emissions) {}

  /** Outside of requests: a cron job, a queue worker, a script. Resolves when it is committed. */
  @Buffered()
  async closeOfBusiness(accounts: string[]) {
    for (const account of accounts) this.emissions.emit('statement.due', { account });
  }

  /** The same without a decorator. */
  async transfer(amount: number) {
    return this.emissions.run(async () => {
      this.emissions.emit('money.withdrawn', { amount });
      await this.notify(amount).catch(() => {}); // a run within a run is a savepoint
      this.emissions.emit('money.paid-in', { amount });
    });
  }

  private notify(amount: number) {
    return this.emissions.run(() => {
      this.emissions.emit('notice.written', { amount });
      if (amount > 1_000) throw new Error('Somebody has to call'); // only the notice is discarded
    });
  }
}
// #endregion
