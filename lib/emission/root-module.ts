import type { ModuleRef } from '@nestjs/core';
import { ConfigurationError } from './emission.errors.js';
import { EmissionFactory } from './emission.factory.js';

/** @throws ConfigurationError when the application has no `EmissionsModule.forRoot`, without which the module would get nothing */
export function requireRootModule(modules: ModuleRef, module: string): void {
  try {
    modules.get(EmissionFactory, { strict: false });
  } catch (error) {
    throw new ConfigurationError(
      `${module} is imported, but EmissionsModule.forRoot is not: it would get nothing. Import EmissionsModule.forRoot(…) in the ` +
        'root module.',
      { cause: error },
    );
  }
}

/** Stands in for the options of a module that is imported without `forRoot`, which replaces it: the application does not start. */
export function refuseWithoutForRoot(module: string, advice: string): () => never {
  return () => {
    throw new ConfigurationError(`${module} is imported without its forRoot. ${advice}`);
  };
}
