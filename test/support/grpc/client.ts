/** Calls of a @grpc/grpc-js client, as promises. */
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  ChannelCredentials as Credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';
import { type Answer, type Ask, METHODS } from './messages.js';

export interface CallResult {
  readonly code: number;
  readonly details: string;
  readonly answer: Answer | undefined;
  readonly initial: Metadata | undefined;
  readonly trailing: Metadata;
}

export interface CallOptions {
  readonly metadata?: { readonly [name: string]: string | Buffer };
  /** Milliseconds. */
  readonly timeout?: number;
}

type Method = MethodDefinition<Ask, Answer>;

export class GrpcClient {
  readonly #client: Client;

  /** `ca`: with TLS. `authority`: of the requests. */
  constructor(port: number, { ca, authority, options }: { ca?: Buffer; authority?: string; options?: object } = {}) {
    const credentials = ca === undefined ? Credentials.createInsecure() : Credentials.createSsl(ca);
    this.#client = new Client(`127.0.0.1:${port}`, credentials, {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_retries': 0,
      ...(authority === undefined ? {} : { 'grpc.default_authority': authority }),
      ...(ca === undefined ? {} : { 'grpc.ssl_target_name_override': 'localhost' }),
      ...options,
    });
  }

  close(): void {
    this.#client.close();
  }

  async unary(ask: Ask, options: CallOptions = {}, method: Method = METHODS.unary): Promise<CallResult> {
    let initial: Metadata | undefined;
    return await new Promise((resolve) => {
      let failed: ServiceError | null = null;
      let answer: Answer | undefined;
      const call = this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        ask,
        metadataOf(options),
        callOptions(options),
        (error, value) => {
          failed = error;
          answer = value;
        },
      );
      call.on('metadata', (metadata: Metadata) => {
        initial = metadata;
      });
      call.on('status', ({ code, details, metadata }: StatusObject) =>
        // The callback comes in the same turn.
        setImmediate(() =>
          resolve({
            code: failed?.code ?? code,
            details: failed?.details ?? details,
            answer,
            initial,
            trailing: metadata,
          }),
        ),
      );
    });
  }

  async collect(parts: readonly Ask[], options: CallOptions = {}): Promise<Answer> {
    const { path, requestSerialize, responseDeserialize } = METHODS.collect;
    return await new Promise((resolve, reject) => {
      const call = this.#client.makeClientStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        metadataOf(options),
        callOptions(options),
        (error, value) => (error === null ? resolve(value!) : reject(error)),
      );
      for (const part of parts) call.write(part);
      call.end();
    });
  }

  /** A client stream that is still open; the promise is its end. */
  collecting(options: CallOptions = {}) {
    const { path, requestSerialize, responseDeserialize } = METHODS.collect;
    let finish: (result: CallResult) => void = () => undefined;
    const end = new Promise<CallResult>((resolve) => {
      finish = resolve;
    });
    let answer: Answer | undefined;
    const call = this.#client.makeClientStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      metadataOf(options),
      callOptions(options),
      (_error, value) => {
        answer = value;
      },
    );
    call.on('status', ({ code, details, metadata }: StatusObject) =>
      setImmediate(() => finish({ code, details, answer, initial: undefined, trailing: metadata })),
    );
    return { call, end };
  }

  list(ask: Ask, options: CallOptions = {}): Received<ClientReadableStream<Answer>> {
    const { path, requestSerialize, responseDeserialize } = METHODS.list;
    return new Received(
      this.#client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        ask,
        metadataOf(options),
        callOptions(options),
      ),
    );
  }

  chat(options: CallOptions = {}, path = METHODS.chat.path): Received<ClientDuplexStream<Ask, Answer>> {
    const { requestSerialize, responseDeserialize } = METHODS.chat;
    return new Received(
      this.#client.makeBidiStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        metadataOf(options),
        callOptions(options),
      ),
    );
  }

  /** Any method, with messages as bytes. */
  bytes(path: string): Received<ClientDuplexStream<Buffer, Buffer>, Buffer> {
    const same = (bytes: Buffer): Buffer => bytes;
    return new Received(this.#client.makeBidiStreamRequest(path, same, same, new Metadata(), {}));
  }
}

/** What has come of a streaming call. */
export class Received<Call extends ClientReadableStream<Message>, Message = Answer> {
  readonly call: Call;
  readonly messages: Message[] = [];
  readonly initial: Promise<Metadata>;
  readonly end: Promise<StatusObject>;
  #wake: (() => void) | undefined = undefined;
  #over = false;

  constructor(call: Call) {
    this.call = call;
    this.initial = new Promise((resolve) => call.on('metadata', resolve));
    call.on('data', (message: Message) => {
      this.messages.push(message);
      this.#wake?.();
    });
    call.on('error', () => undefined);
    this.end = new Promise((resolve) =>
      call.on('status', (status: StatusObject) => {
        this.#over = true;
        this.#wake?.();
        resolve(status);
      }),
    );
  }

  /** Waits until so many messages have come. @throws if the call ends before. */
  async count(count: number): Promise<void> {
    while (this.messages.length < count) {
      if (this.#over) throw new Error(`the call ended after ${this.messages.length} messages`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function metadataOf({ metadata = {} }: CallOptions): Metadata {
  const fields = new Metadata();
  for (const name of Object.keys(metadata)) fields.set(name, metadata[name]!);
  return fields;
}

const callOptions = ({ timeout }: CallOptions): object =>
  timeout === undefined ? {} : { deadline: Date.now() + timeout };
