/** What `gw init` prints as the next steps, typed by a shell: they work in this order, and the first request gets 200. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import { firstHour } from '../support/first-hour.js';

const folder = mkdtempSync(join(tmpdir(), 'gw-init-'));
test.after(() => rmSync(folder, { recursive: true }));

// Those of the templates: drills/init-templates.
test('gw init --from: every printed step works while the service runs', async () => {
  const service = createServer((_, response) => response.end('[]')).listen(0, '127.0.0.1');
  await once(service, 'listening');
  const { port } = service.address() as AddressInfo;
  const document = readFileSync('templates/openapi/openapi.yaml', 'utf8').replace(
    '127.0.0.1:3000',
    `127.0.0.1:${port}`,
  );
  writeFileSync(join(folder, 'api.yaml'), document);
  try {
    await firstHour(folder, ['--from', 'api.yaml']);
  } finally {
    service.close();
  }
});

test.run();
