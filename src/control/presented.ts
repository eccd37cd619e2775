/** Who makes a request that is explained: a consumer that is assumed, or a credential at the place where the route reads it. */
import type { PolicyEntry, Program, RouteEntry } from '../bundle/types.js';
import type { CredentialPlace } from '../policies/contract.js';
import { declarationOf } from '../policies/registry.js';
import type { OfflineRequest } from '../proxy/offline.js';

/** At most one of them. */
export interface Caller {
  /** Name of a consumer: every authenticating policy identifies the caller as this one. */
  readonly as?: string;
  /** An API key. */
  readonly key?: string;
  /** A token. */
  readonly token?: string;
}

/** The caller cannot make this request: the message says why. */
export class CallerError extends Error {}

/** Throws CallerError for a consumer that the program does not have. */
export function assumedConsumer({ consumers }: Program, { as }: Caller): string | undefined {
  if (as === undefined || consumers.some(({ name }) => name === as)) return as;
  const names = consumers.slice(0, 12).map(({ name }) => name);
  const list = names.length === 0 ? 'none' : `${names.join(', ')}${consumers.length > names.length ? ', ...' : ''}`;
  throw new CallerError(`There is no consumer \`${as}\`. Consumers: ${list}.`);
}

/** The request with the credential where a policy of the route reads it. Throws CallerError if none does. */
export function withCredential(
  request: OfflineRequest,
  { key, token }: Caller,
  program: Program,
  route: RouteEntry,
): OfflineRequest {
  const credential = key ?? token;
  if (credential === undefined) return request;
  const kind = key === undefined ? 'token' : 'key';
  const place = placesOf(program, route).find((one) => one.kind === kind);
  if (place === undefined) {
    const what = kind === 'key' ? 'an API key' : 'a token';
    throw new CallerError(`No policy of the route \`${route.name}\` takes ${what}.`);
  }
  return presentedAt(request, place, credential);
}

/** Where the policies of a route read credentials, in the order of its chain. */
function placesOf({ policies }: Program, { policies: chain }: RouteEntry): CredentialPlace[] {
  const own = ({ use, config }: PolicyEntry): CredentialPlace[] => {
    const place = declarationOf(use)?.traits?.(config).credential;
    return place === undefined ? [] : [place];
  };
  return chain.flatMap((at) => {
    const policy = policies[at];
    if (policy === undefined) return [];
    return [...own(policy), ...(policy.members ?? []).flatMap((member) => own(policies[member]!))];
  });
}

function presentedAt(request: OfflineRequest, place: CredentialPlace, credential: string): OfflineRequest {
  const { header, scheme, cookie, query } = place;
  const { headers = {}, url } = request;
  const fields = Symbol.iterator in headers ? [...headers] : Object.entries(headers);
  if (header !== undefined)
    return {
      ...request,
      headers: [...fields, [header, scheme === undefined ? credential : `${scheme} ${credential}`]],
    };
  if (cookie !== undefined) return { ...request, headers: [...fields, ['cookie', `${cookie}=${credential}`]] };
  const [path = '', fragment] = url.split('#', 2);
  const pair = `${encodeURIComponent(query ?? '')}=${encodeURIComponent(credential)}`;
  const whole = `${path}${path.includes('?') ? '&' : '?'}${pair}`;
  return { ...request, url: fragment === undefined ? whole : `${whole}#${fragment}` };
}
