/** Config of the proxy action. */
import { type Infer, s } from '../../policies/compile-kit.js';

const service = () => s.string({ nonEmpty: true }).describe('Name of the service.', 'orders');

export const schema = s.object({ service: service() });

export type ProxyConfig = Infer<typeof schema>;

/** `to = "orders"`. */
export const shorthand = s
  .mapped(service(), (name): ProxyConfig => ({ service: name }))
  .describe('Name of the service that gets the requests.', 'orders');
