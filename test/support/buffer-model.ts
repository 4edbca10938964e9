/** How a hand-over ends: at once, or when its turn comes. */
export type Outcome = 'ok' | 'refuse' | 'wait' | 'wait, refuse';

/** One buffer or savepoint: what it holds are the numbers of the emissions, in order. */
interface Scope {
  readonly parent: Scope | undefined;
  readonly root: Scope | undefined;
  state: 'open' | 'committing' | 'committed' | 'terminated';
  items: number[];
  /** A root's hand-overs, the first one in progress. */
  queue: HandOver[];
}

/** What `current()` leads to: a unit of work and the buffer that is active in it. */
export interface ModelUnit {
  scope: Scope | undefined;
}

/** What a call of commit, flush or run is expected to give. */
export interface Expectation {
  result: number | 'refused' | 'not started' | undefined;
}

interface HandOver extends Expectation {
  readonly scope: Scope;
  readonly kind: 'commit' | 'flush';
  outcome: Outcome;
  taken: number[];
}

/** What buffers promise, said as plainly as can be: every scope has its own list, joining merges lists. */
export class BufferModel {
  /** Everything handed over, in that order. */
  readonly delivered: number[] = [];
  readonly #announced: HandOver[] = [];
  started = 0;
  readonly #roots: Scope[] = [];

  /** How many root buffers have not ended. */
  get live(): number {
    return this.#roots.filter(({ state }) => state === 'open' || state === 'committing').length;
  }

  /** Hand-overs that must happen, and have not. */
  get announced(): readonly HandOver[] {
    return this.#announced;
  }

  /** Some items are handed over: the first hand-over that is to do so. */
  handOver(items: readonly number[]): HandOver | undefined {
    const at = this.#announced.findIndex(({ taken }) => String(taken) === String(items));
    return at === -1 ? undefined : this.#announced.splice(at, 1)[0];
  }

  run(around: ModelUnit | undefined): ModelUnit {
    return { scope: this.#scope(isOpen(around?.scope) ? around?.scope : undefined) };
  }

  start(unit: ModelUnit): boolean {
    if (isOpen(unit.scope)) return false;
    const before = unit.scope;
    if (before?.state === 'open') this.#end(before);
    unit.scope = this.#scope(isOpen(before?.parent) ? before?.parent : undefined);
    return true;
  }

  emit(unit: ModelUnit, item: number, unbuffered: 'drop' | 'deliver'): boolean {
    const { scope } = unit;
    if (isOpen(scope)) {
      scope!.items.push(item);
      return true;
    }
    if (unbuffered === 'drop' || (scope !== undefined && !isDelivered(scope))) return false;
    this.delivered.push(item);
    return true;
  }

  terminate({ scope }: ModelUnit): number {
    if (scope?.state !== 'open') return 0;
    const { length } = scope.items;
    this.#end(scope);
    return length;
  }

  flush(unit: ModelUnit, outcome: Outcome): Expectation {
    if (!isOpen(unit.scope)) return { result: 'not started' };
    return this.#enqueue(unit.scope!, 'flush', outcome);
  }

  commit(unit: ModelUnit, outcome: Outcome): Expectation {
    return isOpen(unit.scope) ? this.#commit(unit.scope!, outcome) : { result: 'not started' };
  }

  /** The work of a run is over. */
  finish({ scope }: ModelUnit, threw: boolean, outcome: Outcome): Expectation {
    if (scope?.state !== 'open') return { result: 0 };
    if (!threw && (scope.parent === undefined || isOpen(scope.parent)))
      return this.#commit(scope, outcome);
    this.#end(scope);
    return { result: 0 };
  }

  /** A hand-over that had to wait is over. */
  complete(handOver: HandOver): void {
    const { scope, outcome, taken } = handOver;
    if (outcome === 'ok' || outcome === 'wait') {
      this.delivered.push(...taken);
      handOver.result = taken.length;
      if (handOver.kind === 'commit') scope.state = 'committed';
    } else {
      handOver.result = 'refused';
      if (handOver.kind === 'commit') scope.state = 'terminated';
      else giveBack(scope, taken);
    }
    const root = scope.root ?? scope;
    root.queue.shift();
    if (root.queue[0] !== undefined) this.#begin(root.queue[0]);
  }

  #scope(parent: Scope | undefined): Scope {
    const root = parent?.root ?? parent;
    const scope: Scope = { parent, root, state: 'open', items: [], queue: [] };
    if (parent === undefined) {
      this.started++;
      this.#roots.push(scope);
    }
    return scope;
  }

  #end(scope: Scope): void {
    scope.state = 'terminated';
    scope.items = [];
  }

  #commit(scope: Scope, outcome: Outcome): Expectation {
    if (scope.parent === undefined) {
      scope.state = 'committing';
      return this.#enqueue(scope, 'commit', outcome);
    }
    scope.state = 'committed';
    const { items } = scope;
    scope.items = [];
    merge(scope.parent, items);
    return { result: items.length };
  }

  #enqueue(scope: Scope, kind: HandOver['kind'], outcome: Outcome): Expectation {
    const handOver: HandOver = { scope, kind, outcome, taken: [], result: undefined };
    const { queue } = scope.root ?? scope;
    queue.push(handOver);
    if (queue.length === 1) this.#begin(handOver);
    return handOver;
  }

  #begin(handOver: HandOver): void {
    handOver.taken = handOver.scope.items;
    handOver.scope.items = [];
    // Nothing to hand over: nobody is asked.
    if (handOver.taken.length === 0) handOver.outcome = 'ok';
    else this.#announced.push(handOver);
    if (!handOver.outcome.startsWith('wait')) this.complete(handOver);
  }
}

function isOpen(scope: Scope | undefined): boolean {
  return scope?.state === 'open' && (scope.parent === undefined || isOpen(scope.parent));
}

function isDelivered(scope: Scope): boolean {
  return scope.state === 'committed' && (scope.parent === undefined || isDelivered(scope.parent));
}

function giveBack(scope: Scope, taken: number[]): void {
  if (scope.state === 'committed' && scope.parent !== undefined) giveBack(scope.parent, taken);
  else if (scope.state !== 'terminated') merge(scope, taken);
}

function merge(into: Scope, items: readonly number[]): void {
  into.items = [...into.items, ...items].sort((a, b) => a - b);
}
