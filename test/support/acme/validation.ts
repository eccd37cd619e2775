/** How an authority validates challenges: over real sockets, to ports that the test chooses. */
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:tls';
import { contextTag, DerReader, readOid, readSingle, Tag } from '../../../src/x509/der.js';

export interface ChallengePorts {
  /** In place of port 80. */
  http: number;
  /** In place of port 443. */
  tls: number;
}

const LIMIT_MS = 10_000;

/** RFC 8555 section 8.3, without redirects. Rejects with the reason. */
export function validateHttp(host: string, token: string, authorization: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const path = `/.well-known/acme-challenge/${token}`;
    const sent = request({ host: '127.0.0.1', port, path, headers: { host }, agent: false, timeout: LIMIT_MS });
    sent.on('error', reject);
    sent.on('timeout', () => sent.destroy(new Error('no reply')));
    sent.on('response', (reply) => {
      let text = '';
      reply.setEncoding('utf8');
      reply.on('data', (part: string) => {
        text += part;
      });
      reply.on('end', () => {
        if (reply.statusCode === 200 && text.trimEnd() === authorization) resolve();
        else reject(new Error(`status ${reply.statusCode} with ${JSON.stringify(text.slice(0, 100))}`));
      });
    });
    sent.end();
  });
}

/** RFC 8737 section 3. Rejects with the reason. */
export function validateTls(host: string, authorization: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, servername: host, ALPNProtocols: ['acme-tls/1'] };
    const socket = connect({ ...options, rejectUnauthorized: false, timeout: LIMIT_MS });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed before the handshake was complete')));
    socket.on('timeout', () => socket.destroy(new Error('no handshake')));
    socket.on('secureConnect', () => {
      try {
        if (socket.alpnProtocol !== 'acme-tls/1') throw new Error(`the protocol is ${String(socket.alpnProtocol)}`);
        checkCertificate(socket.getPeerCertificate().raw, host, authorization);
        resolve();
      } catch (error) {
        reject(error);
      } finally {
        socket.destroy();
      }
    });
  });
}

function checkCertificate(raw: Buffer, host: string, authorization: string): void {
  const body = new DerReader(readSingle(raw).content).enter();
  body.optional(contextTag(0, true));
  body.next(Tag.Integer);
  // Algorithm, issuer, validity, subject, key.
  for (let i = 0; i < 5; i++) body.next(Tag.Sequence);
  const found = new Map<string, { readonly critical: boolean; readonly value: Buffer }>();
  for (const list = body.enter(contextTag(3, true)).enter(); !list.done; ) {
    const one = list.enter();
    const id = readOid(one.next(Tag.Oid).content);
    const critical = one.optional(Tag.Boolean) !== undefined;
    found.set(id, { critical, value: one.next(Tag.OctetString).content });
  }
  const identifier = found.get('1.3.6.1.5.5.7.1.31');
  if (identifier?.critical !== true) throw new Error('the certificate has no critical acmeIdentifier');
  const digest = createHash('sha256').update(authorization).digest();
  if (!readSingle(identifier.value, Tag.OctetString).content.equals(digest))
    throw new Error('the acmeIdentifier is another one');
  const names = new DerReader(readSingle(found.get('2.5.29.17')?.value ?? Buffer.alloc(0)).content);
  const name = names.next(contextTag(2, false)).content.toString('latin1');
  names.end();
  if (name !== host) throw new Error(`the certificate is for ${name}`);
}
