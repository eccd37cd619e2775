/** The code of custom policies and actions in a data plane: evaluated once for each hash, while something uses it. */
import type { CodeTexts, Json } from '../../bundle/types.js';
import { instanceOf } from '../../custom/define.js';
import { CodeError, type CodeModule, type CodePlace, evaluateCode, shown } from '../../custom/evaluate.js';
import { RUN_API } from '../../custom/runtime.js';
import type { ActionHost, ActionInstance, PolicyHost, PolicyInstance } from '../../policies/contract.js';
import type { StepCell } from '../../state/step-cell.js';
import { watchedAction, watchedPolicy } from './watched-step.js';

interface Held {
  readonly module: CodeModule;
  holders: number;
}

/** What names code: an entry of a policy or an action. */
interface CodeUse {
  readonly use: string;
  readonly code: string;
}

export class CustomCode {
  readonly #held = new Map<string, Held>();
  readonly #cell: StepCell;

  constructor(cell: StepCell) {
    this.#cell = cell;
  }

  /** Number of modules in memory. */
  get size(): number {
    return this.#held.size;
  }

  /** Creates a policy. It holds its code until release(). Throws if the code cannot be used. */
  policy(entry: CodeUse, texts: CodeTexts | undefined, settings: Json, host: PolicyHost): PolicyInstance {
    return this.#create(entry, texts, host.name, ({ definition, placeOf }) => {
      if (!('phase' in definition)) throw new Error('its module exports an action, not a policy');
      return watchedPolicy(instanceOf(definition, settings, host), host.name, placeOf, this.#cell);
    });
  }

  /** Creates an action, with the same rules. */
  action(entry: CodeUse, texts: CodeTexts | undefined, settings: Json, host: ActionHost): ActionInstance {
    return this.#create(entry, texts, host.name, ({ definition, placeOf }) => {
      if ('phase' in definition) throw new Error('its module exports a policy, not an action');
      return watchedAction(definition.create(settings, host), host.name, placeOf, this.#cell);
    });
  }

  /** One instance of the code has been closed. */
  release(sha256: string): void {
    const held = this.#held.get(sha256);
    if (held !== undefined && --held.holders === 0) this.#held.delete(sha256);
  }

  #create<T>({ use, code }: CodeUse, texts: CodeTexts | undefined, name: string, create: (module: CodeModule) => T): T {
    const module = this.#acquire(use, code, texts);
    try {
      return create(module);
    } catch (error) {
      this.release(code);
      throw new Error(`${name} (${use}) cannot be created: ${shown(error)}${at(module.placeOf(error))}`, {
        cause: error,
      });
    }
  }

  #acquire(use: string, sha256: string, texts: CodeTexts | undefined): CodeModule {
    let held = this.#held.get(sha256);
    if (held === undefined) {
      const text = texts?.get(sha256);
      if (text === undefined) throw new Error(`The bundle has no code for ${use}.`);
      held = { module: evaluated(text, use), holders: 0 };
      this.#held.set(sha256, held);
    }
    held.holders++;
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
