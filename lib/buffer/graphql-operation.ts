import type { ServerResponse } from 'node:http';
import { Logger, type CallHandler, type ExecutionContext } from '@nestjs/common';
import { tap, type Observable } from 'rxjs';
import type { BufferContext } from './buffer.context.js';
import { describeFailure } from './commit-failure.js';
import { answersTo, type GraphqlAsked } from './graphql-batch.js';
import { HttpOutcome } from './http-outcome.js';
import type { UnitContext } from './unit-of-work.js';
import { within } from './within.js';

const logger = new Logger('Emissions');

/** What is read of a resolver's arguments: `(root, args, context, info)`. */
export interface GraphqlCall {
  /** `query`, `mutation` or `subscription`. */
  readonly operation: string | undefined;
  /** The object all resolvers of one operation share. */
  readonly context: object | undefined;
  /** The response the operation is answered with, where the context leads to it (Apollo: `res`, Mercurius: `reply`). */
  readonly response: ServerResponse | undefined;
  readonly asked: GraphqlAsked;
}

/** Reads a GraphQL resolver's call, without needing a GraphQL library. */
export function graphqlCallOf(execution: ExecutionContext): GraphqlCall {
  const [, , context, info] = execution.getArgs() as [
    unknown,
    unknown,
    ContextLike | undefined,
    InfoLike | undefined,
  ];
  const response = context?.res ?? context?.reply ?? context?.req?.res;
  const raw = response?.raw ?? response;
  const operation = info?.operation;
  const body: unknown = (context?.req ?? response?.request)?.body;
  return {
    asked: {
      query: operation?.loc?.source?.body,
      name: operation?.name?.value,
      variables: info?.variableValues ?? {},
      batch: Array.isArray(body) ? body : undefined,
    },
    operation: operation?.operation,
    context: typeof context === 'object' && context !== null ? context : undefined,
    response: typeof raw?.writeHead === 'function' ? raw : undefined,
  };
}

type ResponseLike = ServerResponse & { raw?: ServerResponse; request?: RequestLike };

interface RequestLike {
  res?: ResponseLike;
  body?: unknown;
}

interface ContextLike {
  res?: ResponseLike;
  reply?: ResponseLike;
  req?: RequestLike;
}

interface InfoLike {
  operation?: {
    operation?: string;
    name?: { value?: string };
    loc?: { source?: { body?: string } };
  };
  variableValues?: Readonly<Record<string, unknown>>;
}

/** What begins an operation. */
export interface GraphqlOperationOptions {
  buffers: BufferContext;
  shouldCommit: (status: number) => boolean;
  stamp: (() => UnitContext | undefined) | undefined;
  /** What it asks: of the answers to a batch, its own decides. */
  asked: GraphqlAsked;
}

/**
 * The unit of work of one GraphQL operation, ended with its response: discarded when a resolver threw or the answer has
 * errors, as that of a guard or of a value that does not fit its type; GraphQL answers 200 all the same.
 */
export class GraphqlOperation {
  readonly #outcome: HttpOutcome;
  #failed = false;

  constructor(response: ServerResponse, options: GraphqlOperationOptions) {
    const { buffers, shouldCommit, stamp, asked } = options;
    this.#outcome = new HttpOutcome(buffers, response, {
      buffered: true,
      shouldCommit,
      stamp,
      failedBy: (body) => this.#failed || hasErrors(body, asked),
      failed: (error) => answer(response, error),
    });
  }

  /** Calls a resolver of the operation. */
  run(buffers: BufferContext, next: CallHandler): Observable<unknown> {
    return within(buffers, next, () => this.#outcome.unit).pipe(
      tap({ error: () => (this.#failed = true) }),
    );
  }
}

/** The operations that are being answered, by the object their resolvers share. */
export class GraphqlOperations {
  readonly #operations = new WeakMap<object, GraphqlOperation>();

  /** The operation a resolver belongs to; the first one begins it. */
  of(
    context: object,
    response: ServerResponse,
    options: GraphqlOperationOptions,
  ): GraphqlOperation {
    const known = this.#operations.get(context);
    if (known !== undefined) return known;
    const operation = new GraphqlOperation(response, options);
    this.#operations.set(context, operation);
    return operation;
  }
}

/** Whether the answer to an operation has errors; those of a streamed answer are the resolvers' only. */
function hasErrors(body: unknown, asked: GraphqlAsked): boolean {
  const text = typeof body === 'string' ? body : Buffer.isBuffer(body) ? body.toString() : '';
  if (!text.includes('"errors"')) return false;
  try {
    const answer: unknown = JSON.parse(text);
    const answers = Array.isArray(answer) ? answersTo(asked, answer) : [answer];
    return answers.some((each) => {
      const { errors } = Object(each) as { errors?: unknown };
      return Array.isArray(errors) && errors.length > 0;
    });
  } catch {
    return false;
  }
}

/** A failed commit, in the words of GraphQL. */
function answer(response: ServerResponse, error: unknown): void {
  const { status, body } = describeFailure(error);
  const { message } = body as { message?: unknown };
  if (status >= 500) logger.error(`The commit failed; the operation answers ${status}.`, error);
  const code = (error as { code?: unknown } | undefined)?.code;
  const extensions = typeof code === 'string' ? { code } : {};
  const text = JSON.stringify({ errors: [{ message, extensions }], data: null });
  response.statusCode = status;
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.setHeader('content-length', Buffer.byteLength(text));
  response.end(text);
}
