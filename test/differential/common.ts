/** What the comparisons share: numbered requests, and what counts of heads, fields and bodies. */
import type { Random } from './random.js';
import type { RandomRequest } from './random-request.js';
import { ASK, REPLIES } from './replies.js';
import { NUMBER } from './wire.js';

/** The request with its number, and with the reply that it asks for. */
export function numbered(request: RandomRequest, random: Random, number: number): RandomRequest {
  const marks = [
    [NUMBER, String(number)],
    [ASK, String(random.index(REPLIES.length))],
  ] as const;
  return { ...request, headers: [...request.headers, ...marks] };
}

/** Fields that the engine adds to a reply after the chain. */
const ADDED = new Set(['date', 'x-request-id', 'connection', 'content-length', 'keep-alive', 'transfer-encoding']);

/** The fields of a reply that the chain decides, as text. */
export function fieldsText(fields: Iterable<readonly [name: string, value: string]>): string {
  const all = new Map<string, string>();
  for (const [name, value] of fields) {
    const before = all.get(name);
    all.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return [...all]
    .filter(([name]) => !ADDED.has(name))
    .map(([name, value]) => `${name}: ${value.trim()}`)
    .sort()
    .join('\n  ');
}

/** The lines of a request head that do not depend on the connection, in one order. */
export function requestLines(lines: readonly string[]): string[] {
  const upgrades = lines.includes('connection: upgrade');
  return (
    lines
      .map((line, at) => (at === 0 ? line : lowerName(line)))
      .filter((line) => !/^(x-request-id:|connection: (close|keep-alive)$)/.test(line))
      // The package that makes tunnels may say that there is no body.
      .filter((line) => !(upgrades && line === 'content-length: 0'))
      .sort()
  );
}

const lowerName = (line: string): string =>
  line.slice(0, line.indexOf(':')).toLowerCase() + line.slice(line.indexOf(':'));

/** Ids of requests are new in each run. */
export const steady = (text: string): string => text.replace(/"(instance|request_id)": ?"[^"]*"/g, '"$1":""');
