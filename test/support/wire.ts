import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** What vanishes of a connection: nothing, what the server says, or everything. */
type Loss = 'nothing' | 'answers' | 'everything';

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  loss: Loss;
}

/** A connection through which bytes can be made to vanish, and that can be cut. */
export interface Wire extends AsyncDisposable {
  readonly port: number;
  /** How many connections it has refused. */
  readonly refused: number;
  /** Lets what the server says vanish from now on; what it is told still arrives. */
  swallowAnswers(): void;
  /** Lets everything vanish from now on. */
  swallow(): void;
  /** The same for the connections that there are; new ones are whole. */
  deaden(loss: Exclude<Loss, 'nothing'>): void;
  /** Resets the connection that so many more bytes have been sent through, in the middle of whatever that is. */
  resetAfter(bytes: number): void;
  /** Closes every connection, and refuses new ones. */
  cut(): void;
  /** Lets new connections through again; those that bytes vanished from are closed. */
  mend(): void;
}

/** Puts a wire in front of a server on loopback. @param alter makes of what the server says what is heard */
export async function wireTo(
  port: number,
  alter: (bytes: Buffer) => Buffer = (bytes) => bytes,
): Promise<Wire> {
  let isDown = false;
  let refused = 0;
  let loss: Loss = 'nothing';
  let left = Infinity;
  const pairs = new Set<Pair>();
  const close = ({ near, far }: Pair): void => {
    near.destroy();
    far.destroy();
  };
  const forward = (pair: Pair, bytes: Buffer): void => {
    if (pair.loss === 'everything') return;
    left -= bytes.length;
    if (left > 0) return void pair.far.write(bytes);
    pair.far.write(bytes.subarray(0, bytes.length + left));
    pair.near.resetAndDestroy();
    left = Infinity;
  };
  const server = createServer((near) => {
    if (isDown) {
      refused++;
      return void near.destroy();
    }
    const far = connect(port, '127.0.0.1');
    const pair: Pair = { near, far, loss };
    pairs.add(pair);
    near.setNoDelay();
    far.setNoDelay();
    near.on('data', (bytes) => forward(pair, bytes));
    far.on('data', (bytes) => pair.loss === 'nothing' && near.write(alter(bytes)));
    near.on('close', () => {
      pairs.delete(pair);
      // What was sent before arrives.
      far.destroySoon();
    });
    far.on('close', () => near.destroy());
    for (const each of [near, far]) each.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const lose = (what: Loss): void => {
    loss = what;
    for (const pair of pairs) pair.loss = what;
  };
  return {
    port: (server.address() as AddressInfo).port,
    get refused() {
      return refused;
    },
    swallowAnswers: () => lose('answers'),
    swallow: () => lose('everything'),
    deaden: (what) => {
      for (const pair of pairs) pair.loss = what;
    },
    resetAfter: (bytes) => void (left = bytes),
    cut: () => {
      isDown = true;
      for (const pair of pairs) close(pair);
    },
    mend: () => {
      for (const pair of pairs) if (pair.loss !== 'nothing') close(pair);
      loss = 'nothing';
      isDown = false;
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const pair of pairs) close(pair);
      }),
  };
}
