/**
 * A target in a process of its own, with a port for HTTP/1.1 and one for HTTP/2. Arguments: its name, its address, the two ports (0: any) and the
 * milliseconds that a reply takes. It tells its parent the ports, and takes from it how to behave.
 */
import { createServer, type Server } from 'node:http';
import { createServer as createHttp2Server, type Http2Server } from 'node:http2';
import type { AddressInfo, Server as NetServer } from 'node:net';

export type Behavior = 'well' | 'errors' | 'resets';

/** Bytes of a reply; one that resets its connection sends half of them. */
const BODY = Buffer.alloc(4096, 'x');

const [name = '', host = '127.0.0.1', port1 = '0', port2 = '0', delayMs = '10'] = process.argv.slice(2);
let behavior: Behavior = 'well';

const http1: Server = createServer((request, reply) => {
  request.resume();
  const how = behavior;
  setTimeout(() => {
    const fields = { 'x-origin': name, 'content-length': how === 'errors' ? 0 : BODY.length };
    reply.writeHead(how === 'errors' ? 500 : 200, fields);
    if (how === 'errors') reply.end();
    else if (how === 'well') reply.end(BODY);
    else reply.write(BODY.subarray(0, BODY.length / 2), () => setTimeout(() => request.socket.resetAndDestroy(), 2));
  }, Number(delayMs));
});

const http2: Http2Server = createHttp2Server();
http2.on('session', (session) => session.on('error', () => undefined));
http2.on('stream', (stream) => {
  stream.on('error', () => undefined);
  stream.resume();
  const how = behavior;
  setTimeout(() => {
    if (stream.destroyed) return;
    stream.respond({ ':status': how === 'errors' ? 500 : 200, 'x-origin': name });
    if (how === 'errors') stream.end();
    else if (how === 'well') stream.end(BODY);
    else stream.write(BODY.subarray(0, BODY.length / 2), () => setTimeout(() => stream.destroy(new Error('reset')), 2));
  }, Number(delayMs));
});

const listen = (server: NetServer, port: string): Promise<number> =>
  new Promise((resolve) => {
    server.listen(Number(port), host, () => resolve((server.address() as AddressInfo).port));
  });

// Node's server closes connections that are idle for 5 s.
http1.keepAliveTimeout = 60_000;
process.on('message', (message) => {
  behavior = message as Behavior;
  process.send?.('heard');
});
process.on('disconnect', () => process.exit());
const ports = [await listen(http1, port1), await listen(http2, port2)];
process.send?.(ports);
