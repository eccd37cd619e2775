/** A route's own reply that no policy can edit: one for all of its exchanges, its head written when it was compiled. */
import type { ReplyEntry } from '../../bundle/types.js';
import { BytesReply, HeaderMap } from '../../policies/run-kit.js';

export class ConstantReply extends BytesReply {
  /** Status line and fields, without the empty line; what each exchange has of its own is added behind it. */
  readonly head: string;
  readonly hasDate: boolean;

  constructor({ status, headers, body }: ReplyEntry, head: string) {
    super(status, { headers: new HeaderMap(Object.entries(headers)), body });
    this.head = head;
    this.hasDate = this.headers.get('date') !== undefined;
  }
}
