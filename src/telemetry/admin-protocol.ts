/**
 * Where a gateway can be asked, and what. Both ends read this file: control serves it, dashboard and commands call it.
 *
 *     GET  /snapshot                -> Snapshot
 *     GET  /events?requests=1       -> newline-delimited AdminEvent; a snapshot each second; requests only when asked,
 *                                     with their decisions when `&decisions=1` asks for these too
 *     POST /reload                  -> ReloadSnapshot (200 live, 422 rejected)
 *     GET  /livez  GET /readyz      -> 200 or 503, text
 *     GET  /metrics                 -> Prometheus text
 *
 * On the unix socket the file's mode (0600) is the authorization; on TCP every call but /livez and /readyz needs
 * `Authorization: Bearer <token>`.
 */
import { mkdirSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/** Written beside each admin socket, as `<pid>.json` next to `<pid>.sock`. */
export interface GatewayEntry {
  readonly pid: number;
  /** Absolute path of the spec or bundle. */
  readonly spec: string;
  readonly socket: string;
  readonly startedAt: number;
  readonly listeners: readonly string[];
}

/** The folder (mode 0700) that this person's running gateways write their sockets to. */
export function runtimeDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const base = env['GW_RUNTIME_DIR'] ?? (env['XDG_RUNTIME_DIR'] ? join(env['XDG_RUNTIME_DIR'], 'gw') : undefined);
  const directory = base ?? join(tmpdir(), `gw-${userInfo().uid}`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directory;
}
