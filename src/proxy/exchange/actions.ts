/** The actions of a loaded bundle. */
import { createHash } from 'node:crypto';
import { runHalves } from '../../actions/run-registry.js';
import { canonicalJson } from '../../bundle/canonical.js';
import type { ActionEntry, CodeTexts, Program, RouteEntry } from '../../bundle/types.js';
import type { ActionHost, ActionInstance, BodyMemory, Forwarded, Logger, PolicyHost } from '../../policies/contract.js';
import { messageOf } from '../../reason.js';
import type { BodyBudget } from '../load/body-buffer.js';
import { parentOf } from '../upstream/call/calls.js';
import { recordStored } from '../upstream/call/record.js';
import { collectForAction } from './action-body.js';
import type { Refusals } from './chain/refusals.js';
import type { ChainPolicy } from './chain/step.js';
import type { CustomCode } from './custom-code.js';
import { passedFields } from './passed-fields.js';
import { answerOf } from './policy-answer.js';
import type { PolicyTimers } from './policy-timers.js';

/** What host.forward() returns; the driver then forwards the request. */
export const FORWARDED: Forwarded = { forwarded: true };

/** Creates the host of an action without what only actions have. `timers`: to be closed with the action. */
export type HostOf = (of: {
  readonly name: string;
  readonly identity: string;
  readonly calls: readonly string[];
  readonly acts: true;
}) => { readonly host: PolicyHost; readonly timers: PolicyTimers };

/** The code of a data plane, the texts of the bundle, what counts the refusals of policies, and the memory for bodies. */
export interface ActionCode {
  readonly refusals: Refusals;
  readonly bodies: BodyBudget;
  readonly code: CustomCode;
  readonly texts: CodeTexts | undefined;
}

/** Routes with the same action share one instance. */
export class RouteActions {
  readonly #custom: ActionCode;
  readonly #memory: BodyMemory;
  /** The code that instances hold, one for each. */
  readonly #held: { readonly code: string; readonly name: string }[] = [];
  readonly #timers: PolicyTimers[] = [];
  readonly #byKey = new Map<string, ActionInstance>();
  /** By the index of the route. */
  readonly byRoute: readonly ActionInstance[];

  /** Throws and closes all if one cannot be created. */
  constructor(
    { routes }: Program,
    policies: readonly ChainPolicy[],
    hostOf: HostOf,
    logger: Logger,
    custom: ActionCode,
  ) {
    this.#custom = custom;
    const { bodies } = custom;
    this.#memory = { take: (bytes) => bodies.reserve(bytes), give: (bytes) => bodies.unreserve(bytes) };
    try {
      this.byRoute = routes.map((route) =>
        route.answers === undefined
          ? this.#actionOf(route, hostOf)
          : answerOf(route, policies[route.answers]!, custom.refusals),
      );
    } catch (error) {
      this.close(logger);
      throw error;
    }
  }

  #actionOf({ action, name, policies }: RouteEntry, hostOf: HostOf): ActionInstance {
    const { use, settings, code, calls = [] } = action;
    const constantReplies = policies.length === 0;
    const key = `${code ?? use} ${constantReplies} ${canonicalJson([settings, calls])}`;
    let instance = this.#byKey.get(key);
    if (instance === undefined) {
      const identity = createHash('sha256').update(key).digest('hex').slice(0, 32);
      const { host: common, timers } = hostOf({ name: use, identity, calls, acts: true });
      this.#timers.push(timers);
      const host: ActionHost = {
        ...common,
        constantReplies,
        forward: () => FORWARDED,
        passedFields,
        collectBody: (exchange, max) => collectForAction(exchange, use, max),
        recordStored: (exchange, call) => recordStored(parentOf(exchange)!, call, common.clock.monotonic()),
        memory: this.#memory,
      };
      instance = this.#create(action, name, host);
      this.#byKey.set(key, instance);
    }
    return instance;
  }

  #create({ use, settings, code }: ActionEntry, route: string, host: ActionHost): ActionInstance {
    if (code !== undefined) {
      const instance = this.#custom.code.action({ use, code }, this.#custom.texts, settings, host);
      this.#held.push({ code, name: use });
      return instance;
    }
    const create = Object.hasOwn(runHalves, use) ? runHalves[use] : undefined;
    if (create === undefined) throw new Error(`This version of gw has no action ${use} (route ${route}).`);
    return create(settings, host);
  }

  /** The last exchange of the generation has ended. */
  close(logger: Logger): void {
    for (const instance of this.#byKey.values()) {
      try {
        instance.close?.();
      } catch (error) {
        logger.error('cannot close an action', { cause: messageOf(error) });
      }
    }
    for (const timers of this.#timers.splice(0)) timers.close();
    for (const { code, name } of this.#held.splice(0)) this.#custom.code.release(code, name);
  }
}
