/** What `gw keys` does and prints. */

import { KeysError } from '../control/consumers/keys.js';
import { LockedError } from '../control/consumers/lock.js';
import type { ConsumerPlaces } from '../control/consumers/places.js';
import {
  addKey,
  type ListedKey,
  listed,
  type NewKeyInput,
  type RotateInput,
  removeKey,
  replaceKey,
} from '../control/consumers/service.js';
import { createKeysPlaces } from '../control/consumers/spec-places.js';
import { reasonOf } from '../reason.js';
import { formatDuration } from '../schema/units.js';
import { EditRefused } from '../spec/edit/change.js';
import type { SpecOptions } from './command.js';
import { failed } from './exit-codes.js';
import { isFileError, shownPath } from './files.js';
import { breathe, type Io } from './io.js';
import { findSpec, overlayPaths } from './spec.js';
import { table } from './table.js';

const tools = { now: () => Date.now() };

/** The consumers of a spec and of its files. Errors elsewhere in the spec do not matter. */
export async function openConsumers(io: Io, spec: string | undefined, options: SpecOptions): Promise<ConsumerPlaces> {
  const path = findSpec(io, spec);
  return io.spin('Reading consumers', async () => {
    await breathe();
    const found = createKeysPlaces(path, overlayPaths(io, options));
    if (typeof found === 'string') throw failed(`${shownPath(io, path)}: ${found}`);
    return found;
  });
}

/** Prints the new key, which alone is on standard output. Throws a failure with the words of the refusal. */
export async function newKey(io: Io, places: ConsumerPlaces, input: NewKeyInput, json: boolean): Promise<void> {
  const made = await refusing(() => addKey(places, input, tools), input.create !== true);
  const { key, consumer, name, file, expires, created } = made;
  warnOfErrors(io, places);
  if (json) {
    const end = expires === undefined ? null : new Date(expires).toISOString();
    return io.json({ version: 1, key, consumer, name, expires: end, created, file: shownPath(io, file) });
  }
  if (created) io.note(`New consumer ${consumer} in ${shownPath(io, file)}.`);
  io.note(`Key ${name} of consumer ${consumer}, valid ${validity(expires)}. It is stored nowhere else:\n`);
  io.line(key);
  io.note(`\nIts hash is in ${shownPath(io, file)}.`);
}

/** As newKey(); also prints until when the key before is valid. */
export async function rotate(io: Io, places: ConsumerPlaces, input: RotateInput, json: boolean): Promise<void> {
  const { key, consumer, name, file, expires, old } = await refusing(() => replaceKey(places, input, tools));
  warnOfErrors(io, places);
  if (json) {
    const end = expires === undefined ? null : new Date(expires).toISOString();
    const before = old === undefined ? null : { name: old.name, expires: new Date(old.expires).toISOString() };
    return io.json({ version: 1, key, consumer, name, expires: end, old: before, file: shownPath(io, file) });
  }
  io.note(`New key ${name} of consumer ${consumer}, valid ${validity(expires)}. It is stored nowhere else:\n`);
  io.line(key);
  io.note(
    old === undefined
      ? '\nThe key before is refused from now on.'
      : `\nThe key before is ${old.name} now, and valid ${validity(old.expires)}.`,
  );
}

/** Throws a failure if there is no such credential, or if it is part of a bundle. */
export async function revoke(
  io: Io,
  places: ConsumerPlaces,
  { consumer, name, json }: { readonly consumer: string; readonly name: string; readonly json: boolean },
): Promise<void> {
  const { file, left } = await refusing(() => removeKey(places, consumer, name, tools));
  warnOfErrors(io, places);
  if (json) {
    const end = left?.expires === undefined ? null : new Date(left.expires).toISOString();
    const old = left === undefined ? null : { name: left.name, expires: end };
    return io.json({ version: 1, consumer, name, old, file: shownPath(io, file) });
  }
  io.info(`Revoked ${name} of consumer ${consumer}: its hash is no longer in ${shownPath(io, file)}.`);
  if (left !== undefined)
    io.note(
      `The key before it, ${left.name}, is still valid ${validity(left.expires)}. To end it too: gw keys revoke ${consumer} ${left.name}`,
    );
}

/** Prints the credentials of one consumer, or of all. Throws a failure for an unknown consumer. */
export function listKeys(io: Io, places: ConsumerPlaces, consumer: string | undefined, json: boolean): void {
  const one = consumer === undefined ? undefined : places.find(consumer);
  if (consumer !== undefined && !one) throw failed(`There is no consumer ${consumer}.`);
  const now = tools.now();
  const found = one ? [one] : [...places.all()];
  const all = found.map(({ entry, file }) => ({
    ...listed(entry, now),
    file: file === undefined ? '' : shownPath(io, file),
  }));
  if (json) {
    io.json({ version: 1, consumers: all });
    return;
  }
  if (all.length === 0) {
    io.note('There are no consumers. `gw keys new NAME --create` writes the first one.');
    return;
  }
  const rows = all.flatMap(({ name, file, credentials }) =>
    credentials.length === 0
      ? [[name, '-', '-', 'no credential', '', '', file]]
      : credentials.map((each) => [
          name,
          each.name,
          each.kind,
          each.state,
          endText(each, now),
          each.addresses.join(' '),
          file,
        ]),
  );
  const strong = (text: string): string => io.paint('bold', text);
  io.write(
    table(['CONSUMER', 'NAME', 'KIND', 'STATE', 'EXPIRES', 'ADDRESSES', 'FILE'], rows, { strong, columns: io.columns }),
  );
}

const minute = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

const validity = (end: number | undefined): string => (end === undefined ? 'without an end' : `until ${minute(end)}`);

function endText({ expires, state }: ListedKey, now: number): string {
  if (expires === null) return 'never';
  const at = Date.parse(expires);
  return state === 'expired' ? minute(at) : `${minute(at)} (in ${rough(at - now)})`;
}

/** In one unit, rounded: `90d`, `23h`. */
function rough(ms: number): string {
  const unit = [86_400_000, 3_600_000, 60_000].find((each) => ms >= each) ?? 1000;
  return formatDuration(Math.max(1, Math.round(ms / unit)) * unit);
}

/** A gateway that runs takes no change while there are errors: above all, a revoked key is still valid there. */
function warnOfErrors(io: Io, { incomplete }: ConsumerPlaces): void {
  if (incomplete)
    io.error(
      'gw: The spec or a file of consumers has errors: a running gateway does not follow until `gw validate` finds none.',
    );
}

/** Runs a change; what it refuses is a message without a stack. */
async function refusing<T>(work: () => Promise<T>, suggestCreate = false): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof KeysError) {
      const hint = suggestCreate && error.reason === 'unknown-consumer' ? ' Add --create to create it.' : '';
      throw failed(error.message + hint);
    }
    if (error instanceof EditRefused) throw failed(error.message);
    if (error instanceof LockedError) throw failed(`Cannot write: ${error.message}.`);
    if (isFileError(error)) throw failed(`Cannot write: ${reasonOf(error, 'write')}.`);
    throw error;
  }
}
