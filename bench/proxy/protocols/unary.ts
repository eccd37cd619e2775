/** One gRPC call, to see that a contestant passes it on completely. */
import { connect } from 'node:http2';
import { MESSAGE, UNARY } from './origins.js';

/** Milliseconds. */
const WITHIN = 5000;

/** What is wrong with the reply of the gateway on `port`; empty if it has the message and the status 0 in trailers. */
export function faultOfUnary(port: number): Promise<string> {
  return new Promise((resolve) => {
    const session = connect(`http://127.0.0.1:${port}`);
    const end = (fault: string): void => {
      resolve(fault);
      session.destroy();
    };
    session.setTimeout(WITHIN, () => end('no reply to a gRPC call'));
    session.on('error', (error) => end(error.message));
    const call = session.request({
      ':method': 'POST',
      ':path': UNARY,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const parts: Buffer[] = [];
    let status = 'no grpc-status';
    call.on('error', (error) => end(error.message));
    call.on('data', (part: Buffer) => parts.push(part));
    call.on('trailers', (fields) => {
      status = String(fields['grpc-status']);
    });
    call.on('end', () => {
      if (status !== '0') end(`gRPC status: ${status}`);
      else end(Buffer.concat(parts).equals(MESSAGE) ? '' : 'gRPC reply without its message');
    });
    call.end(MESSAGE);
  });
}
