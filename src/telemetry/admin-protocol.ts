/**
 * The admin API and where to find it. Both sides use this file: control serves it, dashboard and commands call it.
 *
 *     GET  /snapshot                -> Snapshot
 *     GET  /events?requests=1       -> newline-delimited AdminEvent; a snapshot each second; requests only when asked,
 *                                     with their decisions when `&decisions=1` asks for these too. The last requests from before
 *                                     the call come first, marked `recent`
 *     POST /reload                  -> ReloadSnapshot (200 live, 422 rejected)
 *     GET  /livez  GET /readyz      -> 200 or 503, text
 *     GET  /metrics                 -> Prometheus text
 *     GET  /cache                   -> CacheStats (telemetry/cache-calls.ts)
 *     POST /cache/list              ListInput -> StoredReplies
 *     POST /cache/purge             PurgeInput -> PurgeReport
 *     POST /cache/warm              WarmInput -> WarmReport
 *
 * On the unix socket the file's mode (0600) is the authorization; on TCP every call except /livez and /readyz needs
 * `Authorization: Bearer <token>`.
 */
import { mkdirSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { errnoCode } from '../reason.js';

/** Written beside each admin socket, as `<pid>.json` next to `<pid>.sock`. */
export interface GatewayEntry {
  readonly pid: number;
  /** Absolute path of the spec or bundle. */
  readonly spec: string;
  readonly socket: string;
  readonly startedAt: number;
  readonly listeners: readonly string[];
}

/** Maximum size of an entry in the runtime folder. */
export const MAX_ENTRY_BYTES = 1024 ** 2;

/** Whether parsed JSON is an entry. */
export function isEntry(value: unknown): value is GatewayEntry {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, spec, socket, startedAt, listeners } = value as Partial<Record<keyof GatewayEntry, unknown>>;
  return (
    Number.isSafeInteger(pid) &&
    (pid as number) > 0 &&
    typeof spec === 'string' &&
    typeof socket === 'string' &&
    typeof startedAt === 'number' &&
    Array.isArray(listeners) &&
    listeners.every((listener) => typeof listener === 'string')
  );
}

/** False only if the process certainly does not exist. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoCode(error) === 'EPERM';
  }
}

/** The runtime folder of this account, whether it exists or not. */
export function runtimePath(env: NodeJS.ProcessEnv = process.env): string {
  const base = env['GW_RUNTIME_DIR'] ?? (env['XDG_RUNTIME_DIR'] ? join(env['XDG_RUNTIME_DIR'], 'gw') : undefined);
  return base ?? join(tmpdir(), `gw-${userInfo().uid}`);
}

/** The folder at `runtimePath`, created (mode 0700) if missing. @throws Error if it cannot be created. */
export function runtimeDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const directory = runtimePath(env);
  makeFolder(directory);
  return directory;
}

/** `mkdir -p`. Node's `recursive` never returns if the system answers ENOENT below an existing folder (/proc). */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const code = errnoCode(error);
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    makeFolder(dirname(path));
    mkdirSync(path, { mode: 0o700 });
  }
}
