// Takes webhooks in a process of its own: counts them, and keeps the first and the one that came last.
import { createServer } from 'node:http';

let count = 0;
let first;
let last;

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    count++;
    last = { headers: request.headers, chunks };
    first ??= last;
    response.writeHead(204).end();
  });
});

const told = ({ headers, chunks }) => ({ headers, body: Buffer.concat(chunks).toString('utf8') });
process.on('message', () => process.send({ count, first: told(first), last: told(last) }));
process.on('disconnect', () => process.exit(0));
server.listen(0, '127.0.0.1', () => process.send(`http://127.0.0.1:${server.address().port}/hooks`));
