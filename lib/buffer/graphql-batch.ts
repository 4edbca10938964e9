/** An operation, as its resolvers know it, and the batch it may have come in. */
export interface GraphqlAsked {
  /** The text of its document, when that is known. */
  readonly query: string | undefined;
  /** Which operation of the document it is, when that says. */
  readonly name: string | undefined;
  /** As the schema understood them. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** What the request asked, when that was several operations at once. */
  readonly batch: readonly unknown[] | undefined;
}

/**
 * Those of a batch's answers that may be the operation's: one, unless the batch holds several that ask the same with the same
 * variables, which a resolver cannot tell apart.
 */
export function answersTo(asked: GraphqlAsked, answers: readonly unknown[]): unknown[] {
  const given = (asked.batch ?? []).map((each) => Object(each) as Given);
  const same = [...given.keys()].filter((i) => asksFor(asked, given[i]!));
  const exact = same.filter((i) => covers(asked.variables, variablesOf(given[i]!)));
  const named = (i: number): number => Object.keys(variablesOf(given[i]!)).length;
  const most = Math.max(...exact.map(named));
  const found = exact.length > 0 ? exact.filter((i) => named(i) === most) : same;
  return found.length > 0 ? found.map((i) => answers[i]) : [...answers];
}

/** One of a batch, as it was sent. */
interface Given {
  query?: unknown;
  operationName?: unknown;
  variables?: unknown;
}

function variablesOf({ variables }: Given): object {
  return Object(variables ?? {}) as object;
}

/** A persisted query has no text; what is not said may be any. */
function asksFor({ query, name }: GraphqlAsked, given: Given): boolean {
  const isText = (said: unknown): boolean => typeof said === 'string' && said !== '';
  const differs = (said: unknown, known: string | undefined): boolean =>
    isText(said) && known !== undefined && said !== known;
  return !differs(given.query, query) && !differs(given.operationName, name);
}

/** Whether a value can be what the schema made of what was sent: it adds defaults, and makes a string of an id's number. */
function covers(value: unknown, sent: unknown): boolean {
  // A variable that the operation does not have is passed over.
  if (value === undefined) return true;
  if (isObject(value) && isObject(sent)) {
    return Object.entries(sent).every(([key, part]) =>
      covers((value as Record<string, unknown>)[key], part),
    );
  }
  // Scalars of an application's own may be made of anything.
  if (isObject(value) || isObject(sent)) return true;
  return textOf(value) === textOf(sent);
}

function textOf(primitive: unknown): string {
  return String(primitive as string | number | boolean | null);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
