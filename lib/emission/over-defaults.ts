import type { ConsumerSettings } from './consumer.options.js';

/** A consumer's settings over the defaults, those of `retry` one by one. What is undefined says nothing. */
export function overDefaults(
  defaults: ConsumerSettings,
  settings: ConsumerSettings,
): ConsumerSettings {
  return {
    ...said(defaults),
    ...said(settings),
    retry: { ...said(defaults.retry), ...said(settings.retry) },
  };
}

function said<T extends object>(options: T | undefined): Partial<T> {
  return Object.fromEntries(
    Object.entries(options ?? {}).filter(([, value]) => value !== undefined && value !== null),
  ) as Partial<T>;
}
