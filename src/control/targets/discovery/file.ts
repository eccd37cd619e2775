/** `file:targets.json`: a file of targets, read again when it changes. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { readInputFile } from '../../../input-file.js';
import { field } from './api.js';
import type { FoundTarget } from './check.js';
import type { CreateSource } from './source.js';

/** Milliseconds between two looks at the file, which also sees a file that a mount or a link replaces. */
const LOOK_EVERY = 1000;
const MOST_BYTES = 4 * 1024 * 1024;

export const fileSource: CreateSource = ({ name }, host) => {
  const path = resolve(host.root, name);
  let seen = '';
  return {
    async run() {
      const stamp = stampOf(path);
      if (stamp === seen) return LOOK_EVERY;
      host.supply(targetsIn(readInputFile(path, { maxBytes: MOST_BYTES }).toString('utf8')));
      // After it was read whole: a file that is being written is read again.
      seen = stamp;
      return LOOK_EVERY;
    },
  };
};

function stampOf(path: string): string {
  const { mtimeMs, ctimeMs, size, ino } = statSync(path);
  return `${mtimeMs} ${ctimeMs} ${size} ${ino}`;
}

/** A list of URLs and of tables with `url`, alone or as `targets` of a table. */
function targetsIn(text: string): readonly FoundTarget[] {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch (error) {
    throw new Error('the file is no JSON', { cause: error });
  }
  const targets = Array.isArray(read) ? read : field(read, 'targets');
  if (!Array.isArray(targets)) throw new Error('the file has no list of targets');
  return targets.map((one: unknown): FoundTarget => {
    if (typeof one === 'string') return { url: one };
    const [url, weight, zone, priority] = ['url', 'weight', 'zone', 'priority'].map((key) => field(one, key));
    return { url: String(url), weight, zone, priority };
  });
}
