/** The gateways of this account that run on this machine, as their entries in the runtime folder say. */
import { lstatSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { readInputText } from '../input-file.js';
import { type GatewayEntry, isAlive, isEntry, MAX_ENTRY_BYTES } from './admin-protocol.js';

/** Milliseconds that a socket may take to accept. */
const PROBE_MS = 1000;

/**
 * Every entry whose process lives and whose socket accepts, newest first. Stale and broken files are skipped.
 * @param directory the runtime folder; it may be missing
 */
export async function runningGateways(directory: string, probeMs = PROBE_MS): Promise<GatewayEntry[]> {
  const entries: GatewayEntry[] = [];
  for (const file of filesOf(directory)) {
    if (!/^\d+(-\d+)?\.json$/.test(file)) continue;
    const entry = readEntry(join(directory, file));
    if (entry && isAlive(entry.pid)) entries.push(entry);
  }
  const probed = await Promise.all(entries.map((entry) => accepts(entry.socket, probeMs)));
  return entries.filter((_, index) => probed[index]).sort((a, b) => b.startedAt - a.startedAt || b.pid - a.pid);
}

/** In a shared temporary folder another account could have made this one first, with entries of its own. */
function filesOf(directory: string): string[] {
  const me = process.getuid?.();
  try {
    const { uid } = lstatSync(directory);
    return me === undefined || uid === me ? readdirSync(directory) : [];
  } catch {
    // Missing, not a folder, not readable: no gateway of this account wrote to it.
    return [];
  }
}

function readEntry(path: string): GatewayEntry | undefined {
  try {
    const value: unknown = JSON.parse(readInputText(path, { maxBytes: MAX_ENTRY_BYTES }));
    return isEntry(value) ? value : undefined;
  } catch {
    // Removed meanwhile, unreadable or half written: it leads to no gateway.
    return undefined;
  }
}

/** Process numbers are reused: only a socket that accepts proves a gateway. */
function accepts(path: string, probeMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(probeMs, () => done(false));
    socket.on('connect', () => done(true));
    socket.on('error', () => done(false));
  });
}
