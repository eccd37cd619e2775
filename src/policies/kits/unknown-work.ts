/**
 * The work that the check of an unknown name takes, so that its time does not tell whether the name exists. Works occur as often among
 * unknown names as among known ones, and one name always gets the same one: nothing that a client does changes it.
 */
import * as crypto from 'node:crypto';
import type { CredentialWork, PolicyHost } from '../contract.js';

/** The works of unknown names in the order of their texts. */
type Mix = readonly (readonly [work: string, count: number])[];

const RANGE = 2 ** 48;

export class UnknownWork {
  readonly #host: Pick<PolicyHost, 'name' | 'consumers'>;
  readonly #kind: 'password' | 'signature' | undefined;
  readonly #own: CredentialWork;
  /** Of the consumers, when the mix was made. */
  #version: number | undefined;
  #mix: Mix = [];
  /** Decides with the name: clients do not know it. */
  #mark = '';

  /** `own`: of the config of the policy. `kind`: of the credentials of consumers that it accepts; undefined: none. */
  constructor(
    host: Pick<PolicyHost, 'name' | 'consumers'>,
    kind: 'password' | 'signature' | undefined,
    own: CredentialWork,
  ) {
    this.#host = host;
    this.#kind = kind;
    this.#own = own;
  }

  /** Undefined if no credential is known. `among`: only these works. */
  of(name: string, among?: (work: string) => boolean): string | undefined {
    const all = this.#current();
    const mix = among === undefined ? all : all.filter(([work]) => among(work));
    if (mix.length < 2) return mix[0]?.[0];
    const total = mix.reduce((sum, [, count]) => sum + count, 0);
    const digest = crypto.hash('sha256', `${this.#mark} ${name}`, 'buffer');
    // A share of the whole: one credential more or less changes the work of few names.
    let at = (digest.readUIntBE(0, 6) / RANGE) * total;
    for (const [work, count] of mix) {
      at -= count;
      if (at < 0) return work;
    }
    return mix[mix.length - 1]![0];
  }

  #current(): Mix {
    const { consumers, name } = this.#host;
    if (this.#version === consumers.version) return this.#mix;
    const theirs = this.#kind === undefined ? undefined : consumers.work(this.#kind);
    const counts = new Map(Object.entries(this.#own.counts));
    for (const [work, count] of Object.entries(theirs?.counts ?? {})) counts.set(work, (counts.get(work) ?? 0) + count);
    this.#mix = [...counts].sort(([one], [other]) => (one < other ? -1 : 1));
    this.#mark = crypto.hash('sha256', JSON.stringify([name, this.#own.mark, theirs?.mark ?? '']), 'base64');
    this.#version = consumers.version;
    return this.#mix;
  }
}
