import { randomBytes, randomUUID } from 'node:crypto';
import { Global, Injectable, Module } from '@nestjs/common';

/** Where a customer wants to be told. */
export interface Endpoint {
  readonly id: string;
  readonly org: string;
  readonly url: string;
  /** The newest first. */
  readonly secrets: readonly string[];
}

/** Who wants to be told. Yours are in a database. */
@Injectable()
export class Endpoints {
  readonly #all = new Map<string, Endpoint>();

  register(org: string, url: string): Endpoint {
    return this.#keep({ id: randomUUID(), org, url, secrets: [newSecret()] });
  }

  /** Gives it a new secret. The one before signs, too, until the next time: the customer can change over in peace. */
  rotate(org: string, id: string): Endpoint | undefined {
    const endpoint = this.find(id);
    if (endpoint?.org !== org) return undefined;
    return this.#keep({ ...endpoint, secrets: [newSecret(), endpoint.secrets[0]!] });
  }

  of(org: string | undefined): Endpoint[] {
    return [...this.#all.values()].filter((endpoint) => endpoint.org === org);
  }

  find(id: unknown): Endpoint | undefined {
    return this.#all.get(String(id));
  }

  #keep(endpoint: Endpoint): Endpoint {
    this.#all.set(endpoint.id, endpoint);
    return endpoint;
  }
}

@Global()
@Module({ providers: [Endpoints], exports: [Endpoints] })
export class EndpointsModule {}

/** As Standard Webhooks has it. */
function newSecret(): string {
  return `whsec_${randomBytes(24).toString('base64')}`;
}
