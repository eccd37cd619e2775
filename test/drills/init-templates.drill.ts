/** `gw init` with each template: every step that it prints works. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import { firstHour } from '../support/first-hour.js';

const folder = mkdtempSync(join(tmpdir(), 'gw-init-'));
test.after(() => rmSync(folder, { recursive: true }));

for (const template of ['minimal', 'services', 'mock', 'openapi']) {
  test(`gw init -t ${template}`, () => firstHour(folder, ['-t', template]));
}

test.run();
