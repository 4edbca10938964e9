import { AsyncLocalStorage, AsyncResource, createHook } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { asyncScope } from '../../lib/emission/async-scope.js';

describe('An async scope', () => {
  it('is the context of whoever asked, and keeps what is put into it to the work', () => {
    const storage = new AsyncLocalStorage<string>();
    const scope = storage.run('mine', () => asyncScope('test'));
    const found = storage.run('other', () => {
      const within = scope.runInAsyncScope(() => {
        const before = storage.getStore();
        storage.enterWith('changed');
        return before;
      });
      return [within, storage.getStore()];
    });
    expect(found).toEqual(['mine', 'other']);
  });

  it('is named, and caused by who asked, to those who watch resources', () => {
    const around = new AsyncResource('around');
    const seen: unknown[] = [];
    const hook = createHook({
      init: (id, type, trigger) => void seen.push([id, type, trigger]),
      before: (id) => void seen.push(['before', id]),
    }).enable();
    const scope = around.runInAsyncScope(() => asyncScope('nestjs-emissions:test'));
    scope.runInAsyncScope(() => {});
    hook.disable();
    const id = scope.asyncId();
    expect(seen).toContainEqual([id, 'nestjs-emissions:test', around.asyncId()]);
    expect(seen.at(-1)).toEqual(['before', id]);
  });
});
