/**
 * The fuzzer's client: sends given bytes in given pieces, and records all received bytes and how the connection ended.
 */
import { connect, type Socket } from 'node:net';
import { turn } from '../until.js';

/**
 * After all bytes are sent: `fin` half-closes at once, `late` after the replies, `gone` disconnects without waiting.
 */
export type Ending = 'fin' | 'late' | 'gone';

export interface Received {
  readonly bytes: Buffer;
  /** How gw ended the connection; `client`: this side disconnected first. */
  readonly ended: 'fin' | 'reset' | 'client' | 'hung';
}

/** Longer than every timeout of the fuzzed planes. */
export const HANG_MS = 15_000;
/** Longest time that a `late` client waits for replies before its FIN. */
const LATE_MS = 40;

/** Splits a latin1 text at the cuts inside it. */
export function piecesOf(text: string, cuts: readonly number[]): string[] {
  const inside = [...new Set(cuts)].filter((cut) => cut > 0 && cut < text.length).sort((a, b) => a - b);
  return [0, ...inside].map((from, index) => text.slice(from, inside[index] ?? text.length));
}

/**
 * Whether an `end` event is a FIN: Node reports a reset directly after the last bytes in the same way, but without
 * peer.
 */
export const endedInOrder = (socket: Socket): boolean => socket.remoteAddress !== undefined;

export interface Talk {
  readonly pieces: readonly string[];
  readonly ending: Ending;
  /** For `late`: whether the received bytes are all that this client waits for. */
  readonly enough: (bytes: Buffer) => boolean;
}

/** Runs one connection from connect to close. */
export function converse(port: number, talk: Talk): Promise<Received> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    const parts: Buffer[] = [];
    let ended: Received['ended'] | undefined;
    let sent = false;
    const hung = setTimeout(() => {
      ended = 'hung';
      socket.destroy();
    }, HANG_MS);
    const late = (): void => {
      if (sent && talk.ending === 'late' && !socket.writableEnded && talk.enough(Buffer.concat(parts))) socket.end();
    };
    socket.on('data', (chunk: Buffer) => {
      parts.push(chunk);
      late();
    });
    socket.on('end', () => {
      ended ??= endedInOrder(socket) ? 'fin' : 'reset';
      socket.end();
    });
    // Writing to a connection that gw has closed also fails; the bytes received before count.
    socket.on('error', () => {
      ended ??= 'reset';
    });
    socket.on('close', () => {
      clearTimeout(hung);
      resolve({ bytes: Buffer.concat(parts), ended: ended ?? 'reset' });
    });
    const send = async (): Promise<void> => {
      for (const [index, piece] of talk.pieces.entries()) {
        if (index > 0) await turn();
        if (!socket.writable) break;
        socket.write(piece, 'latin1');
      }
      sent = true;
      if (talk.ending === 'fin') socket.end();
      else if (talk.ending === 'gone') {
        // Wait until gw has accepted the connection, so that its bytes do not arrive during the next case.
        for (let turns = 0; turns < 4; turns++) await turn();
        ended ??= 'client';
        socket.destroy();
      } else {
        late();
        setTimeout(() => socket.end(), LATE_MS).unref();
      }
    };
    socket.on('connect', () => void send());
  });
}
