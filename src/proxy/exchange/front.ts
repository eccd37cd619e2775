/** What a listener without TLS answers before any route: the proofs of ACME, and redirects to https. */
import type { Reply } from '../../policies/contract.js';
import { BytesReply, fieldSafe, HeaderMap } from '../../policies/run-kit.js';
import { refuse } from './chain/refuse.js';
import type { GwExchange } from './exchange.js';
import type { ListenerFront } from './peer.js';

const CHALLENGE = '/.well-known/acme-challenge/';
const HTTPS_PORT = 443;

/** Undefined: the request goes to a route. */
export function answerInFront(exchange: GwExchange, { redirect, tokens }: ListenerFront): Reply | undefined {
  const { path, method } = exchange;
  if (tokens.size > 0 && path.startsWith(CHALLENGE) && (method === 'GET' || method === 'HEAD')) {
    const answer = tokens.get(path.slice(CHALLENGE.length));
    if (answer !== undefined) return challengeReply(exchange, answer);
  }
  return redirect === undefined ? undefined : toHttps(exchange, redirect);
}

function challengeReply(exchange: GwExchange, answer: string): Reply {
  exchange.decisions?.push({ step: 'ACME', use: 'acme', outcome: 'answer', why: 'the proof of a challenge' });
  return new BytesReply(200, {
    headers: new HeaderMap([
      ['content-type', 'application/octet-stream'],
      ['cache-control', 'no-store'],
    ]),
    body: Buffer.from(answer),
  });
}

function toHttps(exchange: GwExchange, port: number): Reply {
  const { host, path, query, scheme } = exchange;
  // A trusted proxy received it by https: the client would come back for ever.
  if (scheme === 'https')
    return refuse(exchange, 'request/misdirected', 'the request came by https to a listener that redirects to it');
  if (host === '') return refuse(exchange, 'request/host', 'a redirect to https needs a host');
  const target = path === '*' ? '/' : path;
  const authority = port === HTTPS_PORT ? host : `${host}:${port}`;
  const location = fieldSafe(`https://${authority}${target}${query === '' ? '' : `?${query}`}`);
  exchange.decisions?.push({
    step: 'redirect',
    use: 'redirect',
    outcome: 'answer',
    why: 'the listener redirects to https',
  });
  return new BytesReply(308, { headers: new HeaderMap([['location', location]]) });
}
