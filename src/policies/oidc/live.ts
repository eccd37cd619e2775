/**
 * What the gateway keeps of stored sessions, so that they can be ended from elsewhere. The session itself is in the cookie; here
 * are marks of some 100 bytes each, and a session without its marks is not valid:
 *
 *     s ID        this session               removed by its logout
 *     d SID       the session at the issuer  removed by a back-channel logout with `sid`
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
    const session = sid === undefined ? undefined : await this.#mark(sidKey(sid));
    await this.#marks.set(sessionKey(id), '1', this.#lifetime);
    return { subject: marks, ...(session === undefined ? {} : { sid: session }) };
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
    const issued = marks.sid === undefined || sid === undefined ? undefined : this.#marks.get(sidKey(sid));
    const agree = (a: Kept, b: Kept, c: Kept): boolean => a === '1' && b === marks.subject && c === marks.sid;
    if (own instanceof Promise || person instanceof Promise || issued instanceof Promise)
      return Promise.all([own, person, issued]).then(([a, b, c]) => agree(a, b, c));
    return agree(own, person, issued);
  }

  async end(id: string): Promise<void> {
    await this.#marks.delete(sessionKey(id));
  }

  async endSid(sid: string): Promise<void> {
    await this.#marks.delete(sidKey(sid));
  }

  async endSubject(subject: string): Promise<void> {
    await this.#marks.delete(subjectKey(subject));
  }
}

const sessionKey = (id: string): string => `s ${id}`;
/** Texts of the issuer: of any length. */
const sidKey = (sid: string): string => `d ${crypto.hash('sha256', sid, 'base64url')}`;
const subjectKey = (subject: string): string => `u ${crypto.hash('sha256', subject, 'base64url')}`;
