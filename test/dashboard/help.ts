import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Waits until `test` holds; throws what it was waiting for when that does not come. */
export async function until(what: string, test: () => boolean, deadlineMs = 10_000): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!test()) {
    if (Date.now() > end) throw new Error(`waited ${deadlineMs} ms for: ${what}`);
    await new Promise((wake) => setTimeout(wake, 5));
  }
}

/** Runs `work` with a folder of its own (short enough for sockets) and removes it. */
export async function withFolder<Value>(work: (folder: string) => Promise<Value>): Promise<Value> {
  const folder = mkdtempSync(join(tmpdir(), 'gwd-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
