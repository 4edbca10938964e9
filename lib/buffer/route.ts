import { StreamableFile, type ExecutionContext } from '@nestjs/common';
import {
  REDIRECT_METADATA,
  RESPONSE_PASSTHROUGH_METADATA,
  ROUTE_ARGS_METADATA,
  SSE_METADATA,
} from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { isReadable } from 'node:stream';
import { routeBufferingOf, type RouteBuffering } from './buffered.decorator.js';

/** What a route's decorators tell about its response, read once per route. */
export interface Route {
  readonly buffering: RouteBuffering;
  /** The response is sent by the handler itself, or is a stream of events: only its end tells. */
  readonly manual: boolean;
  /** The status of `@Redirect`. */
  readonly redirect: number | undefined;
}

const routes = new WeakMap<object, Route>();

/** The route that is about to be called. */
export function routeOf(context: ExecutionContext): Route {
  const method = context.getHandler();
  const known = routes.get(method);
  if (known !== undefined) return known;
  const redirect = Reflect.getMetadata(REDIRECT_METADATA, method) as
    | { statusCode?: number; url?: string }
    | undefined;
  const route: Route = {
    buffering: routeBufferingOf(method),
    manual: isManual(context.getClass(), method.name) || Reflect.hasMetadata(SSE_METADATA, method),
    redirect: typeof redirect?.url === 'string' ? (redirect.statusCode ?? 302) : undefined,
  };
  routes.set(method, route);
  return route;
}

/**
 * The status that Nest is going to send for a handler's result, where that can be told before it is sent: not for
 * responses sent by hand and not for streams.
 */
export function statusAhead(
  route: Route,
  result: unknown,
  response: { statusCode: number },
): number | undefined {
  if (route.manual || result instanceof StreamableFile) return undefined;
  if (typeof result === 'object' && result !== null && isReadable(result as never) === true)
    return undefined;
  if (route.redirect === undefined) return response.statusCode;
  const answer = result as { url?: unknown; statusCode?: number } | undefined;
  return typeof answer === 'object' && answer !== null && answer.statusCode
    ? answer.statusCode
    : route.redirect;
}

/** As Nest tells it: `@Res()` or `@Next()` without `passthrough`. */
function isManual(controller: object, method: string): boolean {
  if (Reflect.getMetadata(RESPONSE_PASSTHROUGH_METADATA, controller, method) === true) return false;
  const args = (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, method) ?? {}) as Record<
    string,
    unknown
  >;
  return Object.keys(args).some((key) => {
    const type = Number(key.split(':')[0]);
    return (
      type === (RouteParamtypes.RESPONSE as number) || type === (RouteParamtypes.NEXT as number)
    );
  });
}
