/** Components of HTTP messages, RFC 9421 section 2: what a signature covers, and the value of each in a message. */
import { trimmedField } from '../../run-kit.js';
import { canonical, type Item, type Parameters, readDictionary, writeMember } from '../structured-fields.js';

/** The fields of a message. */
export interface SignedFields {
  /** The values of all fields of that name in order, without white space around them; none if it is absent. Lower-case name. */
  values(name: string): readonly string[];
}

/** A request as its signer sees it. */
export interface SignedRequest extends SignedFields {
  readonly method: string;
  /** In lower case. */
  readonly scheme: string;
  /** Host in lower case, with the port unless it is the default of the scheme. */
  readonly authority: string;
  /** As in the request line of HTTP/1.1. */
  readonly requestTarget: string;
  /** Percent-encoded, as sent; `/` if empty. */
  readonly path: string;
  /** As sent, without `?`; undefined if there is none. */
  readonly query: string | undefined;
  /** Undefined if there are none, or if they are not known yet. */
  readonly trailers?: SignedFields | undefined;
}

/** A response, with the request that it answers if components of that may be covered. */
export interface SignedResponse extends SignedFields {
  readonly status: number;
  readonly request?: SignedRequest | undefined;
  readonly trailers?: SignedFields | undefined;
}

export type SignedMessage = SignedRequest | SignedResponse;

/** A component identifier: its name, and the parameters that select or change its value. */
export interface Component {
  readonly name: string;
  readonly parameters: Parameters;
  /** As it is written: `"@query-param";name="id"`. */
  readonly id: string;
}

/** Whether two components are the same: in any order of the parameters, section 2. */
export function sameComponent(one: Component, other: Component): boolean {
  if (one.id === other.id) return true;
  if (one.name !== other.name || one.parameters.size !== other.parameters.size) return false;
  // Their values are texts and `true`: others were refused.
  for (const [key, value] of one.parameters) if (other.parameters.get(key) !== value) return false;
  return true;
}

const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** Derived components, section 2.2, and the messages that have them. */
const DERIVED: { readonly [name: string]: 'request' | 'response' } = {
  '@method': 'request',
  '@target-uri': 'request',
  '@authority': 'request',
  '@scheme': 'request',
  '@request-target': 'request',
  '@path': 'request',
  '@query': 'request',
  '@query-param': 'request',
  '@status': 'response',
};

/** The component of an item in a list of components, or what is wrong with it: a phrase. */
export function readComponent([name, parameters]: Item): Component | string {
  if (typeof name !== 'string') return 'a component is not a string';
  const id = writeMember([name, parameters]);
  const fault = name.startsWith('@') ? derivedFault(name, parameters) : fieldFault(name, parameters);
  return fault === undefined ? { name, parameters, id } : `${fault}: ${id.slice(0, 100)}`;
}

/** A component without parameters. */
export const componentNamed = (name: string): Component => ({ name, parameters: new Map(), id: `"${name}"` });

function derivedFault(name: string, parameters: Parameters): string | undefined {
  const of = Object.hasOwn(DERIVED, name) ? DERIVED[name] : undefined;
  // @signature-params is not a component that a signer lists.
  if (of === undefined) return 'unknown component';
  for (const [key, value] of parameters) {
    if (key === 'req' && value === true && of === 'request') continue;
    if (key === 'name' && name === '@query-param' && typeof value === 'string') continue;
    return 'component with a parameter that it cannot have';
  }
  return name === '@query-param' && !parameters.has('name') ? 'component without the name of the parameter' : undefined;
}

function fieldFault(name: string, parameters: Parameters): string | undefined {
  if (!FIELD_NAME.test(name)) return 'component that is not the name of a field in lower case';
  for (const [key, value] of parameters) {
    if ((key === 'sf' || key === 'bs' || key === 'tr' || key === 'req') && value === true) continue;
    if (key === 'key' && typeof value === 'string') continue;
    return 'component with a parameter that it cannot have';
  }
  // Section 2.1: bytes cannot be read as a structured field.
  if (parameters.has('bs') && (parameters.has('sf') || parameters.has('key')))
    return 'component with parameters that exclude each other';
  return undefined;
}

const isResponse = (message: SignedMessage): message is SignedResponse => 'status' in message;

/** The value of a component in a message; undefined if the message does not have it, or has it in a form that cannot be used. */
export function componentValue(component: Component, message: SignedMessage): string | undefined {
  const { name, parameters } = component;
  const ofRequest = parameters.get('req') === true;
  // Section 2.4: only in a response.
  if (ofRequest && !isResponse(message)) return undefined;
  const subject = ofRequest ? (message as SignedResponse).request : message;
  if (subject === undefined) return undefined;
  if (name === '@status') return isResponse(subject) ? String(subject.status) : undefined;
  if (!name.startsWith('@')) {
    const fields = parameters.get('tr') === true ? subject.trailers : subject;
    return fields && fieldValue(parameters, fields.values(name));
  }
  return isResponse(subject) ? undefined : derivedValue(component, subject);
}

function derivedValue({ name, parameters }: Component, request: SignedRequest): string | undefined {
  const { method, scheme, authority, path, query, requestTarget } = request;
  switch (name) {
    case '@method':
      return method;
    case '@target-uri':
      return `${scheme}://${authority}${path}${query === undefined ? '' : `?${query}`}`;
    case '@authority':
      return authority;
    case '@scheme':
      return scheme;
    case '@request-target':
      return requestTarget;
    case '@path':
      return path;
    case '@query':
      return `?${query ?? ''}`;
    default:
      return queryParam(query ?? '', String(parameters.get('name')));
  }
}

function fieldValue(parameters: Parameters, values: readonly string[]): string | undefined {
  if (values.length === 0) return undefined;
  if (parameters.get('bs') === true)
    return values.map((value) => `:${Buffer.from(value, 'latin1').toString('base64')}:`).join(', ');
  // Section 2.1: an obsolete line folding is one space.
  const text = values.map((value) => value.split('\r\n').map(trimmedField).join(' ')).join(', ');
  const key = parameters.get('key');
  if (typeof key === 'string') {
    const member = readDictionary(text)?.get(key);
    return member && writeMember(member);
  }
  return parameters.get('sf') === true ? canonical(text) : text;
}

/** Section 2.2.8. Undefined if the parameter is absent or occurs more than once. */
function queryParam(query: string, encodedName: string): string | undefined {
  const found: string[] = [];
  // The constructor would remove a `?` at the start, which is part of the first name.
  for (const [name, value] of new URLSearchParams(`&${query}`))
    if (percentEncoded(name) === encodedName) found.push(value);
  return found.length === 1 ? percentEncoded(found[0]!) : undefined;
}

/** The application/x-www-form-urlencoded percent-encode set, with spaces as %20. */
const percentEncoded = (text: string): string =>
  new URLSearchParams({ '': text }).toString().slice(1).replaceAll('+', '%20');

/** The authority of a URI as a signature covers it, section 2.2.3: lower case, without the default port of the scheme. */
export function normalAuthority(authority: string, scheme: string): string {
  const lower = authority.toLowerCase();
  return lower.replace(scheme === 'https' ? /:443$/ : /:80$/, '');
}
