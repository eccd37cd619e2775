/**
 * What the gateway keeps of stored sessions, so that they can be ended from elsewhere. The session itself is in the cookie; here
 * are marks of some 100 bytes each, and a session without its marks is not valid:
 *
 *     s ID        this session               removed by its logout
 *     d SID       the session at the issuer  removed by a back-channel logout with `sid`
 *     n SUBJECT   those without a SID        removed by a back-channel logout with `sid` and `sub`
 *     u SUBJECT   the person                 removed by a back-channel logout with `sub`
 *
 * A mark that gets lost (the memory is full, or the gateway has restarted) ends sessions; it never revives one.
 */
import * as crypto from 'node:crypto';
import type { PolicyHost } from '../contract.js';
import type { Session, SessionMarks } from './session.js';

type Store = PolicyHost['marks'];
type Kept = string | undefined;

const LEASE = 2000;

export class LiveSessions {
  readonly #host: PolicyHost;
  readonly #marks: Store;
  /** Milliseconds. */
  readonly #lifetime: number;

  constructor(host: PolicyHost, lifetime: number) {
    this.#host = host;
    this.#marks = host.marks;
    this.#lifetime = lifetime;
  }

  /** Marks a session that begins. */
  async begin(id: string, subject: string, sid: string | undefined): Promise<SessionMarks> {
    const marks = await this.#mark(subjectKey(subject));
    const session = await this.#mark(issuedKey(sid, subject));
    await this.#marks.set(sessionKey(id), '1', this.#lifetime);
    return { subject: marks, sid: session };
  }

  /** The mark of a key, which is made if there is none. Two logins at the same time have the same one. */
  #mark(key: string): Promise<string> {
    return this.#host.once(`mark ${key}`, LEASE, async () => {
      const mark = (await this.#marks.get(key)) ?? crypto.randomBytes(9).toString('base64url');
      // Every session that it is for ends before it does.
      await this.#marks.set(key, mark, this.#lifetime);
      return mark;
    });
  }

  /** Whether all marks of a session are there. At once, if the store answers at once. */
  has(session: Session, subject: string, sid: string | undefined): boolean | Promise<boolean> {
    const { marks } = session;
    if (marks === undefined) return false;
    const own = this.#marks.get(sessionKey(session.id));
    const person = this.#marks.get(subjectKey(subject));
    const issued = this.#marks.get(issuedKey(sid, subject));
    const agree = (a: Kept, b: Kept, c: Kept): boolean => a === '1' && b === marks.subject && c === marks.sid;
    if (own instanceof Promise || person instanceof Promise || issued instanceof Promise)
      return Promise.all([own, person, issued]).then(([a, b, c]) => agree(a, b, c));
    return agree(own, person, issued);
  }

  async end(id: string): Promise<void> {
    await this.#marks.delete(sessionKey(id));
  }

  /** `subject`: sessions whose login did not say which one at the issuer it is may be this one, so those of the person end too. */
  async endSid(sid: string, subject: string | undefined): Promise<void> {
    await this.#marks.delete(issuedKey(sid, ''));
    if (subject !== undefined) await this.#marks.delete(issuedKey(undefined, subject));
  }

  async endSubject(subject: string): Promise<void> {
    await this.#marks.delete(subjectKey(subject));
  }
}

const sessionKey = (id: string): string => `s ${id}`;
/** Texts of the issuer: of any length. */
const issuedKey = (sid: string | undefined, subject: string): string =>
  sid === undefined ? `n ${digestOf(subject)}` : `d ${digestOf(sid)}`;
const subjectKey = (subject: string): string => `u ${digestOf(subject)}`;
const digestOf = (text: string): string => crypto.hash('sha256', text, 'base64url');
