/** The media types of gRPC and gRPC-Web. */

/** What a media type of gRPC-Web says. */
export interface WebType {
  /** Bodies are base64. */
  readonly text: boolean;
  /** The format of messages: `+proto`; '' if it is not named. */
  readonly suffix: string;
}

const WEB = /^application\/grpc-web(-text(?:-base64)?)?(\+[a-z0-9.+-]+)?[ \t]*(?:;|$)/i;
const NATIVE = /^application\/grpc(\+[a-z0-9.+-]+)?[ \t]*(?:;|$)/i;

/** Undefined for another media type. */
export function webType(contentType: string | undefined): WebType | undefined {
  const found = contentType === undefined ? null : WEB.exec(contentType);
  return found === null ? undefined : { text: found[1] !== undefined, suffix: found[2] ?? '' };
}

/** The format of the messages of a gRPC media type, which may be ''; undefined for another media type. */
export function nativeSuffix(contentType: string | undefined): string | undefined {
  const found = contentType === undefined ? null : NATIVE.exec(contentType);
  return found === null ? undefined : (found[1] ?? '');
}

/** Whether a client wants base64: what it accepts decides, and if that does not name gRPC-Web, what it sends. */
export function wantsText(accept: string | undefined, sent: WebType): boolean {
  if (accept === undefined || !namesWeb(accept)) return sent.text;
  return /application\/grpc-web-text/i.test(accept);
}

/** Whether an Accept names gRPC-Web. */
export const namesWeb = (accept: string): boolean => /application\/grpc-web/i.test(accept);
