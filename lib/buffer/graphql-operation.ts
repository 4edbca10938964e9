import type { ServerResponse } from 'node:http';
import type { ExecutionContext } from '@nestjs/common';
import type { HttpOutcome } from './http-outcome.js';

/** What is read of a resolver's arguments: `(root, args, context, info)`. */
export interface GraphqlCall {
  /** `query`, `mutation` or `subscription`. */
  readonly operation: string | undefined;
  /** The object all resolvers of one operation share. */
  readonly context: object | undefined;
  /** The response the operation is answered with, where the context leads to it (Apollo: `res`, Mercurius: `reply`). */
  readonly response: ServerResponse | undefined;
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
  return {
    operation: info?.operation?.operation,
    context: typeof context === 'object' && context !== null ? context : undefined,
    response: typeof raw?.writeHead === 'function' ? raw : undefined,
  };
}

type ResponseLike = ServerResponse & { raw?: ServerResponse };

interface ContextLike {
  res?: ResponseLike;
  reply?: ResponseLike;
  req?: { res?: ResponseLike };
}

interface InfoLike {
  operation?: { operation?: string };
}

/** The unit of work of one GraphQL operation, ended with its response. */
export interface GraphqlUnit {
  readonly outcome: HttpOutcome;
  /** A resolver threw: GraphQL answers 200 all the same. */
  failed: boolean;
}

/** The operations that are being answered, by the object their resolvers share. */
export class GraphqlOperations extends WeakMap<object, GraphqlUnit> {}
