/** grpc-web at run time: requests of gRPC-Web become gRPC, and replies of gRPC become gRPC-Web. */
import type { BodyStage, Exchange, PolicyHost, PolicyInstance, Reply, StageOut } from '../contract.js';
import { GrpcCode, problem, runPolicy, toGrpcError } from '../run-kit.js';
import { namesWeb, nativeSuffix, type WebType, wantsText, webType } from './media.js';
import { PROBLEMS } from './problems.js';
import type { GrpcWebSettings } from './schema.js';
import { ReplyStage, RequestStage } from './stages.js';

export const create = runPolicy<GrpcWebSettings>((_settings, host) => new GrpcWebPolicy(host));

/** What after() decided, for the stage of the same reply. */
interface Translated {
  readonly reply: Reply;
  readonly text: boolean;
}

class GrpcWebPolicy implements PolicyInstance {
  readonly #host: PolicyHost;

  constructor(host: PolicyHost) {
    this.#host = host;
  }

  before(exchange: Exchange): Reply | undefined {
    const { headers } = exchange;
    const sent = exchange.method === 'POST' ? webType(headers.get('content-type')) : undefined;
    if (sent === undefined) return undefined;
    if (isCoded(headers.get('content-encoding'))) {
      const reply = problem(exchange, PROBLEMS.coding);
      toGrpcError(reply, replyType(exchange, sent, sent.suffix), GrpcCode.Unimplemented);
      return reply;
    }
    headers.set('content-type', `application/grpc${sent.suffix}`);
    headers.remove('x-grpc-web');
    describeClient(exchange);
    const accept = headers.get('accept');
    if (accept !== undefined && namesWeb(accept)) headers.remove('accept');
    exchange.note(this, sent);
    this.#decide(exchange, `request: ${sent.text ? 'text' : 'binary'} gRPC-Web to gRPC`);
    return undefined;
  }

  readsRequest(exchange: Exchange): 'stream' | false {
    return isText(exchange.noted(this)) ? 'stream' : false;
  }

  requestStage(exchange: Exchange, out: StageOut): BodyStage {
    return new RequestStage(out, () => problem(exchange, PROBLEMS.base64));
  }

  after(exchange: Exchange, reply: Reply): undefined {
    const sent = exchange.method === 'POST' ? webType(exchange.received('content-type')) : undefined;
    if (sent === undefined) return;
    const { headers } = reply;
    const suffix = nativeSuffix(headers.get('content-type'));
    if (suffix !== undefined) {
      headers.set('content-type', replyType(exchange, sent, suffix === '' ? sent.suffix : suffix));
      exchange.note(this, { reply, text: repliesText(exchange, sent) } satisfies Translated);
      this.#decide(exchange, 'reply: gRPC to gRPC-Web');
    } else if (reply.code !== undefined && reply.status >= 400) {
      this.#decide(exchange, `reply: the ${reply.status} as an error of gRPC-Web`);
      toGrpcError(reply, replyType(exchange, sent, sent.suffix));
    }
  }

  readsReply(exchange: Exchange, reply: Reply): 'stream' | false {
    return this.#translated(exchange, reply) === undefined ? false : 'stream';
  }

  replyStage(exchange: Exchange, reply: Reply, out: StageOut): BodyStage | undefined {
    const translated = this.#translated(exchange, reply);
    if (translated === undefined) return undefined;
    return new ReplyStage(out, { text: translated.text, hasStatus: reply.headers.get('grpc-status') !== undefined });
  }

  #translated(exchange: Exchange, reply: Reply): Translated | undefined {
    const noted = exchange.noted(this);
    return noted !== undefined && 'reply' in noted && noted.reply === reply ? (noted as Translated) : undefined;
  }

  #decide({ decisions }: Exchange, why: string): void {
    decisions?.push({ step: this.#host.name, use: 'grpc-web', outcome: 'edit', why });
  }
}

const isText = (noted: object | undefined): boolean => noted !== undefined && 'text' in noted && noted.text === true;

const isCoded = (coding: string | undefined): boolean =>
  coding !== undefined && coding.trim() !== '' && coding.trim().toLowerCase() !== 'identity';

const repliesText = (exchange: Exchange, sent: WebType): boolean => wantsText(exchange.received('accept'), sent);

const replyType = (exchange: Exchange, sent: WebType, suffix: string): string =>
  `application/grpc-web${repliesText(exchange, sent) ? '-text' : ''}${suffix}`;

/** Pages cannot set User-Agent: what they say in X-User-Agent stands in front of what the browser says. */
function describeClient({ headers }: Exchange): void {
  const library = headers.get('x-user-agent');
  if (library === undefined) return;
  headers.remove('x-user-agent');
  const browser = headers.get('user-agent');
  headers.set('user-agent', browser === undefined ? library : `${library} ${browser}`);
}
