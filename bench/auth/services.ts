/** The servers that gw asks about a request: nginx answers for them, and counts. */
import { type Contestant, installed } from '../proxy/contestants.js';
import { nginxCommand } from '../proxy/peers.js';
import type { Setting } from '../proxy/setting.js';

/** `locations`: of nginx, for the port of the server. */
function server(setting: Setting, name: string, locations: (port: number) => string, http = ''): Contestant {
  const counted = 'location = /calls { stub_status; } location / { return 200 "ok"; }';
  return {
    name,
    version: installed('nginx'),
    headers: {},
    command: (port) =>
      nginxCommand(
        setting,
        name.replaceAll(' ', '-'),
        port,
        setting.origins.files,
        `${locations(port)} ${counted}`,
        http,
      ),
  };
}

const json = (path: string, value: object): string =>
  `location = ${path} { default_type application/json; return 200 '${JSON.stringify(value)}'; }`;

/** Requests that a server has had so far. */
export async function callsOf(port: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/calls`)).text();
  const found = /requests\s+\d+ \d+ (\d+)/.exec(text)?.[1];
  if (found === undefined) throw new Error(`not a status of nginx:\n${text}`);
  return Number(found);
}

/** Introspection (RFC 7662): every token is valid. */
export const introspectionServer = (setting: Setting): Contestant =>
  server(setting, 'introspection server', () =>
    json('/introspect', { active: true, sub: 'bench', exp: 4_102_444_800 }),
  );

/** A decision point: for `forward-auth`, which refuses requests without a credential, and for AuthZEN, which permits all. */
export const decisionServer = (setting: Setting): Contestant =>
  server(
    setting,
    'decision server',
    () => `location = /check { if ($http_authorization = "") { return 401; } add_header x-user bench; return 200; }
      ${json('/access/v1/evaluation', { decision: true })}`,
  );

/** An OpenID Connect issuer with one key. */
export const issuer = (setting: Setting, jwk: object): Contestant =>
  server(setting, 'issuer', (port) => {
    const url = issuerUrl(port);
    const metadata = {
      issuer: url,
      authorization_endpoint: `${url}/authorize`,
      token_endpoint: `${url}/token`,
      jwks_uri: `${url}/jwks`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    };
    return json('/.well-known/openid-configuration', metadata) + json('/jwks', { keys: [jwk] });
  });

export const issuerUrl = (port: number): string => `http://127.0.0.1:${port}`;

/** The access token of `tokenServer`. */
export const ACCESS_TOKEN = 'an-access-token-of-the-benchmark';

/**
 * A token endpoint, and an origin: it answers 200 only if the credential is of the kind that the client names in
 * `x-kind`. `credentials`: patterns of nginx for `kind|Authorization|x-origin-key|Signature`.
 */
export function checkingOrigin(setting: Setting, credentials: readonly string[]): Contestant {
  const reply = { access_token: ACCESS_TOKEN, token_type: 'Bearer' };
  const exchanged = { ...reply, issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' };
  const fits = credentials.map((pattern) => `"~${pattern}" 1;`).join(' ');
  return server(
    setting,
    'checking origin',
    () => `${json('/token', { ...exchanged, expires_in: 86_400 })} ${json('/token-once', { ...exchanged, expires_in: 1 })}
      location /items/ { if ($fits = 0) { return 401; } default_type application/json; return 200 '{"id":1}'; }`,
    `map "$http_x_kind|$http_authorization|$http_x_origin_key|$http_signature" $fits { default 0; ${fits} }`,
  );
}
