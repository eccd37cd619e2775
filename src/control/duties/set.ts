/** All duties of a gateway. They outlive reloads: a policy that stays the same keeps its duty. */
import type { CodeTexts, Json, PolicyEntry, Program } from '../../bundle/types.js';
import type { CreateDuty } from '../../policies/contract.js';
import { reasonOf } from '../../reason.js';
import type { DutySnapshot } from '../../telemetry/snapshot.js';
import { Duty, type DutyWorld } from './duty.js';

/** A first run that has failed, or has not finished in the time that the load waits for it. */
export interface DutyFailure {
  readonly policy: PolicyEntry;
  readonly cause: string;
  /** The load is rejected. Otherwise the policy starts without a value, or with that of the last generation. */
  readonly rejects: boolean;
  /** The policy has the last value of an earlier generation. */
  readonly hasValue: boolean;
}

/** The duties of a candidate: running, those that are new with a first run behind them. */
export interface DutyPreparation {
  /** Values by identity of the policy, always the current ones. */
  readonly published: ReadonlyMap<string, Json>;
  readonly failures: readonly DutyFailure[];
  /** The candidate is live: closes the duties that it does not have. */
  commit(): void;
  /** The candidate is rejected: closes the duties that only it has. */
  abandon(): void;
}

export interface DutySetOptions extends DutyWorld {
  /** `code`: of the policy's bundle, for the duty of a custom policy. */
  readonly create: (policy: PolicyEntry, code: CodeTexts | undefined) => CreateDuty | undefined;
  /** Sends a value to all workers. */
  readonly publish: (identity: string, value: Json) => void;
}

export class DutySet {
  readonly #options: DutySetOptions;
  /** By identity of the policy: those of the live generation and of a candidate. */
  readonly #duties = new Map<string, Duty>();
  readonly #published = new Map<string, Json>();
  #closed = false;

  constructor(options: DutySetOptions) {
    this.#options = options;
  }

  /**
   * Starts the duties that a program has and the live one has not, and waits for their first runs, each for its own bounded
   * time. Throws if a duty cannot be created; then nothing has changed.
   */
  async prepare(program: Program, code?: CodeTexts): Promise<DutyPreparation> {
    const wanted = new Map(program.policies.filter(({ duty }) => duty).map((policy) => [policy.identity, policy]));
    const fresh: Duty[] = [];
    const abandon = (): void => this.#close(fresh);
    try {
      for (const policy of wanted.values())
        if (!this.#duties.has(policy.identity)) fresh.push(this.#open(policy, code));
    } catch (error) {
      abandon();
      throw error;
    }
    for (const duty of fresh) duty.start();
    const failures = await Promise.all(fresh.map((duty) => this.#firstRun(duty, wanted.get(duty.policy.identity)!)));
    return {
      published: this.#published,
      failures: failures.filter((failure) => failure !== undefined),
      commit: () => this.#close([...this.#duties.values()].filter(({ policy }) => !wanted.has(policy.identity))),
      abandon,
    };
  }

  /** The answer of the duty of the policy with this identity. */
  ask(identity: string, question: Json): Promise<Json> {
    const duty = this.#duties.get(identity);
    return duty === undefined ? Promise.reject(new Error('the policy has no duty')) : duty.ask(question);
  }

  /** In the order of the program. */
  snapshots(program: Program): DutySnapshot[] {
    const identities = new Set(program.policies.map(({ identity }) => identity));
    return [...identities].flatMap((identity) => this.#duties.get(identity)?.snapshot ?? []);
  }

  /** Closes all duties and ends waits for first runs. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#close([...this.#duties.values()]);
  }

  #open(policy: PolicyEntry, code: CodeTexts | undefined): Duty {
    if (this.#closed) throw new Error('The gateway is closing.');
    const { create: createOf, publish, ...world } = this.#options;
    const { identity } = policy;
    const create = createOf(policy, code);
    if (!create) throw new Error(`This version of gw has no duty for the policy kind ${policy.use} (${policy.name}).`);
    const last = this.#lastOf(policy);
    let duty: Duty;
    try {
      duty = new Duty(policy, create, world, last, (value) => {
        this.#published.set(identity, value);
        publish(identity, value);
      });
    } catch (error) {
      throw new Error(`The duty of policy ${policy.name} cannot start: ${reasonOf(error)}`, { cause: error });
    }
    if (last !== undefined) this.#published.set(identity, last);
    this.#duties.set(identity, duty);
    return duty;
  }

  /** The last value of a duty with the same state. */
  #lastOf(policy: PolicyEntry): Json | undefined {
    const state = stateOf(policy);
    for (const duty of this.#duties.values())
      if (stateOf(duty.policy) === state && duty.last !== undefined) return duty.last;
    return undefined;
  }

  async #firstRun(duty: Duty, policy: PolicyEntry): Promise<DutyFailure | undefined> {
    const { wait, required } = policy.duty!;
    let cancel: () => void = () => {};
    const late = new Promise<string>((resolve) => {
      cancel = this.#options.after(wait, () => resolve(`not finished within ${wait} ms`));
    });
    const cause = await Promise.race([duty.first, late]);
    cancel();
    if (cause === undefined) return undefined;
    const hasValue = duty.last !== undefined;
    return { policy, cause, rejects: required && !hasValue, hasValue };
  }

  #close(duties: readonly Duty[]): void {
    for (const duty of duties) {
      const { identity } = duty.policy;
      duty.close();
      if (this.#duties.get(identity) !== duty) continue;
      this.#duties.delete(identity);
      this.#published.delete(identity);
    }
  }
}

const stateOf = ({ identity, stateIdentity = identity }: Pick<PolicyEntry, 'identity' | 'stateIdentity'>): string =>
  stateIdentity;
