/** The changes of a reload by name: as data of the admin API and as text. */

import { nounFor } from '../plural.js';

export type ChangedKind = 'route' | 'service' | 'policy' | 'consumer' | 'plan' | 'listener' | 'setting';

export interface ReloadChange {
  readonly change: 'added' | 'changed' | 'removed';
  readonly kind: ChangedKind;
  /** Sorted; only the first ones if there are many. */
  readonly names: readonly string[];
  /** Number of names that are not listed. */
  readonly more: number;
}

const SIGNS = { added: '+', changed: '~', removed: '-' } as const;

/** `a, b and 12 more`: at most `most` names; `more`: number of further ones that are not in `names`. */
export function boundedNames(names: readonly string[], more = 0, most = 10): string {
  const left = Math.max(0, names.length - most) + more;
  return names.slice(0, most).join(', ') + (left > 0 ? ` and ${left} more` : '');
}

/** `+route ping`, `~policies keys, limit`, `-routes a, b and 12 more`. */
export function changeText({ change, kind, names, more }: ReloadChange): string {
  return `${SIGNS[change]}${nounFor(names.length + more, kind)} ${boundedNames(names, more)}`;
}

/** All changes in one line; `nothing` if there are none. */
export const changesText = (changes: readonly ReloadChange[]): string =>
  changes.length === 0 ? 'nothing' : changes.map(changeText).join('; ');

/** The changes of a reload in one line; for a rejected one, its first error. */
export const reloadText = (reload: { readonly summary: string; readonly changes?: readonly ReloadChange[] }): string =>
  reload.changes === undefined ? reload.summary : changesText(reload.changes);
