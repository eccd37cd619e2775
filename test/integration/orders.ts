/** Orders behind idempotency keys that are kept on disk, with a target that counts what it did. */
import type { ServerResponse } from 'node:http';
import { type Answer, call, serveHttp } from './control-kit.js';

export class Orders {
  /** How often the target did what a key stands for. */
  readonly done = new Map<string, number>();
  /** Replies that the target holds back: those of `/hold`. */
  readonly held: ServerResponse[] = [];
  readonly #target: string;

  private constructor(target: string) {
    this.#target = target;
  }

  static async open(): Promise<Orders> {
    const origin = await serveHttp((incoming, reply) => {
      const key = String(incoming.headers['idempotency-key']);
      incoming.resume();
      incoming.on('end', () => {
        orders.done.set(key, (orders.done.get(key) ?? 0) + 1);
        if (incoming.url === '/hold') orders.held.push(reply);
        else reply.writeHead(201, { 'content-type': 'text/plain' }).end(`order ${key}`);
      });
    });
    const orders = new Orders(origin.url);
    return orders;
  }

  /** A spec that keeps its state in `folder`. */
  spec(folder: string): string {
    return `spec = 1
workers = 2
[state]
path = ${JSON.stringify(folder)}
[listener.main]
address = "127.0.0.1:0"
[service.shop]
targets = ["${this.#target}"]
[policy.once]
use = "idempotency"
disk = true
[[route]]
name = "shop"
match = "POST /{rest...}"
to = "shop"
policies = ["once"]
`;
  }
}

export const order = (url: string, key: string, path = '/orders'): Promise<Answer> =>
  call(`${url}${path}`, { method: 'POST', body: 'one', headers: { 'idempotency-key': key } });
