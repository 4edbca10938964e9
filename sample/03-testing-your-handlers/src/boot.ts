import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Emissions } from 'nestjs-emissions';
import {
  recordEmissions,
  type EmissionRecorder,
  type RecorderMode,
} from 'nestjs-emissions/testing';
import { AppModule } from './app.module.js';
import { Mailer } from './mailer.js';

/** The application under test, listening, with a mailbox in the place of the mail server. */
export interface Booted extends AsyncDisposable {
  readonly app: INestApplication;
  readonly emissions: Emissions;
  readonly recorder: EmissionRecorder;
  /** The letters sent; `down` makes the next ones fail. */
  readonly mail: { readonly letters: string[]; down: number };
  post(order: object): Promise<Response>;
}

/** Boots the application's real root module. This is all the set-up that the specs share. */
export async function boot(mode: RecorderMode = 'default'): Promise<Booted> {
  const mail = { letters: [] as string[], down: 0 };
  const builder = Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(Mailer)
    .useValue({
      send: async (to: string, text: string) => {
        if (mail.down-- > 0) throw new Error('The mail server is down.');
        mail.letters.push(`${to}: ${text}`);
      },
    });
  const recorder = recordEmissions(builder, { mode });
  const app = (await builder.compile()).createNestApplication({ logger: false });
  await app.listen(0, '127.0.0.1');
  const url = `${await app.getUrl()}/orders`;
  const headers = { 'content-type': 'application/json' };
  return {
    ...{ app, recorder, mail, emissions: app.get(Emissions) },
    post: (order) => fetch(url, { method: 'POST', headers, body: JSON.stringify(order) }),
    [Symbol.asyncDispose]: () => app.close(),
  };
}
