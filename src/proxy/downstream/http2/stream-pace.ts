/** The pace at which the client of a stream reads its reply and sends its request. */
import type { ConnectionHost, ConnectionListener } from '../connection/host.js';
import { Pace, type Verdict } from '../http1/pace.js';

import type { StreamWriter } from './stream-writer.js';

interface Owner {
  readonly host: Pick<ConnectionHost, 'bodyGrace'>;
  readonly listener: Pick<ConnectionListener, 'entry'>;
  /** The socket is not read for now: the client is not late. */
  readonly held: boolean;
}

export class StreamPace {
  readonly #owner: Owner;
  #reply: Pace | undefined = undefined;
  #request: Pace | undefined = undefined;

  constructor(owner: Owner) {
    this.#owner = owner;
  }

  reply(now: number, writer: StreamWriter): Verdict {
    const { host, held, listener } = this.#owner;
    if (writer.unsent === 0) {
      this.#reply = undefined;
      return 'fine';
    }
    this.#reply ??= new Pace(host.bodyGrace, 0);
    if (!held) return this.#reply.check(now, writer.taken, listener.entry);
    this.#reply.stop();
    return 'fine';
  }

  /** `awaited`: the client's turn to send. `bytesIn`: what it has sent of the body. */
  request(now: number, awaited: boolean, bytesIn: number): Verdict {
    const { host, held, listener } = this.#owner;
    if (!awaited || held) {
      this.#request?.stop();
      return 'fine';
    }
    this.#request ??= new Pace(host.bodyGrace, 0);
    return this.#request.check(now, bytesIn, listener.entry);
  }
}
