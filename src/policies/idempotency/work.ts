/** A request with a key, as its exchange notes it. */
import type { OutcomeClaim } from '../contract.js';

/** The fingerprint is known once the body is there. */
export type Asked = Omit<OutcomeClaim, 'fingerprint'> & { fingerprint: string };

export class Work {
  readonly of: Asked;
  /** The caller has a credential. */
  readonly known: boolean;
  /** Number of the claim while it is `running` or `keeping`. */
  claim = 0;
  /** Status of the reply. */
  status = 0;
  /**
   * `asked`: it has no claim, and gets none if the key is not free. `running`: it has no reply yet. `keeping`: it was done, and the
   * body of its reply is to come. `settled`: its outcome is noted.
   */
  state: 'asked' | 'running' | 'keeping' | 'settled' = 'asked';
  /** The exchange has ended. */
  ended = false;

  constructor(of: Asked, known: boolean) {
    this.of = of;
    this.known = known;
  }

  get settled(): boolean {
    return this.state === 'settled';
  }
}
