/** A client that does as RFC 9112 section 9.6 says, and notices when the other side does not. */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A client that keeps its connection and asks again and again, until a reply says that the connection closes. */
export class Busy {
  served = 0;
  /** Why it stopped: `told` is the only good reason. */
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
