/** What is done with one document: a program in JSONata, or the simple forms. */
import type { Awaitable, Exchange, PolicyHost, Reply } from '../../contract.js';
import { UnitFault } from '../../kits/events/index.js';
import { shortened } from '../../kits/json.js';
import type { JsonValue } from '../../kits/json-text/index.js';
import {
  compileJsonata,
  DEFAULT_JSONATA_LIMITS,
  JsonataFault,
  type JsonataLimits,
  type JsonataProgram,
} from '../../kits/jsonata/index.js';
import { bindingNames } from './binding-names.js';
import { Bindings } from './bindings.js';

/** Why a body, a line or an event cannot be transformed. */
export class BodyFault extends UnitFault {
  /** `message`: for the log. `detail`: for the client. */
  constructor(
    message: string,
    readonly detail = 'The body cannot be transformed.',
  ) {
    super(message);
  }
}

/** Characters of a result. `max`: bytes of the largest document. */
const largestResult = (max: number): number => Math.max(DEFAULT_JSONATA_LIMITS.size, 2 * max);

/** Undefined: there is no result. Throws BodyFault. */
export interface ValueEdit {
  apply(value: JsonValue, exchange: Exchange, reply: Reply | undefined): Awaitable<JsonValue | undefined>;
}

export class JsonataEdit implements ValueEdit {
  readonly #program: JsonataProgram;
  readonly #bindings: Bindings;
  readonly #host: Pick<PolicyHost, 'clock' | 'random'>;
  readonly #limits: JsonataLimits;

  /** `max`: bytes of the largest document. Throws for a program that is not valid. */
  constructor(source: string, onReply: boolean, max: number, host: Pick<PolicyHost, 'clock' | 'random'>) {
    const program = compileJsonata(source, { bindings: bindingNames(onReply) });
    if ('error' in program) throw new TypeError(`jsonata: ${program.error}`);
    this.#program = program;
    this.#bindings = new Bindings(program.reads.bindings);
    this.#host = host;
    this.#limits = { ...DEFAULT_JSONATA_LIMITS, size: largestResult(max) };
  }

  apply(value: JsonValue, exchange: Exchange, reply: Reply | undefined): Awaitable<JsonValue | undefined> {
    const bindings = this.#bindings.of(exchange, reply);
    const result = this.#program.run(value, bindings, this.#host, this.#limits);
    return result instanceof Promise ? result.catch(refuse) : result;
  }
}

function refuse(error: unknown): never {
  if (!(error instanceof JsonataFault)) throw error;
  const { kind, message, position } = error;
  const where = position === undefined ? '' : ` at character ${position}`;
  throw new BodyFault(`jsonata (${kind}${where}): ${shortened(message, 200)}`);
}
