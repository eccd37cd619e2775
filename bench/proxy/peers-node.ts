/** The Node proxies from bench/node_modules, each configured as its documentation recommends for keep-alive. */
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type { Setting } from './setting.js';

const require = createRequire(resolve('bench/package.json'));

/** Version of a package; undefined if it is not installed. */
export function versionOf(name: string): string | undefined {
  try {
    const { version }: { readonly version: string } = require(`${name}/package.json`);
    return version;
  } catch {
    return undefined;
  }
}

/** Milliseconds that an idle client connection is kept, as with the other contestants. */
const KEEP_ALIVE = 300_000;

export function httpProxyCommand(setting: Setting, port: number, origin: number): readonly string[] {
  const script = setting.write(
    'http-proxy.cjs',
    `const http = require('node:http');
const agent = new http.Agent({ keepAlive: true, maxSockets: 256, maxFreeSockets: 256 });
const { createProxyServer } = require(${JSON.stringify(require.resolve('http-proxy'))});
const proxy = createProxyServer({ target: 'http://127.0.0.1:${origin}', agent, xfwd: true });
proxy.on('error', (error, request, response) => response.writeHead(502).end(error.message));
const server = http.createServer((request, response) => proxy.web(request, response));
server.keepAliveTimeout = ${KEEP_ALIVE};
server.requestTimeout = 0;
server.listen({ port: ${port}, host: '127.0.0.1', backlog: 4096 });
`,
  );
  return [process.execPath, '--no-deprecation', script];
}

export function fastifyCommand(setting: Setting, port: number, origin: number): readonly string[] {
  const script = setting.write(
    'fastify.cjs',
    `const fastify = require(${JSON.stringify(require.resolve('fastify'))});
const proxy = require(${JSON.stringify(require.resolve('@fastify/http-proxy'))});
const server = fastify({ logger: false, keepAliveTimeout: ${KEEP_ALIVE}, bodyLimit: 2 ** 40 });
server.register(proxy, {
  upstream: 'http://127.0.0.1:${origin}',
  undici: { connections: 256, pipelining: 1, keepAliveTimeout: 60_000 },
});
server.listen({ port: ${port}, host: '127.0.0.1', backlog: 4096 });
`,
  );
  return [process.execPath, script];
}
