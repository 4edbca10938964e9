import { Logger, type LoggerService } from '@nestjs/common';

/** What was logged since, whoever said it. */
export class CapturedLogs implements LoggerService, Disposable {
  readonly entries: { level: 'log' | 'warn' | 'error'; message: string; rest: unknown[] }[] = [];

  log(message: string, ...rest: unknown[]): void {
    this.entries.push({ level: 'log', message, rest });
  }
  warn(message: string, ...rest: unknown[]): void {
    this.entries.push({ level: 'warn', message, rest });
  }
  error(message: string, ...rest: unknown[]): void {
    this.entries.push({ level: 'error', message, rest });
  }

  /** The messages of one level, or all. */
  of(level?: 'log' | 'warn' | 'error'): string[] {
    return this.entries
      .filter((entry) => level === undefined || entry.level === level)
      .map(({ message }) => message);
  }

  [Symbol.dispose](): void {
    silence();
  }
}

/** Takes the place of Nest's logger until the end of the test: `using logs = captureLogs()`. */
export function captureLogs(): CapturedLogs {
  const logs = new CapturedLogs();
  Logger.overrideLogger(logs);
  return logs;
}

/** Provoked failures would drown the report. */
export function silence(): void {
  Logger.overrideLogger(false);
}
