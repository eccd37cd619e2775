/** Masks header fields. */
import type { HeaderFields } from '../contract.js';
import type { Form } from './forms.js';
import { TextMask, type TextRule } from './texts.js';

export interface FieldRule {
  /** Lower case. */
  readonly headers: readonly string[];
  readonly form: Form;
  readonly text: TextRule | undefined;
}

/** How one field is masked. */
interface OneField {
  readonly name: string;
  /** Undefined: only its texts. */
  readonly form: Form | undefined;
  readonly texts: TextMask;
}

export class FieldMask {
  readonly #fields: readonly OneField[];

  constructor(rules: readonly FieldRule[]) {
    const names = [...new Set(rules.flatMap(({ headers }) => headers))];
    this.#fields = names.map((name) => {
      const own = rules.filter(({ headers }) => headers.includes(name));
      return {
        name,
        form: own.find(({ text }) => text === undefined)?.form,
        texts: new TextMask(own.flatMap(({ text }) => text ?? [])),
      };
    });
  }

  get isEmpty(): boolean {
    return this.#fields.length === 0;
  }

  /** Edits the fields in place. Returns the names of those that it has masked. */
  mask(fields: HeaderFields): string[] {
    const masked: string[] = [];
    for (const { name, form, texts } of this.#fields) {
      if (fields.get(name) === undefined) continue;
      const before = [...fields.entries()].flatMap(([one, value]) => (one === name ? [value] : []));
      const after = before.map((value) => (form === undefined ? (texts.mask(value) ?? value) : form.mask(value)));
      if (after.every((value, index) => value === before[index])) continue;
      masked.push(name);
      fields.remove(name);
      // A field of which everything is removed is not sent.
      for (const value of after) if (value !== '') fields.append(name, value);
    }
    return masked;
  }
}
