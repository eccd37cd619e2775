/** PEM, RFC 7468. */

/** The contents of the blocks with one of these labels; a damaged block is undefined. Text between blocks is ignored. */
export function pemBlocks(text: string, labels: readonly string[]): (Buffer | undefined)[] {
  const found: (Buffer | undefined)[] = [];
  const begin = /-----BEGIN ([A-Z0-9 ]+)-----/g;
  for (let match = begin.exec(text); match !== null; match = begin.exec(text)) {
    if (!labels.includes(match[1]!)) continue;
    const start = match.index + match[0].length;
    const end = text.indexOf(`-----END ${match[1]}-----`, start);
    if (end < 0) {
      found.push(undefined);
      break;
    }
    const body = text.slice(start, end).replace(/\s+/g, '');
    found.push(/^[A-Za-z0-9+/]+={0,2}$/.test(body) ? Buffer.from(body, 'base64') : undefined);
    begin.lastIndex = end;
  }
  return found;
}

/** DER as PEM. */
export const pemOf = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END ${label}-----\n`;

export const CERTIFICATE_LABELS = ['CERTIFICATE', 'X509 CERTIFICATE'];
export const LIST_LABELS = ['X509 CRL'];
