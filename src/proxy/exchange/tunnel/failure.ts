/** What it means that the handshake of a tunnel fails. */
import type { ErrorSlug } from '../../errors/errors.js';

export type HandshakeState = 'connecting' | 'head' | 'waiting' | 'body';

/** Progress of the reply, for a cause. `begun`: a part of its head has come. */
export function stageOf(state: HandshakeState, begun: boolean): string {
  if (state === 'waiting' || state === 'body') return 'within the body of its reply';
  return begun ? 'within the head of its reply' : 'before its reply';
}

/** The alert no_application_protocol in the messages of OpenSSL. */
const NO_PROTOCOL = /no.application.protocol/i;

/** How targets without HTTP/1.1 answer it. */
const NO_REPLY: ReadonlySet<ErrorSlug> = new Set(['upstream/invalid', 'upstream/reset']);

/**
 * A tunnel needs HTTP/1.1. Targets of a service with HTTP/2 need not speak it, and are not to blame: otherwise each client could
 * have them ejected. So the request fails as one that gw cannot serve.
 */
export function failureOf(
  { http2 }: { readonly http2?: object },
  state: HandshakeState,
  error: ErrorSlug,
  cause: string,
): { readonly error: ErrorSlug; readonly cause: string } {
  const noHttp11 = state === 'head' ? NO_REPLY.has(error) : state === 'connecting' && NO_PROTOCOL.test(cause);
  if (http2 === undefined || !noHttp11) return { error, cause };
  return { error: 'request/not-implemented', cause: `upgrade at a target that speaks HTTP/2 only: ${cause}` };
}
