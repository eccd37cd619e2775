/** Whose certificates are accepted behind a PROXY header. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HealthEntry } from '../../../src/bundle/types.js';
import { probe } from '../../../src/control/health/probe.js';
import { openTls } from '../../../src/proxy/upstream/tls.js';
import { Authorities } from '../../support/authority.js';

const test = suite('TLS behind a PROXY header');
const HEADER = Buffer.from('PROXY UNKNOWN\r\n');
const HEALTH: HealthEntry = {
  kind: 'tcp',
  interval: 1000,
  timeout: 5000,
  jitter: 0,
  healthyAfter: 1,
  unhealthyAfter: 1,
};

test('a target by its address was accepted with a certificate of localhost, and refused with its own', async () => {
  const authorities = new Authorities();
  const root = authorities.create('root');
  const accepted = async (name: string): Promise<[traffic: boolean, check: boolean]> => {
    const { cert, key } = root.issue('target', { extensions: [`subjectAltName=${name}`] });
    const secure = createTls({ cert, key }).on('tlsClientError', () => {});
    secure.on('secureConnection', (socket) => socket.on('error', () => {}).resume());
    const server = createServer((socket: Socket) => {
      socket.on('error', () => {});
      const read = (): void => {
        if (socket.read(HEADER.length) === null) return;
        socket.off('readable', read);
        secure.emit('connection', socket);
      };
      socket.on('readable', read);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const target = { tls: { ca: root.cert }, host: '127.0.0.1', address: undefined, port, session: undefined };
    const socket = openTls(target, () => {}, ['http/1.1'], HEADER);
    const traffic = await once(socket, 'secureConnect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    const service = { health: HEALTH, proxyProtocol: 'v1', tls: { ca: [root.cert] } } as const;
    const cause = await probe(service, { url: `https://127.0.0.1:${port}` }, new AbortController().signal);
    server.close();
    return [traffic, cause === undefined];
  };
  assert.equal(await accepted('IP:127.0.0.1'), [true, true]);
  assert.equal(await accepted('DNS:localhost'), [false, false]);
  authorities.remove();
});

test.run();
