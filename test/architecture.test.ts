/** What docs/architecture.md says of the rooms, asserted from the code itself. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cycles, type Import, importsOf, sourceFiles } from './support/imports.js';

const ROOT = process.cwd();
const LONGEST_FILE = 400;

/** Room -> rooms it may import at run time, and rooms of which it may name types besides. Its own is always allowed. */
const TABLE: Readonly<Record<string, { readonly run: readonly string[]; readonly types: readonly string[] }>> = {
  bundle: { run: [], types: [] },
  state: { run: [], types: ['bundle'] },
  schema: { run: [], types: ['bundle', 'state'] },
  openapi: { run: [], types: [] },
  // Like the contract, which names the facts of a certificate.
  x509: { run: [], types: ['contract'] },
  contract: { run: [], types: ['bundle', 'state', 'schema'] },
  expression: { run: ['schema', 'bundle'], types: ['contract'] },
  // Within policies the table below says more.
  policies: { run: ['schema', 'openapi', 'x509'], types: ['contract', 'bundle', 'state'] },
  // Like a folder of policies.
  actions: { run: ['policies'], types: ['contract'] },
  custom: { run: ['policies', 'schema', 'expression', 'bundle'], types: ['contract', 'state'] },
  spec: { run: ['custom', 'schema', 'expression', 'policies', 'actions', 'bundle'], types: [] },
  lint: { run: ['spec', 'schema', 'expression', 'bundle'], types: ['policies'] },
  compiler: { run: ['spec', 'schema', 'expression', 'bundle', 'policies'], types: [] },
  telemetry: { run: ['state'], types: ['bundle'] },
  proxy: {
    run: ['custom', 'x509', 'bundle', 'expression', 'policies', 'actions', 'state', 'telemetry'],
    types: ['contract'],
  },
  control: {
    run: ['custom', 'x509', 'compiler', 'lint', 'spec', 'schema', 'bundle', 'proxy', 'state', 'telemetry', 'policies'],
    types: [],
  },
  testing: { run: ['custom', 'expression', 'proxy', 'policies', 'schema', 'state', 'bundle'], types: ['contract'] },
  dashboard: { run: ['telemetry'], types: ['state'] },
  cli: {
    run: ['testing', 'control', 'dashboard', 'compiler', 'lint', 'spec', 'schema', 'bundle', 'openapi', 'telemetry'],
    types: [],
  },
};

const SOLE_IMPORTERS: Readonly<Record<string, string>> = {
  '@marcbachmann/cel-js': 'expression',
  esbuild: 'custom',
  toml: 'spec',
  'toml-eslint-parser': 'spec',
  jsonata: 'policies',
  re2js: 'policies',
  'http-proxy': 'proxy',
  chokidar: 'control',
  pino: 'control',
  'acme-client': 'control',
  '@peculiar/x509': 'cli',
  lmdb: 'state',
  'prom-client': 'telemetry',
  ink: 'dashboard',
  react: 'dashboard',
  commander: 'cli',
  ora: 'cli',
  yaml: 'openapi',
  parse5: 'policies',
  'structured-headers': 'policies',
};

const files = sourceFiles(ROOT, 'src');
const imports = files.flatMap((file) => importsOf(ROOT, file));
const inside = imports.filter((one) => one.inside);
const atRunTime = inside.filter((one) => !one.typeOnly);

/** Files outside the rooms, which import at most each other, and the rooms that may import them. */
const LEAVES: Readonly<Record<string, readonly string[]>> = {
  'src/reason.ts': ['spec', 'lint', 'telemetry', 'state', 'proxy', 'control', 'dashboard', 'cli'],
  'src/delay.ts': ['telemetry', 'control'],
  'src/version.ts': ['cli', 'control'],
  'src/plural.ts': ['lint', 'compiler', 'telemetry', 'control', 'dashboard', 'cli'],
  'src/grpc-statuses.ts': ['telemetry', 'proxy'],
  'src/field-syntax.ts': ['contract', 'policies', 'custom', 'spec', 'proxy', 'cli'],
  'src/load-in-steps.ts': ['control', 'cli'],
  'src/input-file.ts': ['spec', 'lint', 'telemetry', 'proxy', 'control', 'cli'],
  'src/reference-syntax.ts': ['bundle', 'schema', 'lint', 'control'],
  'src/output-file.ts': ['lint', 'telemetry', 'control', 'cli'],
  'src/key-format.ts': ['control', 'cli'],
};

/** `src/cli/main.ts` -> `cli`; `src/index.ts`, the package's face, and the leaves are no rooms. */
const roomOf = (file: string): string | undefined => /^src\/([^/]+)\//.exec(file)?.[1];
const shown = ({ from, to, typeOnly }: Import): string => `${from} -> ${to}${typeOnly ? ' (type)' : ''}`;

function edges(list: readonly Import[], name: (file: string) => string | undefined): Map<string, Set<string>> {
  const graph = new Map<string, Set<string>>();
  for (const { from, to } of list) {
    const [a, b] = [name(from), name(to)];
    if (a === undefined || b === undefined || a === b) continue;
    graph.set(a, (graph.get(a) ?? new Set()).add(b));
  }
  return graph;
}

test('the scanner finds what there is to find', () => {
  assert.ok(files.length > 50);
  assert.ok(imports.some((one) => one.from === 'src/cli/main.ts' && one.to === 'commander' && !one.typeOnly));
  assert.ok(imports.some((one) => one.from === 'src/cli/io.ts' && one.to === 'ora' && one.lazy));
  assert.ok(
    imports.some((one) => one.from === 'src/schema/tree.ts' && one.to === 'src/schema/diagnostic.ts' && one.typeOnly),
  );
});

test('every import inside leads to a file', () => {
  assert.equal(inside.filter((one) => !/\.tsx?$/.test(one.to)).map(shown), []);
});

test('rooms import only what the table allows', () => {
  const wrong = inside.filter(({ from, to, typeOnly }) => {
    const [room, other] = [roomOf(from), roomOf(to)];
    if (room === undefined || room === other) return false;
    if (LEAVES[to] !== undefined) return !LEAVES[to].includes(room);
    const allowed = TABLE[room];
    if (!allowed || other === undefined) return true;
    return !allowed.run.includes(other) && !(typeOnly && allowed.types.includes(other));
  });
  assert.equal(wrong.map(shown), []);
});

test('what rooms may ask for besides, the version and the words for an error, leads to no room', () => {
  const beyond = inside.filter(({ from, to }) => LEAVES[from] !== undefined && LEAVES[to] === undefined);
  assert.equal(beyond.map(shown), []);
});

test('every room stands in the table', () => {
  const rooms = new Set(files.map(roomOf).filter((room) => room !== undefined));
  assert.equal([...rooms].sort(), Object.keys(TABLE).sort());
});

// Type imports count: a cycle of types ties files together as much as one at run time.

test('rooms form no cycle', () => {
  assert.equal(cycles(edges(inside, roomOf)), []);
});

test('files form no cycle', () => {
  assert.equal(cycles(edges(inside, (file) => file)), []);
});

/** A folder within a room; files directly in src or in a room's own folder count on their own. */
const folderOf = (file: string): string => {
  const folder = file.slice(0, file.lastIndexOf('/'));
  return folder.split('/').length > 2 ? folder : file;
};

test('folders form no cycle', () => {
  assert.equal(cycles(edges(inside, folderOf)), []);
});

/** Layer of src/proxy -> layers that it may import, types included. The files in src/proxy itself are on top. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  http: [],
  http2: [],
  websocket: [],
  'proxy-protocol': [],
  errors: [],
  load: ['http'],
  upstream: ['http', 'http2', 'proxy-protocol', 'load', 'errors'],
  exchange: ['http', 'websocket', 'upstream', 'load', 'errors'],
  downstream: ['exchange', 'http', 'http2', 'proxy-protocol', 'load', 'errors'],
  offline: ['exchange', 'http', 'upstream', 'errors'],
};

const layerOf = (file: string): string | undefined => /^src\/proxy\/([^/]+)\//.exec(file)?.[1];

test('layers of the proxy import only lower layers', () => {
  const wrong = inside.filter(({ from, to }) => {
    const [layer, other] = [layerOf(from), layerOf(to)];
    if (layer === undefined || layer === other || roomOf(to) !== 'proxy') return false;
    return other === undefined || !LAYERS[layer]?.includes(other);
  });
  assert.equal(wrong.map(shown), []);
  assert.equal(
    [...new Set(files.map(layerOf).filter((layer) => layer !== undefined))].sort(),
    Object.keys(LAYERS).sort(),
  );
});

test('the codec imports nothing but the syntax of fields', () => {
  const beyond = imports.filter(({ from, to }) => layerOf(from) === 'http' && layerOf(to) !== 'http');
  const others = beyond.filter(({ to }) => !to.startsWith('node:') && to !== 'src/field-syntax.ts');
  assert.equal(others.map(shown), []);
});

test('a policy or action imports the contract and the kits alone, and never another one', () => {
  const policyOf = (file: string): string | undefined => /^src\/((?:policies|actions)\/[^/]+)\//.exec(file)?.[1];
  const wrong = inside.filter(({ from, to, typeOnly }) => {
    const folder = policyOf(from);
    if (folder === undefined || folder === 'policies/kits' || folder === 'policies/run-kit' || policyOf(to) === folder)
      return false;
    if (typeOnly && to === 'src/policies/contract.ts') return false;
    if (to.startsWith('src/policies/kits/')) return false;
    return !['src/policies/compile-kit.ts', 'src/policies/run-kit.ts', 'src/policies/contract.ts'].includes(to);
  });
  assert.equal(wrong.map(shown), []);
});

/** Everything that a file loads when it runs, itself included. */
function closure(start: string): Set<string> {
  const reached = new Set([start]);
  for (const file of reached) {
    for (const { from, to } of atRunTime) if (from === file) reached.add(to);
  }
  return reached;
}

/** What run halves load besides their folder: files, and packages that a kit loads. */
const RUN_KITS: { readonly [file: string]: readonly string[] } = {
  'src/policies/run-kit.ts': [],
  'src/policies/run-kit/body-fields.ts': [],
  'src/policies/run-kit/credentials.ts': [],
  'src/policies/run-kit/fields.ts': [],
  'src/policies/run-kit/grpc.ts': [],
  'src/policies/run-kit/layered-fields.ts': [],
  'src/policies/run-kit/lent-bytes.ts': [],
  'src/policies/run-kit/limit-keys.ts': [],
  'src/policies/run-kit/queries.ts': [],
  'src/policies/run-kit/rate-fields.ts': [],
  'src/policies/run-kit/replies.ts': [],
  'src/policies/run-kit/templates.ts': [],
  'src/field-syntax.ts': [],
  'src/policies/kits/addresses.ts': [],
  'src/policies/kits/bearer/answers.ts': [],
  'src/policies/kits/bearer/binding.ts': [],
  'src/policies/kits/bearer/challenge.ts': [],
  'src/policies/kits/bearer/claims.ts': [],
  'src/policies/kits/bearer/decision.ts': [],
  'src/policies/kits/bearer/dpop.ts': [],
  'src/policies/kits/bearer/dpop-nonces.ts': [],
  'src/policies/kits/bearer/places.ts': [],
  'src/policies/kits/bearer/problems.ts': [],
  'src/policies/kits/bearer/revocations.ts': [],
  'src/policies/kits/bearer/sender.ts': [],
  'src/policies/kits/bearer/verified.ts': [],
  'src/policies/kits/certificates.ts': [],
  'src/x509/certificate.ts': [],
  'src/x509/client-trust.ts': [],
  'src/x509/der.ts': [],
  'src/x509/facts.ts': [],
  'src/x509/index.ts': [],
  'src/x509/names.ts': [],
  'src/x509/pem.ts': [],
  'src/x509/revocation-list.ts': [],
  'src/policies/kits/cookies.ts': [],
  'src/policies/kits/credential-fault.ts': [],
  'src/policies/kits/http-cache/age.ts': [],
  'src/policies/kits/http-cache/assess.ts': [],
  'src/policies/kits/http-cache/cache-status.ts': [],
  'src/policies/kits/http-cache/conditional.ts': [],
  'src/policies/kits/http-cache/date.ts': [],
  'src/policies/kits/http-cache/directives.ts': [],
  'src/policies/kits/http-cache/fields.ts': [],
  'src/policies/kits/http-cache/freshness.ts': [],
  'src/policies/kits/http-cache/invalidate.ts': [],
  'src/policies/kits/http-cache/range.ts': [],
  'src/policies/kits/http-cache/reuse.ts': [],
  'src/policies/kits/http-cache/storable.ts': [],
  'src/policies/kits/http-cache/tags.ts': [],
  'src/policies/kits/http-cache/targeted.ts': [],
  'src/policies/kits/http-cache/update.ts': [],
  'src/policies/kits/http-cache/validators.ts': [],
  'src/policies/kits/http-cache/vary.ts': [],
  'src/policies/kits/field-edits.ts': [],
  'src/policies/kits/freshness.ts': [],
  'src/policies/kits/jose.ts': ['jose'],
  'src/policies/kits/jose/discovery.ts': [],
  'src/policies/kits/jose/key-set.ts': [],
  'src/policies/kits/jose/key-source.ts': [],
  'src/policies/kits/jose/keys.ts': [],
  'src/policies/kits/jose/sign.ts': [],
  'src/policies/kits/http-signature/algorithms.ts': [],
  'src/policies/kits/http-signature/base.ts': [],
  'src/policies/kits/http-signature/component.ts': [],
  'src/policies/kits/http-signature/content-digest.ts': [],
  'src/policies/kits/http-signature/index.ts': [],
  'src/policies/kits/http-signature/key-text.ts': [],
  'src/policies/kits/jose/token.ts': [],
  'src/policies/kits/json.ts': [],
  'src/policies/kits/events/index.ts': [],
  'src/policies/kits/events/splitter.ts': [],
  'src/policies/kits/events/sse.ts': [],
  'src/policies/kits/events/stage.ts': [],
  'src/policies/kits/events/turns.ts': [],
  'src/policies/kits/form/index.ts': [],
  'src/policies/kits/json-edit/draft.ts': [],
  'src/policies/kits/json-edit/index.ts': [],
  'src/policies/kits/json-edit/path.ts': [],
  'src/policies/kits/json-edit/pick.ts': [],
  'src/policies/kits/json-edit/steps.ts': [],
  'src/policies/kits/json-text/index.ts': [],
  'src/policies/kits/json-text/member.ts': [],
  'src/policies/kits/json-text/number.ts': [],
  'src/policies/kits/json-text/read.ts': [],
  'src/policies/kits/json-text/slow-parse.ts': [],
  'src/policies/kits/json-text/write.ts': [],
  'src/policies/kits/jsonata/ast.ts': [],
  'src/policies/kits/jsonata/budget.ts': [],
  'src/policies/kits/jsonata/builtins.ts': [],
  'src/policies/kits/jsonata/convert.ts': [],
  'src/policies/kits/jsonata/copies.ts': [],
  'src/policies/kits/jsonata/fault.ts': [],
  'src/policies/kits/jsonata/index.ts': [],
  'src/policies/kits/jsonata/list-functions.ts': [],
  'src/policies/kits/jsonata/picture.ts': [],
  'src/policies/kits/jsonata/prepare.ts': [],
  // Both packages are loaded when the first program is compiled.
  'src/policies/kits/jsonata/program.ts': ['jsonata'],
  'src/policies/kits/jsonata/quick.ts': [],
  'src/policies/kits/jsonata/reads.ts': [],
  'src/policies/kits/jsonata/regex.ts': ['re2js'],
  'src/policies/kits/jsonata/reserved.ts': [],
  'src/policies/kits/jsonata/text-functions.ts': [],
  'src/policies/kits/negotiate.ts': [],
  'src/policies/kits/oauth-client/client.ts': [],
  'src/policies/kits/oauth-client/reply.ts': [],
  // Loaded when the first hash of its kind is checked; bcryptjs in a thread of its own, which no run half imports.
  'src/policies/kits/password/check.ts': ['@node-rs/argon2'],
  'src/policies/kits/password/hash.ts': [],
  'src/policies/kits/password/work-queue.ts': [],
  'src/policies/kits/protected-resource.ts': [],
  'src/policies/kits/replay.ts': [],
  'src/policies/kits/schema-formats.ts': ['ajv-formats'],
  // Loaded when the first policy that needs them is created.
  'src/policies/kits/schema-validator.ts': ['ajv'],
  'src/policies/kits/secret-encoding.ts': [],
  'src/policies/kits/structured-fields.ts': ['structured-headers'],
  'src/policies/kits/text-pattern.ts': [],
  'src/policies/kits/unknown-work.ts': [],
  'src/policies/kits/xml/characters.ts': [],
  'src/policies/kits/xml/element.ts': [],
  'src/policies/kits/xml/index.ts': [],
  'src/policies/kits/xml/read.ts': [],
  'src/policies/kits/xml/write.ts': [],
};

test('the run half of a policy or action loads no compile half, no schema and no package', () => {
  const halves = files.filter((file) => /^src\/(policies|actions)\/[^/]+\/run\.ts$/.test(file));
  assert.ok(halves.length >= 6);
  for (const half of halves) {
    const folder = half.replace(/run\.ts$/, '');
    const loaded = [...closure(half)];
    const wrong = loaded.filter((file) => !file.startsWith(folder) && RUN_KITS[file] === undefined);
    assert.equal(wrong, [], half);
    assert.not.ok(loaded.includes(`${folder}index.ts`), half);
    const packages = imports.filter(
      ({ from, to, inside: local }) =>
        loaded.includes(from) && !local && !to.startsWith('node:') && RUN_KITS[from]?.includes(to) !== true,
    );
    assert.equal(packages.map(shown), [], half);
  }
});

test('the data plane never loads the schema, the spec, a linter or the compiler', () => {
  const loaded = files.filter((file) => roomOf(file) === 'proxy').flatMap((file) => [...closure(file)]);
  const wrong = new Set(loaded.filter((file) => ['schema', 'spec', 'lint', 'compiler'].includes(roomOf(file) ?? '')));
  assert.equal([...wrong], []);
  const parsers = imports.filter(({ from, to }) => to === 'parse5' && loaded.includes(from));
  assert.equal(parsers.map(shown), []);
});

test('a worker never loads a duty half', () => {
  const loaded = [...closure('src/control/workers/worker.ts')];
  assert.equal(
    loaded.filter((file) => /\/duty\.ts$|duty-registry/.test(file)),
    [],
  );
});

test('only the store thread loads lmdb', () => {
  const importers = imports.filter(({ to }) => to === 'lmdb').map(({ from }) => from);
  assert.equal(importers, ['src/state/content/disk/tables.ts']);
  for (const entry of ['src/control/workers/worker.ts', 'src/control/gateway.ts'])
    assert.not.ok(closure(entry).has('src/state/content/disk/tables.ts'), entry);
});

test('packages have the one importer that the table names', () => {
  const wrong = imports.filter(({ from, to, inside: local }) => {
    const sole = SOLE_IMPORTERS[to];
    return !local && sole !== undefined && roomOf(from) !== sole;
  });
  assert.equal(wrong.map(shown), []);
});

test('every package that the sources import is a dependency, and every dependency is imported', () => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const used = new Set(imports.filter((one) => !one.inside && !one.to.startsWith('node:')).map((one) => one.to));
  // JSX compiles to imports of react/jsx-runtime.
  assert.equal([...used].sort(), Object.keys(dependencies).sort());
});

test(`no file of the sources is longer than ${LONGEST_FILE} lines`, () => {
  const long = files
    .map((file) => [file, readFileSync(join(ROOT, file), 'utf8').split('\n').length - 1] as const)
    .filter(([, lines]) => lines > LONGEST_FILE);
  assert.equal(long, []);
});

test('commands load lazily: their files import nothing heavy', () => {
  const commands = files.filter((file) => file.startsWith('src/cli/commands/'));
  const eager = imports.filter(
    (one) =>
      commands.includes(one.from) &&
      !one.typeOnly &&
      !one.lazy &&
      !(one.inside && roomOf(one.to) === 'cli') &&
      one.to !== 'commander' &&
      !one.to.startsWith('node:'),
  );
  assert.equal(eager.map(shown), []);
});

/** Scripts that a run of gw loaded, from V8's own account of them. */
function loadedBy(...args: string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'gw-loaded-'));
  try {
    const { status } = spawnSync(process.execPath, [join(ROOT, 'bin', 'gw.js'), ...args], {
      env: { ...process.env, NODE_V8_COVERAGE: folder },
    });
    assert.is(status, 0);
    const [file = ''] = readdirSync(folder);
    const { result } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { result: { url: string }[] };
    return result.map(({ url }) => url).filter((url) => url.startsWith('file:'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a spec without custom code loads no esbuild', () => {
  const loaded = loadedBy('validate', 'templates/minimal/gateway.toml');
  assert.ok(loaded.some((url) => url.endsWith('/dist/src/spec/index.js')));
  assert.equal(
    loaded.filter((url) => /node_modules\/esbuild|custom\/helper/.test(url)),
    [],
  );
});

test('gw --help loads neither the dashboard nor the compiler, nor any other room', () => {
  const loaded = loadedBy('--help');
  assert.ok(loaded.some((url) => url.endsWith('/dist/src/cli/main.js')));
  const rooms = loaded.map((url) => /\/dist\/src\/([^/]+)\//.exec(url)?.[1]).filter((room) => room !== undefined);
  assert.equal([...new Set(rooms)], ['cli']);
  const packages = loaded.map((url) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1]);
  assert.equal([...new Set(packages.filter((name) => name !== undefined))], ['commander']);
});

for (const flag of ['--version', '-V', '-v']) {
  test(`gw ${flag} loads nothing but bin/`, () => {
    const loaded = loadedBy(flag);
    assert.ok(loaded.some((url) => url.endsWith('/bin/start.js')));
    assert.equal(
      loaded.filter((url) => !/\/bin\/(gw|start)\.js$/.test(url)),
      [],
    );
  });
}

test.run();
