/** A gRPC server on @grpc/grpc-js as a target. */
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { type Answer, type Ask, ECHO_INITIAL, ECHO_TRAILING, METHODS } from './messages.js';

/** A call that has reached the server. */
export interface ServedCall {
  readonly method: string;
  readonly metadata: Metadata;
  /** Milliseconds until its deadline when it came; undefined: it has none. */
  readonly left: number | undefined;
  cancelled: boolean;
  /** Resolves when it is cancelled. */
  readonly untilCancelled: Promise<void>;
}

type Any = Pick<ServerUnaryCall<Ask, Answer>, 'metadata' | 'getDeadline' | 'getPath' | 'sendMetadata'> & {
  on(event: 'cancelled', listener: () => void): unknown;
};
type Done = (error: object | null, value?: Answer, trailers?: Metadata) => void;

export class GrpcTarget {
  readonly calls: ServedCall[] = [];
  /** Calls of Unary and Chat wait until this resolves. */
  gate: Promise<void> = Promise.resolve();
  /** Sends the initial metadata of a Chat at once. */
  greets = false;
  port = 0;
  readonly #server: Server;
  readonly #secure: boolean;

  private constructor(secure: boolean, options: object) {
    this.#server = new Server(options);
    this.#secure = secure;
    this.#server.addService(METHODS, {
      empty: (call: ServerUnaryCall<Ask, Answer>, done: Done) => this.#empty(call, done),
      unary: (call: ServerUnaryCall<Ask, Answer>, done: Done) => void this.#unary(call, done),
      collect: (call: ServerReadableStream<Ask, Answer>, done: Done) => this.#collect(call, done),
      list: (call: ServerWritableStream<Ask, Answer>) => this.#list(call),
      chat: (call: ServerDuplexStream<Ask, Answer>) => void this.#chat(call),
    } as unknown as UntypedServiceImplementation);
  }

  static async start(tls?: { cert: Buffer; key: Buffer }, options: object = {}): Promise<GrpcTarget> {
    const target = new GrpcTarget(tls !== undefined, options);
    const credentials =
      tls === undefined
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(null, [{ cert_chain: tls.cert, private_key: tls.key }]);
    target.port = await new Promise((resolve, reject) =>
      target.#server.bindAsync('127.0.0.1:0', credentials, (error, port) =>
        error === null ? resolve(port) : reject(error),
      ),
    );
    return target;
  }

  get url(): string {
    return `${this.#secure ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  /** Further services. */
  get server(): Server {
    return this.#server;
  }

  close(): void {
    this.#server.forceShutdown();
  }

  /** Notes a call and answers its echo metadata. Returns its trailing metadata. */
  #begin(call: Any): Metadata {
    let cancel = (): void => {};
    const deadline = call.getDeadline();
    const one: ServedCall = {
      method: call.getPath(),
      metadata: call.metadata,
      left: deadline === Number.POSITIVE_INFINITY ? undefined : Number(deadline) - Date.now(),
      cancelled: false,
      untilCancelled: new Promise((resolve) => {
        cancel = resolve;
      }),
    };
    call.on('cancelled', () => {
      one.cancelled = true;
      cancel();
    });
    this.calls.push(one);
    const initial = call.metadata.get(ECHO_INITIAL);
    if (initial.length > 0 || this.greets) {
      const metadata = new Metadata();
      for (const value of initial) metadata.add(ECHO_INITIAL, value);
      call.sendMetadata(metadata);
    }
    const trailers = new Metadata();
    for (const value of call.metadata.get(ECHO_TRAILING)) trailers.add(ECHO_TRAILING, value);
    return trailers;
  }

  #empty(call: ServerUnaryCall<Ask, Answer>, done: Done): void {
    done(null, {}, this.#begin(call));
  }

  async #unary(call: ServerUnaryCall<Ask, Answer>, done: Done): Promise<void> {
    const metadata = this.#begin(call);
    await this.gate;
    const { status, sizes = [], payload = '' } = call.request;
    if (status !== undefined) done({ code: status.code, details: status.message, metadata });
    else done(null, { payload: '0'.repeat(sizes[0] ?? 0), total: payload.length }, metadata);
  }

  #collect(call: ServerReadableStream<Ask, Answer>, done: Done): void {
    const trailers = this.#begin(call);
    let total = 0;
    call.on('data', ({ payload = '' }: Ask) => {
      total += payload.length;
    });
    call.on('end', () => done(null, { total }, trailers));
    call.on('error', () => undefined);
  }

  #list(call: ServerWritableStream<Ask, Answer>): void {
    const trailers = this.#begin(call);
    for (const size of call.request.sizes ?? []) call.write({ payload: '0'.repeat(size) });
    call.end(trailers);
  }

  async #chat(call: ServerDuplexStream<Ask, Answer>): Promise<void> {
    const trailers = this.#begin(call);
    call.on('error', () => undefined);
    await this.gate;
    call.on('data', ({ sizes = [], status, payload = '' }: Ask) => {
      for (const size of sizes) call.write({ payload: '0'.repeat(size), total: payload.length });
      if (status !== undefined) call.emit('error', { code: status.code, details: status.message, metadata: trailers });
    });
    call.on('end', () => call.end(trailers));
  }
}
