/** Active health checks. */
import { s } from '../../schema/declare.js';

export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

const RANGE = /^([1-5]\d\d)-([1-5]\d\d)$/;

const range = s.mapped(
  s
    .string({ pattern: RANGE, expected: 'a range such as `"200-299"`' })
    .check('schema/range', (text) =>
      Number(text.slice(0, 3)) <= Number(text.slice(4))
        ? undefined
        : `Expected a range from low to high, found \`${text}\`.`,
    ),
  (text): StatusRange => ({ from: Number(text.slice(0, 3)), to: Number(text.slice(4)) }),
);

const status = s.either<StatusRange>(
  {
    kinds: ['integer'],
    schema: s.mapped(s.integer({ min: 100, max: 599 }), (code): StatusRange => ({ from: code, to: code })),
  },
  { kinds: ['string'], schema: range },
);

export const health = () =>
  s.object({
    type: s
      .enum('http', 'tcp', 'grpc')
      .describe(
        'What a check does: send a request (`http`), open a connection (`tcp`), or call `grpc.health.v1.Health/Check` (`grpc`).',
      )
      .default('http'),
    path: s
      .string({ pattern: /^\/[\x21-\x7e]*$/, expected: 'a path that begins with `/`' })
      .describe('Path and query of the request; the base path of the target is not put before it.', '/healthz')
      .default('/'),
    method: s.enum('GET', 'HEAD', 'OPTIONS').describe('Method of the request.').default('GET'),
    host: s
      .string({ pattern: /^[\w.:[\]-]+$/, expected: 'a host name' })
      .describe('Host field of the request; default: that of the target.')
      .optional(),
    statuses: s
      .array(status, { min: 1 })
      .describe('Statuses of a healthy target: numbers and ranges.', ['200-299', 401])
      .default([{ from: 200, to: 299 }]),
    body: s
      .string({ nonEmpty: true })
      .describe('Text that the reply of a healthy target contains, within its first 64 KiB.', 'ok')
      .optional(),
    grpc_service: s
      .string({ nonEmpty: true })
      .describe('Name of the service that `grpc` asks for; default: the whole server.', 'shop.Orders')
      .optional(),
    port: s.integer({ min: 1, max: 65_535 }).describe('Port of the checks; default: that of the target.').optional(),
    interval: s.duration({ min: 100 }).describe('Time between two checks of a target.').default(10_000),
    timeout: s.duration({ min: 1 }).describe('Time limit of a check.').default(2000),
    jitter: s
      .integer({ max: 100 })
      .describe('Percentage of the interval by which each wait differs from it at most, at random.')
      .default(10),
    healthy_after: s
      .integer({ min: 1, max: 100 })
      .describe('Number of successful checks in a row after which an unhealthy target is used again.')
      .default(2),
    unhealthy_after: s
      .integer({ min: 1, max: 100 })
      .describe('Number of failed checks in a row after which a target is not used.')
      .default(3),
    before_first_check: s
      .enum('available', 'unavailable')
      .describe('Whether a target gets requests before its first successful check.')
      .default('available'),
  });
