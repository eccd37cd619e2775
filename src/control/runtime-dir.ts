/** The folder where running gateways can be found, and this gateway's entry in it. */
import { chmodSync, lstatSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../reason.js';
import { type GatewayEntry, isAlive, runtimeDirectory } from '../telemetry/admin-protocol.js';

/** Longest path that `sun_path` holds on every system gw runs on (macOS: 104 with the final NUL). */
export const MAX_SOCKET_PATH = 103;

/**
 * The runtime folder, checked: it must be this person's own and closed to others, else another person of the machine
 * could put a socket of theirs where ours is looked for.
 * @throws Error saying what is wrong with the folder.
 */
export function openRuntimeDirectory(directory = runtimeDirectory()): string {
  const facts = lstatSync(directory);
  if (!facts.isDirectory()) throw new Error(`The runtime folder ${directory} is not a folder.`);
  const uid = process.getuid?.();
  if (uid !== undefined && facts.uid !== uid) {
    throw new Error(`The runtime folder ${directory} belongs to another account; set GW_RUNTIME_DIR to one of yours.`);
  }
  if ((facts.mode & 0o077) !== 0) chmodSync(directory, 0o700);
  return directory;
}

/** Removes entries and sockets of processes that are gone. Foreign files are left alone. */
export function sweep(directory: string): void {
  for (const file of readdirSync(directory)) {
    const found = /^(\d+)(?:-\d+)?\.(?:json|sock)$/.exec(file);
    if (found && !isAlive(Number(found[1]))) rmSync(join(directory, file), { force: true });
  }
}

/** One gateway's place in the runtime folder. Several gateways of one process are told apart by a number. */
export class RuntimeEntry {
  readonly socket: string;
  readonly #file: string;

  /** @throws Error when the socket's path would be too long for the system. */
  constructor(directory: string) {
    let name = `${process.pid}`;
    // `wx` decides who has a name, also among gateways starting at once in this process.
    for (let number = 2; !claim(join(directory, `${name}.json`)); number++) name = `${process.pid}-${number}`;
    this.#file = join(directory, `${name}.json`);
    this.socket = join(directory, `${name}.sock`);
    if (Buffer.byteLength(this.socket) > MAX_SOCKET_PATH) {
      rmSync(this.#file, { force: true });
      throw new Error(
        `The path of the admin socket is too long (${Buffer.byteLength(this.socket)} bytes, at most ${MAX_SOCKET_PATH}): ${this.socket}. Set GW_RUNTIME_DIR to a shorter folder.`,
      );
    }
    // What a dead process of the same number left behind.
    rmSync(this.socket, { force: true });
  }

  write(entry: GatewayEntry): void {
    writeFileSync(this.#file, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
  }

  remove(): void {
    rmSync(this.#file, { force: true });
    rmSync(this.socket, { force: true });
  }
}

function claim(file: string): boolean {
  try {
    writeFileSync(file, '', { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}
