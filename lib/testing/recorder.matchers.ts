import type { EmissionOf, Checked, Expected, Named, PartOf } from './expectation.js';
import { describe } from './expectation.js';
import { EmissionRecorder } from './recorder.js';
import { ExpectationError, TestingError } from './testing.errors.js';

/** What `expect(recorder)` of jest and vitest can do once `expect.extend(emissionMatchers)` was called. */
export interface EmissionMatchers {
  /**
   * As `recorder.expectEmitted`: it was emitted, holds all that `partial` says, and is consumed. With `not`, as
   * `recorder.expectNotEmitted`.
   */
  toHaveEmitted<const P extends Named>(
    name: P,
    partial?: PartOf<P> | ((emission: EmissionOf<P>) => unknown),
  ): void;
  /** As `recorder.expectEmittedInOrder`; with `not`, they were not emitted in that order, and nothing is consumed. */
  toHaveEmittedInOrder<const E extends readonly Expected[]>(
    expected: E & { [I in keyof E]: Checked<E[I]> },
  ): void;
}

/** What a matcher tells its runner. */
export interface MatcherVerdict {
  pass: boolean;
  message: () => string;
}

/** What a runner tells a matcher. */
export interface MatcherContext {
  /** Whether `not` stands before the matcher. */
  readonly isNot?: boolean;
}

/**
 * The matchers for jest and vitest: `expect.extend(emissionMatchers)` in a set-up file. Where `expect` is a global, making a
 * recorder does that.
 */
export const emissionMatchers: {
  toHaveEmitted(this: MatcherContext, received: any, name: Named, partial?: any): MatcherVerdict;
  toHaveEmittedInOrder(this: MatcherContext, received: any, expected: any): MatcherVerdict;
} = {
  toHaveEmitted(received, name, partial) {
    const recorder = checkRecorder(received, 'toHaveEmitted');
    if (this.isNot !== true) {
      return verdictOf(
        () => recorder.expectEmitted(name, partial),
        `${describe(name, partial)} was emitted.`,
      );
    }
    const refuted = verdictOf(
      () => recorder.expectNotEmitted(name, partial),
      'It was not emitted.',
    );
    return { pass: !refuted.pass, message: refuted.message };
  },

  toHaveEmittedInOrder(received, expected) {
    const recorder = checkRecorder(received, 'toHaveEmittedInOrder');
    const listed = (expected as readonly Expected[]).map((each) =>
      Array.isArray(each) ? describe(each[0] as Named, each[1]) : describe(each as Named),
    );
    const said = `These were emitted in this order:\n${listed.map((each) => `  ${each}`).join('\n')}`;
    return verdictOf(
      () =>
        this.isNot === true
          ? recorder.findInOrder(expected)
          : recorder.expectEmittedInOrder(expected),
      said,
    );
  },
};

/** Adds the matchers where `expect` is a global, as in jest. */
export function extendGlobalExpect(): void {
  const { expect } = globalThis as { expect?: { extend?: unknown } };
  if (typeof expect?.extend === 'function') expect.extend(emissionMatchers);
}

function verdictOf(expectation: () => unknown, whenMet: string): MatcherVerdict {
  try {
    expectation();
    return { pass: true, message: () => whenMet };
  } catch (error) {
    if (!(error instanceof ExpectationError)) throw error;
    return { pass: false, message: () => error.message };
  }
}

function checkRecorder(received: unknown, matcher: string): EmissionRecorder {
  if (received instanceof EmissionRecorder) return received;
  throw new TestingError(
    `expect(…).${matcher} takes a recorder: expect(recorder).${matcher}(…), with what recordEmissions gave.`,
  );
}

// A runner that is not installed cannot be extended: then these say nothing, and need not.
/** @ts-ignore */ // oxlint-disable-line typescript/prefer-ts-expect-error
declare module 'expect' {
  interface Matchers<R extends void | Promise<void>, T = unknown> extends EmissionMatchers {}
}
/** @ts-ignore */ // oxlint-disable-line typescript/prefer-ts-expect-error
declare module 'vitest' {
  interface Matchers<
    R extends void | Promise<void> = void | Promise<void>,
    T = unknown,
  > extends EmissionMatchers {}
}
declare global {
  namespace jest {
    interface Matchers<R, T = {}> extends EmissionMatchers {}
  }
}
