/** Where the references of a program are used, and whether what they hold fits there. */
import type { Json, PolicyEntry, Program, RefString, SourceRef } from '../../bundle/types.js';
import { addressProblem, urlProblem } from '../../spec/entities.js';

export interface Misfit {
  /** Continues a sentence whose subject is `what`: `is empty`. */
  readonly message: string;
  readonly help: string;
}

export interface ReferenceUse {
  /** The key, as a dotted path through entities. */
  readonly at: string;
  /** Where that was written, when the program says it beside the entity. */
  readonly source?: SourceRef;
  /** For people: the address of listener `main`. */
  readonly what: string;
  /** The text with its references. */
  readonly ref: string;
  /** What is wrong with the text that came of it; the text itself is not told, since it may be a secret. */
  problem(): Misfit | undefined;
}

type Judge = (value: string) => Misfit | undefined;

/** Every use of a reference in `before`; `after` is the same program, resolved. */
export function* usesOf(before: Program, after: Program): Iterable<ReferenceUse> {
  for (const [at, what, from, to, judge] of places(before, after)) {
    if (from === undefined || typeof from === 'string') continue;
    yield { at, what, ref: from.$ref, problem: () => (typeof to === 'string' ? judge(to) : undefined) };
  }
  for (const [index, policy] of before.policies.entries()) yield* usesOfPolicy(policy, after.policies[index]);
}

type Place = readonly [at: string, what: string, from: RefString | undefined, to: RefString | undefined, judge: Judge];

function* places(before: Program, after: Program): Iterable<Place> {
  for (const [index, { name, address, tls }] of before.listeners.entries()) {
    const to = after.listeners[index];
    yield [`listener.${name}.address`, `the address of listener \`${name}\``, address, to?.address, judgeAddress];
    // What the files hold is judged as a pair.
    yield [`listener.${name}.tls.cert`, `the certificate of listener \`${name}\``, tls?.cert, to?.tls?.cert, fits];
    yield [`listener.${name}.tls.key`, `the key of listener \`${name}\``, tls?.key, to?.tls?.key, fits];
  }
  yield ['admin.address', 'the address of the admin API', before.admin.address, after.admin.address, judgeAddress];
  yield ['admin.token', 'the token of the admin API', before.admin.token, after.admin.token, judgeToken];
  for (const [at, { name, targets, run }] of before.services.entries()) {
    const to = after.services[at];
    for (const [index, { url }] of targets.entries())
      yield [
        `service.${name}.targets.${index}`,
        `a target of service \`${name}\``,
        url,
        to?.targets[index]?.url,
        judgeUrl,
      ];
    for (const [key, value] of Object.entries(run?.env ?? {}))
      yield [
        `service.${name}.run.env.${key}`,
        `the variable ${key} of service \`${name}\``,
        value,
        to?.run?.env[key],
        judgeVariable,
      ];
  }
  for (const [at, { name, apiKeys }] of before.consumers.entries()) {
    for (const [index, key] of apiKeys.entries())
      yield [
        `consumer.${name}.api_keys`,
        `an API key of consumer \`${name}\``,
        key,
        after.consumers[at]?.apiKeys[index],
        judgeKey,
      ];
  }
}

/** The leaves of a policy's config: header values and the like. */
function* usesOfPolicy(before: PolicyEntry, after: PolicyEntry | undefined): Iterable<ReferenceUse> {
  const visit = function* (
    from: Json | undefined,
    to: Json | undefined,
    path: readonly string[],
  ): Iterable<ReferenceUse> {
    if (typeof from !== 'object' || from === null) return;
    const table = from as { readonly [key: string]: Json };
    const ref = table['$ref'];
    if (typeof ref === 'string' && Object.keys(table).length === 1) {
      const source = sourceOf(before, path);
      yield {
        at: `policy.${before.name}`,
        what: `\`${path.join('.')}\` of policy \`${before.name}\``,
        ref,
        problem: () => (typeof to === 'string' ? judgeField(to) : undefined),
        ...(source === undefined ? {} : { source }),
      };
      return;
    }
    const other = (typeof to === 'object' && to !== null ? to : {}) as { readonly [key: string]: Json };
    for (const [key, item] of Object.entries(table)) yield* visit(item, other[key], [...path, key]);
  };
  yield* visit(before.config, after?.config, []);
}

function sourceOf({ origins }: PolicyEntry, path: readonly string[]): SourceRef | undefined {
  for (let length = path.length; length >= 0; length--) {
    const source = origins[path.slice(0, length).join('.')];
    if (source?.line !== undefined) return source;
  }
  return undefined;
}

const fits: Judge = () => undefined;

/** What is wrong with any text that must be one line. */
function judgeLine(value: string): Misfit | undefined {
  if (value === '') return { message: 'is empty', help: 'Give the variable or file a value, or write a default.' };
  if (/[\r\n]/.test(value)) {
    return {
      message: 'holds a line break',
      help: 'The value must be one line; one newline at the end of a file is left out.',
    };
  }
  return undefined;
}

const judgeAddress: Judge = (value) =>
  judgeLine(value) ??
  (addressProblem(value) === undefined
    ? undefined
    : { message: 'is not an address', help: 'An address is `host:port`, such as `127.0.0.1:8080` or `:8080`.' });

function judgeUrl(value: string): Misfit | undefined {
  const line = judgeLine(value);
  if (line) return line;
  if ((value.match(/https?:\/\//g) ?? []).length > 1) {
    return {
      message: 'holds more than one URL',
      help: 'Each entry of `targets` is one URL: write a reference for each.',
    };
  }
  const wrong = /[\s,;]/.test(value) || urlProblem(value) !== undefined;
  return wrong
    ? { message: 'is not a URL of a target', help: 'A target is a scheme, a host and a port: `http://127.0.0.1:4003`.' }
    : undefined;
}

const judgeToken: Judge = (value) =>
  judgeLine(value) ??
  (/^[\x21-\x7e]+$/.test(value)
    ? undefined
    : { message: 'is not a token', help: 'A token is printable ASCII without spaces.' });

const judgeKey: Judge = (value) =>
  judgeLine(value) ??
  (/^sha256:[0-9a-f]{64}$/.test(value)
    ? undefined
    : { message: 'is not the hash of a key', help: 'Write `sha256:` and 64 lower-case hex digits.' });

const judgeVariable: Judge = (value) =>
  value.includes('\0') ? { message: 'holds a NUL byte', help: 'No environment variable can hold one.' } : undefined;

function judgeField(value: string): Misfit | undefined {
  if (/^[\t\x20-\x7e]*$/.test(value)) return undefined;
  if (/[\r\n]/.test(value)) return judgeLine(value);
  return { message: 'holds a character that no header field may carry', help: 'A field value is printable ASCII.' };
}
