// #region docs
import { expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { AppModule } from './chat.js';
import { follow } from './page.js';

it('shows what is written to those of the same tenant', async () => {
  const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
  const app = module.createNestApplication();
  await app.listen(0);
  const url = await app.getUrl();
  const write = (token: string, text: string) =>
    fetch(`${url}/messages`, {
      method: 'POST',
      headers: { authorization: token, 'content-type': 'application/json' },
      body: JSON.stringify({ text }),
    });

  const shown: string[] = [];
  const bob = follow(url, 'token-bob', (text) => shown.push(`bob: ${text}`));
  const first = new Promise<void>((resolve) => {
    const ada = follow(url, 'token-ada', (text) => {
      shown.push(`ada: ${text}`);
      ada.close();
      resolve();
    });
    void Promise.all([ada.ready, bob.ready]).then(() => write('token-ada', 'Hello'));
  });
  await first;
  expect(shown).toEqual(['ada: Hello']);
  bob.close();
  await app.close();
});
// #endregion
