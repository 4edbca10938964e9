import { describe, expect, it } from '@jest/globals';
import { EmissionsModule } from 'nestjs-emissions';
import { RecordingAdapter } from './support/adapters.js';
import { start } from './support/app.js';

describe('removeAdapter', () => {
  it('names the adapters there are when none has that name', async () => {
    await using app = await start({
      imports: [
        EmissionsModule.forRoot({ adapters: [{ name: 'audit', useClass: RecordingAdapter }] }),
      ],
    });
    await expect(app.emissions.removeAdapter('adit')).rejects.toThrow(
      "There is no adapter named 'adit' to remove. There are: 'audit'.",
    );
    await expect(app.emissions.removeAdapter('audit')).resolves.toBeUndefined();
  });
});

describe('addAdapter', () => {
  it.each([undefined, 7, ''])('refuses %p for a name', async (name) => {
    await using app = await start({ imports: [EmissionsModule.forRoot({})] });
    expect(() => app.emissions.addAdapter(name as never, new RecordingAdapter())).toThrow(
      /addAdapter takes a name, which is a non-empty string/,
    );
  });
});
