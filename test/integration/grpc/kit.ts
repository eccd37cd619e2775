/** A gRPC server, a gateway in front of it, and a client. */
import { suite, type Test } from 'uvu';
import { GrpcClient } from '../../support/grpc/client.js';
import { GrpcTarget } from '../../support/grpc/target.js';
import { Plane, specOf, TestTime, until } from '../engine-kit.js';

export class GrpcWorld {
  target!: GrpcTarget;
  plane!: Plane;
  client!: GrpcClient;
  readonly time = new TestTime();
  #reads = 0;
  readonly #clients: GrpcClient[] = [];

  async open(options: Parameters<typeof specOf>[1] = {}): Promise<void> {
    this.target = await GrpcTarget.start();
    const monotonic = (): number => {
      this.#reads++;
      return this.time.now();
    };
    this.plane = await Plane.start(this.spec(options), { monotonic });
    this.client = this.connect();
  }

  /** The spec of a gateway in front of the server. */
  spec(options: Parameters<typeof specOf>[1] = {}): string {
    return specOf(this.target.url, { ...options, service: `protocol = "h2"\n${options.service ?? ''}` });
  }

  /** A further connection. */
  connect(options: object = {}): GrpcClient {
    const client = new GrpcClient(this.plane.port, { options });
    this.#clients.push(client);
    return client;
  }

  /** Lets time pass, and waits until the gateway has checked its bounds twice. */
  async pass(ms: number): Promise<void> {
    this.time.stop();
    this.time.pass(ms);
    const before = this.#reads;
    // Each sweep reads the clock at least once.
    await until(() => this.#reads >= before + 4, 'sweeps');
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.plane.close();
    this.target.close();
  }
}

/** A suite whose tests share a gateway; each begins with an unchanged spec. */
export function grpcSuite(name: string, options: Parameters<typeof specOf>[1] = {}): Test<{ world: GrpcWorld }> {
  const test = suite<{ world: GrpcWorld }>(name);
  test.before(async (context) => {
    context.world = new GrpcWorld();
    await context.world.open(options);
  });
  test.before.each(({ world }) => {
    world.time.go();
    world.target.calls.length = 0;
    world.target.gate = Promise.resolve();
    world.target.greets = false;
    world.plane.records.length = 0;
  });
  test.after(async ({ world }) => world.close());
  return test;
}
