/** Which components a signature must cover. */
import { type Component, sameComponent } from '../kits/http-signature/index.js';
import { readItem } from '../kits/structured-fields.js';

/** Components that contain others: a signature of the target URI is one of its path. */
const WITHIN: { readonly [name: string]: readonly string[] } = {
  '@authority': ['@target-uri'],
  '@scheme': ['@target-uri'],
  '@path': ['@target-uri', '@request-target'],
  '@query': ['@target-uri', '@request-target'],
};

/** A component as the config names it, in the form of Signature-Input: `@method` becomes `"@method"`. */
export function componentText(text: string): string {
  const at = text.indexOf(';');
  const name = at < 0 ? text : text.slice(0, at);
  return `"${name.startsWith('@') ? name : name.toLowerCase()}"${at < 0 ? '' : text.slice(at)}`;
}

/** Whether a signature covers a required component: that one, its whole value in another form, or one that contains it. */
export function covers(components: readonly Component[], required: Component): boolean {
  const within = WITHIN[required.name] ?? [];
  return components.some((one) => {
    if (sameComponent(one, required)) return true;
    if (required.parameters.size > 0) return false;
    if (within.includes(one.name)) return true;
    // A member of a field is not the whole field.
    return one.name === required.name && [...one.parameters.keys()].every((key) => key === 'sf' || key === 'bs');
  });
}

/** Fields of one hop, which no recipient beyond gw sees anyway. */
const OF_HOP = new Set(['connection', 'keep-alive', 'te', 'trailer', 'upgrade']);

/** A covered field that Connection lists: the target would not get it, although it was signed. */
export function droppedField(connection: string | undefined, components: readonly Component[]): string | undefined {
  if (connection === undefined) return undefined;
  const listed = connection.split(',').map((name) => name.trim().toLowerCase());
  return components.find(({ name }) => listed.includes(name) && !OF_HOP.has(name))?.name;
}

const DIGESTS = ['sha-256', 'sha-512'];

/** Whether a signature covers a digest of the body that gw verifies. */
export const coversDigest = (components: readonly Component[]): boolean =>
  components.some(({ name, parameters }) => {
    if (name !== 'content-digest' || parameters.has('tr') || parameters.has('req')) return false;
    const key = parameters.get('key');
    // A digest by another hash beside an unsigned one says nothing about the body.
    return key === undefined || DIGESTS.includes(String(key));
  });

/** The item of a component in the form of Signature-Input. */
export const componentItem = (text: string) => readItem(text);
