/** transform at run time: edits in the order of the README, with everything prepared at load. */
import type {
  Awaitable,
  BodyStage,
  Exchange,
  HeaderFields,
  PolicyHost,
  PolicyInstance,
  Reply,
  StageOut,
} from '../contract.js';
import { problem, runPolicy } from '../run-kit.js';
import { BodyFault } from './body/edits.js';
import { type BodyKind, saysUtf8 } from './body/media.js';
import { BodySide } from './body/side.js';
import { streamStage } from './body/stream.js';
import { ReplyEdits, RequestEdits } from './edits/sides.js';
import { PROBLEMS } from './problems.js';
import type { TransformSettings } from './schema.js';

export const create = runPolicy<TransformSettings>((settings, host) => new TransformPolicy(settings, host));

type Hook<Name extends keyof PolicyInstance> = NonNullable<PolicyInstance[Name]>;

/** What was decided about a body when its head came, before the fields were edited. */
interface Planned {
  readonly kind: BodyKind;
  readonly contentType: string | undefined;
  /** Undefined: the request's. */
  readonly reply: Reply | undefined;
}

/** What a body becomes, or why it cannot; undefined: it stays. */
type Made = Uint8Array | BodyFault | undefined;

class TransformPolicy implements PolicyInstance {
  readonly #host: PolicyHost;
  readonly #request: RequestEdits | undefined;
  readonly #reply: ReplyEdits | undefined;
  readonly #requestBody: BodySide | undefined;
  readonly #replyBody: BodySide | undefined;
  readonly requestFields: readonly string[];
  readonly clientFields: readonly string[];
  readonly identityFields: readonly string[];
  readonly passedFields: readonly string[];
  readonly before?: Hook<'before'>;
  readonly after?: Hook<'after'>;
  readonly readsRequest?: Hook<'readsRequest'>;
  readonly onRequestBody?: Hook<'onRequestBody'>;
  readonly requestStage?: Hook<'requestStage'>;
  readonly readsReply?: Hook<'readsReply'>;
  readonly onReplyBody?: Hook<'onReplyBody'>;
  readonly replyStage?: Hook<'replyStage'>;

  // A hook that has nothing to do is absent, so that the chain does not call it.
  constructor({ request, reply }: TransformSettings, host: PolicyHost) {
    this.#host = host;
    if (Object.keys(request).some((key) => key !== 'body')) this.#request = new RequestEdits(request);
    if (Object.keys(reply).some((key) => key !== 'body')) this.#reply = new ReplyEdits(reply);
    const fields = this.#request?.fields;
    this.requestFields = fields?.names ?? [];
    this.clientFields = fields?.renamed ?? [];
    this.identityFields = fields?.ofCaller ?? [];
    this.passedFields = fields?.passed ?? [];
    if (request.body !== undefined) {
      const side = new BodySide(request.body, false, host);
      this.#requestBody = side;
      this.readsRequest = (exchange) => this.#reads(side, exchange, undefined);
      this.onRequestBody = (exchange, body) => this.#onRequestBody(side, exchange, body);
      this.requestStage = (exchange, out) => this.#stage(side, exchange, undefined, out);
    }
    if (reply.body !== undefined) {
      const side = new BodySide(reply.body, true, host, this.#reply?.links);
      this.#replyBody = side;
      this.readsReply = (exchange, given) => this.#reads(side, exchange, given);
      this.onReplyBody = (exchange, given, body) => this.#onReplyBody(side, exchange, given, body);
      this.replyStage = (exchange, given, out) => this.#stage(side, exchange, given, out);
    }
    if (this.#request ?? this.#requestBody ?? (this.#replyBody?.passesInvalid === true || undefined))
      this.before = (exchange) => this.#before(exchange);
    if (this.#reply !== undefined || this.#replyBody !== undefined)
      this.after = (exchange, given) => this.#after(exchange, given);
  }

  // ---------------------------------------------------------------- request

  #before(exchange: Exchange): Reply | undefined {
    const body = this.#requestBody;
    if (body !== undefined && exchange.hasBody && !this.#plan(body, exchange, undefined) && body.refusesOthers) {
      const more = { headers: { accept: body.accepted } };
      return this.#answer(exchange, PROBLEMS.mediaType, 'the media type of the body is not accepted', more);
    }
    // Where bodies may pass as they are, gw does not ask for a body that the policy can read.
    if (this.#replyBody?.passesInvalid === true) askForWhole(exchange);
    const edits = this.#request;
    if (edits === undefined) return undefined;
    if (!edits.apply(exchange)) return this.#answer(exchange, PROBLEMS.path, 'the rewritten path cannot be sent');
    if (exchange.decisions !== undefined) this.#decide(exchange, 'edit', `request: ${edits.describe(exchange)}`);
    return undefined;
  }

  #onRequestBody(side: BodySide, exchange: Exchange, body: Uint8Array): Awaitable<Reply | Uint8Array | undefined> {
    const planned = this.#plannedOf(exchange, undefined)!;
    const decide = (made: Made): Reply | Uint8Array | undefined => {
      if (made instanceof Uint8Array) return made;
      if (made === undefined || side.passesInvalid) return this.#keep(side, exchange, planned, made);
      return this.#answer(exchange, PROBLEMS.request, made.message, { detail: made.detail });
    };
    const made = side.whole(planned, body, exchange, undefined);
    return made instanceof Promise ? made.then(decide) : decide(made);
  }

  // ---------------------------------------------------------------- reply

  #after(exchange: Exchange, reply: Reply): Reply | undefined {
    // Errors of gw itself, and what switches protocols, are not the target's.
    if (reply.code !== undefined || reply.status < 200) return undefined;
    const body = this.#replyBody;
    if (body !== undefined && !this.#plan(body, exchange, reply) && body.refusesOthers && mayHaveBody(exchange, reply))
      return this.#answer(exchange, PROBLEMS.reply, 'the reply has another media type');
    const edits = this.#reply;
    if (edits === undefined) return undefined;
    edits.apply(exchange, reply);
    if (exchange.decisions !== undefined) this.#decide(exchange, 'edit', `reply: ${edits.describe(reply)}`);
    return undefined;
  }

  #onReplyBody(
    side: BodySide,
    exchange: Exchange,
    reply: Reply,
    body: Uint8Array,
  ): Awaitable<Reply | Uint8Array | undefined> {
    const planned = this.#plannedOf(exchange, reply)!;
    const decide = (made: Made): Reply | Uint8Array | undefined => {
      if (made instanceof Uint8Array) return made;
      if (made === undefined || side.passesInvalid) return this.#keep(side, exchange, planned, made);
      return this.#answer(exchange, PROBLEMS.reply, made.message);
    };
    const made = side.whole(planned, body, exchange, reply);
    return made instanceof Promise ? made.then(decide) : decide(made);
  }

  // ---------------------------------------------------------------- both

  #reads(side: BodySide, exchange: Exchange, reply: Reply | undefined): boolean | 'stream' {
    const planned = this.#plannedOf(exchange, reply);
    if (planned === undefined) return false;
    if (!streams(planned)) return true;
    // With a content coding it can only pass as it is, or be refused.
    return side.passesInvalid && isEncoded((reply ?? exchange).headers) ? false : 'stream';
  }

  #stage(side: BodySide, exchange: Exchange, reply: Reply | undefined, out: StageOut): BodyStage | undefined {
    const planned = this.#plannedOf(exchange, reply);
    if (planned === undefined || !streams(planned)) return undefined;
    const { clock } = this.#host;
    return streamStage({
      kind: planned.kind,
      side,
      exchange,
      reply,
      out,
      clock,
      refusal: (cause, fault) => {
        if (reply !== undefined) return this.#answer(exchange, PROBLEMS.reply, cause);
        if (fault === undefined) return this.#answer(exchange, PROBLEMS.line, cause);
        const detail = fault instanceof BodyFault ? fault.detail : undefined;
        return this.#answer(exchange, PROBLEMS.request, cause, detail === undefined ? {} : { detail });
      },
    });
  }

  /**
   * Decides by the head whether and how the body is read. Content-Type is set at once, so that the edits of fields come after it and a
   * reply to HEAD has it.
   */
  #plan(side: BodySide, exchange: Exchange, reply: Reply | undefined): boolean {
    const { headers } = reply ?? exchange;
    const contentType = headers.get('content-type');
    const kind = side.kindOf(contentType);
    if (kind === undefined) return false;
    exchange.note(this, { reply, kind, contentType } satisfies Planned);
    if (side.mediaType !== undefined) headers.set('content-type', side.mediaType);
    return true;
  }

  #plannedOf(exchange: Exchange, reply: Reply | undefined): Planned | undefined {
    const planned = exchange.noted(this) as Planned | undefined;
    return planned?.reply === reply ? planned : undefined;
  }

  /** The body stays as it is, and so does its media type, unless an edit has set another one. */
  #keep(side: BodySide, exchange: Exchange, { reply, contentType }: Planned, fault: BodyFault | undefined): undefined {
    const { headers } = reply ?? exchange;
    const isOurs = side.mediaType !== undefined && headers.get('content-type') === side.mediaType;
    if (isOurs && contentType !== undefined) headers.set('content-type', contentType);
    const what = reply === undefined ? 'request' : 'reply';
    if (fault !== undefined) this.#decide(exchange, 'pass', `${what} body unchanged: ${fault.message}`);
  }

  // ---------------------------------------------------------------- answers

  #answer(
    exchange: Exchange,
    { code, status, title }: (typeof PROBLEMS)[keyof typeof PROBLEMS],
    why: string,
    more: { readonly detail?: string; readonly headers?: { readonly [name: string]: string } } = {},
  ): Reply {
    this.#decide(exchange, 'answer', why);
    return problem(exchange, { code, status, title, ...more, cause: `policy ${this.#host.name}: ${why}` });
  }

  #decide(exchange: Exchange, outcome: 'edit' | 'answer' | 'pass', why: string): void {
    exchange.decisions?.push({ step: this.#host.name, use: 'transform', outcome, why });
  }
}

/** Whether a body is transformed while it streams. Lines in another charset are read as a whole, which says that they cannot be. */
const streams = (planned: Planned): planned is Planned & { readonly kind: 'lines' | 'events' } =>
  planned.kind === 'events' || (planned.kind === 'lines' && saysUtf8(planned.contentType));

function isEncoded(headers: HeaderFields): boolean {
  const coding = headers.get('content-encoding')?.trim().toLowerCase() ?? '';
  return coding !== '' && coding !== 'identity';
}

/** A part of a body, or one with a content coding, could only pass unchanged. */
function askForWhole({ headers }: Exchange): void {
  headers.remove('range');
  headers.remove('if-range');
  headers.set('accept-encoding', 'identity');
}

const mayHaveBody = ({ method }: Exchange, { status, body, headers }: Reply): boolean =>
  method !== 'HEAD' &&
  ![204, 205, 304].includes(status) &&
  body !== null &&
  !(body instanceof Uint8Array && body.length === 0) &&
  headers.get('content-length') !== '0';
