/** The work of `gw keys` and of the calls of the admin API: from what was asked to the edited file. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ConsumerEntry, CredentialEntry } from '../../bundle/types.js';
import { instantText } from '../../spec/edit/change.js';
import {
  type CreatedKey,
  createKey,
  KeysError,
  type KeyTools,
  type LeftKey,
  type RotatedKey,
  revokeKey,
  rotateKey,
} from './keys.js';
import { type ConsumerPlaces, fileForNew, type PlacedConsumer } from './places.js';
import { checkAddresses, checkName, endOf, overlapOf } from './request.js';

/** As written by the caller. */
export interface NewKeyInput {
  readonly consumer: string;
  readonly name?: string | undefined;
  /** `90d`, a date, or `never`. */
  readonly expires?: string | undefined;
  readonly addresses?: readonly string[] | undefined;
  /** Create the consumer if it does not exist. */
  readonly create?: boolean | undefined;
  readonly plan?: string | undefined;
  readonly groups?: readonly string[] | undefined;
}

/** Creates a key, and with `create` its consumer. Throws KeysError. */
export async function addKey(places: ConsumerPlaces, input: NewKeyInput, tools: KeyTools): Promise<CreatedKey> {
  const consumer = checkName(input.consumer, 'consumer');
  const name = input.name === undefined ? undefined : checkName(input.name, 'credential');
  const expires = input.expires === undefined ? undefined : endOf(input.expires, tools.now());
  const addresses = checkAddresses(input.addresses ?? []);
  const common = { consumer, name, expires, addresses };
  const found = places.find(consumer);
  if (found) {
    if (input.plan !== undefined || (input.groups?.length ?? 0) > 0) {
      throw new KeysError('invalid', `Consumer ${consumer} exists: its plan and groups are in ${fileOf(found)}.`);
    }
    return createKey({ ...common, file: fileOf(found) }, tools);
  }
  if (input.create !== true) throw new KeysError('unknown-consumer', `There is no consumer ${consumer}.`);
  const { plan, groups } = input;
  if (plan !== undefined && !places.hasPlan(plan)) throw new KeysError('invalid', `There is no plan ${plan}.`);
  for (const group of groups ?? []) checkName(group, 'group');
  const file = fileForNew(consumer, places);
  if (file === undefined) {
    const why =
      places.patterns.length === 0
        ? 'a bundle is not edited, and it names no files of consumers'
        : 'no pattern of `consumers` leads to one file: create a file that one matches';
    throw new KeysError('elsewhere', `There is no file for a new consumer: ${why}.`);
  }
  mkdirSync(dirname(file), { recursive: true });
  return createKey({ ...common, file, create: { plan, groups } }, tools);
}

/** Removes a credential of any kind. Returns the edited file. Throws KeysError. */
export async function removeKey(
  places: ConsumerPlaces,
  consumer: string,
  name: string,
  { now }: KeyTools,
): Promise<{ readonly file: string; readonly left: LeftKey | undefined }> {
  const { file } = placed(places, consumer);
  return { file, left: await revokeKey(file, consumer, name, now()) };
}

export interface RotateInput {
  readonly consumer: string;
  readonly name: string;
  /** Default: `24h`. */
  readonly overlap?: string | undefined;
  /** `90d`, a date, or `never`. Needed if the key before has an end. */
  readonly expires?: string | undefined;
}

/** Rotates a key. Throws KeysError, also if the key before has an end and the new one has none given. */
export async function replaceKey(places: ConsumerPlaces, input: RotateInput, tools: KeyTools): Promise<RotatedKey> {
  const { consumer, name } = input;
  const { file, entry } = placed(places, consumer);
  const before = entry.credentials.find((credential) => credential.name === name);
  if (before?.expires !== undefined && input.expires === undefined) {
    throw new KeysError(
      'invalid',
      `Key ${name} ends at ${instantText(before.expires)}: say when the new one ends (expires), such as 90d or never.`,
    );
  }
  const overlap = overlapOf(input.overlap ?? '24h');
  const expires = input.expires === undefined ? undefined : endOf(input.expires, tools.now());
  return rotateKey({ consumer, file, name, overlap, expires }, tools);
}

function placed(places: ConsumerPlaces, consumer: string): { readonly file: string; readonly entry: ConsumerEntry } {
  const found = places.find(consumer);
  if (!found) throw new KeysError('unknown-consumer', `There is no consumer ${consumer}.`);
  return { entry: found.entry, file: fileOf(found) };
}

function fileOf({ entry, file }: PlacedConsumer): string {
  if (file !== undefined) return file;
  throw new KeysError(
    'elsewhere',
    `Consumer ${entry.name} is part of the bundle: change its spec and compile it again.`,
  );
}

export type KeyState = 'active' | 'expired' | 'disabled' | 'consumer disabled';

/** A credential as it is listed: nothing that identifies its secret. */
export interface ListedKey {
  readonly name: string;
  readonly kind: CredentialEntry['kind'];
  readonly state: KeyState;
  /** ISO 8601; null: never. */
  readonly expires: string | null;
  readonly addresses: readonly string[];
}

export interface ListedConsumer {
  readonly name: string;
  readonly plan: string | null;
  readonly groups: readonly string[];
  readonly disabled: boolean;
  readonly credentials: readonly ListedKey[];
}

/** `now`: milliseconds since 1970. */
export function listed(consumer: ConsumerEntry, now: number): ListedConsumer {
  const { name, plan, groups, disabled, credentials } = consumer;
  return {
    name,
    plan: plan ?? null,
    groups,
    disabled: disabled === true,
    credentials: credentials.map((credential) => ({
      name: credential.name,
      kind: credential.kind,
      state: stateOf(consumer, credential, now),
      expires: credential.expires === undefined ? null : new Date(credential.expires).toISOString(),
      addresses: credential.addresses ?? [],
    })),
  };
}

function stateOf(consumer: ConsumerEntry, credential: CredentialEntry, now: number): KeyState {
  if (consumer.disabled === true) return 'consumer disabled';
  if (credential.disabled === true) return 'disabled';
  return credential.expires !== undefined && credential.expires <= now ? 'expired' : 'active';
}
