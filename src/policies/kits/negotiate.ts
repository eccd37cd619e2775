/**
 * Proactive negotiation by weighted lists, RFC 9110 section 12: which content coding or media type a client prefers.
 * Parts of a field that are not valid are ignored, as if the client had not sent them.
 */

/** One member of a weighted list: its value in lower case without parameters, and its weight in thousandths. */
interface Weighted {
  readonly value: string;
  readonly weight: number;
}

/** Members beyond it are ignored: no client needs as many. */
const MAX_MEMBERS = 64;

const MEMBER = /^([!#$%&'*+.^_`|~0-9a-z-]+(?:\/[!#$%&'*+.^_`|~0-9a-z-]+)?)((?:[ \t]*;[^;]*)*)$/;
const WEIGHT = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/;

/** The valid members of a list such as `gzip;q=0.8, br`. */
function weightedList(field: string): Weighted[] {
  const list: Weighted[] = [];
  for (const member of field.toLowerCase().split(',', MAX_MEMBERS)) {
    const [, value, parameters = ''] = MEMBER.exec(member.trim()) ?? [];
    if (value === undefined) continue;
    const weight = weightOf(parameters);
    if (weight !== undefined) list.push({ value, weight });
  }
  return list;
}

/** Thousandths; 1000 without a `q`; undefined for an invalid one. */
function weightOf(parameters: string): number | undefined {
  if (parameters === '') return 1000;
  for (const parameter of parameters.split(';')) {
    const [name = '', value = ''] = parameter.split('=', 2);
    if (name.trim() === 'q') return WEIGHT.test(value.trim()) ? Math.round(Number(value) * 1000) : undefined;
  }
  return 1000;
}

export interface CodingChoice {
  /** The preferred coding; `identity` for none. */
  readonly coding: string;
  /** Whether the client does not accept the body without a coding. */
  readonly identityRefused: boolean;
}

/**
 * The content coding that a client prefers, RFC 9110 section 12.5.3. `field`: its Accept-Encoding; undefined if it sent none,
 * which gives `identity`. `available`: codings in the order of the server's preference, which decides between equal weights,
 * also against `identity`. If the client accepts nothing that there is, the choice is `identity`.
 */
export function chooseCoding(field: string | undefined, available: readonly string[]): CodingChoice {
  if (field === undefined) return { coding: 'identity', identityRefused: false };
  const weights = new Map<string, number>();
  for (const { value, weight } of weightedList(field)) {
    const coding = value.startsWith('x-') ? value.slice(2) : value;
    if (!weights.has(coding)) weights.set(coding, weight);
  }
  const others = weights.get('*');
  const identity = weights.get('identity') ?? others;
  let coding = 'identity';
  // A listed weight of identity competes; without one, every accepted coding is better.
  let best = Math.max(1, weights.get('identity') ?? 1);
  for (const candidate of available) {
    const weight = weights.get(candidate) ?? others ?? 0;
    if (weight < best || (weight === best && coding !== 'identity')) continue;
    coding = candidate;
    best = weight;
  }
  return { coding, identityRefused: identity === 0 };
}

/**
 * The media type of `available` (lower case, in the order of the server's preference) that a client prefers, RFC 9110
 * section 12.5.1: the most specific range of its Accept decides about each type. Without the field it is the first one.
 * Undefined if the client accepts none of them. Parameters of media types are ignored.
 */
export function chooseMediaType(field: string | undefined, available: readonly string[]): string | undefined {
  if (field === undefined || field.trim() === '') return available[0];
  const weights = new Map<string, number>();
  for (const { value, weight } of weightedList(field)) {
    // A type may be listed with several parameters: the best weight counts.
    weights.set(value, Math.max(weight, weights.get(value) ?? 0));
  }
  let best = 0;
  let chosen: string | undefined;
  for (const type of available) {
    const essence = mediaType(type);
    const weight = weights.get(essence) ?? weights.get(`${essence.split('/', 1)[0]}/*`) ?? weights.get('*/*') ?? 0;
    if (weight <= best) continue;
    best = weight;
    chosen = type;
  }
  return chosen;
}

/** Type and subtype of a Content-Type in lower case, without parameters; '' for none. */
export function mediaType(field: string | undefined): string {
  if (field === undefined) return '';
  const end = field.indexOf(';');
  return (end < 0 ? field : field.slice(0, end)).trim().toLowerCase();
}

/**
 * Whether a media type matches a range: `application/json`, `text/*`, `application/*+json` or any type, in lower case. `type`
 * is what mediaType() returned.
 */
export function matchesMediaRange(type: string, range: string): boolean {
  const star = range.indexOf('*');
  if (star < 0) return type === range;
  if (range === '*/*') return type.includes('/');
  const after = range.slice(star + 1);
  return type.length > star + after.length && type.startsWith(range.slice(0, star)) && type.endsWith(after);
}
