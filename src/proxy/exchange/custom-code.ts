/** The code of custom policies and actions in a data plane: evaluated once for each hash, while something uses it. */
import type { CodeTexts, Json } from '../../bundle/types.js';
import { CodeError, type CodeModule, type CodePlace, evaluateCode, isAlone, shown } from '../../custom/evaluate.js';
import { actionInstanceOf, instanceOf } from '../../custom/instance.js';
import { RUN_API } from '../../custom/runtime.js';
import type { ActionHost, ActionInstance, Logger, PolicyHost, PolicyInstance } from '../../policies/contract.js';
import type { StepCell } from '../../state/step-cell.js';
import { Watch, watchedAction, watchedPolicy } from './watched-step.js';

interface Held {
  readonly module: CodeModule;
  /** Names of the instances, one for each. */
  readonly holders: string[];
}

/** An error of custom code outside of its hooks: in a timer of Node, or a promise that nothing awaits. */
export interface StrayError {
  /** Names of the policies and actions with this code. */
  readonly policies: readonly string[];
  /** With its place in the source. */
  readonly cause: string;
  /** No code of gw was interrupted. */
  readonly alone: boolean;
}

/** What names code: an entry of a policy or an action. */
interface CodeUse {
  readonly use: string;
  readonly code: string;
}

export class CustomCode {
  readonly #held = new Map<string, Held>();
  readonly #cell: StepCell;
  readonly #logger: Logger;

  constructor(cell: StepCell, logger: Logger) {
    this.#cell = cell;
    this.#logger = logger;
  }

  /** Number of modules in memory. */
  get size(): number {
    return this.#held.size;
  }

  /** Creates a policy. It holds its code until release(). Throws if the code cannot be used. */
  policy(entry: CodeUse, texts: CodeTexts | undefined, settings: Json, host: PolicyHost): PolicyInstance {
    return this.#create(entry, texts, host.name, ({ definition, placeOf }) => {
      if (!('phase' in definition)) throw new Error('its module exports an action, not a policy');
      const watch = new Watch(host.name, placeOf, this.#cell, this.#logger);
      return watchedPolicy(instanceOf(definition, settings, watch.host(host)), watch);
    });
  }

  /** Creates an action, with the same rules. */
  action(entry: CodeUse, texts: CodeTexts | undefined, settings: Json, host: ActionHost): ActionInstance {
    return this.#create(entry, texts, host.name, ({ definition, placeOf }) => {
      if ('phase' in definition) throw new Error('its module exports a policy, not an action');
      const watch = new Watch(host.name, placeOf, this.#cell, this.#logger);
      return watchedAction(actionInstanceOf(definition, settings, watch.host(host)), watch);
    });
  }

  /** The instance with this name has been closed. */
  release(sha256: string, name: string): void {
    const held = this.#held.get(sha256);
    if (held === undefined) return;
    held.holders.splice(held.holders.indexOf(name), 1);
    if (held.holders.length === 0) this.#held.delete(sha256);
  }

  /** What is known about an error that no hook threw; undefined if its stack does not lead to custom code. */
  strayOf(error: unknown): StrayError | undefined {
    // The newest first: a reload may have left an older version of the same file.
    for (const { module, holders } of [...this.#held.values()].reverse()) {
      const place = module.placeOf(error);
      if (place !== undefined)
        return { policies: [...new Set(holders)], cause: `${shown(error)}${at(place)}`, alone: isAlone(error) };
    }
    return undefined;
  }

  #create<T>({ use, code }: CodeUse, texts: CodeTexts | undefined, name: string, create: (module: CodeModule) => T): T {
    const module = this.#acquire(use, code, texts, name);
    try {
      return create(module);
    } catch (error) {
      this.release(code, name);
      throw new Error(`${name} (${use}) cannot be created: ${shown(error)}${at(module.placeOf(error))}`, {
        cause: error,
      });
    }
  }

  #acquire(use: string, sha256: string, texts: CodeTexts | undefined, name: string): CodeModule {
    let held = this.#held.get(sha256);
    if (held === undefined) {
      const text = texts?.get(sha256);
      if (text === undefined) throw new Error(`The bundle has no code for ${use}.`);
      held = { module: evaluated(text, use), holders: [] };
      this.#held.set(sha256, held);
    }
    held.holders.push(name);
    return held.module;
  }
}

function evaluated(text: string, use: string): CodeModule {
  try {
    return evaluateCode(text, use, RUN_API);
  } catch (error) {
    if (!(error instanceof CodeError)) throw error;
    throw new Error(`The code of ${use} cannot be loaded: ${error.message}${at(error.place)}`, { cause: error });
  }
}

const at = (place: CodePlace | undefined): string =>
  place === undefined ? '' : ` (${place.file}:${place.line}:${place.column})`;
