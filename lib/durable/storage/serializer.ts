import { types } from 'node:util';
import {
  emissionTypeOf,
  type EmissionTypeDefinition,
} from '../../emission/emission-type.decorator.js';
import { quote } from '../../emission/quote.js';
import { DeliveryDataError, UnknownTypeError } from '../durable.errors.js';

/** A value as JSON that people can read, and what JSON cannot say about it: by path, the type that stands there. */
export interface Serialized {
  readonly json: unknown;
  readonly types?: Readonly<Record<string, string>> | undefined;
}

/** The classes that can be made again, by the names they were marked with. */
export type KnownTypes = ReadonlyMap<string, abstract new (...args: never[]) => object>;

/** Stands in front of the name of an `@EmissionType`; behind it, `@` and the version, unless that is the first. */
const CLASS = 'class:';
const VERSIONED = /^(.*)@(\d+)$/s;
const ERROR_FIELDS = ['name', 'message', 'stack', 'code'] as const;
const BYTES = [
  ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
  ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView],
] as const;
/** PostgreSQL's jsonb takes neither of the two. */
const UNSAFE = /\0|[\ud800-\udfff]/;

/**
 * Turns values into readable JSON and back: dates, maps, sets, bigints, bytes, regular expressions, errors, `undefined`, numbers
 * that JSON does not have, and instances of classes marked with `@EmissionType` come back equal and of the same type. Other
 * instances come back as plain objects.
 *
 * @throws DeliveryDataError naming the path of what has no such form
 */
export function serialize(value: unknown): Serialized {
  const found: Record<string, string> = {};
  const json = write(value, '', found);
  return Object.keys(found).length === 0 ? { json } : { json, types: found };
}

/**
 * Makes the value again; `json` is used up.
 *
 * @throws UnknownTypeError for an instance of a class that is not among the known ones, or not in this version
 * @throws whatever a class's `upcast` throws
 */
export function deserialize({ json, types: tags }: Serialized, known: KnownTypes): unknown {
  if (tags === undefined) return json;
  const root = { '': json };
  // What lies deepest first: a map is made of what its entries have become.
  const paths = Object.keys(tags).sort((a, b) => stepsOf(b).length - stepsOf(a).length);
  for (const path of paths) {
    const steps = ['', ...stepsOf(path)];
    const last = steps.pop()!;
    const holder = steps.reduce<Record<string, unknown>>((at, step) => at[step] as never, root);
    holder[last] = read(tags[path]!, holder[last], known);
  }
  return root[''];
}

function write(value: unknown, path: string, found: Record<string, string>): unknown {
  switch (typeof value) {
    case 'string':
      if (!UNSAFE.test(value) || (value.isWellFormed() && !value.includes('\0'))) return value;
      found[path] = 'text';
      return Buffer.from(value, 'utf16le').toString('base64');
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      found[path] = 'number';
      return Object.is(value, -0) ? '-0' : String(value);
    case 'boolean':
      return value;
    case 'undefined':
      found[path] = 'undefined';
      return null;
    case 'bigint':
      found[path] = 'bigint';
      return String(value);
    case 'object':
      return value === null ? null : writeObject(value, path, found);
    case 'function':
    case 'symbol':
      throw new DeliveryDataError(pathOf(path), `it is a ${typeof value}`);
  }
}

function writeObject(value: object, path: string, found: Record<string, string>): unknown {
  if (Array.isArray(value)) return value.map((each, i) => write(each, `${path}/${i}`, found));
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === Object.prototype || prototype === null) return writeFields(value, path, found);
  const marked = emissionTypeOf(value);
  if (marked !== undefined) {
    found[path] = tagOf(marked);
    return writeFields(value, path, found, true);
  }
  if (types.isDate(value)) {
    found[path] = 'Date';
    return Number.isNaN(value.getTime()) ? null : value.toISOString();
  }
  if (types.isMap(value) || types.isSet(value)) {
    found[path] = types.isMap(value) ? 'Map' : 'Set';
    return [...value].map((each, i) => write(each, `${path}/${i}`, found));
  }
  if (types.isRegExp(value)) {
    found[path] = 'RegExp';
    return `/${value.source}/${value.flags}`;
  }
  if (types.isAnyArrayBuffer(value) || ArrayBuffer.isView(value)) {
    found[path] = Buffer.isBuffer(value) ? 'Buffer' : tagOfBytes(value);
    return bytesOf(value).toString('base64');
  }
  if (types.isNativeError(value)) return writeError(value, path, found);
  return writeFields(value, path, found);
}

function writeFields(
  value: object,
  path: string,
  found: Record<string, string>,
  marked = false,
): unknown {
  const keys = Object.keys(value);
  if (keys.some((key) => UNSAFE.test(key) || key === '__proto__') && !marked) {
    found[path] = 'object';
    const entries = Object.entries(value);
    return entries.map((entry, i) => write(entry, `${path}/${i}`, found));
  }
  const fields: Record<string, unknown> = {};
  for (const key of keys) {
    fields[key] = write((value as Record<string, unknown>)[key], `${path}/${escaped(key)}`, found);
  }
  return fields;
}

function writeError(error: Error, path: string, found: Record<string, string>): unknown {
  found[path] = 'Error';
  const given: Record<string, unknown> = Object.fromEntries(Object.entries(error));
  for (const field of ERROR_FIELDS) {
    const said = (error as NodeJS.ErrnoException)[field];
    if (typeof said === 'string') given[field] = said;
  }
  if (error.cause !== undefined) given['cause'] = error.cause;
  return writeFields(given, path, found);
}

function read(tag: string, json: unknown, known: KnownTypes): unknown {
  switch (tag) {
    case 'text':
      return Buffer.from(json as string, 'base64').toString('utf16le');
    case 'number':
      return json === '-0' ? -0 : Number(json);
    case 'undefined':
      return undefined;
    case 'bigint':
      return BigInt(json as string);
    case 'Date':
      return new Date((json as string | null) ?? Number.NaN);
    case 'Map':
      return new Map(json as [unknown, unknown][]);
    case 'Set':
      return new Set(json as unknown[]);
    case 'object':
      return fieldsOf(json as [string, unknown][]);
    case 'RegExp': {
      const [, source, flags] = /^\/(.*)\/(\w*)$/s.exec(json as string)!;
      return new RegExp(source!, flags);
    }
    case 'Error':
      return errorOf(json as Record<string, unknown>);
    default:
      return tag.startsWith(CLASS)
        ? instanceOf(tag.slice(CLASS.length), json as object, known)
        : readBytes(tag, json as string);
  }
}

function tagOf({ name, version }: EmissionTypeDefinition): string {
  return CLASS + (version === 1 && !VERSIONED.test(name) ? name : `${name}@${version}`);
}

function instanceOf(tag: string, fields: object, known: KnownTypes): object {
  const [, name, version] = VERSIONED.exec(tag) ?? [undefined, tag, '1'];
  const type = known.get(name!);
  if (type === undefined) throw new UnknownTypeError(name!);
  const current = emissionTypeOf(type)!;
  const stored = Number(version);
  const fitting = stored === current.version ? fields : upcast(current, fields, stored);
  if (fitting instanceof type) return fitting;
  return Object.assign(Object.create(type.prototype as object) as object, fitting);
}

function upcast(type: EmissionTypeDefinition, fields: object, stored: number): object {
  if (type.upcast === undefined || stored > type.version) {
    throw new UnknownTypeError(type.name, { stored, known: type.version });
  }
  const made: unknown = type.upcast(fields as Record<string, unknown>, stored);
  if (typeof made === 'object' && made !== null) return made;
  throw new DeliveryDataError(type.name, `its upcast of version ${stored} returned ${quote(made)}`);
}

function fieldsOf(entries: [string, unknown][]): object {
  const fields = {};
  for (const [key, value] of entries) {
    Object.defineProperty(fields, key, {
      ...{ value, enumerable: true, writable: true, configurable: true },
    });
  }
  return fields;
}

function errorOf(fields: Record<string, unknown>): Error {
  const { message, ...others } = fields;
  const error = new Error(message as string);
  for (const [key, value] of Object.entries(others)) {
    const enumerable = !['name', 'stack', 'cause'].includes(key);
    Object.defineProperty(error, key, { value, enumerable, writable: true, configurable: true });
  }
  return error;
}

function tagOfBytes(value: ArrayBufferLike | ArrayBufferView): string {
  return BYTES.find((type) => value instanceof type)?.name ?? 'ArrayBuffer';
}

function bytesOf(value: ArrayBufferLike | ArrayBufferView): Buffer {
  return ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : Buffer.from(value);
}

function readBytes(tag: string, json: string): unknown {
  const buffer = Buffer.from(json, 'base64');
  if (tag === 'Buffer') return buffer;
  const bytes = Uint8Array.from(buffer).buffer;
  if (tag === 'ArrayBuffer') return bytes;
  const type = BYTES.find(({ name }) => name === tag);
  if (type === undefined) throw new UnknownTypeError(tag);
  return new (type as new (bytes: ArrayBuffer) => unknown)(bytes);
}

/** As in a JSON pointer. */
function escaped(key: string): string {
  return key.includes('/') || key.includes('~')
    ? key.replaceAll('~', '~0').replaceAll('/', '~1')
    : key;
}

function stepsOf(path: string): string[] {
  const [, ...steps] = path.split('/');
  return steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function pathOf(path: string): string {
  return path === '' ? 'The value' : path.slice(1);
}
