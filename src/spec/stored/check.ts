/** What must hold between the consumers of all files and the spec: names and credentials are unique, plans exist. */
import type { CredentialKind } from '../../bundle/types.js';
import type { Diagnostic, Span } from '../../schema/diagnostic.js';
import { shown } from '../../schema/scalars.js';
import { type ReadConsumers, Reports, type StoreContext } from './change.js';
import { type Draft, idOf } from './draft.js';

const NOUNS = { key: 'API key', certificate: 'certificate', signature: 'key id', password: 'user name' } as const;

/** Problems of added consumers, and of kept ones that the spec no longer fits. */
export function checkStored(draft: Draft, context: StoreContext): readonly Diagnostic[] {
  const reports = new Reports();
  checkNames(draft, context, reports);
  checkCredentials(draft, context, reports);
  checkPlans(draft, context, reports);
  return reports.end();
}

/** Where the files declare a consumer. */
function placeOf(draft: Draft, name: string, file = draft.fileOf(name)): Span {
  const start = { offset: 0, line: 1, column: 1 };
  return file?.find(name) ?? { file: file?.path ?? '', start, end: start };
}

function related(span: Span | undefined): Pick<Diagnostic, 'related'> {
  return span === undefined ? {} : { related: [{ span, message: 'first declared here' }] };
}

function checkNames(draft: Draft, { declared }: StoreContext, reports: Reports): void {
  const duplicate = (name: string, span: Span, first: Span | undefined): void =>
    reports.add({
      code: 'name/duplicate',
      severity: 'error',
      span,
      message: `Consumer \`${shown(name)}\` is declared twice.`,
      ...related(first),
      help: 'Rename one of them, or merge their credentials.',
      entity: `consumer.${name}`,
    });
  for (const { name, file } of draft.twice) {
    if (reports.full) {
      reports.skip();
      continue;
    }
    const first: ReadConsumers | undefined = draft.fileOf(name);
    // Within one file, only the first place is searched for.
    duplicate(name, placeOf(draft, name, file), first === file ? undefined : placeOf(draft, name));
  }
  for (const { entry, span } of declared) {
    if (!draft.get(entry.name)) continue;
    if (reports.full) reports.skip();
    else duplicate(entry.name, placeOf(draft, entry.name), span);
  }
}

function checkCredentials(draft: Draft, { declared }: StoreContext, reports: Reports): void {
  const owners = new Map<CredentialKind, Map<string, { owner: string; span?: Span | undefined }>>();
  const ownersOf = (kind: CredentialKind) => {
    let found = owners.get(kind);
    if (!found) {
      found = new Map();
      owners.set(kind, found);
    }
    return found;
  };
  for (const { entry, span } of declared) {
    for (const { kind, id } of entry.credentials) {
      const text = idOf(id);
      ownersOf(kind).set(text, { owner: entry.name, span });
      // The spec may have changed, not the file.
      const kept = draft.keptOwner(kind, text);
      if (kept !== undefined) shared(draft, reports, kept, kind, { owner: entry.name, span });
    }
  }
  for (const { entry } of draft.added.values()) {
    for (const { kind, id } of entry.credentials) {
      const text = idOf(id);
      const known = ownersOf(kind);
      const keptOwner = draft.keptOwner(kind, text);
      const first = known.get(text) ?? (keptOwner === undefined ? undefined : { owner: keptOwner });
      if (first === undefined) known.set(text, { owner: entry.name });
      else shared(draft, reports, entry.name, kind, first);
    }
  }
}

function shared(
  draft: Draft,
  reports: Reports,
  name: string,
  kind: CredentialKind,
  first: { readonly owner: string; readonly span?: Span | undefined },
): void {
  if (reports.full) {
    reports.skip();
    return;
  }
  const place = first.span ?? (draft.get(first.owner) && placeOf(draft, first.owner));
  const noun = NOUNS[kind];
  reports.add({
    code: 'consumer/shared-key',
    severity: 'error',
    span: placeOf(draft, name),
    message:
      first.owner === name
        ? `Consumer \`${name}\` lists one ${noun} twice.`
        : `Consumer \`${first.owner}\` has the same ${noun} as \`${name}\`, so a request with it could be from either consumer.`,
    ...(first.owner === name ? {} : related(place)),
    help: first.owner === name ? 'Remove one of the two.' : `Give each consumer its own ${noun}.`,
    entity: `consumer.${name}`,
  });
}

function checkPlans(draft: Draft, { plans }: StoreContext, reports: Reports): void {
  for (const { name, plan } of draft.withPlan((each) => !plans.has(each))) {
    if (reports.full) reports.skip();
    else {
      const file = draft.fileOf(name);
      const span = file?.find(name, 'plan') ?? placeOf(draft, name, file);
      // Fixes edit the files of a spec.
      const { fix: _, ...unknown } = plans.unknown(plan ?? '', span);
      reports.add({ ...unknown, entity: `consumer.${name}` });
    }
  }
}
