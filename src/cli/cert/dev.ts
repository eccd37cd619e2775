/** gw cert dev: an authority of this account, and a certificate for a project. */
import { writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname, userInfo } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { reasonOf } from '../../reason.js';
import { failed, usage } from '../exit-codes.js';
import type { Io } from '../io.js';
import {
  authorityFolder,
  endOf,
  isAuthority,
  isCurrent,
  makeFolder,
  type PairFiles,
  readPair,
  writePair,
} from './files.js';
import { type Made, makeAuthority, makeServer } from './make.js';
import { trustText } from './trust.js';

export interface DevOptions {
  readonly dir?: string;
  readonly ca?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

const DEFAULT_NAMES = ['localhost', '127.0.0.1', '::1'];
const NAME = /^(\*\.)?(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;

/** Creates what is missing or near its end, and says how to use and trust it. Throws CommandError. */
export async function devCertificate(
  io: Io,
  given: readonly string[],
  options: DevOptions,
  { now = Date.now(), platform = process.platform }: { now?: number; platform?: NodeJS.Platform } = {},
): Promise<void> {
  const names = given.length === 0 ? DEFAULT_NAMES : given.map((name) => name.toLowerCase());
  for (const name of names)
    if (isIP(name) === 0 && !NAME.test(name))
      throw usage(`\`${name}\` is neither a host name nor an IP address. Write it without scheme and port.`);
  const caFolder = options.ca === undefined ? authorityFolder(io.env, platform) : resolve(io.cwd, options.ca);
  const folder = resolve(io.cwd, options.dir ?? 'certs');
  const caFiles = { cert: join(caFolder, 'gw-dev-ca.pem'), key: join(caFolder, 'gw-dev-ca-key.pem') };
  const base = (names[0] ?? '').replace('*', 'wildcard').replaceAll(':', '-');
  const files = { cert: join(folder, `${base}.pem`), key: join(folder, `${base}-key.pem`) };
  const authority = await attempt(caFolder, () => authorityIn(caFolder, caFiles, now));
  const known = await attempt(folder, async () => readPair(files));
  const keep = known !== undefined && options.force !== true && isCurrent(known, authority.made, names, now);
  const server = keep ? known : await makeServer(authority.made, names, now);
  if (!keep) await attempt(folder, async () => writeServer(folder, files, server));
  const result = { names, files, caFiles, created: !keep, createdCa: authority.created, until: endOf(server) };
  if (options.json === true)
    io.json({
      version: 1,
      names,
      cert: files.cert,
      key: files.key,
      ca: caFiles.cert,
      created: !keep,
      created_ca: authority.created,
      expires: result.until,
    });
  else say(io, result, platform);
}

async function authorityIn(folder: string, files: PairFiles, now: number): Promise<{ made: Made; created: boolean }> {
  const known = readPair(files);
  if (known !== undefined && isAuthority(known, now)) return { made: known, created: false };
  const made = await makeAuthority(`gw development CA of ${userInfo().username}@${hostname()}`, now);
  makeFolder(folder, 0o700);
  writePair(files, made);
  return { made, created: true };
}

function writeServer(folder: string, files: PairFiles, made: Made): void {
  // A key does not belong in a repository.
  if (makeFolder(folder, 0o755)) writeFileSync(join(folder, '.gitignore'), '*\n');
  writePair(files, made);
}

async function attempt<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failed(`Cannot read or write ${folder}: ${reasonOf(error)}.`);
  }
}

interface Result {
  readonly names: readonly string[];
  readonly files: PairFiles;
  readonly caFiles: PairFiles;
  readonly created: boolean;
  readonly createdCa: boolean;
  readonly until: string;
}

function say(io: Io, { names, files, caFiles, created, createdCa, until }: Result, platform: NodeJS.Platform): void {
  const shown = (path: string): string => {
    const near = relative(io.cwd, path);
    return near.startsWith('..') ? path : near;
  };
  const what = created ? 'New certificate' : 'The certificate is still valid';
  io.note(`${what}: ${shown(files.cert)}, for ${names.join(', ')}, until ${until}.`);
  io.note();
  io.line('[listener.main.tls]');
  io.line(`cert = ${JSON.stringify(shown(files.cert))}`);
  io.line(`key = ${JSON.stringify(shown(files.key))}`);
  io.note();
  io.note(
    createdCa
      ? 'It is issued by a new development CA. Clients accept it once they trust that CA:'
      : 'It is issued by your development CA. Where clients do not trust it yet:',
  );
  io.note(trustText(caFiles.cert, platform));
  io.note(`Keep ${shown(caFiles.key)} secret: its holder can pose as any site to these clients.`);
}
