/** A client that follows RFC 9112 section 9.6 and detects violations by the other side. */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A client that sends requests on one connection until a reply has Connection: close. */
export class Busy {
  served = 0;
  /** Why it stopped: `told` (Connection: close) is the only correct reason. */
  end = '';
  readonly done: Promise<void>;
  readonly #socket: Socket;

  constructor(port: number, thinkMs: () => number) {
    this.#socket = connect(port, '127.0.0.1');
    this.done = this.#run(thinkMs);
  }

  async #run(thinkMs: () => number): Promise<void> {
    this.#socket.setNoDelay(true);
    let text = '';
    let wake: (() => void) | undefined;
    let gone = false;
    this.#socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      wake?.();
    });
    for (const event of ['end', 'error', 'close'])
      this.#socket.on(event, () => {
        gone = true;
        wake?.();
      });
    while (this.end === '') {
      if (gone) {
        this.end = 'closed without a word';
        return;
      }
      text = '';
      this.#socket.write('GET /x HTTP/1.1\r\nhost: a\r\n\r\n');
      while (!/\r\n\r\norigin GET \/x$/.test(text) && !gone) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (!/^HTTP\/1\.1 200 /.test(text)) this.end = `no reply: ${text.slice(0, 40)}`;
      else {
        this.served++;
        if (/^connection: close\r$/im.test(text)) this.end = 'told';
      }
      const pause = thinkMs();
      if (pause > 0 && this.end === '') await delay(pause);
    }
    this.#socket.end();
  }
}
