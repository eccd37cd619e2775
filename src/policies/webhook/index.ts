/** Compile part of webhook. */
import { declarePolicy } from '../compile-kit.js';
import type { PolicyProblem } from '../contract.js';
import { PROBLEMS } from './problems.js';
import { OWN_KEYS, type Part, schema, type WebhookConfig, type WebhookSettings } from './schema.js';

/** Milliseconds that a request without a time in its signature cannot be sent again. */
const REMEMBER = 600_000;
const MAX_SECRETS = 8;

type Report = (problem: PolicyProblem) => void;

export default declarePolicy<WebhookConfig, WebhookSettings>({
  use: 'webhook',
  summary: 'Authenticates senders of webhooks by their signatures',
  phase: 'authenticate',
  authenticator: true,
  stateful: false,
  schema,
  traits: () => ({ authenticates: true, grants: [], claims: ['sub'] }),
  body: ({ max_body }) => ({ request: { max: max_body, mandatory: false } }),
  problems: Object.values(PROBLEMS),
  codes: [
    {
      code: 'webhook/keys',
      severity: 'error',
      summary: 'A webhook policy has no secret, or keys that do not fit its format',
    },
    {
      code: 'webhook/scheme',
      severity: 'error',
      summary: 'The scheme of signatures of a webhook policy is incomplete or unsafe',
    },
    { code: 'webhook/remember', severity: 'warning', summary: 'A webhook policy accepts the same request again' },
  ],
  lint(config, _context, report) {
    lintKeys(config, report);
    lintScheme(config, report);
    lintRemember(config, report);
  },
  compile(config, { name }) {
    const { tolerance, remember, max_body: maxBody, secrets = [], public_keys = [], sender = name } = config;
    const scheme = schemeOf(config);
    const idEnd = endOfId(scheme.signed);
    const default_ = scheme.timestamp === undefined && scheme.form !== 'pairs' ? REMEMBER : 2 * tolerance;
    return {
      ...scheme,
      ...(idEnd === undefined ? {} : { idEnd }),
      secrets: secrets.slice(0, MAX_SECRETS),
      publicKeys: public_keys.slice(0, MAX_SECRETS).map((key) => key.replace(/^whpk_/, '')),
      sender,
      tolerance,
      remember: remember ?? default_,
      maxBody,
    };
  },
});

type Scheme = Pick<
  WebhookSettings,
  'form' | 'header' | 'timestamp' | 'id' | 'prefix' | 'algorithm' | 'encoding' | 'signed' | 'secretEncoding'
>;

function schemeOf(config: WebhookConfig): Scheme {
  const hmac = { prefix: '', algorithm: 'sha256', encoding: 'hex', secretEncoding: 'text' } as const;
  switch (config.format) {
    case 'standard':
      return {
        ...hmac,
        form: 'list',
        header: 'webhook-signature',
        id: 'webhook-id',
        timestamp: 'webhook-timestamp',
        encoding: 'base64',
        secretEncoding: 'whsec',
        signed: partsOf('{id}.{timestamp}.{body}'),
      };
    case 'github':
      return { ...hmac, form: 'field', header: 'x-hub-signature-256', prefix: 'sha256=', signed: partsOf('{body}') };
    case 'stripe':
      return { ...hmac, form: 'pairs', header: 'stripe-signature', signed: partsOf('{timestamp}.{body}') };
    case 'slack':
      return {
        ...hmac,
        form: 'field',
        header: 'x-slack-signature',
        timestamp: 'x-slack-request-timestamp',
        prefix: 'v0=',
        signed: partsOf('v0:{timestamp}:{body}'),
      };
    default: {
      const { header = '', timestamp, id, prefix = '', algorithm = 'sha256', encoding = 'hex' } = config;
      return {
        form: 'field',
        header: header.toLowerCase(),
        ...(timestamp === undefined ? {} : { timestamp: timestamp.toLowerCase() }),
        ...(id === undefined ? {} : { id: id.toLowerCase() }),
        prefix,
        algorithm,
        encoding,
        signed: partsOf(config.signed ?? '{body}'),
        secretEncoding: config.secret_encoding ?? 'text',
      };
    }
  }
}

const VARIABLE = /\{(body|timestamp|id|method|path)\}/;

/** `v0:{timestamp}` -> `v0:`, timestamp. Other braces are text. */
const partsOf = (text: string): Part[] =>
  text
    .split(VARIABLE)
    .map((part, index) => (index % 2 === 0 ? part : { var: part as Exclude<Part, string>['var'] }))
    .filter((part) => part !== '');

/** The text behind the id. Undefined if there is none: then an id has any characters. */
function endOfId(parts: readonly Part[]): string | undefined {
  const at = parts.findIndex((part) => typeof part !== 'string' && part.var === 'id');
  const next = at < 0 ? undefined : parts[at + 1];
  return typeof next === 'string' ? next : undefined;
}

const uses = (parts: readonly Part[], name: string): boolean =>
  parts.some((part) => typeof part !== 'string' && part.var === name);

function lintKeys({ format, secrets = [], public_keys = [] }: WebhookConfig, report: Report): void {
  const error = (at: PolicyProblem['at'], message: string, help: string): void =>
    report({ code: 'webhook/keys', severity: 'error', at, message, help });
  if (public_keys.length > 0 && format !== 'standard')
    error(['public_keys'], `Signatures of the format \`${format}\` have no public keys.`, 'Set `secrets`.');
  else if (secrets.length + public_keys.length === 0)
    error(
      [],
      'This policy has no secret, so it could check no signature.',
      'Set `secrets = ["${env:WEBHOOK_SECRET}"]` to what the sender shows in its settings.',
    );
  for (const [key, list] of [
    ['secrets', secrets],
    ['public_keys', public_keys],
  ] as const)
    if (list.length > MAX_SECRETS)
      error([key], `A policy has at most ${MAX_SECRETS} \`${key}\`.`, 'Remove those that are not used any more.');
}

function lintScheme(config: WebhookConfig, report: Report): void {
  const error = (at: PolicyProblem['at'], message: string, help: string): void =>
    report({ code: 'webhook/scheme', severity: 'error', at, message, help });
  const { format, header, signed, timestamp } = config;
  if (format !== 'hmac') {
    for (const key of OWN_KEYS)
      if (config[key] !== undefined)
        error([key], `\`${key}\` has no effect with the format \`${format}\`.`, 'Remove it, or set `format = "hmac"`.');
    return;
  }
  if (header === undefined)
    error(['format'], 'The header field with the signature is not set.', 'Set `header = "x-signature"`.');
  const parts = partsOf(signed ?? '{body}');
  const at = signed === undefined ? [] : ['signed'];
  if (!uses(parts, 'body'))
    error(at, 'The body is not signed, so anyone could replace it.', 'Add `{body}` to `signed`.');
  for (const name of ['timestamp', 'id'] as const) {
    const set = config[name] !== undefined;
    if (uses(parts, name) && !set)
      error(at, `\`{${name}}\` is signed, but its header field is not set.`, `Set \`${name} = "x-${name}"\`.`);
  }
  if (timestamp !== undefined && !uses(parts, 'timestamp'))
    error(
      ['timestamp'],
      'The time is not signed, so anyone could send an old request with a new time.',
      'Add `{timestamp}` to `signed` as the sender does, or remove `timestamp`.',
    );
}

function lintRemember({ format, remember, timestamp, tolerance }: WebhookConfig, report: Report): void {
  if (remember === undefined) return;
  const timed = (format !== 'github' && format !== 'hmac') || timestamp !== undefined;
  if (remember >= (timed ? 2 * tolerance : 1)) return;
  report({
    code: 'webhook/remember',
    severity: 'warning',
    at: ['remember'],
    message: timed
      ? 'A signature is accepted for longer than it is remembered: a copied request can be sent again.'
      : 'A copied request can be sent again.',
    help: 'Remove `remember`: its default is safe.',
  });
}
