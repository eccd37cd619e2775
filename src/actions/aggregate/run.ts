/** aggregate at run time. */
import type { ActionHost, ActionInstance, Exchange, Json, Reply } from '../../policies/contract.js';
import { runAction } from '../../policies/run-kit.js';
import { Execution, type Prepared } from './execution.js';
import { PreparedCall } from './request.js';
import type { AggregateSettings, CallTemplateEntry } from './schema.js';
import { CallTemplate } from './values.js';

export const create = runAction<Json>(
  (settings, host) => new Aggregate(settings as unknown as AggregateSettings, host),
);

class Aggregate implements ActionInstance {
  readonly #host: ActionHost;
  readonly #prepared: Prepared;

  constructor(settings: AggregateSettings, host: ActionHost) {
    this.#host = host;
    const calls = settings.calls.map((call) => new PreparedCall(call, host));
    const { etag, headers, maxTotal, status, timeout } = settings;
    this.#prepared = {
      calls,
      waiting: calls.map((_call, index) =>
        calls.flatMap(({ settings: { after } }, other) => (after.includes(index) ? [other] : [])),
      ),
      timeout,
      maxTotal,
      reply: {
        calls,
        status,
        headers: headers.map(([name, value]) => [name, new CallTemplate(value)] as const),
        etag,
        decidesStatus: status !== undefined,
        personal: isPersonal(settings),
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

/** Whether a call depends on who calls, or on more of the request than its URL: caches do not see what templates read. */
function isPersonal({ calls }: AggregateSettings): boolean {
  const texts = calls.flatMap(({ body, headers, path, query }) => [
    path,
    ...query.map(([, value]) => value),
    ...headers.map(([, value]) => value),
    ...(body === undefined ? [] : [body]),
  ]);
  return calls.some(({ when }) => when !== undefined) || texts.some((text: CallTemplateEntry) => text.some(isOfCaller));
}

const isOfCaller = (part: CallTemplateEntry[number]): boolean =>
  typeof part !== 'string' && 'var' in part && /^(consumer|claims|client|request\.(header|id))\b/.test(part.var);
