/** Servers that a gateway sends requests to: they note what they get. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OAuth2Server } from 'oauth2-mock-server';

const closing: (() => Promise<unknown>)[] = [];

/** After each test. */
export async function closeServers(): Promise<void> {
  for (const close of closing.splice(0)) await close();
}

export interface Got {
  readonly request: IncomingMessage;
  readonly body: string;
}

/** A server that notes what it gets. */
export async function startServer(
  answer: (got: Got, response: ServerResponse) => void,
): Promise<{ url: string; got: Got[]; server: Server }> {
  const got: Got[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (part: string) => (body += part));
    request.on('end', () => {
      const one = { request, body };
      got.push(one);
      answer(one, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, got, server };
}

/** oauth2-mock-server, with the forms of its token requests. */
export async function startIssuer(expiresIn = 3600) {
  const server = new OAuth2Server();
  await server.issuer.keys.generate('RS256');
  await server.start(0, '127.0.0.1');
  closing.push(() => server.stop());
  const forms: { readonly [name: string]: unknown }[] = [];
  const state = { expiresIn, status: 200 };
  server.service.on(
    'beforeResponse',
    (reply: { body: Record<string, unknown>; statusCode: number }, request: { body?: Record<string, unknown> }) => {
      forms.push({ ...request.body });
      reply.body['expires_in'] = state.expiresIn;
      reply.statusCode = state.status;
    },
  );
  return { url: `http://127.0.0.1:${new URL(server.issuer.url!).port}`, forms, state, server };
}

/** The credential of a request. */
export const tokenOf = ({ request }: Got): string => request.headers['authorization'] ?? '';
