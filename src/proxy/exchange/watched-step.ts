/**
 * Hooks of custom policies and actions, with two additions: while a hook runs, shared memory says which one (another
 * thread samples it and reports slow steps), and an error names its place in the source.
 */
import type { CodePlace } from '../../custom/evaluate.js';
import { shown } from '../../custom/evaluate.js';
import type {
  ActionInstance,
  BodyStage,
  Exchange,
  HeaderFields,
  PolicyInstance,
  Reply,
  StageOut,
} from '../../policies/contract.js';
import type { StepCell } from '../../state/step-cell.js';

type PlaceOf = (error: unknown) => CodePlace | undefined;

/** What surrounds the hooks of one instance. No clock is read and nothing is allocated for a call. */
class Watch {
  readonly #placeOf: PlaceOf;
  readonly cell: StepCell;
  readonly number: number;

  constructor(placeOf: PlaceOf, cell: StepCell, name: string) {
    this.#placeOf = placeOf;
    this.cell = cell;
    this.number = cell.numberOf(name);
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

  stage(stage: BodyStage | undefined): BodyStage | undefined {
    if (stage === undefined) return undefined;
    return {
      observes: stage.observes === true,
      write: this.hook1<Uint8Array, boolean>(stage, stage.write)!,
      end: this.hook1<HeaderFields | undefined, void>(stage, stage.end)!,
      abort: this.hook1<string, void>(stage, stage.abort)!,
    };
  }
}

/** A policy with the same hooks and the same facts. `name`: of the policy in the spec. */
export function watchedPolicy(
  instance: PolicyInstance,
  name: string,
  placeOf: PlaceOf,
  cell: StepCell,
): PolicyInstance {
  const watch = new Watch(placeOf, cell, name);
  const { requestStage, replyStage } = instance;
  const stage2 = watch.hook2<Exchange, StageOut, BodyStage | undefined>(instance, requestStage);
  const stage3 = watch.hook3<Exchange, Reply, StageOut, BodyStage | undefined>(instance, replyStage);
  return present<PolicyInstance>({
    answersPreflight: instance.answersPreflight,
    requestFields: instance.requestFields,
    clientFields: instance.clientFields,
    secretParams: instance.secretParams,
    permits: watch.hook1(instance, instance.permits),
    authenticate: watch.hook2(instance, instance.authenticate),
    strip: watch.hook1(instance, instance.strip),
    before: watch.hook1(instance, instance.before),
    readsRequest: watch.hook1(instance, instance.readsRequest),
    onRequestBody: watch.hook2(instance, instance.onRequestBody),
    requestStage: stage2 && ((exchange, out) => watch.stage(stage2(exchange, out))),
    onAttempt: watch.hook2(instance, instance.onAttempt),
    after: watch.hook2(instance, instance.after),
    readsReply: watch.hook2(instance, instance.readsReply),
    onReplyBody: watch.hook3(instance, instance.onReplyBody),
    replyStage: stage3 && ((exchange, reply, out) => watch.stage(stage3(exchange, reply, out))),
    finished: watch.hook2(instance, instance.finished),
    published: watch.hook1(instance, instance.published),
    stats: instance.stats?.bind(instance),
    close: instance.close?.bind(instance),
  });
}

/** The same for an action. */
export function watchedAction(
  instance: ActionInstance,
  name: string,
  placeOf: PlaceOf,
  cell: StepCell,
): ActionInstance {
  const watch = new Watch(placeOf, cell, name);
  return present<ActionInstance>({
    start: watch.hook1(instance, instance.start),
    finished: watch.hook2(instance, instance.finished),
    stats: instance.stats?.bind(instance),
    close: instance.close?.bind(instance),
  });
}

/** Without the keys that have no value: the chain asks which hooks there are. */
function present<T>(hooks: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(hooks).filter(([, hook]) => hook !== undefined)) as T;
}
