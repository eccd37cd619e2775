/** A fixed reply that no policy can edit: one object for all exchanges, with a head written by the compiler. */
import type { ReplyEntry } from '../../bundle/types.js';
import { BytesReply, HeaderMap } from '../../policies/run-kit.js';

export class ConstantReply extends BytesReply {
  /** Status line and fields, without the empty line; the fields of each exchange are appended. */
  readonly head: string;
  readonly hasDate: boolean;

  constructor({ status, headers, body }: ReplyEntry, head: string) {
    super(status, { headers: new HeaderMap(Object.entries(headers)), body });
    this.head = head;
    this.hasDate = this.headers.get('date') !== undefined;
  }
}
