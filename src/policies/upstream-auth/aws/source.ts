/**
 * Where AWS credentials come from: the environment of the gateway, a container (ECS, EKS), a web identity (STS), or the metadata of
 * the instance (IMDSv2). The names of variables are those of the AWS SDKs.
 */
import { readFileSync } from 'node:fs';
import type { DutyHost, Json } from '../../contract.js';
import { readJson } from '../../kits/json.js';

export const AWS_SOURCES = ['auto', 'environment', 'container', 'web-identity', 'instance'] as const;
export type AwsSource = (typeof AWS_SOURCES)[number];

/** Credentials with their end in milliseconds since 1970; undefined: they have none. */
export type SourcedCredentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expires?: number;
};

export type Environment = { readonly [name: string]: string | undefined };
type Fetch = DutyHost['fetch'];

interface Asked {
  readonly fetch: Fetch;
  readonly environment: Environment;
  readonly region: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

const TIMEOUT = 3000;
const MAX_REPLY = 64 * 1024;

/** Rejects with a phrase, without secrets. */
export async function findCredentials(source: AwsSource, asked: Asked): Promise<SourcedCredentials> {
  const { environment } = asked;
  const chosen = source === 'auto' ? sourceOf(environment) : source;
  if (chosen === 'environment') return ofEnvironment(environment);
  if (chosen === 'web-identity') return ofWebIdentity(asked);
  return chosen === 'container' ? ofContainer(asked) : ofInstance(asked);
}

/** The order of the AWS SDKs. */
function sourceOf(environment: Environment): AwsSource {
  // An empty variable is one that is not set, as in the SDKs.
  if (environment['AWS_ACCESS_KEY_ID']) return 'environment';
  if (environment['AWS_WEB_IDENTITY_TOKEN_FILE']) return 'web-identity';
  const container =
    environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'] || environment['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
  return container ? 'container' : 'instance';
}

const needed = (environment: Environment, name: string): string => {
  const value = environment[name];
  if (value === undefined || value === '') throw new Error(`the environment variable ${name} is not set`);
  return value;
};

function ofEnvironment(environment: Environment): SourcedCredentials {
  const sessionToken = environment['AWS_SESSION_TOKEN'] || undefined;
  return {
    accessKeyId: needed(environment, 'AWS_ACCESS_KEY_ID'),
    secretAccessKey: needed(environment, 'AWS_SECRET_ACCESS_KEY'),
    ...(sessionToken === undefined ? {} : { sessionToken }),
  };
}

function fileText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    throw new Error(`the file with the ${what} cannot be read`);
  }
}

// ---------------------------------------------------------------- container

const ECS = 'http://169.254.170.2';
/** Hosts that may get the token over plain http: the machine itself, ECS and EKS. */
const PLAIN_HOSTS = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|169\.254\.170\.2|169\.254\.170\.23|\[fd00:ec2::23\])$/;

async function ofContainer({ fetch, environment }: Asked): Promise<SourcedCredentials> {
  const relative = environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'] || undefined;
  const text = relative === undefined ? needed(environment, 'AWS_CONTAINER_CREDENTIALS_FULL_URI') : `${ECS}${relative}`;
  if (!URL.canParse(text)) throw new Error('the URL of the container credentials is not valid');
  const url = new URL(text);
  if (url.protocol !== 'https:' && !PLAIN_HOSTS.test(url.hostname))
    throw new Error('the container credentials are at another machine, over plain http');
  const file = environment['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] || undefined;
  const token =
    file === undefined
      ? environment['AWS_CONTAINER_AUTHORIZATION_TOKEN'] || undefined
      : fileText(file, 'authorization token');
  const headers = token === undefined ? {} : { authorization: token };
  return readCredentials(await ask(fetch, url.href, 'container credentials', { headers }));
}

// ---------------------------------------------------------------- instance metadata, version 2

const IMDS = 'http://169.254.169.254';
const ROLES = '/latest/meta-data/iam/security-credentials/';

async function ofInstance({ fetch, environment }: Asked): Promise<SourcedCredentials> {
  if (environment['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true')
    throw new Error('AWS_EC2_METADATA_DISABLED forbids to ask the instance metadata');
  const base = (environment['AWS_EC2_METADATA_SERVICE_ENDPOINT'] || IMDS).replace(/\/$/, '');
  const session = await ask(fetch, `${base}/latest/api/token`, 'instance metadata', {
    method: 'PUT',
    headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '21600' },
  });
  const headers = { 'x-aws-ec2-metadata-token': session.trim() };
  const [role = ''] = (await ask(fetch, base + ROLES, 'instance metadata', { headers })).trim().split('\n');
  if (!/^[\w+=,.@-]{1,128}$/.test(role)) throw new Error('the instance has no role');
  return readCredentials(await ask(fetch, `${base}${ROLES}${role}`, 'instance metadata', { headers }));
}

// ---------------------------------------------------------------- web identity

async function ofWebIdentity({ fetch, environment, region, now }: Asked): Promise<SourcedCredentials> {
  const token = fileText(needed(environment, 'AWS_WEB_IDENTITY_TOKEN_FILE'), 'web identity token');
  const endpoint =
    environment['AWS_ENDPOINT_URL_STS'] ||
    `https://sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}/`;
  const form = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: needed(environment, 'AWS_ROLE_ARN'),
    RoleSessionName: environment['AWS_ROLE_SESSION_NAME'] || `gw-${now}`,
    WebIdentityToken: token,
  });
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
  const text = await ask(fetch, endpoint, 'STS', { method: 'POST', headers, body: form.toString() });
  if (text.trimStart().startsWith('<')) return ofXml(text);
  const reply = asTable(
    asTable(asTable(parse(text))['AssumeRoleWithWebIdentityResponse'])['AssumeRoleWithWebIdentityResult'],
  );
  return credentialsOf(asTable(reply['Credentials']));
}

/** STS answers in XML where it does not know the media type. */
function ofXml(text: string): SourcedCredentials {
  const element = (name: string): string => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? '';
  return credentialsOf({
    AccessKeyId: element('AccessKeyId'),
    SecretAccessKey: element('SecretAccessKey'),
    SessionToken: element('SessionToken'),
    Expiration: element('Expiration'),
  });
}

// ---------------------------------------------------------------- replies

async function ask(fetch: Fetch, url: string, what: string, options: Parameters<Fetch>[1]): Promise<string> {
  const { status, body } = await fetch(url, { timeout: TIMEOUT, maxReply: MAX_REPLY, ...options }).catch(
    (error: unknown) => {
      throw new Error(`${what}: ${error instanceof Error ? error.message : 'failed'}`);
    },
  );
  if (status !== 200) throw new Error(`${what}: status ${status}`);
  return Buffer.from(body).toString('utf8');
}

const readCredentials = (text: string): SourcedCredentials => credentialsOf(asTable(parse(text)));

function parse(text: string): Json {
  const read = readJson(Buffer.from(text), 16);
  if (read.fault !== undefined) throw new Error('the answer with the credentials is not JSON');
  return read.value;
}

const asTable = (value: Json | undefined): { readonly [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as { readonly [name: string]: Json })
    : {};

/** The members that all sources have; ECS and IMDS call the session token `Token`. */
function credentialsOf(table: { readonly [name: string]: Json }): SourcedCredentials {
  const { AccessKeyId, SecretAccessKey, SessionToken, Token, Expiration } = table;
  const sessionToken = SessionToken ?? Token;
  const isText = (value: Json | undefined): value is string =>
    typeof value === 'string' && /^[\x21-\x7e]+$/.test(value);
  if (!isText(AccessKeyId) || !isText(SecretAccessKey)) throw new Error('the answer has no credentials');
  // STS in JSON writes seconds.
  const expires = typeof Expiration === 'number' ? Expiration * 1000 : Date.parse(String(Expiration));
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    ...(isText(sessionToken) ? { sessionToken } : {}),
    ...(Number.isNaN(expires) ? {} : { expires }),
  };
}
