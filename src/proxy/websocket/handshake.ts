/** The opening handshake of WebSocket: RFC 6455 section 4. */
import { createHash } from 'node:crypto';
import type { Extensions } from './frames.js';

/** Looks up a field; several of one name are joined with commas. */
export type FieldOf = (name: string) => string | undefined;

/** The protocols of an Upgrade field: WebSocket alone, among others, or not at all. */
export function webSocketIn(upgrade: string): 'only' | 'too' | 'no' {
  const names = listOf(upgrade.toLowerCase()).filter((name) => name !== '');
  if (!names.includes('websocket')) return 'no';
  return names.every((name) => name === 'websocket') ? 'only' : 'too';
}

/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** What is wrong with a client's request (section 4.2.1): `version` if it wants another version; undefined for nothing. */
export function requestFault(
  method: string,
  field: FieldOf,
): { what: 'handshake' | 'version'; cause: string } | undefined {
  if (method !== 'GET') return { what: 'handshake', cause: 'a WebSocket handshake needs the method GET' };
  if (!KEY.test(field('sec-websocket-key') ?? ''))
    return { what: 'handshake', cause: 'Sec-WebSocket-Key is missing or not 16 bytes in base64' };
  const version = field('sec-websocket-version');
  if (version === undefined) return { what: 'handshake', cause: 'Sec-WebSocket-Version is missing' };
  return version === '13' ? undefined : { what: 'version', cause: 'Sec-WebSocket-Version is not 13' };
}

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** The Sec-WebSocket-Accept for a key. */
export const acceptOf = (key: string): string => createHash('sha1').update(`${key}${GUID}`).digest('base64');

/** What is wrong with a target's 101 (section 4.1, "validate the server's response"); undefined for nothing. */
export function replyFault(method: string, asked: FieldOf, replied: FieldOf): string | undefined {
  const fault = requestFault(method, asked);
  if (fault !== undefined) return `a WebSocket, but ${fault.cause}`;
  if (replied('sec-websocket-accept') !== acceptOf(asked('sec-websocket-key') ?? ''))
    return 'Sec-WebSocket-Accept does not match the key';
  const protocol = replied('sec-websocket-protocol');
  if (protocol !== undefined && !listOf(asked('sec-websocket-protocol')).includes(protocol))
    return 'a subprotocol that the client did not offer';
  const offered = extensionsOf(asked('sec-websocket-extensions'));
  if (extensionsOf(replied('sec-websocket-extensions')).some((name) => !offered.includes(name)))
    return 'an extension that the client did not offer';
  return undefined;
}

/** What the frames may use of what RFC 6455 reserves, by the extensions of a 101. */
export function extensionsIn(replied: string | undefined): Extensions {
  const names = extensionsOf(replied);
  if (names.length === 0) return 'none';
  return names.every((name) => name === 'permessage-deflate') ? 'deflate' : 'others';
}

const listOf = (field: string | undefined): readonly string[] =>
  field === undefined ? [] : field.split(',').map((item) => item.trim());

/** Commas within quotes only split parameters further, and those are not names that a client offers. */
const extensionsOf = (field: string | undefined): readonly string[] =>
  listOf(field)
    .map((item) => item.split(';', 1)[0]!.trim().toLowerCase())
    .filter((name) => name !== '');
