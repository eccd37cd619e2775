/** One active check of a target: a request, a connection, or a call of grpc.health.v1. */
import { request as requestHttp } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { HealthEntry, ServiceEntry } from '../../bundle/types.js';
import { connectionCause, timeSpan } from '../../proxy/errors/cause.js';
import { proxyHeader } from '../../proxy/proxy-protocol/write.js';
import { targetTls } from '../../proxy/upstream/tls.js';
import { gwVersion } from '../../version.js';
import { CHECK_PATH, checkRequest, servingStatus } from './grpc-health.js';

/** Bytes of a reply that are read. */
const MOST_BODY = 64 * 1024;
const EMPTY = Buffer.alloc(0);
const LOCAL = { source: '', sourcePort: 0, destination: '', destinationPort: 0 };
const AGENT = `gw/${gwVersion()} (health check)`;

export interface ProbedEndpoint {
  readonly url: string;
  readonly address?: string | undefined;
}

/** What a check needs of its service. */
export type ProbedService = Pick<ServiceEntry, 'tls' | 'http2' | 'proxyProtocol'> & { readonly health: HealthEntry };

/** Where a check connects to. */
interface Place {
  readonly secure: boolean;
  readonly host: string;
  /** Of the PROXY protocol. */
  readonly header: Buffer | undefined;
  readonly address: string;
  /** Of a unix socket. */
  readonly path: string | undefined;
  readonly port: number;
  /** For a Host field. */
  readonly authority: string;
  readonly tls: ConnectionOptions;
}

/** Checks an endpoint. Resolves with undefined if it is healthy, else with the cause. `signal` ends the check. Never rejects. */
export async function probe(
  service: ProbedService,
  endpoint: ProbedEndpoint,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { health } = service;
  const timeout = AbortSignal.timeout(health.timeout);
  const ends = AbortSignal.any([signal, timeout]);
  try {
    const place = placeOf(service, endpoint);
    switch (health.kind) {
      case 'tcp':
        return await checkTcp(place, ends);
      case 'grpc':
        return await checkGrpc(place, health, ends);
      default:
        return await checkHttp(place, service, ends);
    }
  } catch (error) {
    return timeout.aborted ? `no answer within ${timeSpan(health.timeout)}` : connectionCause(error);
  }
}

function placeOf({ health, proxyProtocol, tls }: ProbedService, { url, address }: ProbedEndpoint): Place {
  const parsed = new URL(url.startsWith('unix:') ? 'http://localhost' : url);
  const secure = parsed.protocol === 'https:';
  const host = parsed.hostname.startsWith('[') ? parsed.hostname.slice(1, -1) : parsed.hostname;
  return {
    secure,
    host,
    header: proxyProtocol && proxyHeader(proxyProtocol, LOCAL),
    address: address ?? host,
    path: url.startsWith('unix:') ? url.slice(5) : undefined,
    port: health.port ?? (parsed.port === '' ? (secure ? 443 : 80) : Number(parsed.port)),
    authority: parsed.host,
    tls: secure ? targetTls(host, tls) : {},
  };
}

/** A connection of every kind of check: to the address or the unix socket, with the header, then TLS. `signal` destroys it. */
function open(
  { address, header, path, port, secure, tls }: Place,
  protocols: readonly string[],
  signal: AbortSignal,
): Socket {
  const below = (): Socket => connect(path === undefined ? { host: address, port } : { path });
  const plain = secure && header === undefined ? undefined : below();
  if (header !== undefined) plain?.write(header);
  // Also with a socket, a certificate of an address is compared with `host`.
  const place = plain === undefined ? { host: address, port } : { host: address, socket: plain };
  const socket = secure ? connectTls({ ...place, ...tls, ALPNProtocols: [...protocols] }) : plain!;
  signal.addEventListener('abort', () => socket.destroy(new Error('aborted')), { once: true });
  return socket;
}

function checkTcp(place: Place, signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve, reject) => {
    const socket = open(place, ['http/1.1'], signal);
    socket.on('error', reject);
    socket.on(place.secure ? 'secureConnect' : 'connect', () => {
      socket.destroy();
      resolve(undefined);
    });
  });
}

/** What a check reads of a reply. */
interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly grpcStatus?: string | undefined;
}

async function checkHttp(
  place: Place,
  { health, http2 }: ProbedService,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { method = 'GET', path = '/', host = place.authority } = health;
  const question = { method, path, host };
  const wanted = http2 === undefined ? askHttp1(place, question, signal) : askHttp2(place, question, EMPTY, signal);
  const { body, status } = await wanted;
  if (!(health.statuses ?? []).some(([from, to]) => status >= from && status <= to)) return `status ${status}`;
  if (health.body === undefined || body.includes(health.body)) return undefined;
  return 'the expected text is not in the body';
}

async function checkGrpc(place: Place, health: HealthEntry, signal: AbortSignal): Promise<string | undefined> {
  const question = { method: 'POST', path: CHECK_PATH, host: health.host ?? place.authority };
  const { body, grpcStatus, status } = await askHttp2(place, question, checkRequest(health.service ?? ''), signal);
  if (status !== 200) return status === 0 ? 'connection closed by the target before its reply' : `status ${status}`;
  return grpcStatus === '0' ? servingStatus(body) : `grpc-status ${grpcStatus ?? 'missing'}`;
}

interface Question {
  readonly method: string;
  readonly path: string;
  readonly host: string;
}

function askHttp1(place: Place, { host, method, path }: Question, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = requestHttp({
      method,
      path,
      headers: { host, 'user-agent': AGENT, connection: 'close' },
      createConnection: () => open(place, ['http/1.1'], signal),
      signal,
    });
    request.on('error', reject);
    request.on('response', (response) => {
      let body = EMPTY;
      const done = (): void => {
        request.destroy();
        resolve({ status: response.statusCode ?? 0, body });
      };
      response.on('data', (part: Buffer) => {
        body = Buffer.concat([body, part]);
        if (body.length >= MOST_BODY) done();
      });
      response.on('end', done);
      response.on('error', reject);
    });
    request.end();
  });
}

/** With a body if there is one, which is then a message of gRPC. */
function askHttp2(place: Place, { host, method, path }: Question, sent: Buffer, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = open(place, ['h2'], signal);
    const session = connectHttp2(`${place.secure ? 'https' : 'http'}://${place.authority}`, {
      createConnection: () => socket,
    });
    const end = (): void => {
      session.destroy();
      socket.destroy();
    };
    const fail = (error: Error): void => {
      end();
      reject(error);
    };
    socket.on('error', fail);
    session.on('error', fail);
    const grpc = sent.length === 0 ? {} : { 'content-type': 'application/grpc', te: 'trailers' };
    const pseudo = { ':method': method, ':path': path, ':authority': host };
    const stream = session.request({ ...pseudo, ...grpc, 'user-agent': AGENT }, { endStream: sent.length === 0 });
    let status = 0;
    let grpcStatus: string | undefined;
    let body = EMPTY;
    stream.on('error', fail);
    stream.on('response', (headers) => {
      status = Number(headers[':status']);
      grpcStatus = textOf(headers['grpc-status']);
    });
    stream.on('trailers', (headers) => {
      grpcStatus = textOf(headers['grpc-status']);
    });
    stream.on('data', (part: Buffer) => {
      if (body.length < MOST_BODY) body = Buffer.concat([body, part]);
      else stream.close();
    });
    stream.on('close', () => {
      end();
      resolve({ status, body, grpcStatus });
    });
    if (sent.length > 0) stream.end(sent);
  });
}

const textOf = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.[0];
