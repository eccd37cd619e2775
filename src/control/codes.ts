/** Diagnostics that depend on the machine where a gateway runs, so that the compiler cannot give them. */
import type { Diagnostic, Severity, Span } from '../schema/diagnostic.js';

export const CONTROL_CODES = [
  { code: 'reference/unresolved', severity: 'error', summary: 'A variable or file of a reference does not exist' },
  { code: 'reference/invalid', severity: 'error', summary: 'The value of a reference is not valid where it is used' },
  { code: 'listener/certificate', severity: 'error', summary: 'A certificate or key of a listener cannot be used' },
  {
    code: 'listener/certificate-dates',
    severity: 'warning',
    summary: 'A certificate has expired or is not valid yet',
  },
  {
    code: 'listener/certificate-names',
    severity: 'warning',
    summary: 'A certificate is not for a name that it is used for',
  },
  { code: 'listener/client-ca', severity: 'error', summary: 'The client CA of a listener cannot be used' },
  { code: 'listener/client-crl', severity: 'error', summary: 'A revocation list of a listener cannot be used' },
  {
    code: 'listener/client-crl-dates',
    severity: 'warning',
    summary: 'A revocation list is out of date, so its certificates are refused',
  },
  {
    code: 'listener/client-crl-missing',
    severity: 'warning',
    summary: 'A client CA has no revocation list, so its certificates are refused',
  },
  { code: 'service/certificate', severity: 'error', summary: 'A certificate or key towards targets cannot be used' },
  {
    code: 'service/certificate-dates',
    severity: 'warning',
    summary: 'A certificate towards targets has expired or is not valid yet',
  },
  { code: 'acme/ca', severity: 'error', summary: 'The CA of an ACME directory cannot be used' },
  { code: 'log/open', severity: 'error', summary: 'The access log cannot be opened' },
  { code: 'listener/bind', severity: 'error', summary: 'A listener cannot be bound' },
  { code: 'service/not-ready', severity: 'error', summary: 'A managed target did not start' },
  { code: 'duty/failed', severity: 'error', summary: 'The first run of a required duty failed' },
  { code: 'duty/pending', severity: 'warning', summary: 'A policy starts before its duty has succeeded' },
  { code: 'admin/bind', severity: 'error', summary: 'The admin address cannot be bound' },
  { code: 'bundle/invalid', severity: 'error', summary: 'A bundle cannot be read or verified' },
  { code: 'bundle/unsigned-code', severity: 'error', summary: 'A bundle with code is not verified by a signature' },
  { code: 'gateway/load', severity: 'error', summary: 'The data plane refused the generation' },
  { code: 'gateway/workers', severity: 'warning', summary: 'One worker serves, the spec asks for several' },
  {
    code: 'gateway/content-memory',
    severity: 'warning',
    summary: 'The memory of contents needs a restart to change its size',
  },
  {
    code: 'reload/unauthenticated',
    severity: 'warning',
    summary: 'A reload removes authentication from a route',
  },
  { code: 'reload/no-routes', severity: 'warning', summary: 'A reload leaves no routes' },
] as const satisfies readonly { readonly code: string; readonly severity: Severity; readonly summary: string }[];

export type ControlCode = (typeof CONTROL_CODES)[number]['code'];

/** An error at a span; `help` says what to do. */
export function controlError(code: ControlCode, span: Span, message: string, help?: string): Diagnostic {
  return { code, severity: 'error', span, message, ...(help === undefined ? {} : { help }) };
}

/** A warning at a span: the gateway serves, but not exactly as the spec says. */
export function controlWarning(code: ControlCode, span: Span, message: string, help: string): Diagnostic {
  return { code, severity: 'warning', span, message, help };
}

/** The start of a file: the span of a diagnostic that belongs to no text of it. */
export function startOf(file: string): Span {
  const position = { offset: 0, line: 1, column: 1 };
  return { file, start: position, end: position };
}
