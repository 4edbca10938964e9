import { createHash } from 'node:crypto';
import type { RedisConnection } from './redis-connection.js';

/** A script that Redis runs as one step, so that numbers, entries and messages are in one order. */
export interface HistoryScript {
  readonly source: string;
  readonly sha: string;
}

/**
 * Finds the epoch and the newest offset. An epoch ends when Redis knows less than somebody has seen: it was restarted from an
 * older copy, or another server took over, and its next offsets would be mistaken for those that were lost.
 * KEYS: the stream, its position. ARGV: an epoch of one's own, the epoch and the offset one knows, how long to keep either.
 */
const POSITION = `
local epoch = redis.call('HGET', KEYS[2], 'epoch')
local head = tonumber(redis.call('HGET', KEYS[2], 'offset') or '0')
if not epoch or (epoch == ARGV[2] and head < tonumber(ARGV[3])) then
  epoch = ARGV[1]
  head = 0
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[2], 'epoch', epoch, 'offset', 0)
end
redis.call('PEXPIRE', KEYS[2], ARGV[4])
`;

/** Appends and publishes. ARGV further: size, maximal age, channel, entries. */
export const APPEND: HistoryScript = script(`${POSITION}
local size = tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local first = head + 1
local entries = {}
for i = 8, #ARGV do
  head = head + 1
  entries[#entries + 1] = ARGV[i]
  if size > 0 then
    redis.call('XADD', KEYS[1], 'MAXLEN', size, string.format('%.0f-0', head), 'e', ARGV[i], 't', string.format('%.0f', now))
    local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
    if oldest and tonumber(oldest[2][4]) < now - tonumber(ARGV[6]) then redis.call('XDEL', KEYS[1], oldest[1]) end
  end
end
if size > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[6]) end
redis.call('HSET', KEYS[2], 'offset', string.format('%.0f', head))
redis.call('PUBLISH', ARGV[7], '{"epoch":"' .. epoch .. '","first":' .. string.format('%.0f', first) .. ',"entries":[' .. table.concat(entries, ',') .. ']}')
return string.format('%.0f', head)
`);

/** Reads: the epoch, the newest offset, and what is kept behind an offset. ARGV further: that offset, how many at most. */
export const READ: HistoryScript = script(`${POSITION}
local from = string.format('%.0f-0', tonumber(ARGV[5]) + 1)
return { epoch, string.format('%.0f', head), redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', ARGV[6]) }
`);

/**
 * Begins a new epoch, and has everybody look. KEYS: the stream, its position. ARGV: an epoch of one's own, how long to keep it,
 * channel.
 */
export const RENEW: HistoryScript = script(`
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[2], 'epoch', ARGV[1], 'offset', 0)
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call('PUBLISH', ARGV[3], '{"epoch":"' .. ARGV[1] .. '","first":1,"entries":[]}')
`);

/** Runs a script, by its name where Redis knows it. */
export async function runScript(
  redis: RedisConnection,
  { source, sha }: HistoryScript,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  const rest = [String(keys.length), ...keys, ...args];
  try {
    return await redis.command('EVALSHA', sha, ...rest);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return redis.command('EVAL', source, ...rest);
  }
}

function script(source: string): HistoryScript {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}
