/** Endless, blocking and huge files wherever a gateway reads a file: an immediate diagnostic without memory growth. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createGateway, StartError } from '../../src/index.js';
import { onlyWhere } from '../support/only-where.js';
import { removeFolders, temporaryFolder } from './control-kit.js';

const test = suite('special files');
const onUnix = onlyWhere(existsSync('/dev/zero'), 'there is no /dev/zero', test);
test.after(removeFolders);

const BASE = `spec = 1
[listener.main]
address = "127.0.0.1:0"
[[route]]
name = "r"
match = "/"
reply = { body = "x" }
`;
const TLS = BASE.replace('[[route]]', 'tls = { cert = "CERT", key = "KEY" }\n[[route]]');

interface Place {
  readonly spec: string;
  readonly code: string;
}

/** Places for a file name, marked `FILE`, with the code of the diagnostic. */
const PLACES: Readonly<Record<string, Place>> = {
  include: { spec: `include = "FILE"\n${BASE}`, code: 'file/' },
  certificate: { spec: TLS.replace('CERT', 'FILE'), code: 'listener/certificate' },
  key: { spec: TLS.replace('CERT', 'good.pem').replace('KEY', 'FILE'), code: 'listener/certificate' },
  reference: { spec: BASE.replace('127.0.0.1:0', '$' + '{file:FILE}'), code: 'reference/unresolved' },
};

async function refusal(options: Parameters<typeof createGateway>[0]): Promise<string> {
  const since = performance.now();
  const memory = process.memoryUsage.rss();
  try {
    const gateway = await createGateway({ ...options, inline: true, adminSocket: false });
    await gateway.close();
  } catch (error) {
    assert.ok(performance.now() - since < 3000, 'at once');
    assert.ok(process.memoryUsage.rss() - memory < 100 * 1024 ** 2, 'in bounded memory');
    if (error instanceof StartError) return error.diagnostics;
    throw error;
  }
  throw new Error('The gateway started.');
}

onUnix('endless, blocking and huge files are refused at once wherever a gateway reads a file', async () => {
  const folder = temporaryFolder();
  const socket = createServer();
  await new Promise<void>((resolve) => socket.listen(join(folder, 'socket'), resolve));
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  mkdirSync(join(folder, 'folder'));
  writeFileSync(join(folder, 'huge'), '');
  truncateSync(join(folder, 'huge'), 10 * 1024 ** 3);
  writeFileSync(join(folder, 'good.pem'), '-----BEGIN CERTIFICATE-----\n');
  const kinds = ['/dev/zero', 'pipe', 'folder', 'huge', 'socket'];
  const expected = [/it is a device/, /it is a pipe/, /it is a folder/, /10\.0 GiB/, /it is a socket/];
  try {
    for (const [index, kind] of kinds.entries()) {
      const spec = join(folder, 'gateway.toml');
      for (const [name, place] of Object.entries(PLACES)) {
        writeFileSync(spec, place.spec.replace('FILE', kind));
        const said = await refusal({ spec });
        assert.match(said, expected[index]!, `${name}: ${kind}`);
        assert.match(said, place.code, `${name}: ${kind}`);
      }
      writeFileSync(spec, BASE);
      const path = join(kind.startsWith('/') ? '' : folder, kind);
      assert.match(await refusal({ spec: path }), expected[index]!, `spec: ${kind}`);
      assert.match(await refusal({ spec, overlays: [path] }), expected[index]!, `overlay: ${kind}`);
      assert.match(await refusal({ bundle: path }), expected[index]!, `bundle: ${kind}`);
    }
  } finally {
    await new Promise((resolve) => socket.close(resolve));
  }
});

test.run();
