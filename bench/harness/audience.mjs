// Many clients in one process, as light as can be: WebSockets that speak engine.io and count what comes, so that they are not
// what is measured. Tells its parent how many emissions all of them have got.
import { WebSocket } from 'ws';

const [url, count, mode] = process.argv.slice(2);
const target =
  mode === 'gateway' ? `${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket` : url.replace('http', 'ws');
const OFFSET = Buffer.from('"offset":');
let got = 0;
let told = 0;

setInterval(() => {
  if (got === told) return;
  told = got;
  process.send(got);
}, 1);

/** How often an offset stands in a frame. */
function emissionsIn(frame) {
  let found = 0;
  for (let at = frame.indexOf(OFFSET); at >= 0; at = frame.indexOf(OFFSET, at + OFFSET.length)) found++;
  return found;
}

function connect() {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(target, { perMessageDeflate: false });
    socket.once('error', reject);
    if (mode !== 'gateway') socket.once('open', resolve);
    socket.on('message', (frame) => {
      // '42': an event; '43': an acknowledgement; '0', '40', '2': engine.io's and socket.io's own.
      if (mode !== 'gateway' || (frame[0] === 0x34 && frame[1] === 0x32)) got += emissionsIn(frame);
      else if (frame[0] === 0x30) socket.send('40');
      else if (frame[0] === 0x32) socket.send('3');
      else if (frame[1] === 0x30) socket.send('420["subscribe",{"channel":"*"}]');
      else if (frame[1] === 0x33) resolve();
    });
  });
}

for (let i = 0; i < Number(count); i += 50) {
  await Promise.all(Array.from({ length: Math.min(50, Number(count) - i) }, connect));
}
got = 0;
process.send('ready');
