/** A site behind gw with a login, and its issuer. */
import type { GatewayOptions } from '../../src/control/gateway.js';
import { OidcIssuer } from '../support/oidc-issuer.js';
import { freePort } from '../support/ports.js';
import { closeAll, type Running, SpecFile, serveHttp, startGateway } from './control-kit.js';

const issuers: { close(): Promise<void> }[] = [];

export const SECRET = 'a session secret of more than 32 bytes';
export const env = (issuer: OidcIssuer): Record<string, string> => ({
  SESSION_SECRET: SECRET,
  OLD_SECRET: 'another session secret of more than 32 bytes',
  CLIENT_SECRET: issuer.client.secret,
});

export async function stopSite(): Promise<void> {
  await closeAll();
  await Promise.all(issuers.splice(0).map((one) => one.close().catch(() => {})));
}

export async function startIssuer(): Promise<OidcIssuer> {
  const issuer = await OidcIssuer.start();
  issuers.push(issuer);
  return issuer;
}

/** A target that shows the request which it got. */
export async function startTarget(): Promise<string> {
  const { url } = await serveHttp((request, response) => {
    request.resume();
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ url: request.url, headers: request.headers }));
  });
  return url;
}

export interface SpecParts {
  readonly port: number;
  readonly target: string;
  readonly issuer: string;
  /** Keys of the policy. */
  readonly more?: string;
  readonly top?: string;
  readonly rest?: string;
  /** The policies of the route. */
  readonly routePolicies?: string;
}

export const specOf = ({
  port,
  target,
  issuer,
  more = '',
  top = '',
  rest = '',
  routePolicies = '"login"',
}: SpecParts): string => `spec = 1
${top}
[listener.main]
address = "127.0.0.1:${port}"
[service.shop]
targets = ["${target}"]
[policy.login]
use = "oidc"
issuer = "${issuer}"
client_id = "shop"
client_secret = "\${env:CLIENT_SECRET}"
base_url = "http://127.0.0.1:${port}"
login = "/oauth2/login"
logout = "/oauth2/logout"
session_secrets = ["\${env:SESSION_SECRET}"]
insecure_cookies = true
cooldown = "1s"
${more}
[[route]]
name = "shop"
match = "/{rest...}"
to = "shop"
policies = [${routePolicies}]
${rest}
`;

export interface Site extends Running {
  readonly issuer: OidcIssuer;
  readonly file: SpecFile;
  readonly parts: SpecParts;
}

export interface SiteOptions extends Partial<Pick<SpecParts, 'more' | 'top' | 'rest' | 'routePolicies'>> {
  readonly issuer?: OidcIssuer;
  readonly gateway?: Partial<GatewayOptions>;
}

export async function startSite(options: SiteOptions = {}): Promise<Site> {
  const { gateway = {}, issuer = await startIssuer(), ...more } = options;
  const [port, target] = [await freePort(), await startTarget()];
  const parts = { port, target, issuer: issuer.url, ...more };
  const file = new SpecFile(specOf(parts));
  const running = await startGateway({ spec: file.path, env: env(issuer), ...gateway } as GatewayOptions);
  return { ...running, issuer, file, parts };
}
