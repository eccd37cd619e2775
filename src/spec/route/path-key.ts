import type { RouteModel } from '../model.js';

/** The key by which a route changes the path for the target; undefined for none. */
export function pathKeyOf({ rewrite, stripPrefix }: RouteModel): 'rewrite' | 'strip_prefix' | undefined {
  if (rewrite !== undefined) return 'rewrite';
  return stripPrefix === undefined ? undefined : 'strip_prefix';
}
