/**
 * Hooks of custom policies and actions, with three additions: while a hook runs, shared memory says which one (another
 * thread samples it and reports slow steps), an error names its place in the source, and the rejection of a promise that the
 * contract does not expect is handled.
 */
import type { CodePlace } from '../../custom/evaluate.js';
import { shown } from '../../custom/evaluate.js';
import { checkedAuthentication } from '../../custom/instance.js';
import type {
  ActionInstance,
  Authentication,
  Awaitable,
  BodyStage,
  Exchange,
  ExchangeEnd,
  HeaderFields,
  Json,
  Logger,
  PolicyHost,
  PolicyInstance,
  Reply,
  StageOut,
} from '../../policies/contract.js';
import type { StepCell } from '../../state/step-cell.js';

type PlaceOf = (error: unknown) => CodePlace | undefined;

/** What surrounds the hooks of one instance. No clock is read and nothing is allocated for a call. */
export class Watch {
  readonly #name: string;
  readonly #placeOf: PlaceOf;
  readonly #logger: Logger;
  readonly cell: StepCell;
  readonly number: number;

  /** `name`: of the policy in the spec. */
  constructor(name: string, placeOf: PlaceOf, cell: StepCell, logger: Logger) {
    this.#name = name;
    this.#placeOf = placeOf;
    this.#logger = logger;
    this.cell = cell;
    this.number = cell.numberOf(name);
  }

  /** The host, whose timers are watched like hooks. */
  host<Host extends PolicyHost>(host: Host): Host {
    const after: Host['after'] = (ms, work) => {
      const watched = this.hook1<undefined, void>(host, work)!;
      return host.after(ms, () => this.unawaited(watched(undefined)));
    };
    return { ...host, after };
  }

  /** Handles the result of a hook that the contract calls synchronous: an async function gives a promise. */
  unawaited(result: unknown, failed?: () => void): void {
    if (!(result instanceof Promise)) return;
    result.catch((error: unknown) => {
      this.#logger.error('custom step failed after it returned', { policy: this.#name, ...errorFields(error) });
      failed?.();
    });
  }

  /** The error, with its place in the source. */
  placed(error: unknown): Error {
    const place = this.#placeOf(error);
    if (place === undefined && error instanceof Error) return error;
    const where = place === undefined ? '' : ` (${place.file}:${place.line}:${place.column})`;
    return new Error(`${shown(error)}${where}`, { cause: error });
  }

  /** The result; the rejection of a promise names its place. */
  settle<T>(result: T): T {
    if (!(result instanceof Promise)) return result;
    return result.catch((error: unknown) => {
      throw this.placed(error);
    }) as T;
  }

  hook1<A, T>(owner: object, hook: ((a: A) => T) | undefined): ((a: A) => T) | undefined {
    if (hook === undefined) return undefined;
    const { cell, number } = this;
    return (a) => {
      const outer = cell.enter(number);
      try {
        const result = hook.call(owner, a);
        return result === undefined ? result : this.settle(result);
      } catch (error) {
        throw this.placed(error);
      } finally {
        cell.leave(outer);
      }
    };
  }

  hook2<A, B, T>(owner: object, hook: ((a: A, b: B) => T) | undefined): ((a: A, b: B) => T) | undefined {
    if (hook === undefined) return undefined;
    const { cell, number } = this;
    return (a, b) => {
      const outer = cell.enter(number);
      try {
        const result = hook.call(owner, a, b);
        return result === undefined ? result : this.settle(result);
      } catch (error) {
        throw this.placed(error);
      } finally {
        cell.leave(outer);
      }
    };
  }

  hook3<A, B, C, T>(owner: object, hook: ((a: A, b: B, c: C) => T) | undefined): ((a: A, b: B, c: C) => T) | undefined {
    if (hook === undefined) return undefined;
    const { cell, number } = this;
    return (a, b, c) => {
      const outer = cell.enter(number);
      try {
        const result = hook.call(owner, a, b, c);
        return result === undefined ? result : this.settle(result);
      } catch (error) {
        throw this.placed(error);
      } finally {
        cell.leave(outer);
      }
    };
  }

  stage(stage: BodyStage | undefined, out: StageOut): BodyStage | undefined {
    if (stage === undefined) return undefined;
    if (!isStage(stage)) throw new TypeError('a stage must be an object with write(), end() and abort()');
    const write = this.hook1<Uint8Array, boolean>(stage, stage.write)!;
    const end = this.hook1<HeaderFields | undefined, void>(stage, stage.end)!;
    const abort = this.hook1<string, void>(stage, stage.abort)!;
    const fail = (): void => out.fail(`a stage of policy ${this.#name} failed`);
    return {
      observes: stage.observes === true,
      write: (bytes) => {
        const accepts: unknown = write(bytes);
        this.unawaited(accepts, fail);
        return accepts !== false;
      },
      end: (trailers) => this.unawaited(end(trailers), fail),
      abort: (cause) => this.unawaited(abort(cause)),
    };
  }
}

const isStage = (stage: unknown): boolean =>
  typeof stage === 'object' &&
  stage !== null &&
  ['write', 'end', 'abort'].every((name) => typeof Reflect.get(stage, name) === 'function');

const errorFields = (error: unknown): { readonly cause: string; readonly stack: string | undefined } => ({
  cause: shown(error),
  stack: error instanceof Error ? error.stack : undefined,
});

/** A policy with the same hooks and the same facts. */
export function watchedPolicy(instance: PolicyInstance, watch: Watch): PolicyInstance {
  const { requestStage, replyStage } = instance;
  const finished = watch.hook2<Exchange, ExchangeEnd, void>(instance, instance.finished);
  const published = watch.hook1<Json, void>(instance, instance.published);
  const stage2 = watch.hook2<Exchange, StageOut, BodyStage | undefined>(instance, requestStage);
  const stage3 = watch.hook3<Exchange, Reply, StageOut, BodyStage | undefined>(instance, replyStage);
  return present<PolicyInstance>({
    answersPreflight: instance.answersPreflight,
    requestFields: instance.requestFields,
    clientFields: instance.clientFields,
    identityFields: instance.identityFields,
    passedFields: instance.passedFields,
    secretParams: instance.secretParams,
    ownsCookie: watch.hook1(instance, instance.ownsCookie),
    permits: watch.hook1(instance, instance.permits),
    authenticate: watch.hook2(instance, checking(instance)),
    strip: watch.hook1(instance, instance.strip),
    before: watch.hook1(instance, instance.before),
    readsRequest: watch.hook1(instance, instance.readsRequest),
    onRequestBody: watch.hook2(instance, instance.onRequestBody),
    requestStage: stage2 && ((exchange, out) => watch.stage(stage2(exchange, out), out)),
    onAttempt: watch.hook2(instance, instance.onAttempt),
    after: watch.hook2(instance, instance.after),
    readsReply: watch.hook2(instance, instance.readsReply),
    onReplyBody: watch.hook3(instance, instance.onReplyBody),
    replyStage: stage3 && ((exchange, reply, out) => watch.stage(stage3(exchange, reply, out), out)),
    answer: watch.hook3(instance, instance.answer),
    finished: finished && ((exchange, end) => watch.unawaited(finished(exchange, end))),
    published: published && ((value) => watch.unawaited(published(value))),
    maskRecord: instance.maskRecord?.bind(instance),
    stats: instance.stats?.bind(instance),
    close: instance.close?.bind(instance),
  });
}

/** authenticate() with a check of its result. */
function checking(instance: PolicyInstance): PolicyInstance['authenticate'] {
  if (instance.authenticate === undefined) return undefined;
  return (exchange, collect): Awaitable<Authentication> => {
    const found = instance.authenticate!(exchange, collect);
    return found instanceof Promise ? found.then(checkedAuthentication) : checkedAuthentication(found);
  };
}

/** The same for an action. */
export function watchedAction(instance: ActionInstance, watch: Watch): ActionInstance {
  const finished = watch.hook2<Exchange, ExchangeEnd, void>(instance, instance.finished);
  return present<ActionInstance>({
    start: watch.hook1(instance, instance.start),
    finished: finished && ((exchange, end) => watch.unawaited(finished(exchange, end))),
    stats: instance.stats?.bind(instance),
    close: instance.close?.bind(instance),
  });
}

/** Without the keys that have no value: the chain asks which hooks there are. */
function present<T>(hooks: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(hooks).filter(([, hook]) => hook !== undefined)) as T;
}
