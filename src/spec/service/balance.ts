/** How a service chooses among its targets. */
import {
  type BalanceEntry,
  HASH_KEY_KINDS,
  type HashKeyEntry,
  type HashKeyKind,
} from '../../bundle/service/balance.js';
import { type Problem, quoted, s } from '../../schema/declare.js';

const NAMED: readonly HashKeyKind[] = ['header', 'cookie', 'param'];
const HELP =
  'Write `header:NAME`, `cookie:NAME`, `param:NAME` (a path parameter), `address` (of the client) or `consumer`.';

function keyOf(text: string): HashKeyEntry | undefined {
  const colon = text.indexOf(':');
  const from = HASH_KEY_KINDS.find((kind) => kind === (colon < 0 ? text : text.slice(0, colon)));
  const name = colon < 0 ? '' : text.slice(colon + 1);
  if (from === undefined || NAMED.includes(from) !== name.length > 0 || (colon >= 0 && name === '')) return undefined;
  if (!/^[\w!#$%&'*+.^`|~-]*$/.test(name)) return undefined;
  return { from, name: from === 'header' ? name.toLowerCase() : name };
}

function keyProblem(text: string): Problem | undefined {
  if (keyOf(text) !== undefined) return undefined;
  return { message: `Expected a key such as \`"header:x-user"\`, found ${quoted(text)}.`, help: HELP };
}

const hashKey = () =>
  s.mapped(s.string({ nonEmpty: true }).check('schema/format', keyProblem), (text): HashKeyEntry => keyOf(text)!);

const hashKeys = () =>
  s
    .either<readonly HashKeyEntry[]>(
      { kinds: ['string'], schema: s.mapped(hashKey(), (key): readonly HashKeyEntry[] => [key]) },
      { kinds: ['array'], schema: s.array(hashKey(), { min: 1 }) },
    )
    .describe(
      'Consistent hash: requests with the same value go to the same target. `header:NAME`, `cookie:NAME`, `param:NAME` (a path parameter), `address` (of the client; IPv6: its /64) or `consumer`. Of several keys the first one that a request has counts; requests without a key are balanced in turn.',
      'header:x-user',
    );

const algorithm = () => s.enum('round-robin', 'least-request', 'ewma', 'random');

/** A name, or a table for a consistent hash. */
export const balance = () =>
  s
    .either<BalanceEntry>(
      { kinds: ['string'], schema: s.mapped(algorithm(), (kind): BalanceEntry => ({ kind })) },
      {
        kinds: ['table'],
        schema: s.mapped(
          s.object({
            hash: hashKeys(),
            max_load: s
              .integer({ min: 100, max: 1000 })
              .describe(
                'Most requests in progress of one target, in percent of its share of all; a key whose target has more goes to its next target. Default: no limit.',
                125,
              )
              .optional(),
          }),
          ({ hash, max_load }): BalanceEntry => ({
            keys: hash,
            kind: 'hash',
            ...(max_load === undefined ? {} : { maxLoad: max_load / 100 }),
          }),
        ),
      },
    )
    .describe(
      'How targets are chosen: `round-robin` (in turn), `least-request` (of two random targets that with fewer requests in progress), `ewma` (of two random targets that with the lower latency, times its requests in progress), `random`, or `{ hash = KEY }`. All observe weights ([docs/balancing.md](balancing.md)). Default: `round-robin`.',
      'least-request',
    )
    .optional();
