import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { ConfigurationError } from '../../emission/emission.errors.js';

/** More secrets than that are unlikely to come up again soon. */
const MAX_KEYS = 10_000;

/** Signs as Standard Webhooks has it; makes a key of a secret once. */
export class Signer {
  readonly #keys = new Map<string, KeyObject>();

  /** The value of `webhook-signature`: one signature for each secret. @throws ConfigurationError when a secret is none */
  sign(
    secrets: readonly string[],
    id: string,
    timestamp: number,
    body: string | Uint8Array,
  ): string {
    return secrets
      .map((secret) => {
        const hmac = createHmac('sha256', this.#keyOf(secret));
        hmac.update(`${id}.${timestamp}.`).update(body);
        return `v1,${hmac.digest('base64')}`;
      })
      .join(' ');
  }

  #keyOf(secret: string): KeyObject {
    const known = this.#keys.get(secret);
    if (known !== undefined) return known;
    const bytes = Buffer.from(String(secret).replace(/^whsec_/, ''), 'base64');
    if (bytes.length < 16) {
      // The secret itself has no place in a message.
      throw new ConfigurationError(
        `A secret of a webhook is 'whsec_' and the base64 of at least 16 random bytes (24 to 64 are usual), but got one of ${bytes.length}.`,
      );
    }
    if (this.#keys.size >= MAX_KEYS) this.#keys.clear();
    const key = createSecretKey(bytes);
    this.#keys.set(secret, key);
    return key;
  }
}
