/** Reads the version, the settings and the shape of the sections of a spec. */
import type { InferFields } from '../schema/declare.js';
import { Decoder } from '../schema/decoder.js';
import type { Diagnostic } from '../schema/diagnostic.js';
import { rewriting } from '../schema/schema.js';
import { kindName, type TableEntry, type TableNode, type TomlNode } from '../schema/tree.js';
import type { Model } from './model.js';
import { rootShape, SETTINGS_TABLES } from './shapes.js';
import { VAULT_LOGINS } from './vault.js';

type Report = (diagnostic: Diagnostic) => void;
type Settings = Pick<
  Model,
  | 'normalize'
  | 'admin'
  | 'accessLog'
  | 'authentication'
  | 'drainTimeout'
  | 'drainDelay'
  | 'workers'
  | 'zone'
  | 'overload'
  | 'state'
  | 'vault'
  | 'acme'
  | 'lint'
  | 'consumerFiles'
  | 'at'
>;
type Root = Partial<InferFields<typeof rootShape.fields>>;

/** Reads the settings. Invalid ones are reported and replaced by their defaults. */
export function readSettings(tree: TableNode, report: Report): Settings {
  checkVersion(tree, report);
  const decoder = new Decoder(tree);
  const { values } = rootShape.decodePartial(withDefaults(tree), decoder);
  for (const diagnostic of decoder.diagnostics) report(diagnostic);
  checkAdmin(tree, values, report);
  checkVault(tree, values, report);
  const fallback = defaults();
  return {
    normalize: values.normalize ?? fallback.normalize!,
    admin: values.admin ?? fallback.admin!,
    accessLog: values.access_log ?? fallback.access_log!,
    authentication: values.authentication ?? fallback.authentication!,
    overload: values.overload ?? fallback.overload!,
    state: values.state ?? fallback.state!,
    drainTimeout: values.drain_timeout ?? fallback.drain_timeout!,
    drainDelay: values.drain_delay ?? fallback.drain_delay!,
    workers: values.workers ?? fallback.workers!,
    vault: values.vault,
    zone: values.zone,
    acme: values.acme,
    lint: values.lint ?? fallback.lint!,
    consumerFiles: values.consumers ?? [],
    at: decoder,
  };
}

const NOWHERE = { offset: 0, line: 1, column: 1 };

function defaults(): Root {
  const span = { file: '', start: NOWHERE, end: NOWHERE };
  const empty: TableNode = { kind: 'table', entries: new Map(), span, from: 'default' };
  return rootShape.decodePartial(withDefaults(empty), new Decoder(empty)).values;
}

/** Adds empty tables for missing settings, so that their defaults become explicit. */
function withDefaults(tree: TableNode): TableNode {
  const entries = new Map<string, TableEntry>(tree.entries);
  const span = { ...tree.span, end: tree.span.start };
  for (const key of SETTINGS_TABLES) {
    if (entries.has(key)) continue;
    const value: TableNode = { kind: 'table', entries: new Map(), span, from: 'default' };
    entries.set(key, { key, keySpan: span, value });
  }
  // checkVersion() reports a wrong version.
  const written = tree.entries.get('spec');
  const version: TomlNode = { kind: 'integer', value: 1, span: written?.value.span ?? span, from: 'spec' };
  entries.set('spec', { key: 'spec', keySpan: written?.keySpan ?? span, value: version });
  return { ...tree, entries };
}

function checkVersion(tree: TableNode, report: Report): void {
  const version = tree.entries.get('spec')?.value;
  if (version?.kind === 'integer' && version.value === 1) return;
  const start = { ...tree.span, end: tree.span.start };
  if (version) {
    const meant = version.kind !== 'integer' && 'value' in version && String(version.value) === '1';
    report({
      code: 'spec/version',
      severity: 'error',
      span: version.span,
      message:
        version.kind === 'integer'
          ? `Unknown spec version ${version.value}: this gw reads version 1.`
          : `Expected the integer 1 as spec version, found ${kindName(version)}.`,
      help: 'Write `spec = 1`. For a later spec version, use a later version of gw.',
      ...(meant ? { fix: rewriting(version, '1') } : {}),
    });
    return;
  }
  report({
    code: 'spec/version',
    severity: 'error',
    span: start,
    message: 'Missing key `spec`: it sets the version of the spec format.',
    help: 'Add `spec = 1` at the top of the file.',
    fix: { title: 'Add `spec = 1`', applicability: 'safe', edits: [{ span: start, text: 'spec = 1\n' }] },
  });
}

function checkVault(tree: TableNode, { vault }: Root, report: Report): void {
  const given = vault === undefined ? [] : VAULT_LOGINS.filter((login) => vault[login] !== undefined);
  if (vault === undefined || given.length === 1) return;
  const table = tree.entries.get('vault');
  const second = table?.value.kind === 'table' ? table.value.entries.get(given[1] ?? '')?.keySpan : undefined;
  report({
    code: 'schema/one-of',
    severity: 'error',
    span: second ?? table?.keySpan ?? tree.span,
    message:
      given.length === 0
        ? '`[vault]` does not say how gw logs in.'
        : `\`[vault]\` has several logins: ${given.map((login) => `\`${login}\``).join(' and ')}.`,
    help: 'Write one of `token`, `[vault.approle]` and `[vault.kubernetes]`.',
  });
}

function checkAdmin(tree: TableNode, values: Root, report: Report): void {
  if (values.admin?.address === undefined || values.admin.token !== undefined) return;
  const table = tree.entries.get('admin')?.value;
  const address = table?.kind === 'table' ? table.entries.get('address') : undefined;
  report({
    code: 'admin/no-token',
    severity: 'error',
    span: address?.keySpan ?? tree.span,
    message:
      'The admin API would listen on TCP without a token: every client that reaches the port could reload the gateway.',
    help: 'Add `token = "${env:GW_ADMIN_TOKEN}"`, or remove `address` and use the unix socket, which always exists.',
  });
}
