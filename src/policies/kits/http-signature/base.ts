/** Signature bases and parameters, RFC 9421 sections 2.3 and 2.5. */
import { type InnerList, type Item, type Parameters, writeMember } from '../structured-fields.js';
import { type Component, componentValue, readComponent, type SignedMessage, sameComponent } from './component.js';

/** What a signature covers, and its parameters. */
export interface SignatureInput {
  readonly components: readonly Component[];
  /** Seconds since 1970. */
  readonly created: number | undefined;
  readonly expires: number | undefined;
  readonly nonce: string | undefined;
  readonly alg: string | undefined;
  readonly keyid: string | undefined;
  readonly tag: string | undefined;
  /** As the base ends: `("@method");created=1`. */
  readonly text: string;
}

const MAX_COMPONENTS = 64;
const MAX_TEXT = 1024;

/** The input that a member of Signature-Input describes, or what is wrong with it: a phrase. */
export function readInput([items, parameters]: InnerList): SignatureInput | string {
  if (items.length > MAX_COMPONENTS) return `the signature covers more than ${MAX_COMPONENTS} components`;
  const components: Component[] = [];
  for (const item of items) {
    const component = readComponent(item);
    if (typeof component === 'string') return component;
    if (components.some((other) => sameComponent(other, component)))
      return `the signature covers ${component.id} twice`;
    components.push(component);
  }
  const texts = textsOf(parameters, ['nonce', 'alg', 'keyid', 'tag']);
  const times = timesOf(parameters);
  if (typeof texts === 'string') return texts;
  if (typeof times === 'string') return times;
  const { nonce, alg, keyid, tag } = texts;
  const { created, expires } = times;
  return { components, created, expires, nonce, alg, keyid, tag, text: writeMember([items, parameters]) };
}

function textsOf(parameters: Parameters, names: readonly string[]): { readonly [name: string]: string } | string {
  const texts: Record<string, string> = {};
  for (const name of names) {
    const value = parameters.get(name);
    if (value === undefined) continue;
    if (typeof value !== 'string') return `the parameter ${name} is not a string`;
    if (value.length > MAX_TEXT) return `the parameter ${name} is too long`;
    texts[name] = value;
  }
  return texts;
}

function timesOf(parameters: Parameters): { readonly created?: number; readonly expires?: number } | string {
  const times: { created?: number; expires?: number } = {};
  for (const name of ['created', 'expires'] as const) {
    const value = parameters.get(name);
    if (value === undefined) continue;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
      return `the parameter ${name} is not a time`;
    times[name] = value;
  }
  return times;
}

/** Parameters of a signature to make, in this order; undefined ones are left out. */
export interface SignatureParameters {
  readonly created?: number | undefined;
  readonly expires?: number | undefined;
  readonly nonce?: string | undefined;
  readonly alg?: string | undefined;
  readonly keyid?: string | undefined;
  readonly tag?: string | undefined;
}

/** The input of a signature to make. */
export function makeInput(components: readonly Component[], parameters: SignatureParameters): SignatureInput {
  const { created, expires, nonce, alg, keyid, tag } = parameters;
  const items = components.map((component): Item => [component.name, component.parameters]);
  const map: Parameters = new Map();
  for (const [name, value] of Object.entries({ created, expires, nonce, alg, keyid, tag }))
    if (value !== undefined) map.set(name, value);
  return { components, created, expires, nonce, alg, keyid, tag, text: writeMember([items, map]) };
}

/** The text that is signed. A component that the message does not have is returned in its place. */
export function signatureBase(message: SignedMessage, input: SignatureInput): string | { readonly missing: Component } {
  let base = '';
  for (const component of input.components) {
    const value = componentValue(component, message);
    // Section 2.5: a line break within a value could imitate a further component.
    if (value === undefined || /[^\t\x20-\x7e\x80-\xff]/.test(value)) return { missing: component };
    base += `${component.id}: ${value}\n`;
  }
  return `${base}"@signature-params": ${input.text}`;
}
