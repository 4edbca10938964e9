import type { DynamicModule } from '@nestjs/common';

/**
 * Stands in for a module whose options are wrong: the application does not start.
 *
 * An error thrown by `forRoot` itself would come while files are loaded, as decorators are evaluated there, where nobody can
 * catch it; from here it comes out of `NestFactory.create` or `compile()`, before anything is built.
 */
export class RefusedModule {
  /** The module, or one that refuses to start with the error that making it throws. */
  static unless(make: () => DynamicModule): DynamicModule {
    try {
      return make();
    } catch (error) {
      const refusal = Promise.reject<DynamicModule>(error as Error);
      // It may be that no application is ever made of it.
      refusal.catch(() => {});
      return { module: RefusedModule, imports: [refusal] };
    }
  }
}
