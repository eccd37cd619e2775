/** The gateway that a command is about. */
import type { GatewayEntry } from '../telemetry/admin-protocol.js';
import { type Address, parseAddress } from './address.js';
import { AdminClient } from './client.js';
import { discover } from './discover.js';
import { homePath } from './format.js';
import { clean } from './text.js';

/** Where to look: a fixed address, one gateway found (followed through restarts), or several to choose from. */
export type Source =
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'entry'; readonly entry: GatewayEntry }
  | { readonly kind: 'choose'; readonly entries: readonly GatewayEntry[] };

export interface SourceOptions {
  /** Unix socket, or http://host:port. Undefined: find a gateway on this machine. */
  readonly address?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

/** Why nothing can be shown; `usage` when the command must be called in another way. */
export class DashError extends Error {
  constructor(
    readonly kind: 'usage' | 'failed',
    message: string,
  ) {
    super(message);
  }
}

/** `command`: its name, for the message when no gateway runs. Throws DashError. */
export async function findSource(command: string, options: SourceOptions): Promise<Source> {
  if (options.address !== undefined) {
    const address = parseAddress(options.address, options.env, options.cwd);
    if ('error' in address) throw new DashError('usage', address.error);
    return { kind: 'address', address };
  }
  const found = await discover({ env: options.env, cwd: options.cwd });
  if (found.kind === 'one') return { kind: 'entry', entry: found.entry };
  if (found.kind === 'several') return { kind: 'choose', entries: found.entries };
  throw new DashError(
    'failed',
    `no gateway is running on this machine (looked in ${found.directory}).\nStart one with gw serve, or connect to another machine with gw ${command} --address http://host:port`,
  );
}

/** The address of the one gateway. `home`: is shortened in paths. Throws DashError if there are several. */
export function addressOf(source: Source, home: string | undefined): Address {
  if (source.kind === 'address') return source.address;
  if (source.kind === 'entry') return { kind: 'socket', path: source.entry.socket };
  const list = source.entries.map((entry) => entryLine(entry, home)).join('\n');
  throw new DashError('usage', `several gateways are running; choose one:\n${list}`);
}

/** A client of the one gateway. Throws DashError. */
export async function clientOf(command: string, options: SourceOptions): Promise<AdminClient> {
  return new AdminClient(addressOf(await findSource(command, options), options.env['HOME']));
}

function entryLine(entry: GatewayEntry, home: string | undefined): string {
  return `  ${clean(homePath(entry.spec, home))}  process ${entry.pid}: --address ${clean(entry.socket)}`;
}
