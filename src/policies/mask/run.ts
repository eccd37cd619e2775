/** mask at run time. */
import type {
  BodyStage,
  Exchange,
  HeaderFields,
  PolicyHost,
  PolicyInstance,
  RecordTexts,
  Reply,
  StageOut,
} from '../contract.js';
import { problem, runPolicy } from '../run-kit.js';
import { DataMask, isUnreadable } from './data.js';
import { FieldMask } from './fields.js';
import { formOf } from './forms.js';
import { type BodyKind, bodyKind, saysUtf8 } from './media.js';
import { PROBLEMS } from './problems.js';
import { RecordMask } from './record.js';
import type { MaskSettings } from './schema.js';
import { maskStage } from './streams.js';
import { textRule } from './texts.js';

export const create = runPolicy<MaskSettings>((settings, host) => new Mask(settings, host));

class Mask implements PolicyInstance {
  readonly #settings: MaskSettings;
  readonly #host: PolicyHost;
  readonly #data: DataMask;
  readonly #fields: FieldMask;
  /** Media types of texts that are read; none without a rule for all texts. */
  readonly #textTypes: readonly string[];
  readonly after?: (exchange: Exchange, reply: Reply) => undefined;
  readonly readsReply?: (exchange: Exchange, reply: Reply) => boolean | 'stream';
  readonly onReplyBody?: (exchange: Exchange, reply: Reply, body: Uint8Array) => Reply | Uint8Array | undefined;
  readonly replyStage?: (exchange: Exchange, reply: Reply, out: StageOut) => BodyStage | undefined;
  readonly maskRecord?: (record: RecordTexts) => void;
  #unreadable = 0;
  #lastType: string | undefined;
  /** Of `#lastType`; null: none was read. */
  #lastKind: BodyKind | null | undefined = null;

  constructor(settings: MaskSettings, host: PolicyHost) {
    this.#settings = settings;
    this.#host = host;
    const { lenient, logs, reply } = settings;
    const rules = reply.map((rule) => ({
      ...rule,
      form: formOf(rule.form),
      text: rule.find === null ? undefined : textRule(rule.find, rule.form),
    }));
    const members = rules.flatMap(({ form, paths, text }) => paths.map((path) => ({ path, form, text })));
    const texts = rules.flatMap(({ headers, paths, text }) =>
      headers.length + paths.length === 0 && text !== undefined ? [text] : [],
    );
    this.#data = new DataMask(members, texts, lenient);
    this.#fields = new FieldMask(rules);
    this.#textTypes = texts.length === 0 ? [] : settings.textTypes;
    if (!this.#fields.isEmpty) this.after = (exchange, one) => this.#maskFields(exchange, one);
    if (members.length + texts.length > 0) {
      this.readsReply = (_exchange, one) => this.#reads(one);
      this.onReplyBody = (exchange, one, body) => this.#whole(exchange, one, body);
      this.replyStage = (exchange, one, out) => this.#stage(exchange, one, out);
    }
    if (logs.length > 0) {
      const mask = new RecordMask(logs);
      this.maskRecord = (record) => mask.mask(record);
    }
  }

  stats() {
    return { unreadable: this.#unreadable };
  }

  /** Several hooks ask, and most replies have the media type of the one before. */
  #kindOf({ headers }: Reply): BodyKind | undefined {
    const type = headers.get('content-type');
    if (type !== this.#lastType || this.#lastKind === null) {
      this.#lastKind = bodyKind(type, this.#textTypes);
      this.#lastType = type;
    }
    return this.#lastKind;
  }

  #reads(reply: Reply): boolean | 'stream' {
    const kind = this.#kindOf(reply);
    if (kind === undefined) return false;
    return streams(kind, reply) ? 'stream' : true;
  }

  #maskFields(exchange: Exchange, reply: Reply): undefined {
    const masked = this.#fields.mask(reply.headers);
    if (masked.length === 0 || exchange.decisions === undefined) return;
    const why = `header fields masked: ${masked.join(', ')}`;
    exchange.decisions.push({ step: this.#host.name, use: 'mask', outcome: 'edit', why });
  }

  #whole(exchange: Exchange, reply: Reply, body: Uint8Array): Reply | Uint8Array | undefined {
    const masked = this.#data.whole(this.#kindOf(reply) ?? 'guess', reply, body);
    if (!isUnreadable(masked)) return masked;
    if (this.#settings.lenient) return undefined;
    return this.#refusal(exchange, masked.fault);
  }

  #refusal(exchange: Exchange, fault: string): Reply {
    this.#unreadable++;
    const cause = `policy ${this.#host.name} cannot mask the reply: ${fault}`;
    exchange.decisions?.push({ step: this.#host.name, use: 'mask', outcome: 'answer', why: cause });
    return problem(exchange, { ...PROBLEMS.unreadable, cause });
  }

  #stage(exchange: Exchange, reply: Reply, out: StageOut): BodyStage | undefined {
    const kind = this.#kindOf(reply);
    if (kind === undefined || !isStream(kind) || !streams(kind, reply)) return undefined;
    return maskStage(kind, {
      out,
      clock: this.#host.clock,
      mask: this.#data,
      max: this.#settings.maxEvent,
      trailers: (fields: HeaderFields) => void this.#fields.mask(fields),
      refusal: (cause) => this.#refusal(exchange, cause),
    });
  }
}

/** Whether a body is masked as it streams. A text in another charset is read as a whole, which says that it cannot be. */
const streams = (kind: BodyKind, { headers }: Reply): boolean =>
  isStream(kind) && saysUtf8(headers.get('content-type'));

const isStream = (kind: BodyKind): kind is 'lines' | 'events' => kind === 'lines' || kind === 'events';
