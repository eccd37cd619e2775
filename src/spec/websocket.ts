/** Declaration of a route's limits for WebSockets. */
import { type Infer, s } from '../schema/declare.js';

export const webSocket = () =>
  s.object({
    max_message: s
      .size({ min: 1 })
      .describe(
        'Longest message of a client, in bytes on the wire (compressed, if it is); gw closes with code 1009. Default: no limit.',
        '64KiB',
      )
      .optional(),
    max_reply_message: s
      .size({ min: 1 })
      .describe('Longest message of a target, in the same way. Default: no limit.', '1MiB')
      .optional(),
    max_rate: s
      .rate()
      .describe(
        'Messages that a client may send on one WebSocket per time; pings and other control frames count as well. Above it, gw closes with code 1008. Default: no limit.',
        '100/s',
      )
      .optional(),
    idle_timeout: s
      .duration()
      .describe(
        'Longest silence in both directions; gw closes with code 1001. `0s`: no limit. Default: `tunnel_idle_timeout` of the service.',
        '5m',
      )
      .optional(),
  });

export type WebSocketConfig = Infer<ReturnType<typeof webSocket>>;
