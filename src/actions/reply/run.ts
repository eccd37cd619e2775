/** reply at run time. */
import type { ActionInstance, Exchange, Reply } from '../../policies/contract.js';
import {
  BytesReply,
  ConstantReply,
  HeaderMap,
  isUrlField,
  runAction,
  Template,
  type TextForm,
  textFormOf,
} from '../../policies/run-kit.js';
import type { ReplySettings } from './schema.js';

export const create = runAction<ReplySettings>((settings, host): ActionInstance => {
  const fields = settings.headers.map(([name, parts]): Field => ({ name, template: new Template(parts) }));
  const body = new Template(settings.body);
  const constant = body.constant !== undefined && fields.every(({ template }) => template.constant !== undefined);
  return constant
    ? fixedReply(settings.status, fields, body.constant, host.constantReplies)
    : new RenderedReply(settings.status, fields, body);
});

interface Field {
  readonly name: string;
  readonly template: Template;
}

/** The bytes of the body are created once. */
function fixedReply(status: number, fields: readonly Field[], text: string, constant: boolean): ActionInstance {
  const headers = fields.map(({ name, template }) => [name, template.constant ?? ''] as const);
  const body = Buffer.from(text);
  if (constant) {
    const reply = new ConstantReply(status, { headers: new HeaderMap(headers), body });
    return { start: () => reply };
  }
  return { start: () => new BytesReply(status, { headers: new HeaderMap(headers), body }) };
}

class RenderedReply implements ActionInstance {
  readonly #form: TextForm;

  constructor(
    readonly status: number,
    readonly fields: readonly Field[],
    readonly body: Template,
  ) {
    const type = fields.find(({ name }) => name === 'content-type');
    // A type with a variable has a body without variables, which is sent as it is.
    this.#form = textFormOf(type?.template.constant ?? '');
  }

  start(exchange: Exchange): Reply {
    const headers = new HeaderMap();
    for (const { name, template } of this.fields) {
      const value = isUrlField(name) ? template.renderUrl(exchange) : template.renderField(exchange);
      if (value !== '' || template.constant !== undefined) headers.append(name, value);
    }
    return new BytesReply(this.status, { headers, body: this.body.renderBody(this.#form, exchange) });
  }
}
