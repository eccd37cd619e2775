/** Expressions in CEL as values of a config. The decoder brings the language: this folder does not parse it. */
import type { ExpressionEntry } from '../bundle/types.js';
import type { Decoder } from './decoder.js';
import { type Decoded, INVALID, type JsonSchema, Schema, wrongKind } from './schema.js';
import type { TomlNode } from './tree.js';

const EXAMPLE = 'Write a CEL expression, such as `\'request.method == "POST"\'`.';

/** A condition. It decodes to what the host's condition() takes. */
export class ExpressionSchema extends Schema<ExpressionEntry> {
  readonly expected = 'a condition in CEL';
  /** `reply`: it is evaluated when there is a reply, and may read it. */
  constructor(readonly reply: boolean) {
    super();
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<ExpressionEntry> {
    if (node.kind !== 'string') return wrongKind(this, node, decoder, EXAMPLE);
    const { language } = decoder;
    if (language === undefined) throw new Error('Expressions are not possible here: the decoder has no language.');
    const found = language.check(node.value, { reply: this.reply });
    if ('entry' in found) {
      decoder.expressions.push({ path: [...decoder.path], span: node.span, expression: found });
      return found.entry;
    }
    const { code, message, help, start, end } = found;
    // An empty place, such as the end of the text, is shown as the whole string.
    const span = start === end ? node.span : language.spanOf(node.span, node.value, start, end);
    decoder.error(code, span, message, help === undefined ? {} : { help });
    return INVALID;
  }
  jsonSchema(): JsonSchema {
    return { type: 'string' };
  }
  override written({ source }: ExpressionEntry): string {
    return source;
  }
}
