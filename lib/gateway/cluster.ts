import { Logger } from '@nestjs/common';
import type { Namespace } from 'socket.io';
import type { ChannelHistory } from '../emission/channel-history.js';
import type { Presence } from './request.js';

const CONTROL = 'emissions:control';
const PRESENCE = 'emissions:presence';

/** What one process asks of all others. */
export type Order =
  | { readonly do: 'disconnect'; readonly tenant: string; readonly subject?: string }
  | {
      readonly do: 'revoke';
      readonly tenant: string;
      readonly subject?: string;
      readonly channel?: string;
    }
  | { readonly do: 'refresh'; readonly identity: { readonly tenant: string; subject?: string } };

/** What this process does for others. */
export interface ClusterDuties {
  obey(order: Order): void;
  presentHere(tenant: string, channel: string): Presence[];
}

/** The other processes, as far as socket.io's adapter or a history that they share reaches them. */
export class Cluster {
  /** Whether socket.io has an adapter that connects processes. */
  readonly connected: boolean;

  constructor(
    private readonly server: Namespace,
    private readonly history: ChannelHistory,
    private readonly duties: ClusterDuties,
  ) {
    this.connected = connectsProcesses(server.adapter);
    if (!this.connected) return;
    server.on(CONTROL, (order: string) => this.hear(order));
    server.on(PRESENCE, (tenant: string, channel: string, answer: (found: unknown) => void) =>
      answer(duties.presentHere(tenant, channel)),
    );
  }

  /** Has the others do what is done here. */
  tell(order: Order): void {
    const message = JSON.stringify(order);
    if (this.history.tell === undefined) {
      if (this.connected) this.server.serverSideEmit(CONTROL, message);
      return;
    }
    this.history.tell(message).catch((error: unknown) => {
      new Logger('Emissions').error(
        `Other processes could not be told to ${order.do}; those who are connected there go on as before.`,
        error instanceof Error ? error.stack : error,
      );
    });
  }

  /** Another process has told something. */
  hear(message: string): void {
    this.duties.obey(JSON.parse(message) as Order);
  }

  /** Who follows a channel at the others: at those that answer in time. */
  async presentElsewhere(tenant: string, channel: string): Promise<Presence[]> {
    if (!this.connected) return [];
    try {
      return flatten(await this.server.serverSideEmitWithAck(PRESENCE, tenant, channel));
    } catch (error) {
      return flatten((error as { responses?: unknown }).responses);
    }
  }
}

/** One answer of each process; what has no subject may have come as `null`. */
function flatten(answers: unknown): Presence[] {
  const all = (answers ?? []) as { subject?: string | null; count: number }[][];
  return all.flat().map(({ subject, count }) => ({ subject: subject ?? undefined, count }));
}

/** Every adapter that does overrides what the one in memory only warns of. */
function connectsProcesses(adapter: object): boolean {
  let owners = 0;
  for (
    let prototype: unknown = Object.getPrototypeOf(adapter);
    typeof prototype === 'object' && prototype !== null;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    if (Object.hasOwn(prototype, 'serverSideEmit')) owners++;
  }
  return owners > 1;
}
