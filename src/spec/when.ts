/** The key `when` of a policy: its condition. */
import { checkExpression } from '../expression/check.js';
import type { Decoder } from '../schema/decoder.js';
import type { Span } from '../schema/diagnostic.js';
import { kindName, type TableEntry } from '../schema/tree.js';
import type { WhenModel } from './model.js';
import type { Sources } from './source.js';

export const WHEN_SUMMARY =
  'A [condition](expressions.md) in CEL: the policy takes part in an exchange only if it holds.';

/** Reads the key; reports what is wrong with it to the decoder. `reply`: whether it may read the reply. */
export function readWhen(
  entry: TableEntry | undefined,
  sources: Sources,
  reply: boolean,
  decoder: Decoder,
): WhenModel | undefined {
  if (entry === undefined) return undefined;
  const { value: node, keySpan } = entry;
  return decoder.within('when', node, keySpan, () => {
    if (node.kind !== 'string') {
      const message = `Expected a condition, found ${kindName(node)}.`;
      decoder.error('schema/type', node.span, message, { help: EXAMPLE });
      return undefined;
    }
    const source = node.value;
    const spanOf = (start: number, end: number): Span => sources.valueSpan(node.span, source, start, end);
    const found = checkExpression(source, { reply });
    if (!('message' in found)) return { expression: found, span: node.span, spanOf };
    const { code, message, help, start, end } = found;
    // An empty place, such as the end of the text, is shown as the whole string.
    const span = start === end ? node.span : spanOf(start, end);
    decoder.error(code, span, message, help === undefined ? {} : { help });
    return undefined;
  });
}

const EXAMPLE = 'Write a CEL expression: `when = \'request.method == "POST"\'`.';
