/**
 * Makes a value fit for JSON without losing anything silently: maps become arrays of entries, sets arrays, bigints and
 * bytes strings (base64). Everything else is left to `JSON.stringify`. Parts that need no change are not copied.
 */
export function toJsonValue(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Map)
    return [...value].map(([key, item]) => [toJsonValue(key), toJsonValue(item)]);
  if (value instanceof Set) return [...value].map(toJsonValue);
  if (ArrayBuffer.isView(value)) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
  }
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString('base64');
  if ('toJSON' in value && typeof value.toJSON === 'function') return value;
  if (value instanceof Error)
    return Object.assign({}, value, { name: value.name, message: value.message });
  if (Array.isArray(value)) {
    const items = value.map(toJsonValue);
    return items.every((item, i) => item === value[i]) ? value : items;
  }
  let changed = false;
  const entries = Object.entries(value).map(([key, item]) => {
    const json = toJsonValue(item);
    changed ||= json !== item;
    return [key, json] as const;
  });
  return changed ? Object.fromEntries(entries) : value;
}
