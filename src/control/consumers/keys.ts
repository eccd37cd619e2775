/**
 * Creates, revokes and rotates API keys in the files that declare their consumers. A running gateway sees the change by its
 * watch, or makes it through its admin API. Only hashes are written; a key is returned once and is in no log.
 */
import { INPUT_LIMITS, readInputText } from '../../input-file.js';
import { keyHash, newKey } from '../../key-format.js';
import { replaceDurably } from '../../output-file.js';
import { type CredentialChange, type NewCredential, type Which, wholeSecond } from '../../spec/edit/change.js';
import { addToJsonLines, editJsonLines } from '../../spec/edit/json-lines.js';
import { credentialsIn, type WrittenCredential } from '../../spec/edit/read.js';
import { addToToml, editToml } from '../../spec/edit/toml.js';
import { isLines } from '../../spec/stored/patterns.js';
import { withLock } from './lock.js';

/** Why a change was refused; the message is for the user. */
export class KeysError extends Error {
  override readonly name = 'KeysError';
  constructor(
    readonly reason: 'unknown-consumer' | 'unknown-key' | 'exists' | 'invalid' | 'elsewhere',
    message: string,
  ) {
    super(message);
  }
}

export interface KeyTools {
  readonly now: () => number;
  readonly random?: (count: number) => Uint8Array;
}

/** A consumer to create, with its first key. */
export interface Creation {
  readonly plan?: string | undefined;
  readonly groups?: readonly string[] | undefined;
}

export interface KeyRequest {
  readonly consumer: string;
  /** Absolute path of the file that declares the consumer, or gets its declaration. */
  readonly file: string;
  /** Default: `key-N`. */
  readonly name?: string | undefined;
  readonly expires?: number | undefined;
  readonly addresses?: readonly string[] | undefined;
  readonly create?: Creation | undefined;
}

/** A key that was created. It exists nowhere else. */
export interface CreatedKey {
  readonly key: string;
  readonly consumer: string;
  readonly name: string;
  readonly file: string;
  readonly expires?: number;
  readonly created: boolean;
}

export interface RotatedKey extends CreatedKey {
  /** The key before, with its new name and end; undefined without overlap. */
  readonly old?: { readonly name: string; readonly expires: number };
}

const OLD = '-old';

/** Writes a new key of a consumer. */
export function createKey(request: KeyRequest, tools: KeyTools): Promise<CreatedKey> {
  const { consumer, file, expires, addresses, create } = request;
  return withLock(file, () => {
    const text = create ? textOr(file, '') : textOf(file);
    const present = create === undefined ? undefined : credentialsIn(text, isLines(file), consumer);
    // Another writer may have created it since the file was looked at.
    const fresh = present === undefined ? create : undefined;
    if (present && (create?.plan !== undefined || (create?.groups?.length ?? 0) > 0))
      throw new KeysError('exists', `Consumer ${consumer} was created meanwhile: its plan and groups are in ${file}.`);
    const known = fresh ? [] : (present ?? credentialsOf(text, file, consumer));
    const name = request.name ?? freeName(known, 'key');
    if (known.some(({ entry }) => entry.name === name)) {
      throw new KeysError(
        'exists',
        `Consumer ${consumer} already has a credential ${name}. Rotate it, or choose another name.`,
      );
    }
    const key = newKey(tools.random);
    const credential = { name, key: keyHash(key), expires, addresses, created: dayOf(tools.now()) };
    if (fresh) {
      const declared = { name: consumer, ...fresh };
      replaceDurably(
        file,
        isLines(file) ? addToJsonLines(text, declared, credential) : addToToml(text, declared, credential),
      );
    } else write(file, text, consumer, [{ do: 'add', credential }]);
    return {
      key,
      consumer,
      name,
      file,
      ...(expires === undefined ? {} : { expires }),
      created: fresh !== undefined,
    };
  });
}

/** The key that a rotation has left, which stays valid when the newer one is revoked. */
export interface LeftKey {
  readonly name: string;
  /** Milliseconds since 1970; undefined: never. */
  readonly expires?: number | undefined;
}

/** Removes a key, or another credential. Returns the one before it, if that is still valid. */
export function revokeKey(file: string, consumer: string, name: string, now: number): Promise<LeftKey | undefined> {
  return withLock(file, () => {
    const text = textOf(file);
    const known = credentialsOf(text, file, consumer);
    const target = named(known, consumer, name);
    const edits = new Edits();
    edits.keepNames(known, target);
    edits.remove(target);
    write(file, text, consumer, edits.all);
    const left = known.find(({ entry }) => entry.name === `${name}${OLD}`)?.entry;
    if (left === undefined || left.disabled === true || (left.expires ?? Number.POSITIVE_INFINITY) <= now)
      return undefined;
    return { name: left.name, expires: left.expires };
  });
}

export interface Rotation {
  readonly consumer: string;
  readonly file: string;
  readonly name: string;
  /** Milliseconds that the key before stays valid; 0: not at all. */
  readonly overlap: number;
  /** End of the new key; undefined: never. */
  readonly expires?: number | undefined;
}

/**
 * Writes a new key under the name of one that exists. The one before is called NAME-old and ends after the overlap; an older
 * NAME-old is removed.
 */
export function rotateKey({ consumer, file, name, overlap, expires }: Rotation, tools: KeyTools): Promise<RotatedKey> {
  return withLock(file, () => {
    const text = textOf(file);
    const known = credentialsOf(text, file, consumer);
    const before = named(known, consumer, name);
    if (before.entry.kind !== 'key') {
      throw new KeysError('invalid', `Credential ${name} of consumer ${consumer} is not an API key.`);
    }
    const now = tools.now();
    const most = overlap === 0 ? now : wholeSecond(now + overlap);
    const end = Math.min(most, before.entry.expires ?? Number.POSITIVE_INFINITY);
    const old = end > now && before.entry.disabled !== true ? { name: `${name}${OLD}`, expires: end } : undefined;
    const older = known.find((one) => one.entry.name === `${name}${OLD}`);
    const key = newKey(tools.random);
    const addresses = before.entry.addresses;
    const edits = new Edits();
    edits.keepNames(known, before);
    if (older) edits.remove(older);
    if (old === undefined) edits.remove(before);
    else edits.rename(before, old.name, old.expires);
    edits.add({ name, key: keyHash(key), expires, addresses, created: dayOf(now) });
    write(file, text, consumer, edits.all);
    return {
      key,
      consumer,
      name,
      file,
      ...(expires === undefined ? {} : { expires }),
      created: false,
      ...(old === undefined ? {} : { old }),
    };
  });
}

/** Collects changes in an order in which the place of each stays as it is. */
class Edits {
  readonly #sets: CredentialChange[] = [];
  readonly #removed: Which[] = [];
  readonly #added: CredentialChange[] = [];

  get all(): readonly CredentialChange[] {
    const removed = this.#removed.sort((a, b) => b.index - a.index);
    return [...this.#sets, ...removed.map((which): CredentialChange => ({ do: 'remove', which })), ...this.#added];
  }

  add(credential: NewCredential): void {
    this.#added.push({ do: 'add', credential });
  }

  remove({ which }: WrittenCredential): void {
    this.#removed.push(which);
  }

  /** A key of `api_keys` has no attributes: it moves to `credentials`. */
  rename({ entry, which }: WrittenCredential, name: string, expires?: number): void {
    const end = expires === undefined ? {} : { expires };
    if (which.list === 'credentials') this.#sets.push({ do: 'set', which, name, ...end });
    else {
      this.#removed.push(which);
      this.add({ name, key: typeof entry.id === 'string' ? entry.id : entry.id.$ref, ...end });
    }
  }

  /** Without `target`, credentials that are named by their number would have other names. */
  keepNames(known: readonly WrittenCredential[], target: WrittenCredential): void {
    if (!target.numbered) return;
    for (const one of known.slice(known.indexOf(target) + 1)) {
      if (one.numbered && one.entry.kind === target.entry.kind) this.rename(one, one.entry.name);
    }
  }
}

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

const textOf = (file: string): string => readInputText(file, { maxBytes: INPUT_LIMITS.consumers });

function textOr(file: string, otherwise: string): string {
  try {
    return textOf(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return otherwise;
    throw error;
  }
}

function credentialsOf(text: string, file: string, consumer: string): readonly WrittenCredential[] {
  const found = credentialsIn(text, isLines(file), consumer);
  if (found) return found;
  throw new KeysError('unknown-consumer', `The file no longer declares consumer ${consumer}, or has errors.`);
}

function named(known: readonly WrittenCredential[], consumer: string, name: string): WrittenCredential {
  const found = known.find(({ entry }) => entry.name === name);
  if (found) return found;
  const names = known.map(({ entry }) => entry.name);
  const has = names.length === 0 ? 'It has none.' : `It has ${names.slice(0, 12).join(', ')}.`;
  throw new KeysError('unknown-key', `Consumer ${consumer} has no credential ${name}. ${has}`);
}

function freeName(known: readonly WrittenCredential[], base: string): string {
  const taken = new Set(known.map(({ entry }) => entry.name));
  let number = taken.size + 1;
  while (taken.has(`${base}-${number}`)) number++;
  return `${base}-${number}`;
}

function write(file: string, text: string, consumer: string, changes: readonly CredentialChange[]): void {
  replaceDurably(file, isLines(file) ? editJsonLines(text, consumer, changes) : editToml(text, consumer, changes));
}
