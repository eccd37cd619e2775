/** aggregate at run time. */
import type { ActionHost, ActionInstance, Exchange, Json, Reply } from '../../policies/contract.js';
import { type JsonValue, readJsonText } from '../../policies/kits/json-text/index.js';
import { problem, runAction } from '../../policies/run-kit.js';
import type { CallStore, StoredCall } from './call-cache.js';
import { CallFlights } from './call-flights.js';
import { Execution, type Prepared } from './execution.js';
import { PROBLEMS } from './problems.js';
import { PreparedCall } from './request.js';
import type { AggregateSettings, ExpressionSettings } from './schema.js';
import { Value } from './value.js';
import { CallTemplate } from './values.js';

export const create = runAction<Json>(
  (settings, host) => new Aggregate(settings as unknown as AggregateSettings, host),
);

function storeOf({ calls }: AggregateSettings, host: ActionHost): CallStore {
  const maxEntry = Math.max(...calls.map(({ maxReply }) => maxReply));
  const store = host.content<StoredCall>({ maxEntry, admission: true, disk: false });
  return { store, flights: new CallFlights(host) };
}

class Aggregate implements ActionInstance {
  readonly #host: ActionHost;
  readonly #prepared: Prepared;
  /** Bytes of the body of the request that is read. */
  readonly #maxBody: number | undefined;

  constructor(settings: AggregateSettings, host: ActionHost) {
    this.#host = host;
    this.#maxBody = settings.requestBody;
    const { etag, headers, maxTotal, merge, personal, status, timeout } = settings;
    const names = settings.calls.map(({ name }) => name);
    const prepare = (entry: ExpressionSettings): Value => new Value(entry, names, host, maxTotal);
    const calls = settings.calls.map((call) => new PreparedCall(call, host, prepare));
    this.#prepared = {
      calls,
      waiting: calls.map((_call, index) =>
        calls.flatMap(({ settings: { after } }, other) => (after.includes(index) ? [other] : [])),
      ),
      timeout,
      maxTotal,
      store: settings.calls.some(({ cache }) => cache !== undefined) ? storeOf(settings, host) : undefined,
      reply: {
        calls,
        status: status === undefined || typeof status === 'number' ? status : prepare(status),
        merge: merge === undefined ? undefined : prepare(merge),
        headers: headers.map(([name, value]) => [name, new CallTemplate(value)] as const),
        etag,
        decidesStatus: status !== undefined,
        personal,
      },
    };
  }

  start(exchange: Exchange): Promise<Reply> {
    if (this.#maxBody === undefined || !exchange.hasBody) return this.#run(exchange, undefined);
    return this.#withBody(exchange, this.#maxBody);
  }

  async #withBody(exchange: Exchange, max: number): Promise<Reply> {
    const bytes = await this.#host.collectBody(exchange, max);
    if (!(bytes instanceof Uint8Array)) return bytes;
    if (bytes.length === 0) return this.#run(exchange, undefined);
    const { fault, value } = readJsonText(bytes, { bytes: max });
    return fault === undefined
      ? this.#run(exchange, value)
      : problem(exchange, { ...PROBLEMS.body, detail: fault.detail });
  }

  #run(exchange: Exchange, body: JsonValue | undefined): Promise<Reply> {
    const execution = new Execution(this.#prepared, this.#host, exchange, body);
    exchange.note(this, execution);
    return execution.run();
  }

  finished(exchange: Exchange): void {
    const execution = exchange.noted(this);
    if (execution instanceof Execution) execution.close();
  }
}
