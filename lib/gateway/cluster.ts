import type { Namespace } from 'socket.io';

const CONTROL = 'emissions:control';

/** What one process asks of all others. */
export type Order =
  | { readonly do: 'disconnect'; readonly tenant: string; readonly subject?: string }
  | {
      readonly do: 'revoke';
      readonly tenant: string;
      readonly subject?: string;
      readonly channel?: string;
    }
  | { readonly do: 'refresh'; readonly identity: { readonly tenant: string } };

/** The other processes, as far as socket.io's adapter knows them. */
export class Cluster {
  /** Whether socket.io has an adapter that connects processes. */
  readonly connected: boolean;

  constructor(
    private readonly server: Namespace,
    obey: (order: Order) => void,
  ) {
    this.connected = connectsProcesses(server.adapter);
    if (this.connected) server.on(CONTROL, (order: Order) => obey(order));
  }

  /** Has the others do what is done here. */
  tell(order: Order): void {
    if (this.connected) this.server.serverSideEmit(CONTROL, order);
  }
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
