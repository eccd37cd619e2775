/** What stands at the top of a spec beside its entities: version, settings, and the shape of the sections. */

import type { InferFields } from '../schema/declare.js';
import { Decoder } from '../schema/decoder.js';
import type { Diagnostic } from '../schema/diagnostic.js';
import { rewriting } from '../schema/schema.js';
import { kindName, type TableEntry, type TableNode, type TomlNode } from '../schema/tree.js';
import type { Model } from './model.js';
import { rootShape, SETTINGS_TABLES } from './shapes.js';

type Report = (diagnostic: Diagnostic) => void;
type Settings = Pick<
  Model,
  'normalize' | 'admin' | 'accessLog' | 'drainTimeout' | 'drainDelay' | 'workers' | 'overload' | 'lint' | 'at'
>;
type Root = Partial<InferFields<typeof rootShape.fields>>;

/** Settings that are wrong are reported, and their defaults hold for the rest of the reading. */
export function readSettings(tree: TableNode, report: Report): Settings {
  checkVersion(tree, report);
  const decoder = new Decoder(tree);
  const { values } = rootShape.decodePartial(withDefaults(tree), decoder);
  for (const diagnostic of decoder.diagnostics) report(diagnostic);
  checkAdmin(tree, values, report);
  const fallback = defaults();
  return {
    normalize: values.normalize ?? fallback.normalize!,
    admin: values.admin ?? fallback.admin!,
    accessLog: values.access_log ?? fallback.access_log!,
    overload: values.overload ?? fallback.overload!,
    drainTimeout: values.drain_timeout ?? fallback.drain_timeout!,
    drainDelay: values.drain_delay ?? fallback.drain_delay!,
    workers: values.workers ?? fallback.workers!,
    lint: values.lint ?? fallback.lint!,
    at: decoder,
  };
}

const NOWHERE = { offset: 0, line: 1, column: 1 };

function defaults(): Root {
  const span = { file: '', start: NOWHERE, end: NOWHERE };
  const empty: TableNode = { kind: 'table', entries: new Map(), span, from: 'default' };
  return rootShape.decodePartial(withDefaults(empty), new Decoder(empty)).values;
}

/** Tables of settings that nobody wrote, empty, so that the defaults within them are made explicit. */
function withDefaults(tree: TableNode): TableNode {
  const entries = new Map<string, TableEntry>(tree.entries);
  const span = { ...tree.span, end: tree.span.start };
  for (const key of SETTINGS_TABLES) {
    if (entries.has(key)) continue;
    const value: TableNode = { kind: 'table', entries: new Map(), span, from: 'default' };
    entries.set(key, { key, keySpan: span, value });
  }
  // The version has messages of its own.
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
          ? `This gw reads version 1 of the language, not ${version.value}.`
          : `The version of the language is the integer 1; found ${kindName(version)}.`,
      help: 'Write `spec = 1`; for a later version, use a later gw.',
      ...(meant ? { fix: rewriting(version, '1') } : {}),
    });
    return;
  }
  report({
    code: 'spec/version',
    severity: 'error',
    span: start,
    message: 'The spec does not say which version of the language it is written in.',
    help: 'Begin the file with `spec = 1`.',
    fix: { title: 'Add `spec = 1`', applicability: 'safe', edits: [{ span: start, text: 'spec = 1\n' }] },
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
    message: 'The admin API would listen on TCP without a token: whoever reaches the port could reload the gateway.',
    help: 'Add `token = "${env:GW_ADMIN_TOKEN}"`, or leave `address` out: the unix socket is always there.',
  });
}
