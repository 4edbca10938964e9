import { describe, expect, it } from '@jest/globals';
import { ConfigurationError, defineTopics, TopicRouter } from 'nestjs-emissions';

const map = { orders: ['order.created', 'order.shipped'], users: ['user.created'], empty: [] };

function router(): TopicRouter {
  const made = new TopicRouter();
  made.registerAll(map);
  return made;
}

describe('A topic router', () => {
  it('knows the topic of a mapped name, and none of another', () => {
    expect(router().topicOf('order.shipped')).toBe('orders');
    expect(router().topicOf('order.lost')).toBeUndefined();
    expect(router().topicOf('orders')).toBeUndefined();
    expect(router().topicOf('__proto__')).toBeUndefined();
  });

  it('lists all topics, and the names of each, in the order they were registered', () => {
    expect(router().topics()).toEqual(['orders', 'users', 'empty']);
    expect(router().namesOf('orders')).toEqual(['order.created', 'order.shipped']);
    expect(router().namesOf('empty')).toEqual([]);
    expect(router().namesOf('unknown')).toEqual([]);
  });

  it('changes nothing when the same is registered twice', () => {
    const made = router();
    made.register('orders', ['order.created', 'order.created']);
    expect(made.namesOf('orders')).toEqual(['order.created', 'order.shipped']);
    expect(made.topics()).toHaveLength(3);
  });

  it('adds names to a topic there is', () => {
    const made = router();
    made.register('users', ['user.removed']);
    expect(made.namesOf('users')).toEqual(['user.created', 'user.removed']);
    expect(made.topicOf('user.removed')).toBe('users');
  });

  it('forgets a topic and the topic of its names, and leaves the others alone', () => {
    const made = router();
    made.unregister('orders');
    expect(made.topics()).toEqual(['users', 'empty']);
    expect([made.topicOf('order.created'), made.namesOf('orders')]).toEqual([undefined, []]);
    expect(made.topicOf('user.created')).toBe('users');
    made.register('archive', ['order.created']);
    expect(made.topicOf('order.created')).toBe('archive');
  });

  it('takes no offence at an unknown topic to be forgotten', () => {
    const made = router();
    expect(() => made.unregister('unknown')).not.toThrow();
    expect(made.topics()).toHaveLength(3);
  });

  it('lets nobody change what it knows through what it lists', () => {
    const made = router();
    expect(() => (made.namesOf('orders') as string[]).push('order.lost')).toThrow(TypeError);
    expect(() => (made.namesOf('unknown') as string[]).push('x')).toThrow(TypeError);
    made.topics().push('x');
    expect([made.namesOf('orders').length, made.namesOf('unknown').length]).toEqual([2, 0]);
    expect(made.topics()).toHaveLength(3);
  });

  it('does not follow the map or list it was given', () => {
    const names = ['a'];
    const made = new TopicRouter();
    made.register('letters', names);
    names.push('b');
    expect([made.namesOf('letters'), made.topicOf('b')]).toEqual([['a'], undefined]);
  });

  it('says with its version that something may have changed', () => {
    const made = router();
    const before = made.version;
    made.topicOf('order.created');
    expect(made.version).toBe(before);
    made.register('users', ['user.removed']);
    const registered = made.version;
    made.unregister('users');
    expect([registered > before, made.version > registered]).toEqual([true, true]);
  });

  it('holds topics with names such as __proto__', () => {
    const made = new TopicRouter();
    made.registerAll(JSON.parse('{"__proto__":["constructor"]}') as Record<string, string[]>);
    expect([made.topics(), made.topicOf('constructor')]).toEqual([['__proto__'], '__proto__']);
  });
});

describe('One name in two topics', () => {
  it('is refused, naming the name and both topics', () => {
    const call = () => router().register('shipping', ['order.shipped']);
    expect(call).toThrow(ConfigurationError);
    expect(call).toThrow(
      "The name 'order.shipped' stands under two topics, 'orders' and 'shipping'",
    );
  });

  it('registers nothing of the topic it was refused in', () => {
    const made = router();
    expect(() => made.register('shipping', ['parcel.sent', 'order.shipped'])).toThrow('two topics');
    expect([made.topics().length, made.topicOf('parcel.sent')]).toEqual([3, undefined]);
    expect(made.topicOf('order.shipped')).toBe('orders');
  });

  it('is refused where the topics are defined', () => {
    expect(() => defineTopics({ a: ['x'], b: ['y', 'x'] })).toThrow(ConfigurationError);
  });
});

describe('defineTopics', () => {
  it('gives back the very map', () => {
    expect(defineTopics(map)).toBe(map);
  });

  it.each([
    ['nothing', undefined, 'but got undefined'],
    ['null', null, 'but got null'],
    ['an array', [['a']], 'Topics are an object'],
    ['a text', 'orders', "but got 'orders'"],
    ['a topic with a slash', { 'a/b': [] }, `but got 'a/b'`],
    ['a topic with a wildcard', { '*': [] }, `but got '*'`],
    ['a topic with white space', { 'a b': [] }, `but got 'a b'`],
    ['an empty topic', { '': [] }, `but got ''`],
    ['a topic of 129 characters', { ['x'.repeat(129)]: [] }, '1 to 128 characters'],
    [
      'names that are no array',
      { a: 'order.created' },
      "The topic 'a' takes an array of names, but got 'order.created'",
    ],
    ['a name that is none', { a: [7] }, "The topic 'a': An emission's name is"],
    ['a name that is a glob', { a: ['order.*'] }, "but got 'order.*'"],
    ['an empty name', { a: [''] }, "but got ''"],
  ])('refuses %s', (_, topics, message) => {
    expect(() => defineTopics(topics as never)).toThrow(ConfigurationError);
    expect(() => defineTopics(topics as never)).toThrow(message);
  });
});
