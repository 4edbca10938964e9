import { types } from 'node:util';

/**
 * Makes a value fit for JSON without losing anything silently: maps become arrays of entries, sets arrays, bigints and
 * bytes strings (base64), errors objects with their name and message. Everything else is left to `JSON.stringify`. Parts
 * that need no change are not copied.
 */
export function toJsonValue(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  return isPlain(value) ? objectOf(value) : specialOf(value);
}

/** The most there is of: it has nothing of its own that would be lost. */
function isPlain(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype && !('toJSON' in value);
}

function specialOf(value: object): unknown {
  if (types.isMap(value)) {
    return Array.from(value, ([key, item]) => [toJsonValue(key), toJsonValue(item)]);
  }
  if (types.isSet(value)) return Array.from(value, toJsonValue);
  if (types.isRegExp(value)) return String(value);
  if (ArrayBuffer.isView(value)) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
  }
  if (types.isAnyArrayBuffer(value)) return Buffer.from(value).toString('base64');
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    const written: unknown = value.toJSON('');
    const json = written === value ? written : toJsonValue(written);
    return json === written ? value : json;
  }
  if (types.isNativeError(value)) {
    const { name, message, cause } = value;
    return objectOf(Object.assign({}, value, { name, message }, cause !== undefined && { cause }));
  }
  if (Array.isArray(value)) {
    const items = value.map(toJsonValue);
    return items.every((item, i) => Object.is(item, value[i])) ? value : items;
  }
  return objectOf(value);
}

function objectOf(value: object): unknown {
  const given = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(given);
  let changed = false;
  const items = keys.map((key) => {
    const item = given[key];
    const json = toJsonValue(item);
    changed ||= !Object.is(json, item);
    return json;
  });
  return changed ? Object.fromEntries(keys.map((key, i) => [key, items[i]])) : value;
}
