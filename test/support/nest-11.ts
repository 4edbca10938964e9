import type { INestApplication } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';

interface Closing {
  callShutdownHook(signal?: string): Promise<void>;
  getModulesToTriggerHooksOn(): Iterable<ModulesContainer extends Map<string, infer M> ? M : never>;
}

/**
 * Lets an application close as Nest 11 does: the modules in the order they always have, but all providers of one at once,
 * where Nest 12 lets those that inject others come before them.
 */
export function closeAsNest11(app: INestApplication): void {
  const closing = app as unknown as Closing;
  closing.callShutdownHook = async (signal) => {
    for (const module of [...closing.getModulesToTriggerHooksOn()].toReversed()) {
      const instances = [...module.controllers.values(), ...module.providers.values()]
        .filter((wrapper) => !wrapper.isAlias && wrapper.isDependencyTreeStatic())
        .map(({ instance }) => instance as { onApplicationShutdown?(signal?: string): unknown });
      // oxlint-disable-next-line no-await-in-loop
      await Promise.all(
        instances.map(async (instance) => instance?.onApplicationShutdown?.(signal)),
      );
    }
  };
}
