/** Short specs, and their diagnostics. */

import { type CheckedSpec, checkSpec } from '../../src/lint/index.js';
import type { Diagnostic } from '../../src/schema/diagnostic.js';

export const HEAD = 'spec = 1\n[listener.main]\naddress = "127.0.0.1:8080"\n';
export const ORDERS = '[service.orders]\ntargets = ["http://127.0.0.1:4003"]\n';
export const KEY = `sha256:${'0123456789abcdef'.repeat(4)}`;
export const CONSUMER = `[consumer.acme]\napi_keys = ["${KEY}"]\n`;
export const KEYS = '[policy.keys]\nuse = "api-key"\n';

let count = 0;

/** A route to `orders`, named by its index. `more`: further lines. */
export function route(match: string, more = 'to = "orders"'): string {
  const written = match.startsWith('{') ? match : JSON.stringify(match);
  return `[[route]]\nname = "r${count++}"\nmatch = ${written}\n${more}\n`;
}

export const checked = (text: string): CheckedSpec => checkSpec({ path: 'gateway.toml', text });

/** Checks a spec with the usual listener and service. */
export function check(text: string): readonly Diagnostic[] {
  count = 0;
  return checked(HEAD + ORDERS + text).diagnostics;
}

export const codes = (diagnostics: readonly Diagnostic[]): string[] => diagnostics.map(({ code }) => code);
