import { describe, expect, it } from '@jest/globals';
import { BufferClosedError, BufferNotStartedError, type Emission } from 'nestjs-emissions';
import { EmissionBuffer, type Outlet } from '../../lib/buffer/emission-buffer.js';
import { EmissionFactory } from '../../lib/emission/emission.factory.js';
import { TopicRouter } from '../../lib/emission/topics.js';

const factory = new EmissionFactory(new TopicRouter(), { snapshot: 'none' });

/** A buffer, how to put emissions into it, and what it handed over. */
function bench(outlet?: Outlet) {
  const handedOver: string[] = [];
  const take: Outlet = (emissions) => void handedOver.push(...namesOf(emissions));
  const buffer = EmissionBuffer.begin(outlet ?? take, 100);
  return { buffer, handedOver };
}

function emit(buffer: EmissionBuffer, ...names: string[]): void {
  for (const name of names) buffer.add(factory.create(name, undefined, undefined, undefined, {}));
}

function namesOf(emissions: readonly Emission[]): string[] {
  return emissions.map(({ name }) => name);
}

describe('a buffer', () => {
  it('is open, committing while the hand-over waits, and then committed', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { buffer } = bench(() => promise);
    emit(buffer, 'a');
    expect([buffer.state, buffer.isOpen, buffer.isDelivered]).toEqual(['open', true, false]);
    const committed = buffer.commit();
    expect([buffer.state, buffer.isOpen, buffer.isDelivered]).toEqual(['committing', false, false]);
    expect(buffer.terminate()).toBe(0);
    resolve();
    expect(await committed).toBe(1);
    expect([buffer.state, buffer.isOpen, buffer.isDelivered]).toEqual(['committed', false, true]);
  });

  it('does not wait when the hand-over does not', () => {
    const { buffer, handedOver } = bench();
    emit(buffer, 'a');
    expect(buffer.flush()).toBe(1);
    emit(buffer, 'b');
    expect(buffer.commit()).toBe(1);
    expect(handedOver).toEqual(['a', 'b']);
  });

  it.each(['commit', 'terminate'] as const)('that has ended by %s does nothing more', (end) => {
    const { buffer, handedOver } = bench();
    emit(buffer, 'a');
    void buffer[end]();
    const { state } = buffer;
    expect(() => emit(buffer, 'late')).toThrow(BufferClosedError);
    expect(() => buffer.flush()).toThrow(BufferNotStartedError);
    expect(() => buffer.commit()).toThrow(BufferNotStartedError);
    expect(buffer.terminate()).toBe(0);
    expect(buffer.state).toBe(state);
    expect(handedOver).toEqual(end === 'commit' ? ['a'] : []);
  });

  it('says in the error how it ended', () => {
    for (const [end, how] of [
      ['commit', 'its buffer was committed'],
      ['terminate', 'its buffer was terminated'],
    ] as const) {
      const { buffer } = bench();
      void buffer[end]();
      expect(() => emit(buffer, 'late')).toThrow(`'late' was emitted after ${how}.`);
    }
    const { buffer } = bench();
    const savepoint = buffer.savepoint();
    void buffer.commit();
    expect(() => emit(savepoint, 'late')).toThrow('after the buffer around its own had ended');
  });
});

describe('savepoints', () => {
  it('show what is their own, and what has joined', () => {
    const { buffer } = bench();
    emit(buffer, 'a');
    const first = buffer.savepoint();
    const second = buffer.savepoint();
    emit(second, 'b');
    emit(first, 'c');
    emit(buffer, 'd');
    expect(namesOf(first.emissions)).toEqual(['c']);
    expect(namesOf(buffer.emissions)).toEqual(['a', 'd']);
    expect([buffer.size, first.size, second.size]).toEqual([2, 1, 1]);
    void second.commit();
    expect(namesOf(buffer.emissions)).toEqual(['a', 'b', 'd']);
    expect([buffer.size, first.size, second.size]).toEqual([3, 1, 0]);
    first.terminate();
    expect(namesOf(buffer.emissions)).toEqual(['a', 'b', 'd']);
  });

  it('are delivered when all around them is', () => {
    const { buffer, handedOver } = bench();
    const inner = buffer.savepoint().savepoint();
    emit(inner, 'a');
    void inner.commit();
    expect(inner.isDelivered).toBe(false);
    expect(inner.heir.heir).not.toBe(buffer);
    void inner.heir.commit();
    expect(inner.heir).toBe(buffer);
    void buffer.commit();
    expect(inner.isDelivered).toBe(true);
    expect(handedOver).toEqual(['a']);
  });
});
