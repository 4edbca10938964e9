import { ConfigurationError } from '../emission/emission.errors.js';

/**
 * Says what to install, for `import(…).catch(notInstalled(…))`. What is installed and cannot be loaded, as by some runners of
 * tests, fails with its own error.
 *
 * @throws ConfigurationError with the message when there is no such package
 */
export function notInstalled(message: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    if (error.code?.endsWith('MODULE_NOT_FOUND') !== true) throw error;
    throw new ConfigurationError(message, { cause: error });
  };
}
