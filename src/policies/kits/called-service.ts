/** Where a policy sends its requests: to a `url`, or to a `service` that the spec declares. For compile parts. */
import { parseCallUrl } from '../compile-kit.js';
import type { CallTarget, PolicyProblem } from '../contract.js';

export interface CalledConfig {
  readonly url?: string | undefined;
  readonly service?: string | undefined;
  /** Of the requests to `service`. */
  readonly path?: string | undefined;
}

/** For `calls` of a declaration. */
export const callsOf = ({ url, service }: CalledConfig): readonly CallTarget[] => [
  ...(url === undefined ? [] : [{ at: ['url'], url }]),
  ...(service === undefined ? [] : [{ at: ['service'], service }]),
];

/** The name of the service, which is the origin of a `url`, and the path of the requests. */
export function calledOf({ url, service, path }: CalledConfig): { readonly service: string; readonly path: string } {
  const called = url === undefined ? undefined : parseCallUrl(url);
  return { service: called?.origin ?? service ?? '', path: called?.path ?? path ?? '/' };
}

/**
 * Why it is not clear where the requests go. `code`: of the policy. `missing`: the message if neither is set. `does`: what the service
 * is asked for, such as `decides`.
 */
export function calledProblem(
  { url, service, path }: CalledConfig,
  code: string,
  { missing, does }: { readonly missing: string; readonly does: string },
): PolicyProblem | undefined {
  const problem = { code, severity: 'error' } as const;
  if (url === undefined && service === undefined) {
    const help = 'Set `url = "https://..."`, or `service = "NAME"` and `path`.';
    return { ...problem, at: [], message: missing, help };
  }
  if (url !== undefined && service !== undefined) {
    const message = `A service and a URL are set, so it is not clear which one ${does}.`;
    return { ...problem, at: ['service'], message, help: 'Keep `url`, or `service` and `path`.' };
  }
  if (url === undefined || path === undefined) return undefined;
  const message = '`path` belongs to `service`; the URL has a path of its own.';
  return { ...problem, at: ['path'], message, help: 'Write the path into `url`.' };
}
