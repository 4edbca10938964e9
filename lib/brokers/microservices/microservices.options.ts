import type { ClientOptions, ClientProxy } from '@nestjs/microservices';
import type { Emission } from '../../emission/emission.js';
import {
  callback,
  defineOptions,
  milliseconds,
  oneOf,
  value,
  type OptionSet,
} from '../../emission/option-set.js';
import { routeRules, type RouteOptions } from '../router.js';

/**
 * What it means that a transport has taken a message: `acknowledged`, a broker has it · `accepted`, a server has seen it, and
 * perhaps nobody listened · `fire-and-forget`, it has left this process, perhaps.
 */
export type TransportGuarantee = 'acknowledged' | 'accepted' | 'fire-and-forget';

/** From least to most. */
export const GUARANTEES: readonly TransportGuarantee[] = [
  'fire-and-forget',
  'accepted',
  'acknowledged',
];

/** Which client emits, and what. */
export interface MicroservicesOptions extends RouteOptions {
  /** A client that the application has, of `ClientsModule` or `ClientProxyFactory`; yours to close. Either this or `transport`. */
  client?: ClientProxy;
  /** What `ClientProxyFactory.create` makes a client of: `{ transport: Transport.RMQ, options: { … } }`. */
  transport?: ClientOptions;
  /**
   * Makes the data of an event: an object, or a record of the transport (`MqttRecordBuilder` …). Default: a CloudEvent; for
   * Kafka a message with it as the value, and with the emission's key.
   */
  data?: (emission: Emission) => unknown;
  /** What the transport promises, where the adapter cannot know: clients of your own, and MQTT, where it depends on `data`. */
  guarantee?: TransportGuarantee;
  /**
   * What it has to promise at least; a transport that promises less is refused at start-up. Without it, one that promises
   * nothing is warned about: `requires: 'fire-and-forget'` says that this is meant.
   */
  requires?: TransportGuarantee;
  /**
   * How long a batch may take, in milliseconds; most transports have no time-out of their own. 0 waits for ever.
   * @default 10000
   */
  timeoutMs: number;
}

const isObject = (given: unknown): boolean => typeof given === 'object' && given !== null;

/** The rules of {@link MicroservicesOptions}. */
export const microservicesOptions: OptionSet<MicroservicesOptions> =
  defineOptions<MicroservicesOptions>({
    ...routeRules,
    client: value<ClientProxy>(
      'a ClientProxy',
      (given) => isObject(given) && typeof (given as ClientProxy).emit === 'function',
    ),
    transport: value<ClientOptions>('an object { transport, options }', isObject),
    data: callback(),
    guarantee: oneOf(GUARANTEES),
    requires: oneOf(GUARANTEES),
    timeoutMs: milliseconds({ default: 10_000 }),
  });
