/** HTTP/2 to targets. */
import { s } from '../../schema/declare.js';

export const http2 = () => ({
  protocol: s
    .enum('http/1.1', 'h2')
    .describe(
      'Version of HTTP to the targets. `h2`: HTTP/2, which `https` targets must agree to (ALPN) and `http` targets must know; gRPC needs it.',
    )
    .default('http/1.1'),
  max_streams: s
    .integer({ min: 1, max: 1000 })
    .describe(
      'Maximum number of requests in flight on one HTTP/2 connection to a target; the target may permit fewer. `max_connections` bounds the connections.',
    )
    .default(100),
});
