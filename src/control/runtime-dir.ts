/**
 * The runtime folder with the entries of running gateways. gw uses only a folder that belongs to this account alone and
 * contains only entries and sockets of gateways. Any other folder is left unchanged.
 */
import { lstatSync, readdirSync, rmSync, type Stats, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { readInputText } from '../input-file.js';
import { errnoCode } from '../reason.js';
import { type GatewayEntry, isAlive, isEntry, MAX_ENTRY_BYTES, runtimeDirectory } from '../telemetry/admin-protocol.js';

/** Maximum length of a socket path on all supported systems (macOS: 104 with the final NUL). */
export const MAX_SOCKET_PATH = 103;

/** Milliseconds in which a gateway should accept on its socket. */
const ANSWER_WITHIN = 1000;
/** `PID.json` and `PID.sock`; further gateways of one process are numbered. */
const ENTRY = /^((\d+)(?:-\d+)?)\.(json|sock)$/;

/**
 * Checks the runtime folder; creates it if missing. In a folder that is open to other accounts, another account could place a
 * socket of its own, and gw must not clean a folder with other files.
 * @throws Error with the problem of the folder, which is then unchanged.
 */
export function openRuntimeDirectory(directory = runtimeDirectory()): string {
  const facts = lstatSync(directory);
  const other = 'set GW_RUNTIME_DIR to a folder that does not exist yet, or to an empty one of mode 0700';
  if (facts.isSymbolicLink()) throw new Error(`the runtime folder ${directory} is a symbolic link; ${other}`);
  if (!facts.isDirectory()) throw new Error(`the runtime folder ${directory} is not a folder`);
  const uid = process.getuid?.();
  if (uid !== undefined && facts.uid !== uid) {
    throw new Error(`the runtime folder ${directory} belongs to another account; ${other}`);
  }
  if (process.platform !== 'win32' && (facts.mode & 0o077) !== 0) {
    const mode = (facts.mode & 0o777).toString(8).padStart(4, '0');
    throw new Error(`the runtime folder ${directory} has mode ${mode} and is open to other accounts; ${other}`);
  }
  const foreign = readdirSync(directory).find((file) => !isOwn(directory, file));
  if (foreign !== undefined) {
    throw new Error(`the runtime folder ${directory} holds \`${foreign}\`, which is not a file of gw; ${other}`);
  }
  return directory;
}

/** A socket with the right name, or an entry that a gateway has written or is about to write. */
function isOwn(directory: string, file: string): boolean {
  const found = ENTRY.exec(file);
  if (!found) return false;
  const path = join(directory, file);
  let facts: Stats | undefined;
  try {
    facts = lstatSync(path, { throwIfNoEntry: false });
    // Another gateway removed it meanwhile.
    if (facts === undefined) return true;
    if (found[3] === 'sock') return facts.isSocket();
    if (!facts.isFile()) return false;
    const text = readInputText(path, { maxBytes: MAX_ENTRY_BYTES });
    // An entry is empty before it is written.
    return text === '' || isEntryOf(JSON.parse(text), Number(found[2]));
  } catch {
    return false;
  }
}

const isEntryOf = (value: unknown, pid: number): boolean => isEntry(value) && value.pid === pid;

/**
 * Removes entries and sockets of stopped gateways. Process numbers are not reliable: containers reuse them (mostly 1), and
 * two containers with a shared folder do not see each other's processes. So the socket decides: one that accepts is live,
 * one that refuses is stale.
 */
export async function sweep(directory: string): Promise<void> {
  const stems = new Map<string, number>();
  for (const file of readdirSync(directory)) {
    const found = ENTRY.exec(file);
    if (found && isOwn(directory, file)) stems.set(found[1] ?? '', Number(found[2]));
  }
  await Promise.all([...stems].map(([stem, pid]) => sweepOne(directory, stem, pid)));
}

async function sweepOne(directory: string, stem: string, pid: number): Promise<void> {
  const [file, socket] = [join(directory, `${stem}.json`), join(directory, `${stem}.sock`)];
  const answer = await ask(socket);
  if (answer === 'accepts') return;
  // A starting gateway has an entry but no socket yet.
  if (answer === 'missing' && isAlive(pid) && !(pid === process.pid && isOlderThanProcess(file))) return;
  for (const path of [file, socket]) {
    if (lstatSync(path, { throwIfNoEntry: false }) && isOwn(directory, path.slice(directory.length + 1))) {
      rmSync(path, { force: true });
    }
  }
}

function isOlderThanProcess(path: string): boolean {
  const facts = lstatSync(path, { throwIfNoEntry: false });
  return facts !== undefined && facts.mtimeMs < Date.now() - process.uptime() * 1000;
}

function ask(socket: string): Promise<'accepts' | 'refuses' | 'missing'> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    const done = (answer: 'accepts' | 'refuses' | 'missing'): void => {
      connection.destroy();
      resolve(answer);
    };
    // A gateway that is too busy to accept is live.
    connection.setTimeout(ANSWER_WITHIN, () => done('accepts'));
    connection.once('connect', () => done('accepts'));
    connection.once('error', (error) => {
      const code = errnoCode(error);
      done(code === 'ENOENT' ? 'missing' : code === 'ECONNREFUSED' ? 'refuses' : 'accepts');
    });
  });
}

/** The entry of one gateway in the runtime folder. */
export class RuntimeEntry {
  readonly socket: string;
  readonly #file: string;
  readonly #directory: string;
  /** Device and inode of the folder. */
  readonly #id: string | undefined;

  /** @throws Error if the path of the socket is too long for the system. */
  constructor(directory: string) {
    this.#directory = directory;
    this.#id = idOf(directory);
    let name = `${process.pid}`;
    // `wx` makes the claim atomic, also among gateways that start at once in this process.
    for (let number = 2; !claim(join(directory, `${name}.json`)); number++) name = `${process.pid}-${number}`;
    this.#file = join(directory, `${name}.json`);
    this.socket = join(directory, `${name}.sock`);
    if (Buffer.byteLength(this.socket) > MAX_SOCKET_PATH) {
      rmSync(this.#file, { force: true });
      throw new Error(
        `the path of the admin socket is too long (${Buffer.byteLength(this.socket)} bytes, at most ${MAX_SOCKET_PATH}): ${this.socket}; set GW_RUNTIME_DIR to a shorter folder`,
      );
    }
    // Left by an ended process with the same number.
    if (lstatSync(this.socket, { throwIfNoEntry: false })?.isSocket()) rmSync(this.socket, { force: true });
  }

  /** @throws Error if it cannot be written. */
  write(entry: GatewayEntry): void {
    if (!this.#isInPlace()) throw new Error(`the runtime folder ${this.#directory} was removed or replaced`);
    writeFileSync(this.#file, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
  }

  remove(): void {
    if (!this.#isInPlace()) return;
    rmSync(this.#file, { force: true });
    rmSync(this.socket, { force: true });
  }

  /** Folders in /tmp are removed at times, and another account can create the next one, with links in it. */
  #isInPlace(): boolean {
    return this.#id !== undefined && idOf(this.#directory) === this.#id;
  }
}

function idOf(directory: string): string | undefined {
  const facts = lstatSync(directory, { throwIfNoEntry: false });
  return facts && `${facts.dev}:${facts.ino}`;
}

function claim(file: string): boolean {
  try {
    writeFileSync(file, '', { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (errnoCode(error) === 'EEXIST') return false;
    throw error;
  }
}
