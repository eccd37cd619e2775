/** Credentials in header fields, RFC 9110 section 11.4. */

/**
 * The credential behind an authentication scheme (lower case) in the value of a field; '' if there is none. Undefined for another
 * scheme. A tab is accepted in place of a space: a target that accepts it too must not get a credential that gw overlooked.
 */
export function afterScheme(value: string, scheme: string): string | undefined {
  const { length } = scheme;
  if (value.slice(0, length).toLowerCase() !== scheme) return undefined;
  if (value.length > length && value[length] !== ' ' && value[length] !== '\t') return undefined;
  return value.slice(length).replace(/^[ \t]+/, '');
}
