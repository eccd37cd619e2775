/** nginx and HAProxy with authentication, as their manuals show it. */
import { createHash, randomBytes } from 'node:crypto';
import { type Contestant, HAPROXY, installed, NGINX } from '../proxy/contestants.js';
import { haproxyCommand, nginxCommand, nginxProxy } from '../proxy/peers.js';
import type { Setting } from '../proxy/setting.js';
import * as credentials from './credentials.js';

type Command = Contestant['command'];

const peer = (name: string, tool: string, headers: Contestant['headers'], command: Command): Contestant[] => {
  const version = installed(tool);
  return version === undefined ? [] : [{ name, version, headers, command }];
};

/** A salted SHA-1, the cheapest hash that nginx reads: bcrypt would be computed anew for each request. */
function ssha(password: string): string {
  const salt = randomBytes(8);
  const digest = createHash('sha1').update(password).update(salt).digest();
  return `{SSHA}${Buffer.concat([digest, salt]).toString('base64')}`;
}

export function nginxBasic(setting: Setting): Contestant[] {
  const file = setting.write('nginx.htpasswd', `user-0:${ssha('bench')}\n`);
  const location = nginxProxy('/', `auth_basic "bench"; auth_basic_user_file ${file};`);
  return peer(`${NGINX} auth_basic, SSHA`, 'nginx', { authorization: credentials.basicOf('user-0') }, (port) =>
    nginxCommand(setting, 'nginx-basic', port, setting.origins.files, location),
  );
}

export const nginxPlain = (setting: Setting): Contestant[] =>
  peer(NGINX, 'nginx', {}, (port) => nginxCommand(setting, 'nginx', port, setting.origins.files, nginxProxy('/')));

export const haproxyPlain = (setting: Setting): Contestant[] =>
  peer(HAPROXY, 'haproxy', {}, (port) => haproxyCommand(setting, 'haproxy', port, setting.origins.files));

/** HAProxy verifies every token; it keeps no results. `script`: another token in each request. */
export function haproxyJwt(
  setting: Setting,
  signer: credentials.Signer | credentials.Pair,
  headers = {},
): Contestant[] {
  const { alg } = signer;
  const key = 'publicKey' in signer ? setting.write(`haproxy-${alg}.pem`, signer.publicKey) : credentials.secret;
  const rules = `  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
  http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
  http-request deny deny_status 401 unless { var(txn.alg) -m str ${alg} }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_payload_query('$.iss') -m str bench }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_payload_query('$.aud') -m str bench }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"${key}") 1 }
`;
  return peer(`${HAPROXY} jwt_verify, ${alg}`, 'haproxy', headers, (port) =>
    haproxyCommand(setting, `haproxy-${alg}`, port, setting.origins.files, 1, rules),
  );
}

/** nginx with a subrequest to the decision server for each request. */
export function nginxAuthRequest(setting: Setting, port: number): Contestant[] {
  const keepAlive = 'proxy_http_version 1.1; proxy_set_header Connection "";';
  const check = `location = /decide { internal; proxy_pass http://decider/check; ${keepAlive}
    proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_set_header X-Original-URI $request_uri; }`;
  const location = nginxProxy(
    '/',
    'auth_request /decide; auth_request_set $user $upstream_http_x_user; proxy_set_header X-User $user;',
  );
  const http = `upstream decider { server 127.0.0.1:${port}; keepalive 256; keepalive_requests 1000000000; }`;
  return peer(`${NGINX} auth_request`, 'nginx', credentials.bearer('opaque-token'), (own) =>
    nginxCommand(setting, 'nginx-auth-request', own, setting.origins.files, `${location} ${check}`, http),
  );
}
