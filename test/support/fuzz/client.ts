/** The fuzzer's client: sends given bytes in given pieces, keeps all that comes back, and notes how it ended. */
import { connect, type Socket } from 'node:net';
import { turn } from '../until.js';

/** What a client does once all is sent: its FIN at once; its FIN when `replies` are there; or it is gone without waiting. */
export type Ending = 'fin' | 'late' | 'gone';

export interface Heard {
  readonly bytes: Buffer;
  /** How gw ended it; `client`: this side did, in the middle. */
  readonly ended: 'fin' | 'reset' | 'client' | 'hung';
}

/** Longer than every bound that the fuzzed planes have: nothing may take so long. */
export const HANG_MS = 15_000;
/** A client that waits for replies before its FIN stops waiting after this. */
const LATE_MS = 40;

/** Splits a latin1 text at the cuts that lie within it. */
export function piecesOf(text: string, cuts: readonly number[]): string[] {
  const inside = [...new Set(cuts)].filter((cut) => cut > 0 && cut < text.length).sort((a, b) => a - b);
  return [0, ...inside].map((from, index) => text.slice(from, inside[index] ?? text.length));
}

/** Whether an `end` is a FIN: a reset right behind the last bytes looks like one to Node, but leaves no peer. */
export const endedInOrder = (socket: Socket): boolean => socket.remoteAddress !== undefined;

export interface Talk {
  readonly pieces: readonly string[];
  readonly ending: Ending;
  /** `late`: whether what was heard is all that this client waits for. */
  readonly enough: (bytes: Buffer) => boolean;
}

/** One connection from its beginning to its end. */
export function converse(port: number, talk: Talk): Promise<Heard> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    const parts: Buffer[] = [];
    let ended: Heard['ended'] | undefined;
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
    // A write to what gw has closed already fails as well; what came before counts.
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
        // By then gw has accepted: what a closed connection still brings must not surprise the next case.
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
