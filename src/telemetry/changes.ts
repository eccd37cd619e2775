/** What a reload changed, by name: as the admin API tells it and as people read it. */

import { nounFor } from '../plural.js';

export type ChangedKind = 'route' | 'service' | 'policy' | 'consumer' | 'plan' | 'listener' | 'setting';

export interface ReloadChange {
  readonly change: 'added' | 'changed' | 'removed';
  readonly kind: ChangedKind;
  /** Sorted; the first ones where there are many. */
  readonly names: readonly string[];
  /** How many further ones there are. */
  readonly more: number;
}

const SIGNS = { added: '+', changed: '~', removed: '-' } as const;

/** `a, b and 12 more`: at most `most` of the names; `more` are not among them. */
export function boundedNames(names: readonly string[], more = 0, most = 10): string {
  const left = Math.max(0, names.length - most) + more;
  return names.slice(0, most).join(', ') + (left > 0 ? ` and ${left} more` : '');
}

/** `+route ping`, `~policies keys, limit`, `-routes a, b and 12 more`. */
export function changeText({ change, kind, names, more }: ReloadChange): string {
  return `${SIGNS[change]}${nounFor(names.length + more, kind)} ${boundedNames(names, more)}`;
}

/** All of them in one line; `nothing` where there are none. */
export const changesText = (changes: readonly ReloadChange[]): string =>
  changes.length === 0 ? 'nothing' : changes.map(changeText).join('; ');

/** What a reload changed, in one line: by name where that is known. Of a rejected one, its first error. */
export const reloadText = (reload: { readonly summary: string; readonly changes?: readonly ReloadChange[] }): string =>
  reload.changes === undefined ? reload.summary : changesText(reload.changes);
