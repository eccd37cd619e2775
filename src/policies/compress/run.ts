/** compress at run time: chooses a coding by RFC 9110 section 12.5.3 and compresses the body as it streams. */
import type { BodyStage, Exchange, Json, PolicyHost, PolicyInstance, Reply, StageOut } from '../contract.js';
import { type CodingChoice, chooseCoding, mediaType } from '../kits/negotiate.js';
import { addToken, BytesReply, HeaderMap, runPolicy } from '../run-kit.js';
import { describeCoding, exclusion, listsWeak, weak } from './eligible.js';
import type { CompressSettings } from './schema.js';
import { type Codec, CompressStage, codecOf, type StageOwner } from './stage.js';

/** Most clients send one of few values of Accept-Encoding. */
const MAX_CHOICES = 64;

/** Fields of a 304, RFC 9110 section 15.4.5; further ones update what the client has stored. */
const NOT_IN_304 = ['content-length', 'content-type', 'content-encoding', 'transfer-encoding', 'trailer'];

export const create = runPolicy<CompressSettings>((settings, host) => new CompressPolicy(settings, host));

/** What after() decided, for the stage of the same reply. */
interface Decided {
  readonly codec: Codec;
  readonly reply: Reply;
}

class CompressPolicy implements PolicyInstance {
  readonly #settings: CompressSettings;
  readonly #host: PolicyHost;
  readonly #codecs: ReadonlyMap<string, Codec>;
  readonly #available: readonly string[];
  readonly #choices = new Map<string | undefined, CodingChoice>();
  readonly #owner: StageOwner;
  #active = 0;
  #compressed = 0;
  #beyond = 0;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(settings: CompressSettings, host: PolicyHost) {
    this.#settings = settings;
    this.#host = host;
    const codecs = settings.codings.map((coding) => codecOf(coding, settings.levels[coding]));
    this.#codecs = new Map(codecs.flatMap((codec) => (codec === undefined ? [] : [[codec.coding, codec] as const])));
    this.#available = [...this.#codecs.keys()];
    this.#owner = {
      after: (ms, work) => host.after(ms, work),
      released: (bytesIn, bytesOut) => this.#released(bytesIn, bytesOut),
    };
  }

  after(exchange: Exchange, reply: Reply): Reply | undefined {
    if (reply.status === 304) return this.#notModified(exchange, reply);
    const excluded = exclusion(this.#settings, exchange, reply);
    if (excluded !== undefined && excluded.small !== true) return this.#pass(exchange, excluded.why);
    const { coding, identityRefused } = this.#choose(exchange.received('accept-encoding'));
    if (excluded !== undefined && !identityRefused) return this.#pass(exchange, excluded.why);
    addToken(reply.headers, 'vary', 'Accept-Encoding');
    const codec = this.#codecs.get(coding);
    if (codec === undefined) return this.#pass(exchange, 'the client accepts no listed coding');
    if (this.#active >= this.#settings.maxStreams) {
      this.#beyond++;
      return this.#pass(exchange, `${this.#active} replies are being compressed`);
    }
    const stored = storedByClient(exchange, reply);
    describeCoding(reply, coding);
    if (stored) return this.#replaceByNotModified(exchange, reply);
    this.#decide(exchange, 'edit', `compressed with ${coding}`);
    exchange.note(this, { codec, reply } satisfies Decided);
    return undefined;
  }

  readsReply(exchange: Exchange, reply: Reply): boolean {
    return this.#decided(exchange, reply) !== undefined;
  }

  replyStage(exchange: Exchange, reply: Reply, out: StageOut): BodyStage | undefined {
    const decided = this.#decided(exchange, reply);
    if (decided === undefined) return undefined;
    const events =
      exchange.route.stream === true || mediaType(reply.headers.get('content-type')) === 'text/event-stream';
    const stage = new CompressStage(decided.codec, events, out, this.#owner);
    this.#active++;
    this.#compressed++;
    return stage;
  }

  #released(bytesIn: number, bytesOut: number): void {
    this.#active--;
    this.#bytesIn += bytesIn;
    this.#bytesOut += bytesOut;
  }

  stats(): Json {
    return {
      active: this.#active,
      compressed: this.#compressed,
      beyondMaxStreams: this.#beyond,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
    };
  }

  /** A reply that another step put in place of the decided one has other fields: its body stays as it is. */
  #decided(exchange: Exchange, reply: Reply): Decided | undefined {
    const decided = exchange.noted(this) as Decided | undefined;
    return decided?.reply === reply ? decided : undefined;
  }

  #choose(field: string | undefined): CodingChoice {
    let choice = this.#choices.get(field);
    if (choice === undefined) {
      choice = chooseCoding(field, this.#available);
      if (this.#choices.size >= MAX_CHOICES) this.#choices.clear();
      this.#choices.set(field, choice);
    }
    return choice;
  }

  /** The target's 304 stands for a reply that may have been compressed: the client knows it by its weak tag. */
  #notModified(exchange: Exchange, reply: Reply): undefined {
    addToken(reply.headers, 'vary', 'Accept-Encoding');
    const etag = reply.headers.get('etag');
    if (etag !== undefined && listsWeak(exchange.received('if-none-match'), etag)) {
      reply.headers.set('etag', weak(etag));
    }
    return undefined;
  }

  /** A target that compares weak tags as different sends the whole body again: gw made the tag weak, so gw compares. */
  #replaceByNotModified(exchange: Exchange, reply: Reply): Reply {
    const headers = new HeaderMap(reply.headers.entries());
    for (const name of NOT_IN_304) headers.remove(name);
    if (reply.body !== null && !(reply.body instanceof Uint8Array)) reply.body.discard();
    this.#decide(exchange, 'answer', 'the client has this reply: If-None-Match has its weak tag');
    return new BytesReply(304, { headers });
  }

  #pass(exchange: Exchange, why: string): undefined {
    this.#decide(exchange, 'pass', `not compressed: ${why}`);
    return undefined;
  }

  #decide(exchange: Exchange, outcome: 'pass' | 'edit' | 'answer', why: string): void {
    exchange.decisions?.push({ step: this.#host.name, use: 'compress', outcome, why });
  }
}

/** Whether If-None-Match holds the weak form of a strong tag, which only a compressed reply of gw has. */
function storedByClient(exchange: Exchange, reply: Reply): boolean {
  if (reply.status !== 200 || (exchange.method !== 'GET' && exchange.method !== 'HEAD')) return false;
  const etag = reply.headers.get('etag');
  return etag?.startsWith('"') === true && listsWeak(exchange.received('if-none-match'), etag);
}
