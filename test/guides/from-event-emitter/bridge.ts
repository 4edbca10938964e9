// #region docs
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { EventEmitter2 } from '@nestjs/event-emitter';
import { Emissions } from 'nestjs-emissions';

/** What is still emitted the old way is an emission, too: of the same request, and with its success. */
@Injectable()
export class Bridge implements OnModuleInit {
  constructor(
    private readonly events: EventEmitter2,
    private readonly emissions: Emissions,
  ) {}

  onModuleInit() {
    this.events.onAny((name, payload: unknown) => {
      this.emissions.emit(String(name), payload);
    });
  }
}
// #endregion
