/**
 * The folder where running gateways can be found, and this gateway's entry in it. Only a folder that is gw's own is used:
 * it belongs to this account alone and holds nothing but entries and sockets of gateways. Any other is left as it is.
 */
import { lstatSync, readdirSync, rmSync, type Stats, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { readInputText } from '../input-file.js';
import { errnoCode } from '../reason.js';
import { type GatewayEntry, isAlive, isEntry, MAX_ENTRY_BYTES, runtimeDirectory } from '../telemetry/admin-protocol.js';

/** Longest path that `sun_path` holds on every system gw runs on (macOS: 104 with the final NUL). */
export const MAX_SOCKET_PATH = 103;

/** Milliseconds that a gateway may take to accept on its socket. */
const ANSWER_WITHIN = 1000;
/** `PID.json` and `PID.sock`; gateways of one process after the first have a number of their own. */
const ENTRY = /^((\d+)(?:-\d+)?)\.(json|sock)$/;

/**
 * The runtime folder, checked; made when it is missing. Another account could otherwise put a socket of theirs where ours
 * is looked for, and a folder with other files in it is not gw's to clear.
 * @throws Error saying what is wrong with the folder, which is unchanged then.
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

/** By its name and by what it is: an entry as a gateway writes it, or one that it has not filled yet; or a socket. */
function isOwn(directory: string, file: string): boolean {
  const found = ENTRY.exec(file);
  if (!found) return false;
  const path = join(directory, file);
  let facts: Stats | undefined;
  try {
    facts = lstatSync(path, { throwIfNoEntry: false });
    // Another gateway took it away in this moment.
    if (facts === undefined) return true;
    if (found[3] === 'sock') return facts.isSocket();
    if (!facts.isFile()) return false;
    const text = readInputText(path, { maxBytes: MAX_ENTRY_BYTES });
    // One that is being written is empty for a moment.
    return text === '' || isEntryOf(JSON.parse(text), Number(found[2]));
  } catch {
    return false;
  }
}

const isEntryOf = (value: unknown, pid: number): boolean => isEntry(value) && value.pid === pid;

/**
 * Removes entries and sockets of gateways that are gone. A process number says little: in containers it is used again by
 * the next process (1 above all), and two containers with one folder do not see each other's. So the socket decides: what
 * accepts lives, what refuses is gone.
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
  // A gateway that starts has claimed its entry and has no socket yet.
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
    // One that is too busy to answer lives.
    connection.setTimeout(ANSWER_WITHIN, () => done('accepts'));
    connection.once('connect', () => done('accepts'));
    connection.once('error', (error) => {
      const code = errnoCode(error);
      done(code === 'ENOENT' ? 'missing' : code === 'ECONNREFUSED' ? 'refuses' : 'accepts');
    });
  });
}

/** One gateway's place in the runtime folder. Several gateways of one process are told apart by a number. */
export class RuntimeEntry {
  readonly socket: string;
  readonly #file: string;
  readonly #directory: string;
  /** Device and inode of the folder. */
  readonly #id: string | undefined;

  /** @throws Error when the socket's path would be too long for the system. */
  constructor(directory: string) {
    this.#directory = directory;
    this.#id = idOf(directory);
    let name = `${process.pid}`;
    // `wx` decides who has a name, also among gateways starting at once in this process.
    for (let number = 2; !claim(join(directory, `${name}.json`)); number++) name = `${process.pid}-${number}`;
    this.#file = join(directory, `${name}.json`);
    this.socket = join(directory, `${name}.sock`);
    if (Buffer.byteLength(this.socket) > MAX_SOCKET_PATH) {
      rmSync(this.#file, { force: true });
      throw new Error(
        `the path of the admin socket is too long (${Buffer.byteLength(this.socket)} bytes, at most ${MAX_SOCKET_PATH}): ${this.socket}; set GW_RUNTIME_DIR to a shorter folder`,
      );
    }
    // What a dead process of the same number left behind.
    if (lstatSync(this.socket, { throwIfNoEntry: false })?.isSocket()) rmSync(this.socket, { force: true });
  }

  /** @throws Error when it cannot be written. */
  write(entry: GatewayEntry): void {
    if (!this.#isInPlace()) throw new Error(`the runtime folder ${this.#directory} was removed or replaced`);
    writeFileSync(this.#file, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
  }

  remove(): void {
    if (!this.#isInPlace()) return;
    rmSync(this.#file, { force: true });
    rmSync(this.socket, { force: true });
  }

  /** Folders of /tmp are cleared away at times, and another account may make the next one, with links of its own in it. */
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
