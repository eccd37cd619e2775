/** Keys of a config that describe the protected API, RFC 9728. For compile parts. */
import { isPlainHttp, s } from '../compile-kit.js';
import type { PolicyPath } from '../contract.js';
import { type ResourceSettings, resourcePath } from './protected-resource.js';

/** An https URL; http only on this machine. */
function urlProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return 'Expected an https URL.';
  if (url.username !== '' || url.password !== '') return 'The URL must not contain credentials.';
  if (url.search !== '' || url.hash !== '') return 'The URL must not have a query or a fragment.';
  return isPlainHttp(text) ? 'Expected an https URL; http is accepted only for this machine.' : undefined;
}

const httpsUrl = () => s.string({ nonEmpty: true }).check('schema/format', urlProblem);

export const resourceFields = {
  resource: httpsUrl()
    .describe(
      'URL of the API that the tokens are for. gw then serves a document about it (RFC 9728), and challenges name that.',
      'https://api.example.com',
    )
    .optional(),
  resource_document: s
    .boolean()
    .describe('Serve that document. `false`: another policy with the same `resource` does, and challenges name it.')
    .default(true),
  authorization_servers: s
    .array(httpsUrl(), { min: 1 })
    .describe('URLs of the issuers, for that document. Default: those in `issuer`.', ['https://id.example.com'])
    .optional(),
  scopes: s
    .array(s.string({ pattern: /^[\x21\x23-\x5b\x5d-\x7e]+$/, expected: 'a scope' }), { min: 1 })
    .describe('Scopes that the API knows, for that document.', ['orders:read'])
    .optional(),
};

export interface ResourceConfig {
  readonly resource?: string | undefined;
  readonly resource_document?: boolean | undefined;
  readonly authorization_servers?: readonly string[] | undefined;
  readonly scopes?: readonly string[] | undefined;
}

/** For `paths` of a declaration: where the document is, if the policy serves one. */
export const resourcePaths = ({ resource, resource_document: serves }: ResourceConfig): readonly PolicyPath[] =>
  resource === undefined || !serves
    ? []
    : [{ name: 'resource', match: `GET ${resourcePath(resource)}`, at: ['resource'] }];

/** `issuers`: the names of issuers, of which those that are URLs count. */
export function resourceOf(
  { resource, authorization_servers, scopes = [] }: ResourceConfig,
  issuers: readonly string[],
  places: TokenPlace,
  dpop?: ResourceOf | undefined,
): ResourceSettings | undefined {
  if (resource === undefined) return undefined;
  return {
    resource,
    servers: authorization_servers ?? issuers.filter((name) => urlProblem(name) === undefined),
    scopes,
    methods: methodsOf(places),
    ...(dpop === undefined ? {} : { dpop: { algorithms: dpop.algorithms, required: dpop.mode === 'required' } }),
  };
}

/** The methods of RFC 6750 section 2: other fields and parameters are none of them. */
function methodsOf({ header, scheme, query }: TokenPlace): string[] {
  const inHeader = header === 'authorization' && scheme?.toLowerCase() === 'bearer';
  return [...(inHeader ? ['header'] : []), ...(query === 'access_token' ? ['query'] : [])];
}

/** Where a policy looks for tokens. The field is in lower case. */
interface TokenPlace {
  readonly header?: string;
  readonly scheme?: string;
  readonly query?: string;
}

interface ResourceOf {
  readonly algorithms: readonly string[];
  readonly mode: 'required' | 'optional';
}
