import { once } from 'node:events';
import { connect as connectTcp, type Socket as TcpSocket } from 'node:net';

/** A WebSocket client that stops reading once it follows everything of its tenant. */
export async function connectDeaf(url: string, tenant: string): Promise<TcpSocket> {
  const { port, hostname } = new URL(url);
  const tcp = connectTcp(Number(port), hostname);
  tcp.on('error', () => {});
  await once(tcp, 'connect');
  tcp.write(
    `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\n` +
      'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n',
  );
  const seen = async (text: string): Promise<void> => {
    let all = '';
    while (!all.includes(text)) {
      // oxlint-disable-next-line no-await-in-loop
      const [chunk] = (await once(tcp, 'data')) as [Buffer];
      all += chunk.toString('latin1');
    }
  };
  const opened = seen('0{"sid"');
  await opened;
  const joined = seen('40{"sid"');
  tcp.write(masked(`40${JSON.stringify({ tenant })}`));
  await joined;
  const answered = seen('"ok":true');
  tcp.write(masked('420["subscribe",{"channel":"*"}]'));
  await answered;
  tcp.pause();
  return tcp;
}

/** A text frame of a client: masked, with a mask of zeros. */
export function masked(text: string): Buffer {
  const body = Buffer.from(text);
  if (body.length > 125) throw new Error('Longer ones have another head.');
  return Buffer.concat([Buffer.from([0x81, 0x80 | body.length, 0, 0, 0, 0]), body]);
}
