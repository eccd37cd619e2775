/** Where the API is: as the spec says, or as the metadata of the policy decision point say. */
import type { PolicyHost } from '../contract.js';
import { readJson } from '../kits/json.js';
import { assertField } from '../run-kit.js';
import type { AuthzenSettings } from './schema.js';

/** Milliseconds for which metadata are used, and until they are asked for again after a failure. */
const KEEP = 3_600_000;
const RETRY = 1000;

export type Endpoint = 'evaluation' | 'evaluations';

/** Metadata that cannot be used. The message is for the log. */
export class MetadataError extends Error {
  override readonly name = 'MetadataError';
}

export class Endpoints {
  readonly #settings: AuthzenSettings;
  readonly #host: PolicyHost;
  #found: { readonly [endpoint in Endpoint]: string | undefined } | undefined;
  #until = 0;
  #fault: MetadataError | undefined;
  #pending: Promise<void> | undefined;

  constructor(settings: AuthzenSettings, host: PolicyHost) {
    this.#settings = settings;
    this.#host = host;
  }

  /** Path of an endpoint. Rejects with MetadataError, or with the failure of the call. */
  async pathOf(endpoint: Endpoint): Promise<string> {
    const { identifier } = this.#settings;
    if (identifier === undefined) return this.#settings[endpoint];
    if (this.#host.clock.monotonic() >= this.#until) {
      this.#pending ??= this.#ask(identifier).finally(() => {
        this.#pending = undefined;
      });
      await this.#pending;
    }
    if (this.#found === undefined) throw this.#fault ?? new MetadataError('no metadata');
    const path = this.#found[endpoint];
    if (path === undefined) throw new MetadataError(`the metadata name no endpoint for ${endpoint}`);
    return path;
  }

  async #ask(identifier: string): Promise<void> {
    const { metadataPath = '', service, timeout, headers } = this.#settings;
    const fields = [['accept', 'application/json'] as const, ...resolved(headers)];
    const { clock } = this.#host;
    try {
      const reply = await this.#host.call(service, { method: 'GET', path: metadataPath, headers: fields, timeout });
      if (reply.status !== 200) throw new MetadataError(`the metadata have status ${reply.status}`);
      this.#found = read(reply.body, identifier, service);
      this.#until = clock.monotonic() + KEEP;
    } catch (error) {
      // The last good ones stay.
      this.#until = clock.monotonic() + RETRY;
      if (this.#found !== undefined) return;
      if (!(error instanceof MetadataError)) {
        this.#until = 0;
        throw error;
      }
      this.#fault = error;
    }
  }
}

/** Endpoints on other hosts are not used: their pools, timeouts and certificates are not those of the service. */
function read(
  bytes: Uint8Array,
  identifier: string,
  origin: string,
): { readonly [endpoint in Endpoint]: string | undefined } {
  const found = readJson(bytes);
  if (found.fault !== undefined) throw new MetadataError('the metadata are not JSON');
  const metadata = found.value;
  if (typeof metadata !== 'object' || metadata === null) throw new MetadataError('the metadata are not an object');
  const members = metadata as { readonly [name: string]: unknown };
  if (members['policy_decision_point'] !== identifier)
    throw new MetadataError('the metadata are those of another policy decision point');
  const pathOf = (name: string): string | undefined => {
    const url = members[name];
    if (url === undefined) return undefined;
    if (typeof url !== 'string' || !URL.canParse(url)) throw new MetadataError(`${name} is not a URL`);
    const { origin: other, pathname, search } = new URL(url);
    if (other !== origin) throw new MetadataError(`${name} is on another host`);
    return pathname + search;
  };
  return { evaluation: pathOf('access_evaluation_endpoint'), evaluations: pathOf('access_evaluations_endpoint') };
}

/** Throws for an unresolved reference, and for a value that no header field can have. The message omits the value. */
export const resolved = (headers: AuthzenSettings['headers']): readonly (readonly [string, string])[] =>
  headers.map(([name, value]) => {
    if (typeof value !== 'string') throw new TypeError(`The value of ${name} is an unresolved reference.`);
    assertField(name, value);
    return [name, value] as const;
  });
