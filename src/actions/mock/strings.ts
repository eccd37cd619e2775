/** Texts of the formats that JSON Schema and OpenAPI name. */
import { type DataTable, field, textOf } from '../../policies/kits/openapi.js';

const WORDS = [
  'amber',
  'birch',
  'cedar',
  'delta',
  'ember',
  'field',
  'grove',
  'harbor',
  'island',
  'juniper',
  'lagoon',
  'meadow',
];

const pad = (value: number, digits = 2): string => String(value).padStart(digits, '0');
const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0').slice(-digits);

/** A day of the year 2024. */
const dateOf = (random: number): string => `2024-${pad(1 + (random % 12))}-${pad(1 + ((random >>> 4) % 28))}`;
const timeOf = (random: number): string =>
  `${pad((random >>> 3) % 24)}:${pad((random >>> 9) % 60)}:${pad((random >>> 15) % 60)}Z`;

const FORMATS: { readonly [format: string]: (random: number) => string } = {
  'date-time': (random) => `${dateOf(random)}T${timeOf(random)}`,
  date: dateOf,
  time: timeOf,
  duration: (random) => `P${1 + (random % 30)}D`,
  uuid: (random) => {
    const other = Math.imul(random, 0x9e3779b1) >>> 0;
    return `${hex(random, 8)}-${hex(other, 4)}-4${hex(other >>> 16, 3)}-8${hex(random >>> 8, 3)}-${hex(other, 8)}${hex(random, 4)}`;
  },
  email: (random) => `${wordOf(random)}@example.com`,
  'idn-email': (random) => `${wordOf(random)}@example.com`,
  hostname: (random) => `${wordOf(random)}.example.com`,
  'idn-hostname': (random) => `${wordOf(random)}.example.com`,
  ipv4: (random) => `192.0.2.${1 + (random % 254)}`,
  ipv6: (random) => `2001:db8::${hex(1 + (random % 0xfffe), 4)}`,
  uri: (random) => `https://example.com/${wordOf(random)}`,
  iri: (random) => `https://example.com/${wordOf(random)}`,
  url: (random) => `https://example.com/${wordOf(random)}`,
  'uri-reference': (random) => `/${wordOf(random)}`,
  'iri-reference': (random) => `/${wordOf(random)}`,
  'uri-template': (random) => `/${wordOf(random)}/{id}`,
  'json-pointer': (random) => `/${wordOf(random)}`,
  'relative-json-pointer': () => '0',
  regex: () => '^[a-z]+$',
  byte: (random) => Buffer.from(wordOf(random)).toString('base64'),
  binary: wordOf,
  password: () => 'example-password',
};

function wordOf(random: number): string {
  return WORDS[random % WORDS.length]!;
}

/** A text of the schema's format; without one, a word. */
export function textFor(schema: DataTable, random: number): string {
  const format = textOf(field(schema, 'format')) ?? '';
  return Object.hasOwn(FORMATS, format) ? FORMATS[format]!(random) : wordOf(random);
}

/** Longest generated text. */
const MAX_LENGTH = 10_000;

/** Repeats or shortens a text until the schema allows its length. Texts of a format keep theirs. */
export function lengthened(text: string, schema: DataTable): string {
  if (Object.hasOwn(FORMATS, textOf(field(schema, 'format')) ?? '')) return text;
  const [least, most] = [field(schema, 'minLength'), field(schema, 'maxLength')];
  let long = text;
  if (typeof least === 'number' && text.length < least)
    long = `${text} `.repeat(Math.ceil(Math.min(least, MAX_LENGTH) / (text.length + 1)));
  if (long !== text)
    long = long.slice(0, Math.min(Math.max(least as number, text.length), MAX_LENGTH)).replace(/ $/, 's');
  return typeof most === 'number' && long.length > most ? long.slice(0, most) : long;
}
