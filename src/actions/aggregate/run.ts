/** aggregate at run time. */
import type { ActionHost, ActionInstance, Exchange, Json, Reply } from '../../policies/contract.js';
import { runAction } from '../../policies/run-kit.js';
import { Execution, type Prepared } from './execution.js';
import { PreparedCall } from './request.js';
import type { AggregateSettings, ExpressionSettings } from './schema.js';
import { Value } from './value.js';
import { CallTemplate } from './values.js';

export const create = runAction<Json>(
  (settings, host) => new Aggregate(settings as unknown as AggregateSettings, host),
);

class Aggregate implements ActionInstance {
  readonly #host: ActionHost;
  readonly #prepared: Prepared;

  constructor(settings: AggregateSettings, host: ActionHost) {
    this.#host = host;
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
      store: settings.calls.some(({ cache }) => cache !== undefined)
        ? host.content({
            maxEntry: Math.max(...settings.calls.map(({ maxReply }) => maxReply)),
            admission: true,
            disk: false,
          })
        : undefined,
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
    const execution = new Execution(this.#prepared, this.#host, exchange);
    exchange.note(this, execution);
    return execution.run();
  }

  finished(exchange: Exchange): void {
    const execution = exchange.noted(this);
    if (execution instanceof Execution) execution.close();
  }
}
