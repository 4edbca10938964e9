import { types } from 'node:util';
import { Observable, Subscriber, type Observer, type Subscription } from 'rxjs';

/** Gives each subscription what its failures are told to. */
export type OpenReport = () => (error: unknown) => void;

/**
 * An Observable whose subscribers cannot do harm: rxjs turns what a subscriber throws, and an error that it has no function
 * for, into an uncaught exception, which ends the process; here it is reported, and others go on.
 *
 * What operators make of it is guarded in the same way; what is made by combining it with other Observables
 * (`merge(stream, other)`) is rxjs's own.
 */
export class GuardedObservable<T> extends Observable<T> {
  readonly #report: OpenReport;

  constructor(report: OpenReport, subscribe?: (subscriber: Subscriber<T>) => () => void) {
    super(subscribe);
    this.#report = report;
  }

  /** @internal Every operator calls it: rxjs means it for subclasses like this one, and for nobody else. */
  // oxlint-disable-next-line typescript/no-deprecated
  override lift<R>(...operator: Parameters<typeof Observable.prototype.lift<R>>): Observable<R> {
    // oxlint-disable-next-line typescript/no-deprecated
    const lifted = super.lift(...operator);
    return new GuardedObservable<R>(this.#report, (subscriber) => {
      const subscription = lifted.subscribe(subscriber);
      return () => subscription.unsubscribe();
    });
  }

  override subscribe(
    observerOrNext?: Partial<Observer<T>> | ((value: T) => void) | null,
    error?: ((error: any) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // An operator's, which has its own way of passing errors on.
    if (observerOrNext instanceof Subscriber) return super.subscribe(observerOrNext);
    const observer: Partial<Observer<T>> =
      typeof observerOrNext === 'object' && observerOrNext !== null
        ? observerOrNext
        : {
            ...(observerOrNext && { next: observerOrNext }),
            ...(error && { error }),
            ...(complete && { complete }),
          };
    const report = this.#report();
    const guarded = (call: () => unknown): void => {
      try {
        const result = call();
        if (types.isPromise(result)) result.catch((failure: unknown) => report(failure));
      } catch (failure) {
        report(failure);
      }
    };
    return super.subscribe({
      next: (value) => guarded(() => observer.next?.(value)),
      error: (failure) =>
        typeof observer.error === 'function'
          ? guarded(() => observer.error?.(failure))
          : report(failure),
      complete: () => guarded(() => observer.complete?.()),
    });
  }
}
