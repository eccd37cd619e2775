/** Requests by the HTTP/2 client of Node. */
import { type ClientHttp2Session, connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';

export interface Http2Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: IncomingHttpHeaders;
  /** Interim replies before it. */
  readonly interim: number[];
}

/** Connects without TLS. End the session with close() or destroy(). */
export function sessionTo(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  return session;
}

/** Sends a request with its whole body. Rejects if the stream is reset. */
export function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string | Buffer,
  trailers?: OutgoingHttpHeaders,
): Promise<Http2Reply> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers, { endStream: body === undefined, waitForTrailers: trailers !== undefined });
    const interim: number[] = [];
    let status = 0;
    let got: IncomingHttpHeaders = {};
    let trailing: IncomingHttpHeaders = {};
    let text = '';
    stream.setEncoding('latin1');
    stream.on('headers', (fields) => interim.push(Number(fields[':status'])));
    stream.on('response', (fields) => {
      status = Number(fields[':status']);
      got = fields;
    });
    stream.on('trailers', (fields) => {
      trailing = fields;
    });
    stream.on('data', (chunk: string) => {
      text += chunk;
    });
    stream.on('error', reject);
    stream.on('end', () => resolve({ status, headers: got, body: text, trailers: trailing, interim }));
    if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    if (body !== undefined) stream.end(body);
  });
}
