import type { BrokerRecord } from '../broker-record.js';

/** Sends records through a producer, those of a call in one go. */
export interface KafkaSender {
  /** Resolves when Kafka has them all. */
  send(records: readonly BrokerRecord[]): Promise<unknown>;
  /** What of a call that failed Kafka has not said that it has, in order. */
  unsentOf(records: readonly BrokerRecord[], failure: unknown): readonly BrokerRecord[];
}

/** No such topic, no name of one, not allowed to write there; the two negative ones are librdkafka's. */
const TOPIC = new Set([3, 17, 29, -188, -190]);
/** Too large, too many, not as the topic wants them. */
const CONTENT = new Set([10, 18, 87]);

/** What a client said, from the outside in: errors contain others. */
export function* causesOf(failure: unknown): Generator<Record<string, unknown>> {
  if (typeof failure !== 'object' || failure === null) return;
  const error = failure as Record<string, unknown>;
  yield error;
  const { cause, errors } = error;
  if (Array.isArray(errors)) for (const each of errors) yield* causesOf(each);
  if (cause !== undefined && cause !== failure) yield* causesOf(cause);
}

/** The answer of Kafka for which a call failed, as far as it concerns what was sent. */
export function refusalIn(
  failure: unknown,
): { of: 'topic' | 'content'; reason: string } | undefined {
  for (const { code, apiCode, message } of causesOf(failure)) {
    const answer = Number(apiCode ?? code);
    const isTopic = TOPIC.has(answer) || String(message).startsWith('Unknown topic ');
    if (isTopic || CONTENT.has(answer)) {
      return { of: isTopic ? 'topic' : 'content', reason: sentence(message) };
    }
  }
  return undefined;
}

/** The innermost of what a client said: outside, it says how often it has tried. */
export function reasonOf(failure: unknown): string {
  const messages = Array.from(causesOf(failure), ({ message }) => sentence(message ?? ''));
  return messages.findLast((message) => message !== '') ?? String(failure);
}

/** What goes to smaller calls when one was refused, so that what is refused fails alone; nothing when it cannot be less. */
export function partsOf(
  records: readonly BrokerRecord[],
  of: 'topic' | 'content',
): readonly (readonly BrokerRecord[])[] {
  const byTopic = Map.groupBy(records, ({ destination }) => destination);
  if (byTopic.size > 1) return [...byTopic.values()];
  if (of === 'topic' || records.length < 2) return [];
  const half = Math.ceil(records.length / 2);
  return [records.slice(0, half), records.slice(half)];
}

/** Without the full stop, which comes behind it. */
function sentence(message: unknown): string {
  return String(message).replace(/\.$/, '');
}
