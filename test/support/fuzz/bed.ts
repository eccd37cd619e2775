/** The test bed of a case: a data plane in front of a target. */
import { Plane, specOf } from '../../integration/engine-kit.js';
import { NodeOracle } from './node.js';
import { FuzzTarget } from './target.js';

/**
 * `plain`: one exchange per connection. `pipelined`: pipelined target requests. `policies`: request data in templates.
 */
export type BedKind = 'plain' | 'pipelined' | 'policies';

const LISTENER = 'max_connections_per_address = 1000\nidle_timeout = "6s"\nheader_timeout = "6s"\nbody_timeout = "6s"';
/** No target is ejected, and requests are retried only after a closed idle connection. */
const SERVICE = 'retries = 0\neject_after = 0\nresponse_timeout = "6s"\nconnect_timeout = "6s"';

const POLICIES = `
[policy.copy]
use = "headers"
request.set = { x-copy = "<{request.header.x-in}>", x-copy-path = "{request.path}", x-copy-query = "{request.query}", x-copy-host = "{request.host}" }
request.add = { x-copy-rest = "{rest}", x-copy-in = "{request.header.x-in}" }
request.remove = ["cookie"]
reply.set = { x-back = "{request.header.x-in}", x-back-query = "{request.query}", x-back-path = "{request.path}" }
reply.add = { x-back-reply = "{reply.header.x-out}", x-back-rest = "{rest}" }
`;

function specFor(kind: BedKind, url: string): string {
  const service = kind === 'pipelined' ? `${SERVICE}\npipelining = 8\nmax_connections = 3` : SERVICE;
  if (kind !== 'policies') return specOf(url, { listener: LISTENER, service });
  return specOf(url, { listener: LISTENER, service, route: 'policies = ["copy"]', more: POLICIES });
}

export class Bed {
  readonly kind: BedKind;
  readonly plane: Plane;
  readonly target: FuzzTarget;
  readonly oracle: NodeOracle;

  private constructor(kind: BedKind, plane: Plane, target: FuzzTarget, oracle: NodeOracle) {
    this.kind = kind;
    this.plane = plane;
    this.target = target;
    this.oracle = oracle;
  }

  static async start(kind: BedKind): Promise<Bed> {
    const oracle = new NodeOracle();
    const target = await FuzzTarget.start(oracle);
    const plane = await Plane.start(specFor(kind, target.url));
    plane.plane.watch('off');
    return new Bed(kind, plane, target, oracle);
  }

  /** No client is connected, and no exchange with the target is in progress. */
  get quiet(): boolean {
    return this.plane.connections === 0 && this.target.quiet;
  }

  async close(): Promise<void> {
    await this.plane.close();
    await this.target.close();
  }
}
